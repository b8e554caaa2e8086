#!/usr/bin/env python3
"""A model with weights of 8 bits, as srm_quantize writes it, with weights in bfloat16: a base for an adapter.

usage: dequantize.py --model DIR --output DIR
"""

import argparse
import json
import os
import shutil

import torch
from safetensors.torch import load_file, save_file


def of_floats(tensors):
    """Tensors by name, without scales: those in 8 bits times the scales of their rows, rounded to bfloat16."""
    return {name: (value * tensors[name + "_scale"]).to(torch.bfloat16) if name + "_scale" in tensors else value
            for name, value in tensors.items() if not name.endswith("_scale")}


def dequantize(model, output):
    shutil.copytree(model, output, ignore=shutil.ignore_patterns("README.md", "config.json", "model.safetensors"))
    weights = os.path.join(output, "model.safetensors")
    save_file(of_floats(load_file(os.path.join(model, "model.safetensors"))), weights, {"format": "pt"})
    os.chmod(weights, 0o644)  # a server reads it as another user
    with open(os.path.join(model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    del config["quantization_config"], config["srm"]["quantization"]
    with open(os.path.join(output, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    dequantize(options.model, options.output)


if __name__ == "__main__":
    main()
