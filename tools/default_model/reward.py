"""Second stage: Bradley-Terry training on pairs, with language modelling beside it."""

import json
import math
import random
import time

import numpy as np
import torch
import torch.nn.functional as F

from data import conversations
from pretrain import learning_rate, optimizer_for, set_rate
from segments import segment
from vocabulary import PAD, SPECIAL


class PairSet:
    """Pairs over distinct conversations, encoded."""

    def __init__(self, rows, encoder, segmenter):
        self.rows = rows
        items, self.pairs = conversations(rows)
        sentences = segment(segmenter, [response for _, response in items])
        self.items = [encoder.conversation(prompt, cut)
                      for (prompt, _), cut in zip(items, sentences)]
        self.sentences = sentences
        self.groups = {}
        for number, (prompt, _) in enumerate(items):
            self.groups.setdefault(json.dumps(prompt), []).append(number)

    def weights(self, by_source):
        return [by_source.get(row["source"], 1.0) for row in self.rows]


def padded(items, prompt_limits):
    """ids (n, t), marks (n, s), counts (n), lengths (n); prompts lose their beginning."""
    ids, marks, counts = [], [], []
    for item, limit in zip(items, prompt_limits):
        prompt = item.prompt if limit is None else item.prompt[-limit:]
        ids.append(np.concatenate((prompt, item.body)))
        marks.append(item.marks + len(prompt))
        counts.append(len(item.marks))
    lengths = [len(row) for row in ids]
    id_table = np.zeros((len(items), max(lengths)), np.int64)
    mark_table = np.zeros((len(items), max(counts)), np.int64)
    for i, (row, mark) in enumerate(zip(ids, marks)):
        id_table[i, :len(row)] = row
        mark_table[i, :len(mark)] = mark
    return (torch.from_numpy(id_table), torch.from_numpy(mark_table),
            torch.tensor(counts), torch.tensor(lengths))


def microbatches(lengths, budget):
    """Positions in LENGTHS, shortest first, in runs of at most BUDGET padded tokens."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    batch = []
    for i in order:
        if batch and (len(batch) + 1) * lengths[i] > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch


@torch.no_grad()
def score_items(model, items, budget=8192):
    """Scores of whole conversations, nothing cut."""
    model.eval()
    scores = torch.empty(len(items))
    lengths = [len(item.prompt) + len(item.body) for item in items]
    for batch in microbatches(lengths, budget):
        ids, marks, counts, _ = padded([items[i] for i in batch], [None] * len(batch))
        scores[batch] = model.scores(model.hidden(ids), marks, counts)
    return scores.numpy()


def pair_accuracy(scores, pairs):
    """Right is 1, a tie a half."""
    margins = np.array([scores[w] - scores[l] for w, l in pairs])
    return float(np.mean((margins > 0) + 0.5 * (margins == 0)))


def chunks(pair_set, weights, options, rng):
    """Groups of responses to one prompt, with the weighted pairs among them.

    All pairs of a chunk share one pass over its responses.  The pairs of a
    chunk of k responses weigh at most as much as k - 1 independent pairs, so
    that a prompt with hundreds of comparisons does not drown the others.
    """
    partner = {}
    for (winner, loser), weight in zip(pair_set.pairs, weights):
        partner.setdefault(winner, []).append((loser, weight))
    for numbers in pair_set.groups.values():
        short = [i for i in numbers if len(pair_set.items[i].body) <= options.max_body]
        rng.shuffle(short)
        for start in range(0, len(short), options.chunk):
            members = set(short[start:start + options.chunk])
            found = [(w, l, weight) for w in sorted(members)
                     for l, weight in partner.get(w, ()) if l in members]
            used = {i for w, l, _ in found for i in (w, l)}
            if found:
                share = min(1.0, (len(used) - 1) / len(found))
                yield sorted(used), [(w, l, weight * share) for w, l, weight in found]


def steps_of(pair_set, weights, options, rng):
    """One epoch: lists of chunks of about step_tokens tokens together."""
    all_chunks = list(chunks(pair_set, weights, options, rng))
    rng.shuffle(all_chunks)
    step, size = [], 0
    for chunk in all_chunks:
        step.append(chunk)
        size += sum(pair_set.items[i].typical_length()
                    for i in chunk[0])
        if size >= options.step_tokens:
            yield step
            step, size = [], 0
    if step:
        yield step


def plan_of(pair_set, weights, span, options, rng):
    """The steps between two points in time, in epochs; each epoch is shuffled anew."""
    start, end = span
    plan = []
    for epoch in range(math.ceil(end)):
        steps = list(steps_of(pair_set, weights, options, rng))
        first = round(len(steps) * max(0.0, start - epoch))
        plan += steps[first:round(len(steps) * (end - epoch))]
    return plan


class Trainer:
    """Holds what one reward training carries from step to step."""

    def __init__(self, model, encoder, options):
        self.model = model
        self.options = options
        self.rng = random.Random(options.seed)
        self.pad = encoder.id(PAD)
        self.specials = len(SPECIAL)
        self.optimizer = optimizer_for(model, options.decay)
        self.average = {name: p.detach().clone() for name, p in model.named_parameters()}

    def blank(self, ids):
        """Word dropout: tokens of text become the padding token."""
        drop = (torch.rand(ids.shape) < self.options.word_dropout) & (ids >= self.specials)
        return ids.masked_fill(drop, self.pad)

    def prompt_limit(self):
        """Prompts keep 24 to 256 of their last tokens, most often few: long ones cost time."""
        return int(24 * (256 / 24) ** self.rng.random())

    def forward(self, items, limits):
        """Scores of the items, and the language loss on a part of their tokens."""
        ids, marks, counts, lengths = padded(items, limits)
        hidden = self.model.hidden(self.blank(ids))
        inside = torch.arange(1, ids.shape[1]) < lengths.unsqueeze(1)
        keep = inside & (torch.rand(inside.shape) < self.options.lm_share)
        language = self.model.language_loss(hidden[:, :-1], ids[:, 1:], keep)
        return self.model.scores(hidden, marks, counts), language * keep.sum(), keep.sum()

    def loss(self, pair_set, step):
        numbers = [i for members, _ in step for i in members]
        items = [pair_set.items[i] for i in numbers]
        limits = [self.prompt_limit() for _ in items]
        lengths = [len(item.body) + min(len(item.prompt), limit)
                   for item, limit in zip(items, limits)]
        scores = torch.empty(0)
        place, language, n_language = {}, 0.0, 0
        for batch in microbatches(lengths, self.options.micro_tokens):
            for i in batch:
                place[numbers[i]] = len(place)
            score, cost, n = self.forward([items[i] for i in batch], [limits[i] for i in batch])
            scores = torch.cat((scores, score))
            language, n_language = language + cost, n_language + n
        pairs = [pair for _, found in step for pair in found]
        margin = (scores[[place[w] for w, _, _ in pairs]] - scores[[place[l] for _, l, _ in pairs]])
        weight = torch.tensor([weight for _, _, weight in pairs])
        pair_loss = (F.softplus(-margin) * weight).sum() / weight.sum()
        penalty = self.options.center * scores.square().mean()
        return pair_loss, penalty + self.options.lm_weight * language / n_language

    def step(self, pair_set, step, rate):
        self.model.train()
        pair_loss, rest = self.loss(pair_set, step)
        (pair_loss + rest).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        set_rate(self.optimizer, rate)
        self.optimizer.step()
        self.optimizer.zero_grad()
        with torch.no_grad():
            for name, p in self.model.named_parameters():
                self.average[name].lerp_(p, 1 - self.options.average)
        return pair_loss.item()

    def averaged(self):
        """Puts the average in the model's place; returns what was there."""
        current = {name: p.detach().clone() for name, p in self.model.named_parameters()}
        self.load(self.average)
        return current

    @torch.no_grad()
    def load(self, weights):
        for name, p in self.model.named_parameters():
            p.copy_(weights[name])


def validate(trainer, model, valid, best, save):
    """Scores valid with the average of late weights; saves them when they are the best so far."""
    current = trainer.averaged()
    accuracy = pair_accuracy(score_items(model, valid.items), valid.pairs)
    if accuracy > best:
        save()
    trainer.load(current)
    return accuracy


def train_reward(model, train, valid, encoder, span, rate, options, log, save):
    """Trains over SPAN, in epochs, with a peak learning rate of RATE.

    save() is called whenever the running average is the best so far on valid.
    """
    torch.manual_seed(options.seed)
    trainer = Trainer(model, encoder, options)
    weights = train.weights(json.loads(options.source_weights))
    plan = plan_of(train, weights, span, options, trainer.rng)
    log("%s: %d conversations, %d steps" % (model.aggregation, len(train.items), len(plan)))
    best, began, recent = 0.0, time.time(), []
    for number, step in enumerate(plan, 1):
        recent.append(trainer.step(train, step, learning_rate(number, len(plan), rate)))
        if number % 25 == 0:
            log("step %d loss %.4f seconds %d" % (number, np.mean(recent), time.time() - began))
            recent = []
        if number % options.valid_every == 0 or number == len(plan):
            accuracy = validate(trainer, model, valid, best, save)
            log("step %d valid %.4f" % (number, accuracy))
            best = max(best, accuracy)
    return best
