"""LoRA over a Llama backbone that is trained on preference pairs, with a value head: forward and backward.

What differs from `peft` over `transformers` is where the time goes, not what is computed (test_lora.py compares
the two).  Adapters are added to the weights before a step, so that a pass is made of large products alone; a pair is
a tree, whose prompt is computed once for both responses; nothing is padded.
"""

import json
import math
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

# Products of a layer that share their input are one, in the order of their rows
GROUPS = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"), "down": ("mlp.down_proj",)}


class Product(torch.autograd.Function):
    """y = x W^T where W = W0 + s B A, for modules that share x [N, in]: W [sum of outs, in], A [modules * r, in], B [sum of outs, r]."""

    @staticmethod
    def forward(ctx, x, weight, a, b, outs, s):
        ctx.save_for_backward(x, weight, a, b)
        ctx.outs, ctx.s = outs, s
        return x @ weight.t()

    @staticmethod
    def backward(ctx, dy):
        x, weight, a, b = ctx.saved_tensors
        r = b.shape[1]
        xa = x @ a.t()
        db, dyb = [], []
        for i, (rows, b_rows) in enumerate(zip(dy.split(ctx.outs, 1), b.split(ctx.outs))):
            db.append(rows.t() @ xa[:, i * r:(i + 1) * r])
            dyb.append(rows @ b_rows)
        dx = dy @ weight if ctx.needs_input_grad[0] else None
        return dx, None, (torch.cat(dyb, 1).t() @ x) * ctx.s, torch.cat(db) * ctx.s, None, None


class Attention(torch.autograd.Function):
    """q [N, heads, d], already scaled, k and v [N, key heads, d]: trees one after another, each with what is added to its scores, [T, T]."""

    @staticmethod
    def forward(ctx, q, k, v, lengths, masks):
        heads, groups = q.shape[1], k.shape[1]
        kept, out = [], []
        for mask, *qkv in zip(masks, q.split(lengths), k.split(lengths), v.split(lengths)):
            # the heads of one key head are rows of one product
            qi, ki, vi = (t.transpose(0, 1).reshape(groups, -1, t.shape[-1]) for t in qkv)
            bias = mask.repeat(heads // groups, 1).expand(groups, -1, -1)
            p = torch.softmax(torch.baddbmm(bias, qi, ki.transpose(1, 2)), -1)
            out.append((p @ vi).view(heads, len(mask), -1).transpose(0, 1))
            kept += [qi, ki, vi, p]
        ctx.save_for_backward(*kept)
        ctx.lengths, ctx.heads = lengths, heads
        return torch.cat(out)

    @staticmethod
    def backward(ctx, dout):
        dq, dk, dv = [], [], []
        for i, do in enumerate(dout.split(ctx.lengths)):
            q, k, v, p = ctx.saved_tensors[4 * i:4 * i + 4]
            do = do.transpose(0, 1).reshape(q.shape)
            ds = torch._softmax_backward_data(do @ v.transpose(1, 2), p, -1, p.dtype)
            dq.append((ds @ k).view(ctx.heads, k.shape[1], -1).transpose(0, 1))
            dk.append((ds.transpose(1, 2) @ q).transpose(0, 1))
            dv.append((p.transpose(1, 2) @ do).transpose(0, 1))
        return torch.cat(dq), torch.cat(dk), torch.cat(dv), None, None


def norm(x, weight, eps):
    """RMSNorm, in f32."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)).to(x.dtype) * weight


def rotate(x, cos, sin):
    first, second = x.chunk(2, -1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def gate(x):
    """x [N, 2 * inner], gate before up -> silu(gate) * up."""
    gate, up = x.chunk(2, 1)
    return F.silu(gate) * up


def gate_backward(x, dy):
    gate, up = (half.float() for half in x.chunk(2, 1))
    dy, open_ = dy.float(), torch.sigmoid(gate)
    return torch.cat((dy * up * open_ * (1 + gate * (1 - open_)), dy * gate * open_), 1).to(x.dtype)


class Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return gate(x)

    @staticmethod
    def backward(ctx, dy):
        return gate_backward(ctx.saved_tensors[0], dy)


def compile_parts():
    """What is not a product becomes one pass over its elements."""
    for name in ("norm", "rotate", "gate", "gate_backward"):
        globals()[name] = torch.compile(globals()[name], dynamic=True)


class Lora(torch.nn.Module):
    """A directory's backbone with adapters on all products of its layers and a value head; A, B and `score` [H] are what is trained."""

    def __init__(self, directory, rank, alpha, seed, dtype=torch.bfloat16):
        super().__init__()
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        weights = {name.removeprefix("model."): value.to(dtype)
                   for name, value in load_file(os.path.join(directory, "model.safetensors")).items()}
        self.layers, self.eps = self.config["num_hidden_layers"], self.config["rms_norm_eps"]
        self.heads, self.key_heads = self.config["num_attention_heads"], self.config["num_key_value_heads"]
        self.head_dim = self.config["hidden_size"] // self.heads
        theta = self.config.get("rope_theta") or self.config["rope_parameters"]["rope_theta"]
        self.frequencies = theta ** -(torch.arange(0, self.head_dim, 2) / self.head_dim)
        self.dtype, self.rank, self.alpha, self.s = dtype, rank, alpha, alpha / rank
        self.embedding, self.last_norm = weights["embed_tokens.weight"], weights["norm.weight"]
        self.norms = [[weights[f"layers.{n}.{name}_layernorm.weight"] for name in ("input", "post_attention")]
                      for n in range(self.layers)]
        self.start(weights, torch.Generator().manual_seed(seed))

    def start(self, weights, generator):
        """A as `peft` starts it, B zero; the head as in the base, if that has one."""
        self.weights, self.merged, self.outs = {}, {}, {}
        self.a, self.b = torch.nn.ParameterDict(), torch.nn.ParameterDict()
        for n in range(self.layers):
            for group, names in GROUPS.items():
                parts = [weights[f"layers.{n}.{name}.weight"] for name in names]
                key, columns = f"{group}_{n}", parts[0].shape[1]
                self.weights[key] = torch.cat(parts)
                self.merged[key] = torch.empty_like(self.weights[key])
                self.outs[key] = [len(part) for part in parts]
                uniform = torch.rand(len(parts) * self.rank, columns, generator=generator) * 2 - 1
                self.a[key] = torch.nn.Parameter(uniform / math.sqrt(columns))
                self.b[key] = torch.nn.Parameter(torch.zeros(sum(self.outs[key]), self.rank))
        has_score = "score.weight" in weights
        score = weights["score.weight"][0].float() if has_score else torch.randn(self.config["hidden_size"], generator=generator) * 0.02
        self.score = torch.nn.Parameter(score)

    def merge(self):
        """Adds adapters to weights; gradients go to copies in the precision of the pass until gather()."""
        self.leaves = {key: (self.a[key].detach().to(self.dtype).requires_grad_(),
                             self.b[key].detach().to(self.dtype).requires_grad_()) for key in self.weights}
        with torch.no_grad():
            for key, (a, b) in self.leaves.items():
                parts = (t.split(self.outs[key]) for t in (self.weights[key], b, self.merged[key]))
                for weight, b_rows, merged, a_rows in zip(*parts, a.split(self.rank)):
                    torch.addmm(weight, b_rows, a_rows, alpha=self.s, out=merged)

    def gather(self):
        """Adds the gradients of the last pass to those of A and B."""
        for key, leaves in self.leaves.items():
            for parameter, leaf in zip((self.a[key], self.b[key]), leaves):
                grad = leaf.grad.float()
                parameter.grad = grad if parameter.grad is None else parameter.grad + grad
                leaf.grad = None

    def product(self, key, x):
        return Product.apply(x, self.merged[key], *self.leaves[key], self.outs[key], self.s)

    def hidden(self, ids, positions, lengths, masks):
        """ids and positions [N] of trees one after another, of these lengths, with a mask [T, T] each -> hidden states [N, H]."""
        n_turned, n = self.heads + self.key_heads, len(ids)
        angles = (positions[:, None] * self.frequencies)[:, None]
        scale = torch.ones(n_turned, 1)
        scale[:self.heads] = self.head_dim ** -0.5  # that of scores stands in the queries
        cos, sin = (angles.cos() * scale).to(self.dtype), (angles.sin() * scale).to(self.dtype)
        x = self.embedding[ids]
        for number, (before, after) in enumerate(self.norms):
            qkv = self.product(f"qkv_{number}", norm(x, before, self.eps)).view(n, n_turned + self.key_heads, -1)
            qk = rotate(qkv[:, :n_turned], cos, sin)
            states = Attention.apply(qk[:, :self.heads], qk[:, self.heads:], qkv[:, n_turned:], lengths, masks)
            x = x + self.product(f"o_{number}", states.reshape(n, -1))
            x = x + self.product(f"down_{number}", Gate.apply(self.product(f"gate_up_{number}", norm(x, after, self.eps))))
        return norm(x, self.last_norm, self.eps)

    def scores(self, pairs):
        """Pairs as Pair has them -> values at the ends of both responses, [pairs, 2] in f32."""
        trees = [pair.tree(self.dtype) for pair in pairs]
        lengths = [len(ids) for ids, _, _, _ in trees]
        ids, positions = (torch.cat([tree[i] for tree in trees]) for i in (0, 1))
        states = self.hidden(ids, positions, lengths, [tree[2] for tree in trees])
        starts = [sum(lengths[:i]) for i in range(len(lengths))]
        ends = [start + end for start, tree in zip(starts, trees) for end in tree[3]]
        return (states[ends].float() @ self.score).view(-1, 2)

    def load(self, path):
        """What save() wrote, of the same rank."""
        tensors = {name: tensor.float() for name, tensor in load_file(path).items()}
        with torch.no_grad():
            self.score.copy_(tensors["base_model.model.score.weight"][0])
            for n in range(self.layers):
                for group, names in GROUPS.items():
                    at = [f"base_model.model.model.layers.{n}.{name}.lora_" for name in names]
                    self.a[f"{group}_{n}"].copy_(torch.cat([tensors[name + "A.weight"] for name in at]))
                    self.b[f"{group}_{n}"].copy_(torch.cat([tensors[name + "B.weight"] for name in at]))

    def save(self, path):
        """As `peft` names them, in bfloat16 like those that srm_train writes."""
        tensors = {"base_model.model.score.weight": self.score.data[None]}
        for n in range(self.layers):
            for group, names in GROUPS.items():
                key = f"{group}_{n}"
                for name, a, b in zip(names, self.a[key].data.split(self.rank), self.b[key].data.split(self.outs[key])):
                    at = f"base_model.model.model.layers.{n}.{name}.lora_"
                    tensors[at + "A.weight"], tensors[at + "B.weight"] = a, b
        save_file({name: tensor.to(torch.bfloat16).contiguous() for name, tensor in tensors.items()}, path, {"format": "pt"})
        os.chmod(path, 0o644)  # a server reads it as another user


class Pair:
    """Tokens of two conversations that begin alike."""

    def __init__(self, chosen, rejected):
        self.chosen, self.rejected = chosen, rejected
        shorter = min(len(chosen), len(rejected))
        self.shared = next((i for i in range(shorter) if chosen[i] != rejected[i]), shorter)

    def __len__(self):
        return len(self.chosen) + len(self.rejected) - self.shared

    def tree(self, dtype):
        """ids and positions [T], what is added to scores [T, T], and where the two end: what both begin with, then each one's own."""
        n, shared, n_chosen = len(self), self.shared, len(self.chosen)
        ids = torch.tensor(self.chosen + self.rejected[shared:])
        positions = torch.cat((torch.arange(n_chosen), torch.arange(shared, len(self.rejected))))
        mask = torch.full((n, n), float("-inf"), dtype=dtype).triu(1)
        mask[n_chosen:, shared:n_chosen] = float("-inf")
        return ids, positions, mask, (n_chosen - 1, n - 1 if len(self.rejected) > shared else shared - 1)
