"""Small tokenizers of the kinds that SentencePiece's models become as tokenizer.json."""

import io
import json
import os
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import (AddedToken, Regex, Tokenizer, models, normalizers,
                        pre_tokenizers, processors, trainers)

SPACE = "\u2581"
CONTROL = ["<unk>", "<s>", "</s>"]
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]

TEXTS = [
    SPACE, f"a{SPACE}b", f"{SPACE}{SPACE}a", f" {SPACE}a", f"<s>{SPACE} a", "<s> a", "a <s>", "</s>", "<unk>",
    "<0x0A>", "a<0x41>b", "  <s>  a  ", "<s><s>a", "\n<start_of_turn>user\nHi <b>you</b><end_of_turn>\n",
    "a  b   c    d", "[INST] hi [/INST] Hello </s>", "   ", " a", "a ", "\n\n\n", "a\n\nb", "<unk><unk>", "<unk> x <unk>",
    f"{SPACE}<s>{SPACE}", f"{SPACE}</s>a", "\u0130I\u0131 \u00C9cole\u0301", "\u1CF2\U000111C9\u166D!",
    "\u0001a\u0002b\u0003", "a\u0001\u0002", "\u200B\u200Ba\uFEFFb", "\uFF21\uFF22\u3000\uFF43", "\u00BD \u2460 \uFB01n \u2026",
    "e\u0301\u0301", "\r\n\r\n", "a\r\nb", "\u0301a", "\u1112\u1161\u11AB", "\U0001F468\u200D\U0001F469\u0301",
    "\U0001F1E9\U0001F1EA\u0301\U0001F1E9", "\u0600a\u0301", "\u0915\u094D\u0937", "A\u030A\u0323 \u212B",
    "\uC548", "a\uC548\uB155b",
]

# Rules as nmt_nfkc has them: one to many, many to one, to nothing, and a space that is one.
RULES = {
    "\u0001": "", "\u0002": "", "\u200B": " ", "\uFEFF": " ", "\u3000": " ", "\u00A0": " ", "\t": " ",
    "\n": " ", "\r": " ", "\uFF21": "A", "\uFF22": "B", "\uFF43": "c", "\u2460": "1", "\u00BD": "1\u20442",
    "\uFB01": "fi", "\uFB02": "fl", "\u2026": "...", "e\u0301": "\u00E9", "A\u030A": "\u00C5",
    "\u212B": "\u00C5", "\u1112\u1161": "\uD558", "\r\n": " ", "\uFDFA": "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647",
    "q\u0307": "Q", "\u0301": "'", "\U0001F600": ":)", "DZ": "Dz",
}


def train(corpus, vocab_size=640):
    """A tree of BPE with byte_fallback, whose tokens hold whole words and runs of spaces."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(f"{SPACE}*[^{SPACE}\\n]+|\\n+|{SPACE}+"), "isolated")
    tokenizer.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=vocab_size, show_progress=False, special_tokens=CONTROL + BYTES, max_token_length=16))
    tree = json.loads(tokenizer.to_str())
    tree["added_tokens"] = [t for t in tree["added_tokens"] if t["content"] in CONTROL]
    return tree


def variant(tree, normalizer=None, pre_tokenizer=None, added=(), normalized=False, **options):
    tree = json.loads(json.dumps(tree))
    tree["model"].update(options)
    tree["normalizer"] = tree["pre_tokenizer"] = None
    for token in tree["added_tokens"]:
        token["normalized"] = normalized
    tokenizer = Tokenizer.from_str(json.dumps(tree))
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_tokens(list(added))
    return json.loads(tokenizer.to_str())


def with_bos(tree):
    """Post-processors do nothing to a conversation, whose template writes the token."""
    tokenizer = Tokenizer.from_str(json.dumps(tree))
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", tokenizer.token_to_id("<s>"))])])
    return json.loads(tokenizer.to_str())


def special(*contents, **flags):
    return [AddedToken(c, special=True, normalized=False, **flags) for c in contents]


def legacy_merges(tree):
    tree["model"]["merges"] = [" ".join(m) for m in tree["model"]["merges"]]
    return tree


def without_bytes(tree):
    """No byte_fallback: what the vocabulary lacks is unknown."""
    model = tree["model"]
    keep = [t for t in sorted(model["vocab"], key=model["vocab"].get) if t not in BYTES]
    model["vocab"] = {t: i for i, t in enumerate(keep)}
    model["byte_fallback"] = False
    return tree


def make_main(corpus):
    """Those of published models."""
    tree = train(corpus)
    to_space = normalizers.Replace(" ", SPACE)
    prepended = normalizers.Sequence([normalizers.Prepend(SPACE), to_space])
    html = [AddedToken(t, normalized=False) for t in ("\n\n", SPACE * 2, SPACE * 3, "<b>", "</b>")]
    metaspace = pre_tokenizers.Metaspace
    return {
        "llama2": with_bos(legacy_merges(variant(tree, prepended))),
        "mistral": with_bos(variant(tree, None, metaspace(prepend_scheme="first", split=False))),
        "gemma": with_bos(variant(tree, to_space, pre_tokenizers.Split(" ", "merged_with_previous"),
                                  special("<start_of_turn>", "<end_of_turn>") + html)),
    }


def make_others(corpus):
    tree = train(corpus, 480)
    metaspace = pre_tokenizers.Metaspace
    sequence = pre_tokenizers.Sequence
    to_space = normalizers.Replace(" ", SPACE)
    cleaned = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " "),
                                    normalizers.Strip(left=True, right=False)])
    plain = normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase(),
                                  normalizers.Strip()])
    words = without_bytes(json.loads(json.dumps(tree)))
    return {
        "internlm2": variant(tree, normalizers.Sequence([normalizers.Prepend(SPACE), to_space]), None,
                             special("<|im_start|>", "<|im_end|>", "[UNUSED_TOKEN_130]")),
        "llama2_old": variant(tree, normalizers.Sequence([normalizers.Prepend(SPACE), to_space]), normalized=True),
        "metaspace_always": variant(tree, None, metaspace(prepend_scheme="always"), special("<|im_start|>")),
        "metaspace_first": variant(tree, normalizers.Strip(), metaspace(prepend_scheme="first")),
        "metaspace_never": variant(tree, None, sequence([
            pre_tokenizers.Punctuation("merged_with_next"), pre_tokenizers.Digits(individual_digits=True),
            metaspace(prepend_scheme="never", split=False)])),
        "metaspace_cleaned": variant(tree, cleaned, sequence([pre_tokenizers.WhitespaceSplit(), metaspace()])),
        "replaced": variant(tree, normalizers.Sequence([
            normalizers.Replace(Regex(r"\d+|\p{Lu}"), "#\u00E9"), normalizers.Replace("the", ""),
            normalizers.Prepend("a" + SPACE), to_space]), ignore_merges=True),
        "words": variant(words, plain, pre_tokenizers.Whitespace(), fuse_unk=False),
        "words_fused": variant(words, normalizers.Lowercase(), sequence([
            pre_tokenizers.Punctuation(), pre_tokenizers.CharDelimiterSplit("e")])),
    }


# ---- Unigram ----

def train_unigram(corpus, rules, **options):
    """SentencePiece's own training: pieces with scores, and the table of its normalizer."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rules.tsv")
        with open(path, "w", encoding="utf-8") as file:
            for source, target in rules.items():
                file.write("\t".join(" ".join("%X" % ord(c) for c in text) for text in (source, target)) + "\n")
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus), model_writer=model, model_type="unigram",
            normalization_rule_tsv=path, num_threads=1, minloglevel=2, hard_vocab_limit=False, **options)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    return [(p.piece, p.score) for p in proto.pieces], proto.normalizer_spec.precompiled_charsmap


def unigram(vocab, charsmap, unk_id, byte_fallback=False, normalizer=True, pre_tokenizer=None, added=()):
    tokenizer = Tokenizer(models.Unigram(vocab, unk_id=unk_id, byte_fallback=byte_fallback))
    if normalizer:
        tokenizer.normalizer = normalizers.Sequence([
            normalizers.Precompiled(charsmap), normalizers.Replace(Regex(" {2,}"), " ")])
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.add_special_tokens(special("<s>", "</s>", "<unk>"))
    tokenizer.add_tokens(list(added))
    return json.loads(tokenizer.to_str())


def make_unigram(corpus):
    lines = [line for line in "\n".join(corpus).split("\n") if line.strip()]
    vocab, charsmap = train_unigram(lines, RULES, vocab_size=600, character_coverage=0.98)
    bytes_vocab, _ = train_unigram(lines, RULES, vocab_size=800, byte_fallback=True, character_coverage=0.98)
    sequence = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    # As XLM-RoBERTa's vocabulary has it: <s>, <pad>, </s>, <unk> first
    xlmr = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)] + vocab[3:]
    return {
        "xlmr": unigram(xlmr, charsmap, 3, pre_tokenizer=sequence,
                        added=special("<mask>", lstrip=True)),
        "t5": unigram(vocab, charsmap, 0, pre_tokenizer=pre_tokenizers.Metaspace()),
        "unigram_bytes": unigram(bytes_vocab, charsmap, 0, byte_fallback=True,
                                 pre_tokenizer=pre_tokenizers.Metaspace(prepend_scheme="first", split=False)),
        "unigram_plain": unigram(xlmr, charsmap, 3, normalizer=False),
    }
