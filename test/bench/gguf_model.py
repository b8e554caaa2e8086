"""The random model as GGUF files for llama.cpp, written with its own gguf package.

The vocabulary is left small, as llama.cpp computes the head, which a reward model does not have.
"""

import numpy as np

VOCABULARY = 2048
NAMES = {"input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
         "self_attn.k_norm": "attn_k_norm", "post_attention_layernorm": "ffn_norm",
         "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}


def file_types(gguf):
    return {"f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
            "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
            "bf16": (gguf.GGMLQuantizationType.BF16, gguf.LlamaFileType.MOSTLY_BF16),
            "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
            "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0)}


def add_description(writer, shape, file_type):
    writer.add_context_length(32768)
    writer.add_embedding_length(shape["dim"])
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["ffn"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["kv_heads"])
    writer.add_key_length(shape["head_dim"])
    writer.add_value_length(shape["head_dim"])
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    writer.add_file_type(file_type)
    writer.add_tokenizer_model("none")
    writer.add_vocab_size(VOCABULARY)


def tensors(weights, shape):
    yield "token_embd.weight", weights("model.embed_tokens.weight")[:VOCABULARY]
    for i in range(shape["layers"]):
        for name, there in NAMES.items():
            if "norm" not in name or shape["head_norms"] or "layernorm" in name:
                yield f"blk.{i}.{there}.weight", weights(f"model.layers.{i}.{name}.weight")
    yield "output_norm.weight", weights("model.norm.weight")


def make(path, kind, weights, shape):
    """weights: a function from a tensor's name to f32 values."""
    import gguf

    tensor_type, file_type = file_types(gguf)[kind]
    writer = gguf.GGUFWriter(path, "qwen3")
    add_description(writer, shape, file_type)
    for name, values in tensors(weights, shape):
        values = np.ascontiguousarray(values, dtype=np.float32)
        if values.ndim == 1:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, tensor_type), raw_dtype=tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
