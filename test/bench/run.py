#!/usr/bin/env python3
"""Measures the extension through SQL, beside other engines, row by row.

Start it with run.sh, which builds what is measured.  README.md says how to get the peers.
"""

import argparse
import csv
import fnmatch
import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import engines
import findings
import machine
import models
import report
import rows_calls
import rows_data
import rows_profile
import rows_server
import rows_speed
import server

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))

# In the order in which they run
ROWS = {
    "speed": rows_speed.speed,
    "large": rows_speed.large,
    "agreement": rows_data.agreement,
    "sentences": rows_calls.sentences,
    "margin": rows_calls.margin,
    "best-of-8": rows_calls.best_of_8,
    "short": rows_calls.short_responses,
    "parallel": rows_server.parallel,
    "sql": rows_calls.sql_over_engine,
    "memory": rows_server.memory,
    "first": rows_server.first_score,
    "default": rows_data.default_model,
    "cost-rows": rows_data.cost_by_rows,
    "cost-tokens": rows_data.cost_by_tokens,
    "profile": rows_profile.profile,
}


def split(convert):
    return lambda text: [convert(part) for part in text.split(",")]


def parse_arguments():
    parser = argparse.ArgumentParser(
        description="Measures the extension through SQL, beside other engines.",
        epilog="rows:\n" + "\n".join(f"  {name:12} {row.__doc__}" for name, row in ROWS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", type=split(str), default=list(ROWS), metavar="ROW[,ROW]")
    parser.add_argument("--quick", action="store_true", help="128 and 512 tokens only in row speed")
    parser.add_argument("--lengths", type=split(int), default=[64, 128, 256, 512, 1024, 2048], metavar="N[,N]")
    parser.add_argument("--threads", type=split(int), default=[1, 2], metavar="N[,N]")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--engines", type=split(str), metavar="PATTERN[,PATTERN]",
                        default=[name for group in engines.ENGINES.values() for name in group
                                 if name not in engines.SLOWER],
                        help="such as srm-*,torch-bf16; '*' for all that are known")
    parser.add_argument("--data", nargs="+", metavar="FILE",
                        default=[os.path.join(ROOT, "test/data/demo/pairs.jsonl")],
                        help="pairs as JSON lines with prompt, chosen, rejected; may be .gz")
    parser.add_argument("--llama", metavar="PATH", help="llama.cpp: a checkout that is built, or its llama-bench")
    parser.add_argument("--work", default="/tmp/srm-bench", help="folder for models, about 12 GB (%(default)s)")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"), help="where the C programs are")
    parser.add_argument("--pg-config", default=os.environ.get("PG_CONFIG", "pg_config"))
    parser.add_argument("--results", default=os.path.join(ROOT, "results"))
    parser.add_argument("--picture", help="draws tokens in a second as SVG")
    parser.add_argument("--quiet", type=float, default=0.15, metavar="CORES",
                        help="a pass is measured again when others used more (%(default)s)")
    parser.add_argument("--attempts", type=int, default=3)
    arguments = parser.parse_args()
    unknown = [name for name in arguments.only if name not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    if arguments.quick:
        arguments.lengths = list(rows_speed.KEY_LENGTHS)
    return arguments


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
        self.findings = findings.Findings()
        self.notes = []
        self.speeds = self.large_speeds = None
        self.known_texts = {}
        self.loaded = 0
        os.makedirs(os.path.join(self.work, "peers"), exist_ok=True)
        self.log = open(os.path.join(self.work, "peers.log"), "w", encoding="utf-8")
        self.llama_bench, self.gguf_package = find_llama(arguments.llama)
        self.server = server.Server(arguments.pg_config, os.path.join(self.work, "server"),
                                    {"srm.model_path": f"{self.work}/models:$system"})
        shared = subprocess.run([arguments.pg_config, "--sharedir"], check=True, capture_output=True,
                                text=True).stdout.strip()
        self.default_model = os.path.join(shared, "srm/models/default")
        self.start = time.monotonic()

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
        return models.make_models(os.path.join(self.work, "models"), shape)[dtype]

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
        if compute is not None and compute == "int8":
            session.set("srm.compute", compute)
        return session

    def peer_file(self, shape, kind, form):
        """Made when it is first wanted, in a process of its own, as it takes much memory."""
        path = os.path.join(self.work, "peers", f"{shape}-{kind}.{form}")
        if os.path.exists(path):
            return path
        self.progress(f"making {path}")
        subprocess.run([self.python, os.path.join(HERE, "peer_files.py"), self.model_path(shape, "float32"),
                        shape, kind, form, path, self.gguf_package or ""],
                       check=True, stdout=self.log, stderr=self.log)
        return path

    def load_pairs(self, n):
        """Loads pairs from the data once, in an order of their own; returns how many of n there are."""
        if self.loaded == 0:
            pairs = [pair for path in self.arguments.data for pair in read_pairs(path)]
            random.Random(models.SEED).shuffle(pairs)
            self.loaded = load_pairs(self.server, pairs, os.path.join(self.work, "pairs.csv"))
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


def read_pairs(path):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            pair = json.loads(line)
            if isinstance(pair["prompt"], str) and pair["prompt"] and "\0" not in line:
                yield pair["prompt"], pair["chosen"], pair["rejected"]


def load_pairs(own_server, pairs, path):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows(
            (i + 1, *pair) for i, pair in enumerate(pairs))
    with own_server.session() as session:
        session.ask("CREATE TABLE pairs (id int PRIMARY KEY, prompt text, chosen text, rejected text)")
        session.ask(f"\\copy pairs FROM {server.literal(path)} CSV")
        session.ask("VACUUM ANALYZE pairs")
        return int(session.value("SELECT count(*) FROM pairs"))


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
        bench.progress(f"row {name}: {ROWS[name].__doc__}")
        try:
            with machine.Watch(bench.own_seconds) as watch:
                raw[name] = ROWS[name](bench)
        except (bench.SqlError, AssertionError, OSError, subprocess.CalledProcessError, RuntimeError) as error:
            bench.note(f"row {name} failed: {type(error).__name__}: {error}")
        foreign[name] = round(watch.foreign, 3)
        bench.progress(f"row {name}: others used {watch.foreign:.2f} cores on average")
    return raw, foreign


def main():
    arguments = parse_arguments()
    # The server must not stay behind
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    bench = Bench(arguments)
    try:
        raw, foreign = run_rows(bench, arguments.only)
    finally:
        bench.server.stop()
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
