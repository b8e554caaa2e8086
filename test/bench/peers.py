#!/usr/bin/env python3
"""Other engines with the same model, each in a process of its own.

usage: peers.py ENGINE THREADS MODEL_DIRECTORY

Makes a pass at each line of the input, which is a number of tokens, and prints
the seconds that it took.  ENGINE is torch-f32, torch-bf16, torch-int8, or
ort-KIND with a path of a graph as the directory.

usage: peers.py batch-DTYPE THREADS MODEL_DIRECTORY FILE

Prints the seconds that PyTorch takes for all lists of token ids in the file, in
batches of 32 of about the same length.
"""

import json
import sys
import time

import numpy as np


def open_torch(kind, n_threads, directory):
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(n_threads)
    torch.set_grad_enabled(False)
    model = AutoModelForSequenceClassification.from_pretrained(
        directory, dtype=torch.bfloat16 if kind == "bf16" else torch.float32).eval()
    if kind == "int8":
        model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8)
    base = model.model
    generator = np.random.default_rng(1)

    def run(n_tokens):
        ids = torch.from_numpy(generator.integers(0, 100000, (1, n_tokens)))
        start = time.perf_counter()
        hidden = base(input_ids=ids, use_cache=False).last_hidden_state
        float(model.score(hidden[:, -1]))
        return time.perf_counter() - start

    return run


def batch_seconds(dtype, n_threads, directory, path, batch=32):
    import torch
    from transformers import AutoModelForSequenceClassification

    torch.set_num_threads(n_threads)
    torch.set_grad_enabled(False)
    model = AutoModelForSequenceClassification.from_pretrained(
        directory, dtype=torch.bfloat16 if dtype == "bf16" else torch.float32).eval()
    with open(path, encoding="utf-8") as file:
        texts = sorted(json.load(file), key=len)

    def run(some):
        ids = torch.zeros(len(some), max(map(len, some)), dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, text in enumerate(some):
            ids[i, :len(text)] = torch.tensor(text)
            mask[i, :len(text)] = 1
        hidden = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
        last = mask.sum(1) - 1
        return model.score(hidden[torch.arange(len(some)), last])

    run(texts[:batch])
    start = time.perf_counter()
    for at in range(0, len(texts), batch):
        run(texts[at:at + batch])
    return time.perf_counter() - start


def open_onnx(n_threads, path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inputs = {value.name: value.shape for value in session.get_inputs()}
    past = np.zeros(inputs["past"], np.float32)
    generator = np.random.default_rng(1)

    def run(n_tokens):
        feed = {"hidden": generator.standard_normal((1, n_tokens, inputs["hidden"][2]), np.float32),
                "past": past, "last": np.array([n_tokens - 1], np.int32),
                "total": np.array([n_tokens], np.int32)}
        start = time.perf_counter()
        session.run(["out"], feed)
        return time.perf_counter() - start

    return run


def main():
    engine, n_threads, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    library, kind = engine.split("-")
    if library == "batch":
        print(batch_seconds(kind, n_threads, directory, sys.argv[4]))
        return
    run = open_torch(kind, n_threads, directory) if library == "torch" else open_onnx(n_threads, directory)
    print("ready", flush=True)
    for line in sys.stdin:
        print(run(int(line)), flush=True)


if __name__ == "__main__":
    main()
