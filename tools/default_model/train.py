"""Trains the default model: tokenizer, language model, response-level reward model, and
from it the sentence-level one that ships.

    python train.py --data DATA --segmenter build/segment_text --work /tmp/default_model

writes WORK/attention and WORK/last, two complete model directories, and
WORK/language.pt, from which a second run of the reward stage starts at once.
"""

import argparse
import dataclasses
import os
import time

import torch

from checkpoint import load_model, save_model
from data import read_rows, unique_texts
from layout import Encoder
from model import RewardModel, Shape
from pretrain import pretrain
from reward import PairSet, train_reward
from vocabulary import load_tokenizer, save_tokenizer, train_tokenizer

# Weak labels count half.  Argument pairs, many of them over 28 prompts, are held
# down by the weighting of chunks (reward.py) instead.
SOURCE_WEIGHTS = '{"just-eval-safety": 0.5, "wildbench-noprompt": 0.5}'


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", required=True, help="folder of train.jsonl.gz and the others")
    add("--segmenter", required=True, help="the program segment_text")
    add("--work", required=True, help="folder for the results")
    add("--stage", choices=["all", "language", "attention", "last"], default="all")
    add("--seed", type=int, default=1)
    add("--threads", type=int, default=2)
    add("--vocabulary", type=int, default=6144)
    add("--lm-epochs", type=int, default=1)
    add("--lm-steps", type=int, help="where the language stage stops, if before the end")
    add("--lm-length", type=int, default=257)
    add("--lm-rows", type=int, default=16)
    add("--lm-rate", type=float, default=2e-3)
    add("--epochs", type=float, default=1.5, help="of the response level")
    add("--sentence-epochs", type=float, default=2.0, help="of both levels together")
    add("--head-scale", type=float, default=6.0)
    add("--rate", type=float, default=1e-3)
    add("--sentence-rate", type=float, default=6e-4)
    add("--decay", type=float, default=0.1)
    add("--dropout", type=float, default=0.1)
    add("--word-dropout", type=float, default=0.1)
    add("--lm-weight", type=float, default=0.2)
    add("--lm-share", type=float, default=0.15)
    add("--center", type=float, default=0.001)
    add("--average", type=float, default=0.98)
    add("--chunk", type=int, default=12)
    add("--max-body", type=int, default=384)
    add("--step-tokens", type=int, default=8192)
    add("--micro-tokens", type=int, default=4096)
    add("--valid-every", type=int, default=60)
    add("--source-weights", default=SOURCE_WEIGHTS, help="JSON object, source to weight")
    return parser.parse_args()


def log_to(path):
    """A function that prints a line and appends it to a file."""
    def log(line):
        line = time.strftime("%H:%M:%S ") + line
        print(line, flush=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    return log


def make_tokenizer(options, rows):
    """Learns the tokenizer once, for both models."""
    tokenizer = train_tokenizer(unique_texts(rows), options.vocabulary)
    for name in ("attention", "last"):
        folder = os.path.join(options.work, name)
        os.makedirs(folder, exist_ok=True)
        save_tokenizer(tokenizer, folder, Shape.max_tokens)


def language_stage(options, rows, log):
    make_tokenizer(options, rows)
    encoder = Encoder(load_tokenizer(os.path.join(options.work, "attention")))
    model = pretrain(Shape(vocab=options.vocabulary), rows, encoder, options, log)
    torch.save(model.state_dict(), os.path.join(options.work, "language.pt"))


def response_level(options):
    """The language model with a new value head, read at the end."""
    model = RewardModel(Shape(vocab=options.vocabulary), "last", options.dropout)
    model.load_state_dict(torch.load(os.path.join(options.work, "language.pt")))
    return model


def sentence_level(options):
    """The response-level model, its last value now shared out over sentences.

    Started from the language model, the attention's weights and the values
    both begin as noise, and neither finds its way.  So the attention starts
    nearly uniform, over values that mean something already, and the head is
    scaled up because the score is now about a mean of n + 1 terms.
    """
    settled = load_model(os.path.join(options.work, "last"))
    model = RewardModel(settled.shape, "attention", options.dropout)
    torch.manual_seed(options.seed)
    state = settled.state_dict()
    with torch.no_grad():
        for name in ("query", "key"):
            torch.nn.init.normal_(state[name + ".weight"], std=0.02)
        state["score.weight"] *= options.head_scale
    model.load_state_dict(state)
    return model


def reward_stage(options, aggregation, train_rows, valid_rows, log):
    """The sentence level goes on where the response level stopped, with the pairs that come next."""
    folder = os.path.join(options.work, aggregation)
    encoder = Encoder(load_tokenizer(folder))
    train = PairSet(train_rows, encoder, options.segmenter)
    valid = PairSet(valid_rows, encoder, options.segmenter)
    if aggregation == "last":
        model, span, rate = response_level(options), (0.0, options.epochs), options.rate
    else:
        model = sentence_level(options)
        span, rate = (options.epochs, options.sentence_epochs), options.sentence_rate
    best = train_reward(model, train, valid, encoder, span, rate, options, log,
                        lambda: save_model(model, encoder.tokenizer, folder))
    log("%s: best on valid %.4f" % (aggregation, best))


def main():
    options = arguments()
    os.makedirs(options.work, exist_ok=True)
    torch.set_num_threads(options.threads)
    log = log_to(os.path.join(options.work, "train-%s.log" % options.stage))
    log(str(vars(options)))
    log(str(dataclasses.asdict(Shape())))
    train, spans, extra = (read_rows(options.data, name)
                           for name in ("train", "spans", "extra_noprompt"))
    if options.stage in ("all", "language"):
        language_stage(options, train + spans + extra, log)
    for aggregation in ("last", "attention"):
        if options.stage in ("all", aggregation):
            reward_stage(options, aggregation, train + extra, read_rows(options.data, "valid"), log)


if __name__ == "__main__":
    main()
