"""Long texts, where attention takes most of the time."""

import engines
import machine
import models
from findings import spread
from rows_server import Pss
from rows_speed import roofline

SHAPE = "long"
BASE = 1024                     # tokens of a pass that is nearly products alone
PEERS = ("torch-f32", "ort-f32", "ov-f32", "llama-f32")
LEAST_ATTENTION = 0.9
# Bytes of attention for each pair of tokens: ONNX Runtime keeps all heads' scores at once
MEMORY_OF_PAIR = {"ort": 4 * models.SHAPES[SHAPE]["heads"], "ov": 12}
MOST_MEMORY = 8 * 2**30


def operations(n_tokens, whole):
    """(of products, of attention); not whole: without what is not needed of the last layer"""
    shape = models.SHAPES[SHAPE]
    products, attention = models.product_flops(shape, n_tokens), models.attention_flops(shape, n_tokens)
    if not whole:
        products -= 2.0 * models.unread_parameters(shape) * n_tokens
        attention *= 1 - 1 / shape["layers"]
    return products, attention


def rates(base, longer):
    """
    Operations in a second of products and of attention, from (tokens, seconds) of two passes of ours:
    seconds = products / rate + attention / rate, in both.
    """
    (p1, a1), (p2, a2) = operations(base[0], False), operations(longer[0], False)
    determinant = p1 * a2 - p2 * a1
    product_time = (base[1] * a2 - longer[1] * a1) / determinant
    attention_time = (p1 * longer[1] - p2 * base[1]) / determinant
    return 1 / product_time, 1 / attention_time


def measure_own(bench, n_threads, lengths):
    """(seconds by length, memory of the session's own by length)"""
    engine = engines.make(bench, SHAPE, "srm-f32")
    engine.open(n_threads, "")
    engine.session.set("srm.max_tokens", 40000)
    seconds, memory = {}, {}
    try:
        engine.passes([BASE])
        for n in [BASE, *lengths]:
            with Pss([engine.session.pid()]) as pss:
                seconds[n] = [engine.passes([n])[0] for _ in bench.rounds(3 if n <= 4096 else 1)]
            memory[n] = pss.most[1]
    finally:
        engine.close()
    return seconds, memory


def measure_peer(bench, name, n_threads, lengths):
    engine = engines.make(bench, SHAPE, name)
    raw = {}
    engine.open(n_threads, "unbound")
    try:
        for n in lengths:
            memory = MEMORY_OF_PAIR.get(engine.family, 0) * n * n
            if memory > MOST_MEMORY:
                bench.note(f"{name} is left out at {n:,} tokens: its attention takes {memory / 2**30:.0f} GiB")
                continue
            raw[n] = engine.passes([n])
    finally:
        engine.close()
    return raw


def add_own(bench, n_threads, seconds, memory, peak):
    shape, base = models.SHAPES[SHAPE], (BASE, min(seconds[BASE]))
    for n, values in seconds.items():
        best, where = min(values), f"f32, {n:,} tokens, {n_threads} thread(s)"
        top = roofline(shape, n, {"f32": peak}, "f32", whole=False)
        share = sum(operations(n, False)) / (best * peak)
        bench.findings.add("long texts, share of the roofline", where, share, "%",
                           detail=f"{n / best:.0f} of {top:.0f} tokens/s, without what is not needed of the last layer")
        if n == BASE:
            continue
        product, attention = rates(base, (n, best))
        bench.findings.add("attention's share of the peak over that of products", where, attention / product, "x",
                           least=LEAST_ATTENTION, detail=f"products {100 * product / peak:.0f} %, attention "
                           f"{100 * attention / peak:.0f} % of the peak, from passes of {BASE:,} and {n:,} tokens")
    add_memory(bench, n_threads, memory)


def add_memory(bench, n_threads, memory):
    lengths = sorted(memory)
    for shorter, longer in zip(lengths[1:], lengths[2:]):
        bench.findings.add("long texts, memory over that of fewer tokens",
                           f"{longer:,} over {shorter:,} tokens, {n_threads} thread(s)", memory[longer] / memory[shorter],
                           "x", most=1.05 * longer / shorter, detail=f"{memory[longer] / 2**20:.0f} MiB of the session's "
                           f"own over {memory[shorter] / 2**20:.0f}")


def long_texts(bench):
    """4,096 tokens and more: attention beside products, and the session's memory; four layers"""
    raw = {}
    lengths = sorted(bench.arguments.long)
    for n_threads in bench.threads[-1:]:
        peak = machine.best_peaks(machine.measure_peaks(bench.program("bench_peak"), n_threads))["f32"]
        seconds, memory = measure_own(bench, n_threads, lengths)
        add_own(bench, n_threads, seconds, memory, peak)
        raw[n_threads] = {"srm-f32": seconds, "memory": memory, "peak": peak}
        for name in [name for name in PEERS if name in bench.engine_names()]:
            try:
                found = measure_peer(bench, name, n_threads, lengths)
            except (engines.Unavailable, OSError, ValueError) as error:
                bench.note(f"{name} is left out of long texts: {error}")
                continue
            raw[n_threads][name] = found
            for n, values in found.items():
                own = spread([n / value for value in seconds[n]])[0]
                bench.findings.add("long texts over a peer in f32", f"{name}, {n:,} tokens, {n_threads} thread(s)",
                                   own * min(values) / n, "x", detail=f"{own:.0f} over {n / min(values):.0f} tokens/s; "
                                   "the peer computes the last layer whole, a quarter of all, and reaches "
                                   f"{100 * sum(operations(n, True)) / (min(values) * peak):.0f} % of the peak")
    return raw
