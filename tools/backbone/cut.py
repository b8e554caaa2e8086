"""Cuts a small base for reward models out of the full backbone.

    python cut.py --model DIR --output DIR --layers 0-7 --vocabulary 16384

Keeps the named layers and the first merges of the vocabulary.  Every byte gets a token, also those that the
full vocabulary lacks (they start from the mean of the others), and a marker token is added for boundaries.
"""

import argparse
import json
import os

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer, pre_tokenizers

from convert import make_tokenizer, write_model

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKER = "<END>"


def layers_of(text):
    """0-7 or 0,4,8 as a list of numbers."""
    layers = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        layers.extend(range(int(first), int(last or first) + 1))
    return layers


def cut_vocabulary(folder, size):
    """(tokens in their new order, merges): special tokens, the marker, 256 bytes, then merges while there is room."""
    model = json.loads(Tokenizer.from_file(os.path.join(folder, "tokenizer.json")).to_str())["model"]
    tokens = SPECIAL + [MARKER] + sorted(pre_tokenizers.ByteLevel.alphabet())
    known = set(tokens)
    merges = []
    for left, right in model["merges"]:
        if len(tokens) >= size:
            break
        if left in known and right in known:
            merges.append((left, right))
            if left + right not in known:
                known.add(left + right)
                tokens.append(left + right)
    return tokens, merges, model["vocab"]


def cut_embedding(embedding, tokens, old):
    """Rows of the new vocabulary; what the old one lacks starts from a neighbour."""
    alphabet = set(pre_tokenizers.ByteLevel.alphabet())
    mean = torch.stack([embedding[old[byte]] for byte in alphabet if byte in old]).mean(0)
    start = {MARKER: embedding[old["<|im_end|>"]]}
    return torch.stack([embedding[old[token]] if token in old else start.get(token, mean) for token in tokens])


def cut_layers(weights, layers):
    """The named layers, numbered anew."""
    kept = {"model.norm.weight": weights["model.norm.weight"]}
    for new, layer in enumerate(layers):
        prefix = f"model.layers.{layer}."
        for name, weight in weights.items():
            if name.startswith(prefix):
                kept[f"model.layers.{new}.{name[len(prefix):]}"] = weight
    return kept


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--layers", required=True)
    parser.add_argument("--vocabulary", type=int, required=True)
    parser.add_argument("--max-tokens", type=int, default=4096)
    arguments = parser.parse_args()

    layers = layers_of(arguments.layers)
    weights = {k: v.float() for k, v in load_file(os.path.join(arguments.model, "model.safetensors")).items()}
    tokens, merges, old = cut_vocabulary(arguments.model, arguments.vocabulary)
    kept = cut_layers(weights, layers)
    kept["model.embed_tokens.weight"] = cut_embedding(weights["model.embed_tokens.weight"], tokens, old)
    with open(os.path.join(arguments.model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    config.update(
        vocab_size=len(tokens),
        num_hidden_layers=len(layers),
        max_position_embeddings=arguments.max_tokens,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        architectures=["LlamaForCausalLM"],
        srm={"boundary": "marker", "marker_token": MARKER, "segmenter": "icu", "locale": "en",
            "compute": "f32"},
    )
    tokenizer = make_tokenizer({token: i for i, token in enumerate(tokens)}, merges, SPECIAL + [MARKER])
    write_model(arguments.output, config, {name: weight.numpy() for name, weight in kept.items()}, tokenizer, "bfloat16")
    print(f"{len(layers)} layers, {len(tokens)} tokens, {sum(w.numel() for w in kept.values()):,} parameters")


if __name__ == "__main__":
    main()
