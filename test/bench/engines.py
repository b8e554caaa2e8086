"""What is compared: the extension through SQL, and the peers, each as something that makes passes.

An engine is opened with a number of threads; passes(lengths) then gives the seconds of
one pass for each length.  Peers are given tokens; the extension is given text.
"""

import json
import os
import subprocess
import time

import machine
import models

HERE = os.path.dirname(os.path.abspath(__file__))
PEER_THREADS = ("bound", "unbound")     # tried with 2 threads and more; the faster one counts
PROBE_TOKENS = 128


class Unavailable(Exception):
    pass


def peer_environment(binding):
    """Peers at their best: without settings that are for others."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("OPENBLAS_", "OMP_", "KMP_", "GOMP_"))}
    if binding == "bound":
        environment.update(OMP_PROC_BIND="true", OMP_PLACES="cores")
    return environment


class Engine:
    def __init__(self, bench, shape, kind):
        self.bench, self.shape, self.kind = bench, shape, kind
        self.binding = ""

    @property
    def name(self):
        return f"{self.family}-{self.kind}"

    def probe(self, n_threads):
        """Opens the engine with the binding of threads that suits it better."""
        if n_threads == 1 or not self.binds:
            self.open(n_threads, "unbound")
            return
        best = None
        for binding in PEER_THREADS:
            self.open(n_threads, binding)
            self.passes([PROBE_TOKENS])
            seconds = min(self.passes([PROBE_TOKENS])[0] for _ in range(3))
            self.close()
            if best is None or seconds < best[0]:
                best = seconds, binding
        self.open(n_threads, best[1])

    def close(self):
        pass


class Extension(Engine):
    family = "srm"
    binds = False

    def open(self, n_threads, binding):
        model = models.model_name(self.shape, "float32" if self.kind == "f32" else "bfloat16")
        self.texts = self.bench.texts(self.shape)
        self.session = self.bench.session(model, n_threads, self.kind)

    def pair_scores(self, condition):
        """Of the chosen and the rejected response of each pair in turn."""
        lines = self.session.ask("SELECT array_to_json(srm_scores(prompt, ARRAY[chosen, rejected])) FROM pairs "
                                 f"WHERE {condition} ORDER BY id")
        return [score for line in lines for score in json.loads(line)]

    def passes(self, lengths):
        seconds = []
        for n_tokens in lengths:
            prompt, response = map(self.bench.literal, self.texts.conversation(n_tokens))
            seconds.append(self.session.seconds(f"bench_score({prompt}, {response})"))
        return seconds

    def computed(self):
        """The arithmetic that the products of the last call were in."""
        return self.session.value("SELECT compute FROM srm_models() WHERE name = current_setting('srm.model')")

    def check_tokens(self, lengths):
        """A length is what the model sees."""
        for n_tokens in lengths:
            prompt, response = map(self.bench.literal, self.texts.conversation(n_tokens))
            seen = int(self.session.value(f"SELECT n_tokens FROM srm_score_details({prompt}, {response})"))
            assert seen == n_tokens, f"{seen} tokens where {n_tokens} were meant"

    def close(self):
        self.session.close()


class Worker(Engine):
    """A peer that runs in Python."""

    binds = False

    def arguments(self, n_threads):
        """Of peers.py and of service.py."""
        return [self.name, str(n_threads), *self.paths()]

    def open(self, n_threads, binding):
        self.binding = binding if self.binds else ""
        self.process = subprocess.Popen(
            [self.bench.python, os.path.join(HERE, "peers.py"), *self.arguments(n_threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.bench.log, text=True,
            env=peer_environment(binding))
        if self.process.stdout.readline().strip() != "ready":
            raise Unavailable(self.bench.last_words())

    def ask(self, command, what):
        self.process.stdin.write(f"{command} {what}\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def passes(self, lengths):
        return [self.ask("pass", n_tokens) for n_tokens in lengths]

    def scores(self, ids):
        """Of lists of token ids."""
        return self.ask("scores", self.bench.write_json("token_ids.json", ids))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Torch(Worker):
    family = "torch"
    binds = True

    def paths(self):
        return [self.bench.model_path(self.shape, "bfloat16" if self.kind == "bf16" else "float32")]


class OnnxRuntime(Worker):
    family = "ort"
    form = "onnx"

    def paths(self):
        return [self.bench.model_path(self.shape, "float32"), self.bench.peer_file(self.shape, self.kind, self.form)]


class OpenVino(OnnxRuntime):
    family = "ov"
    form = "xml"
    binds = True


class Rounded(Worker):
    """What stands for llama.cpp where scores are compared."""

    family = "rounded"

    def paths(self):
        return [self.bench.model_path(self.shape, "float32"), self.bench.gguf_package or ""]


class LlamaCpp(Engine):
    """llama-bench loads the model for each call, and gives the time of the passes alone."""

    family = "llama"
    binds = True

    def open(self, n_threads, binding):
        if self.bench.llama_bench is None:
            raise Unavailable("no llama-bench; see --llama")
        self.threads, self.binding = n_threads, binding
        self.file = self.bench.peer_file(self.shape, self.kind, "gguf")

    def passes(self, lengths):
        """The first pass of a call only warms up; so does the first of two for short texts."""
        short = [n for n in lengths if n <= 256]
        found = {**self.call(short, 2), **self.call([n for n in lengths if n > 256], 1)}
        return [found[n] for n in lengths]

    def call(self, lengths, repetitions):
        if not lengths:
            return {}
        out = subprocess.run(
            [self.bench.llama_bench, "-m", self.file, "-n", "0", "-t", str(self.threads), "--no-warmup",
             "-r", str(repetitions), "-o", "json", "-p", ",".join(map(str, [16] + lengths))],
            check=True, stdout=subprocess.PIPE, stderr=self.bench.log, text=True,
            env=peer_environment(self.binding)).stdout
        return {test["n_prompt"]: 1e-9 * test["samples_ns"][-1] for test in json.loads(out)}


FAMILIES = {cls.family: cls for cls in (Extension, Torch, OnnxRuntime, OpenVino, Rounded, LlamaCpp)}

# By the precision in which they compete
ENGINES = {
    "f32": ["srm-f32", "torch-f32", "ort-f32", "ov-f32", "llama-f32"],
    "16 bit": ["srm-bf16", "torch-bf16", "ov-bf16", "llama-bf16", "llama-f16"],
    "8 bit": ["srm-int8", "srm-w8", "torch-int8", "ort-int8", "ort-nbits8", "ov-int8", "llama-q8_0", "llama-q4_0"],
}

# Known, but slower than another of the same library and precision
SLOWER = ["llama-f16", "torch-int8", "ort-nbits8"]
if "avx512_bf16" not in machine.cpu_flags():
    SLOWER += ["torch-bf16", "ov-bf16"]     # by a way round, that of PyTorch 30 times slower


def make(bench, shape, name):
    family, kind = name.split("-", 1)
    return FAMILIES[family](bench, shape, kind)


def open_all(bench, shape, names, n_threads):
    """Those that can be had; what is missing is said once."""
    opened = []
    for name in names:
        engine = make(bench, shape, name)
        try:
            engine.probe(n_threads)
            engine.passes([PROBE_TOKENS])
        except (Unavailable, OSError, subprocess.CalledProcessError, bench.SqlError, ImportError, ValueError) as error:
            bench.note(f"{name} is left out: {error}")
            continue
        opened.append(engine)
    return opened


def measure(bench, engine, lengths, results, n_threads):
    """
    One pass of each length, and how busy others were; again where they were busy.  A pass before
    brings back what the turns of the others have driven out of the caches; llama-bench has its own.
    """
    if engine.family != "llama":
        engine.passes([PROBE_TOKENS])
    for n_tokens in lengths if engine.family != "llama" else [None]:
        wanted = [n_tokens] if n_tokens else lengths
        for attempt in range(bench.attempts):
            time.sleep(0.02)
            with machine.Watch(bench.own_seconds) as watch:
                seconds = engine.passes(wanted)
            if watch.foreign <= bench.quiet:
                break
        for n, value in zip(wanted, seconds):
            results.append({"engine": engine.name, "threads": n_threads, "tokens": n, "seconds": value,
                            "foreign": round(watch.foreign, 3), "binding": engine.binding})
