"""The aggregator of arXiv 2503.04793, stated in numpy and double precision.

Written from the formulas, independently of the C code that is compared with it.
Shapes: h (n + 1, H) hidden states at the boundaries t_0 .. t_n.
"""

import numpy as np


def rotate(x, position, theta=10000.0):
    """x (d), its adjacent pairs (2j, 2j + 1) turned by position / theta^(2j / d)."""
    d = x.shape[0]
    pairs = x[0::2] + 1j * x[1::2]
    turned = pairs * np.exp(1j * position * theta ** (-2.0 * np.arange(d // 2) / d))
    out = np.empty(d)
    out[0::2] = turned.real
    out[1::2] = turned.imag
    return out


def values(h, w, b):
    return h @ w + b


def rewards(v):
    """c_0 = v_0, c_i = v_i - v_(i-1)."""
    return np.concatenate([v[:1], v[1:] - v[:-1]])


def attention(h, query_weight, query_bias, key_weight, key_bias):
    """a_0 .. a_n: softmax of q . k_i / sqrt(d), the query being that of the last boundary."""
    n = h.shape[0] - 1
    d = query_weight.shape[0]
    q = rotate(query_weight @ h[n] + query_bias, n)
    logits = np.array([q @ rotate(key_weight @ h[i] + key_bias, i) for i in range(n + 1)])
    weights = np.exp((logits - logits.max()) / np.sqrt(d))
    return weights / weights.sum()


def scores(v, a, response_values):
    """The score by every aggregation; those over sentences need one at least."""
    c = rewards(v)
    result = {"last": v[-1], "sum": v[-1] - v[0], "attention": a @ c}
    if len(v) > 1:
        result.update(mean=c[1:].mean(), min=c[1:].min(), max=c[1:].max(),
                      token_mean=response_values.mean())
    return result
