#!/usr/bin/env python3
"""Makes tiny random adapters with peft over models of make_models.py and make_cross_encoders.py, and what both compute together.

usage: make_adapters.py [directory [adapter ...]]      (default: test/data/models; requirements.txt has the versions)

Each adapter is saved by peft's own save_pretrained(), and loaded again over its base in f32
for the expected numbers.  One that is there already and not in the list below, such as
adapter-trained and adapter-continued, which srm_train wrote, gets the numbers alone:

    make_adapters.py test/data/models adapter-trained adapter-continued
"""

import json
import os
import shutil
import sys

import numpy as np
import peft
import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

import make_cross_encoders
import make_models
import output

SEED = 20251128

# name: (base, configuration, data type of the factors)
ADAPTERS = {
    "adapter-llama": ("llama", dict(
        r=4, lora_alpha=6, target_modules=["q_proj", "k_proj", "o_proj", "up_proj", "down_proj"],
        rank_pattern={"up_proj": 2, "^model.layers.1.self_attn.q_proj": 7},
        alpha_pattern={r"layers\.0\.mlp\.down_proj": 3, "o_proj": 11}, use_rslora=True,
        modules_to_save=["score"]), "float32"),
    "adapter-phi3": ("phi3", dict(r=3, lora_alpha=4, target_modules=["qkv_proj", "gate_up_proj", "down_proj"]),
                     "bfloat16"),
    "adapter-gemma2": ("gemma2", dict(r=5, lora_alpha=3, target_modules="all-linear"), "float16"),
    "adapter-cross": ("cross-bert", dict(r=3, lora_alpha=5, target_modules=["query", "value", "intermediate.dense"],
                                         modules_to_save=["classifier"]), "float32"),
}


def open_base(root, name):
    return AutoModelForSequenceClassification.from_pretrained(
        os.path.join(root, name), dtype=torch.float32, attn_implementation="eager").eval()


@torch.no_grad()
def randomize(model):
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.copy_(0.2 * torch.randn(parameter.shape))
        elif "modules_to_save" in name:
            parameter.copy_(0.3 * torch.randn(parameter.shape))


def save_adapter(root, name, base, options, dtype):
    directory = os.path.join(root, name)
    model = get_peft_model(open_base(root, base), LoraConfig(task_type="SEQ_CLS", inference_mode=True, **options))
    randomize(model)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(getattr(torch, dtype))
    shutil.rmtree(directory, ignore_errors=True)
    model.save_pretrained(directory)
    os.remove(os.path.join(directory, "README.md"))


def expect(root, directory):
    """What peft computes with the adapter in the directory, over its base in root."""
    with open(os.path.join(directory, "adapter_config.json"), encoding="utf-8") as file:
        config = json.load(file)
    base = os.path.join(root, os.path.basename(config["base_model_name_or_path"]))
    model = PeftModel.from_pretrained(open_base(*os.path.split(base)), directory).eval()
    if not hasattr(model.base_model.model, "score"):
        expected = make_cross_encoders.expect_pairs(model, AutoTokenizer.from_pretrained(base), 0)
        return {**expected, "peft": peft.__version__}
    rng = np.random.default_rng(SEED)
    tensors = {name.removeprefix("base_model.model."): tensor
               for name, tensor in load_file(os.path.join(directory, "adapter_model.safetensors")).items()}
    bias = float(tensors["score.bias"][0]) if "score.bias" in tensors else 0.0
    expected = {"transformers": transformers.__version__, "torch": torch.__version__, "peft": peft.__version__}
    expected["sequences"] = [
        make_models.expect_sequence(model.base_model.model,
                                    rng.integers(len(make_models.SPECIAL), make_models.N_TOKENS, size=n).tolist(), bias)
        for n in make_models.LENGTHS]
    settings = config.get("srm", {})
    if settings.get("aggregation") == "attention":
        expected["attention"] = make_models.expect_attention(model.base_model.model, tensors, rng, bias,
                                                             settings["boundary"] == "marker")
    return expected


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "test/data/models"
    names = sys.argv[2:] or list(ADAPTERS)
    torch.set_num_threads(1)
    for name in names:
        torch.manual_seed(SEED + list(ADAPTERS).index(name) if name in ADAPTERS else SEED)
        if name in ADAPTERS:
            save_adapter(root, name, *ADAPTERS[name])
        output.write(os.path.join(root, name, "expected.json"), expect(root, os.path.join(root, name)))
        for file in os.listdir(os.path.join(root, name)):
            os.chmod(os.path.join(root, name, file), 0o644)
        print(name, flush=True)


if __name__ == "__main__":
    main()
