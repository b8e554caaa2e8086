#!/usr/bin/env python3
"""What 8 bits cost a model, by what is rounded: a simulation in torch, with weights and activations apart.

    tools/study/rounding.py MODEL_DIRECTORY PAIRS.jsonl [--pairs 40] [--group 64 --group 32] [--behind MARKER] [--by map|layer] [--calibrate 20]
        [--outliers 12] [--rotate 64]

MODEL_DIRECTORY is a model of transformers with a linear head "score" that is read at the last token, such as
srm_train writes with aggregation "last", whose marker --behind then names; pairs have "prompt" (text), "chosen" and "rejected", and are rendered by its chat template.  Each linear map's weights, or
its inputs, are rounded to 8 bits with one scale a row (group 0) or one for each group of so many
inputs, and multiplied in f32; --by rounds those of one map of all layers at a time, or of one layer.  A line for each way: the root mean square of the change of a score and of a
margin, beside their standard deviations, Spearman's rank correlation of scores, and flips.

--outliers leaves inputs above so many times the mean magnitude of their row as they are, 16 of a row at
most, as products in int8 do (src/kernel/gemm_loops.h).  --rotate turns each block of so many inputs, and the weights
for them, by a Hadamard matrix with random signs before they are rounded, as QuaRot does (arXiv 2404.00456), so that none stands out.

--calibrate rounds weights also as GPTQ does (arXiv 2210.17323): column after column, each error made good by the
columns behind it, as far as inputs of so many more pairs, which are not scored, say how.
"""

import argparse
import gzip
import json

import torch
from safetensors import safe_open
from transformers import AutoModel, AutoTokenizer


def round_to_bytes(values, group):
    """values (..., n), each group of so many along n with a scale of its own; 0: one group"""
    size = values.shape[-1] if group == 0 or values.shape[-1] % group else group
    parts = values.reshape(*values.shape[:-1], -1, size)
    step = parts.abs().amax(-1, keepdim=True).clamp_min(1e-30) / 127
    return (torch.round(parts / step) * step).reshape(values.shape)


def hadamard(n):
    """(n, n), n a power of 2, orthogonal and symmetric"""
    matrix = torch.ones(1, 1)
    while len(matrix) < n:
        matrix = torch.kron(matrix, torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
    return matrix / n ** 0.5


def turn(values, block, back=False):
    """values (..., n), each block of so many along n turned, or turned back; 0: none is."""
    if block == 0:
        return values
    signs = torch.randint(0, 2, (block,), generator=torch.Generator().manual_seed(1)) * 2.0 - 1.0
    matrix = (signs[:, None] * hadamard(block)).to(values.dtype)
    return (values.unflatten(-1, (-1, block)) @ (matrix.T if back else matrix)).flatten(-2)


def find_outliers(values, limit, most=16):
    """Those of values (..., n) whose magnitude is above limit times the mean of their row, zeros for all others."""
    magnitudes = values.abs()
    bound = limit * magnitudes.mean(-1, keepdim=True)
    while ((magnitudes > bound).sum(-1) > most).any():
        bound = torch.where((magnitudes > bound).sum(-1, keepdim=True) > most, 2 * bound, bound)
    return torch.where(magnitudes > bound, values, 0.0)


def round_by_inputs(weights, moments, group, damping=0.01):
    """As round_to_bytes() of weights (rows, n), but for inputs whose sum of outer products is moments (n, n), double."""
    left, n = weights.double().clone(), weights.shape[1]
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moments + torch.eye(n) * damping * moments.diagonal().mean()))
    factor = torch.linalg.cholesky(inverse, upper=True)
    rounded = torch.empty_like(left)
    size = n if group == 0 or n % group else group
    for start in range(0, n, size):
        step = left[:, start:start + size].abs().amax(1).clamp_min(1e-30) / 127
        for column in range(start, start + size):
            rounded[:, column] = torch.clamp(torch.round(left[:, column] / step), -127, 127) * step
            error = (left[:, column] - rounded[:, column]) / factor[column, column]
            left[:, column:] -= error[:, None] * factor[column, column:]
    return rounded.float()


class Rounded:
    """A model whose linear maps are rounded as asked."""

    def __init__(self, directory, behind, outliers, block):
        self.behind = behind
        self.outliers = outliers    # times the mean magnitude; 0: nothing stands apart
        self.block = block          # of values that are turned
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        self.model = AutoModel.from_pretrained(directory, dtype=torch.float32).eval()
        with safe_open(f"{directory}/model.safetensors", "pt") as file:
            self.head = file.get_tensor("score.weight").float().flatten()
        self.maps = {name: module for name, module in self.model.named_modules() if isinstance(module, torch.nn.Linear)}
        self.exact = {name: module.weight.data.clone() for name, module in self.maps.items()}
        self.inputs = None          # the group of activations, or None
        self.rounded = set()        # names of the maps whose inputs are
        for name, module in self.maps.items():
            module.register_forward_pre_hook(lambda _, inputs, name=name: self.round_inputs(name, inputs))

    def round(self, values, group):
        return turn(round_to_bytes(turn(values, self.block), group), self.block, back=True)

    def round_inputs(self, name, inputs):
        if self.inputs is None or name not in self.rounded:
            return None
        apart = find_outliers(inputs[0], self.outliers) if self.outliers > 0 else torch.zeros_like(inputs[0])
        return (self.round(inputs[0] - apart, self.inputs) + apart,)

    def moments(self, ids):
        """Sums of outer products of the inputs of each map over texts."""
        sums = dict.fromkeys(self.maps, 0)

        def add(name, inputs):
            rows = inputs[0].reshape(-1, inputs[0].shape[-1]).double()
            sums[name] = sums[name] + rows.T @ rows

        hooks = [module.register_forward_pre_hook(lambda _, inputs, name=name: add(name, inputs))
                 for name, module in self.maps.items()]
        self.scores(ids)
        for hook in hooks:
            hook.remove()
        return sums

    def parts(self, by):
        """Names of maps to be rounded together, by what they have in common; all of them if by is None."""
        parts = {}
        for name in self.maps:
            words = name.split(".")
            key = "" if by is None else words[-1] if by == "map" else "layer " + next(word for word in words if word.isdigit())
            parts.setdefault(key, set()).add(name)
        return parts

    def set(self, weights, inputs, names):
        for name, module in self.maps.items():
            exact = self.exact[name]
            module.weight.data = exact if weights is None or name not in names else self.round(exact, weights)
        self.inputs, self.rounded = inputs, names

    def ids(self, prompt, response):
        text = self.tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}], tokenize=False)
        return self.tokenizer(text + self.behind, add_special_tokens=False, return_tensors="pt").input_ids

    def scores(self, ids):
        with torch.no_grad():
            return torch.tensor([(self.model(input_ids=row).last_hidden_state[0, -1] @ self.head).item() for row in ids])


def read_pairs(path, n):
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as file:
        pairs = [pair for pair in map(json.loads, file) if isinstance(pair["prompt"], str)]
    return pairs[:n]


def ranks(values):
    return values.argsort().argsort().float()


def tell(name, scores, exact):
    """Scores come as those of the chosen and the rejected response of each pair in turn."""
    change = scores - exact
    margins, exact_margins = scores[0::2] - scores[1::2], exact[0::2] - exact[1::2]
    correlation = torch.corrcoef(torch.stack([ranks(scores), ranks(exact)]))[0, 1]
    print(f"{name:36} score {change.pow(2).mean().sqrt():.4f} of {exact.std():.3f}, "
          f"margin {(margins - exact_margins).pow(2).mean().sqrt():.4f} of {exact_margins.std():.3f}, "
          f"rank correlation {correlation:.5f}, flips {100 * ((margins * exact_margins) < 0).float().mean():.1f} %",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("pairs_file")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--group", type=int, action="append", help="of 64 and 32 by default")
    parser.add_argument("--by", choices=("map", "layer"))
    parser.add_argument("--calibrate", type=int, default=0, help="pairs behind those that are scored")
    parser.add_argument("--behind", default="", help="text behind each conversation")
    parser.add_argument("--outliers", type=float, default=0, help="times the mean magnitude; none stand apart by default")
    parser.add_argument("--rotate", type=int, default=0, help="inputs in a block, a power of 2; none are turned by default")
    arguments = parser.parse_args()
    if arguments.calibrate and arguments.rotate:
        parser.error("--calibrate rounds weights as they are, and not turned")
    rounded = Rounded(arguments.model, arguments.behind, arguments.outliers, arguments.rotate)
    ids = [rounded.ids(pair["prompt"], pair[side])
           for pair in read_pairs(arguments.pairs_file, arguments.pairs + arguments.calibrate) for side in ("chosen", "rejected")]
    ids, others = ids[:2 * arguments.pairs], ids[2 * arguments.pairs:]
    exact = rounded.scores(ids)
    groups = [0] + (arguments.group or [64, 32])
    ways = [(group, None) for group in groups] + [(None, group) for group in groups] + [(group, group) for group in groups]
    for weights, inputs in ways:
        named = [f"{what} by {'row' if group == 0 else group}" for what, group in (("weights", weights), ("inputs", inputs))
                 if group is not None]
        for part, names in rounded.parts(arguments.by).items():
            rounded.set(weights, inputs, names)
            tell(" ".join([", ".join(named), part]).strip(), rounded.scores(ids), exact)
    rounded.set(None, None, set())
    moments = rounded.moments(others) if others else {}
    for group in groups if others else []:
        for name, module in rounded.maps.items():
            module.weight.data = round_by_inputs(rounded.exact[name], moments[name], group)
        tell(f"weights by {'row' if group == 0 else group}, calibrated", rounded.scores(ids), exact)


if __name__ == "__main__":
    main()
