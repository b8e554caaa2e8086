"""Accuracy on pairs, by category, and how well sentence rewards find errors.

    python evaluate.py --data DATA --segmenter build/segment_text \\
        --attention models/default --last WORK/last

prints Markdown tables.  A tie counts half; intervals are Wilson's, 95 %.
"""

import argparse
import os

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from baselines import WordClassifier, length_margins
from checkpoint import load_model
from data import read_rows
from layout import Encoder
from reward import PairSet, microbatches, padded, score_items
from segments import segment
from vocabulary import load_tokenizer


def wilson(right, n):
    """95 % interval of a share, in percent."""
    z = 1.959964
    p = right / n
    middle = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return 100 * (middle - half), 100 * (middle + half)


def right_counts(margins):
    return (margins > 0) + 0.5 * (margins == 0)


def groups_of(rows):
    """Row numbers by category group (what stands before the slash), largest first, then all."""
    groups = {}
    for number, row in enumerate(rows):
        groups.setdefault(row["category"].split("/")[0], []).append(number)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return ordered + [("all", list(range(len(rows))))]


def accuracy_table(rows, columns):
    """Markdown: one line a category group; the first column with its interval."""
    names = list(columns)
    lines = ["| category | n | %s (95 %% interval) | %s |" % (names[0], " | ".join(names[1:])),
             "| --- |" + " ---: |" * (len(names) + 1)]
    right = [right_counts(columns[name]) for name in names]
    for group, numbers in groups_of(rows):
        n = len(numbers)
        share = [100 * r[numbers].mean() for r in right]
        low, high = wilson(right[0][numbers].sum(), n)
        cells = ["%.1f (%.1f to %.1f)" % (share[0], low, high)] + ["%.1f" % s for s in share[1:]]
        lines.append("| %s | %d | %s |" % (group, n, " | ".join(cells)))
    return "\n".join(lines)


class Judge:
    """A saved model with its tokenizer."""

    def __init__(self, folder, segmenter):
        self.model = load_model(folder)
        self.encoder = Encoder(load_tokenizer(folder))
        self.segmenter = segmenter

    def margins(self, rows):
        pairs = PairSet(rows, self.encoder, self.segmenter)
        scores = score_items(self.model, pairs.items)
        return np.array([scores[w] - scores[l] for w, l in pairs.pairs])

    @torch.no_grad()
    def sentence_rewards(self, rows, sentences):
        """c_1 .. c_n of every row."""
        items = [self.encoder.conversation(row["prompt"], cut)
                 for row, cut in zip(rows, sentences)]
        rewards = [None] * len(items)
        for batch in microbatches([len(i.prompt) + len(i.body) for i in items], 8192):
            ids, marks, counts, _ = padded([items[i] for i in batch], [None] * len(batch))
            value = self.model.values(self.model.hidden(ids), marks)[1].numpy()
            for i, v, count in zip(batch, value, counts.tolist()):
                rewards[i] = np.diff(v[:count])
        return rewards


def error_labels(row, sentences):
    """For each sentence, whether it overlaps a marked span."""
    labels, at = [], 0
    for sentence in sentences:
        end = at + len(sentence)
        labels.append(any(span["start"] < end and at < span["end"] for span in row["spans"]))
        at = end
    return labels


def within_response(labels, scores):
    """AUC over (marked, unmarked) sentence pairs of the same response."""
    right = total = 0.0
    for label, score in zip(labels, scores):
        label, score = np.array(label), np.array(score)
        margin = score[label][:, None] - score[~label][None, :]
        right += right_counts(margin).sum()
        total += margin.size
    return right / total


def span_table(rows, sentences, columns):
    """Markdown: AUC of each column's scores for "the sentence overlaps a marked span"."""
    labels = [error_labels(row, cut) for row, cut in zip(rows, sentences)]
    lines = ["| source | sentences | marked | score | AUC | AUC within a response |",
             "| --- | ---: | ---: | --- | ---: | ---: |"]
    for source in sorted({row["source"] for row in rows}):
        chosen = [i for i, row in enumerate(rows) if row["source"] == source and labels[i]]
        flat = np.concatenate([labels[i] for i in chosen])
        for name, scores in columns.items():
            pooled = roc_auc_score(flat, np.concatenate([scores[i] for i in chosen]))
            inner = within_response([labels[i] for i in chosen], [scores[i] for i in chosen])
            lines.append("| %s | %d | %d | %s | %.3f | %.3f |"
                         % (source, len(flat), flat.sum(), name, pooled, inner))
    return "\n".join(lines)


def pair_tables(options, judges):
    """Accuracy on valid and bench, next to the baselines."""
    train, valid = read_rows(options.data, "train"), read_rows(options.data, "valid")
    words = {"bag of words": WordClassifier(train, valid, 1, False),
             "words and length": WordClassifier(train, valid, 1, True),
             "bag of word pairs": WordClassifier(train, valid, 2, False)}
    for name, rows in (("valid", valid), ("bench", read_rows(options.data, "bench"))):
        columns = {label: judge.margins(rows) for label, judge in judges.items()}
        columns["longer wins"] = length_margins(rows)
        columns.update({label: model.margins(rows) for label, model in words.items()})
        print("\n%s\n\n%s" % (name, accuracy_table(rows, columns)), flush=True)


def span_report(options, judges):
    rows = read_rows(options.data, "spans")
    sentences = segment(options.segmenter, [row["response"] for row in rows])
    columns = {"-c, " + label: [-reward for reward in judge.sentence_rewards(rows, sentences)]
               for label, judge in judges.items()}
    columns["sentence length"] = [[len(s) for s in cut] for cut in sentences]
    print("\nspans\n\n" + span_table(rows, sentences, columns))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--segmenter", required=True)
    parser.add_argument("--attention", required=True, help="model directory")
    parser.add_argument("--last", help="model directory of the response-level model")
    parser.add_argument("--only", choices=["pairs", "spans"])
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    judges = {"attention": Judge(options.attention, options.segmenter)}
    if options.last and os.path.isdir(options.last):
        judges["last"] = Judge(options.last, options.segmenter)
    if options.only != "spans":
        pair_tables(options, judges)
    if options.only != "pairs":
        span_report(options, judges)


if __name__ == "__main__":
    main()
