#!/usr/bin/env python3
"""Tests of lora.py beside peft over transformers: the same values, and the same gradients; needs both."""

import json
import os
import tempfile
import unittest

import torch
import torch.nn.functional as F
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import LlamaConfig, LlamaForSequenceClassification, LlamaModel

import train_adapter
from dequantize import dequantize
from lora import GROUPS, Lora, Pair

CONFIG = {"vocab_size": 50, "hidden_size": 48, "intermediate_size": 80, "num_hidden_layers": 3, "num_attention_heads": 6,
          "num_key_value_heads": 2, "max_position_embeddings": 64, "tie_word_embeddings": True, "pad_token_id": 0}
PAIRS = [Pair([1, 5, 9, 4, 8], [1, 5, 9, 7, 7, 7, 3]), Pair([2, 3], [4]), Pair([6, 6, 6, 6], [6, 6]), Pair([1, 2], [1, 2, 3])]


class Beside(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        torch.manual_seed(3)
        base = os.path.join(self.folder.name, "base")
        LlamaModel(LlamaConfig(**CONFIG)).save_pretrained(base)
        self.ours = Lora(base, 16, 32, 7, torch.float32)
        with torch.no_grad():
            for b in self.ours.b.values():
                b.normal_(std=0.1)
        options = type("Options", (), {"base": base, "output": os.path.join(self.folder.name, "out")})
        # what is written is rounded, so the two are compared at rounded weights
        with torch.no_grad():
            for parameter in self.ours.parameters():
                parameter.copy_(parameter.to(torch.bfloat16))
        train_adapter.write_output(self.ours, options)
        model = LlamaForSequenceClassification.from_pretrained(base, num_labels=1, dtype=torch.float32)
        self.theirs = PeftModel.from_pretrained(model, options.output, is_trainable=True)

    def tearDown(self):
        self.folder.cleanup()

    def their_scores(self):
        rows = []
        for pair in PAIRS:
            for ids in (pair.chosen, pair.rejected):
                states = self.theirs.base_model.model.model(torch.tensor([ids])).last_hidden_state[0, -1]
                rows.append(self.theirs.base_model.model.score(states)[0])
        return torch.stack(rows).view(-1, 2)

    def loss(self, scores):
        return F.softplus(scores[:, 1] - scores[:, 0]).mean()

    def test_scores(self):
        self.ours.merge()
        torch.testing.assert_close(self.ours.scores(PAIRS), self.their_scores(), atol=1e-5, rtol=1e-5)

    def test_goes_on(self):
        """From what is written, training goes on with the same scores."""
        with tempfile.TemporaryDirectory() as folder:
            self.ours.save(os.path.join(folder, "adapter"))
            other = Lora(os.path.join(self.folder.name, "base"), 16, 32, 8, torch.float32)
            other.load(os.path.join(folder, "adapter"))
        for model in (self.ours, other):
            model.merge()
        self.assertTrue(torch.equal(other.scores(PAIRS), self.ours.scores(PAIRS)))

    def test_base_with_a_head(self):
        """Over a reward model the head starts from the base's, and the adapter has its layout."""
        base = os.path.join(self.folder.name, "reward")
        LlamaForSequenceClassification(LlamaConfig(**CONFIG, num_labels=1)).save_pretrained(base)
        path = os.path.join(base, "config.json")
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**config, "srm": {"boundary": "marker", "marker_token": "<END>", "compute": "f32"}}, file)
        ours = Lora(base, 4, 8, 7, torch.float32)
        torch.testing.assert_close(ours.score.data, load_file(os.path.join(base, "model.safetensors"))["score.weight"][0])
        layout = train_adapter.layout_of(ours)
        self.assertEqual((layout["marker_token"], layout["aggregation"], "compute" in layout), ("<END>", "last", False))

    def test_weights_of_8_bits(self):
        source, output = (os.path.join(self.folder.name, name) for name in ("bytes", "floats"))
        os.mkdir(source)
        save_file({"a.weight": torch.tensor([[2, -3], [4, 0]], dtype=torch.int8), "a.weight_scale": torch.tensor([[0.5], [0.25]]),
                   "norm.weight": torch.tensor([1.5])}, os.path.join(source, "model.safetensors"))
        for name, value in {"config.json": {"srm": {"quantization": "int8", "compute": "f32"}, "quantization_config": {}}, "tokenizer.json": {}}.items():
            with open(os.path.join(source, name), "w", encoding="utf-8") as file:
                json.dump(value, file)
        dequantize(source, output)
        weights = load_file(os.path.join(output, "model.safetensors"))
        self.assertEqual({name: value.tolist() for name, value in weights.items()},
                         {"a.weight": [[1.0, -1.5], [1.0, 0.0]], "norm.weight": [1.5]})
        self.assertEqual(weights["a.weight"].dtype, torch.bfloat16)
        self.assertTrue(os.path.exists(os.path.join(output, "tokenizer.json")))
        with open(os.path.join(output, "config.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), {"srm": {"compute": "f32"}})

    def test_gradients(self):
        self.ours.merge()
        self.loss(self.ours.scores(PAIRS)).backward()
        self.ours.gather()
        self.loss(self.their_scores()).backward()
        theirs = {name: p.grad for name, p in self.theirs.named_parameters() if p.grad is not None}
        compared = 0
        for n in range(CONFIG["num_hidden_layers"]):
            for group, names in GROUPS.items():
                key = f"{group}_{n}"
                parts = zip(names, self.ours.a[key].grad.split(self.ours.rank), self.ours.b[key].grad.split(self.ours.outs[key]))
                for name, a, b in parts:
                    at = f"base_model.model.model.layers.{n}.{name}.lora_"
                    torch.testing.assert_close(a, theirs[at + "A.default.weight"], atol=1e-6, rtol=1e-4)
                    torch.testing.assert_close(b, theirs[at + "B.default.weight"], atol=1e-6, rtol=1e-4)
                    compared += 1
        self.assertEqual(compared, 7 * CONFIG["num_hidden_layers"])

    def test_one_pass_and_several(self):
        """What a batch is divided into does not change its gradient."""
        found = []
        for parts in ([PAIRS], [PAIRS[:1], PAIRS[1:]]):
            self.ours.merge()
            self.ours.zero_grad()
            losses = [train_adapter.backward(self.ours, part, len(PAIRS), 0.01) for part in parts]
            found.append((sum(loss for loss, _ in losses), self.ours.score.grad.clone(), self.ours.a["o_1"].grad.clone()))
        torch.testing.assert_close(found[0], found[1])


class Batches(unittest.TestCase):
    def test_shares(self):
        parts = train_adapter.shares([Pair([1] * n, [2] * n) for n in (90, 50, 40, 5)], 2)
        self.assertEqual([[len(p.chosen) for p in part] for part in parts], [[90], [50, 40, 5]])

    def test_passes(self):
        parts = list(train_adapter.passes([Pair([1] * n, [2] * n) for n in (1000, 400, 2000, 10)]))
        self.assertEqual([[len(p.chosen) for p in part] for part in parts], [[1000], [400], [2000], [10]])

    def test_choice(self):
        """So many of each kind, none that is long, and those seen already when there are no others."""
        with tempfile.TemporaryDirectory() as folder:
            mix, tokens = (os.path.join(folder, name) for name in ("mix", "tokens"))
            with open(mix, "w", encoding="utf-8") as file:
                file.write("file\tcategory\tpairs\ttokens\ntrain\ttone\t3\t4\nchat\tconstraint\t9\t9\n")
            with open(tokens, "w", encoding="utf-8") as file:
                for number in range(1, 6):
                    file.write(f"{number}\ttrain\ttone\t{{7,{number}}}\t{{7,8}}\n")
                file.write("6\ttrain\ttone\t{1,2,3}\t{4,5,6}\n7\ttrain\tchat\t{1}\t{2}\n8\tchat\thard/constraint-x\t{1}\t{2}\n")
            mix = train_adapter.read_mix(mix)
            for seen in ({1, 2, 3}, {3, 4, 5}):
                chosen = [number for number, _ in train_adapter.choose(train_adapter.read_pairs(tokens, mix), mix, seen, 1)]
                self.assertEqual(len(chosen), 4)
                self.assertEqual(len(seen.intersection(chosen)), 1)
                self.assertEqual({1, 2, 3, 4, 5, 8} - seen, set(chosen) - seen)

    def test_rate(self):
        self.assertAlmostEqual(train_adapter.rate_at(4, 100, 1.0), 1.0)
        self.assertAlmostEqual(train_adapter.rate_at(100, 100, 1.0), train_adapter.LAST_RATE)


if __name__ == "__main__":
    unittest.main()
