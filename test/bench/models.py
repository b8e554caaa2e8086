"""Random models of real shapes, and texts of known token counts.

A model directory has the format that transformers reads.  Weights are drawn once
and rounded to bf16, so that the f32 and the bf16 directory hold the same model.
The vocabulary is as large as that of a published model, and made up: its words
are random letters, its merges are real.
"""

import json
import os
import random

import numpy as np

SEED = 20250304
SPECIAL = ["<|endoftext|>", "<|sep|>"]
VOCABULARY = 150000
# The template adds one token a message
TEMPLATE = "{% for message in messages %}{{ message['content'] + '<|sep|>' }}{% endfor %}"
PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
           r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")

SHAPES = {
    # that of a 0.6 B model: 0.44 B without the embedding
    "small": dict(layers=28, dim=1024, heads=16, kv_heads=8, head_dim=128, ffn=3072, head_norms=True),
    # four of its layers, for long texts
    "long": dict(layers=4, dim=1024, heads=16, kv_heads=8, head_dim=128, ffn=3072, head_norms=True),
    # two layers of a 7 B model
    "large": dict(layers=2, dim=4096, heads=32, kv_heads=8, head_dim=128, ffn=14336, head_norms=True),
}


def block_parameters(shape):
    """Parameters of the layers' matrices."""
    q_dim, kv_dim = shape["heads"] * shape["head_dim"], shape["kv_heads"] * shape["head_dim"]
    layer = shape["dim"] * (2 * q_dim + 2 * kv_dim + 3 * shape["ffn"])
    return shape["layers"] * layer


def unread_parameters(shape):
    """Of the last layer, what acts on tokens whose value is not read: all but keys and values."""
    q_dim = shape["heads"] * shape["head_dim"]
    return shape["dim"] * (2 * q_dim + 3 * shape["ffn"])


def product_flops(shape, n_tokens):
    return 2.0 * block_parameters(shape) * n_tokens


def attention_flops(shape, n_tokens):
    """Causal: a token sees half of the tokens on average; scores and values are a product each."""
    return 2.0 * shape["layers"] * shape["heads"] * shape["head_dim"] * float(n_tokens) ** 2


def byte_alphabet():
    """The characters that stand for the 256 bytes, as GPT-2 chose them."""
    kept = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    other = [byte for byte in range(256) if byte not in kept]
    return [chr(byte) for byte in kept] + [chr(256 + i) for i in range(len(other))]


def make_vocabulary(rng):
    """Tokens in order of their ids, and merges, so that most words are one token."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = list(byte_alphabet())
    seen = set(tokens)
    merges = []

    def merge(left, right):
        if left + right in seen:
            return None
        seen.add(left + right)
        tokens.append(left + right)
        merges.append(f"{left} {right}")
        return left + right

    starts = [merge("Ġ", letter) for letter in letters + letters.upper()]
    pieces = [merge(a, b) for a in letters for b in letters]
    words = list(starts)
    while len(tokens) + len(SPECIAL) < VOCABULARY:
        word = merge(rng.choice(words), rng.choice(pieces))
        if word is not None and len(word) < 8:
            words.append(word)
    return tokens, merges


def make_tokenizer(directory):
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    tokens, merges = make_vocabulary(random.Random(SEED))
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                                     merges=[tuple(merge.split(" ")) for merge in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(PATTERN), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.save(os.path.join(directory, "tokenizer.json"))
    with open(os.path.join(directory, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": SPECIAL[0],
                   "pad_token": SPECIAL[0], "chat_template": TEMPLATE}, file, indent=2)
    return len(tokens) + len(SPECIAL)


def write_config(directory, shape, dtype, vocab_size):
    config = {
        "architectures": ["Qwen3ForSequenceClassification"], "model_type": "qwen3",
        "vocab_size": vocab_size, "hidden_size": shape["dim"], "intermediate_size": shape["ffn"],
        "num_hidden_layers": shape["layers"], "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["kv_heads"], "head_dim": shape["head_dim"],
        "hidden_act": "silu", "rms_norm_eps": 1e-6, "rope_theta": 1000000.0,
        "max_position_embeddings": 32768, "attention_bias": False, "tie_word_embeddings": False,
        "use_sliding_window": False, "pad_token_id": vocab_size - 2, "eos_token_id": vocab_size - 2,
        "id2label": {"0": "reward"}, "label2id": {"reward": 0}, "torch_dtype": dtype,
    }
    with open(os.path.join(directory, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2)
        file.write("\n")


def tensor_shapes(shape, vocab_size):
    dim, ffn, head_dim = shape["dim"], shape["ffn"], shape["head_dim"]
    q_dim, kv_dim = shape["heads"] * head_dim, shape["kv_heads"] * head_dim
    yield "model.embed_tokens.weight", (vocab_size, dim)
    for i in range(shape["layers"]):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (dim,)
        yield layer + "self_attn.q_proj.weight", (q_dim, dim)
        yield layer + "self_attn.k_proj.weight", (kv_dim, dim)
        yield layer + "self_attn.v_proj.weight", (kv_dim, dim)
        yield layer + "self_attn.o_proj.weight", (dim, q_dim)
        if shape["head_norms"]:
            yield layer + "self_attn.q_norm.weight", (head_dim,)
            yield layer + "self_attn.k_norm.weight", (head_dim,)
        yield layer + "post_attention_layernorm.weight", (dim,)
        yield layer + "mlp.gate_proj.weight", (ffn, dim)
        yield layer + "mlp.up_proj.weight", (ffn, dim)
        yield layer + "mlp.down_proj.weight", (dim, ffn)
    yield "model.norm.weight", (dim,)
    yield "score.weight", (1, dim)


def draw(name, dims, rng):
    """f32 values that bf16 holds exactly."""
    noise = rng.standard_normal(dims, dtype=np.float32)
    if name.endswith("norm.weight"):
        noise = 1.0 + 0.2 * noise
    elif name != "model.embed_tokens.weight":
        noise /= np.sqrt(np.float32(dims[-1]))
    return (noise.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)


def write_weights(directories, shape, vocab_size):
    """The same values as F32 and as BF16; one tensor at a time, as they are large."""
    rng = np.random.default_rng(SEED)
    files = {dtype: open(os.path.join(directory, "model.safetensors"), "wb")
             for dtype, directory in directories.items()}
    for dtype, file in files.items():
        header, offset = {}, 0
        for name, dims in tensor_shapes(shape, vocab_size):
            size = int(np.prod(dims)) * (4 if dtype == "float32" else 2)
            header[name] = {"dtype": "F32" if dtype == "float32" else "BF16",
                            "shape": list(dims), "data_offsets": [offset, offset + size]}
            offset += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        file.write(len(text).to_bytes(8, "little") + text)
    for name, dims in tensor_shapes(shape, vocab_size):
        values = draw(name, dims, rng)
        for dtype, file in files.items():
            file.write((values if dtype == "float32"
                        else (values.view(np.uint32) >> 16).astype(np.uint16)).tobytes())
    for file in files.values():
        file.close()


def model_name(shape, dtype):
    return f"bench-{shape}-{'f32' if dtype == 'float32' else 'bf16'}"


def make_models(folder, shape_name):
    """Directories of a shape in f32 and bf16 under a folder, unless they are there."""
    directories = {dtype: os.path.join(folder, model_name(shape_name, dtype))
                   for dtype in ("float32", "bfloat16")}
    if all(os.path.exists(os.path.join(directory, "complete")) for directory in directories.values()):
        return directories
    for directory in directories.values():
        os.makedirs(directory, exist_ok=True)
        vocab_size = make_tokenizer(directory)
    shape = SHAPES[shape_name]
    write_weights(directories, shape, vocab_size)
    for dtype, directory in directories.items():
        write_config(directory, shape, dtype, vocab_size)
        open(os.path.join(directory, "complete"), "w", encoding="utf-8").close()
    return directories


class Texts:
    """Random texts, never the same twice, of as many tokens as wanted.

    A word is a space and letters, and one token; a mark that ends a sentence is
    one, too, and takes the place of a word.
    """

    def __init__(self, directory, seed=SEED):
        from tokenizers import Tokenizer

        self.tokenizer = Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
        self.random = random.Random(seed)
        candidates = [token.replace("Ġ", " ") for token in self.tokenizer.get_vocab()
                      if token.startswith("Ġ") and len(token) > 3]
        candidates.sort()
        self.random.shuffle(candidates)
        words = [word for word in candidates[:20000]
                 if len(self.tokenizer.encode(word, add_special_tokens=False).ids) == 1]
        self.lower = [word for word in words if word[1].islower()]
        self.upper = [word for word in words if word[1].isupper()]

    def text(self, n_tokens, sentence=16):
        """n_tokens tokens in sentences of so many."""
        parts = []
        for i in range(n_tokens):
            at = i % sentence
            last = at == sentence - 1 or i == n_tokens - 1
            parts.append("." if last and at > 0 else
                         self.random.choice(self.upper if at == 0 else self.lower))
        text = "".join(parts)
        assert len(self.tokenizer.encode(text, add_special_tokens=False).ids) == n_tokens
        return text

    def conversation(self, n_tokens, n_prompt=None):
        """(prompt, response) that the model sees as n_tokens tokens; a quarter is the prompt."""
        n_prompt = n_prompt or n_tokens // 4
        return self.text(n_prompt - 1), self.text(n_tokens - n_prompt - 1)
