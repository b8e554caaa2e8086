"""A model as OpenVINO has it, of operators that its plugin for processors fuses.

Hidden states go in, and those before the last norm come out, for a batch of texts that are padded behind.
8 bits are those of weights, with one scale an output channel; what becomes of activations is OpenVINO's own
choice (its default is dynamic quantization in groups of 32, where the processor has instructions for it).
"""

import numpy as np
import openvino as ov
from openvino import opset13 as op


def product(x, weight, kind):
    """x times weight (rows, cols) transposed."""
    if kind != "int8":
        return op.matmul(x, op.constant(np.ascontiguousarray(weight)), False, True)
    scales = np.maximum(np.abs(weight).max(axis=1, keepdims=True), 1e-12) / 127
    rounded = np.rint(weight / scales).astype(np.int8)
    unpacked = op.multiply(op.convert(op.constant(rounded), "f32"), op.constant(scales.astype(np.float32)))
    return op.matmul(x, unpacked, False, True)


def norm(x, weight, eps):
    square = op.power(x, np.float32(2))
    mean = op.reduce_mean(square, np.array([-1]), True)
    scale = op.divide(np.float32(1), op.sqrt(op.add(mean, np.float32(eps))))
    return op.multiply(op.multiply(x, scale), op.constant(weight))


def split_heads(x, n_heads, head_dim):
    """(batch, tokens, heads * size) to (batch, heads, tokens, size)"""
    split = op.reshape(x, np.array([0, 0, n_heads, head_dim]), True)
    return op.transpose(split, np.array([0, 2, 1, 3]))


def rotate(x, cos, sin):
    first, second = op.split(x, np.array(3), 2).outputs()
    turned = op.concat([op.multiply(second, np.float32(-1)), first], 3)
    return op.add(op.multiply(x, cos), op.multiply(turned, sin))


def repeat(x, shape):
    """Key or value heads (batch, heads, tokens, size) for all heads of queries."""
    times = shape["heads"] // shape["kv_heads"]
    wide = op.tile(op.unsqueeze(x, np.array([2])), np.array([1, 1, times, 1, 1]))
    return op.reshape(wide, np.array([0, shape["heads"], -1, shape["head_dim"]]), True)


def positions(hidden, shape):
    """Cosines and sines (1, 1, tokens, head size) of as many positions as there are tokens."""
    n_tokens = op.gather(op.shape_of(hidden), np.array(1), np.array(0))
    at = op.convert(op.range(np.array(0), n_tokens, np.array(1), "i64"), "f32")
    size = shape["head_dim"]
    frequencies = (shape["theta"] ** (-np.arange(0, size, 2) / size)).astype(np.float32)
    angles = op.multiply(op.unsqueeze(at, np.array([1])), op.constant(np.concatenate([frequencies] * 2)[None, :]))
    angles = op.unsqueeze(angles, np.array([0, 1]))
    return op.cos(angles), op.sin(angles)


def add_attention(x, weights, name, shape, kind, turns):
    query, key, value = (
        split_heads(product(x, weights(f"{name}{part}_proj.weight"), kind), n_heads, shape["head_dim"])
        for part, n_heads in (("q", shape["heads"]), ("k", shape["kv_heads"]), ("v", shape["kv_heads"])))
    if shape["head_norms"]:
        query = norm(query, weights(name + "q_norm.weight"), shape["eps"])
        key = norm(key, weights(name + "k_norm.weight"), shape["eps"])
    query, key = rotate(query, *turns), rotate(key, *turns)
    attended = op.scaled_dot_product_attention(query, repeat(key, shape), repeat(value, shape), causal=True)
    joined = op.reshape(op.transpose(attended, np.array([0, 2, 1, 3])),
                        np.array([0, 0, shape["heads"] * shape["head_dim"]]), True)
    return product(joined, weights(name + "o_proj.weight"), kind)


def add_layer(x, weights, i, shape, kind, turns):
    name = f"model.layers.{i}."
    normed = norm(x, weights(name + "input_layernorm.weight"), shape["eps"])
    x = op.add(x, add_attention(normed, weights, name + "self_attn.", shape, kind, turns))
    normed = norm(x, weights(name + "post_attention_layernorm.weight"), shape["eps"])
    gate = product(normed, weights(name + "mlp.gate_proj.weight"), kind)
    up = product(normed, weights(name + "mlp.up_proj.weight"), kind)
    return op.add(x, product(op.multiply(op.swish(gate), up), weights(name + "mlp.down_proj.weight"), kind))


def make(path, kind, weights, shape):
    """weights: a function from a tensor's name to f32 values."""
    hidden = op.parameter([-1, -1, shape["dim"]], np.float32, "hidden")
    turns = positions(hidden, shape)
    x = hidden
    for i in range(shape["layers"]):
        x = add_layer(x, weights, i, shape, kind, turns)
    model = ov.Model([op.result(x)], [hidden], "bench")
    ov.save_model(model, path, compress_to_fp16=False)
