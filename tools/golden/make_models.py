#!/usr/bin/env python3
"""Makes tiny random models, and what transformers computes with them.

usage: make_models.py [directory [model ...]]      (default: test/data/models; requirements.txt has the versions)

Each model is saved by transformers' own save_pretrained() and loaded again in
f32 for the expected numbers, so that those of f16 and bf16 weights are made from
the rounded weights.  Weights are drawn wider than at the start of a training,
so that a wrong step shows in every number.
"""

import json
import os
import shutil
import sys

import numpy as np
import torch
import transformers
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (AutoModelForSequenceClassification, CohereConfig, CoherePreTrainedModel, Gemma2Config, Gemma3TextConfig, GemmaConfig,
                          GPTNeoXConfig, GraniteConfig, GranitePreTrainedModel, LlamaConfig, MistralConfig, MixtralConfig,
                          Olmo2Config, Olmo3Config, Phi3Config, PreTrainedTokenizerFast, Qwen2Config, Qwen2MoeConfig,
                          Qwen3Config, Qwen3MoeConfig, SmolLM3Config, XLMRobertaConfig, XLMRobertaPreTrainedModel)
from transformers.modeling_layers import GenericForSequenceClassification

import formulas
import output

SEED = 20250304
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<END>"]
N_TOKENS = 300
LENGTHS = (1, 7, 65, 133)
TEMPLATE = ("{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + "
            "message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")
TEXT = ["The reward of a sentence is the difference of two values.",
        "A sentence ends where the next one starts; the sentences make up the response.",
        "This is the answer to the question that the user asked, and that is all there is."]

SIZES = dict(vocab_size=N_TOKENS + 4, hidden_size=32, intermediate_size=56, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=256,
             rms_norm_eps=1e-5, num_labels=1, pad_token_id=0, bos_token_id=0, eos_token_id=2)


SMALL = dict(hidden_size=16, intermediate_size=24, head_dim=8)
NARROW = dict(hidden_size=32, intermediate_size=24)


class GraniteForSequenceClassification(GenericForSequenceClassification, GranitePreTrainedModel):
    """As transformers makes this class of others, which has none for Granite."""


class CohereForSequenceClassification(GenericForSequenceClassification, CoherePreTrainedModel):
    """The same for Cohere."""


class XLMRobertaForSequenceClassification(GenericForSequenceClassification, XLMRobertaPreTrainedModel):
    """A value at any token, which shows the states of all."""

    base_model_prefix = "roberta"


OWN_CLASSES = {GraniteConfig: GraniteForSequenceClassification, CohereConfig: CohereForSequenceClassification,
               XLMRobertaConfig: XLMRobertaForSequenceClassification}


def rope(rope_type, **parameters):
    return {"rope_type": rope_type, "rope_theta": 10000.0, **parameters}


# name: (configuration, data type, changes that are made to config.json, other); what is "late"
# is changed when the numbers are there, since transformers does not read it
MODELS = {
    "llama": (LlamaConfig, dict(), "float32", {}, {}),
    "llama-bias": (LlamaConfig, dict(rope_parameters=rope("linear", factor=2.5), attention_bias=True,
                                     mlp_bias=True, num_key_value_heads=4), "float32", {}, {}),
    "llama-llama3": (LlamaConfig, dict(rope_parameters=rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
        original_max_position_embeddings=64), num_hidden_layers=3), "bfloat16", {}, {}),
    "llama-yarn": (LlamaConfig, dict(rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=64), num_key_value_heads=1,
        head_dim=24, tie_word_embeddings=True), "float16", {}, {}),
    # As files of older releases write it: the type under "type", theta outside, "torch_dtype"
    "llama-yarn-old": (LlamaConfig, dict(rope_theta=500.0), "float32", dict(
        rope_parameters=None, rope_theta=500.0, dtype=None, torch_dtype="float32",
        rope_scaling={"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32,
                      "mscale": 0.8, "mscale_all_dim": 0.5, "truncate": False,
                      "beta_fast": 8.0, "beta_slow": 0.5}), {}),
    "qwen2": (Qwen2Config, dict(rope_parameters=rope("default", rope_theta=1000000.0)), "bfloat16",
              {}, {}),
    "qwen2-yarn": (Qwen2Config, dict(rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=64, attention_factor=1.25)), "float32",
        {}, {}),
    "qwen3": (Qwen3Config, dict(head_dim=16, rope_parameters=rope("default", rope_theta=1000000.0)),
              "float32", {}, {"jinja": True}),
    "qwen3-sharded": (Qwen3Config, dict(head_dim=10, attention_bias=True, num_hidden_layers=3,
                                        tie_word_embeddings=True), "float16", {}, {"shards": "40KB"}),
    "attention-offset": (Qwen3Config, dict(head_dim=8), "bfloat16", {"srm": {
        "aggregation": "attention", "boundary": "offset", "attention_dim": 8,
        "segmenter": "icu", "locale": "en"}}, {"bias": 0.375}),
    "attention-marker": (LlamaConfig, dict(), "float32", {"srm": {
        "aggregation": "attention", "boundary": "marker", "marker_token": "<END>", "marker_layout": "0.1",
        "attention_dim": 12, "mean": -0.5, "std": 1.75}}, {}),
    # Windows shorter than the longest sequence
    "mistral": (MistralConfig, dict(SMALL, sliding_window=37), "bfloat16", {}, {}),
    "mistral-full": (MistralConfig, dict(SMALL, sliding_window=None, head_dim=None), "float16",
                     dict(head_dim=None), {}),
    "qwen2-window": (Qwen2Config, dict(SMALL, use_sliding_window=True, sliding_window=50,
                                       max_window_layers=1, num_hidden_layers=3), "float16",
                     dict(layer_types=None), {}),
    # A checkpoint of the bare decoder, with parameters of positions by the type of a layer
    "qwen3-layers": (Qwen3Config, dict(SMALL, use_sliding_window=True, sliding_window=20, layer_types=[
        "sliding_attention", "full_attention"]), "bfloat16", {}, {"bare": True, "late": dict(
            rope_parameters={"full_attention": rope("default"), "sliding_attention": rope("default")})}),
    # As published: one key for all heads, the activation under its first name
    "gemma": (GemmaConfig, dict(SMALL, num_key_value_heads=1, pad_token_id=2), "bfloat16",
              dict(hidden_act="gelu", eos_token_id=[1, 2], dtype=None, torch_dtype="bfloat16"), {}),
    "gemma2": (Gemma2Config, dict(SMALL, sliding_window=24, query_pre_attn_scalar=24,
                                  attn_logit_softcapping=1.5, num_hidden_layers=3), "float16",
               dict(layer_types=None), {}),
    "phi3": (Phi3Config, dict(hidden_size=16, intermediate_size=24, sliding_window=64), "bfloat16",
             {}, {}),
    "phi3-longrope": (Phi3Config, dict(
        intermediate_size=24, num_key_value_heads=4, original_max_position_embeddings=160, rope_parameters=rope(
            "longrope", short_factor=[1.0, 1.25, 1.75, 3.0], long_factor=[1.0, 2.0, 4.0, 8.0])),
        "float32", {}, {}),
    # Rotary positions of two kinds: as files of today have them, and as older ones do
    "gemma3": (Gemma3TextConfig, dict(SMALL, sliding_window=24, query_pre_attn_scalar=24, num_hidden_layers=3,
                                      layer_types=["sliding_attention", "full_attention", "sliding_attention"],
                                      rope_parameters={"full_attention": rope("linear", factor=8.0, rope_theta=1e6),
                                                       "sliding_attention": rope("default")}),
               "bfloat16", {}, {}),
    "gemma3-old": (Gemma3TextConfig, dict(SMALL, sliding_window=24, num_hidden_layers=4), "float16", dict(
        layer_types=None, sliding_window_pattern=3, rope_parameters=None, rope_theta=5000.0,
        rope_local_base_freq=100.0, rope_scaling={"rope_type": "linear", "factor": 4.0},
        architectures=["Gemma3ForCausalLM"]), {}),
    "olmo2": (Olmo2Config, NARROW, "bfloat16", {}, {}),
    "olmo3": (Olmo3Config, dict(NARROW, sliding_window=40, num_hidden_layers=4, rope_parameters={
        "full_attention": rope("yarn", factor=4.0, original_max_position_embeddings=64, rope_theta=500.0),
        "sliding_attention": rope("default", rope_theta=500.0)}), "float32", dict(layer_types=None), {}),
    "granite": (GraniteConfig, dict(NARROW, attention_bias=True, mlp_bias=True, embedding_multiplier=0.75,
                                    residual_multiplier=0.22, attention_multiplier=0.5, logits_scaling=8.0),
                "float16", {}, {}),
    "smollm3": (SmolLM3Config, dict(NARROW, num_hidden_layers=4, no_rope_layers=[1, 0, 1, 1]), "bfloat16", {}, {}),
    "smollm3-window": (SmolLM3Config, dict(NARROW, use_sliding_window=True, sliding_window=30,
                                           no_rope_layer_interval=2, attention_bias=True), "float32",
                       dict(no_rope_layers=None, layer_types=None), {}),
    "cohere": (CohereConfig, NARROW, "bfloat16", {}, {}),
    "cohere-norms": (CohereConfig, dict(NARROW, use_qk_norm=True, attention_bias=True), "float16", {}, {}),
    "gptneox": (GPTNeoXConfig, dict(NARROW, rope_parameters=rope("default", partial_rotary_factor=0.5)), "float16",
                dict(num_key_value_heads=None), {}),
    # As published: the part that is turned under its first name
    "gptneox-old": (GPTNeoXConfig, dict(NARROW, use_parallel_residual=False, attention_bias=False), "float32",
                    dict(rope_parameters=None, rotary_pct=0.25, rotary_emb_base=500.0, num_key_value_heads=None), {}),
    "phi3-part": (Phi3Config, dict(intermediate_size=24, rope_parameters=rope("default", partial_rotary_factor=0.75)),
                  "bfloat16", {}, {}),
    "xlm-roberta": (XLMRobertaConfig, dict(NARROW, pad_token_id=1), "float16", dict(num_key_value_heads=None), {}),
    # Texts beyond the original length; the longest sequence comes last, since transformers keeps what it grew to
    "phi3-long": (Phi3Config, dict(
        intermediate_size=24, num_key_value_heads=4, original_max_position_embeddings=40, rope_parameters=rope(
            "longrope", short_factor=[1.0, 1.25, 1.75, 3.0], long_factor=[1.0, 2.0, 4.0, 8.0])),
        "float32", {}, {}),
    "llama-dynamic": (LlamaConfig, dict(max_position_embeddings=60, rope_parameters=rope("dynamic", factor=2.5)),
                      "float32", {}, {}),
    # Experts; some layers without
    "mixtral": (MixtralConfig, dict(SMALL, num_local_experts=5, num_experts_per_tok=2, sliding_window=50), "bfloat16", {}, {}),
    "qwen2-moe": (Qwen2MoeConfig, dict(hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_experts=6, num_experts_per_tok=3, moe_intermediate_size=12,
                                       shared_expert_intermediate_size=28, mlp_only_layers=[1]), "float16", {}, {}),
    "qwen3-moe": (Qwen3MoeConfig, dict(SMALL, num_hidden_layers=3, num_experts=7, num_experts_per_tok=2, moe_intermediate_size=12,
                                       decoder_sparse_step=2, norm_topk_prob=True), "float32",
                  dict(num_local_experts=None, num_experts=7), {}),
}


def make_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(TEXT * 2, trainers.BpeTrainer(
        vocab_size=N_TOKENS, special_tokens=SPECIAL, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def save_tokenizer(directory, tokenizer, as_jinja):
    """As transformers writes it today (a .jinja file), or as it did before (in the JSON)."""
    if as_jinja:
        fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|im_end|>",
                                       pad_token="<|endoftext|>", bos_token="<|endoftext|>")
        fast.chat_template = TEMPLATE
        fast.save_pretrained(directory)
        return
    tokenizer.save(os.path.join(directory, "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": None,
              "eos_token": {"__type": "AddedToken", "content": "<|im_end|>", "lstrip": False,
                            "normalized": False, "rstrip": False, "single_word": False},
              "pad_token": "<|endoftext|>", "model_max_length": 256, "chat_template": TEMPLATE}
    with open(os.path.join(directory, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


@torch.no_grad()
def randomize(model):
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape)
        if "norm" in name.lower() and name.endswith("weight"):
            from_one = model.config.model_type.startswith("gemma")
            parameter.copy_((0 if from_one else 1) + 0.2 * noise)
        elif any(part in name for part in ("embed_tokens", "embed_in", "embeddings")):
            parameter.copy_(noise)
        else:
            parameter.copy_(0.2 * noise)


def add_head(directory, dim, bias, settings, dtype):
    """What srm adds to a directory; transformers leaves these tensors alone."""
    path = os.path.join(directory, "model.safetensors")
    tensors = load_file(path)
    if bias is not None:
        tensors["score.bias"] = torch.tensor([bias], dtype=dtype)
    if settings is not None:
        d = settings["attention_dim"]
        for name in ("query", "key"):
            tensors["srm.%s.weight" % name] = (0.3 * torch.randn(d, dim)).to(dtype)
            tensors["srm.%s.bias" % name] = (0.3 * torch.randn(d)).to(dtype)
    save_file(tensors, path, metadata={"format": "pt"})


def strip_prefix(directory):
    path = os.path.join(directory, "model.safetensors")
    tensors = load_file(path)
    save_file({name.removeprefix("model."): tensors[name] for name in tensors}, path,
              metadata={"format": "pt"})


def change_config(directory, changes):
    path = os.path.join(directory, "config.json")
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    for key, value in changes.items():
        config.pop(key, None)
        if value is not None:
            config[key] = value
    with open(path, "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")


def save_model(directory, tokenizer, config_class, options, dtype, changes, other):
    config = config_class(**{**SIZES, **options})
    config.architectures = [config_class.__name__.replace("Config", "ForSequenceClassification")]
    if config_class in OWN_CLASSES:
        model = OWN_CLASSES[config_class](config)
    else:
        model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    randomize(model)
    shutil.rmtree(directory, ignore_errors=True)
    model.to(getattr(torch, dtype)).save_pretrained(
        directory, max_shard_size=other.get("shards", "1GB"))
    if "bias" in other or "srm" in changes:
        add_head(directory, config.hidden_size, other.get("bias"), changes.get("srm"),
                 getattr(torch, dtype))
    change_config(directory, changes)
    save_tokenizer(directory, tokenizer, other.get("jinja", False))


@torch.no_grad()
def run(model, ids, bias):
    """Final-norm hidden states and values at every token, and the published score."""
    inputs = torch.tensor([ids])
    hidden = model.base_model(inputs).last_hidden_state[0]
    values = model.score(hidden)[:, 0] + bias
    score = model(inputs).logits[0, 0] + bias
    return hidden.double().numpy(), values.double().numpy(), float(score)


def expect_sequence(model, ids, bias):
    hidden, values, score = run(model, ids, bias)
    positions = sorted({0, len(ids) // 3, len(ids) // 2, max(0, len(ids) - 2), len(ids) - 1})
    return {"ids": ids, "positions": positions, "hidden": hidden[positions], "values": values,
            "score": score}


def expect_attention(model, tensors, rng, bias, marker):
    """c, a and R by the formulas, from the states that transformers computes."""
    weights = {name: tensors[name].double().numpy() for name in tensors if name.startswith("srm.")}
    cases = []
    for n in (0, 1, 2, 11):
        boundaries = np.sort(rng.choice(130, n + 1, replace=False))
        ids = rng.integers(len(SPECIAL), N_TOKENS, size=boundaries[-1] + 1)
        if marker:
            ids[boundaries] = SPECIAL.index("<END>")
        hidden, values, _ = run(model, ids.tolist(), bias)
        a = formulas.attention(hidden[boundaries], weights["srm.query.weight"],
                               weights["srm.query.bias"], weights["srm.key.weight"],
                               weights["srm.key.bias"])
        c = formulas.rewards(values[boundaries])
        cases.append({"ids": ids, "boundaries": boundaries, "c": c, "a": a, "score": a @ c})
    return cases


def write_expected(directory, config_class, other, changes):
    rng = np.random.default_rng(SEED)
    bias = other.get("bias", 0.0)
    model = OWN_CLASSES.get(config_class, AutoModelForSequenceClassification).from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager").eval()
    expected = {"transformers": transformers.__version__, "torch": torch.__version__}
    expected["sequences"] = [
        expect_sequence(model, rng.integers(len(SPECIAL), N_TOKENS, size=n).tolist(), bias)
        for n in LENGTHS]
    if "srm" in changes:
        expected["attention"] = expect_attention(model, load_file(os.path.join(directory, "model.safetensors")), rng, bias,
                                                 changes["srm"]["boundary"] == "marker")
    output.write(os.path.join(directory, "expected.json"), expected)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "test/data/models"
    only = sys.argv[2:]
    torch.set_num_threads(1)
    tokenizer = make_tokenizer()
    for i, (name, (config_class, options, dtype, changes, other)) in enumerate(MODELS.items()):
        if only and name not in only:
            continue
        torch.manual_seed(SEED + i)
        directory = os.path.join(root, name)
        save_model(directory, tokenizer, config_class, options, dtype, changes, other)
        write_expected(directory, config_class, other, changes)
        change_config(directory, other.get("late", {}))
        if other.get("bare"):
            strip_prefix(directory)
        for file in os.listdir(directory):
            os.chmod(os.path.join(directory, file), 0o644)
        print(name, flush=True)


if __name__ == "__main__":
    main()
