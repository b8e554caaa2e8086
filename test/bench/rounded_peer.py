"""What llama.cpp's formats do to scores: a simulation in torch of how it rounds.

Weights of the layers are written and read back by its own gguf package; the inputs of their products are
rounded as its kernels for processors do it: in blocks of 32 to 8 bits with a scale of 16 bits, or to the 16
bits of weights.  Products are summed in f32, where llama.cpp sums integers of a block first.
"""

import sys

import numpy as np
import torch

import peers

BLOCK = 32


def round_blocks(x):
    """Q8_0 of the last dimension."""
    blocks = x.reshape(*x.shape[:-1], -1, BLOCK)
    scale = blocks.abs().amax(-1, keepdim=True) / 127
    inverse = torch.where(scale > 0, 1 / scale, 0)
    return (torch.round(blocks * inverse) * scale.half().float()).reshape(x.shape)


# Of inputs, by the format of weights; round_blocks for all others
ROUND_INPUTS = {"f32": None, "bf16": lambda x: x.bfloat16().float(), "f16": lambda x: x.half().float()}


def round_weights(weight, kind):
    import gguf

    format_ = gguf.GGMLQuantizationType[kind.upper()]
    data = gguf.quants.quantize(np.ascontiguousarray(weight.numpy()), format_)
    return torch.from_numpy(np.ascontiguousarray(gguf.quants.dequantize(data, format_)))


class RoundedPeer(peers.TorchPeer):
    def __init__(self, kind, n_threads, directory, package):
        super().__init__("f32", n_threads, directory)
        if package:
            sys.path.insert(0, package)
        round_inputs = ROUND_INPUTS.get(kind, round_blocks)
        for module in self.model.model.layers.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.data = round_weights(module.weight.data, kind)
                if round_inputs:
                    module.register_forward_pre_hook(lambda _, inputs: (round_inputs(inputs[0]),))
