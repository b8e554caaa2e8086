"""Language modelling over all the texts, each of them once an epoch."""

import json
import math
import random
import time

import numpy as np
import torch

from data import messages_of
from vocabulary import ASSISTANT, END, role_token


def documents(rows, encoder):
    """Id lists: each prompt once, followed by its distinct responses."""
    groups = {}
    for row in rows:
        replies = groups.setdefault(json.dumps(row["prompt"]), (row["prompt"], {}))[1]
        for field in ("chosen", "rejected", "response"):
            if field in row:
                replies.setdefault(row[field])
    for prompt, replies in groups.values():
        ids = []
        for role, content in messages_of(prompt):
            ids += [encoder.id(role_token(role))] + encoder.text(content) + [encoder.id(END)]
        for reply in replies:
            ids += [encoder.id(ASSISTANT)] + encoder.text(reply) + [encoder.id(END)]
        yield ids


def packed(documents, length, seed):
    """All documents, shuffled, as rows of LENGTH tokens."""
    documents = list(documents)
    random.Random(seed).shuffle(documents)
    stream = np.fromiter((token for ids in documents for token in ids), np.int32)
    count = len(stream) // length
    return stream[:count * length].reshape(count, length)


def learning_rate(step, steps, peak):
    """Linear warm-up over 5 % of the steps, then a cosine down to a tenth of the peak."""
    warm = max(1, steps // 20)
    if step < warm:
        return peak * (step + 1) / warm
    return peak * (0.55 + 0.45 * math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def optimizer_for(model, decay):
    """AdamW; norms and biases do not decay."""
    matrices = [p for p in model.parameters() if p.dim() == 2]
    vectors = [p for p in model.parameters() if p.dim() != 2]
    return torch.optim.AdamW([{"params": matrices, "weight_decay": decay},
                              {"params": vectors, "weight_decay": 0.0}],
                             betas=(0.9, 0.98), fused=True)


def set_rate(optimizer, rate):
    for group in optimizer.param_groups:
        group["lr"] = rate


def pretrain(model, rows, encoder, options):
    """Trains a decoder on the rows' texts and returns it."""
    table = packed(documents(rows, encoder), options.length, options.seed)
    optimizer = optimizer_for(model, 0.1)
    batches = [(epoch, start) for epoch in range(options.epochs)
               for start in range(0, len(table), options.rows)]
    print("%d tokens, %d steps" % (table.size, len(batches)), flush=True)
    began = time.time()
    total = 0.0
    model.train()
    for step, (epoch, start) in enumerate(batches):
        if start == 0:
            table = table[np.random.default_rng(options.seed + epoch).permutation(len(table))]
        ids = torch.from_numpy(table[start:start + options.rows]).long()
        keep = torch.ones_like(ids[:, 1:], dtype=torch.bool)
        loss = model.language_loss(model.hidden(ids[:, :-1]), ids[:, 1:], keep)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        set_rate(optimizer, learning_rate(step, len(batches), options.rate))
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item()
        if step % 50 == 49:
            print("step %d loss %.3f seconds %d" % (step + 1, total / 50, time.time() - began), flush=True)
            total = 0.0
    return model.eval()
