"""From a conversation to token ids and boundaries.

The layout is: prompt, assistant header, M, s_1, M, ..., s_n, M, terminator, M.
The first boundary is the marker after the prompt, boundary i that after
sentence i, and the last one the marker after the terminator.  A single space
that ends a sentence moves behind its marker, so that the next word keeps its
leading-space token.
"""

from dataclasses import dataclass

import numpy as np
import torch

from data import messages_of
from vocabulary import ASSISTANT, END, MARKER, role_token


@dataclass
class Encoded:
    """ids of one conversation, and where its boundaries are."""

    prompt: np.ndarray		# prompt and assistant header, no marker
    body: np.ndarray		# from the first marker to the last
    marks: np.ndarray		# boundaries t_0 .. t_n, counted from the body's start


def pieces_of(sentences):
    """Text between the markers: n + 1 pieces, the last one before the terminator."""
    pieces = []
    carry = ""
    for sentence in sentences:
        text = carry + sentence
        carry = ""
        if text.endswith(" ") and not text.endswith("  ") and len(text) > 1:
            text, carry = text[:-1], " "
        pieces.append(text)
    return pieces + [carry]


class Encoder:
    """Encodes conversations; each distinct piece of text is tokenized once."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer
        self.cache = {}

    def id(self, token):
        return self.tokenizer.token_to_id(token)

    def text(self, text):
        """ids of a text in which nothing is special."""
        if text not in self.cache:
            self.cache[text] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return self.cache[text]

    def prompt(self, prompt):
        ids = []
        for role, content in messages_of(prompt):
            ids += [self.id(role_token(role))] + self.text(content) + [self.id(END)]
        return ids + [self.id(ASSISTANT)]

    def body(self, sentences):
        marker = self.id(MARKER)
        pieces = pieces_of(sentences)
        ids = [marker]
        marks = [0]
        for piece in pieces[:-1]:
            ids += self.text(piece) + [marker]
            marks.append(len(ids) - 1)
        ids += self.text(pieces[-1]) + [self.id(END), marker]
        marks[-1] = len(ids) - 1
        return ids, marks

    def conversation(self, prompt, sentences):
        ids, marks = self.body(sentences)
        return Encoded(np.array(self.prompt(prompt), np.int32), np.array(ids, np.int32),
                       np.array(marks, np.int32))


def padded(items):
    """ids (n, t), marks (n, s), counts (n), lengths (n)."""
    ids, marks, counts = [], [], []
    for item in items:
        ids.append(np.concatenate((item.prompt, item.body)))
        marks.append(item.marks + len(item.prompt))
        counts.append(len(item.marks))
    lengths = [len(row) for row in ids]
    id_table = np.zeros((len(items), max(lengths)), np.int64)
    mark_table = np.zeros((len(items), max(counts)), np.int64)
    for i, (row, mark) in enumerate(zip(ids, marks)):
        id_table[i, :len(row)] = row
        mark_table[i, :len(mark)] = mark
    return (torch.from_numpy(id_table), torch.from_numpy(mark_table),
            torch.tensor(counts), torch.tensor(lengths))


def microbatches(lengths, budget):
    """Positions in LENGTHS, shortest first, in runs of at most BUDGET padded tokens."""
    order = sorted(range(len(lengths)), key=lambda i: lengths[i])
    batch = []
    for i in order:
        if batch and (len(batch) + 1) * lengths[i] > budget:
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
