#!/usr/bin/env python3
"""Makes tiny random segmenters (SaT), and what their formulas in numpy give.

usage: make_segmenters.py [--wtpsplit] [directory]      (default: test/data/models)

read_text() states in float32 what wtpsplit 2.2 does in extract.py and models.py.  With --wtpsplit the numbers are
compared with those of an installed wtpsplit, by sums in float16 as it has them, and so are its sentences where
these are not of consequence; nothing is written then.
"sat-stops" has no random weights: it ends a sentence with each token that is "." "!" "?" or a relative of theirs.
"""

import collections
import json
import math
import os
import sys
import unicodedata

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors

import output

SEED = 20240624
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
STOPS = [".", "!", "?", "\u3002", "\u0964"]
NARROW = dict(hidden_size=32, num_attention_heads=4, intermediate_size=48)

# name: (sizes, wide weights, what "srm" says)
MODELS = {
    "sat": (dict(NARROW, num_hidden_layers=3, lookahead=7, max_position_embeddings=514, num_labels=3), True, {}),
    "sat-sm": (dict(NARROW, num_hidden_layers=2, max_position_embeddings=66, num_labels=1), True,
               {"threshold": 0.95, "stride": 20}),
    "sat-split": (dict(NARROW, num_hidden_layers=3, lookahead=6, lookahead_split_layers=2,
                       max_position_embeddings=66, num_labels=2), True, {}),
    "sat-stops": (dict(hidden_size=8, num_attention_heads=2, intermediate_size=8, num_hidden_layers=1,
                       max_position_embeddings=66, num_labels=1), False, {"threshold": 0.5}),
}

TEXTS = [
    "This is a test This is another test.",
    "Dr. Smith said: \"Why not?\" He left. Then  he came back.\nA new line starts here.\n\nAnd a paragraph. ",
    "Das ist ein Satz. Das ist der zweite, z. B. mit Komma! Ende",
    "Это первое предложение. Это второе? Да.",
    "这是第一句。这是第二句！好的",
    "これは文です。次の文です。",
    "นี่คือประโยค นี่คืออีกประโยค",
    "هذه جملة. هذه جملة أخرى؟ نعم.",
    "यह एक वाक्य है। यह दूसरा है।",
    "Ｆｕｌｌｗｉｄｔｈ ﬁne ½ e\u0301 \u00a0nbsp 🎉 end. Next",
    "\n\n  leading and trailing  \n",
    "x",
]
LONG = [" ".join(TEXTS[:2]) * 8, " ".join(TEXTS[:9]) * 2]


def list_cases(config):
    """wtpsplit passes over tokens where a stride is longer than a chunk; so no stride is."""
    longest = 256 if config["max_position_embeddings"] > 500 else 60
    return [(text, 60) for text in TEXTS] + [(text, stride) for text in LONG for stride in (20, longest)]


def make_pieces():
    """Characters and what is frequent within words; the trainer of the library gives other scores each time."""
    counts = collections.Counter()
    for text in TEXTS:
        for word in unicodedata.normalize("NFKC", text).split():
            word = "\u2581" + word
            counts.update(word[i:j] for i in range(len(word)) for j in range(i + 1, min(len(word), i + 6) + 1))
    counts.update({stop: 1 for stop in STOPS})
    chosen = sorted((piece for piece in counts if len(piece) == 1 or counts[piece] > 2), key=lambda p: (-counts[p], p))
    total = sum(counts[piece] for piece in chosen)
    return [[piece, round(math.log(counts[piece] / total), 4)] for piece in chosen]


def make_tokenizer():
    """As xlm-roberta-base has it, but for the map of characters, which is large."""
    pieces = [(token, 0.0) for token in SPECIAL[:4]] + [tuple(piece) for piece in make_pieces()] + [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(vocab=pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(),
                                                       pre_tokenizers.Metaspace("\u2581", prepend_scheme="always")])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False, lstrip=token == "<mask>")
                                  for token in SPECIAL])
    return tokenizer


def make_config(sizes, settings, vocab_size):
    config = dict(architectures=["SubwordXLMForTokenClassification"], model_type="xlm-token",
                  vocab_size=vocab_size, type_vocab_size=1, layer_norm_eps=1e-5, hidden_act="gelu",
                  pad_token_id=1, bos_token_id=0, eos_token_id=2, lookahead=None, lookahead_split_layers=None)
    config.update(sizes)
    labels = config.pop("num_labels")
    config["id2label"] = {str(i): "LABEL_%d" % i for i in range(labels)}
    config["label2id"] = {"LABEL_%d" % i: i for i in range(labels)}
    if settings:
        config["srm"] = settings
    return config


def shapes(config):
    dim, ffn = config["hidden_size"], config["intermediate_size"]
    stem = "roberta.embeddings."
    yield stem + "word_embeddings.weight", (config["vocab_size"], dim)
    yield stem + "position_embeddings.weight", (config["max_position_embeddings"], dim)
    yield stem + "token_type_embeddings.weight", (1, dim)
    yield from pair(stem + "LayerNorm", (dim,))
    for i in range(config["num_hidden_layers"]):
        stem = "roberta.encoder.layer.%d." % i
        for name in ("query", "key", "value"):
            yield from pair(stem + "attention.self." + name, (dim, dim))
        yield from pair(stem + "attention.output.dense", (dim, dim))
        yield from pair(stem + "attention.output.LayerNorm", (dim,))
        yield from pair(stem + "intermediate.dense", (ffn, dim))
        yield from pair(stem + "output.dense", (dim, ffn))
        yield from pair(stem + "output.LayerNorm", (dim,))
    yield from pair("classifier", (len(config["id2label"]), dim))


def pair(name, shape):
    yield name + ".weight", shape
    yield name + ".bias", shape[:1]


def random_weights(config):
    random = np.random.default_rng(SEED)
    weights = {}
    for name, shape in shapes(config):
        values = random.standard_normal(shape) * (0.1 if name.endswith("bias") else 0.3)
        weights[name] = (values + ("LayerNorm.weight" in name)).astype(np.float16)
    return weights


def stop_weights(config, tokenizer):
    """No map does anything; the first number of an embedding is that of a stop, and is what the head reads."""
    weights = {name: np.full(shape, "LayerNorm.weight" in name, np.float16) for name, shape in shapes(config)}
    weights["classifier.bias"][0] = 0
    embedding = weights["roberta.embeddings.word_embeddings.weight"]
    embedding[:, 1] = 1
    for stop in STOPS:
        embedding[tokenizer.token_to_id(stop), :2] = (1, 0)
    weights["classifier.weight"][0, 0] = 4
    return weights


def layer_norm(x, weights, name, eps):
    centred = x - x.mean(-1, keepdims=True)
    scale = np.sqrt((centred ** 2).mean(-1, keepdims=True) + np.float32(eps))
    return centred / scale * weights[name + ".weight"] + weights[name + ".bias"]


def linear(x, weights, name):
    return x @ weights[name + ".weight"].T + weights[name + ".bias"]


def gelu(x):
    erf = np.vectorize(math.erf, otypes=[np.float32])
    return x * np.float32(0.5) * (1 + erf(x / np.float32(math.sqrt(2))))


def attend(x, weights, stem, config, ahead):
    n, heads = len(x), config["num_attention_heads"]
    query, key, value = (linear(x, weights, stem + "attention.self." + name).reshape(n, heads, -1).swapaxes(0, 1)
                         for name in ("query", "key", "value"))
    scores = query @ key.swapaxes(1, 2) / np.float32(math.sqrt(key.shape[-1]))
    if ahead is not None:
        scores = np.where(np.arange(n)[None, :] <= np.arange(n)[:, None] + ahead, scores, np.float32(-np.inf))
    scores = np.exp(scores - scores.max(-1, keepdims=True))
    scores /= scores.sum(-1, keepdims=True)
    return linear((scores @ value).swapaxes(0, 1).reshape(n, -1), weights, stem + "attention.output.dense")


def forward(ids, weights, config):
    eps = config["layer_norm_eps"]
    split = config["lookahead_split_layers"]
    ahead = config["lookahead"]
    if ahead is not None:
        ahead //= split or config["num_hidden_layers"]
    stem = "roberta.embeddings."
    positions = np.arange(len(ids)) + config["pad_token_id"] + 1
    x = (weights[stem + "word_embeddings.weight"][ids] + weights[stem + "token_type_embeddings.weight"][0] +
         weights[stem + "position_embeddings.weight"][positions])
    x = layer_norm(x, weights, stem + "LayerNorm", eps)
    for i in range(config["num_hidden_layers"]):
        stem = "roberta.encoder.layer.%d." % i
        sees = 0 if split is not None and i >= split else ahead
        x = layer_norm(x + attend(x, weights, stem, config, sees), weights, stem + "attention.output.LayerNorm", eps)
        inner = gelu(linear(x, weights, stem + "intermediate.dense"))
        x = layer_norm(x + linear(inner, weights, stem + "output.dense"), weights, stem + "output.LayerNorm", eps)
    return linear(x, weights, "classifier")[:, 0]


def read_text(ids, weights, config, stride, dtype=np.float64):
    """The mean over chunks of label 0 for each token; wtpsplit adds up in float16."""
    n = len(ids)
    block = min(n, config["max_position_embeddings"] - 4)
    sums, counts = np.zeros(n, dtype), np.zeros(n, dtype)
    for start in range(0, n, min(stride, block)):
        is_last = start + block >= n
        start = n - block if is_last else start
        chunk = np.array([0] + ids[start:start + block] + [2])
        sums[start:start + block] += forward(chunk, weights, config)[1:-1]
        counts[start:start + block] += 1
        if is_last:
            break
    return sums / counts


def choose_threshold(probabilities):
    """In the widest gap of the upper half, so that roundings do not cut elsewhere."""
    upper = np.unique(np.append(probabilities, 0.5))
    upper = upper[len(upper) // 2 - 1:]
    if len(upper) < 2:
        return 0.5
    widest = np.argmax(np.diff(upper))
    return float((upper[widest] + upper[widest + 1]) / 2)


def cut(text, ends, probabilities, threshold):
    """wtpsplit's sentences, with line feeds, without white space around them and without those of nothing else."""
    of_character = np.zeros(len(text))
    for end, probability in zip(ends, probabilities):
        of_character[end - 1] = probability
    sentences, start = [], 0
    for at in np.where(of_character > threshold)[0]:
        end = at + 1
        while end < len(text) and text[end].isspace():
            end += 1
        sentences.append(text[start:end])
        start = end
    sentences.append(text[start:])
    return strip(piece for sentence in sentences for piece in sentence.split("\n"))


def strip(pieces):
    return [piece.strip() for piece in pieces if piece.strip()]


def make_case(text, stride, tokenizer, weights, config):
    encoding = tokenizer.encode(text, add_special_tokens=False)
    ends = [end for _, end in encoding.offsets]
    logits = read_text(encoding.ids, weights, config, stride)
    probabilities = 1 / (1 + np.exp(-logits))
    threshold = choose_threshold(probabilities) if "srm" not in config else config["srm"]["threshold"]
    return dict(text=text, stride=stride, ids=encoding.ids, ends=[len(text[:end].encode()) for end in ends],
                logits=logits, threshold=threshold, sentences=cut(text, ends, probabilities, threshold))


def compare_with_wtpsplit(directory, config, weights, cases):
    """Needs wtpsplit 2.2.2; transformers 5 does not know an argument that it passes."""
    import inspect
    from transformers.models.xlm_roberta import modeling_xlm_roberta
    embed = modeling_xlm_roberta.XLMRobertaEmbeddings.forward
    if "past_key_values_length" not in inspect.signature(embed).parameters:
        modeling_xlm_roberta.XLMRobertaEmbeddings.forward = (
            lambda self, *args, past_key_values_length=0, **others: embed(self, *args, **others))
    from wtpsplit import SaT
    sat = SaT(directory, tokenizer_name_or_path=directory)
    worst = n_compared = 0
    for case in cases:
        how = dict(stride=case["stride"], block_size=config["max_position_embeddings"] - 4)
        found = sat.predict_proba(case["text"], **how)
        ends = [len(case["text"].encode()[:end].decode()) for end in case["ends"]]
        rounded = read_text(case["ids"], weights, config, case["stride"], np.float16).astype(np.float64)
        expected = dict(zip(ends, 1 / (1 + np.exp(-rounded))))
        exact = dict(zip(ends, 1 / (1 + np.exp(-case["logits"]))))
        worst = max([worst] + [abs(found[end - 1] - p) for end, p in expected.items()])
        if all((found[end - 1] > case["threshold"]) == (p > case["threshold"]) for end, p in exact.items()):
            n_compared += 1
            assert strip(sat.split(case["text"], threshold=case["threshold"], **how)) == case["sentences"], case["text"]
    print("%s: a probability differs from wtpsplit's by %.5f at most; sentences of %d texts of %d compared" %
          (directory, worst, n_compared, len(cases)))
    # A rounding of a sum beyond 16 is 1/64, and the last bit depends on the order of f32 sums before it
    assert worst < 5e-3


def make_model(directory, name, against_wtpsplit):
    sizes, is_random, settings = MODELS[name]
    tokenizer = make_tokenizer()
    config = make_config(sizes, settings, tokenizer.get_vocab_size())
    weights = random_weights(config) if is_random else stop_weights(config, tokenizer)
    wide = {key: value.astype(np.float32) for key, value in weights.items()}
    cases = [make_case(text, stride, tokenizer, wide, config) for text, stride in list_cases(config)]
    directory = os.path.join(directory, name)
    if against_wtpsplit:
        compare_with_wtpsplit(directory, config, wide, cases)
        return
    os.makedirs(directory, exist_ok=True)
    tokenizer.save(os.path.join(directory, "tokenizer.json"), pretty=False)
    save_file(weights, os.path.join(directory, "model.safetensors"), metadata={"format": "pt"})
    os.chmod(os.path.join(directory, "model.safetensors"), 0o644)
    names = dict(tokenizer_class="PreTrainedTokenizerFast", bos_token="<s>", eos_token="</s>", sep_token="</s>",
                 cls_token="<s>", unk_token="<unk>", pad_token="<pad>", mask_token="<mask>", model_max_length=512)
    for file, value in (("config.json", config), ("tokenizer_config.json", names)):
        with open(os.path.join(directory, file), "w") as out:
            json.dump(value, out, indent=2, sort_keys=True)
            out.write("\n")
    output.write(os.path.join(directory, "expected.json"), dict(cases=cases))


def main():
    arguments = [argument for argument in sys.argv[1:] if argument != "--wtpsplit"]
    directory = arguments[0] if arguments else "test/data/models"
    for name in MODELS:
        make_model(directory, name, "--wtpsplit" in sys.argv)


if __name__ == "__main__":
    main()
