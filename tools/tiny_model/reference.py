"""Reference numbers of the tiny model, by a way of its own.

    python reference.py --data DATA --segmenter build/segment_text \\
        --model test/data/models/tiny --output test/data/tiny_model_reference.json

Hidden states come from transformers, ids from its tokenizer over the marked
text, and the aggregator is numpy in f64.  Only the sentences are the
extension's.
"""

import argparse
import json

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from data import messages_of, read_rows
from segments import segment

LICENCES = {"llmbar": "MIT, Copyright (c) 2023 Princeton Natural Language Processing",
            "hhh": "Apache-2.0",
            "vicuna-blog-eval": "Apache-2.0"}


def choose_rows(rows, count, longest):
    """Short pairs, the sources in turn."""
    by_source = {source: [row for row in rows if row["source"] == source
                          and len(json.dumps(row)) < longest] for source in LICENCES}
    return [by_source[source][i] for i in range(count // len(LICENCES)) for source in LICENCES]


def rotate(x, position):
    """Adjacent pairs (2j, 2j+1) turn by position / 10000^(2j/d)."""
    d = len(x)
    angle = position * 10000.0 ** (-np.arange(0, d, 2) / d)
    z = (x[0::2] + 1j * x[1::2]) * np.exp(1j * angle)
    return np.stack((z.real, z.imag), axis=1).reshape(d)


def aggregate(hidden, tensors):
    """Values, rewards, weights and score from boundary states (n + 1, H)."""
    value = hidden @ tensors["score.weight"][0]
    reward = np.diff(value, prepend=0.0)
    n = len(value) - 1
    query = rotate(tensors["srm.query.weight"] @ hidden[n] + tensors["srm.query.bias"], n)
    keys = [rotate(tensors["srm.key.weight"] @ h + tensors["srm.key.bias"], i)
            for i, h in enumerate(hidden)]
    logit = np.array([query @ key for key in keys]) / len(query) ** 0.5
    weight = np.exp(logit - logit.max())
    weight /= weight.sum()
    return value, reward, weight, float(weight @ reward)


def marked_text(rendered_prompt, sentences, marker, terminator):
    """The rendered conversation with its markers."""
    text = rendered_prompt + marker
    carry = ""
    for sentence in sentences:
        piece = carry + sentence
        carry = " " if piece.endswith(" ") and not piece.endswith("  ") else ""
        text += piece[:len(piece) - len(carry)] + marker
    return text + carry + terminator + marker


class Reference:
    """A model directory as transformers sees it."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32).eval()
        with open(folder + "/config.json", encoding="utf-8") as file:
            self.marker = json.load(file)["srm"]["marker_token"]
        self.tensors = {name: tensor.double().numpy()
                        for name, tensor in load_file(folder + "/model.safetensors").items()}

    def rendered_prompt(self, prompt):
        messages = [{"role": role, "content": content} for role, content in messages_of(prompt)]
        return self.tokenizer.apply_chat_template(messages, tokenize=False,
                                                  add_generation_prompt=True)

    def response(self, prompt, sentences):
        rendered = self.rendered_prompt(prompt)
        text = marked_text(rendered, sentences, self.marker, self.tokenizer.eos_token)
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        marker = self.tokenizer.convert_tokens_to_ids(self.marker)
        marks = [i for i, token in enumerate(ids) if token == marker]
        marks = marks[:-2] + marks[-1:]
        with torch.no_grad():
            hidden = self.model.model(torch.tensor([ids])).last_hidden_state[0]
        value, reward, weight, score = aggregate(hidden[marks].double().numpy(), self.tensors)
        return {"sentences": sentences, "ids": ids, "boundaries": marks,
                "values": rounded(value), "rewards": rounded(reward),
                "weights": rounded(weight), "score": round(score, 7)}


def rounded(numbers):
    return [round(float(number), 7) for number in numbers]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--data", "--segmenter", "--model", "--output"):
        parser.add_argument(name, required=True)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--longest", type=int, default=900)
    options = parser.parse_args()
    torch.set_num_threads(1)
    reference = Reference(options.model)
    rows = choose_rows(read_rows(options.data, "bench"), options.pairs, options.longest)
    cases = []
    for row in rows:
        cut = segment(options.segmenter, [row["chosen"], row["rejected"]])
        cases.append({"source": row["source"], "licence": LICENCES[row["source"]],
                      "prompt": row["prompt"],
                      "rendered_prompt": reference.rendered_prompt(row["prompt"]),
                      "chosen": reference.response(row["prompt"], cut[0]),
                      "rejected": reference.response(row["prompt"], cut[1])})
    with open(options.output, "w", encoding="utf-8") as file:
        json.dump({"cases": cases}, file, ensure_ascii=False, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
