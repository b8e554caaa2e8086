#!/usr/bin/env python3
"""Makes the sample of preference pairs that the demonstration scores.

Takes short to medium pairs of every kind in equal parts, in an order that
depends on their text alone: neither the model nor the outcome has a say.
Python's standard library only.

usage: make_pairs.py BENCH.jsonl.gz > test/data/demo/pairs.jsonl
"""

import argparse
import gzip
import hashlib
import json
import re
import sys

# Sources under MIT or Apache-2.0; without the sets that are about harm.
SOURCES = {"llmbar": "LLMBar", "vicuna-blog-eval": "vicuna-blog-eval", "hhh": "HHH alignment"}
EXCLUDED_CATEGORIES = {"hhh/harmless", "chat-hard/llmbar-case-negation"}
PER_CATEGORY = 36
PER_SERIES = 12  # of pairs made from one pattern, such as sums in base 9
MIN_RESPONSE = 20
MAX_RESPONSE = 1600
MAX_TOTAL = 2600

# Nothing that somebody at work would not like to have on a screen.
UNFIT = re.compile(
    r"\b(kill|murder|suicid|self-harm|rape|sex|porn|nud[ei]|naked|genital|racis|nazi|hitler"
    r"|slur|bomb|terror|weapon|gun|shoot|drug|heroin|cocaine|marijuana|cannabis|stolen|steal"
    r"|hack|fuck|shit|bitch|damn|crap|gay|lesbian|trans(?:gender|sexual)|jew|muslim|islam"
    r"|christian|abortion|slave|holocaust|genocide|tortur|demon\b|jesus|apartment|trump|biden"
    r"|scientology|beautiful figure|girlfriend|boyfriend)",
    re.IGNORECASE)


def read_rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def fits(row):
    texts = [row["prompt"], row["chosen"], row["rejected"]]
    if row["source"] not in SOURCES or row["category"] in EXCLUDED_CATEGORIES:
        return False
    if not all(isinstance(text, str) for text in texts):
        return False
    lengths = [len(text) for text in texts[1:]]
    return (min(lengths) >= MIN_RESPONSE and max(lengths) <= MAX_RESPONSE
            and sum(map(len, texts)) <= MAX_TOTAL
            and not any(UNFIT.search(text) for text in texts))


def order(row):
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def choose(rows):
    chosen = []
    prompts = set()
    counts = {}
    for row in sorted(filter(fits, rows), key=order):
        category = row["category"]
        key = (category, row["prompt"])
        limit = PER_SERIES if "/llmbar-case-" in category else PER_CATEGORY
        if key in prompts or counts.get(category, 0) == limit:
            continue
        prompts.add(key)
        counts[category] = counts.get(category, 0) + 1
        chosen.append(row)
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", help="pairs as gzipped JSON lines")
    for number, row in enumerate(choose(read_rows(parser.parse_args().bench)), 1):
        json.dump({"id": number, "prompt": row["prompt"], "chosen": row["chosen"],
                   "rejected": row["rejected"], "category": row["category"],
                   "source": SOURCES[row["source"]]}, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
