"""The language model of the first stage as a model directory, from which srm_train starts.

    python base.py --work WORK --output MODELS/default-base

Its value head is as it was initialized, so its scores mean nothing yet.
"""

import argparse
import os
import shutil

from checkpoint import save_model
from train import response_level
from vocabulary import load_tokenizer


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", required=True, help="folder of language.pt, as train.py wrote it")
    parser.add_argument("--output", required=True, help="the model directory")
    parser.add_argument("--vocabulary", type=int, default=6144)
    parser.add_argument("--dropout", type=float, default=0.0)
    options = parser.parse_args()
    os.makedirs(options.output, exist_ok=True)
    tokenizer = os.path.join(options.work, "attention")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(os.path.join(tokenizer, name), os.path.join(options.output, name))
    save_model(response_level(options), load_tokenizer(tokenizer), options.output)


if __name__ == "__main__":
    main()
