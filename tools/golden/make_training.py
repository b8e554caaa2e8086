#!/usr/bin/env python3
"""Makes test/data/training.json: losses of a few steps of training, computed by torch.

usage: make_training.py [directory of models]      (default: test/data/models)

Tiny models, as transformers computes them, are trained on a few pairs with
torch's AdamW: what src/train does, in the same order of pairs.
"""

import json
import math
import os
import sys

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForSequenceClassification

import output

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from train_reference import ORDER, Random, learning_rate  # noqa: E402

MODELS = ("attention-marker", "llama-bias", "qwen3", "gemma2", "phi3", "mistral")
STEPS = 6
MARGIN, PENALTY = 0.25, 0.01

# prompt, and the sentences of a good and a bad answer
PAIRS = [
    ("Why is the sky blue?", ["Light is scattered by the air. ", "Blue light is scattered most."],
     ["It is not blue. ", "Next question."]),
    ("How do I stop?", ["You wait. ", "Then you turn around and go home. ", "That is all."], ["No idea!"]),
    ("Name a number.", ["Seven."], ["I do not know any numbers. ", "Ask somebody else. ", "Or do not."]),
    ("Is a reward a number?", ["Yes, it is one number for each sentence. ", "They add up."], ["Maybe."]),
    ("What is a sentence?", ["It ends where the next one starts. ", "See above."], ["A sentence is what it is."]),
    ("And the answer?", ["This is the answer to the question that the user asked."], ["That is all there is."]),
    ("Go on.", ["The difference of two values is a reward. ", "So it goes. ", "On and on."], ["On? ", "Off."])]


class Options:
    """The settings of the run; those that are not here are the defaults of src/train."""
    batch, rate, epochs, warmup, seed, decay = 3, 2e-3, 2.0, 0.2, 5, 0.05


def encode(tokenizer, text):
    return tokenizer.encode(text, add_special_tokens=False).ids


def conversation(tokenizer, marker, prompt, sentences):
    """ids, and the tokens at which values are read, the prompt's first."""
    before = "<|im_start|>user\n%s<|im_end|>\n<|im_start|>assistant\n" % prompt
    after = "<|im_end|>\n"
    if marker is None:
        ids = encode(tokenizer, before + "".join(sentences) + after)
        return ids, [len(ids) - 1]
    ids = encode(tokenizer, before) + [marker]
    marks, carry = [len(ids) - 1], ""
    for sentence in sentences:
        text = carry + sentence
        carry = " " if text.endswith(" ") else ""
        ids += encode(tokenizer, text[:len(text) - len(carry)]) + [marker]
        marks.append(len(ids) - 1)
    ids += encode(tokenizer, carry + after) + [marker]
    marks[-1] = len(ids) - 1
    return ids, marks


def rotate(x, position):
    """Pairs (2j, 2j + 1) of the last dimension, turned by position * 10000^(-2j / d)."""
    d = x.shape[-1]
    angle = position.unsqueeze(-1) * 10000.0 ** (-torch.arange(0, d, 2) / d)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * angle.cos() - odd * angle.sin(), even * angle.sin() + odd * angle.cos()),
                       dim=-1).flatten(-2)


def score(model, head, ids, marks):
    hidden = model.model(torch.tensor([ids])).last_hidden_state[0][marks]
    values = hidden @ model.score.weight[0]
    if not head:
        return values[-1]
    rewards = torch.cat((values[:1], values[1:] - values[:-1]))
    n = torch.arange(len(marks)).float()
    query = rotate(F.linear(hidden[-1:], head["srm.query.weight"], head["srm.query.bias"]), n[-1:])
    keys = rotate(F.linear(hidden, head["srm.key.weight"], head["srm.key.bias"]), n)
    weights = torch.softmax((keys @ query[0]) / math.sqrt(keys.shape[-1]), dim=0)
    return (weights * rewards).sum()


def load(directory):
    model = AutoModelForSequenceClassification.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager").train()
    stored = load_file(os.path.join(directory, "model.safetensors"))
    head = {name: torch.nn.Parameter(tensor.float()) for name, tensor in stored.items() if name.startswith("srm.")}
    with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
        srm = json.load(file).get("srm", {})
    return model, head, srm.get("marker_token")


def train(directory):
    model, head, marker_token = load(directory)
    tokenizer = Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
    marker = None if marker_token is None else tokenizer.token_to_id(marker_token)
    pairs = [[conversation(tokenizer, marker, prompt, sentences) for sentences in both] for prompt, *both in PAIRS]
    parameters = [p for p in list(model.parameters()) + list(head.values())]
    optimizer = torch.optim.AdamW([{"params": [p for p in parameters if p.dim() == 2], "weight_decay": Options.decay},
                                   {"params": [p for p in parameters if p.dim() != 2], "weight_decay": 0.0}],
                                  betas=(0.9, 0.98), eps=1e-8)
    epoch_steps = -(-len(pairs) // Options.batch)
    losses, norms = [], []
    for step in range(1, STEPS + 1):
        order = Random(Options.seed, ORDER, (step - 1) // epoch_steps + 1).shuffled(len(pairs))
        first = (step - 1) % epoch_steps * Options.batch
        batch = [pairs[i] for i in order[first:first + Options.batch]]
        scores = torch.stack([torch.stack([score(model, head, *ending) for ending in pair]) for pair in batch])
        loss = (F.softplus(-(scores[:, 0] - scores[:, 1] - MARGIN)) + PENALTY * scores.square().sum(dim=1)).mean()
        optimizer.zero_grad()
        loss.backward()
        losses.append(loss.item())
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(Options, step, STEPS)
        optimizer.step()
    return {"losses": losses, "norms": norms}


def main():
    directory = sys.argv[1] if len(sys.argv) > 1 else "test/data/models"
    torch.set_num_threads(1)
    result = {"pairs": [{"prompt": prompt, "chosen": "".join(chosen), "rejected": "".join(rejected)}
                        for prompt, chosen, rejected in PAIRS],
              "models": {name: train(os.path.join(directory, name)) for name in MODELS}}
    output.write(os.path.join(os.path.dirname(directory.rstrip("/")), "training.json"), result)


if __name__ == "__main__":
    main()
