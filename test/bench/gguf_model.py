"""A model as GGUF files for llama.cpp, written with its own gguf package.

The vocabulary of a random model, which has norms of heads, is left small, as llama-bench computes the head that a
reward model does not have.  A Llama keeps its own: it is for llama-server, which is given token ids.
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


def add_description(writer, shape, file_type, vocabulary):
    writer.add_context_length(32768)
    writer.add_embedding_length(shape["dim"])
    writer.add_block_count(shape["layers"])
    writer.add_feed_forward_length(shape["ffn"])
    writer.add_head_count(shape["heads"])
    writer.add_head_count_kv(shape["kv_heads"])
    writer.add_key_length(shape["head_dim"])
    writer.add_value_length(shape["head_dim"])
    writer.add_layer_norm_rms_eps(shape["eps"])
    writer.add_rope_freq_base(shape["theta"])
    writer.add_rope_dimension_count(shape["head_dim"])
    writer.add_file_type(file_type)
    writer.add_tokenizer_model("none")
    writer.add_vocab_size(vocabulary)


def turn_pairs(weight, shape):
    """Rows of queries or keys as llama.cpp turns them in a Llama: the halves of a head interleaved."""
    pairs = weight.reshape(-1, 2, shape["head_dim"] // 2, weight.shape[1])
    return pairs.swapaxes(1, 2).reshape(weight.shape)


def tensors(weights, shape):
    embedding = weights("model.embed_tokens.weight")
    yield "token_embd.weight", embedding[:VOCABULARY] if shape["head_norms"] else embedding
    for i in range(shape["layers"]):
        for name, there in NAMES.items():
            if "norm" in name and not shape["head_norms"] and "layernorm" not in name:
                continue
            values = weights(f"model.layers.{i}.{name}.weight")
            if there in ("attn_q", "attn_k") and not shape["head_norms"]:
                values = turn_pairs(values, shape)
            yield f"blk.{i}.{there}.weight", values
    yield "output_norm.weight", weights("model.norm.weight")


def make(path, kind, weights, shape):
    """weights: a function from a tensor's name to f32 values."""
    import gguf

    tensor_type, file_type = file_types(gguf)[kind]
    writer = gguf.GGUFWriter(path, "qwen3" if shape["head_norms"] else "llama")
    found = list(tensors(weights, shape))
    add_description(writer, shape, file_type, len(found[0][1]))
    for name, values in found:
        values = np.ascontiguousarray(values, dtype=np.float32)
        if values.ndim == 1:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, gguf.quants.quantize(values, tensor_type), raw_dtype=tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
