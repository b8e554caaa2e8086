#!/usr/bin/env python3
"""Chooses the pairs that the default model is trained on.

So many of each kind, at random by a seed, and none that is long: a step costs
as much as its tokens, and what is seen is worth more than what is long.

usage: mix.py --data DIR --model DIR > pairs.jsonl      DIR with train.jsonl.gz and chat.jsonl.gz; a base of cut.py
"""

import argparse
import collections
import gzip
import json
import os
import random
import sys

from tokenizers import Tokenizer

# Pairs at most, by file and category
QUOTAS = {
    ("train", "argument"): 2500, ("train", "chat"): 1400, ("train", "code-reasoning"): 1300,
    ("train", "grounded-dialogue"): 160, ("train", "math"): 3500, ("train", "math-hard"): 600, ("train", "numeric"): 261,
    ("train", "qa-grounded"): 300, ("train", "qa-grounded-edit"): 50, ("train", "safety-harmless"): 1900,
    ("train", "safety-redteam"): 100, ("train", "tone"): 965, ("chat", "chat"): 4500, ("chat", "chat-hard/neighbor"): 1500,
    ("chat", "chat-hard/other-task"): 200, ("chat", "chat-hard/wrong-turn"): 300, ("chat", "qa-options"): 300,
    ("chat", "truthful"): 900, ("chat", "chat-hard/constraint-format"): 500}
OTHER_CONSTRAINTS = 130
# Tokens of prompt, chosen and rejected together, at most
LIMITS = {
    ("train", "qa-grounded"): 1150, ("train", "qa-grounded-edit"): 1150, ("train", "math-hard"): 700,
    ("train", "code-reasoning"): 620, ("train", "math"): 450, ("train", "chat"): 900, ("train", "safety-harmless"): 600}
OTHER_LIMIT = 420


def read_rows(directory, name, tokenizer):
    with gzip.open(os.path.join(directory, name + ".jsonl.gz"), "rt", encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            prompt = row["prompt"]
            if not isinstance(prompt, str):
                prompt = " ".join(message["content"] for message in prompt)
            texts = [prompt, row["chosen"], row["rejected"]]
            row["n_tokens"] = sum(len(encoding.ids) for encoding in tokenizer.encode_batch(texts))
            yield (name, row["category"]), row


def choose(rows):
    kinds = collections.defaultdict(list)
    for kind, row in rows:
        kinds[kind].append(row)
    chosen = []
    for kind, rows_of_kind in kinds.items():
        fit = [row for row in rows_of_kind if row["n_tokens"] <= LIMITS.get(kind, OTHER_LIMIT)
               and row["chosen"].strip() and row["rejected"].strip()]
        if kind == ("train", "argument"):
            random.shuffle(fit)
        random.shuffle(fit)
        chosen += fit[:QUOTAS.get(kind, OTHER_CONSTRAINTS if "constraint" in kind[1] else 0)]
    random.shuffle(chosen)
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="directory of train.jsonl.gz and chat.jsonl.gz")
    parser.add_argument("--model", required=True, help="directory with the tokenizer.json that counts")
    arguments = parser.parse_args()
    tokenizer = Tokenizer.from_file(os.path.join(arguments.model, "tokenizer.json"))
    random.seed(1)
    rows = (row for name in ("train", "chat") for row in read_rows(arguments.data, name, tokenizer))
    for row in choose(rows):
        prompt = row["prompt"]
        messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else prompt
        sys.stdout.write(json.dumps({"messages": messages, "chosen": row["chosen"], "rejected": row["rejected"],
                                     "category": row["category"]}) + "\n")


if __name__ == "__main__":
    main()
