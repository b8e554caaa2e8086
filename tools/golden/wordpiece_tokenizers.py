"""Small tokenizers of the kind that BERT's are."""

import json

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]

TEXTS = [
    "x" * 101, "x" * 99 + "\u00E9", "ab" * 51 + " ab", "\u4E2D" * 120, "中文abc中 文", "a\u3400b\u9FFF\uF900c",
    "\U00020000\U0002A6DF\U0002A6E0\U0002A700\U0002B81F\U0002B820\U0002B920\U0002B921\U0002CEAF\U0002F800a",
    "\uFFFDa\uFFFD", "a\u200Db\u00ADc\uFEFF", "A\u0301B\u0327 \u1E69", "##ing", "a##b", "#", "## ##", "[UNK]", "[SEP]a[CLS]",
    "a[MASK]b", "[ MASK ]", "\u0130\u0130I", "un\u0061ffable", "\u0F73\u0F71", "a\uA9BDb\u1734c\u1885d", "\u0E33\u0E01",
    "\U000110BD\U000E0001x", "\uE000y\U0010FFFD", "don't...stop!?", "3.14$5+6^7", "\u2003a\u2028b\u0085c", "\u166D\u1680\u180E",
]


def train(corpus, vocab_size=700, **options):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", **options))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    prefix = options.get("continuing_subword_prefix", "##")
    tokenizer.train_from_iterator(corpus, trainers.WordPieceTrainer(
        vocab_size=vocab_size, show_progress=False, special_tokens=SPECIAL, continuing_subword_prefix=prefix))
    tree = json.loads(tokenizer.to_str())
    tree["model"].update(options)
    return tree


def variant(tree, normalizer, pre_tokenizer=None, **options):
    tree = json.loads(json.dumps(tree))
    tree["model"].update(options)
    tokenizer = Tokenizer.from_str(json.dumps(tree))
    tokenizer.normalizer = normalizer
    if pre_tokenizer is not None:
        tokenizer.pre_tokenizer = pre_tokenizer
    return json.loads(tokenizer.to_str())


def make(corpus):
    bert = train(corpus)
    cased = normalizers.BertNormalizer(lowercase=False)
    return {
        "bert": bert,
        "bert_cased": variant(train(corpus + [" ".join(corpus).upper()]), cased),
        "bert_accents": variant(bert, normalizers.BertNormalizer(strip_accents=False, clean_text=False)),
        "bert_short": variant(bert, normalizers.BertNormalizer(handle_chinese_chars=False, strip_accents=True, lowercase=False),
                              pre_tokenizers.WhitespaceSplit(), max_input_chars_per_word=7),
        "wordpiece": variant(train(corpus, continuing_subword_prefix="@"), None, pre_tokenizers.Whitespace()),
    }
