"""How far engines and precisions agree with f32 on real weights.

A score is the last token's final hidden state times the head, of each engine over the same token ids; what
it is compared with is the extension in f32.  It does not depend on how busy the machine is, so what peers
gave is kept from run to run.
"""

import hashlib
import json
import os

import numpy as np

import engines
import machine
import rows_data

LONGEST = 2000                  # characters of a pair, to keep a pass short
CHECKED = 10                    # pairs that show that a peer in f32 computes the same model
SAME = 0.001                    # largest difference there, over the standard deviation of scores


def ranks(values):
    """Those of equal values are the mean of their places."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]


def compare(scores, exact):
    """Of scores of the chosen and the rejected response of each pair in turn."""
    scores, exact = np.array(scores), np.array(exact)
    flips = np.sign(scores[0::2] - scores[1::2]) != np.sign(exact[0::2] - exact[1::2])
    return {"pairs": len(exact) // 2, "correlation": float(np.corrcoef(ranks(scores), ranks(exact))[0, 1]),
            "flips": int(flips.sum()), "largest": float(np.abs(scores - exact).max()),
            "deviation": float(exact.std())}


def as_good(agreement, own):
    """Whether a peer agrees as well as ours: by one of both figures is enough, as they are of a sample."""
    return agreement["correlation"] >= own["correlation"] or agreement["flips"] <= own["flips"]


class Kept:
    """Scores of peers by model, texts, engine and version."""

    def __init__(self, bench, ids):
        self.path = os.path.join(bench.work, "real_scores.json")
        model = os.path.join(bench.model_path("real", "float32"), "complete")
        with open(model, encoding="utf-8") as file:
            self.key = hashlib.sha256((file.read() + json.dumps(ids)).encode()).hexdigest()[:16]
        self.versions = machine.versions()
        try:
            with open(self.path, encoding="utf-8") as file:
                self.scores = json.load(file)
        except OSError:
            self.scores = {}

    def name(self, engine):
        package = {"torch": "torch", "ort": "onnxruntime", "ov": "openvino"}.get(engine.split("-")[0], "")
        return f"{self.key} {engine} {self.versions.get(package, '')}"

    def get(self, engine):
        return self.scores.get(self.name(engine))

    def put(self, engine, scores):
        self.scores[self.name(engine)] = scores
        with open(self.path, "w", encoding="utf-8") as file:
            json.dump(self.scores, file)


def peer_scores(bench, kept, name, ids):
    scores = kept.get(name)
    if scores is not None:
        return scores
    if name.startswith("llama-") and bench.llama_bench is None:
        raise engines.Unavailable("no llama-bench; see --llama")
    engine = engines.make(bench, "real", name.replace("llama-", "rounded-"))
    engine.open(max(bench.threads), "unbound")
    try:
        scores = engine.scores(ids)
    finally:
        engine.close()
    kept.put(name, scores)
    return scores


def own_scores(bench, name, condition):
    """And the arithmetic they were really in."""
    engine = engines.make(bench, "real", name)
    engine.open(max(bench.threads), "")
    try:
        return engine.pair_scores(condition), engine.computed()
    finally:
        engine.close()


def add(bench, name, agreement, detail=""):
    bench.agreement[name] = agreement
    n = agreement["pairs"]
    where = f"{name}, {n:,} pairs"
    bench.findings.add("agreement with f32 on real weights", where, agreement["correlation"], "correlation",
                       detail=f"{agreement['flips']} preferences of {n:,} flip ({100 * agreement['flips'] / n:.2g} %); "
                              f"largest difference of scores {agreement['largest']:.3g} at a standard deviation of "
                              f"{agreement['deviation']:.3g}{detail}")


def add_peer(bench, kept, name, ids, exact):
    """A peer in f32 over a few pairs, which must be the same model; another precision over all."""
    library, kind = name.split("-", 1)
    if kind == "f32":
        ids, exact = ids[:2 * CHECKED], exact[:2 * CHECKED]
    agreement = compare(peer_scores(bench, kept, name, ids), exact)
    if kind == "f32" and agreement["largest"] > SAME * np.std(exact):
        bench.note(f"{library} is left out of agreement: in f32 it gives other scores, by {agreement['largest']:.3g}")
        return False
    add(bench, name, agreement, "; simulated in torch" if library == "llama" else "")
    return True


def real(bench):
    """agreement with f32 on real weights: every engine and precision on the same real pairs"""
    n = bench.load_pairs(bench.arguments.pairs)
    condition = ("id IN (SELECT id FROM pairs WHERE length(prompt || chosen || rejected) <= "
                 f"{LONGEST} ORDER BY id LIMIT {n})")
    bench.model_path("real", "float32")
    exact, _ = own_scores(bench, "srm-f32", condition)
    with bench.session("bench-real-f32", 1, None) as session:
        ids = rows_data.token_ids(session, condition)
    kept, raw = Kept(bench, ids), {"f32": exact, "tokens": sum(map(len, ids))}
    ruled_out = set()
    for name in sorted(bench.engine_names(), key=lambda name: not name.endswith("-f32")):
        library = name.split("-")[0]
        if name == "srm-f32" or library in ruled_out:
            continue
        bench.progress(f"scores of {len(exact) // 2} pairs by {name}")
        try:
            if library == "srm":
                scores, computed = own_scores(bench, name, condition)
                add(bench, name, compare(scores, exact), f"; computed in {computed}")
            elif not add_peer(bench, kept, name, ids, exact):
                ruled_out.add(library)
        except (engines.Unavailable, OSError, bench.SqlError, ValueError) as error:
            bench.note(f"agreement of {name} is left out: {error}")
    return {**raw, "agreement": bench.agreement}
