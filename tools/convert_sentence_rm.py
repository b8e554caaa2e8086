#!/usr/bin/env python3
"""Turns a checkpoint of the sentence-level paper's own code into a model directory.

usage: convert_sentence_rm.py [--weights FILE] [--marker TOKEN] [--keep-template] CHECKPOINT DIRECTORY

CHECKPOINT holds config.json, args.json where there is one, the tokenizer's files, and a pickle
of the weights (pytorch_model.bin unless --weights names another): base_model.*, q_proj, k_proj
and r_proj, with LoRA adapters in base_model or without.  DIRECTORY is made, and gets the form
that srm reads: config.json with an object "srm", model.safetensors, and the tokenizer's files.

The chat template in "srm" is the text that the paper's code trains on: "\\n\\nHuman: " and
"\\n\\nAssistant: " before the turns, and the tokenizer's end of text behind the last one.  With
--keep-template the tokenizer's own template stays, for checkpoints that were trained with it.

Works offline, needs torch and safetensors, and executes nothing that the pickle may hold: tensors
alone are loaded.  The tokenizer must have a tokenizer.json; transformers writes one with
AutoTokenizer.from_pretrained(CHECKPOINT).save_pretrained(CHECKPOINT).
"""

import argparse
import json
import os
import shutil
import sys

import torch
from safetensors.torch import save_file

FAMILIES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3",
            "gemma": "Gemma", "gemma2": "Gemma2", "phi3": "Phi3"}
HEADS = {"r_proj.weight": "score.weight", "r_proj.bias": "score.bias",
         "q_proj.weight": "srm.query.weight", "q_proj.bias": "srm.query.bias",
         "k_proj.weight": "srm.key.weight", "k_proj.bias": "srm.key.bias"}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
                   "special_tokens_map.json", "added_tokens.json")


TEMPLATE = ("{%- for message in messages -%}"
            "{%- if message.role == 'user' -%}{{ '\\n\\nHuman: ' + message.content }}"
            "{%- elif message.role == 'assistant' -%}{{ '\\n\\nAssistant: ' + message.content }}"
            "{%- else -%}{{ raise_exception('Roles are user and assistant.') }}{%- endif -%}"
            "{%- if loop.last and message.role == 'assistant' -%}{{ eos_token }}{%- endif -%}"
            "{%- endfor -%}"
            "{%- if add_generation_prompt -%}{{ '\\n\\nAssistant:' }}{%- endif -%}")


class Refused(Exception):
    """What the checkpoint is not."""


def read_args(directory):
    """args.json has one JSON object a line, as the training code appends them."""
    args = {}
    path = os.path.join(directory, "args.json")
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.strip():
                    args.update(json.loads(line))
    return args


def merge_adapters(tensors, args):
    """W + alpha / rank * B A, where peft keeps W as base_layer beside lora_A and lora_B."""
    merged = {}
    for name, value in tensors.items():
        if ".lora_" in name:
            continue
        if ".base_layer." not in name:
            merged[name] = value
            continue
        a = tensors.get(name.replace("base_layer.weight", "lora_A.default.weight"))
        if a is not None and name.endswith("base_layer.weight"):
            if "lora_alpha" not in args:
                raise Refused("the weights have LoRA adapters, but args.json has no \"lora_alpha\"")
            b = tensors[name.replace("base_layer.weight", "lora_B.default.weight")]
            scale = args["lora_alpha"] / a.shape[0]
            value = (value.float() + scale * (b.float() @ a.float())).to(value.dtype)
        merged[name.replace(".base_layer.", ".")] = value
    return merged


def decoder_name(name):
    """base_model.layers… or, with adapters, base_model.base_model.model.layers…"""
    name = name.removeprefix("base_model.").removeprefix("base_model.model.")
    return "model." + name.removeprefix("model.")


def rename(tensors):
    missing = [name for name in HEADS if name not in tensors]
    if missing:
        raise Refused("the weights have no %s: no sentence-level model with attention" %
                      ", ".join(missing))
    result = {}
    for name, value in tensors.items():
        if name in HEADS:
            result[HEADS[name]] = value
        elif name.startswith("base_model.") and "lm_head" not in name and "rotary_emb" not in name:
            result[decoder_name(name)] = value
    return {name: value.contiguous() for name, value in result.items()}


def make_config(config, tensors, marker, keep_template):
    family = FAMILIES.get(config.get("model_type"))
    if family is None:
        raise Refused("model type \"%s\" is not supported" % config.get("model_type"))
    embedding = tensors.get("model.embed_tokens.weight")
    if embedding is None:
        raise Refused("the weights have no base_model.embed_tokens.weight")
    config = {**config, "architectures": [family + "ForSequenceClassification"],
              "vocab_size": embedding.shape[0], "id2label": {"0": "LABEL_0"},
              "label2id": {"LABEL_0": 0}}
    config["srm"] = {"aggregation": "attention", "boundary": "marker", "marker_token": marker,
                     "attention_dim": tensors["srm.query.weight"].shape[0]}
    if not keep_template:
        config["srm"]["chat_template"] = TEMPLATE
    return config


def end_of_text(directory):
    """The text of eos_token, which the template ends with."""
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                token = json.load(file).get("eos_token")
            if token:
                return token["content"] if isinstance(token, dict) else token
    return None


def has_token(directory, marker):
    with open(os.path.join(directory, "tokenizer.json"), encoding="utf-8") as file:
        added = json.load(file).get("added_tokens", [])
    return any(token["content"] == marker and token.get("special") for token in added)


def convert(checkpoint, directory, weights, marker, keep_template=False):
    args = read_args(checkpoint)
    if args.get("weighted_sum") is False:
        raise Refused("the model adds up values without attention, which srm does not know")
    if not os.path.exists(os.path.join(checkpoint, "tokenizer.json")):
        raise Refused("the checkpoint has no tokenizer.json")
    if not has_token(checkpoint, marker):
        raise Refused("the tokenizer has no special token \"%s\"; name another with --marker" % marker)
    if not keep_template and end_of_text(checkpoint) is None:
        raise Refused("the tokenizer has no \"eos_token\"; name it in tokenizer_config.json")
    with open(os.path.join(checkpoint, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    tensors = torch.load(os.path.join(checkpoint, weights), map_location="cpu", weights_only=True)
    tensors = rename(merge_adapters(tensors, args))
    config = make_config(config, tensors, marker, keep_template)
    os.makedirs(directory)
    save_file(tensors, os.path.join(directory, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, sort_keys=True)
        file.write("\n")
    for name in TOKENIZER_FILES:
        if os.path.exists(os.path.join(checkpoint, name)):
            shutil.copyfile(os.path.join(checkpoint, name), os.path.join(directory, name))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("\n")[2].removeprefix("usage: "))
    parser.add_argument("--weights", default="pytorch_model.bin")
    parser.add_argument("--marker", default="<END>")
    parser.add_argument("--keep-template", action="store_true")
    parser.add_argument("checkpoint")
    parser.add_argument("directory")
    options = parser.parse_args()
    try:
        convert(options.checkpoint, options.directory, options.weights, options.marker,
                options.keep_template)
        print("chat template: " + ("the tokenizer's" if options.keep_template else
                                   "Human and Assistant, as the paper's code trains"))
    except (Refused, OSError) as error:
        sys.exit("convert_sentence_rm.py: %s" % error)


if __name__ == "__main__":
    main()
