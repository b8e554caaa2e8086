"""The model directory: names and shapes as Hugging Face writes them, bf16 weights."""

import json
import os

import torch
from safetensors.torch import load_file, save_file

from model import RewardModel, Shape
from vocabulary import END, MARKER, PAD


def layer_tensors(layer, prefix, shape):
    """Fused matrices fall apart into the published ones."""
    q, k, v = layer.qkv.weight.chunk(3)
    gate, up = layer.gate_up.weight.chunk(2)
    return {
        prefix + "input_layernorm.weight": layer.norm_1,
        prefix + "self_attn.q_proj.weight": q,
        prefix + "self_attn.k_proj.weight": k,
        prefix + "self_attn.v_proj.weight": v,
        prefix + "self_attn.o_proj.weight": layer.out.weight,
        prefix + "post_attention_layernorm.weight": layer.norm_2,
        prefix + "mlp.gate_proj.weight": gate,
        prefix + "mlp.up_proj.weight": up,
        prefix + "mlp.down_proj.weight": layer.down.weight,
    }


def tensors_of(model):
    """Every tensor of the file, still f32."""
    tensors = {"model.embed_tokens.weight": model.embedding.weight,
               "model.norm.weight": model.norm,
               "score.weight": model.score.weight}
    for number, layer in enumerate(model.layers):
        tensors.update(layer_tensors(layer, "model.layers.%d." % number, model.shape))
    if model.aggregation == "attention":
        tensors.update({"srm.query.weight": model.query.weight, "srm.query.bias": model.query.bias,
                        "srm.key.weight": model.key.weight, "srm.key.bias": model.key.bias})
    return tensors


def config_of(model, tokenizer):
    """config.json; the object "srm" says how sentences are cut and scores made."""
    shape = model.shape
    srm = {"aggregation": model.aggregation, "boundary": "marker", "marker_token": MARKER,
           "marker_layout": "0.1"}
    if model.aggregation == "attention":
        srm["attention_dim"] = shape.attention_dim
    srm.update({"segmenter": "icu", "locale": "en"})
    return {
        "architectures": ["LlamaForSequenceClassification"],
        "model_type": "llama",
        "vocab_size": shape.vocab,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.inner,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.hidden // shape.heads,
        "hidden_act": "silu",
        "rms_norm_eps": shape.epsilon,
        "rope_theta": shape.theta,
        "max_position_embeddings": shape.max_tokens,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "pad_token_id": tokenizer.token_to_id(PAD),
        "bos_token_id": None,
        "eos_token_id": tokenizer.token_to_id(END),
        "id2label": {"0": "reward"},
        "label2id": {"reward": 0},
        "torch_dtype": "bfloat16",
        "srm": srm,
    }


def replace_file(path, write):
    """Files of a model are replaced by renaming, never written into."""
    write(path + ".new")
    os.chmod(path + ".new", 0o644)
    os.replace(path + ".new", path)


def save_model(model, tokenizer, folder):
    """Writes model.safetensors (bf16) and config.json."""
    tensors = {name: tensor.detach().to(torch.bfloat16).contiguous().clone()
               for name, tensor in tensors_of(model).items()}
    replace_file(os.path.join(folder, "model.safetensors"),
                 lambda path: save_file(tensors, path, metadata={"format": "pt"}))

    def write_config(path):
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config_of(model, tokenizer), file, indent=2)
            file.write("\n")

    replace_file(os.path.join(folder, "config.json"), write_config)


def load_model(folder):
    """The saved model, its bf16 weights in f32."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    shape = Shape(vocab=config["vocab_size"], hidden=config["hidden_size"],
                  layers=config["num_hidden_layers"], heads=config["num_attention_heads"],
                  inner=config["intermediate_size"], theta=config["rope_theta"],
                  attention_dim=config["srm"].get("attention_dim", Shape.attention_dim),
                  epsilon=config["rms_norm_eps"], max_tokens=config["max_position_embeddings"])
    model = RewardModel(shape, config["srm"]["aggregation"], 0.0)
    stored = load_file(os.path.join(folder, "model.safetensors"))
    with torch.no_grad():
        for name, target in tensors_of(model).items():
            target.copy_(stored[name].float())
    return model.eval()
