#!/usr/bin/env python3
"""Makes tiny random cross-encoders, and what transformers computes with them.

usage: make_cross_encoders.py [directory [model ...]]      (default: test/data/models)

A cross-encoder reads a prompt and a response side by side, and gives one number from the state
at its first token. The tokenizers are of the kinds that the published ones are, with their
post-processors, which transformers follows; ids and token types are written down beside the
scores.
"""

import json
import os
import shutil
import sys

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (AutoModelForSequenceClassification, AutoTokenizer, BertConfig, DebertaV2Config,
                          ModernBertConfig, PreTrainedTokenizerFast, RobertaConfig, XLMRobertaConfig)

import make_models as base
import output

SEED = 20251128
TOKENIZERS = "test/data/tokenizer"
ROBERTA_SPECIAL = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
BERT_SPECIAL = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
BERT_NAMES = dict(cls_token="[CLS]", sep_token="[SEP]", pad_token="[PAD]", unk_token="[UNK]", mask_token="[MASK]")
SIZES = dict(hidden_size=32, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4, num_labels=1,
             max_position_embeddings=160)

PAIRS = [
    ("What is a swallow?", "A small bird that flies fast."),
    ("What is a swallow?", "No."),
    ("word", "The next one starts here.\n\nIt ends  here."),
    ("", "An answer without a question"),
    ("Two  spaces ", " and one before"),
    ("\u00c9cole, na\u00efve \u4e2d\u6587", "UPPER lower \u0130\U0001F600"),
    ("This is the question that is asked. " * 3, "And the answer ends. It is long enough. " * 2),
]


def as_bert(tokenizer):
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")])
    return tokenizer, BERT_NAMES


def bert_tokenizer():
    return as_bert(Tokenizer.from_file(os.path.join(TOKENIZERS, "bert.json")))


def as_roberta(tokenizer):
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("<s>", "</s>")])
    return tokenizer, dict(bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>", pad_token="<pad>",
                           unk_token="<unk>", mask_token="<mask>")


def byte_tokenizer(special):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(base.TEXT * 2, trainers.BpeTrainer(
        vocab_size=base.N_TOKENS, special_tokens=special, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return tokenizer


def roberta_tokenizer():
    return as_roberta(byte_tokenizer(ROBERTA_SPECIAL))


def modernbert_tokenizer():
    tokenizer = byte_tokenizer(BERT_SPECIAL)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")])
    return tokenizer, BERT_NAMES


def unigram_tokenizer(special, unknown):
    """Words and letters with made-up scores: a trainer's differ from run to run."""
    words = sorted({"\u2581" + word for text in base.TEXT for word in text.split()})
    letters = sorted({letter for word in words for letter in word})
    pieces = special + (letters + words)[:base.N_TOKENS - len(special)]
    scores = [0.0 if i < len(special) else -2.0 - i / 64 for i in range(len(pieces))]
    return Tokenizer(models.Unigram(list(zip(pieces, scores)), unk_id=pieces.index(unknown)))


def xlm_roberta_tokenizer():
    tokenizer = unigram_tokenizer(ROBERTA_SPECIAL, "<unk>")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.add_special_tokens(ROBERTA_SPECIAL)
    return as_roberta(tokenizer)


def deberta_tokenizer():
    """As transformers 4 converts the sentencepiece models of DeBERTa v3."""
    tokenizer = unigram_tokenizer(["[PAD]", "[CLS]", "[SEP]", "[UNK]"], "[UNK]")
    with open(os.path.join(TOKENIZERS, "xlmr.json"), encoding="utf-8") as file:
        normalizer = json.load(file)["normalizer"]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="always")])
    tokenizer.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"])
    tokenizer, names = as_bert(tokenizer)
    tree = json.loads(tokenizer.to_str())
    tree["normalizer"] = {"type": "Sequence", "normalizers": [
        {"type": "Strip", "strip_left": True, "strip_right": True},
        *(step for step in normalizer.get("normalizers", [normalizer]) if step["type"] == "Precompiled"),
        {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]}
    return Tokenizer.from_str(json.dumps(tree)), names


DEBERTA = dict(relative_attention=True, share_att_key=True, pad_token_id=0)
MODERNBERT = dict(bos_token_id=1, eos_token_id=2, cls_token_id=1, sep_token_id=2, pad_token_id=3)

# name: (configuration, tokenizer, data type, changes that are made to the configuration)
MODELS = {
    "cross-bert": (BertConfig, bert_tokenizer, "float32", {}),
    "cross-roberta": (RobertaConfig, roberta_tokenizer, "float16", dict(pad_token_id=1)),
    "cross-xlm-roberta": (XLMRobertaConfig, xlm_roberta_tokenizer, "float32", dict(pad_token_id=1)),
    # Labels of inference, of which one is the reward
    "cross-bert-labels": (BertConfig, bert_tokenizer, "float16", dict(
        num_labels=3, id2label={0: "contradiction", 1: "entailment", 2: "neutral"},
        label2id={"contradiction": 0, "entailment": 1, "neutral": 2})),
    "cross-modernbert": (ModernBertConfig, modernbert_tokenizer, "float16", dict(
        MODERNBERT, num_hidden_layers=4, local_attention=11)),
    # With all biases, the mean of all states, and keys of transformers 4
    "cross-modernbert-old": (ModernBertConfig, modernbert_tokenizer, "float16", dict(
        MODERNBERT, num_hidden_layers=3, local_attention=16, classifier_pooling="mean", classifier_activation="relu",
        attention_bias=True, mlp_bias=True, norm_bias=True, classifier_bias=True)),
    # As DeBERTa v3, with few buckets
    "cross-deberta": (DebertaV2Config, deberta_tokenizer, "float16", dict(
        DEBERTA, pos_att_type=["p2c", "c2p"], position_buckets=8, max_relative_positions=-1, norm_rel_ebd="layer_norm",
        position_biased_input=False)),
    # Positions without buckets, nearer than texts are long; and learned ones, and types of tokens
    "cross-deberta-types": (DebertaV2Config, deberta_tokenizer, "float16", dict(
        DEBERTA, pos_att_type="c2p", max_relative_positions=20, type_vocab_size=2, pooler_hidden_act="tanh",
        layer_norm_eps=1e-5)),
}
# What a configuration says instead: None takes a key out
CONFIGS = {
    "cross-modernbert-old": dict(layer_types=None, rope_parameters=None, global_attn_every_n_layers=2,
                                 global_rope_theta=5000.0, local_rope_theta=100.0,
                                 rope_scaling={"type": "linear", "rope_type": "linear", "factor": 1.5}),
}
# What says that there are token types: a list of inputs, or the class
TOKENIZER_CONFIGS = {
    "cross-bert": {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]},
    "cross-bert-labels": {"tokenizer_class": "BertTokenizer"},
    "cross-deberta": {"model_input_names": ["input_ids", "attention_mask"]},
    "cross-deberta-types": {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]},
}
LABEL = {"cross-bert-labels": 1}


def save(directory, config_class, make_tokenizer, dtype, options):
    tokenizer, names = make_tokenizer()
    config = config_class(**{**SIZES, **options, "vocab_size": tokenizer.get_vocab_size()})
    model = AutoModelForSequenceClassification.from_config(config, dtype=torch.float32)
    base.randomize(model)
    shutil.rmtree(directory, ignore_errors=True)
    model.to(getattr(torch, dtype)).save_pretrained(directory)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names).save_pretrained(directory)


@torch.no_grad()
def expect_pairs(model, tokenizer, label):
    pairs = []
    for prompt, response in PAIRS:
        inputs = tokenizer(prompt, response, return_tensors="pt")
        types = inputs.get("token_type_ids", torch.zeros_like(inputs["input_ids"]))[0]
        pairs.append({"prompt": prompt, "response": response, "ids": inputs["input_ids"][0].tolist(),
                      "n_second": int(types.sum()),
                      "score": float(model(**inputs).logits[0, label])})
    return {"transformers": transformers.__version__, "torch": torch.__version__, "pairs": pairs}


def expect(directory, label):
    model = AutoModelForSequenceClassification.from_pretrained(
        directory, dtype=torch.float32, attn_implementation="eager").eval()
    return expect_pairs(model, AutoTokenizer.from_pretrained(directory), label)


def add_keys(directory, name, keys):
    path = os.path.join(directory, name)
    with open(path, encoding="utf-8") as file:
        config = json.load(file)
    with open(path, "w", encoding="utf-8") as file:
        json.dump({key: value for key, value in {**config, **keys}.items() if value is not None}, file, indent=2)
        file.write("\n")


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else "test/data/models"
    only = sys.argv[2:]
    torch.set_num_threads(1)
    for i, (name, (config_class, make_tokenizer, dtype, options)) in enumerate(MODELS.items()):
        if only and name not in only:
            continue
        torch.manual_seed(SEED + i)
        directory = os.path.join(root, name)
        save(directory, config_class, make_tokenizer, dtype, options)
        add_keys(directory, "tokenizer_config.json", TOKENIZER_CONFIGS.get(name, {}))
        if name in CONFIGS:
            add_keys(directory, "config.json", CONFIGS[name])
        output.write(os.path.join(directory, "expected.json"), expect(directory, LABEL.get(name, 0)))
        if name in LABEL:
            add_keys(directory, "config.json", {"srm": {"label": LABEL[name]}})
        for file in os.listdir(directory):
            os.chmod(os.path.join(directory, file), 0o644)
        print(name, flush=True)


if __name__ == "__main__":
    main()
