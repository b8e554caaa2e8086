#!/usr/bin/env python3
"""Runs the SQL of README.md and of pages under docs/ from top to bottom, and puts its real output in.

Fails at the first statement that fails.  Needs psql in the path and an empty
database of a server where the extension is installed, as libpq's environment
variables name it; scripts/demo.sh shows how to make one.

  ```sql    blocks are run in order, in one session
  ```text   a block right behind one is replaced by what it printed; one that
            starts with a prompt is a statement with its output, run at the end

usage: refresh.py [--write] [PAGE ...]    README.md and the pages that go on from it, in one session
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```(sql|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMPT = "postgres=# "
MARK = "@@ block %d @@"
PAGES = ["README.md", "docs/recipes.md", "docs/datasets.md", "docs/scale.md", "docs/training.md", "docs/models.md", "docs/operations.md", "docs/reference.md"]


def find_jobs(text):
    """Blocks to run, as (statements, block to replace or None, head of the replacement)."""
    jobs, late, last = [], [], None
    for block in BLOCK.finditer(text):
        kind, body = block.groups()
        if kind == "sql":
            last = (len(jobs), block.end())
            jobs.append((body, None, ""))
        elif body.startswith(PROMPT):
            statement = body[len(PROMPT):body.index(";") + 1]
            late.append((statement, block.span(2), PROMPT + statement + "\n"))
        elif last is not None and not text[last[1]:block.start()].strip():
            jobs[last[0]] = (jobs[last[0]][0], block.span(2), "")
    return jobs + late


def run(jobs, directory):
    script = "".join("\\echo '%s'\n%s\n" % (MARK % i, job[0])
                     for i, job in enumerate(jobs))
    result = subprocess.run(
        ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-P", "pager=off", "-P", "footer=off", "-f", "-"],
        input=script, capture_output=True, text=True, cwd=directory, check=False)
    sys.stderr.write(result.stderr)
    if result.returncode != 0:
        sys.exit("a statement of the README failed")
    parts = re.split(r"^@@ block \d+ @@\n", result.stdout, flags=re.MULTILINE)
    return [re.sub(r"[ \t]+$", "", part, flags=re.MULTILINE).strip("\n") for part in parts[1:]]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replace the output in the files")
    parser.add_argument("pages", nargs="*", default=PAGES)
    arguments = parser.parse_args()
    texts, jobs = {}, []
    for page in arguments.pages:
        with open(page, encoding="utf-8") as file:
            texts[page] = file.read()
        jobs += [(page, *job) for job in find_jobs(texts[page])]
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        # The README reads the demo's pairs, by their path in the sources
        os.symlink(os.path.abspath("test"), os.path.join(directory, "test"))
        outputs = run([job[1:] for job in jobs], directory)
    replaced = 0
    for page, text in texts.items():
        replacements = [(job[2], job[3] + output + "\n") for job, output in zip(jobs, outputs) if job[0] == page and job[2]]
        replaced += len(replacements)
        for (start, end), replacement in sorted(replacements, reverse=True):
            text = text[:start] + replacement + text[end:]
        if arguments.write:
            with open(page, "w", encoding="utf-8") as file:
                file.write(text)
    print("%d blocks run, %d outputs" % (len(jobs), replaced))


if __name__ == "__main__":
    main()
