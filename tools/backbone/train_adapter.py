#!/usr/bin/env python3
"""Trains an adapter, such as smollm2: srm_train's loss, in bfloat16, with a process a core.

usage: train_adapter.py --base DIR --tokens tokens.tsv --mix mixes/first.tsv --output DIR [--start DIR] [--seen FILE]
           [--rank N] [--seed N] [--rate F] [--batch N] [--processes N]

DIR of the base is what convert.py wrote, tokens.tsv what tokens.sql wrote; a mix says how many pairs of each file and
category are taken, and up to how many tokens.  With --start training goes on from an adapter, and pairs that it was
trained on (--seen, its file .pairs) are taken last, where the others are not enough.  The loss is that of srm_train with
aggregation 'last': -ln(sigmoid(margin)) + penalty * (chosen^2 + rejected^2), the mean of a batch.  Stopped, it
goes on from its last checkpoint (every 100 steps).  The output is a directory that peft and srm load.
"""

import argparse
import collections
import csv
import json
import math
import os
import random
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing
import torch.nn.functional as F

from lora import GROUPS, Lora, Pair, compile_parts

WARMUP, LAST_RATE = 0.04, 0.05  # share of the steps; of the rate
PASS_TOKENS = 2600
EVERY = 100


def read_mix(path):
    """{(file, category): (pairs at most, tokens of a pair at most)}; all kinds of constraints are one category."""
    with open(path, encoding="utf-8", newline="") as file:
        return {(row["file"], row["category"]): (int(row["pairs"]), int(row["tokens"])) for row in csv.DictReader(file, delimiter="\t")}


def read_pairs(path, mix):
    """Pairs by kind, in the order of the file, without those that are too long for their kind."""
    kinds = collections.defaultdict(list)
    with open(path, encoding="utf-8") as file:
        for line in file:
            number, name, category, *sides = line.rstrip("\n").split("\t")
            kind = name, "constraint" if "constraint" in category else category
            if kind not in mix or sides[0] == sides[1]:
                continue
            pair = Pair(*([int(token) for token in side[1:-1].split(",")] for side in sides))
            if len(pair) <= mix[kind][1]:
                kinds[kind].append((int(number), pair))
    return kinds


def read_seen(path):
    if not path:
        return set()
    with open(path, encoding="utf-8") as file:
        return {int(number) for number in file}


def choose(kinds, mix, seen, seed):
    generator = random.Random(seed)
    chosen = []
    for kind in sorted(kinds):
        generator.shuffle(kinds[kind])
        kinds[kind].sort(key=lambda numbered: numbered[0] in seen)
        chosen += kinds[kind][:mix[kind][0]]
    generator.shuffle(chosen)
    return chosen


def shares(batch, n):
    """A batch in n parts of about as many tokens."""
    parts, loads = [[] for _ in range(n)], [0] * n
    for pair in sorted(batch, key=len, reverse=True):
        least = loads.index(min(loads))
        parts[least].append(pair)
        loads[least] += len(pair) + len(pair) ** 2 // 3000  # attention is quadratic
    return parts


def passes(pairs):
    """Parts of at most PASS_TOKENS, or one pair."""
    part, size = [], 0
    for pair in pairs:
        if part and size + len(pair) > PASS_TOKENS:
            yield part
            part, size = [], 0
        part.append(pair)
        size += len(pair)
    if part:
        yield part


def rate_at(step, steps, rate):
    warmup = math.ceil(WARMUP * steps)
    if step <= warmup:
        return rate * step / warmup
    return rate * (LAST_RATE + (1 - LAST_RATE) * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup))))


def backward(model, pairs, n, penalty):
    """Gradients of this share of a batch of n pairs; its part of the mean loss and of the accuracy."""
    loss = right = 0.0
    for part in passes(pairs):
        scores = model.scores(part)
        margins = scores[:, 0] - scores[:, 1]
        losses = F.softplus(-margins)
        ((losses + penalty * scores.pow(2).sum(1)).sum() / n).backward()
        model.gather()
        loss += losses.sum().item() / n
        right += ((margins > 0).float() + 0.5 * (margins == 0).float()).sum().item() / n
    return loss, right


def add_up(parameters, sums):
    """Gradients and sums of all processes; the gradients clipped to a norm of 1."""
    grads = [torch.zeros_like(p).flatten() if p.grad is None else p.grad.flatten() for p in parameters]
    flat = torch.cat(grads + [torch.tensor(sums)])
    dist.all_reduce(flat)
    norm = flat[:-len(sums)].norm().item()
    flat[:-len(sums)] *= min(1.0, 1.0 / (norm + 1e-12))
    for parameter, grad in zip(parameters, flat.split([p.numel() for p in parameters] + [len(sums)])):
        parameter.grad = grad.view_as(parameter)
    return flat[-len(sums):].tolist(), norm


def layout_of(model):
    """The object srm of the adapter: the base's own, if that is a reward model."""
    own = {"aggregation": "last", "boundary": "marker", "marker_token": "<file_sep>", "marker_layout": "paper", "segmenter": "icu", "locale": ""}
    base = model.config.get("srm", {})
    return {key: base.get(key, value) for key, value in own.items()}


def write_output(model, options):
    config = {
        "peft_type": "LORA", "task_type": "SEQ_CLS", "base_model_name_or_path": os.path.basename(options.base.rstrip("/")),
        "r": model.rank, "lora_alpha": model.alpha, "lora_dropout": 0,
        "target_modules": [name.split(".")[1] for names in GROUPS.values() for name in names], "modules_to_save": ["score"],
        "bias": "none", "inference_mode": True,
        "srm": layout_of(model)}
    os.makedirs(options.output, exist_ok=True)
    with open(os.path.join(options.output, "adapter_config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")
    model.save(os.path.join(options.output, "adapter_model.safetensors"))


def load_checkpoint(path, model, optimizer):
    if not os.path.exists(path):
        return 0
    state = torch.load(path)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    return state["step"]


def save_checkpoint(path, model, optimizer, step):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, path + ".new")
    os.replace(path + ".new", path)


def train(process, options):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{options.output}.meet", rank=process, world_size=options.processes)
    mix = read_mix(options.mix)
    chosen = choose(read_pairs(options.tokens, mix), mix, read_seen(options.seen), options.seed)
    steps = len(chosen) // options.batch
    model = Lora(options.base, options.rank, 2 * options.rank, options.seed)
    if options.start:
        model.load(os.path.join(options.start, "adapter_model.safetensors"))
    compile_parts()
    parameters = list(model.parameters())
    optimizer = torch.optim.AdamW(parameters, betas=(0.9, 0.98), weight_decay=0.0, fused=True)
    first = load_checkpoint(options.output + ".state", model, optimizer)
    start = time.time()
    for step in range(first + 1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps, options.rate)
        batch = [pair for _, pair in chosen[(step - 1) * options.batch:step * options.batch]]
        optimizer.zero_grad()
        model.merge()
        sums = backward(model, shares(batch, options.processes)[process], len(batch), options.penalty)
        (loss, right), norm = add_up(parameters, sums)
        optimizer.step()
        if process == 0:
            print(json.dumps({"step": step, "of": steps, "loss": loss, "accuracy": right, "norm": norm, "tokens": sum(map(len, batch)),
                              "seconds": round(time.time() - start, 1)}), flush=True)
            if step % EVERY == 0:
                save_checkpoint(options.output + ".state", model, optimizer, step)
    if process == 0:
        write_output(model, options)
        with open(options.output + ".pairs", "w", encoding="utf-8") as file:
            file.writelines(f"{number}\n" for number, _ in chosen[:steps * options.batch])
    dist.barrier()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", required=True, help="directory that convert.py wrote")
    parser.add_argument("--tokens", required=True, help="file that tokens.sql wrote")
    parser.add_argument("--mix", required=True, help="file like those of mixes/")
    parser.add_argument("--output", required=True, help="directory of the adapter; beside it .state and .pairs")
    parser.add_argument("--start", help="directory of an adapter that this tool wrote, to go on from")
    parser.add_argument("--seen", help="the file .pairs of that adapter")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rank", type=int, default=16, help="of the adapter, whose alpha is twice as much")
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--batch", type=int, default=16, help="pairs of a step")
    parser.add_argument("--penalty", type=float, default=0.001)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    options.output = os.path.abspath(options.output.rstrip("/"))
    if os.path.exists(options.output + ".meet"):
        os.remove(options.output + ".meet")
    multiprocessing.spawn(train, (options,), nprocs=options.processes)


if __name__ == "__main__":
    main()
