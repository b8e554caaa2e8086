"""The training of src/train in torch: the same pairs, order, schedule and optimiser.

Prints a line of JSON for each step, as test/bench/bench_train.c does, for a base model with
the layout of the tiny model (markers).  With --compare OURS it reads what
bench_train printed and says how far the losses are apart.
"""

import argparse
import json
import math
import os
import sys
import time

import torch
import torch.nn.functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "tiny_model"))

from checkpoint import load_model  # noqa: E402
from data import messages_of  # noqa: E402
from layout import Encoder, microbatches, padded  # noqa: E402
from pretrain import optimizer_for, set_rate  # noqa: E402
from segments import segment  # noqa: E402
from vocabulary import load_tokenizer  # noqa: E402

MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15
ORDER, SPLIT = 1, 2


def mix(x):
    """src/train/random.c: srm_random_mix()."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


class Random:
    """splitmix64, started for a purpose."""

    def __init__(self, seed, use, number):
        state = mix((seed + GAMMA) & MASK)
        state = mix((state + use * GAMMA) & MASK)
        self.state = mix((state + number * GAMMA) & MASK)

    def uniform(self):
        self.state = (self.state + GAMMA) & MASK
        return (mix(self.state) >> 11) * 2.0 ** -53

    def shuffled(self, n):
        order = list(range(n))
        for i in range(n, 1, -1):
            j = int(self.uniform() * i)
            order[i - 1], order[j] = order[j], order[i - 1]
        return order


def hash_words(start, data):
    """src/train/random.c: srm_hash_words()."""
    value = start
    for i in range(0, len(data), 8):
        word = int.from_bytes(data[i:i + 8].ljust(8, b"\0"), "little")
        value = mix(((value ^ word) + GAMMA) & MASK)
    return mix((value + len(data)) & MASK)


def hash_prompt(prompt):
    messages = messages_of(prompt)
    value = len(messages)
    for role, content in messages:
        value = hash_words(value, role.encode())
        value = hash_words(value, content.encode())
    return value


def read_pairs(path, encoder, segmenter, max_tokens):
    """(chosen, rejected, hash) for each row whose two responses differ and fit."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    responses = list({row[key]: None for row in rows for key in ("chosen", "rejected")})
    sentences = dict(zip(responses, segment(segmenter, responses)))
    pairs = []
    for row in rows:
        chosen, rejected = (encoder.conversation(row["prompt"], sentences[row[key]])
                            for key in ("chosen", "rejected"))
        longest = max(len(item.prompt) + len(item.body) for item in (chosen, rejected))
        assert longest <= max_tokens, "a pair is too long for this comparison"
        if list(chosen.body) != list(rejected.body):
            pairs.append((chosen, rejected, hash_prompt(row["prompt"])))
    return pairs


def learning_rate(options, step, steps):
    warmup = math.ceil(options.warmup * steps)
    if step <= warmup:
        return options.rate * step / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return options.rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * progress)))


def score(model, items, budget):
    """Scores of conversations, padded in runs of about the same length."""
    scores = [None] * len(items)
    lengths = [len(item.prompt) + len(item.body) for item in items]
    for batch in microbatches(lengths, budget):
        ids, marks, counts, _ = padded([items[i] for i in batch])
        for i, value in zip(batch, model.scores(model.hidden(ids), marks, counts)):
            scores[i] = value
    return torch.stack(scores)


def pair_losses(model, pairs, budget):
    items = [item for chosen, rejected, _ in pairs for item in (chosen, rejected)]
    scores = score(model, items, budget)
    margin = scores[0::2] - scores[1::2]
    right = ((margin > 0).float() + 0.5 * (margin == 0).float()).sum().item()
    return F.softplus(-margin), right


@torch.no_grad()
def evaluate(model, pairs, budget):
    loss, right = 0.0, 0.0
    for start in range(0, len(pairs), 64):
        losses, found = pair_losses(model, pairs[start:start + 64], budget)
        loss += losses.sum().item()
        right += found
    return loss / len(pairs), right / len(pairs)


def backward(model, pairs, budget):
    """Gradients of the mean loss, a run of pairs at a time; returns the mean loss and accuracy."""
    loss, right, start = 0.0, 0.0, 0
    while start < len(pairs):
        end, tokens = start, 0
        while end < len(pairs) and (end == start or tokens < budget):
            tokens += sum(len(item.prompt) + len(item.body) for item in pairs[end][:2])
            end += 1
        losses, found = pair_losses(model, pairs[start:end], budget)
        (losses.sum() / len(pairs)).backward()
        loss += losses.sum().item()
        right += found
        start = end
    return loss / len(pairs), right / len(pairs)


def run(options):
    torch.set_num_threads(options.threads)
    model = load_model(options.base).train()
    encoder = Encoder(load_tokenizer(options.base))
    pairs = read_pairs(options.pairs, encoder, options.segmenter, model.shape.max_tokens)
    held_out = [pair for pair in pairs
                if Random(options.seed, SPLIT, pair[2]).uniform() < options.held_out]
    train = [pair for pair in pairs
             if not Random(options.seed, SPLIT, pair[2]).uniform() < options.held_out]
    epoch_steps = -(-len(train) // options.batch)
    steps = math.ceil(options.epochs * epoch_steps)
    print("%d pairs to train on, %d held out; %d steps" % (len(train), len(held_out), steps), file=sys.stderr)
    optimizer = optimizer_for(model, options.decay)
    results, seconds, tokens = [], 0.0, 0
    for step in range(1, min(steps, options.steps or steps) + 1):
        if (step - 1) % epoch_steps == 0:
            order = Random(options.seed, ORDER, (step - 1) // epoch_steps + 1).shuffled(len(train))
        first = (step - 1) % epoch_steps * options.batch
        batch = [train[i] for i in order[first:first + options.batch]]
        began = time.perf_counter()
        loss, right = backward(model, batch, options.budget)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        set_rate(optimizer, learning_rate(options, step, steps))
        optimizer.step()
        optimizer.zero_grad()
        seconds += time.perf_counter() - began
        tokens += sum(len(item.prompt) + len(item.body) for pair in batch for item in pair[:2])
        results.append({"step": step, "loss": loss, "accuracy": right, "norm": norm.item(),
                        "tokens_per_second": tokens / seconds})
        if held_out and (step == steps or step % (options.every or epoch_steps) == 0):
            held_out_loss, accuracy = evaluate(model, held_out, options.budget)
            results[-1].update({"held_out_accuracy": accuracy, "held_out_loss": held_out_loss})
        print(json.dumps(results[-1]), flush=True)
    return results


def compare(results, path, n):
    """How far the losses of the first n steps, and the last accuracies, are apart."""
    with open(path, encoding="utf-8") as file:
        ours = [json.loads(line) for line in file]
    found = list(zip(results, ours))[:n]
    print("greatest difference of the losses of %d steps: %.2e"
          % (len(found), max(abs(a["loss"] - b["loss"]) for a, b in found)))
    both = [(a["held_out_accuracy"], b["held_out_accuracy"]) for a, b in zip(results, ours)
            if "held_out_accuracy" in a and "held_out_accuracy" in b]
    if both:
        print("held-out accuracy: torch %.4f, ours %.4f" % both[-1])
    print("tokens per second: torch %.0f, ours %.0f, ratio %.2f"
          % (results[-1]["tokens_per_second"], ours[-1]["tokens_per_second"],
             ours[-1]["tokens_per_second"] / results[-1]["tokens_per_second"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("base", help="model directory")
    add("pairs", help="JSON lines")
    add("--segmenter", required=True, help="the program segment_text")
    add("--steps", type=int, default=0)
    add("--batch", type=int, default=16)
    add("--rate", type=float, default=1e-4)
    add("--epochs", type=float, default=1.0)
    add("--held-out", type=float, default=0.05)
    add("--warmup", type=float, default=0.05)
    add("--decay", type=float, default=0.01)
    add("--seed", type=int, default=1)
    add("--every", type=int, default=0)
    add("--threads", type=int, default=2)
    add("--budget", type=int, default=4096, help="padded tokens of a pass")
    add("--compare", help="what bench_train printed")
    add("--first", type=int, default=50, help="steps whose losses are compared")
    options = parser.parse_args()
    results = run(options)
    if options.compare:
        compare(results, options.compare, options.first)


if __name__ == "__main__":
    main()
