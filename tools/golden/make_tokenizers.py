"""Makes test/data/tokenizer: small tokenizers, and what the tokenizers library
says of a few hundred texts.

    pip install tokenizers==0.23.3 sentencepiece==0.2.3 transformers==5.24.0
    python tools/golden/make_tokenizers.py test/data/tokenizer
    python tools/golden/make_tokenizers.py --large large.json corpus.txt

The second form trains a vocabulary of 150,000 tokens for the benchmark; where
the corpus does not hold as many, tokens of random pairs are added.

Texts hold no code point that Unicode got after release 14.0 (which Python
3.11 has), so that the numbers do not depend on the tables of ICU.
"""

import json
import os
import random
import sys
import unicodedata

import tokenizers
from tokenizers import (AddedToken, Regex, Tokenizer, models, normalizers,
                        pre_tokenizers, trainers)
from transformers import PreTrainedTokenizerFast

import sentencepiece_tokenizers
import wordpiece_tokenizers

SEED = 20250304

GPT2 = (r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|"
        r"\s+(?!\S)|\s+")
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
          r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
         r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = ("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
            "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+|"
            " ?[\\p{P}\\p{S}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")

CORPUS = """
It's a sentence-level reward model: the response is cut into sentences, and
each sentence gets a reward. We'll see whether that isn't too good to be true.
I'm sure they've tried; he'd say you're right. THEY'RE LOUD, AREN'T THEY?
def score(prompt, response):\n    if response is None:\n        return 0.0\n
    for i in range(10):\n\t\ttotal += weights[i] * values[i]\n    return total\n
SELECT name, sum(value) FROM pairs WHERE chosen <> rejected GROUP BY name;
The answer is 42, or 1,234,567.89 in the year 2024, which is 50% more.
Müller trinkt Kaffee in Zürich. Ça coûte déjà très cher, garçon! ¿Qué tal?
Привет, мир! Как дела? Это предложение на русском языке.
这是一个句子。你好，世界！今天天气很好。 これは日本語の文です。テストをします。
한국어 문장입니다. 안녕하세요. नमस्ते दुनिया। مرحبا بالعالم، كيف حالك؟ שלום עולם
สวัสดีชาวโลก Xin chào thế giới, tiếng Việt có dấu.
\U0001F600 \U0001F44D\U0001F3FD \U0001F468\u200D\U0001F469\u200D\U0001F467 \u2764\uFE0F
"""


# ---- texts ----

def plain_texts():
    return [
        "", " ", "a", "é", "Hello, world!", "Hello  world", " Hello world ",
        "It's, IT'S, it'S; we'll WE'LL; they're they'RE; I'm I'M; he'd HE'D; isn't",
        "'s 't 're 've 'm 'll 'd 'S 'T 'RE 'VE 'M 'LL 'D 'x 'lL 'Re 'vE",
        "it\u2019s not the same apostrophe", "'\u017F '\u017Ft '\u212A",
        "word'word''word'''s''", "don't'll've",
        "a\nb", "a\n\nb", "a\r\nb\r\n\r\nc", "a \n b", "a\n \n b", "  a\n   b  \n",
        "\n", "\n\n\n", "\r", "\r\n", "\t\tx\t\ty", " \n", "\n ", "   \n   \n   ",
        "trailing   ", "   leading", "a   b", "a\u00A0b", "a\u00A0 b", "a \u00A0b",
        "\u2003\u2003em spaces\u2003", "\u3000全角\u3000空白", "\u1680ogham\u1680",
        "a\u0085b", "a\u000Bb", "a\u000Cb", "a\u001Cb\u001Db\u001Eb\u001Fb",
        "a\u200Bb\u200Cc\u200Dd\u2060e\uFEFFf", "a\u2028b\u2029c", "\u202F1\u202F000",
        "\u180Ea\u180E b", "\u205F\u205Fx",
        "0", "12", "123", "1234", "12345678901234567890", "1.5e-10", "3,141,592",
        "x1y22z333", "\u0661\u0662\u0663\u0664", "\u00BD \u00B2\u00B3 \u2460\u2461 \u2167\u2168",
        "\u0967\u0968\u0969 \u4E00\u4E8C \u3007", "v1.2.3-beta+build.5", "١٢٣٤٥",
        "\U0001D7CE\U0001D7CF\U0001D7D0\U0001D7D1", "1st 2nd 3rd 4th",
        "def f(x):\n    return x ** 2\n\n\nif __name__ == '__main__':\n    print(f(3))\n",
        "int main(void)\n{\n\tprintf(\"%d\\n\", a[0]->b.c);\r\n\treturn 0;\r\n}\r\n",
        "{\"a\": [1, 2.5, null], \"b\": {\"c\": \"d\\u00e9\"}}",
        "<div class=\"x\">text</div><!-- c -->", "```python\nx = 1\n```",
        "| a | b |\n|---|---|\n| 1 | 2 |", "$$\\int_0^1 x^2\\,dx = \\frac{1}{3}$$",
        "https://example.org/a/b?c=d&e=f#g", "user@example.org", "C:\\path\\file.txt",
        "# Title\n\n* item\n* item **bold** _it_\n\n1. one\n2. two\n",
        "...", "?!?!", "---", "=====", "a.b.c", "(a)[b]{c}", "@#$%^&*()", "~`!",
        "e\u0301", "e\u0301\u0301x", "\u0301", "\u0301abc", "a\u0323\u0302", "a\u0302\u0323",
        "q\u0307\u0323", "q\u0323\u0307", "\u1E69", "s\u0323\u0307", "s\u0307\u0323",
        "\u1E9B\u0323", "\u212B", "A\u030A", "\u2126", "\u0344", "\u0344\u0323", "x\u0344\u0323y",
        "\uAC00", "\u1100\u1161", "\u1100\u1161\u11A8", "\uAC00\u11A8", "\uAC00\u11A7",
        "\u1100\u1161\u11A7", "\u1100\u1161\u11C2\u11C3", "\u1112\u1161\u11AB\u1100\u1173\u11AF",
        "\uAC01\u11A8", "\u1161\u11A8", "\u1100\u11A8",
        "\u0928\u093C", "\u0915\u093C", "\u0958", "\u09C7\u09BE", "\u0B47\u0B56", "\u0DD9\u0DCF\u0DCA",
        "\u0F71\u0F72", "\u0F73", "\u0F39\u0F71\u0F73", "\u0F77", "\u1B05\u1B35",
        "\U00011935\U00011930", "\U00011938", "\U00011131\U00011127", "\U0001D15E", "\U0001D1BB\U0001D16F",
        "\u0338=\u0338 <\u0338 >\u0338", "\u2ADC", "\u2ADD\u0338", "\uFB1D", "\u05D9\u05B4",
        "\u05E9\u05BC\u05C1", "\u05E9\u05C1\u05BC", "\uF900\uFA10\u8C48", "\U0002F800",
        "a\u0334\u0301\u0323\u0334b", "o\u0308\u0304", "\u022B", "\u01D7\u0323",
        "\u0041\u0328\u0301\u0041\u0301\u0328", "\u1EAD", "tie\u0302\u0301ng vie\u0323\u0302t",
        # marks that got their class after Unicode 9.0
        "a\u1DF6\u0301", "a\u0301\u1DF6", "a\u08D3\u0301", "a\u0301\u08D3", "\U0001133B\U0001133C",
        "a\u0301\u1AC0", "a\u0301\u1ABF\u0323", "e\u1AC1\u0301", "e\u0898\u0301",
        "\uFB01\uFB02\uFB03", "\uFF21\uFF22\uFF23\u3000\uFF11", "\u2460\u3392\u33C2", "x\u00B2\u2075",
        "\uFDFA", "\u1F80\u0345", "\uFF76\uFF9E", "\u3131\u314F", "\u2122\u00AA\u00BA",
        "\U0001F600", "\U0001F44D\U0001F3FD", "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466",
        "\u2764\uFE0F\u200D\U0001F525", "\U0001F1E9\U0001F1EA\U0001F1EB\U0001F1F7", "1\uFE0F\u20E3",
        "\U0001F3F4\U000E0067\U000E0062\U000E0065\U000E006E\U000E0067\U000E007F", "ok\U0001F44D!",
        "\U0001F600\U0001F600\U0001F600", "a\U0001F600b", " \U0001F600 ",
        "Привет, мир! ЁЛКА ёлка", "你好，世界！\n今天", "これはテストです。", "カタカナ ひらがな 漢字",
        "안녕하세요 세계", "नमस्ते दुनिया। क्षत्रिय", "مرحبا بالعالم", "שָׁלוֹם", "สวัสดีชาวโลก",
        "ကမ္ဘာ", "ᠮᠣᠩᠭᠣᠯ", "ქართული", "Հայերեն", "ελληνικά ΣΊΣΥΦΟΣ", "İstanbul ıI ŞşĞğ",
        "DŽ Dž dž ǅ", "ß ẞ SS", "\uFFFD\uFFFD", "\uFFFE\uFFFF", "\uFDD0\uFDEF", "\U0001FFFE\U0001FFFF",
        "\U0010FFFF\U0010FFFE", "\uE000\uF8FF", "\U000F0000\U00100000", "\u0378\u0379", "\u0001\u0002\u001F",
        "\u007F\u0080\u009F", "a\u00ADb", "\u061C\u200E\u200F\u202A\u202E", "\U000E0001\U000E0020",
        "x" * 100, "ab" * 60, " " * 70, "\n" * 40, "é" * 50, "\u0301" * 40, "!" * 90, "1" * 64,
        "a" + "\u0301\u0323" * 20, "AbCdEfGhIjKlMnOpQrStUvWxYz", "camelCaseAndSnake_case_and-kebab-case",
        "Pneumonoultramicroscopicsilicovolcanoconiosis antidisestablishmentarianism",
        CORPUS.strip()[:300],
    ]


# Of the whole file of texts only those with one of these strings are encoded
# a second time, with special tokens as plain text.
SPECIALS = ["<|endoftext|>", "<|begin_of_text|>", "<|eot_id|>", "<|im_start|>", "<|im_end|>",
            "<|start_header_id|>", "<s>", "[MASK]", "[L]", "[R]", "[LR]", "[W]", "[WL]"]


def special_texts():
    texts = []
    for special in SPECIALS:
        texts += [special, f"a{special}b", f" {special} ", f"a {special}\n b", special * 2,
                  special[:-1], special[1:], special.upper()]
    return texts + [
        "<|im_start|>user\nHi there<|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n",
        "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>",
        "<think>\nhm\n</think>\n\nYes.", "<think", "a<think>b</think>c", "<<think>>",
        "<|im_start<|im_start|>|>", "<|<|im_end|>|>", "<|reserved_special_token_1|>1|>",
        "<|reserved_special_token_1", "<tool_call>{\"a\": 1}</tool_call>",
        "a [L] b", "a  [L]  b", "a [R] b", "a  [R]  b", "a  [LR]  b", "[R] [L]", "[R]  [R]  [L]",
        "\u3000[L]\u00A0[R]\u2003x", "[W]", "a[W]", "[W]a", "a [W] b", "_[W]", "[W]_", "é[W]", "[W]é",
        "a\u0301[W]", "1[W]1", "\u200D[W]", "a [W]a [W] [W]", "a\n[WL] b", "a[WL]", "-[W]-",
        "caf\u00E9 x", "cafe\u0301 x", "a caf\u00E9", "a cafe\u0301s", "cafe", "ofﬁce", "office", "ﬁn",
        "ab abc abcd abcde", "abcabcd", "xabcx", "aabc", "abab", "abcdab",
        "\u00C5 \u212B A\u030A [\u212B]", "x y\u00A0z", "tab\tstop", "  hello", "hello  ",
    ]


def assigned(code):
    """Whether all the tables in question agree on a code point."""
    category = unicodedata.category(chr(code))
    return category != "Cs" and (category != "Cn" or (code & 0xFFFE) == 0xFFFE or
                                 0xFDD0 <= code <= 0xFDEF)


def random_texts(rng):
    planes = [range(0x20, 0x250), range(0x300, 0x370), range(0x370, 0x1200), range(0x1100, 0x1200),
              range(0x1E00, 0x2070), range(0x2070, 0x3100), range(0x3040, 0xA000), range(0xA000, 0xD7A4),
              range(0xE000, 0xFFFE), range(0x10000, 0x14000), range(0x16000, 0x1C000),
              range(0x1C000, 0x20000), range(0x20000, 0x32000), range(0xE0000, 0xE01F0),
              range(0xF0000, 0xF0100), range(0x10FF00, 0x10FFFE)]
    spaces = " \t\n\r\u00A0\u2009\u3000\u0085\u000B"
    texts = []
    for plane in planes:
        codes = [c for c in plane if assigned(c)]
        for length in (8, 24):
            text = ""
            for _ in range(length):
                text += chr(rng.choice(codes))
                if rng.random() < 0.25:
                    text += rng.choice(spaces) * rng.randint(1, 3)
                if rng.random() < 0.1:
                    text += rng.choice(["a", "B", "7", "'s", ".", "\u0301", "\u0323"])
            texts.append(text)
    letters = "aeoust\u00E4\u1EA1"
    marks = [chr(c) for c in range(0x300, 0x370)] + ["\u0345", "\u093C", "\u05B0", "\u0F71", "\u1DC0"]
    for _ in range(24):
        texts.append("".join(rng.choice(letters) + "".join(rng.choices(marks, k=rng.randint(0, 4)))
                             for _ in range(8)))
    jamo = [chr(c) for c in list(range(0x1100, 0x1113)) + list(range(0x1161, 0x1176)) +
            list(range(0x11A7, 0x11C3))] + ["\uAC00", "\uD788", "\uB098"]
    for _ in range(6):
        texts.append("".join(rng.choices(jamo, k=16)))
    for _ in range(12):
        texts.append("".join(rng.choices(spaces + "  \n\nab1.'", k=30)))
    for _ in range(12):
        words = CORPUS.split()
        texts.append("".join(rng.choice(words) + rng.choice([" ", "  ", "\n", "", ", "])
                             for _ in range(20)))
    return texts


# ---- tokenizers ----

def train(pre_tokenizer, vocab_size, normalizer=None, special=(), added=(), corpus=None):
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.train_from_iterator(
        corpus or [CORPUS],
        trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False,
                            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    tokenizer.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in special])
    tokenizer.add_tokens(list(added))
    return json.loads(tokenizer.to_str())


def sequence(*patterns):
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns] +
        [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def without_some_merges(tree, rng):
    """Leaves tokens that only ignore_merges can reach."""
    merges = tree["model"]["merges"]
    used = {part for merge in merges for part in merge}
    ends = [m for m in merges if m[0] + m[1] not in used]
    gone = rng.sample(ends, len(ends) // 3)
    tree["model"]["merges"] = [m for m in merges if m not in gone]
    tree["model"]["ignore_merges"] = True
    return tree


def legacy_merges(tree):
    tree["model"]["merges"] = [" ".join(m) for m in tree["model"]["merges"]]
    return tree


def flag_tokens():
    def token(content, **flags):
        return AddedToken(content, **flags)
    return [
        token("[L]", lstrip=True, normalized=False, special=True),
        token("[R]", rstrip=True, normalized=False, special=True),
        token("[LR]", lstrip=True, rstrip=True, normalized=False),
        token("[W]", single_word=True, normalized=False),
        token("[WL]", single_word=True, lstrip=True, normalized=True),
        token("[MASK]", lstrip=True, normalized=True, special=True),
        token("caf\u00E9", normalized=True), token("\u212B", normalized=True),
        token("[\u212B]", normalized=False), token("ﬁn", normalized=True),
        token("abc", normalized=True), token("abcde", normalized=True), token("ab", normalized=False),
        token("  ", normalized=True), token("hello", normalized=True, rstrip=True),
        token("\n ", normalized=False),
    ]


def make_main(rng):
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    reserved = [f"<|reserved_special_token_{i}|>" for i in range(12)]
    think = [AddedToken(t, special=False, normalized=False)
             for t in ("<think>", "</think>", "<tool_call>", "</tool_call>")]
    flags = train(pre_tokenizers.ByteLevel(add_prefix_space=True), 420,
                  normalizer=normalizers.NFC(), added=flag_tokens())
    compatible = train(pre_tokenizers.ByteLevel(add_prefix_space=True), 360, added=flag_tokens(),
                       normalizer=normalizers.Sequence([normalizers.NFD(), normalizers.NFKC()]))
    return {
        "gpt2": legacy_merges(train(byte_level, 700, special=["<|endoftext|>"])),
        "llama3": without_some_merges(
            train(sequence(LLAMA3), 700, special=["<|begin_of_text|>", "<|end_of_text|>",
                                                  "<|start_header_id|>", "<|end_header_id|>",
                                                  "<|eot_id|>"] + reserved), rng),
        "qwen2": train(sequence(QWEN2), 700, normalizer=normalizers.NFC(), added=think,
                       special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]),
        "o200k": train(sequence(O200K), 500, special=["<|endoftext|>"]),
        "deepseek": train(sequence(r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK), 500),
        "digits": train(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                 byte_level]), 500,
                        special=["<|im_start|>", "<|im_end|>"]),
        "flags": flags,
        "compatible": compatible,
    }


def make_splits():
    """The other ways to cut a text."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    prefix = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False)
    split = pre_tokenizers.Split
    parts = {
        "removed": [split(" ", "removed"), level],
        "previous": [split(Regex("[.,!'-]"), "merged_with_previous"), level],
        "next": [split(Regex("[.,!'-]"), "merged_with_next"), level],
        "contiguous": [split(Regex(r"[\s\-!]"), "contiguous"), level],
        "invert": [split(Regex(r"\p{L}+"), "removed", invert=True), prefix],
        "invert_next": [split(Regex(r"\w+"), "merged_with_next", invert=True), level],
        "empty": [split(Regex(r"\d*"), "merged_with_previous"), level],
        "empty_isolated": [split(Regex(r"(?=[A-Z])|(?<=\s)|x*?"), "isolated"), level],
        "lines": [split(Regex(r"^.*$|\n"), "isolated"), split(Regex(r"\A\h+|\S+\z"), "isolated"),
                  level],
        "spaces": [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Digits(individual_digits=False),
                   prefix],
        "escapes": [split(Regex(r"\W+|(?:[\w&&\x61\u0062\x{63}\t]|\p{^L}){2,3}?".replace("&&", "")),
                          "isolated"), level],
        "possessive": [split(Regex(r"\s++$|\s+(?!\S)|\s|\p{Lu}?+\p{Ll}++|\D*+\d"), "isolated"), level],
    }
    # Tokens learned without any cuts, so that each cut shows in the tokens
    tree = train(level, 420, corpus=[CORPUS] + plain_texts())
    trees = {}
    for name, steps in parts.items():
        tokenizer = Tokenizer.from_str(json.dumps(tree))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps)
        trees[f"split_{name}"] = json.loads(tokenizer.to_str())
    return trees


def make_behind():
    """Steps behind ByteLevel, which see the printable form of bytes: that of Falcon, and others."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    split = pre_tokenizers.Split
    falcon = pre_tokenizers.Sequence([
        pre_tokenizers.Punctuation("contiguous"), level, pre_tokenizers.Digits(individual_digits=False),
        split(Regex("[0-9][0-9][0-9]"), "isolated")])
    tree = train(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), 420, corpus=[CORPUS] + plain_texts())
    tokenizer = Tokenizer.from_str(json.dumps(tree))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False), pre_tokenizers.Digits(individual_digits=True),
        split(Regex("\u0120+|\u00C3.|[^\\w]"), "merged_with_next"), pre_tokenizers.Punctuation("isolated"), split("a", "removed")])
    return {"falcon": train(falcon, 700, special=[">>TITLE<<", "<|endoftext|>"]),
            "split_behind": json.loads(tokenizer.to_str())}


def make_unknown():
    """A vocabulary without some of the bytes."""
    level = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trees = {}
    for fuse in (False, True):
        model = models.BPE(vocab={"<unk>": 0, "a": 1, "b": 2, "ab": 3, "Ġ": 4, "<unk>a": 5},
                           merges=[("a", "b"), ("<unk>", "a")], unk_token="<unk>", fuse_unk=fuse)
        tokenizer = Tokenizer(model)
        tokenizer.pre_tokenizer = level
        trees["unknown_fused" if fuse else "unknown"] = json.loads(tokenizer.to_str())
    return trees


# ---- expected tokens ----

def byte_offsets(text):
    offsets = [0]
    for character in text:
        offsets.append(offsets[-1] + len(character.encode()))
    return offsets


def encode(tokenizer, text, is_special):
    """[ids, offsets in bytes: of each token the gap to the one before, and the length]"""
    tokenizer.encode_special_tokens = not is_special
    encoding = tokenizer.encode(text, add_special_tokens=False)
    to_byte = byte_offsets(text)
    steps, last = [], 0
    for start, end in encoding.offsets:
        steps += [to_byte[start] - last, to_byte[end] - to_byte[start]]
        last = to_byte[end]
    return [encoding.ids, steps]


def without_special(tree, contents):
    """The tokenizer that can only reach special tokens as added ones, never as words."""
    tree = json.loads(json.dumps(tree))
    if tree["model"]["type"] == "Unigram":
        for entry in tree["model"]["vocab"]:
            if entry[0] in contents:
                entry[0] += "\U0010FFFF"
        tree["added_tokens"] = [t for t in tree["added_tokens"] if t["content"] not in contents]
    if tree["model"]["type"] == "WordPiece":
        unknown = tree["model"]["unk_token"]
        tree["model"]["vocab"] = {t + "\U0010FFFF" if t in contents else t: i for t, i in tree["model"]["vocab"].items()}
        tree["model"]["unk_token"] = unknown + "\U0010FFFF" if unknown in contents else unknown
        tree["added_tokens"] = [t for t in tree["added_tokens"] if t["content"] not in contents]
    return Tokenizer.from_str(json.dumps(tree))


def expect(tree, texts):
    tokenizer = Tokenizer.from_str(json.dumps(tree))
    contents = [t["content"] for t in tree["added_tokens"] if t["special"]]
    plain = without_special(tree, contents)
    cases = []
    for index, text in texts:
        cases.append([index, 1] + encode(tokenizer, text, True))
        if any(c in text for c in contents):
            cases.append([index, 0] + encode(plain, text, False))
    return cases


def dump(path, value):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        json.dump(value, file, ensure_ascii=False, separators=(",", ":"))
        file.write("\n")


def dump_cases(path, cases):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.write("[\n" + ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]\n")


def make_golden(folder):
    rng = random.Random(SEED)
    texts = plain_texts() + special_texts() + random_texts(rng) + sentencepiece_tokenizers.TEXTS + wordpiece_tokenizers.TEXTS
    numbered = list(enumerate(texts))
    few = numbered[::3]
    corpus = [CORPUS] + plain_texts()
    main = {**make_main(rng), **sentencepiece_tokenizers.make_main(corpus)}
    others = {**make_splits(), **make_unknown(), **sentencepiece_tokenizers.make_others(corpus),
              **sentencepiece_tokenizers.make_unigram(corpus)}
    main.update(wordpiece_tokenizers.make(corpus))
    main.update(make_behind())
    for name, tree in {**main, **others}.items():
        dump(os.path.join(folder, f"{name}.json"), tree)
        dump_cases(os.path.join(folder, f"{name}.expected.json"),
                   expect(tree, numbered if name in main else few))
    with open(os.path.join(folder, "texts.json"), "w", encoding="utf-8", newline="\n") as file:
        file.write("[\n" + ",\n".join(json.dumps(t) for t in texts) + "\n]\n")
    dump_cases(os.path.join(folder, "chats.json"), chats({**main, **others}))
    make_classes(os.path.join(folder, "classes.json"))
    print(f"tokenizers {tokenizers.__version__}: {len(main) + len(others)} tokenizers, "
          f"{len(texts)} texts")


# ---- conversations ----

TURNS = [("user", "Hi.  It's me: caf\u00E9, 12 \U0001F600!"), ("assistant", " Hello.\n\nHow are you? "),
         ("user", "Fine"), ("assistant", "Good.")]
LLAMA2 = ("{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
          "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}")
TEMPLATES = {
    "llama2": LLAMA2, "mistral": LLAMA2, "llama2_old": LLAMA2, "unigram_bytes": LLAMA2,
    "gemma": "{{ bos_token }}{% for m in messages %}{{ '<start_of_turn>' + m.role + '\n' + m.content + '<end_of_turn>\n' }}{% endfor %}",
    "internlm2": "{{ bos_token }}{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}",
    "qwen2": "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}",
}


def chats(trees):
    """[tokenizer, text, ids]: what apply_chat_template() gives, whatever the post-processor does."""
    cases = []
    for name, template in TEMPLATES.items():
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=Tokenizer.from_str(json.dumps(trees[name])), chat_template=template,
            bos_token="<s>", eos_token="</s>") if name != "qwen2" else PreTrainedTokenizerFast(
                tokenizer_object=Tokenizer.from_str(json.dumps(trees[name])), chat_template=template)
        messages = [{"role": role, "content": content} for role, content in TURNS]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        cases.append([name, text, tokenizer.apply_chat_template(messages, tokenize=True, return_dict=False)])
    return cases


# ---- classes of characters ----

CLASSES = [r"\s", r"\S", r"\d", r"\w", r"\W", r"[\w]", r"[^\w]", r"[\W]", r"\h", r"[\s]", r"[^\s]", r"\p{L}", r"\p{N}", r"\p{M}", r"\p{P}", r"\p{S}",
           r"\p{Lu}", r"\p{Ll}", r"\p{Lt}", r"\p{Lm}", r"\p{Lo}", r"\p{Nd}", r"\p{Z}", r"\p{Han}",
           r"\p{Hiragana}", r"\p{Thai}", ".", "(?i:k)", "(?i:s)", "(?i:[sdmt])", "(?i:d)",
           r"[^\s\p{L}\p{N}]", r"[^\r\n\p{L}\p{N}]", "[一-龥぀-ゟ゠-ヿ]"]


def members(pattern, codes):
    split = pre_tokenizers.Split(Regex(pattern), "removed", invert=True)
    found = []
    for i in range(0, len(codes), 4096):
        text = "".join(map(chr, codes[i:i + 4096]))
        for piece, _ in split.pre_tokenize_str(text):
            found += map(ord, piece)
    return found


def as_ranges(codes):
    """[first, count, first, count, ...], each first as the gap to what was before"""
    ranges, last = [], 0
    for code in codes:
        if ranges and code == last:
            ranges[-1] += 1
        else:
            ranges += [code - last, 1]
        last = code + 1
    return ranges


def make_classes(path):
    codes = [c for c in range(1, 0x110000) if not 0xD800 <= c <= 0xDFFF]
    unassigned = set(members(r"\p{Cn}", codes))
    tested = [c for c in codes if c in unassigned or assigned(c)]
    dump_cases(path, [["", as_ranges(tested)]] +
               [[pattern, as_ranges(members(pattern, tested))] for pattern in CLASSES])


# ---- a large one ----

def make_large(path, corpus, size=150000):
    with open(corpus, encoding="utf-8") as file:
        tree = train(sequence(QWEN2), size, normalizer=normalizers.NFC(), corpus=file.readlines(),
                     special=["<|endoftext|>", "<|im_start|>", "<|im_end|>"])
    rng = random.Random(SEED)
    vocab, merges = tree["model"]["vocab"], tree["model"]["merges"]
    tokens = [t for t in vocab if t.isalpha() and len(t) < 8]
    while len(vocab) < size:
        pair = [rng.choice(tokens), rng.choice(tokens)]
        if "".join(pair) not in vocab:
            vocab["".join(pair)] = len(vocab)
            merges.append(pair)
    for i, token in enumerate(tree["added_tokens"]):
        token["id"] = len(vocab) + i
    with open(path, "w", encoding="utf-8") as file:
        json.dump(tree, file, ensure_ascii=False, indent=2)


if __name__ == "__main__":
    if sys.argv[1] == "--large":
        make_large(sys.argv[2], sys.argv[3])
    else:
        make_golden(sys.argv[1])
