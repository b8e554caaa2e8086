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
