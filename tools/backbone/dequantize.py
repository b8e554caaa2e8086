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

from lora import of_floats


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True)
    parser.add_argument("--output", required=True)
    options = parser.parse_args()
    shutil.copytree(options.model, options.output, ignore=shutil.ignore_patterns("README.md", "config.json", "model.safetensors"))
    save_file(of_floats(load_file(os.path.join(options.model, "model.safetensors")), torch.bfloat16),
              os.path.join(options.output, "model.safetensors"), {"format": "pt"})
    with open(os.path.join(options.model, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    del config["quantization_config"], config["srm"]["quantization"]
    with open(os.path.join(options.output, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
    for name in ("model.safetensors", "config.json"):
        os.chmod(os.path.join(options.output, name), 0o644)


if __name__ == "__main__":
    main()
