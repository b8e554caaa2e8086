"""The random model as an ONNX graph, of the operators that ONNX Runtime is fastest with.

Hidden states go in for a batch of texts that are padded behind; those before the last norm come out,
of all tokens ("sum") or of the last ("out").  Embedding and head are left out, and so are the norms
of query and key heads.  Weights lie beside the graph, in files of
their own, as a graph may not be larger than 2 GB.
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper

import machine

MICROSOFT = "com.microsoft"
MAX_POSITIONS = 32768
# ONNX Runtime's advice for processors whose products of bytes overflow 16 bits: weights of 7 bits
TOP = 127 if machine.cpu_flags() & {"avx512_vnni", "avx_vnni"} else 63


class Graph:
    def __init__(self, path, kind):
        self.kind = kind            # f32, int8, nbits8 or nbits4
        self.path = path
        self.data = open(path + ".data", "wb")
        self.nodes = []
        self.initializers = []

    def constant(self, name, values):
        values = np.ascontiguousarray(values)
        tensor = TensorProto()
        tensor.name = name
        tensor.data_type = helper.np_dtype_to_tensor_dtype(values.dtype)
        tensor.dims.extend(values.shape)
        tensor.data_location = TensorProto.EXTERNAL
        self.data.write(b"\0" * (-self.data.tell() % 64))
        for key, value in (("location", os.path.basename(self.path) + ".data"),
                           ("offset", self.data.tell()), ("length", values.nbytes)):
            tensor.external_data.add(key=key, value=str(value))
        self.data.write(values.tobytes())
        self.initializers.append(tensor)
        return name

    def node(self, operator, inputs, outputs, domain="", **attributes):
        outputs = [outputs] if isinstance(outputs, str) else outputs
        self.nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def product(self, x, name, weight):
        """x times weight (rows, cols) transposed, in the graph's arithmetic."""
        if self.kind == "int8":
            return self.product_int8(x, name, weight)
        if self.kind.startswith("nbits"):
            return self.product_blocks(x, name, weight, int(self.kind[5:]))
        return self.node("MatMul", [x, self.constant(name, weight.T)], name + ".out")

    def product_int8(self, x, name, weight):
        """u8 activations with one scale a tensor, s8 weights with one an output channel."""
        scales = np.abs(weight).max(axis=1) / TOP
        rounded = np.rint(weight / scales[:, None]).astype(np.int8)
        return self.node("DynamicQuantizeMatMul",
                         [x, self.constant(name, rounded.T), self.constant(name + ".scale", scales)],
                         name + ".out", MICROSOFT)

    def product_blocks(self, x, name, weight, bits, block=32):
        """Weights of so many bits with a scale for each 32 of them; int8 arithmetic."""
        rows, cols = weight.shape
        blocks = weight.reshape(rows, cols // block, block)
        top = 2 ** (bits - 1)
        scales = np.maximum(np.abs(blocks).max(axis=2) / (top - 1), 1e-12)
        values = (np.rint(blocks / scales[:, :, None]) + top).astype(np.uint8)
        if bits == 4:
            values = values[:, :, 0::2] | (values[:, :, 1::2] << 4)
        return self.node("MatMulNBits",
                         [x, self.constant(name, values),
                          self.constant(name + ".scale", scales.astype(np.float32))],
                         name + ".out", MICROSOFT, K=cols, N=rows, bits=bits, block_size=block,
                         accuracy_level=4)


def add_layer(graph, weights, i, x, skip, shape):
    """Returns the outputs of the feed-forward and the residual stream before it."""
    name = f"model.layers.{i}."
    norm = [graph.constant(f"{i}.norm", weights(name + "input_layernorm.weight"))]
    if skip is None:
        normed, stream = graph.node("SimplifiedLayerNormalization", [x] + norm, f"{i}.normed",
                                    epsilon=shape["eps"], axis=-1), x
    else:
        normed, stream = f"{i}.normed", f"{i}.stream"
        graph.node("SkipSimplifiedLayerNormalization", [x, skip] + norm,
                   [normed, "", "", stream], MICROSOFT, epsilon=shape["eps"])
    qkv = graph.product(normed, f"{i}.qkv", np.concatenate(
        [weights(f"{name}self_attn.{part}_proj.weight") for part in "qkv"]))
    graph.node("GroupQueryAttention",
               [qkv, "", "", "past", "past", "last", "total", "cos", "sin"],
               [f"{i}.attention", f"{i}.key", f"{i}.value"], MICROSOFT,
               num_heads=shape["heads"], kv_num_heads=shape["kv_heads"], do_rotary=1)
    output = graph.product(f"{i}.attention", f"{i}.o", weights(name + "self_attn.o_proj.weight"))
    graph.node("SkipSimplifiedLayerNormalization",
               [output, stream, graph.constant(f"{i}.norm2", weights(name + "post_attention_layernorm.weight"))],
               [f"{i}.normed2", "", "", f"{i}.stream2"], MICROSOFT, epsilon=shape["eps"])
    gate = graph.product(f"{i}.normed2", f"{i}.gate", weights(name + "mlp.gate_proj.weight"))
    up = graph.product(f"{i}.normed2", f"{i}.up", weights(name + "mlp.up_proj.weight"))
    active = graph.node("QuickGelu", [gate], f"{i}.silu", MICROSOFT, alpha=1.0)
    product = graph.node("Mul", [active, up], f"{i}.gated")
    return graph.product(product, f"{i}.down", weights(name + "mlp.down_proj.weight")), f"{i}.stream2"


def rotations(head_dim, theta):
    angles = np.outer(np.arange(MAX_POSITIONS), theta ** (-np.arange(0, head_dim, 2) / head_dim))
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def make(path, kind, weights, shape):
    """weights: a function from a tensor's name to f32 values."""
    graph = Graph(path, kind)
    cos, sin = rotations(shape["head_dim"], shape["theta"])
    graph.constant("cos", cos)
    graph.constant("sin", sin)
    x, skip = "hidden", None
    for i in range(shape["layers"]):
        x, skip = add_layer(graph, weights, i, x, skip, shape)
    graph.node("Add", [x, skip], "sum")
    graph.initializers.append(helper.make_tensor("at", TensorProto.INT64, [1], [-1]))
    graph.node("Gather", ["sum", "at"], "out", axis=1)
    graph.data.close()
    past = helper.make_tensor_value_info("past", TensorProto.FLOAT, ["b", shape["kv_heads"], 0, shape["head_dim"]])
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "bench",
            [helper.make_tensor_value_info("hidden", TensorProto.FLOAT, ["b", "n", shape["dim"]]), past,
             helper.make_tensor_value_info("last", TensorProto.INT32, ["b"]),
             helper.make_tensor_value_info("total", TensorProto.INT32, [1])],
            [helper.make_tensor_value_info("out", TensorProto.FLOAT, ["b", 1, shape["dim"]]),
             helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["b", "n", shape["dim"]])],
            graph.initializers),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)], ir_version=10)
    with open(path, "wb") as file:
        file.write(model.SerializeToString())
