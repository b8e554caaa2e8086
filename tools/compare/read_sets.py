"""Reads files of JSON lines with the datasets package, and checks that it finds what the lines say.

usage: read_sets.py FILE ...

Needs the Python package datasets.  Files of this kind are written by the
recipes in docs/datasets.md.
"""

import json
import sys

import datasets


def first_difference(path):
    """The number of the first row that is not its line, from 1 on, or None; and the set."""
    rows = datasets.load_dataset("json", data_files=path, split="train", keep_in_memory=True)
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    if len(rows) != len(lines):
        return min(len(rows), len(lines)) + 1, rows
    for number, (row, line) in enumerate(zip(rows, lines), 1):
        if row != line:
            return number, rows
    return None, rows


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    failed = False
    for path in sys.argv[1:]:
        number, rows = first_difference(path)
        failed |= number is not None
        columns = ", ".join(rows.column_names)
        print(f"{path}: {len(rows)} rows of {columns}" + ("" if number is None else f"; row {number} is another"))
    sys.exit(failed)


if __name__ == "__main__":
    main()
