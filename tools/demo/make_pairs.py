#!/usr/bin/env python3
"""Makes the sample of preference pairs that the demonstration scores.

Takes short pairs of every kind that people have, in an order that depends on
their text alone: neither a model nor the outcome has a say.  Python's standard
library only.

usage: make_pairs.py VALID.jsonl.gz BENCH.jsonl.gz > test/data/demo/pairs.jsonl
"""

import argparse
import collections
import gzip
import hashlib
import json
import re
import sys

# How many pairs of a kind
KINDS = {"helpful": 40, "honest": 24, "arithmetic": 30, "code": 24, "safety": 24, "tone": 24, "adversarial": 40}
# Sources under MIT or Apache-2.0: name and kind
SOURCES = {
    "pandalm": ("PandaLM", "helpful"),
    "vicuna-blog-eval": ("vicuna-blog-eval", "helpful"),
    "gsm8k-solutions": ("GSM8K example solutions", "arithmetic"),
    "zeroeval-gsm": ("ZeroEval", "arithmetic"),
    "zeroeval-crux": ("ZeroEval", "code"),
    "hh-rlhf-harmless": ("HH-RLHF", "safety"),
    "llms-from-scratch": ("LLMs-from-scratch", "tone"),
}
PER_SUBSET = 24  # of one category of the source
PER_SERIES = 3   # of one prompt, where many pairs share it
MIN_RESPONSE = 12
MAX_TOTAL = 1500

# Nothing that somebody at work would not like to have on a screen.
OFFENSIVE = re.compile(
    r"\b(?:kill|murder|suicid|self-harm|rape|sex|porn|nud[ei]|naked|genital|racis|racial|nazi|hitler|slur|bomb|terror|weapon|gun"
    r"|shoot|fuck|shit|bitch|crap|gay|lesbian|trans(?:gender|sexual)|jew|muslim|islam|christian|abortion|slave|holocaust|genocide"
    r"|tortur|jesus|religio|atheis|bible|trump|biden|scientology|girlfriend|boyfriend|asshole|idiot|retard|whore|slut|penis|vagina"
    r"|corpse|anthrax|assault|abus|attack|bodies|traffick|arous|erotic|desire|funeral|spank|slap|address|child|minor|teen|girl"
    r"|women|woman|immigra|mexic|pedo|molest|stalk|violen|blood|acid|cross-eyed|burn|lives at|residing)"
    r"|\b(?:god|ass|dick|die|dead|death|hurt|beat|black|white|asian|african|overweight|fat|ugly)\b", re.IGNORECASE)
# Wrongs that a prompt about safety may name.
WRONG = re.compile(
    r"\b(?:drug|heroin|cocaine|marijuana|cannabis|stolen|steal|hack|damn|poison|robber|destr|prison|jail|cheat|drunk|alcohol"
    r"|pills|overdos|apartment|meth|crack|rob|illegal)\b", re.IGNORECASE)


def read_rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def place(row):
    """The published name of a row's source and its kind, or None where it is not taken."""
    source, subset = row["source"], row["category"].split("/")[-1]
    if source == "llmbar":
        people = subset in ("mtbench-human", "faireval", "llmbar-natural", "llmbar-case-normal")
        series = subset in ("llmbar-case-base9", "llmbar-case-base10", "llmbar-case-negation")
        return None if series else ("LLMBar", "helpful" if people else "adversarial")
    if source == "hhh":
        return {"helpful": ("HHH alignment", "helpful"), "honest": ("HHH alignment", "honest")}.get(subset)
    return SOURCES.get(source)


def text_of(prompt):
    return prompt if isinstance(prompt, str) else "\n".join(message["content"] for message in prompt)


def fits(row):
    texts = [text_of(row["prompt"]), row["chosen"], row["rejected"]]
    return (place(row) is not None and min(map(len, texts[1:])) >= MIN_RESPONSE
            and (isinstance(row["prompt"], str) or len(row["prompt"]) == 1)
            and sum(map(len, texts)) <= MAX_TOTAL and not any(OFFENSIVE.search(text) for text in texts)
            and (place(row)[1] == "safety" or not any(WRONG.search(text) for text in texts)))


def order(row):
    return hashlib.sha256(json.dumps(row, sort_keys=True).encode()).hexdigest()


def choose(rows):
    chosen = []
    counts = collections.Counter()
    for row in sorted(filter(fits, rows), key=order):
        kind = place(row)[1]
        limits = {kind: KINDS[kind], (kind, row["category"], row["source"]): PER_SUBSET, text_of(row["prompt"]): PER_SERIES}
        if any(counts[key] == limit for key, limit in limits.items()):
            continue
        counts.update(limits.keys())
        chosen.append(row)
    return chosen


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pairs", nargs="+", help="pairs as gzipped JSON lines")
    rows = [row for path in parser.parse_args().pairs for row in read_rows(path)]
    for number, row in enumerate(choose(rows), 1):
        source, kind = place(row)
        json.dump({"id": number, "prompt": text_of(row["prompt"]), "chosen": row["chosen"], "rejected": row["rejected"],
                   "category": kind + "/" + row["category"].split("/")[-1], "source": source}, sys.stdout, ensure_ascii=False)
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
