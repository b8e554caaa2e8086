#!/usr/bin/env python3
"""Measures segmentation: boundary F1 on treebanks, specs and labelled texts.

  make build/segment_text
  tools/segmentation/measure.py --treebank PATH[:LOCALE] ... --specs DIR
      --labels test/data/segmentation/responses.jsonl --cases FILE [--show N]
      [--with icu,pysbd,...]

PATH is a CoNLL-U file of a treebank, DIR holds the Ruby specs of
pragmatic_segmenter; neither is part of this repository.  The other splitters
are Python packages, and are left out where they are not installed.

A boundary is a position between two characters that are no white space; the
end of a text is not counted.
"""
import argparse
import collections
import json
import os
import re
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, "build", "segment_text")


# splitters: texts, locale -> for each text the ends of its sentences

def split_srm(texts, locale, tool=TOOL):
    data = b"".join(struct.pack("<I", len(t.encode())) + t.encode() for t in texts)
    out = subprocess.run([tool, locale], input=data, capture_output=True, check=True).stdout
    at, result = 0, []
    for text in texts:
        encoded = text.encode()
        (n,) = struct.unpack_from("<I", out, at)
        spans = struct.unpack_from("<%dI" % (2 * n), out, at + 4)
        at += 4 + 8 * n
        result.append([len(encoded[:end].decode()) for end in spans[1::2]])
    return result


def ends_of(text, sentences):
    """The ends of sentences that a splitter gave as strings."""
    ends, at = [], 0
    for sentence in sentences:
        sentence = sentence.strip()
        if not sentence:
            continue
        found = text.find(sentence, at)
        if found < 0:
            squeezed = [i for i in range(at, len(text)) if not text[i].isspace()]
            size = len("".join(sentence.split()))
            at = squeezed[min(size, len(squeezed)) - 1] + 1 if squeezed else at
        else:
            at = found + len(sentence)
        ends.append(at)
    return ends


def make_splitters(names):
    made = {"srm": split_srm}

    def strings(function):
        return lambda texts, locale: [ends_of(t, function(t, locale)) for t in texts]

    def add(name, maker):
        if name in names:
            try:
                made[name] = maker()
            except Exception as error:
                print("%s is left out: %s" % (name, error), file=sys.stderr)

    def icu():
        import icu

        def split(texts, locale):
            iterator = icu.BreakIterator.createSentenceInstance(icu.Locale(locale or "root"))
            result = []
            for text in texts:
                units = icu.UnicodeString(text)
                iterator.setText(units)
                wide = text.encode("utf-16-le")
                result.append([len(wide[:2 * end].decode("utf-16-le", "ignore")) for end in iterator])
            return result
        return split

    def pysbd():
        import pysbd
        made_for = {}

        def split(text, locale):
            language = (locale or "en")[:2]
            if language not in made_for:
                made_for[language] = pysbd.Segmenter(language=language, clean=False)
            return made_for[language].segment(text)
        return strings(split)

    def sentencex():
        import sentencex
        return strings(lambda text, locale: list(sentencex.segment(locale or "en", text)))

    def blingfire():
        import blingfire
        return strings(lambda text, locale: blingfire.text_to_sentences(text).split("\n"))

    def punkt():
        from punkt import sent_tokenize
        languages = {"": "english", "en": "english", "de": "german", "fr": "french", "es": "spanish",
                     "it": "italian", "nl": "dutch", "pt": "portuguese", "pl": "polish", "ru": "russian",
                     "cs": "czech", "el": "greek", "tr": "turkish", "da": "danish"}
        return strings(lambda text, locale: sent_tokenize(text, language=languages[locale]))

    def syntok():
        from syntok import segmenter

        def split(text, locale):
            return ["".join(token.spacing + token.value for token in sentence)
                    for paragraph in segmenter.analyze(text) for sentence in paragraph]
        return strings(split)

    def spacy():
        import spacy
        made_for = {}

        def split(text, locale):
            language = (locale or "en")[:2]
            if language not in made_for:
                made_for[language] = spacy.blank(language)
                made_for[language].add_pipe("sentencizer")
            return [sentence.text for sentence in made_for[language](text).sents]
        return strings(split)

    def sentence_splitter():
        from sentence_splitter import SentenceSplitter
        made_for = {}

        def split(text, locale):
            language = (locale or "en")[:2]
            if language not in made_for:
                made_for[language] = SentenceSplitter(language=language)
            return made_for[language].split(text)
        return strings(split)

    add("icu", icu)
    add("syntok", syntok)
    add("spacy", spacy)
    add("sentence-splitter", sentence_splitter)
    add("pysbd", pysbd)
    add("sentencex", sentencex)
    add("blingfire", blingfire)
    add("punkt", punkt)
    return made


# gold: lists of (text, ends)

def read_treebank(path):
    """Paragraphs where the treebank marks them, else ten sentences a text."""
    sentences, has_paragraphs = [], False
    text, starts = None, None
    for line in open(path, encoding="utf-8"):
        if line.startswith(("# newpar", "# newdoc")):
            starts = "doc" if line.startswith("# newdoc") else starts or "par"
            has_paragraphs = has_paragraphs or line.startswith("# newpar")
        elif line.startswith("# text = "):
            text = line[9:].strip()
        elif not line.strip() and text is not None:
            sentences.append((text, starts))
            text, starts = None, None
    gold, current, ends = [], "", []
    joiner = "" if re.search("[\u3040-\u30ff\u4e00-\u9fff\u0e00-\u0e7f]", sentences[0][0]) else " "
    for i, (sentence, start) in enumerate(sentences):
        new_text = start == "doc" or (not has_paragraphs and i % 10 == 0)
        if new_text and current:
            gold.append((current, ends))
            current, ends = "", []
        if current:
            current += "\n\n" if start == "par" else joiner
        current += sentence
        ends.append(len(current))
    gold.append((current, ends))
    return gold


def unquote(string):
    """A Ruby string literal."""
    body = string[1:-1]
    if string[0] == "'":
        return re.sub(r"\\(['\\])", r"\1", body)
    body = re.sub(r"\\u\{?([0-9a-fA-F]{4,5})\}?", lambda m: chr(int(m[1], 16)), body)
    escapes = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda m: escapes.get(m[1], m[1]), body)


def read_specs(directory):
    """(locale, text, ends) of each distinct case that leaves the text as it is."""
    literal = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
    case = re.compile(r"Segmenter\.new\(text:\s*(%s)([^)\n]*)\).*?eq\(?\s*\[((?:\s*(?:%s)\s*,?)*)\s*\]" %
                      (literal, literal), re.S)
    seen, cases = set(), []
    for folder, _, files in sorted(os.walk(directory)):
        for name in sorted(files):
            if not name.endswith("_spec.rb"):
                continue
            for match in case.finditer(open(os.path.join(folder, name), encoding="utf-8").read()):
                language = re.search(r"language:\s*['\"](\w+)['\"]", match[2])
                locale = language[1] if language else "en"
                text = unquote(match[1])
                expected = [unquote(s) for s in re.findall(literal, match[3])]
                if "doc_type" in match[2] or "clean" in match[2] or text in seen or \
                   "".join("".join(expected).split()) != "".join(text.split()) or not text.strip():
                    continue
                seen.add(text)
                cases.append((locale, text, ends_of(text, expected)))
    return cases


def read_labels(path):
    """Lines of {"text", "sentences", "locale", "kind"}; the sentences tile the text."""
    cases = []
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        ends, at = [], 0
        for sentence in row["sentences"]:
            at += len(sentence)
            ends.append(at)
        if "".join(row["sentences"]) != row["text"]:
            raise SystemExit("%s: sentences do not tile: %r" % (path, row["text"][:60]))
        cases.append((row.get("locale", ""), row["text"], ends, row["kind"]))
    return cases


def read_cases(path):
    cases = []
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        if row["kind"] != "segmentation":
            continue
        text = row["input"]["text"]
        cases.append((row["input"].get("locale", ""), text, ends_of(text, row["expected"])))
    return cases


# measures

def boundaries(text, ends):
    """The characters before each end that are no white space, counted."""
    result = set()
    total = len("".join(text.split()))
    for end in ends:
        at = len("".join(text[:end].split()))
        if 0 < at < total:
            result.add(at)
    return result


def mark(text, ends):
    return "‖".join(text[a:b] for a, b in zip([0] + ends[:-1], ends))


def score(gold, found, text_of, show, label):
    """Counts right, wrong and missed boundaries and texts without a fault."""
    n_right = n_found = n_gold = n_whole = 0
    for (text, ends), got in zip(gold, found):
        a, b = boundaries(text, ends), boundaries(text, got)
        n_right += len(a & b)
        n_found += len(b)
        n_gold += len(a)
        n_whole += a == b
        if a != b and show > 0:
            show_faults(text, a, b, label)
            show -= 1
    precision = n_right / n_found if n_found else 1.0
    recall = n_right / n_gold if n_gold else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return 100 * precision, 100 * recall, 100 * f1, n_whole, n_gold


def show_faults(text, gold, found, label):
    positions = [i for i, c in enumerate(text) if not c.isspace()]
    for kind, places in (("MISSED", gold - found), ("WRONG", found - gold)):
        for at in sorted(places):
            p = positions[at - 1] + 1
            print("  %s %s: %r || %r" % (label, kind, text[max(0, p - 45):p], text[p:p + 35]))


def report(name, gold_by_locale, splitters, show):
    for splitter, split in splitters.items():
        gold, found, unknown = [], [], []
        for locale, items in gold_by_locale.items():
            try:
                found += split([text for text, _ in items], locale)
                gold += items
            except Exception:
                unknown.append(locale or "root")
        if not gold:
            print("%-28s %-17s does not know %s" % (name, splitter, " ".join(unknown)))
            continue
        p, r, f, whole, n = score(gold, found, None, show if splitter == "srm" else 0, name)
        print("%-28s %-17s %5d boundaries  P %5.1f R %5.1f F1 %5.1f  texts %d of %d%s" %
              (name, splitter, n, p, r, f, whole, len(gold),
               ", does not know " + " ".join(unknown) if unknown else ""))


def by_locale(cases):
    groups = collections.OrderedDict()
    for case in cases:
        groups.setdefault(case[0], []).append((case[1], case[2]))
    return groups


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--treebank", action="append", default=[])
    parser.add_argument("--specs")
    parser.add_argument("--labels")
    parser.add_argument("--cases")
    parser.add_argument("--with", dest="names", default="", help="other splitters")
    parser.add_argument("--show", type=int, default=0, help="texts with faults to show")
    parser.add_argument("--only", help="one locale or kind")
    args = parser.parse_args()
    splitters = make_splitters(args.names.split(","))

    if args.cases:
        report("cases", by_locale(read_cases(args.cases)), splitters, args.show)
    if args.specs:
        cases = [c for c in read_specs(args.specs) if not args.only or c[0] == args.only]
        for locale, items in by_locale(cases).items():
            report("specs " + locale, {locale: items}, splitters, args.show)
        report("specs, all", by_locale(cases), splitters, 0)
    if args.labels:
        cases = [c for c in read_labels(args.labels) if not args.only or c[3] == args.only]
        for kind in sorted({c[3] for c in cases}):
            report("labels " + kind, by_locale([c for c in cases if c[3] == kind]), splitters, args.show)
        report("labels, all", by_locale(cases), splitters, 0)
    for argument in args.treebank:
        path, _, locale = argument.partition(":")
        report("%s %s" % (os.path.basename(path), locale), {locale: read_treebank(path)}, splitters, args.show)


if __name__ == "__main__":
    main()
