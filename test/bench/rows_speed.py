"""Tokens in a second of all engines, and how near to the roofline."""

import statistics

import engines
import machine
import models
import targets
from findings import spread

KEY_LENGTHS = (128, 512)
OWN = ("srm-f32", "srm-bf16", "srm-int8", "srm-w8")

OVER_F32 = "f32 over the best peer in f32"
OVER_16 = "bf16 weights over the best peer with 16 or 32 bits"
SHARE = "share of the roofline"
MULTIPLIED_IN = {"w8": "f32"}     # weights of 8 bits, multiplied in f32


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
        self.peaks = {}             # by threads: lists by loop
        self.computed = {}          # by engine of ours: the arithmetic it really used

    def add_peaks(self, n_threads, peaks):
        kinds = self.peaks.setdefault(n_threads, {})
        for kind, rate in peaks.items():
            kinds.setdefault(kind, []).append(rate)

    def peak(self, n_threads):
        """By loop of bench_peak."""
        return {loop: statistics.median(rates) for loop, rates in self.peaks[n_threads].items()}

    def rates(self, engine, n_threads, n_tokens):
        return [n_tokens / m["seconds"] for m in self.measurements
                if (m["engine"], m["threads"], m["tokens"]) == (engine, n_threads, n_tokens)]

    def median(self, engine, n_threads, n_tokens):
        rates = self.rates(engine, n_threads, n_tokens)
        return statistics.median(rates) if rates else None

    def roofline(self, n_threads, n_tokens, kind, whole=True):
        """At the peak of what computes a kind here: f32 for weights in bf16 where that is faster."""
        computed = self.computed.get(f"srm-{kind}", kind)
        computed = MULTIPLIED_IN.get(computed, computed)
        return roofline(models.SHAPES[self.shape_name], n_tokens, machine.best_peaks(self.peak(n_threads)),
                        computed, whole)

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
        return {"shape": self.shape_name, "measurements": self.measurements, "peaks": self.peaks,
                "computed": self.computed}


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
                speeds.computed[engine.name] = engine.computed()
        for i in bench.rounds():
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


def add_ratio(bench, speeds, row, own, others, key, least=None):
    n_threads, n_tokens = key
    rate, best = speeds.median(own, *key), speeds.best(others, *key)
    if rate is None or best is None:
        return
    rates = spread(speeds.rates(own, *key))
    others = spread(speeds.rates(best[1], *key))
    bench.findings.add(row, f"{n_tokens} tokens, {n_threads} thread(s)", rate / best[0], "x", least=least,
                       detail=f"{rates[0]:.0f} ({rates[1]:.0f}-{rates[2]:.0f}), computed in {speeds.computed[own]}, "
                              f"over {best[1]} {others[0]:.0f} ({others[1]:.0f}-{others[2]:.0f}) tokens/s")


def add_ratios(bench, speeds):
    f32, bits_16, bits_8 = (peers(group) for group in engines.ENGINES.values())
    for key in [(threads, n) for threads, n in speeds.keys() if n in KEY_LENGTHS]:
        add_ratio(bench, speeds, OVER_F32, "srm-f32", f32, key, targets.wanted("f32"))
        add_ratio(bench, speeds, OVER_16, "srm-bf16", bits_16 + f32, key, targets.wanted("16 bit"))
        add_ratio(bench, speeds, "bf16 weights over llama.cpp", "srm-bf16",
                  [name for name in bits_16 if name.startswith("llama")], key)
        add_ratio(bench, speeds, "int8 over the best peer with 8 bits or fewer", "srm-int8", bits_8, key)
        add_ratio(bench, speeds, "int8 over llama.cpp Q8_0", "srm-int8", ["llama-q8_0"], key)


def add_shares(bench, speeds):
    wanted = targets.wanted("roofline") or {}
    for own in OWN:
        for n_threads, n_tokens in speeds.keys():
            rate, kind = speeds.median(own, n_threads, n_tokens), own.split("-")[1]
            if rate is None or n_tokens not in KEY_LENGTHS:
                continue
            top = speeds.roofline(n_threads, n_tokens, kind)
            if top is None:
                bench.note(f"the roofline of {own} is left out: bench_peak has no loop for {speeds.computed[own]} here")
                continue
            bench.findings.add(SHARE, f"{own[4:]}, {n_tokens} tokens, {n_threads} thread(s)",
                               rate / top, "%", least=wanted.get(own, {}).get(n_threads),
                               detail=f"{rate:.0f} of {top:.0f} tokens/s in {speeds.computed[own]}; without what is not "
                                      "needed of the last layer "
                                      f"{100 * rate / speeds.roofline(n_threads, n_tokens, kind, False):.1f} %")


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
