"""Makes test/data/tokenizer/special.json: tokens that other files than tokenizer.json name.

    python tools/golden/make_special_tokens.py
    python tools/golden/make_special_tokens.py --check

A case is a tokenizer of that folder without some of its added tokens, or with other flags, and files beside
it; transformers says ids of texts and the names of tokens.  The second form compares the file with the
transformers that is installed, and says where they differ.
"""

import json
import os
import sys
import tempfile

import transformers

FOLDER = "test/data/tokenizer"
PATH = os.path.join(FOLDER, "special.json")
TEXTS = ["<s>Hi there.</s>", "a<|im_start|> user\nHi.<|im_end|>\n<|im_start|>assistant\n Yes. <|im_end|> \n\n",
         "x <pad>y<extra_1> z<extra_2>\t<|endoftext|><unk>", "<TOOL>é<tool> <|im_end|><|im_end|>"]

QWEN = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": False, "rstrip": False, "single_word": False,
            "special": True} | flags


def typed(content, **flags):
    return token(content, **flags) | {"__type": "AddedToken"}


def decoder(**tokens):
    return {"added_tokens_decoder": {key[1:]: value for key, value in tokens.items()}}


def case(name, base, config, drop=(), flags=(), **files):
    return {"name": name, "base": base, "drop": list(drop), "flags": dict(flags), "config": config,
            "map": files.get("map"), "added": files.get("added")}


CASES = [
    case("as in tokenizer.json", "qwen2", {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}),
    case("names alone", "llama2", {"bos_token": "<s>", "eos_token": "</s>", "unk_token": typed("<unk>")},
         drop=["<s>", "</s>", "<unk>"]),
    case("named nowhere", "llama2", {}, drop=["<s>", "</s>"]),
    case("all names", "llama2", {"cls_token": "<s>", "sep_token": "</s>", "mask_token": "<unk>",
                                 "pad_token": "</s>"}, drop=["<s>", "</s>", "<unk>"]),
    case("decoder", "qwen2", decoder(_700=token(QWEN[0]), _701=token(QWEN[1]), _702=token(QWEN[2], rstrip=True),
                                     _703=token("<think>", special=False)),
         drop=QWEN + ["<think>", "</think>", "<tool_call>", "</tool_call>"]),
    case("decoder out of order", "qwen2", decoder(_702=token(QWEN[2]), _700=token(QWEN[0]), _701=token(QWEN[1])),
         drop=QWEN + ["<think>", "</think>", "<tool_call>", "</tool_call>"]),
    case("decoder behind", "qwen2", decoder(_707=token("<extra_1>"), _708=token("<extra_2>", lstrip=True),
                                            _709=token("<pad>", single_word=True))),
    case("flags of the decoder", "qwen2", decoder(_701=token(QWEN[1], rstrip=True), _702=token(QWEN[2], lstrip=True),
                                                  _700=token(QWEN[0], single_word=True))),
    case("no flags in the decoder", "qwen2", decoder(_701=token(QWEN[1]), _702=token(QWEN[2])),
         flags={QWEN[1]: {"rstrip": True}, QWEN[2]: {"rstrip": True, "lstrip": True}}),
    case("normalized in the decoder", "qwen2", decoder(_702=token(QWEN[2], normalized=True))),
    case("not normalized in the decoder", "qwen2", decoder(_702=token(QWEN[2])), flags={QWEN[2]: {"normalized": True}}),
    case("special in the decoder", "qwen2", decoder(_703=token("<think>"))),
    case("not special in the decoder", "qwen2", decoder(_702=token(QWEN[2], special=False))),
    case("additional", "qwen2", {"additional_special_tokens": ["<extra_1>", typed("<extra_2>", rstrip=True)]}),
    case("additional in the vocabulary", "llama2", {"additional_special_tokens": ["<s>", "</s>"]},
         drop=["<s>", "</s>", "<unk>"]),
    case("extra map", "llama2", {"extra_special_tokens": {"image_token": "<s>", "end_token": "</s>"}},
         drop=["<s>", "</s>", "<unk>"]),
    case("names and additional", "qwen2", {"pad_token": "<pad>", "bos_token": "<extra_2>", "tool_token": "<tool>",
                                           "additional_special_tokens": ["<extra_1>", "<pad>"]}),
    case("map", "llama2", {}, drop=["<s>", "</s>", "<unk>"],
         map={"bos_token": "<s>", "eos_token": token("</s>", lstrip=True), "unk_token": "<unk>"}),
    case("map before the config", "llama2", {"bos_token": "</s>"}, drop=["<s>", "</s>", "<unk>"],
         map={"bos_token": "<s>", "additional_special_tokens": ["</s>"]}),
    case("map beside a decoder", "llama2", {"eos_token": "</s>"} | decoder(_0=token("<unk>")),
         drop=["<s>", "</s>", "<unk>"], map={"bos_token": "<s>", "eos_token": "<unk>"}),
    case("added", "qwen2", {"eos_token": "<|im_end|>"}, drop=QWEN + ["<think>", "</think>", "<tool_call>", "</tool_call>"],
         added={"<|endoftext|>": 700, "<|im_end|>": 702, "<|im_start|>": 701}),
    case("added beside tokenizer.json", "qwen2", {}, flags={QWEN[2]: {"rstrip": True}},
         added={"<|im_end|>": 702, "<extra_1>": 707}),
    case("added beside a decoder", "qwen2", decoder(_707=token("<extra_1>")), added={"<extra_2>": 708}),
    case("byte level", "gpt2", {"bos_token": "<|endoftext|>", "pad_token": "<pad>"}),
]


def write(folder, case):
    with open(os.path.join(FOLDER, case["base"] + ".json"), encoding="utf-8") as file:
        tree = json.load(file)
    tree["added_tokens"] = [t | case["flags"].get(t["content"], {}) for t in tree["added_tokens"]
                            if t["content"] not in case["drop"]]
    files = {"tokenizer.json": tree, "special_tokens_map.json": case["map"], "added_tokens.json": case["added"],
             "tokenizer_config.json": case["config"] | {"tokenizer_class": "PreTrainedTokenizerFast"}}
    for name, value in files.items():
        if value is not None:
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                json.dump(value, file)


def expected(case):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, case)
        tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
        names = {name: text for name, text in tokenizer.special_tokens_map.items() if isinstance(text, str)}
        return {"ids": [tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS], "names": names}


def check():
    with open(PATH, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    for case in cases:
        found = expected(case)
        for key in ("ids", "names"):
            if found[key] != case[key]:
                print(f"transformers {transformers.__version__}: {case['name']}: {key} {found[key]}, not {case[key]}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    else:
        with open(PATH, "w", encoding="utf-8") as file:
            json.dump({"texts": TEXTS, "cases": [case | expected(case) for case in CASES]}, file,
                      ensure_ascii=False, indent=1)
            file.write("\n")
