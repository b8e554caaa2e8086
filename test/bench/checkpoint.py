"""A model directory as all engines can have it: its shape, its weights as f32, and copies in f32 and bf16.

Reads F32, BF16, F16, and the I8 with scales that srm_quantize writes.  The copies hold the same
values as far as bf16 has them, and no quantization, so that each engine rounds for itself.
"""

import json
import os
import shutil

import numpy as np

import models

DTYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I8": np.int8, "I64": np.int64}
KNOWN = ("LlamaForSequenceClassification", "MistralForSequenceClassification", "Qwen3ForSequenceClassification")
COMPUTED = {"float32": "f32", "bfloat16": "auto"}


class Checkpoint:
    def __init__(self, directory):
        self.directory = directory
        with open(os.path.join(directory, "config.json"), encoding="utf-8") as file:
            self.config = json.load(file)
        path = os.path.join(directory, "model.safetensors")
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            self.tensors = json.loads(file.read(size))
        self.tensors.pop("__metadata__", None)
        self.data = np.memmap(path, np.uint8, "r", 8 + size)

    def raw(self, name):
        tensor = self.tensors[name]
        start, end = tensor["data_offsets"]
        return self.data[start:end].view(DTYPES[tensor["dtype"]]).reshape(tensor["shape"]), tensor["dtype"]

    def weights(self, name):
        """A tensor's values in f32."""
        values, dtype = self.raw(name)
        if dtype == "BF16":
            return (values.astype(np.uint32) << 16).view(np.float32)
        if dtype == "I8":
            return values.astype(np.float32) * self.weights(name + "_scale").reshape(-1, 1)
        return values.astype(np.float32)

    def names(self):
        """Of what a model has without quantization."""
        return [name for name in self.tensors if not name.endswith(("_scale", "_shape"))]

    def shape(self):
        """As models.SHAPES has them; an error for what the peers' graphs cannot have."""
        config = self.config
        positions = config.get("rope_parameters") or {}  # as transformers 5 writes them
        scaled = config.get("rope_scaling") or positions.get("rope_type", "default") != "default"
        bias = [name for name in self.tensors if name.endswith("proj.bias")]
        if config["architectures"][0] not in KNOWN or bias or scaled:
            raise RuntimeError(f"{self.directory}: the bench knows {', '.join(KNOWN)} only, "
                               "without biases and scaled positions")
        heads = config["num_attention_heads"]
        return dict(layers=config["num_hidden_layers"], dim=config["hidden_size"], heads=heads,
                    kv_heads=config["num_key_value_heads"], ffn=config["intermediate_size"],
                    head_dim=config.get("head_dim") or config["hidden_size"] // heads,
                    head_norms="model.layers.0.self_attn.q_norm.weight" in self.tensors,
                    theta=float(config.get("rope_theta") or positions["rope_theta"]), eps=float(config["rms_norm_eps"]))

    def head(self):
        """(weight, bias) of the value."""
        bias = self.weights("score.bias")[0] if "score.bias" in self.tensors else 0.0
        return self.weights("score.weight").reshape(-1), bias


def round_bf16(values):
    """To the nearest, as 16 bits."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def write_tensors(checkpoint, path, dtype):
    header, offset = {}, 0
    for name in checkpoint.names():
        dims = checkpoint.tensors[name]["shape"]
        size = int(np.prod(dims)) * (4 if dtype == "float32" else 2)
        header[name] = {"dtype": "F32" if dtype == "float32" else "BF16", "shape": dims,
                        "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in checkpoint.names():
            values = np.ascontiguousarray(checkpoint.weights(name))
            file.write((values if dtype == "float32" else round_bf16(values)).tobytes())


def write_config(checkpoint, directory, dtype, compute, plain):
    """plain: a model that is read at its last token, as other engines do it, without marks of sentences."""
    config = {name: value for name, value in checkpoint.config.items() if name != "quantization_config"}
    own = {} if plain else config.pop("srm", {})
    kept = {name: value for name, value in own.items() if name not in ("compute", "quantization", "agreement")}
    config.update(torch_dtype=dtype, srm={**kept, "aggregation": "last", "compute": compute})
    with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)


def make_copies(source, folder, shape_name, plain):
    """Directories in f32 and bf16 under a folder, unless they are there and of the same source."""
    directories = {dtype: os.path.join(folder, models.model_name(shape_name, dtype)) for dtype in COMPUTED}
    weights = os.path.join(source, "model.safetensors")
    stamp = f"{os.path.realpath(weights)} {os.stat(weights).st_mtime_ns} {plain}"
    checkpoint = Checkpoint(source)
    for dtype, directory in directories.items():
        if read_stamp(directory) != stamp:
            os.makedirs(directory, exist_ok=True)
            write_tensors(checkpoint, os.path.join(directory, "model.safetensors"), dtype)
            write_config(checkpoint, directory, dtype, COMPUTED[dtype], plain)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copyfile(os.path.join(source, name), os.path.join(directory, name))
            with open(os.path.join(directory, "complete"), "w", encoding="utf-8") as file:
                file.write(stamp)
    return directories


def read_stamp(directory):
    try:
        with open(os.path.join(directory, "complete"), encoding="utf-8") as file:
            return file.read()
    except OSError:
        return None


def make_computed(directory, kind):
    """The same model with its arithmetic in its description, for what follows the model alone; its name."""
    there = f"{directory}-{kind}"
    os.makedirs(there, exist_ok=True)
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        path = os.path.join(there, name)
        if not os.path.exists(path) or not os.path.samefile(path, os.path.join(directory, name)):
            if os.path.exists(path):
                os.unlink(path)
            os.link(os.path.join(directory, name), path)
    checkpoint = Checkpoint(directory)
    config = {**checkpoint.config, "srm": {**checkpoint.config["srm"], "compute": kind}}
    with open(os.path.join(there, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
    return os.path.basename(there)
