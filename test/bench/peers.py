#!/usr/bin/env python3
"""Other engines with the same model, each in a process of its own.

usage: peers.py ENGINE THREADS MODEL_DIRECTORY [GRAPH]

ENGINE is torch-f32, torch-bf16, torch-int8, or with a graph ort-KIND, ov-KIND, or rounded-KIND with the
folder of the gguf package, or nothing, instead.  Each line of the
input is answered by one of the output

	pass N			seconds of a pass over N tokens
	batches FILE	seconds for all lists of token ids in a file, in batches of 32 of about the same length
	scores FILE		the scores of these, one by one, as a JSON list
"""

import json
import os
import sys
import time

import numpy as np

from checkpoint import Checkpoint

BATCH = 32


class TorchPeer:
    def __init__(self, kind, n_threads, directory):
        import torch
        from transformers import AutoModelForSequenceClassification

        torch.set_num_threads(n_threads)
        torch.set_grad_enabled(False)
        model = AutoModelForSequenceClassification.from_pretrained(
            directory, dtype=torch.bfloat16 if kind == "bf16" else torch.float32).eval()
        if kind == "int8":
            model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
        self.torch, self.model = torch, model
        self.generator = np.random.default_rng(1)

    def seconds(self, n_tokens):
        ids = self.torch.from_numpy(self.generator.integers(0, self.model.config.vocab_size, (1, n_tokens)))
        start = time.perf_counter()
        hidden = self.model.model(input_ids=ids, use_cache=False).last_hidden_state
        float(self.model.score(hidden[:, -1]))
        return time.perf_counter() - start

    def values(self, ids, lengths):
        """Padding lies behind what a causal model reads, so no mask is needed."""
        with self.torch.inference_mode():       # which holds for one thread alone
            hidden = self.model.model(input_ids=self.torch.from_numpy(ids), use_cache=False).last_hidden_state
            last = hidden[self.torch.arange(len(ids)), self.torch.from_numpy(lengths - 1)]
            return self.model.score(last).float().numpy().reshape(-1)


class GraphPeer:
    """Of the layers alone: embedding, last norm and head are here."""

    def __init__(self, directory):
        checkpoint = Checkpoint(directory)
        self.checkpoint, self.shape = checkpoint, checkpoint.shape()
        self.norm = checkpoint.weights("model.norm.weight")
        self.head, self.bias = checkpoint.head()
        self.generator = np.random.default_rng(1)
        self.embedding = None

    def seconds(self, n_tokens):
        hidden = self.generator.standard_normal((1, n_tokens, self.shape["dim"]), np.float32)
        start = time.perf_counter()
        self.last_states(hidden, np.array([n_tokens]))
        return time.perf_counter() - start

    def values(self, ids, lengths):
        if self.embedding is None:
            self.embedding = self.checkpoint.weights("model.embed_tokens.weight")
        states = self.last_states(self.embedding[ids], lengths)
        scale = 1 / np.sqrt(np.mean(states.astype(np.float64) ** 2, axis=1, keepdims=True) + self.shape["eps"])
        return (states * scale * self.norm) @ self.head.astype(np.float64) + self.bias


class OnnxPeer(GraphPeer):
    def __init__(self, n_threads, directory, graph):
        import onnxruntime

        super().__init__(directory)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = n_threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def last_states(self, hidden, lengths):
        """Of one text, the graph itself picks the last token."""
        n_texts, n_tokens, _ = hidden.shape
        past = np.zeros((n_texts, self.shape["kv_heads"], 0, self.shape["head_dim"]), np.float32)
        feed = {"hidden": hidden, "past": past, "last": (lengths - 1).astype(np.int32),
                "total": np.array([n_tokens], np.int32)}
        if n_texts == 1:
            return self.session.run(["out"], feed)[0][0]
        return self.session.run(["sum"], feed)[0][np.arange(n_texts), lengths - 1]


class OpenVinoPeer(GraphPeer):
    def __init__(self, kind, n_threads, directory, graph):
        import openvino

        super().__init__(directory)
        hint = "bf16" if kind == "bf16" else "f32"
        self.compiled = openvino.Core().compile_model(graph, "CPU", {
            "INFERENCE_NUM_THREADS": n_threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": hint, "ENABLE_CPU_PINNING": os.environ.get("OMP_PROC_BIND") == "true"})
        self.request = self.compiled.create_infer_request()

    def last_states(self, hidden, lengths):
        out = self.request.infer({0: hidden}, share_inputs=True, share_outputs=True)[0]
        return out[np.arange(len(hidden)), lengths - 1]


def in_batches(peer, texts, size=BATCH):
    """Values of lists of token ids, those of about the same length together."""
    values = np.zeros(len(texts))
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    for at in range(0, len(texts), size):
        some = order[at:at + size]
        lengths = np.array([len(texts[i]) for i in some])
        ids = np.zeros((len(some), lengths.max()), np.int64)
        for row, i in enumerate(some):
            ids[row, :lengths[row]] = texts[i]
        values[some] = peer.values(ids, lengths)
    return values.tolist()


def batch_seconds(peer, texts):
    in_batches(peer, sorted(texts, key=len)[:BATCH])
    start = time.perf_counter()
    in_batches(peer, texts)
    return time.perf_counter() - start


def open_peer(engine, n_threads, directory, graph=None):
    library, kind = engine.split("-")
    if library == "torch":
        return TorchPeer(kind, n_threads, directory)
    if library == "rounded":
        from rounded_peer import RoundedPeer

        return RoundedPeer(kind, n_threads, directory, graph)
    if library == "ort":
        return OnnxPeer(n_threads, directory, graph)
    return OpenVinoPeer(kind, n_threads, directory, graph)


def read_texts(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main():
    peer = open_peer(sys.argv[1], int(sys.argv[2]), *sys.argv[3:])
    print("ready", flush=True)
    for line in sys.stdin:
        command, what = line.rstrip("\n").split(" ", 1)
        if command == "pass":
            print(peer.seconds(int(what)), flush=True)
        elif command == "batches":
            print(batch_seconds(peer, read_texts(what)), flush=True)
        else:
            print(json.dumps(in_batches(peer, read_texts(what), 1)), flush=True)


if __name__ == "__main__":
    main()
