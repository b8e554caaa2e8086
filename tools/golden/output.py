"""JSON with short numbers and one row of numbers a line."""

import json

import numpy as np


def number(x):
    return x if isinstance(x, (int, bool)) else float("%.9g" % x)


def plain(value):
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value if isinstance(value, str) or value is None else number(value)


def lines(value, indent=0):
    """A list of plain values stays on one line; what holds other lists does not."""
    pad = " " * indent
    if isinstance(value, dict):
        inner = ",\n".join('%s "%s": %s' % (pad, key, lines(item, indent + 1).lstrip())
                           for key, item in value.items())
        return "%s{\n%s\n%s}" % (pad, inner, pad)
    if isinstance(value, list) and any(isinstance(item, (list, dict)) for item in value):
        return "%s[\n%s\n%s]" % (pad, ",\n".join(lines(item, indent + 1) for item in value), pad)
    return pad + json.dumps(value, separators=(",", ":"))


def write(path, value):
    with open(path, "w", encoding="utf-8") as file:
        file.write(lines(plain(value)) + "\n")
