#!/usr/bin/env python3
"""Tests of the part of compare.py that compares; needs neither transformers nor a server."""

import contextlib
import io
import json
import os
import tempfile
import unittest

import compare

TEXT, IDS = "<s>Hi.Yo.", [1, 7, 8, 9]


def said(function, *arguments):
    """What a function returns, and what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        result = function(*arguments)
    return result, out.getvalue()


def result(**changes):
    return {"text": TEXT, "ids": IDS, "score": 0.5} | changes


class Compare(unittest.TestCase):
    def check(self, kind, pattern, theirs, ours, has_markers=False):
        found, text = said(compare.compare, 3, theirs, ours, has_markers, 1e-3)
        self.assertEqual(found, kind)
        self.assertRegex(text, pattern)

    def test_equal(self):
        self.check(None, "^$", result(), result(score=0.5004))
        self.check(None, "^$", {"error": "a"}, {"error": "b"})

    def test_first_difference_counts(self):
        self.check("refused", "transformers: fine\n3: srm: no", result(), {"error": "no"})
        self.check("text", "3: text differs at character 4", result(), result(text="<s>hi.Yo.", ids=[2], score=9.0))
        self.check("ids", r"3: ids differ at token 3: \[8, 9\]", result(), result(ids=[1, 7, 5, 9], score=9.0))
        self.check("ids", "at token 5", result(), result(ids=IDS + [1]))
        self.check("score", "3: scores differ: 0.5 .*0.502", result(), result(score=0.502))

    def test_markers(self):
        self.check(None, "^$", result(), result(ids=[1, 7, 2, 8, 9]), True)

    def test_relative_tolerance(self):
        self.check(None, "^$", result(score=100.0), result(score=100.09))
        self.check("score", "scores differ", result(score=100.0), result(score=100.2))

    def test_states(self):
        values, tokens = [0.5, 1.0, 3.0, 2.0, 2.5], list("abcde")
        for rewards, expected in (([2.0, -0.5], 0), ([2.1, -0.6], 3), ([2.0, -1.0], 4)):
            self.assertEqual(compare.where_states_part(values, tokens, ["c", "d"], rewards, 1e-3), expected)
        self.assertIsNone(compare.where_states_part(values, tokens, ["x"], [1.0], 1e-3))
        self.assertIsNone(compare.where_states_part(values, tokens, [], [], 1e-3))
        theirs = result(values=lambda: values)
        ours = result(score=1.0, rewards=lambda: (tokens, ["c", "d"], [2.1, -0.6]))
        self.check("score", "hidden states differ first at token 3 'c'", theirs, ours)
        self.check("score", "cannot be compared", theirs, ours | {"rewards": lambda: None})

    def test_report(self):
        theirs = [result(score=s) for s in (1.0, 2.0, 3.0)]
        ours = [result(score=s) for s in (2.5, 2.0, 3.0)]
        found, text = said(compare.report, theirs, ours, [(0, 1)], False, 1e-3)
        self.assertTrue(found)
        self.assertIn("1 differ in score", text)
        self.assertIn("largest difference of scores: 1.5; 1 of 1 preferences flip", text)
        self.assertFalse(said(compare.report, theirs, theirs, [(0, 1)], False, 1e-3)[0])

    def test_conversations(self):
        rows = [{"prompt": "a", "chosen": "b", "rejected": [{"role": "assistant", "content": "c"}]},
                {"messages": [{"role": "user", "content": "d"}, {"role": "assistant", "content": "e"}]}]
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "pairs.jsonl")
            with open(path, "w", encoding="utf-8") as file:
                file.write("\n".join(map(json.dumps, rows)) + "\n\n")
            conversations, pairs = compare.read_conversations(path, 10)
        self.assertEqual(pairs, [(0, 1)])
        self.assertEqual([c[-1]["content"] for c in conversations], ["b", "c", "e"])
        self.assertEqual([len(c) for c in conversations], [2, 2, 2])

    def test_quote(self):
        self.assertEqual(compare.quote("a"), "$q$a$q$")
        self.assertEqual(compare.quote("$q$ $qq$"), "$qqq$$q$ $qq$$qqq$")


if __name__ == "__main__":
    unittest.main()
