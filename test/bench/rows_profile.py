"""Where the time of a call goes."""

import os
import re
import shutil
import signal
import subprocess
import time

import models

PRODUCTS = re.compile(r"multiply|pack|panel|pair_rows|sum_rests")
ATTENTION = re.compile(r"attention|attend|exp_sum|maximum|add_keys|add_values|softmax")
N_CALLS = 5


def record(bench, session, texts, path):
    """Samples of a backend that scores conversations of 512 tokens: (share, function), largest first."""
    perf = subprocess.Popen(["perf", "record", "-e", "cpu-clock", "-F", "999", "-o", path, "-p", str(session.pid())],
                            stdout=bench.log, stderr=bench.log)
    time.sleep(0.5)
    for _ in range(N_CALLS):
        prompt, response = map(bench.literal, texts.conversation(512))
        session.seconds(f"bench_score({prompt}, {response})")
    perf.send_signal(signal.SIGINT)
    perf.wait()
    out = subprocess.run(["perf", "report", "-i", path, "--stdio", "--sort", "symbol"], check=True,
                         stdout=subprocess.PIPE, stderr=bench.log, text=True).stdout
    found = re.findall(r"^\s*([\d.]+)%\s+\[.\]\s+(\S+)", out, re.MULTILINE)
    return [(float(share) / 100, name) for share, name in found]


def profile(bench):
    """functions that take most of a call of 512 tokens"""
    if shutil.which("perf") is None:
        bench.note("row profile is left out: perf is not there")
        return {}
    texts, raw = bench.texts("small"), {}
    for kind in ("f32", "bf16", "int8"):
        model = models.model_name("small", "float32" if kind == "f32" else "bfloat16")
        session = bench.session(model, 1, kind)
        prompt, response = map(bench.literal, texts.conversation(512))
        session.seconds(f"bench_score({prompt}, {response})")
        shares = record(bench, session, texts, os.path.join(bench.work, "perf.data"))
        session.close()
        raw[kind] = shares[:30]
        products = sum(share for share, name in shares if PRODUCTS.search(name))
        attention = sum(share for share, name in shares if ATTENTION.search(name))
        other = [(share, name) for share, name in shares
                 if not PRODUCTS.search(name) and not ATTENTION.search(name)]
        top = ", ".join(f"{name} {100 * share:.1f}" for share, name in shares[:8])
        bench.findings.add("largest function outside products and attention", f"{kind}, 512 tokens", other[0][0], "%",
                           most=0.05, detail=f"{other[0][1]}; products {100 * products:.1f} %, attention beside its "
                           f"products {100 * attention:.1f} %; in all: {top}")
    return raw
