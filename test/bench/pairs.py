"""Preference pairs: from files of JSON lines into a table."""

import csv
import gzip
import json

import server


def read(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            pair = json.loads(line)
            prompt = pair.get("prompt") or only_message(pair.get("messages", []))
            if isinstance(prompt, str) and prompt and "\0" not in line and "\\u0000" not in line:
                yield prompt, pair["chosen"], pair["rejected"]


def only_message(messages):
    return messages[0]["content"] if len(messages) == 1 and messages[0]["role"] == "user" else None


def load(own_server, pairs, path):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            (i + 1, *pair) for i, pair in enumerate(pairs))
    with own_server.session() as session:
        session.ask("CREATE TABLE pairs (id int PRIMARY KEY, prompt text, chosen text, rejected text)")
        session.ask(f"\\copy pairs FROM {server.literal(path)} CSV")
        session.ask("VACUUM ANALYZE pairs")
        return int(session.value("SELECT count(*) FROM pairs"))
