#!/usr/bin/env python3
"""Makes tiny random models with the heads of published reward models, and their numbers.

usage: make_heads.py [directory [model ...]]      (default: test/data/models)

transformers has no classes for these heads.  The decoders are transformers'; the heads are
written here from the published formulas, in double precision, behind hidden states in f32:

  ArmoRM   g = scale softmax(gate(h_g) / temperature), r = W h, R = sum of (g . (r T))
  QRM      the same, where r is the mean over quantiles, and the gate has batch norms
  URM      r = the means among (mean, deviation) pairs of W h, R = sum of weights(h) r
  GRM      R = an MLP of h
  beaver   R = (w . h + b - mean) / deviation
  InternLM2  R = w . h at a token of its own behind the conversation; the decoder is Llama's, packed
  PRM      p = the second of softmax(MLP(h)) at the token behind each step; or, as trl trains them,
           of softmax(W h + b), transformers' *ForTokenClassification, at the step's separator

h is the state at the last token, h_g that where the last assistant header starts.  A
conversation's expected score comes from the text that transformers' template and tokenizer give.
"""

import json
import os
import shutil
import sys

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import (AutoModel, AutoModelForTokenClassification, LlamaConfig, MistralConfig, PreTrainedTokenizerFast, Qwen2Config)

import make_models as base
import output

SEED = 20250413
GATE = "<|im_end|>\n<|im_start|>assistant\n"
SMALL = dict(base.SMALL, num_key_value_heads=2)
CONVERSATIONS = [
    [("user", "What is the answer?"), ("assistant", "This is the answer. And that is all there is.")],
    [("system", "You end sentences."), ("user", "Question one"), ("assistant", "One."),
     ("user", "And the next?"), ("assistant", "The next one starts here.\n\nIt ends  here.")],
    [("user", ""), ("assistant", "word")],
]


def linear(weights, bias, name, outputs, inputs, with_bias=True, spread=0.3):
    weights[name + ".weight"] = spread * torch.randn(outputs, inputs)
    if with_bias:
        bias[name + ".bias"] = spread * torch.randn(outputs)


def dense(tensors, name, x):
    y = x @ tensors[name + ".weight"].double().T
    return y + tensors[name + ".bias"].double() if name + ".bias" in tensors else y


def make_mlp(dim, name, outputs):
    tensors = {}
    linear(tensors, tensors, name + ".0", 12, dim)
    linear(tensors, tensors, name + ".2", outputs, 12)
    return tensors


def mlp(tensors, name, h):
    return dense(tensors, name + ".2", torch.relu(dense(tensors, name + ".0", h)))


class Linear:
    """One map under some name."""

    def __init__(self, name, with_bias=True):
        self.name, self.with_bias = name, with_bias

    def make(self, dim):
        tensors = {}
        linear(tensors, tensors, self.name, 1, dim, self.with_bias)
        return tensors

    def values(self, tensors, h, gate):
        return dense(tensors, self.name, h)[:, 0]


class Beaver(Linear):
    def __init__(self):
        super().__init__("score_head")

    def make(self, dim):
        return {**super().make(dim), "normalizer.mean": torch.tensor([0.75]),
                "normalizer.var": torch.tensor([2.5]), "normalizer.count": torch.tensor([9])}

    def values(self, tensors, h, gate):
        deviation = tensors["normalizer.var"].double().sqrt() + 1e-8
        return (super().values(tensors, h, gate) - tensors["normalizer.mean"].double()) / deviation


class Mlp:
    def __init__(self, name):
        self.name = name

    def make(self, dim):
        return make_mlp(dim, self.name, 1)

    def values(self, tensors, h, gate):
        return mlp(tensors, self.name, h)[:, 0]


class Labels:
    """Three labels, of which the second is the reward."""

    def make(self, dim):
        tensors = {}
        linear(tensors, tensors, "score", 3, dim, False)
        return tensors

    def values(self, tensors, h, gate):
        return dense(tensors, "score", h)[:, 1]


class Steps:
    def make(self, dim):
        return make_mlp(dim, "score", 2)

    def values(self, tensors, h, gate):
        return torch.softmax(mlp(tensors, "score", h), 1)[:, 1]


class TokenLabels(Steps):
    """trl's PRMTrainer: AutoModelForTokenClassification with two labels."""

    def make(self, dim):
        tensors = {}
        linear(tensors, tensors, "score", 2, dim)
        return tensors

    def values(self, tensors, h, gate):
        return torch.softmax(dense(tensors, "score", h), 1)[:, 1]


class ArmoRM:
    n = 5

    def make(self, dim):
        tensors = {"reward_transform_matrix": torch.eye(self.n) + 0.2 * torch.randn(self.n, self.n),
                   "gating.logit_scale": torch.tensor([1.5])}
        linear(tensors, tensors, "regression_layer", self.n, dim, False)
        for i, (outputs, inputs) in enumerate(((12, dim), (12, 12), (self.n, 12))):
            linear(tensors, tensors, "gating.layers.%d" % i, outputs, inputs)
        return tensors

    def gate(self, tensors, h):
        for i in range(3):
            h = dense(tensors, "gating.layers.%d" % i, h)
            h = torch.relu(h) if i < 2 else h
        return torch.softmax(h / 2.0, -1) * tensors["gating.logit_scale"].double()

    def rewards(self, tensors, h):
        return dense(tensors, "regression_layer", h)

    def values(self, tensors, h, gate):
        rewards = self.rewards(tensors, h) @ tensors["reward_transform_matrix"].double()
        return (rewards * self.gate(tensors, gate)).sum(-1)


class QRM(ArmoRM):
    n_quantiles = 3

    def make(self, dim):
        tensors = super().make(dim)
        tensors = {name: tensors[name] for name in tensors if not name.startswith("gating.layers")}
        linear(tensors, tensors, "regression_layer", self.n * self.n_quantiles, dim, False)
        for i, inputs in ((0, dim), (3, 12)):
            linear(tensors, tensors, "gating.layers.%d" % i, 12, inputs, False)
            norm = "gating.layers.%d." % (i + 2)
            tensors[norm + "weight"] = 1 + 0.2 * torch.randn(12)
            tensors[norm + "bias"] = 0.2 * torch.randn(12)
            tensors[norm + "running_mean"] = 0.2 * torch.randn(12)
            tensors[norm + "running_var"] = 1 + 0.5 * torch.rand(12)
            tensors[norm + "num_batches_tracked"] = torch.tensor(7)
        linear(tensors, tensors, "gating.layers.6", self.n, 12)
        return tensors

    def gate(self, tensors, h):
        for i in (0, 3):
            h = torch.relu(dense(tensors, "gating.layers.%d" % i, h))
            norm = "gating.layers.%d." % (i + 2)
            part = {name: tensors[norm + name].double() for name in
                    ("weight", "bias", "running_mean", "running_var")}
            h = (h - part["running_mean"]) / torch.sqrt(part["running_var"] + 1e-5)
            h = h * part["weight"] + part["bias"]
        h = dense(tensors, "gating.layers.6", h)
        return torch.softmax(h / 2.0, -1) * tensors["gating.logit_scale"].double()

    def rewards(self, tensors, h):
        return super().rewards(tensors, h).reshape(-1, self.n, self.n_quantiles).mean(2)


class URM:
    n = 4

    def make(self, dim):
        tensors = {}
        linear(tensors, tensors, "score", 2 * self.n, dim, False)
        for i, (outputs, inputs) in ((0, (dim, dim)), (2, (dim, dim)), (4, (self.n, dim))):
            linear(tensors, tensors, "weights.fc.%d" % i, outputs, inputs)
        return tensors

    def values(self, tensors, h, gate):
        rewards = dense(tensors, "score", h).reshape(-1, self.n, 2)[:, :, 0]
        weights = torch.selu(dense(tensors, "weights.fc.0", h))
        weights = torch.selu(dense(tensors, "weights.fc.2", weights))
        return (rewards * dense(tensors, "weights.fc.4", weights)).sum(1)


GATED = {"gating_temperature": 2.0, "num_objectives": 5, "srm": {"gate_pattern": GATE}}

INTERNLM2 = {"model_type": "internlm2", "reward_token_id": 1, "rope_parameters": None,
             "rope_theta": 10000.0, "rope_scaling": {"type": "dynamic", "factor": 2.0}}

# name: (configuration, class name, head, data type, additions to config.json)
MODELS = {
    "head-regression": (MistralConfig, "EurusRewardModel", Linear("regression_head", False), "bfloat16", {}),
    "head-value": (LlamaConfig, "LlamaForCausalLM", Linear("v_head.summary"), "float32", {}),
    "head-beaver": (LlamaConfig, "LlamaForScore", Beaver(), "float32",
                    {"do_normalize": True, "score_type": "reward"}),
    "head-grm": (LlamaConfig, "LlamaForCausalLM", Mlp("v_head.summary"), "float16", {}),
    "head-qwen-rm": (Qwen2Config, "Qwen2ForRewardModel", Mlp("score"), "bfloat16", {}),
    "head-labels": (Qwen2Config, "Qwen2ForSequenceClassification", Labels(), "float32", {
        "pad_token_id": 2, "id2label": {"0": "bad", "1": "good", "2": "other"},
        "srm": {"label": "good"}}),
    "head-armorm": (LlamaConfig, "LlamaForRewardModelWithGating", ArmoRM(), "bfloat16", GATED),
    "head-qrm": (LlamaConfig, "LlamaForRewardModelWithGating31", QRM(), "float32", GATED),
    "head-urm": (LlamaConfig, "LlamaForSequenceClassificationWithNormal_Weights", URM(), "float16", {}),
    "head-prm": (Qwen2Config, "Qwen2ForProcessRewardModel", Steps(), "bfloat16", {
        "srm": {"marker_token": "<END>"}}),
    "internlm2": (LlamaConfig, "InternLM2ForRewardModel", Linear("v_head", False), "bfloat16", INTERNLM2),
    "internlm2-bias": (LlamaConfig, "InternLM2ForRewardModel", Linear("v_head", False), "float32",
                       {**INTERNLM2, "bias": True, "reward_token_id": 3}),
    "head-tokens": (Qwen2Config, "Qwen2ForTokenClassification", TokenLabels(), "float32", {
        "srm": {"marker_token": "\n"}}),
}


def pack_internlm2(tensors, n_groups):
    """Llama's tensors under InternLM2's names: of each group of heads the queries, key and value."""
    names = {"embed_tokens": "tok_embeddings", "input_layernorm": "attention_norm",
             "post_attention_layernorm": "ffn_norm", "self_attn.o_proj": "attention.wo",
             "mlp.gate_proj": "feed_forward.w1", "mlp.up_proj": "feed_forward.w3",
             "mlp.down_proj": "feed_forward.w2"}
    packed = {}
    for name, value in tensors.items():
        if "self_attn.q_proj" in name:
            parts = [tensors[name.replace("q_proj", part)] for part in ("q_proj", "k_proj", "v_proj")]
            parts = [part.reshape(n_groups, -1, *part.shape[1:]) for part in parts]
            name = name.replace("self_attn.q_proj", "attention.wqkv")
            value = torch.cat(parts, 1).flatten(0, 1)
        elif "self_attn.k_proj" in name or "self_attn.v_proj" in name:
            continue
        for old, new in names.items():
            name = name.replace(old, new)
        packed[name] = value.contiguous()
    return packed


def save(directory, tokenizer, config_class, class_name, head, dtype, additions):
    config = config_class(**{**base.SIZES, **SMALL})
    if "bias" in additions:
        config.attention_bias = additions["bias"]
    decoder = AutoModel.from_config(config, dtype=torch.float32)
    base.randomize(decoder)
    kind = getattr(torch, dtype)
    tensors = {"model." + name: value for name, value in decoder.state_dict().items()}
    tensors.update(head.make(config.hidden_size))
    tensors = {name: (value.to(kind) if value.is_floating_point() else value).contiguous()
               for name, value in tensors.items()}
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    stored = tensors
    if class_name.startswith("InternLM2"):
        stored = pack_internlm2(tensors, config.num_key_value_heads)
    save_file(stored, os.path.join(directory, "model.safetensors"), metadata={"format": "pt"})
    config.architectures = [class_name]
    config.save_pretrained(directory)
    base.change_config(directory, {"dtype": dtype, "id2label": None, "label2id": None, **additions})
    base.save_tokenizer(directory, tokenizer, False)
    if additions.get("pad_token_id") == 2:
        # Ends with the token that is the padding, too
        path = os.path.join(directory, "tokenizer_config.json")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with open(path, "w", encoding="utf-8") as file:
            file.write(text.replace("'<|im_end|>' + '\\\\n' }}", "'<|im_end|>' }}"))
    rounded = {name: value.float() if value.is_floating_point() else value
               for name, value in tensors.items()}
    decoder.load_state_dict({name[6:]: value for name, value in rounded.items()
                             if name.startswith("model.")})
    return decoder.eval(), rounded


@torch.no_grad()
def states(decoder, ids):
    decoder.set_attn_implementation("eager")
    return decoder(torch.tensor([ids])).last_hidden_state[0]


def find_gate(ids, pattern):
    for i in range(len(ids) - len(pattern), -1, -1):
        if ids[i:i + len(pattern)] == pattern:
            return i
    return None


def expect_sequence(decoder, head, tensors, ids, gate):
    """Values at every token; the gate reads a token that the file names."""
    hidden = states(decoder, ids)
    values = head.values(tensors, hidden.double(), hidden[gate].double())
    positions = sorted({0, len(ids) // 2, len(ids) - 1})
    return {"ids": ids, "positions": positions, "hidden": hidden[positions].double().numpy(),
            "values": values.numpy(), "score": float(values[-1]), "gate": gate}


def split_steps(messages):
    """Steps are sentences here."""
    return {"This is the answer. And that is all there is.": ["This is the answer.", "And that is all there is."],
            "The next one starts here.\n\nIt ends  here.": ["The next one starts here.", "It ends  here."],
            "word": ["word"]}[messages[-1]["content"]]


def step_text(fast, messages):
    """Each step is followed by the marker, with nothing between them."""
    joined = "".join(step + "<END>" for step in split_steps(messages))
    return fast.apply_chat_template(messages[:-1] + [{"role": "assistant", "content": joined}],
                                    tokenize=False)


@torch.no_grad()
def expect_token_labels(directory, messages):
    """As trl lays steps out: each is tokenized alone, and so is the separator, at whose last token it is labelled."""
    fast = PreTrainedTokenizerFast.from_pretrained(directory)
    model = AutoModelForTokenClassification.from_pretrained(directory, dtype=torch.float32,
                                                            attn_implementation="eager").eval()
    messages = [{"role": role, "content": content} for role, content in messages]
    prompt = fast.apply_chat_template(messages[:-1], tokenize=False, add_generation_prompt=True)
    tail = fast.apply_chat_template(messages, tokenize=False)[len(prompt) + len(messages[-1]["content"]):]
    ids = fast(prompt, add_special_tokens=False)["input_ids"]
    places = []
    for step in split_steps(messages):
        ids += fast(step, add_special_tokens=False)["input_ids"] + fast("\n", add_special_tokens=False)["input_ids"]
        places.append(len(ids) - 1)
    ids += fast(tail, add_special_tokens=False)["input_ids"]
    steps = torch.softmax(model(torch.tensor([ids])).logits[0].double(), 1)[places, 1].numpy()
    return {"messages": messages, "n_tokens": len(ids), "score": float(steps.min()), "steps": steps}


def expect_conversation(directory, decoder, head, tensors, messages, additions):
    fast = PreTrainedTokenizerFast.from_pretrained(directory)
    messages = [{"role": role, "content": content} for role, content in messages]
    of_steps = isinstance(head, Steps)
    text = step_text(fast, messages) if of_steps else fast.apply_chat_template(messages, tokenize=False)
    ids = fast(text, add_special_tokens=False)["input_ids"]
    read_out = additions.get("reward_token_id")
    if read_out is not None and ids[-1] != read_out:
        ids.append(read_out)
    gate = find_gate(ids, fast(GATE, add_special_tokens=False)["input_ids"])
    hidden = states(decoder, ids).double()
    values = head.values(tensors, hidden, hidden[gate])
    last = len(ids) - 1
    while additions.get("pad_token_id") == ids[last]:
        last -= 1
    expected = {"messages": messages, "n_tokens": len(ids), "score": float(values[last])}
    if of_steps:
        expected["steps"] = values[np.array(ids) == base.SPECIAL.index("<END>")].numpy()
        expected["score"] = float(expected["steps"].min())
    return expected


def write_expected(directory, decoder, head, tensors, additions):
    rng = np.random.default_rng(SEED)
    sequences = []
    for n in base.LENGTHS:
        ids = rng.integers(len(base.SPECIAL), base.N_TOKENS, size=n).tolist()
        sequences.append(expect_sequence(decoder, head, tensors, ids, n // 3))
    output.write(os.path.join(directory, "expected.json"), {
        "sequences": sequences,
        "conversations": [expect_token_labels(directory, messages) if isinstance(head, TokenLabels) else
                          expect_conversation(directory, decoder, head, tensors, messages, additions)
                          for messages in CONVERSATIONS]})


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "test/data/models"
    only = sys.argv[2:]
    torch.set_num_threads(1)
    tokenizer = base.make_tokenizer()
    for i, (name, (config_class, class_name, head, dtype, additions)) in enumerate(MODELS.items()):
        if only and name not in only:
            continue
        torch.manual_seed(SEED + i)
        directory = os.path.join(root, name)
        decoder, tensors = save(directory, tokenizer, config_class, class_name, head, dtype, additions)
        write_expected(directory, decoder, head, tensors, additions)
        for file in os.listdir(directory):
            os.chmod(os.path.join(directory, file), 0o644)
        print(name, flush=True)


if __name__ == "__main__":
    main()
