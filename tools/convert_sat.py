#!/usr/bin/env python3
"""Turns a segmenter of wtpsplit (SaT) into a directory that srm reads.

usage: convert_sat.py [--lora DIRECTORY] [--tokenizer DIRECTORY] [--threshold X] CHECKPOINT DIRECTORY

CHECKPOINT holds config.json and the weights, pytorch_model.bin or model.safetensors.  --lora names adapters as
wtpsplit publishes and trains them (adapter_config.json, pytorch_adapter.bin and pytorch_model_head.bin): they are
merged, W + alpha / r * B A, and their head takes the place of the model's.  --tokenizer is where the tokenizer's files
of xlm-roberta-base lie, which published checkpoints leave out.  --threshold is written into the object "srm"; with
adapters it is 0.5 if it is not given, as in wtpsplit.

DIRECTORY is made.  Works offline, needs torch and safetensors, and executes nothing that a pickle may hold: tensors
alone are loaded.
"""

import argparse
import json
import os
import shutil
import sys

import torch
from safetensors.torch import load_file, save_file

CLASS = "SubwordXLMForTokenClassification"
HEAD = "classifier."
LORA_THRESHOLD = 0.5
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


class Refused(Exception):
    """What the checkpoint is not."""


def read_json(directory, name):
    with open(os.path.join(directory, name), encoding="utf-8") as file:
        return json.load(file)


def load_tensors(directory, pickle_name):
    safe = os.path.join(directory, "model.safetensors")
    if pickle_name == "pytorch_model.bin" and os.path.exists(safe):
        return load_file(safe)
    path = os.path.join(directory, pickle_name)
    if not os.path.exists(path):
        raise Refused("there is no \"%s\" in \"%s\"" % (pickle_name, directory))
    return torch.load(path, map_location="cpu", weights_only=True)


def read_scale(directory):
    config = read_json(directory, "adapter_config.json").get("config")
    if not isinstance(config, dict) or not config.get("r") or "alpha" not in config:
        raise Refused("adapter_config.json of \"%s\" has no \"config\" with \"r\" and \"alpha\"" % directory)
    if config.get("composition_mode", "add") != "add" or config.get("use_gating"):
        raise Refused("adapters that scale or gate are not supported")
    return config["alpha"] / config["r"]


def merge_adapters(tensors, directory):
    """Names are MODULE.loras.NAME.lora_A and lora_B."""
    scale = read_scale(directory)
    adapters = load_tensors(directory, "pytorch_adapter.bin")
    names = {name.rsplit(".loras.", 1)[0] for name in adapters if ".loras." in name}
    if not names:
        raise Refused("pytorch_adapter.bin of \"%s\" has no \"loras\"" % directory)
    for name in names:
        parts = {key.rsplit(".", 1)[1]: value for key, value in adapters.items() if key.startswith(name + ".loras.")}
        weight = tensors.get(name + ".weight")
        if weight is None or set(parts) != {"lora_A", "lora_B"}:
            raise Refused("adapter of \"%s\" does not fit the model" % name)
        delta = parts["lora_B"].float() @ parts["lora_A"].float()
        if delta.shape != weight.shape:
            raise Refused("adapter of \"%s\" does not fit the model" % name)
        tensors[name + ".weight"] = (weight.float() + scale * delta).to(weight.dtype)


def replace_head(tensors, config, directory):
    if not os.path.exists(os.path.join(directory, "pytorch_model_head.bin")):
        return
    for name, value in load_tensors(directory, "pytorch_model_head.bin").items():
        if name not in (HEAD + "weight", HEAD + "bias"):
            raise Refused("head of \"%s\" has an unknown tensor \"%s\"" % (directory, name))
        tensors[name] = value
    labels = tensors[HEAD + "weight"].shape[0]
    config["id2label"] = {str(i): "LABEL_%d" % i for i in range(labels)}
    config["label2id"] = {"LABEL_%d" % i: i for i in range(labels)}
    config.pop("num_labels", None)


def convert(args):
    config = read_json(args.checkpoint, "config.json")
    if config.get("architectures") != [CLASS]:
        raise Refused("\"%s\" is of class %s, not %s" % (args.checkpoint, config.get("architectures"), CLASS))
    tensors = {name: value for name, value in load_tensors(args.checkpoint, "pytorch_model.bin").items()
               if not name.endswith("position_ids")}
    threshold = args.threshold
    if args.lora:
        merge_adapters(tensors, args.lora)
        replace_head(tensors, config, args.lora)
        threshold = LORA_THRESHOLD if threshold is None else threshold
    if threshold is not None:
        config.setdefault("srm", {})["threshold"] = threshold
    os.makedirs(args.directory)
    save_file({name: value.contiguous().clone() for name, value in tensors.items()},
              os.path.join(args.directory, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(args.directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")
    copy_tokenizer(args.tokenizer or args.checkpoint, args.directory)


def copy_tokenizer(source, directory):
    if not os.path.exists(os.path.join(source, "tokenizer.json")):
        raise Refused("there is no tokenizer.json in \"%s\": name a directory that has xlm-roberta-base's "
                      "with --tokenizer" % source)
    for name in TOKENIZER_FILES:
        if os.path.exists(os.path.join(source, name)):
            shutil.copy(os.path.join(source, name), directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lora")
    parser.add_argument("--tokenizer")
    parser.add_argument("--threshold", type=float)
    parser.add_argument("checkpoint")
    parser.add_argument("directory")
    args = parser.parse_args()
    if os.path.lexists(args.directory):
        sys.exit("convert_sat.py: \"%s\" exists" % args.directory)
    try:
        convert(args)
    except (Refused, OSError) as refused:
        shutil.rmtree(args.directory, ignore_errors=True)
        sys.exit("convert_sat.py: %s" % refused)


if __name__ == "__main__":
    main()
