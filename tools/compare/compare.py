#!/usr/bin/env python3
"""Runs a model in transformers and in srm, and says where the two part.

usage: compare.py [options] MODEL_DIR PAIRS.jsonl

PAIRS.jsonl has an object a line: {"prompt": ..., "chosen": ..., "rejected": ...}, where each may be text or a list
of messages (a prompt that is a list may be called "messages"), or {"messages": [...]}, whose last one is scored.  The server is found as psql finds it (PGHOST, PGPORT,
PGUSER, PGDATABASE), must have the extension, and a model of the directory's name (or --name) in srm.model_path.

Three things are compared for each conversation, in this order: the rendered text, the ids of its tokens, and the
score.  The first of them that differs is counted.  Where scores of equal ids differ, the rewards of the response's
tokens say at which of them the hidden states part.  A directory with an adapter_config.json is loaded with peft, over
the base that --base names, or that lies beside it by the name that the file has.  Exits with 1 where anything differs.

Two differences are meant: srm reads no special tokens in a user's text, and models with markers (boundary "marker" or
"step") have tokens that transformers knows nothing of.  Of these the text is compared, and, where the score is the
value at the last marker (aggregation "last"), the score that transformers gives for srm's ids.
"""

import argparse
import json
import os
import subprocess
import sys

SEPARATOR = "=== srm compare ==="


def as_messages(value, role):
    return value if isinstance(value, list) else [{"role": role, "content": value}]


def read_conversations(path, limit):
    """Conversations, and pairs of numbers of those that belong together."""
    conversations, pairs = [], []
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.strip() or len(conversations) >= limit:
                continue
            row = json.loads(line)
            if "chosen" not in row:
                conversations.append(row["messages"])
                continue
            prompt = as_messages(row.get("prompt", row.get("messages")) or [], "user")
            for key in ("chosen", "rejected"):
                response = as_messages(row[key], "assistant")
                conversations.append(response if len(response) > 1 else prompt + response)
            pairs.append((len(conversations) - 2, len(conversations) - 1))
    return conversations, pairs


def quote(text):
    tag = "q"
    while "$" + tag + "$" in text:
        tag += "q"
    return f"${tag}${text}${tag}$"


def run_srm(name, conversations):
    """For each conversation what srm says, or {"error": ...}."""
    script = []
    for messages in conversations:
        m, c = quote(name), quote(json.dumps(messages, ensure_ascii=False)) + "::jsonb"
        script.append(f"SELECT json_build_object('text', srm_render({m}, {c}), 'score', srm_score({m}, {c}), 'ids', "
                      f"(SELECT json_agg(token_id ORDER BY token_no) FROM srm_tokenize({m}, {c})));\n\\echo {SEPARATOR}\n")
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t", "-v", "VERBOSITY=verbose"], input="".join(script),
                          encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    parts = done.stdout.split(SEPARATOR)
    if len(parts) != len(conversations) + 1:
        sys.exit("compare.py: psql: " + done.stdout.strip()[:2000])
    results = []
    for part in parts[:-1]:
        try:
            results.append(json.loads(part))
        except ValueError:
            results.append({"error": part.strip()})
    return results


def run_srm_tokens(name, messages):
    """All tokens, those of the response and their rewards, or None where the model has none."""
    m, c = quote(name), quote(json.dumps(messages, ensure_ascii=False)) + "::jsonb"
    done = subprocess.run(["psql", "-X", "-q", "-A", "-t"], encoding="utf-8", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False,
                          input=f"SELECT json_build_array((SELECT json_agg(token ORDER BY token_no) FROM srm_tokenize({m}, {c})), "
                          f"json_agg(token ORDER BY token_no), json_agg(reward ORDER BY token_no)) FROM srm_token_rewards({m}, {c});")
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def read_json(directory, name):
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def find_base(directory):
    """The directory of an adapter's base: beside the adapter, or what transformers makes of the name."""
    config = read_json(directory, "adapter_config.json")
    named = config.get("srm", {}).get("base") or config["base_model_name_or_path"]
    beside = os.path.join(os.path.dirname(os.path.abspath(directory)), os.path.basename(os.path.normpath(named)))
    return beside if os.path.isdir(beside) else named


def load_adapter(directory, base):
    """An adapter over its base, which may have no head: then it gets one as large as that of the adapter."""
    from peft import PeftModel
    from safetensors import safe_open
    from transformers import AutoModelForSequenceClassification
    how = {}
    with safe_open(os.path.join(directory, "adapter_model.safetensors"), "pt") as file:
        if "base_model.model.score.weight" in file.keys():
            how = {"num_labels": file.get_slice("base_model.model.score.weight").get_shape()[0]}
    return PeftModel.from_pretrained(AutoModelForSequenceClassification.from_pretrained(base, **how), directory)


def load(directory, base, dtype):
    """Tokenizer and model; the model is None where transformers has no class for it."""
    import torch
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer
    has_tokenizer = os.path.exists(os.path.join(directory, "tokenizer_config.json"))
    tokenizer = AutoTokenizer.from_pretrained(directory if has_tokenizer or base is None else base)
    how = {}
    try:
        if base is not None:
            model = load_adapter(directory, base)
        else:
            if (getattr(AutoConfig.from_pretrained(directory), "quantization_config", None) or {}).get("quant_method") == "compressed-tensors":
                from transformers import CompressedTensorsConfig
                how = {"quantization_config": CompressedTensorsConfig(run_compressed=False), "dtype": getattr(torch, dtype)}
            model = AutoModelForSequenceClassification.from_pretrained(directory, **how)
    except (ValueError, KeyError, OSError) as error:
        print(f"no scores: {str(error).splitlines()[0]}")
        return tokenizer, None
    return tokenizer, model.to(getattr(torch, dtype)).eval()


def settings_of(directory, base):
    """The object "srm"; that of an adapter, member by member, before that of its base."""
    if base is None:
        return read_json(directory, "config.json").get("srm", {})
    return {**settings_of(base, None), **read_json(directory, "adapter_config.json").get("srm", {})}


def values_of(model, ids, label):
    """The head's value at each token, or None where transformers has another kind of head."""
    import torch
    model = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not hasattr(model, "score"):
        return None
    with torch.no_grad():
        hidden = model.base_model(torch.tensor([ids])).last_hidden_state[0]
        return model.score(hidden)[:, label].double().tolist()


def run_transformers(tokenizer, model, settings, conversations, marked):
    """Text, ids and score of each conversation; the score of ids that srm marked, where there are any."""
    import torch
    results = []
    for messages, marked_ids in zip(conversations, marked):
        try:
            template = settings.get("chat_template")
            options = dict(settings.get("template_variables") or {}, **({"chat_template": template} if template else {}))
            text = tokenizer.apply_chat_template(messages, tokenize=False, **options)
            ids = tokenizer(text, add_special_tokens=False)["input_ids"]
            result = {"text": text, "ids": ids}
            if model is not None:
                with torch.no_grad():
                    logits = model(torch.tensor([marked_ids or ids])).logits[0].double()
                label = settings.get("label", 0)
                label = int(model.config.label2id.get(label, label))
                result["score"] = float(logits[label])
                result["values"] = lambda ids=marked_ids or ids, label=label: values_of(model, ids, label)
        except Exception as error:
            result = {"error": f"{type(error).__name__}: {error}"}
        results.append(result)
    return results


def first_difference(a, b):
    i = 0
    while i < min(len(a), len(b)) and a[i] == b[i]:
        i += 1
    return i


def where_states_part(values, tokens, response, rewards, tolerance):
    """
    The first token of the response, from 1 on, whose value is not what the rewards up to it add up to; 0 where none
    is; None where the response cannot be found.  The last one's reward is that of all that is behind it, too.
    """
    n = len(response)
    first = next((i for i in range(len(tokens) - n, 0, -1) if tokens[i:i + n] == response), None)
    if n == 0 or first is None or len(values) != len(tokens):
        return None
    value = values[first - 1]
    for i, reward in enumerate(rewards):
        value += reward
        place = first + i if i < n - 1 else len(values) - 1
        if abs(value - values[place]) > tolerance * max(1, abs(values[place])):
            return first + i + 1
    return 0


def say_where(number, theirs, ours, tolerance):
    """Where the score that differs comes from, as far as the values at tokens tell."""
    values, rewards = theirs["values"](), ours["rewards"]()
    at = where_states_part(values, *rewards, tolerance) if values and rewards else None
    if at is None:
        print(f"{number}: values at tokens cannot be compared")
    elif at == 0:
        print(f"{number}: hidden states agree in the response: differences arise in the prompt or behind the head")
    else:
        print(f"{number}: hidden states differ first at token {at} {rewards[0][at - 1]!r} of the response")


def compare(number, theirs, ours, has_markers, tolerance):
    """What differs first, or None; says it."""
    if ("error" in theirs) != ("error" in ours):
        print(f"{number}: transformers: {theirs.get('error', 'fine')}\n{number}: srm: {ours.get('error', 'fine')}")
        return "refused"
    if "error" in theirs:
        return None
    if theirs["text"] != ours["text"]:
        i = first_difference(theirs["text"], ours["text"])
        print(f"{number}: text differs at character {i + 1}: {theirs['text'][i - 20 if i > 20 else 0:i + 40]!r} "
              f"(transformers), {ours['text'][i - 20 if i > 20 else 0:i + 40]!r} (srm)")
        return "text"
    if not has_markers and theirs["ids"] != ours["ids"]:
        i = first_difference(theirs["ids"], ours["ids"])
        print(f"{number}: ids differ at token {i + 1}: {theirs['ids'][i:i + 8]} (transformers), {ours['ids'][i:i + 8]} (srm)")
        return "ids"
    if "score" in theirs and abs(theirs["score"] - ours["score"]) > tolerance * max(1, abs(theirs["score"])):
        print(f"{number}: scores differ: {theirs['score']:.6g} (transformers), {ours['score']:.6g} (srm)")
        if "values" in theirs and "rewards" in ours:
            say_where(number, theirs, ours, tolerance)
        return "score"
    return None


def report(theirs, ours, pairs, has_markers, tolerance):
    counts = {"refused": 0, "text": 0, "ids": 0, "score": 0}
    largest = 0.0
    for i, (their, our) in enumerate(zip(theirs, ours)):
        kind = compare(i + 1, their, our, has_markers, tolerance)
        if kind is not None:
            counts[kind] += 1
        if kind in (None, "score") and "score" in their and "score" in our:
            largest = max(largest, abs(their["score"] - our["score"]))
    known = [(a, b) for a, b in pairs if all("score" in side[i] for side in (theirs, ours) for i in (a, b))]
    flips = sum((theirs[a]["score"] > theirs[b]["score"]) != (ours[a]["score"] > ours[b]["score"]) for a, b in known)
    print(f"{len(theirs)} conversations: " + ", ".join(f"{n} differ in {kind}" if kind != "refused" else
                                                       f"{n} refused by one alone" for kind, n in counts.items()))
    scored = any("score" in their for their in theirs)
    print(f"largest difference of scores: {largest:.3g}; {flips} of {len(known)} preferences flip" if scored else
          "no scores were compared")
    return any(counts.values())


def main():
    parser = argparse.ArgumentParser(description="Runs a model in transformers and in srm, and says where the two part.")
    parser.add_argument("directory", metavar="MODEL_DIR")
    parser.add_argument("pairs", metavar="PAIRS.jsonl")
    parser.add_argument("--name", help="the model's name in srm [that of the directory]")
    parser.add_argument("--base", help="directory of an adapter's base [beside it, by the name in adapter_config.json]")
    parser.add_argument("--dtype", default="float32", help="of the computation in transformers [float32]")
    parser.add_argument("--limit", type=int, default=1000, help="conversations at most [1000]")
    parser.add_argument("--tolerance", type=float, default=1e-3, help="of scores, relative to the score or 1 [1e-3]")
    options = parser.parse_args()
    conversations, pairs = read_conversations(options.pairs, options.limit)
    is_adapter = os.path.exists(os.path.join(options.directory, "adapter_config.json"))
    base = (options.base or find_base(options.directory)) if is_adapter else None
    settings = settings_of(options.directory, base)
    has_markers = settings.get("boundary", "offset") != "offset"
    tokenizer, model = load(options.directory, base, options.dtype)
    name = options.name or os.path.basename(os.path.normpath(options.directory))
    ours = run_srm(name, conversations)
    for our, messages in zip(ours, conversations):
        our["rewards"] = lambda messages=messages: run_srm_tokens(name, messages)
    at_end = not has_markers or settings.get("aggregation") == "last"
    theirs = run_transformers(tokenizer, model if at_end else None, settings, conversations,
                              [our.get("ids") if has_markers else None for our in ours])
    sys.exit(report(theirs, ours, pairs, has_markers, options.tolerance))


if __name__ == "__main__":
    main()
