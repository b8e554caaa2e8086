"""Renders the chat templates of test/data/templates as transformers does.

Writes rendered.json: each template with each conversation that it accepts or
refuses, with and without a generation prompt; and expressions.json: small
templates, each with its output or the fact that it fails.  The environment is
that of apply_chat_template(), with the clock set to DATE.
"""

import datetime
import json
import os

import transformers.utils.chat_template_utils as chat

from template_cases import EXPRESSIONS

FOLDER = "test/data/templates"
DATE = "2024-07-26"

LLAMA3 = {"bos_token": "<|begin_of_text|>", "eos_token": "<|eot_id|>"}
LLAMA2 = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
QWEN = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
GEMMA = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
PHI3 = {"bos_token": "<s>", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>",
        "unk_token": "<unk>"}

TEMPLATES = {
    "chatml": QWEN,
    "deepseek-r1": {"bos_token": "<｜begin▁of▁sentence｜>", "eos_token": "<｜end▁of▁sentence｜>"},
    "default": {"eos_token": "<|end|>"},
    "documents": {"eos_token": "<|end_of_text|>"},
    "gemma": GEMMA,
    "gemma2": GEMMA,
    "generation": QWEN,
    "hermes": QWEN | {"bos_token": "<|begin_of_text|>"},
    "internlm2": LLAMA2,
    "llama2": LLAMA2,
    "llama3": LLAMA3,
    "llama3.1": LLAMA3,
    "llama3.2": LLAMA3,
    "mistral-v0.1": LLAMA2,
    "mistral-args": LLAMA2,
    "mistral-v0.3": LLAMA2,
    "phi3": PHI3,
    "phi3-role": PHI3,
    "qwen2.5": QWEN,
    "qwen3": QWEN,
    "smollm3": QWEN,
    "tulu": LLAMA2,
    "zephyr": LLAMA2,
}

SPECIAL = ("<|im_start|>system\nYou obey.<|im_end|>\n<s></s> [INST] <<SYS>> <|eot_id|><|end|>"
           "<start_of_turn>user\n<|begin_of_text|> {{ bos_token }} {% raw %} {# no #}")
UNICODE = ("  \u00a0Zażółć \u2028 日本語。 \U0001f469\u200d\U0001f680 e\u0301 \u3000"
           "مرحبا हिन्दी \x1f\x85 ")

CONVERSATIONS = {
    "single turn": [("user", "What is 2 + 2?"), ("assistant", "It is 4.")],
    "multi-turn": [("user", "Hi."), ("assistant", "Hello! How can I help?"),
                   ("user", "Name a colour."), ("assistant", "Blue. Or red?"),
                   ("user", "One only."), ("assistant", "Blue.")],
    "system": [("system", "You are brief."), ("user", "Hi."), ("assistant", "Hi.")],
    "system, multi-turn": [("system", " Speak like a pirate.\n"), ("user", "Hi."),
                           ("assistant", "Arr."), ("user", "Bye."), ("assistant", "Arr!")],
    "empty response": [("user", "Say nothing."), ("assistant", "")],
    "empty prompt": [("user", ""), ("assistant", "Nothing was asked.")],
    "empty system": [("system", ""), ("user", "Hi."), ("assistant", "Hi.")],
    "spaces": [("user", "  two before, one after "), ("assistant", "\n\n a \n\t b  \n\n")],
    "white space only": [("user", " \n "), ("assistant", "\n")],
    "special tokens": [("system", SPECIAL), ("user", SPECIAL), ("assistant", SPECIAL)],
    "Unicode": [("user", UNICODE), ("assistant", UNICODE + UNICODE)],
    "carriage returns": [("user", "a\r\nb\rc\n"), ("assistant", "\r\nd\r\n")],
    "thinking": [("user", "Why?"),
                 ("assistant", "<think>\nHm.\n</think>\n\nBecause."),
                 ("user", "<tool_response>1</tool_response>"),
                 ("assistant", "<think>\n\nSo\n</think>\n\n\nThus. <think> No. </think> Yes.")],
    "no end of thinking": [("user", "Why?"), ("assistant", "<think>\nI do not know.")],
    "prompt only": [("user", "Is anyone there?")],
    "two users": [("user", "One."), ("user", "Two."), ("assistant", "Three.")],
    "assistant first": [("assistant", "May I help?"), ("user", "Yes."), ("assistant", "How?")],
    "late system": [("user", "Hi."), ("assistant", "Hi."), ("system", "Be brief."),
                    ("user", "Bye."), ("assistant", "Bye.")],
    "unusual role": [("user", "Hi."), ("critic", "Dull."), ("assistant", "Hi!")],
    "tool": [("user", "Weather?"), ("tool", "{\"rain\": true}"), ("tool", "12 °C"),
             ("assistant", "Rain.")],
    "long": [("user", "Write on. " * 40), ("assistant", "A line of prose.\n" * 60 + "Ünd Schluß.")],
}

CALL = {"type": "function", "id": "abcdefghi",
        "function": {"name": "weather", "arguments": {"city": "Łódź <|im_end|>", "days": 3, "at": 1.5,
                                                      "more": [None, True, {"x": "'\"\n"}]}}}
SECOND = {"id": "123456789", "type": "function", "function": {"name": "time", "arguments": {}}}
AS_TEXT = {"id": "aaaaaaaaa", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":  \"Łódź\"}"}}
TOOLS = [
    {"type": "function", "function": {
        "name": "weather", "description": "Tells \"it\" & more <b>.", "parameters": {
            "type": "object", "required": ["city"], "properties": {
                "at": {"type": ["number", "null"], "default": 1.5}, "city": {"type": "string", "description": " A city "},
                "days": {"type": "integer", "description": ""}, "names": {"type": "array", "items": {"type": "boolean"}},
                "more": {"type": "object", "additionalProperties": {"type": "number"}}}}}},
    {"type": "function", "function": {"name": "time", "description": "é", "return": {"type": "string"},
                                      "parameters": {"type": "object", "properties": {}}}}]
PARTS = [{"type": "text", "text": " Hi."}]

# Messages with more than a role and a string, and variables besides
WHOLE = {
    "call and answer": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "", "tool_calls": [CALL]},
        {"role": "tool", "content": "12 °C", "tool_call_id": "abcdefghi", "name": "weather"},
        {"role": "assistant", "content": "It is 12 °C."}],
    "call without content": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]}],
    "call behind content": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [CALL]}],
    "reasoning": [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "reasoning_content": "Two and two.", "thinking": "Hm.", "content": "4."}],
    "key order": [
        {"content": "Hi.", "role": "user", "name": "Ann"},
        {"tool_calls": [{"function": {"arguments": {"b": 1, "aa": 2, "a": 3}, "name": "f"}}],
         "content": "Yes.", "role": "assistant"}],
    "two calls and answers": [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": "Weather and time?"},
        {"role": "assistant", "content": "I look.", "tool_calls": [CALL, SECOND]},
        {"role": "tool", "content": "12 °C", "tool_call_id": "abcdefghi", "name": "weather"},
        {"role": "tool", "content": "{\"h\": 5}", "tool_call_id": "123456789", "name": "time"},
        {"role": "assistant", "content": "12 °C at five."},
        {"role": "user", "content": "And there?"},
        {"role": "assistant", "content": "", "tool_calls": [AS_TEXT]}],
    "thinking and a call": [
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "reasoning_content": "\nI must look.\n", "content": "Let me see.", "tool_calls": [SECOND]},
        {"role": "tool", "content": "5", "tool_call_id": "123456789", "name": "time"},
        {"role": "assistant", "reasoning_content": "Five.", "content": "It is five."}],
    "documents": [
        {"role": "user", "content": "Whose?"},
        {"role": "assistant", "content": "Ann's."}],
    "one part": [
        {"role": "user", "content": PARTS},
        {"role": "assistant", "content": [{"type": "text", "text": "Yes.\n"}]}],
    "several parts": [
        {"role": "user", "content": PARTS + [{"text": "So? ", "type": "text"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
}
VARIABLES = {"call and answer": {"tools": [{"type": "function", "function": {
    "name": "weather", "description": "Tells <it>.", "parameters": {"type": "object", "properties": {}}}}]},
    "two calls and answers": {"tools": TOOLS, "custom_tools": None, "xml_tools": TOOLS[:1], "python_tools": ["def f(): pass"]},
    "thinking and a call": {"tools": TOOLS[1:], "enable_thinking": True},
    "documents": {"documents": [{"title": "Hats <1>", "text": "Ann has one.", "doc_id": 7}, {"text": "So has \"Ben\""}],
                  "controls": {"length": "brief"}, "thinking": True},
    "reasoning": {"enable_thinking": False, "keep": True}}


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromisoformat(DATE)


def render(template, messages, generation, variables):
    """The text, or None where the template or the messages are refused."""
    try:
        return chat.render_jinja_template(
            [messages], chat_template=template, add_generation_prompt=generation, **variables)[0][0]
    except Exception:
        return None


def render_whole(template, messages, generation, variables):
    """A list of parts that is refused, or printed as Python does, is the text of its only part."""
    text = render(template, messages, generation, variables)
    if (text is None or "[{'t" in text) and any(isinstance(m["content"], list) for m in messages):
        if any(isinstance(m["content"], list) and len(m["content"]) > 1 for m in messages):
            return None
        return render(template, [m | {"content": m["content"][0]["text"]} for m in messages],
                      generation, variables)
    return text


def as_messages(turns):
    return [{"role": role, "content": content} for role, content in turns]


def rendered():
    cases = []
    for file_name, tokens in TEMPLATES.items():
        with open(os.path.join(FOLDER, file_name + ".jinja"), encoding="utf-8", newline="") as file:
            template = file.read()
        texts = [[render(template, as_messages(turns), generation, tokens)
                  for generation in (False, True)] for turns in CONVERSATIONS.values()]
        texts += [[render_whole(template, messages, generation, tokens | VARIABLES.get(name, {}))
                   for generation in (False, True)] for name, messages in WHOLE.items()]
        assert any(text for pair in texts for text in pair), file_name
        cases.append({"file": file_name + ".jinja", "tokens": tokens, "texts": texts})
    return {"date": DATE,
            "conversations": [{"name": name, "messages": as_messages(turns)}
                              for name, turns in CONVERSATIONS.items()] +
                             [{"name": name, "messages": messages, "variables": VARIABLES.get(name)}
                              for name, messages in WHOLE.items()],
            "templates": cases}


def expressions():
    turns = CONVERSATIONS["system, multi-turn"]
    return {"date": DATE, "tokens": LLAMA2, "messages": as_messages(turns),
            "cases": [[source, render(source, as_messages(turns), False, LLAMA2)]
                      for source in EXPRESSIONS]}


def write(name, value):
    with open(os.path.join(FOLDER, name), "w", encoding="utf-8", newline="") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


chat.datetime = Clock

if __name__ == "__main__":
    write("rendered.json", rendered())
    write("expressions.json", expressions())
