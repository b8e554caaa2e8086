"""Reading preference data.

A file is JSON lines, gzip-compressed.  A pair has `prompt` (a string or a list
of messages), `chosen`, `rejected`, `source` and `category`; a span row has
`prompt`, `response` and `spans` (character offsets, end exclusive).
"""

import gzip
import json
import os


def read_rows(folder, name):
    """All rows of FOLDER/NAME.jsonl.gz."""
    with gzip.open(os.path.join(folder, name + ".jsonl.gz"), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def messages_of(prompt):
    """A prompt as a list of (role, content); a string is one user message."""
    if isinstance(prompt, str):
        return [("user", prompt)]
    return [(message["role"], message["content"]) for message in prompt]


def prompt_text(prompt):
    """A prompt as plain text, for counting words."""
    return "\n".join(content for _, content in messages_of(prompt))


def unique_texts(rows):
    """Every distinct message and response of the rows, in order of appearance."""
    seen = {}
    for row in rows:
        for _, content in messages_of(row["prompt"]):
            seen.setdefault(content)
        for field in ("chosen", "rejected", "response"):
            if field in row:
                seen.setdefault(row[field])
    return [text for text in seen if text]


def conversations(rows):
    """Distinct (prompt, response) pairs, and each row's two numbers in them.

    A response that takes part in several pairs is computed once a step, which
    saves time and keeps the model from seeing it many times an epoch.
    """
    numbers = {}
    items = []
    pairs = []

    def number(prompt, response):
        key = (json.dumps(prompt), response)
        if key not in numbers:
            numbers[key] = len(items)
            items.append((prompt, response))
        return numbers[key]

    for row in rows:
        pairs.append((number(row["prompt"], row["chosen"]),
                      number(row["prompt"], row["rejected"])))
    return items, pairs
