#!/usr/bin/env python3
"""Makes test/data/templates/calls.json: rewards of responses that call tools, by transformers.

usage: make_calls.py

The templates of that folder are those of test/data/models/llama in turn. A conversation is rendered and tokenized by
transformers, which computes the value at each token; where values are read is stated here anew: the prompt ends with the last
token before the response, a sentence with the token of its last letter or mark, and a call with the last token of all; content that
a template leaves out for a call is the call's, and a call before the content belongs to the prompt. "text" is null where
the template refuses, and where it would pass over what srm does not: reasoning. Keys are in the order of jsonb, shorter ones first.
"""

import json
import os

import torch
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

import make_templates
import output

MODEL = "test/data/models/llama"
PATH = os.path.join(make_templates.FOLDER, "calls.json")
TOKENS = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
TEMPLATES = ["qwen2.5", "qwen3", "llama3.1", "hermes", "mistral-v0.3", "mistral-args", "smollm3", "documents"]
USER = {"role": "user", "content": "How is the weather?"}
CALL = {"type": "function", "id": "abcdefghi", "function": {"name": "weather", "arguments": {"city": "Łódź", "days": 3}}}
OTHER = {"type": "function", "id": "123456789", "function": {"name": "time", "arguments": {}}}
ANSWER = {"role": "tool", "content": "12 °C", "tool_call_id": "abcdefghi", "name": "weather"}
TOOLS = {"tools": make_templates.TOOLS}

# name: (messages, sentences of the last one, whether a call is behind them, variables)
CASES = {
    "call alone": ([USER, {"role": "assistant", "content": None, "tool_calls": [CALL]}], [], True, {}),
    "empty content": ([USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}], [], True, TOOLS),
    "call behind content": ([USER, {"role": "assistant", "content": "I look. Let me see.", "tool_calls": [CALL]}],
                            ["I look. ", "Let me see."], True, {}),
    "two calls": ([USER, {"role": "assistant", "content": "One moment.", "tool_calls": [CALL, OTHER]}],
                  ["One moment."], True, TOOLS),
    "answer behind a call": ([USER, {"role": "assistant", "content": "", "tool_calls": [CALL]}, ANSWER,
                              {"role": "assistant", "content": "It is cold. Stay in!"}],
                             ["It is cold. ", "Stay in!"], False, TOOLS),
    "reasoning": ([USER, {"role": "assistant", "reasoning_content": "I do not know.", "content": "Look out. Or ask."}],
                  ["Look out. ", "Or ask."], False, {"enable_thinking": False}),
    "documents": ([USER, {"role": "assistant", "content": "Rain. All day."}], ["Rain. ", "All day."], False,
                  {"documents": [{"text": "Rain is near.", "title": "Weather"}], "enable_thinking": True}),
}


def as_jsonb(value):
    """What jsonb makes of it: shorter keys first, then by their bytes."""
    if isinstance(value, dict):
        return {key: as_jsonb(value[key]) for key in sorted(value, key=lambda k: (len(k.encode()), k.encode()))}
    return [as_jsonb(item) for item in value] if isinstance(value, list) else value


def find_response(text, before, content):
    """Where the response starts; that of no content where the conversation leaves the one that invites it."""
    if content:
        return text.rindex(content)
    return next((i for i, (a, b) in enumerate(zip(text, before)) if a != b), min(len(text), len(before)))


@torch.no_grad()
def expect(tokenizer, model, template, messages, sentences, has_call, variables):
    text = make_templates.render(template, messages, False, TOKENS | variables)
    if text is None or any("reasoning_content" in m and "reasoning_content" not in template for m in messages):
        return {"text": None}
    before = make_templates.render(template, messages[:-1], True, TOKENS | variables)
    content = "".join(sentences)
    left_out = content not in text
    start = find_response(text, before, "" if left_out else content)
    end = start if left_out else start + len(content)
    has_call = has_call and "weather" in text[end:]
    named = [content] if left_out else sentences + [""] * has_call
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    offsets = encoded["offset_mapping"]
    places = [max(i for i, (_, end) in enumerate(offsets) if end <= start)]
    end = start
    for sentence in sentences if not left_out else []:
        last = end + len(sentence.rstrip())
        places.append(next(i for i, (_, e) in enumerate(offsets) if e >= last))
        end += len(sentence)
    if has_call:
        places.append(len(offsets) - 1)
    else:
        places[-1] = len(offsets) - 1
    values = model.score(model.base_model(torch.tensor([encoded["input_ids"]])).last_hidden_state[0])[:, 0].double()
    return {"text": text, "sentences": named, "rewards": [float(values[b] - values[a]) for a, b in zip(places, places[1:])]}


def make():
    tokenizer = PreTrainedTokenizerFast.from_pretrained(MODEL)
    model = AutoModelForSequenceClassification.from_pretrained(MODEL, dtype=torch.float32, attn_implementation="eager").eval()
    cases = {name: (as_jsonb(messages), sentences, has_call, as_jsonb(variables))
             for name, (messages, sentences, has_call, variables) in CASES.items()}
    found = []
    for name in TEMPLATES:
        with open(os.path.join(make_templates.FOLDER, name + ".jinja"), encoding="utf-8", newline="") as file:
            template = file.read()
        for case, arguments in cases.items():
            found.append({"template": name, "case": case, **expect(tokenizer, model, template, *arguments)})
    return {"cases": {name: {"messages": json.dumps(messages, ensure_ascii=False), "variables": json.dumps(variables)}
                      for name, (messages, _, _, variables) in cases.items()}, "results": found}


if __name__ == "__main__":
    torch.set_num_threads(1)
    output.write(PATH, make())
