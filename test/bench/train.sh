#!/usr/bin/env bash
#
# Full training of one base by the extension's engine and by torch, f32 against f32: how far
# the losses are apart, and tokens per second of both.
#
# usage: test/bench/train.sh BASE PAIRS.jsonl [PAIRS [THREADS]]
#
# BASE has the layout of the default model.  PAIRS is how many of the file's
# first pairs are taken (1500).  Needs torch, tokenizers and safetensors; PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")/../.."

BASE=$1
FILE=$2
N=${3:-1500}
THREADS=${4:-2}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

make -s ${PG_CONFIG:+PG_CONFIG=$PG_CONFIG} build/bench_train build/segment_text
head -n "$N" "$FILE" >"$WORK/pairs.jsonl"
build/bench_train "$BASE" "$WORK/pairs.jsonl" 0 part=full batch=16 rate=1e-3 held_out=0.1 threads="$THREADS" >"$WORK/ours.jsonl"
OMP_NUM_THREADS=$THREADS "${PYTHON:-python3}" tools/train_reference.py "$BASE" "$WORK/pairs.jsonl" --segmenter build/segment_text \
	--batch 16 --rate 1e-3 --held-out 0.1 --threads "$THREADS" --compare "$WORK/ours.jsonl" >"$WORK/torch.txt"
tail -n 3 "$WORK/torch.txt"
