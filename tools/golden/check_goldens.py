#!/usr/bin/env python3
"""Computes the checked-in goldens again with the transformers that is installed, and says where it differs.

usage: check_goldens.py [root of the checkout]      (default: .; check_versions.sh runs it)

Nothing is written.  Models, tokenizers and templates are those that are checked in; what of them is computed by
transformers or peft is computed again: states, values and scores, ids and token types, special tokens, rendered
templates, losses of training.  Releases before 5 do not read the "rope_parameters" of later ones, and would take the
default angles without a word: they get the same settings as they themselves write them, which later ones read, too.
Prints a line for each kind, and one for each difference; exits with 1 where there is any that is not among KNOWN.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import tempfile

import numpy as np
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedTokenizerFast

import make_adapters
import make_cross_encoders
import make_heads
import make_models
import make_sentence_rm
import make_special_tokens
import make_templates
import make_tokenizers
import make_training

TOLERANCE = 2e-5
MODELS = "test/data/models"
MAJOR = int(transformers.__version__.split(".")[0])

# What differs, by major release, and only there: docs/models.md says why, and what srm follows
KNOWN = {4: ("models/gemma/", "special tokens/names and additional/", "templates/expressions.json/cases/140/")}


def differences(found, expected, path):
    """(path, what was found, what was expected) of all that is not equal; numbers may differ by TOLERANCE."""
    if isinstance(found, np.ndarray):
        found = found.tolist()
    if isinstance(found, dict) and isinstance(expected, dict):
        for key in sorted(found.keys() | expected.keys()):
            yield from differences(found.get(key), expected.get(key), f"{path}/{key}")
    elif isinstance(found, (list, tuple)) and isinstance(expected, list) and len(found) == len(expected):
        for i, (f, e) in enumerate(zip(found, expected)):
            yield from differences(f, e, f"{path}/{i}")
    elif isinstance(found, float) and isinstance(expected, (int, float)):
        if not abs(found - expected) <= TOLERANCE * max(1, abs(expected)):
            yield path, found, expected
    elif found != expected:
        yield path, found, expected


def read(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def rope_as_before_5(config):
    """The settings of rotary positions as releases before 5 write them."""
    rope = config.pop("rope_parameters", None)
    if rope is None:
        return config
    if "full_attention" in rope:
        local, rope = rope["sliding_attention"], rope["full_attention"]
        if config["model_type"] == "gemma3_text":
            config["rope_local_base_freq"] = local["rope_theta"]
    rope = dict(rope)
    neox = config["model_type"] == "gpt_neox"
    config["rotary_emb_base" if neox else "rope_theta"] = rope.pop("rope_theta")
    if "partial_rotary_factor" in rope:
        config["rotary_pct" if neox else "partial_rotary_factor"] = rope.pop("partial_rotary_factor")
    if rope["rope_type"] == "longrope":
        config["original_max_position_embeddings"] = rope.pop("original_max_position_embeddings")
        rope["type"] = rope.pop("rope_type")
    config["rope_scaling"] = None if rope.get("rope_type") == "default" else rope
    return config


def class_as_before_5(config):
    if config.get("tokenizer_class") == "TokenizersBackend":
        config["tokenizer_class"] = "PreTrainedTokenizerFast"
    return config


def rewrite(path, change):
    value = change(read(path))
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


@contextlib.contextmanager
def as_published(directory, before_5):
    """The directory, or a copy of it as an older release would have saved it."""
    if not before_5:
        yield directory
        return
    with tempfile.TemporaryDirectory() as copy:
        copy = os.path.join(copy, os.path.basename(directory))
        shutil.copytree(directory, copy)
        rewrite(os.path.join(copy, "config.json"), rope_as_before_5)
        if os.path.exists(os.path.join(copy, "tokenizer_config.json")):
            rewrite(os.path.join(copy, "tokenizer_config.json"), class_as_before_5)
        yield copy


def base_of(directory):
    return AutoModel.from_pretrained(directory, dtype=torch.float32, attn_implementation="eager").eval()


class WithHead(torch.nn.Module):
    """A decoder and its head as make_models.run() calls them, where this release has no class of both."""

    def __init__(self, directory):
        super().__init__()
        self.base_model = base_of(directory)
        weights = {}
        for name in os.listdir(directory):
            if name.endswith(".safetensors"):
                weights.update(load_file(os.path.join(directory, name)))
        weight = weights["score.weight"].float()
        self.score = torch.nn.Linear(weight.shape[1], weight.shape[0], bias=False)
        self.score.weight.data = weight

    def forward(self, ids):
        logits = self.score(self.base_model(ids).last_hidden_state[:, -1])
        return type("Output", (), {"logits": logits})


def open_model(directory):
    config = AutoConfig.from_pretrained(directory)
    own = make_models.OWN_CLASSES.get(type(config))
    try:
        return (own or AutoModelForSequenceClassification).from_pretrained(
            directory, dtype=torch.float32, attn_implementation="eager").eval()
    except ValueError:
        return WithHead(directory)


def again(model, expected, bias):
    return {"sequences": [make_models.expect_sequence(model, case["ids"], bias) for case in expected["sequences"]]}


def check_models(before_5):
    for name, (_, _, _, _, other) in make_models.MODELS.items():
        if other.get("late"):    # what transformers does not read
            continue
        expected = read(os.path.join(MODELS, name, "expected.json"))
        with as_published(os.path.join(MODELS, name), before_5) as directory:
            with torch.no_grad():
                found = again(open_model(directory), expected, other.get("bias", 0.0))
        yield from differences(found, {"sequences": expected["sequences"]}, name)


def open_head(name, directory):
    """The decoder and all tensors of a directory that make_heads.py made."""
    stored = {key: value.float() if value.is_floating_point() else value
              for key, value in load_file(os.path.join(directory, "model.safetensors")).items()}
    return base_of(directory), stored


def check_heads(before_5):
    for name, (_, _, head, _, additions) in make_heads.MODELS.items():
        if name.startswith("internlm2"):    # has no class in transformers
            continue
        expected = read(os.path.join(MODELS, name, "expected.json"))
        with as_published(os.path.join(MODELS, name), before_5) as directory:
            decoder, tensors = open_head(name, directory)
            sequences = [make_heads.expect_sequence(decoder, head, tensors, case["ids"], case["gate"])
                         for case in expected["sequences"]]
            conversations = [
                make_heads.expect_token_labels(directory, messages) if isinstance(head, make_heads.TokenLabels) else
                make_heads.expect_conversation(directory, decoder, head, tensors, messages, additions)
                for messages in make_heads.CONVERSATIONS]
        yield from differences({"sequences": sequences, "conversations": conversations}, expected, name)


def check_cross_encoders(before_5):
    for name in make_cross_encoders.MODELS:
        expected = read(os.path.join(MODELS, name, "expected.json"))
        with as_published(os.path.join(MODELS, name), before_5) as directory:
            found = make_cross_encoders.expect(directory, make_cross_encoders.LABEL.get(name, 0))
        yield from differences(found["pairs"], expected["pairs"], name)


def check_adapters(before_5):
    for name in [*make_adapters.ADAPTERS, "adapter-trained", "adapter-continued"]:
        directory = os.path.join(MODELS, name)
        base = os.path.basename(read(os.path.join(directory, "adapter_config.json"))["base_model_name_or_path"])
        expected = read(os.path.join(directory, "expected.json"))
        with as_published(os.path.join(MODELS, base), before_5) as base:
            found = make_adapters.expect(os.path.dirname(base), directory)
        yield from differences({key: found[key] for key in found if key in ("sequences", "attention", "pairs")},
                               {key: expected[key] for key in expected if key in ("sequences", "attention", "pairs")}, name)


def check_sentence_rm(before_5):
    directory = os.path.join(MODELS, "sentence-rm")
    expected = read(os.path.join(directory, "expected.json"))
    tensors = load_file(os.path.join(directory, "model.safetensors"))
    names = {"r_proj": "score", "q_proj": "srm.query", "k_proj": "srm.key"}
    head = {f"{ours}.{part}": tensors[f"{theirs}.{part}"] for ours, theirs in names.items() for part in ("weight", "bias")}
    tokenizer = Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
    with as_published(directory, before_5) as copy, torch.no_grad():
        decoder = base_of(copy)
        sequences = [make_sentence_rm.expect_sequence(decoder, head, case["ids"]) for case in expected["sequences"]]
        conversations = [make_sentence_rm.expect_conversation(decoder, head, tokenizer, *pair)
                         for pair in make_sentence_rm.CONVERSATIONS]
    yield from differences({"sequences": sequences, "conversations": conversations},
                           {key: expected[key] for key in ("sequences", "conversations")}, "sentence-rm")


def check_training(before_5):
    expected = read("test/data/training.json")["models"]
    for name in make_training.MODELS:
        with as_published(os.path.join(MODELS, name), before_5) as directory:
            yield from differences(make_training.train(directory), expected[name], name)


def check_special_tokens(before_5):
    for case in read(make_special_tokens.PATH)["cases"]:
        found = make_special_tokens.expected(case)
        yield from differences(found, {key: case[key] for key in found}, case["name"])


def check_chats(before_5):
    cases = read(os.path.join(make_special_tokens.FOLDER, "chats.json"))
    names = {case[0] for case in cases}
    trees = {name: read(os.path.join(make_special_tokens.FOLDER, name + ".json")) for name in names}
    yield from differences(make_tokenizers.chats(trees), cases, "chats")


def check_tokenizers(before_5):
    texts = read(os.path.join(make_special_tokens.FOLDER, "texts.json"))
    for name in sorted(os.listdir(make_special_tokens.FOLDER)):
        if name.endswith(".expected.json"):
            expected = read(os.path.join(make_special_tokens.FOLDER, name))
            tree = read(os.path.join(make_special_tokens.FOLDER, name.replace(".expected", "")))
            numbers = sorted({case[0] for case in expected})
            found = make_tokenizers.expect(tree, [(number, texts[number]) for number in numbers])
            yield from differences(found, expected, name)


def check_templates(before_5):
    for make, name in ((make_templates.rendered, "rendered.json"), (make_templates.expressions, "expressions.json")):
        yield from differences(json.loads(json.dumps(make())), read(os.path.join(make_templates.FOLDER, name)), name)


CHECKS = {"models": check_models, "heads": check_heads, "cross-encoders": check_cross_encoders,
          "adapters": check_adapters, "sentence-rm": check_sentence_rm, "training": check_training,
          "special tokens": check_special_tokens, "tokenizers": check_tokenizers, "chats": check_chats, "templates": check_templates}


def main():
    os.chdir(sys.argv[1] if len(sys.argv) > 1 else ".")
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    new = 0
    for kind, check in CHECKS.items():
        with contextlib.redirect_stderr(io.StringIO()):
            found = [(f"{kind}/{path}", *values) for path, *values in check(MAJOR < 5)]
        for path, ours, theirs in found:
            known = path.startswith(KNOWN.get(MAJOR, ()))
            new += not known
            print(f"{path}: {str(ours)[:200]} here, {str(theirs)[:200]} checked in" + (" (known)" if known else ""))
        print(f"transformers {transformers.__version__}: {kind}: " + (f"{len(found)} differences" if found else "equal"), flush=True)
    sys.exit(new > 0)


if __name__ == "__main__":
    main()
