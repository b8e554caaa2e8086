#!/usr/bin/env python3
"""What cutting by a SaT model costs beside the scoring pass, in shapes that are published.

  tools/segmentation/cost.py DIRECTORY RESPONSES.jsonl
  psql -f DIRECTORY/cost.sql          (with DIRECTORY in srm.model_path, and models/default installed)

Writes two models of random weights, which cost what trained ones do: "cost-sat", of three layers as wide as
XLM-R base, and "cost-135m", of the shape of SmolLM2-135M.  Their tokenizer is trained on the responses (lines
of {"response": ...} or {"chosen": ...}), with pieces as long as XLM-R's are in English.
"""
import json
import os
import sys

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

VOCABULARY = 24000
RESPONSES = 40
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]

SAT = dict(architectures=["SubwordXLMForTokenClassification"], model_type="xlm-token", hidden_size=768,
           num_attention_heads=12, intermediate_size=3072, num_hidden_layers=3, max_position_embeddings=514,
           type_vocab_size=1, layer_norm_eps=1e-5, hidden_act="gelu", pad_token_id=1, bos_token_id=0, eos_token_id=2,
           lookahead=48, id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0})

LLAMA = dict(architectures=["LlamaForSequenceClassification"], model_type="llama", hidden_size=576,
             num_attention_heads=9, num_key_value_heads=3, intermediate_size=1536, num_hidden_layers=30,
             max_position_embeddings=8192, rms_norm_eps=1e-5, rope_theta=100000, hidden_act="silu",
             tie_word_embeddings=True, pad_token_id=1, bos_token_id=0, eos_token_id=2,
             id2label={"0": "LABEL_0"}, label2id={"LABEL_0": 0})

TEMPLATE = "{% for m in messages %}{{ '<s>' + m['role'] + ': ' + m['content'] + '</s>' }}{% endfor %}"

SQL = """\\set ON_ERROR_STOP on
\\pset pager off
CREATE EXTENSION IF NOT EXISTS srm;
LOAD 'srm';
SET srm.prompt_cache = 0;
CREATE TEMP TABLE response AS SELECT text FROM (VALUES %s) AS v (text);
CREATE TEMP TABLE took (what text, seconds float8);
CREATE FUNCTION pg_temp.take(what text, query text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE started timestamptz := clock_timestamp();
BEGIN
	EXECUTE query;
	INSERT INTO took VALUES (what, extract(epoch FROM clock_timestamp() - started));
END $$;
-- the first round opens the models
SELECT pg_temp.take(CASE WHEN round > 0 THEN what END, query)
FROM generate_series(0, 3) AS round, (VALUES
	('cut by rules', 'SELECT count(*) FROM response, srm_segment(text, '''')'),
	('cut by sat', 'SELECT count(*) FROM response, srm_segment(text, '''', ''sat:cost-sat'')'),
	('score by default', 'SELECT sum(srm_score(''default'', ''Why?'', text || '' '')) FROM response'),
	('score by 135m', 'SELECT sum(srm_score(''cost-135m'', ''Why?'', text || '' '')) FROM response')) AS v (what, query)
ORDER BY round;
SELECT what, round(min(seconds)::numeric, 3) AS seconds,
	round((min(seconds) / (SELECT min(seconds) FROM took AS t WHERE t.what = 'score by default'))::numeric, 4) AS of_default,
	round((min(seconds) / (SELECT min(seconds) FROM took AS t WHERE t.what = 'score by 135m'))::numeric, 4) AS of_135m
FROM took WHERE what IS NOT NULL GROUP BY what ORDER BY 2;
SELECT count(*) AS responses, sum(length(text)) AS characters FROM response;
"""


def read_responses(path):
    rows = [json.loads(line) for line in open(path, encoding="utf-8")]
    texts = [row.get("response") or row["chosen"] for row in rows]
    return [text for text in texts if isinstance(text, str) and text.strip()]


def make_tokenizer(texts):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=VOCABULARY, special_tokens=SPECIAL, unk_token="<unk>")
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer


def pair(name, shape):
    yield name + ".weight", shape
    yield name + ".bias", shape[:1]


def sat_shapes(config):
    dim, ffn = config["hidden_size"], config["intermediate_size"]
    stem = "roberta.embeddings."
    yield stem + "word_embeddings.weight", (config["vocab_size"], dim)
    yield stem + "position_embeddings.weight", (config["max_position_embeddings"], dim)
    yield stem + "token_type_embeddings.weight", (1, dim)
    yield from pair(stem + "LayerNorm", (dim,))
    for i in range(config["num_hidden_layers"]):
        stem = "roberta.encoder.layer.%d." % i
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            yield from pair(stem + "attention." + name, (dim, dim))
        yield from pair(stem + "attention.output.LayerNorm", (dim,))
        yield from pair(stem + "intermediate.dense", (ffn, dim))
        yield from pair(stem + "output.dense", (dim, ffn))
        yield from pair(stem + "output.LayerNorm", (dim,))
    yield from pair("classifier", (1, dim))


def llama_shapes(config):
    dim, ffn = config["hidden_size"], config["intermediate_size"]
    kv = dim // config["num_attention_heads"] * config["num_key_value_heads"]
    yield "model.embed_tokens.weight", (config["vocab_size"], dim)
    for i in range(config["num_hidden_layers"]):
        stem = "model.layers.%d." % i
        for name, shape in (("self_attn.q_proj", (dim, dim)), ("self_attn.k_proj", (kv, dim)),
                            ("self_attn.v_proj", (kv, dim)), ("self_attn.o_proj", (dim, dim)),
                            ("mlp.gate_proj", (ffn, dim)), ("mlp.up_proj", (ffn, dim)), ("mlp.down_proj", (dim, ffn)),
                            ("input_layernorm", (dim,)), ("post_attention_layernorm", (dim,))):
            yield stem + name + ".weight", shape
    yield "model.norm.weight", (dim,)
    yield "score.weight", (1, dim)


def write_model(directory, config, shapes, tokenizer):
    os.makedirs(directory, exist_ok=True)
    config = dict(config, vocab_size=tokenizer.get_vocab_size())
    random = np.random.default_rng(1)
    weights = {name: (np.ones if "norm.weight" in name.lower() else lambda s, t: random.standard_normal(s, np.float32) * 0.02)
               (shape, np.float32) for name, shape in shapes(config)}
    save_file(weights, os.path.join(directory, "model.safetensors"), metadata={"format": "pt"})
    tokenizer.save(os.path.join(directory, "tokenizer.json"))
    names = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>", eos_token="</s>", unk_token="<unk>",
                 pad_token="<pad>", chat_template=TEMPLATE)
    for file, value in (("config.json", config), ("tokenizer_config.json", names)):
        with open(os.path.join(directory, file), "w") as out:
            json.dump(value, out, indent=2)


def main():
    directory, path = sys.argv[1:]
    texts = read_responses(path)
    tokenizer = make_tokenizer(texts)
    write_model(os.path.join(directory, "cost-sat"), SAT, sat_shapes, tokenizer)
    write_model(os.path.join(directory, "cost-135m"), LLAMA, llama_shapes, tokenizer)
    chosen = [text for text in texts if 500 <= len(text) <= 2500][:RESPONSES]
    values = ", ".join("('%s')" % text.replace("'", "''") for text in chosen)
    with open(os.path.join(directory, "cost.sql"), "w", encoding="utf-8") as out:
        out.write(SQL % values)


if __name__ == "__main__":
    main()
