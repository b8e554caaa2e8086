"""The decoder (as of Llama), its value head, and the aggregator over sentences."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class Shape:
    """Sizes of a model."""

    vocab: int = 6144
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    inner: int = 384
    attention_dim: int = 64
    theta: float = 10000.0
    epsilon: float = 1e-5
    max_tokens: int = 4096


def rotation(positions, dim, theta):
    """cos and sin, (len(positions), dim / 2)."""
    frequency = theta ** (-torch.arange(0, dim, 2, dtype=torch.float32) / dim)
    angle = positions.float().unsqueeze(-1) * frequency
    return angle.cos(), angle.sin()


def rotate_halves(x, cos, sin):
    """The decoder's rotary embedding: dimension j pairs with j + dim / 2."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


def rotate_pairs(x, cos, sin):
    """The aggregator's rotary embedding: dimension 2j pairs with 2j + 1."""
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, b * cos + a * sin), dim=-1).flatten(-2)


class Layer(nn.Module):
    """RMSNorm, causal attention, RMSNorm, SwiGLU."""

    def __init__(self, shape, dropout):
        super().__init__()
        self.heads = shape.heads
        self.dropout = dropout
        self.epsilon = shape.epsilon
        self.norm_1 = nn.Parameter(torch.ones(shape.hidden))
        self.norm_2 = nn.Parameter(torch.ones(shape.hidden))
        self.qkv = nn.Linear(shape.hidden, 3 * shape.hidden, bias=False)
        self.out = nn.Linear(shape.hidden, shape.hidden, bias=False)
        self.gate_up = nn.Linear(shape.hidden, 2 * shape.inner, bias=False)
        self.down = nn.Linear(shape.inner, shape.hidden, bias=False)

    def forward(self, x, cos, sin):
        n, t, width = x.shape
        h = F.rms_norm(x, (width,), self.norm_1, self.epsilon)
        q, k, v = self.qkv(h).view(n, t, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        h = F.scaled_dot_product_attention(rotate_halves(q, cos, sin), rotate_halves(k, cos, sin),
                                           v, is_causal=True)
        h = self.out(h.transpose(1, 2).reshape(n, t, width))
        x = x + F.dropout(h, self.dropout, self.training)
        gate, up = self.gate_up(F.rms_norm(x, (width,), self.norm_2, self.epsilon)).chunk(2, dim=-1)
        return x + F.dropout(self.down(F.silu(gate) * up), self.dropout, self.training)


class RewardModel(nn.Module):
    """Hidden states, values, and scores by attention over sentences or by the last value."""

    def __init__(self, shape, aggregation, dropout):
        super().__init__()
        self.shape = shape
        self.aggregation = aggregation
        self.dropout = dropout
        self.embedding = nn.Embedding(shape.vocab, shape.hidden)
        self.layers = nn.ModuleList(Layer(shape, dropout) for _ in range(shape.layers))
        self.norm = nn.Parameter(torch.ones(shape.hidden))
        self.score = nn.Linear(shape.hidden, 1, bias=False)
        self.query = nn.Linear(shape.hidden, shape.attention_dim)
        self.key = nn.Linear(shape.hidden, shape.attention_dim)
        self.reset()

    def reset(self):
        """Small random weights; the outputs of layers start smaller still."""
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                std = 0.02 if "embedding" in name else weight.shape[1] ** -0.5
                if name.endswith(("out.weight", "down.weight")):
                    std *= (2 * self.shape.layers) ** -0.5
                nn.init.normal_(weight, std=std)
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def hidden(self, ids):
        """ids (n, t) to final-norm hidden states (n, t, hidden)."""
        x = F.dropout(self.embedding(ids), self.dropout, self.training)
        cos, sin = rotation(torch.arange(ids.shape[1]), self.shape.hidden // self.shape.heads,
                            self.shape.theta)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return F.rms_norm(x, (self.shape.hidden,), self.norm, self.shape.epsilon)

    def language_loss(self, hidden, targets, keep):
        """Mean cross entropy of the tokens at which KEEP is true."""
        logits = hidden[keep] @ self.embedding.weight.T
        return F.cross_entropy(logits, targets[keep])

    def values(self, hidden, marks):
        """Hidden states at the boundaries (n, s, hidden), and their values (n, s)."""
        at = marks.unsqueeze(-1).expand(-1, -1, hidden.shape[-1])
        boundary = hidden.gather(1, at)
        return boundary, self.score(boundary).squeeze(-1)

    def scores(self, hidden, marks, counts):
        """One score a conversation; boundaries past counts (n) are padding."""
        boundary, value = self.values(hidden, marks)
        last = (counts - 1).unsqueeze(1)
        if self.aggregation == "last":
            return value.gather(1, last).squeeze(1)
        reward = torch.cat((value[:, :1], value[:, 1:] - value[:, :-1]), dim=1)
        weight = self.weights(boundary, last)
        return (weight * reward).sum(dim=1)

    def weights(self, boundary, last):
        """Attention of the last boundary over all of them, (n, s)."""
        n, s, width = boundary.shape
        cos, sin = rotation(torch.arange(s), self.shape.attention_dim, 10000.0)
        end = boundary.gather(1, last.unsqueeze(-1).expand(-1, -1, width))
        query = rotate_pairs(self.query(end), cos[last], sin[last])
        key = rotate_pairs(self.key(boundary), cos, sin)
        logit = (query * key).sum(dim=-1) * self.shape.attention_dim ** -0.5
        return logit.masked_fill(torch.arange(s) > last, float("-inf")).softmax(dim=1)
