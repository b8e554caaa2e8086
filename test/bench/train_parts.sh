#!/usr/bin/env bash
#
# Tokens a second of training adapters beside those of training all weights: the same pairs and steps, by
# turns, on the engine alone.
#
# usage: test/bench/train_parts.sh BASE PAIRS.jsonl [STEPS [ROUNDS [THREADS [RANK]]]]	2, 3, 2 and 8
#
# Elapsed time counts, and beside it that of the processors, which does not depend as much on who else
# is at work.
set -euo pipefail
cd "$(dirname "$0")/../.."

BASE=${1:?usage: train_parts.sh BASE PAIRS.jsonl [STEPS [ROUNDS [THREADS [RANK]]]]}
FILE=${2:?usage: train_parts.sh BASE PAIRS.jsonl [STEPS [ROUNDS [THREADS [RANK]]]]}
STEPS=${3:-2}
ROUNDS=${4:-3}
THREADS=${5:-2}
RANK=${6:-8}
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

make -s ${PG_CONFIG:+PG_CONFIG=$PG_CONFIG} build/bench_train
head -n 1000 "$FILE" >"$WORK/pairs.jsonl"
for round in $(seq "$ROUNDS"); do
	for part in full lora; do
		build/bench_train "$BASE" "$WORK/pairs.jsonl" "$STEPS" part=$part rank="$RANK" batch=8 rate=1e-4 held_out=0 \
			aggregation=last boundary=offset threads="$THREADS" 2>"$WORK/log" >"$WORK/steps" ||
			{ cat "$WORK/log" >&2; exit 1; }
		tail -n 1 "$WORK/steps" |
			sed -E "s/.*\"tokens_per_second\": ([0-9.]+), \"processor_seconds\": ([0-9.]+).*/$round $part \1 \2/"
	done
done | tee "$WORK/all" | awk '{ printf "round %d, %s: %.0f tokens/s, %.1f s of processors\n", $1, $2, $3, $4; fflush() }'
awk '{ speed[$2] += $3; spent[$2] += $4 }
	END { printf "lora has %.2f times the tokens/s of full, and by time of processors %.2f times\n",
		speed["lora"] / speed["full"], spent["full"] / spent["lora"] }' "$WORK/all"
