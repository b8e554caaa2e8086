#!/usr/bin/env python3
"""Measures the extension through SQL, beside other engines, row by row.

Start it with run.sh, which builds what is measured.  README.md says how to get the peers.
"""

import fnmatch
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import checkpoint
import decisive
import engines
import findings
import machine
import models
import options
import pairs
import report
import rows_calls
import rows_data
import rows_long
import rows_packed
import rows_profile
import rows_real
import rows_server
import rows_speed
import rows_table
import server

HERE = os.path.dirname(os.path.abspath(__file__))

# In the order in which they run
ROWS = {
    "real": rows_real.real,
    "speed": rows_speed.speed,
    "large": rows_speed.large,
    "agreement": rows_data.agreement,
    "sentences": rows_calls.sentences,
    "margin": rows_calls.margin,
    "best-of-8": rows_calls.best_of_8,
    "short": rows_calls.short_responses,
    "parallel": rows_server.parallel,
    "table": rows_table.table,
    "packed": rows_packed.packed,
    "long": rows_long.long_texts,
    "sql": rows_calls.sql_over_engine,
    "memory": rows_server.memory,
    "first": rows_server.first_score,
    "default": rows_data.default_model,
    "cost-rows": rows_data.cost_by_rows,
    "cost-tokens": rows_data.cost_by_tokens,
    "profile": rows_profile.profile,
}


class Bench:
    """What rows need: a server, sessions, models, texts, and a place for what they find."""

    SqlError = server.SqlError
    literal = staticmethod(server.literal)
    array = staticmethod(server.array)
    python = sys.executable

    def __init__(self, arguments):
        self.arguments = arguments
        for name in ("threads", "lengths", "repetitions", "quiet", "attempts", "work"):
            setattr(self, name, getattr(arguments, name))
        self.start = time.monotonic()
        self.findings = findings.Findings()
        self.notes = []
        self.speeds = self.large_speeds = None
        self.agreement = {}         # by engine, on real weights
        self.sections = []          # of the report: (title, Markdown)
        self.known_texts = {}
        self.loaded = 0
        os.makedirs(os.path.join(self.work, "peers"), exist_ok=True)
        self.log = open(os.path.join(self.work, "peers.log"), "w", encoding="utf-8")
        self.llama_bench, self.gguf_package = find_llama(arguments.llama)
        self.server = server.Server(arguments.pg_config, os.path.join(self.work, "server"),
                                    {"srm.model_path": f"{self.work}/models:$system"})
        shared = subprocess.run([arguments.pg_config, "--sharedir"], check=True, capture_output=True,
                                text=True).stdout.strip()
        default_model = os.path.join(shared, "srm/models/default")
        self.sources = {"default": default_model, "real": arguments.real or default_model,
                        "table": arguments.table_model or default_model}

    def late(self):
        return bool(self.arguments.budget) and time.monotonic() - self.start > 60 * self.arguments.budget

    def rounds(self, n=None):
        """Numbers of rounds, of which the budget ends all but the first."""
        for i in range(n or self.repetitions):
            if i > 0 and self.late():
                self.note(f"rounds ended after {i} of {n or self.repetitions}: the budget was used up")
                return
            yield i

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
            print("note: " + text, flush=True)

    def progress(self, text):
        print(f"{time.monotonic() - self.start:6.0f} s  {text}", flush=True)

    def own_seconds(self):
        """Processor time that the bench used: its own, that of peers, and the server's."""
        return machine.family_seconds(os.getpid()) + self.server.seconds()

    def engine_names(self):
        known = [name for group in engines.ENGINES.values() for name in group]
        return [name for name in known
                if any(fnmatch.fnmatch(name, pattern) for pattern in self.arguments.engines)]

    def program(self, name):
        return os.path.join(self.arguments.build, name)

    def model_path(self, shape, dtype):
        folder = os.path.join(self.work, "models")
        if shape in self.sources:
            return checkpoint.make_copies(self.sources[shape], folder, shape, shape == "table")[dtype]
        return models.make_models(folder, shape)[dtype]

    def write_json(self, name, what):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(what, file)
        return path

    def texts(self, shape):
        """One for each shape, so that no text comes twice."""
        if shape not in self.known_texts:
            self.known_texts[shape] = models.Texts(self.model_path(shape, "bfloat16"))
        return self.known_texts[shape]

    def session(self, model, n_threads, compute):
        """compute: None, or what the model's weights are computed in."""
        if model.startswith("bench-"):
            self.model_path(model.split("-")[1], "bfloat16")
        session = self.server.session(srm__model=model, srm__threads=n_threads)
        if compute in ("int8", "w8"):
            session.set("srm.compute", compute)
        return session

    def peer_file(self, shape, kind, form):
        """Made when it is first wanted of a model, in a process of its own, as it takes much memory."""
        path, model = os.path.join(self.work, "peers", f"{shape}-{kind}.{form}"), self.model_path(shape, "float32")
        if os.path.exists(path) and os.path.getmtime(path) >= os.path.getmtime(os.path.join(model, "complete")):
            return path
        self.progress(f"making {path}")
        done = subprocess.run([self.python, os.path.join(HERE, "peer_files.py"), model,
                               kind, form, path, self.gguf_package or ""],
                              check=False, stdout=self.log, stderr=self.log)
        if done.returncode != 0:
            raise engines.Unavailable(f"{path} cannot be made: {self.last_words()}")
        return path

    def last_words(self):
        """Of the peer that has just failed."""
        with open(self.log.name, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in file if line.strip()]
        return f"{lines[-1] if lines else 'it said nothing'} ({self.log.name})"

    def load_pairs(self, n):
        """Loads pairs from the data once, in an order of their own; returns how many of n there are."""
        if self.loaded == 0:
            found = [pair for path in self.arguments.data for pair in pairs.read(path)]
            random.Random(models.SEED).shuffle(found)
            self.loaded = pairs.load(self.server, found, os.path.join(self.work, "pairs.csv"))
            self.progress(f"{self.loaded:,} pairs from {' '.join(self.arguments.data)}")
        return min(n, self.loaded)

    def pairs_table(self, n):
        """
        Loads n pairs into a table of their own, and returns its name: a range of the primary key's index
        would be handed out to parallel workers in pages of 366 rows.
        """
        n = self.load_pairs(n)
        name = f"pairs_{n}"
        with self.server.session() as session:
            if session.value(f"SELECT to_regclass('{name}') IS NULL") == "t":
                session.ask(f"CREATE TABLE {name} AS SELECT * FROM pairs WHERE id <= {n}")
                session.ask(f"VACUUM ANALYZE {name}")
        return name, n


def find_llama(path):
    """(llama-bench or None, the gguf package's folder or None where it is installed)"""
    if path is None:
        return None, None
    if os.path.isfile(path):
        return path, None
    program = os.path.join(path, "build/bin/llama-bench")
    package = os.path.join(path, "gguf-py")
    return program if os.path.exists(program) else None, package if os.path.isdir(package) else None


def run_rows(bench, names):
    raw, foreign = {}, {}
    for name in names:
        if bench.late():
            bench.note(f"row {name} is left out: the budget was used up")
            continue
        bench.progress(f"row {name}: {ROWS[name].__doc__}")
        try:
            with machine.Watch(bench.own_seconds) as watch:
                raw[name] = ROWS[name](bench)
        except (bench.SqlError, AssertionError, OSError, subprocess.CalledProcessError, RuntimeError, ValueError) as error:
            bench.note(f"row {name} failed: {type(error).__name__}: {error}")
        foreign[name] = round(watch.foreign, 3)
        bench.progress(f"row {name}: others used {watch.foreign:.2f} cores on average")
    return raw, foreign


def main():
    arguments = options.parse_arguments(ROWS)
    # The server must not stay behind
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    bench = Bench(arguments)
    try:
        raw, foreign = run_rows(bench, arguments.only)
    finally:
        bench.server.stop()
    decisive.add_ratios_of_same_agreement(bench)
    if machine.reference() is None:
        bench.note("nothing is wanted of this processor: targets are for AVX2 alone, and for AVX-512 with BF16 and VNNI")
    result = {
        "time": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
        "minutes": (time.monotonic() - bench.start) / 60,
        "command": "test/bench/run.sh " + " ".join(sys.argv[1:]),
        "machine": {"processor": machine.processor(), "memory": round(machine.memory_gb(), 1)},
        "versions": {**machine.versions(), "llama.cpp": llama_version(bench)},
        "findings": bench.findings.rows, "notes": bench.notes, "foreign": foreign, "raw": raw,
    }
    report.write(result, bench, arguments)
    if any(finding["passed"] is False for finding in bench.findings.rows):
        sys.exit(1)


def llama_version(bench):
    """The version of ggml that a checkout says, and its commit where git knows it."""
    if bench.llama_bench is None:
        return "not there"
    checkout = bench.arguments.llama
    try:
        with open(os.path.join(checkout, "ggml/CMakeLists.txt"), encoding="utf-8") as file:
            parts = re.findall(r"set\(GGML_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)\)", file.read())
    except OSError:
        return checkout
    commit = machine.first_line("git", "-C", checkout, "rev-parse", "--short", "HEAD")
    return f"with ggml {'.'.join(parts)}" + (f", commit {commit}" if commit != "unknown" else "")


if __name__ == "__main__":
    main()
