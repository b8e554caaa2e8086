#!/usr/bin/env python3
"""Makes test/data/aggregator.json: scores of random hidden states, by every aggregation.

usage: make_aggregator.py [output]    (requirements.txt has the versions)
"""

import sys

import numpy as np

import formulas
import output

HIDDEN, DIM, SEED = 16, 8, 20250304


def rounded(rng, *shape, scale=1.0):
    """Few digits, so that the file is small and the inputs are the same in f32."""
    return np.float32(np.round(rng.normal(size=shape) * scale, 3)).astype(np.float64)


def case(rng, n, model):
    h = rounded(rng, n + 1, HIDDEN)
    response_values = rounded(rng, 3 * n)
    v = formulas.values(h, model["value_weight"], model["value_bias"])
    a = formulas.attention(h, model["query_weight"], model["query_bias"],
                           model["key_weight"], model["key_bias"])
    return {"n": n, "h": h.round(3), "response_values": response_values.round(3), "v": v,
            "c": formulas.rewards(v), "a": a, "scores": formulas.scores(v, a, response_values)}


def main():
    rng = np.random.default_rng(SEED)
    model = {"value_weight": rounded(rng, HIDDEN), "value_bias": rounded(rng, 1)[0],
             "query_weight": rounded(rng, DIM, HIDDEN, scale=0.5),
             "query_bias": rounded(rng, DIM, scale=0.5),
             "key_weight": rounded(rng, DIM, HIDDEN, scale=0.5),
             "key_bias": rounded(rng, DIM, scale=0.5)}
    cases = [case(rng, n, model) for n in (0, 1, 2, 17, 300)]
    shown = {key: np.round(value, 3) for key, value in model.items()}
    output.write(sys.argv[1] if len(sys.argv) > 1 else "test/data/aggregator.json",
                 {"hidden_dim": HIDDEN, "dim": DIM, **shown, "cases": cases})


if __name__ == "__main__":
    main()
