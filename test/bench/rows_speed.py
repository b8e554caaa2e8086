"""Tokens in a second of all engines, and how near to the roofline."""

import statistics

import engines
import machine
import models
from findings import spread

KEY_LENGTHS = (128, 512)
PRECISIONS = {"f32": "srm-f32", "16 bit": "srm-bf16", "8 bit": "srm-int8"}

# least ratios, by threads and length
OVER_16_BIT = {1: {128: 1.25, 512: 1.45}, 2: {128: 1.2, 512: 1.45}}
OVER_ANY = {1: {128: 1.15, 512: 1.35}, 2: {128: 1.1, 512: 1.25}}
OVER_F32 = 1.2
OVER_LLAMA_16_BIT = 1.6
OVER_LLAMA_8_BIT = 3.5
ROOFLINE = {"srm-bf16": {1: 0.88, 2: 0.82}, "srm-int8": {1: 0.78, 2: 0.68}, "srm-f32": {1: 0.90, 2: 0.85}}


def roofline(shape, n_tokens, peaks, kind, whole=True):
    """Tokens in a second if nothing but the products took time, at the peak of their kind.

    Attention counts at the same peak, but for int8 at that of bf16.  Not whole: without
    what a reward does not need of the last layer, which peers compute and we do not.
    """
    if kind not in peaks:
        return None
    attention_peak = peaks.get("bf16", peaks["f32"]) if kind == "int8" else peaks[kind]
    products = models.product_flops(shape, n_tokens)
    attention = models.attention_flops(shape, n_tokens)
    if not whole:
        products -= 2.0 * models.unread_parameters(shape) * n_tokens
        attention *= 1 - 1 / shape["layers"]
    return n_tokens / (products / peaks[kind] + attention / attention_peak)


class Speeds:
    """Measurements of one shape and their medians."""

    def __init__(self, shape_name):
        self.shape_name = shape_name
        self.measurements = []
        self.peaks = {}             # by threads: lists by kind

    def add_peaks(self, n_threads, peaks):
        kinds = self.peaks.setdefault(n_threads, {})
        for kind, rate in peaks.items():
            kinds.setdefault(kind, []).append(rate)

    def peak(self, n_threads):
        return {kind: statistics.median(rates) for kind, rates in self.peaks[n_threads].items()}

    def rates(self, engine, n_threads, n_tokens):
        return [n_tokens / m["seconds"] for m in self.measurements
                if (m["engine"], m["threads"], m["tokens"]) == (engine, n_threads, n_tokens)]

    def median(self, engine, n_threads, n_tokens):
        rates = self.rates(engine, n_threads, n_tokens)
        return statistics.median(rates) if rates else None

    def roofline(self, n_threads, n_tokens, kind, whole=True):
        return roofline(models.SHAPES[self.shape_name], n_tokens, self.peak(n_threads), kind, whole)

    def best(self, names, n_threads, n_tokens):
        """The fastest of those that were measured, as (tokens in a second, name)."""
        found = [(rate, name) for name in names if (rate := self.median(name, n_threads, n_tokens))]
        return max(found, default=None)

    def keys(self):
        return sorted({(m["threads"], m["tokens"]) for m in self.measurements})

    def names(self):
        seen = {m["engine"] for m in self.measurements}
        return [name for group in engines.ENGINES.values() for name in group if name in seen]

    def raw(self):
        return {"shape": self.shape_name, "measurements": self.measurements, "peaks": self.peaks}


def leaders(speeds, opened, n_threads, n_tokens):
    """Ours, and the fastest peer of each precision."""
    names = [engine.name for engine in opened]
    best = [speeds.best([name for name in peers(group) if name in names], n_threads, n_tokens)
            for group in engines.ENGINES.values()]
    return [name for name in names if name.startswith("srm-")] + [name for _, name in filter(None, best)]


def measure_round(bench, speeds, opened, lengths, n_threads):
    """Long texts take most of the time: engines that do not lead read them in the first round only."""
    short = [n for n in lengths if n <= max(KEY_LENGTHS)]
    first = n_threads not in speeds.peaks
    speeds.add_peaks(n_threads, machine.measure_peaks(bench.program("bench_peak"), n_threads))
    leading = [] if first or not short else leaders(speeds, opened, n_threads, short[-1])
    for engine in opened:
        engines.measure(bench, engine, lengths if first or engine.name in leading else short,
                        speeds.measurements, n_threads)


def measure_threads(bench, speeds, names, lengths, n_threads):
    """All engines in turn, so that what disturbs the machine disturbs all of them."""
    opened = engines.open_all(bench, speeds.shape_name, names, n_threads)
    try:
        for engine in opened:
            if engine.family == "srm":
                engine.check_tokens(lengths)
        for i in range(bench.repetitions):
            bench.progress(f"{n_threads} thread(s), round {i + 1} of {bench.repetitions}")
            measure_round(bench, speeds, opened, lengths, n_threads)
    finally:
        for engine in opened:
            engine.close()


def measure(bench, shape_name, names, lengths):
    speeds = Speeds(shape_name)
    for n_threads in bench.threads:
        measure_threads(bench, speeds, names, lengths, n_threads)
    return speeds


def peers(names):
    return [name for name in names if not name.startswith("srm-")]


def add_ratio(bench, speeds, row, own, others, key, least):
    n_threads, n_tokens = key
    rate, best = speeds.median(own, *key), speeds.best(others, *key)
    if rate is None or best is None:
        return
    rates = spread(speeds.rates(own, *key))
    others = spread(speeds.rates(best[1], *key))
    bench.findings.add(row, f"{n_tokens} tokens, {n_threads} thread(s)", rate / best[0], "x", least=least,
                       detail=f"{rates[0]:.0f} ({rates[1]:.0f}-{rates[2]:.0f}) over {best[1]} "
                              f"{others[0]:.0f} ({others[1]:.0f}-{others[2]:.0f}) tokens/s")


def add_ratios(bench, speeds):
    groups = engines.ENGINES
    all_peers = [name for group in groups.values() for name in peers(group)]
    llama_16_bit = [name for name in groups["16 bit"] if name.startswith("llama")]
    for key in [(threads, n) for threads, n in speeds.keys() if n in KEY_LENGTHS]:
        n_threads, n_tokens = key
        add_ratio(bench, speeds, "bf16 over the best peer of any 16-bit format", "srm-bf16",
                  peers(groups["16 bit"]), key, OVER_16_BIT.get(n_threads, {}).get(n_tokens))
        add_ratio(bench, speeds, "bf16 over llama.cpp", "srm-bf16", llama_16_bit, key, OVER_LLAMA_16_BIT)
        add_ratio(bench, speeds, "int8 over the best peer of any format", "srm-int8", all_peers, key,
                  OVER_ANY.get(n_threads, {}).get(n_tokens))
        add_ratio(bench, speeds, "int8 over llama.cpp Q8_0", "srm-int8", ["llama-q8_0"], key, OVER_LLAMA_8_BIT)
        add_ratio(bench, speeds, "f32 over the best peer in f32", "srm-f32", peers(groups["f32"]), key, OVER_F32)


def add_shares(bench, speeds):
    for own, targets in ROOFLINE.items():
        for n_threads, n_tokens in speeds.keys():
            rate, kind = speeds.median(own, n_threads, n_tokens), own.split("-")[1]
            top = speeds.roofline(n_threads, n_tokens, kind)
            if rate is None or top is None or n_tokens not in KEY_LENGTHS:
                continue
            bench.findings.add("share of the roofline", f"{own[4:]}, {n_tokens} tokens, {n_threads} thread(s)",
                               rate / top, "%", least=targets.get(n_threads),
                               detail=f"{rate:.0f} of {top:.0f} tokens/s; without what is not needed of the last "
                                      f"layer {100 * rate / speeds.roofline(n_threads, n_tokens, kind, False):.1f} %")


def speed(bench):
    """tokens in a second by length, of all engines"""
    speeds = measure(bench, "small", bench.engine_names(), bench.lengths)
    add_ratios(bench, speeds)
    add_shares(bench, speeds)
    bench.speeds = speeds
    return speeds.raw()


def large(bench):
    """the same with the shape of a 7 B model, two layers of it"""
    wanted = [name for name in bench.engine_names()
              if name in ("srm-bf16", "srm-int8", "torch-bf16", "llama-bf16", "ort-int8")]
    speeds = measure(bench, "large", wanted, list(KEY_LENGTHS))
    for key in speeds.keys():
        for kind in ("bf16", "int8"):
            rate, top = speeds.median(f"srm-{kind}", *key), speeds.roofline(*key, kind, whole=False)
            best = speeds.best(peers(wanted) if kind == "int8" else ["torch-bf16", "llama-bf16"], *key)
            if rate is None or top is None:
                continue
            bench.findings.add("two layers of a 7 B model, share of the roofline",
                               f"{kind}, {key[1]} tokens, {key[0]} thread(s)", rate / top, "%",
                               detail=f"{rate:.0f} of {top:.0f} tokens/s, without what is not needed of the last layer" +
                                      (f"; {best[1]} {best[0]:.0f}" if best else ""))
    bench.large_speeds = speeds
    return speeds.raw()
