"""Trains the language model that the tiny model starts from.

    python train.py --data DATA --output MODELS/tiny-base

writes a model directory: a tokenizer learnt from the texts, and a decoder that has read each of
them once.  Its value head is as it was initialized, so its scores mean nothing yet.
Everything after that is `srm_train`'s: see README.md.
"""

import argparse
import os

import torch

from checkpoint import save_model
from data import read_rows, unique_texts
from layout import Encoder
from model import RewardModel, Shape
from pretrain import pretrain
from vocabulary import load_tokenizer, save_tokenizer, train_tokenizer


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data", required=True, help="folder of train.jsonl.gz and the others")
    add("--output", required=True, help="the model directory")
    add("--seed", type=int, default=1)
    add("--threads", type=int, default=1)
    add("--vocabulary", type=int, default=6144)
    add("--epochs", type=int, default=1)
    add("--length", type=int, default=257, help="tokens of a row")
    add("--rows", type=int, default=16, help="of a step")
    add("--rate", type=float, default=2e-3)
    return parser.parse_args()


def main():
    options = arguments()
    os.makedirs(options.output, exist_ok=True)
    torch.set_num_threads(options.threads)
    rows = [row for name in ("train", "spans", "extra_noprompt")
            for row in read_rows(options.data, name)]
    save_tokenizer(train_tokenizer(unique_texts(rows), options.vocabulary), options.output,
                   Shape.max_tokens)
    tokenizer = load_tokenizer(options.output)
    torch.manual_seed(options.seed)
    model = RewardModel(Shape(vocab=options.vocabulary), "attention", 0.0)
    model = pretrain(model, rows, Encoder(tokenizer), options)
    model.aggregation = "last"
    save_model(model, tokenizer, options.output)


if __name__ == "__main__":
    main()
