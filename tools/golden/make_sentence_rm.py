#!/usr/bin/env python3
"""Makes a checkpoint as the sentence-level paper's code saves it, converts it, and its numbers.

usage: make_sentence_rm.py [directory]      (default: test/data/models)

The numbers come from the modules that the checkpoint was saved from, with LoRA adapters beside
some of the weights, not from what tools/convert_sentence_rm.py made of it.
"""

import json
import os
import shutil
import sys
import tempfile

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import AutoModel, LlamaConfig

import formulas
import make_models as base
import output

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import convert_sentence_rm  # noqa: E402

SEED = 20250304
RANK, ALPHA, ATTENTION = 2, 6, 8


def save_adapters(tensors, name):
    """A weight as peft stores it; returns what it amounts to."""
    weight = tensors.pop(name)
    stem = "base_model.base_model.model." + name.removeprefix("base_model.").removesuffix("weight")
    a, b = 0.3 * torch.randn(RANK, weight.shape[1]), 0.3 * torch.randn(weight.shape[0], RANK)
    tensors[stem + "base_layer.weight"] = weight
    tensors[stem + "lora_A.default.weight"] = a
    tensors[stem + "lora_B.default.weight"] = b
    return weight + ALPHA / RANK * (b @ a)


@torch.no_grad()
def make_checkpoint(directory):
    config = LlamaConfig(**{**base.SIZES, **base.SMALL})
    decoder = AutoModel.from_config(config, dtype=torch.float32).eval()
    base.randomize(decoder)
    head = {}
    for name, outputs in (("q_proj", ATTENTION), ("k_proj", ATTENTION), ("r_proj", 1)):
        head[name + ".weight"] = 0.3 * torch.randn(outputs, config.hidden_size)
        head[name + ".bias"] = 0.3 * torch.randn(outputs)
    tensors = {"base_model." + name: value.clone() for name, value in decoder.state_dict().items()}
    adapted = {name: save_adapters(tensors, "base_model." + name) for name in
               ("layers.0.self_attn.q_proj.weight", "layers.1.self_attn.v_proj.weight")}
    decoder.load_state_dict(adapted, strict=False)
    config.save_pretrained(directory)
    base.save_tokenizer(directory, base.make_tokenizer(), False)
    torch.save({**tensors, **head}, os.path.join(directory, "pytorch_model.bin"))
    with open(os.path.join(directory, "args.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps({"lora_rank": RANK, "lora_alpha": ALPHA}) + "\n")
        file.write(json.dumps({"reward_embed_dim": ATTENTION, "weighted_sum": True}) + "\n")
    return decoder, head


@torch.no_grad()
def states(decoder, head, ids):
    hidden = decoder(torch.tensor([ids])).last_hidden_state[0]
    values = (hidden @ head["r_proj.weight"].T + head["r_proj.bias"])[:, 0]
    return hidden.double().numpy(), values.double().numpy()


def expect_sequence(decoder, head, ids):
    hidden, values = states(decoder, head, ids)
    positions = sorted({0, len(ids) // 2, len(ids) - 1})
    return {"ids": ids, "positions": positions, "hidden": hidden[positions], "values": values,
            "score": values[-1]}


def expect_attention(decoder, head, rng, n):
    boundaries = np.sort(rng.choice(130, n + 1, replace=False))
    ids = rng.integers(len(base.SPECIAL), base.N_TOKENS, size=boundaries[-1] + 1)
    ids[boundaries] = base.SPECIAL.index("<END>")
    hidden, values = states(decoder, head, ids.tolist())
    weights = [head[name].double().numpy() for name in
               ("q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias")]
    a = formulas.attention(hidden[boundaries], *weights)
    c = formulas.rewards(values[boundaries])
    return {"ids": ids, "boundaries": boundaries, "c": c, "a": a, "score": a @ c}


CONVERSATIONS = [
    (["Is it green?"], ["No. ", "It is blue. ", "Yes."]),
    (["Is it green?"], ["No, it is blue."]),
    (["One?", "Two. Three.", "Four?"], ["One.  ", "Two.\n\n", "Three. "]),
    (["<END> and <|im_end|>?"], ["a\n", "* b\n", "* c <END>\n"]),
    ([""], ["Yes."]),
]


def lay_out(tokenizer, turns, sentences):
    """
    The released code, in other words: the prompt and a marker; the sentences, one marker between two of
    them, in front of the space that ends the first of the two; the end of text and a marker.  A user's text
    holds no special tokens.
    """
    def encode(text):
        tokenizer.encode_special_tokens = True
        return tokenizer.encode(text, add_special_tokens=False).ids
    marker, end = tokenizer.token_to_id("<END>"), tokenizer.token_to_id("<|im_end|>")
    prompt = "".join("\n\nHuman: " + turn if i % 2 == 0 else "\n\nAssistant: " + turn
                     for i, turn in enumerate(turns)) + "\n\nAssistant:"
    ids = encode(prompt) + [marker]
    boundaries = [len(ids) - 1]
    pieces = [" " + sentences[0]] + sentences[1:]
    for i in range(len(pieces) - 1):
        if pieces[i].endswith(" "):
            pieces[i], pieces[i + 1] = pieces[i][:-1], " " + pieces[i + 1]
        ids += encode(pieces[i]) + [marker]
        boundaries.append(len(ids) - 1)
    ids += encode(pieces[-1]) + [end, marker]
    return ids, boundaries + [len(ids) - 1]


def expect_conversation(decoder, head, tokenizer, turns, sentences):
    ids, boundaries = lay_out(tokenizer, turns, sentences)
    hidden, values = states(decoder, head, ids)
    weights = [head[name].double().numpy() for name in
               ("q_proj.weight", "q_proj.bias", "k_proj.weight", "k_proj.bias")]
    a = formulas.attention(hidden[boundaries], *weights)
    c = formulas.rewards(values[boundaries])
    messages = [{"role": "user" if i % 2 == 0 else "assistant", "content": turn}
                for i, turn in enumerate(turns + ["".join(sentences)])]
    return {"messages": messages, "sentences": sentences, "ids": ids, "boundaries": boundaries,
            "c": c, "a": a, "score": a @ c}


def check_refused(checkpoint):
    """A pickle that holds more than tensors is not loaded."""
    class Trap:
        def __reduce__(self):
            return os.mkdir, (os.path.join(checkpoint, "trapped"),)
    torch.save({"r_proj.weight": Trap()}, os.path.join(checkpoint, "trap.bin"))
    try:
        convert_sentence_rm.convert(checkpoint, os.path.join(checkpoint, "out"), "trap.bin", "<END>")
    except Exception as error:
        assert "weights_only" in str(error) or "Weights only" in str(error), error
    else:
        raise AssertionError("a pickle with code was loaded")
    assert not os.path.exists(os.path.join(checkpoint, "trapped"))


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "test/data/models"
    directory = os.path.join(root, "sentence-rm")
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as checkpoint:
        decoder, head = make_checkpoint(checkpoint)
        shutil.rmtree(directory, ignore_errors=True)
        convert_sentence_rm.convert(checkpoint, directory, "pytorch_model.bin", "<END>")
        check_refused(checkpoint)
    sequences = [expect_sequence(decoder, head, rng.integers(
        len(base.SPECIAL), base.N_TOKENS, size=n).tolist()) for n in base.LENGTHS]
    attention = [expect_attention(decoder, head, rng, n) for n in (0, 1, 2, 11)]
    tokenizer = Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
    conversations = [expect_conversation(decoder, head, tokenizer, *pair) for pair in CONVERSATIONS]
    output.write(os.path.join(directory, "expected.json"),
                 {"sequences": sequences, "attention": attention, "conversations": conversations})
    for file in os.listdir(directory):
        os.chmod(os.path.join(directory, file), 0o644)


if __name__ == "__main__":
    main()
