"""What a reward model has to beat: length, and classifiers over counts of words.

    python baselines.py --data DATA

prints Markdown: the share of pairs that each gets right, by group of categories; a tie counts half.
"""

import argparse

import numpy as np
import scipy.sparse as sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from data import read_rows

WORD = r"\w+|[^\w\s]|\n"
PENALTIES = (0.003, 0.01, 0.03, 0.1)


def length_margins(rows):
    """Longer wins."""
    return np.array([len(row["chosen"]) - len(row["rejected"]) for row in rows], float)


def length_features(rows):
    """Differences of log length, length and line count, (rows, 3)."""
    def of(text):
        return np.array([3 * np.log1p(len(text)), len(text) / 500, text.count("\n") / 10])
    return sparse.csr_matrix(np.array([of(row["chosen"]) - of(row["rejected"]) for row in rows]))


class WordClassifier:
    """Logistic regression on differences of log counts; the penalty is chosen on valid."""

    def __init__(self, train, valid, longest, with_length):
        self.with_length = with_length
        self.counter = CountVectorizer(token_pattern=WORD, ngram_range=(1, longest), min_df=5)
        self.counter.fit(row[field] for row in train for field in ("chosen", "rejected"))
        x = self.features(train)
        x = sparse.vstack([x, -x])
        y = np.repeat([1, 0], len(train))
        self.fit_best(x, y, self.features(valid))

    def fit_best(self, x, y, x_valid):
        best = -1.0
        for penalty in PENALTIES:
            model = LogisticRegression(C=penalty, fit_intercept=False, max_iter=300).fit(x, y)
            accuracy = np.mean(model.decision_function(x_valid) > 0)
            if accuracy > best:
                best, self.model, self.penalty = accuracy, model, penalty

    def features(self, rows):
        chosen, rejected = (self.counter.transform(row[field] for row in rows).astype(float).log1p()
                            for field in ("chosen", "rejected"))
        x = chosen - rejected
        return sparse.hstack([x, length_features(rows)]).tocsr() if self.with_length else x

    def margins(self, rows):
        return self.model.decision_function(self.features(rows))


def groups_of(rows):
    """Row numbers by category group (what stands before the slash), largest first, then all."""
    groups = {}
    for number, row in enumerate(rows):
        groups.setdefault(row["category"].split("/")[0], []).append(number)
    ordered = sorted(groups.items(), key=lambda item: -len(item[1]))
    return ordered + [("all", list(range(len(rows))))]


def print_table(title, rows, columns):
    right = [(margins > 0) + 0.5 * (margins == 0) for margins in columns.values()]
    print("\n%s\n\n| category | n | %s |" % (title, " | ".join(columns)))
    print("| --- |" + " ---: |" * (len(columns) + 1))
    for group, numbers in groups_of(rows):
        shares = " | ".join("%.1f" % (100 * r[numbers].mean()) for r in right)
        print("| %s | %d | %s |" % (group, len(numbers), shares), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder of train.jsonl.gz and the others")
    options = parser.parse_args()
    train, valid = read_rows(options.data, "train"), read_rows(options.data, "valid")
    words = {"bag of words": WordClassifier(train, valid, 1, False),
             "words and length": WordClassifier(train, valid, 1, True),
             "bag of word pairs": WordClassifier(train, valid, 2, False)}
    for name, rows in (("valid", valid), ("bench", read_rows(options.data, "bench"))):
        columns = {"longer wins": length_margins(rows)}
        columns.update({label: model.margins(rows) for label, model in words.items()})
        print_table(name, rows, columns)


if __name__ == "__main__":
    main()
