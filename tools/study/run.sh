#!/usr/bin/env bash
#
# Trains response-level, token-level and sentence-level reward models from one
# base with srm_train alone, and measures them: the tables of docs/study.md.
# Runs unattended in a throwaway cluster.  What is there already is not made
# again, so a run that was stopped goes on when it is started again.
#
# usage: tools/study/run.sh --data DIR --work DIR [OPTION ...]
#
# With --measure it trains nothing, and measures models that are there: the
# tables of models' cards.
#
#   --data DIR          train, valid, bench and spans, as .jsonl.gz
#   --work DIR          cluster, models, and report.md; kept
#   --models DIR[:DIR...] directories above the base and the models, where the extension does not install them;
#                       an adapter and its base may lie in different ones
#   --measure 'NAME ...' models to measure
#   --sets 'S ...'      what to measure, in this order       [valid bench finegrained-rlhf halueval-general]
#   --spans N           responses with spans of a source     [all]
#   --base NAME         the base model                       [tiny-base]
#   --marker TOKEN      special token that marks boundaries, if the base says none
#   --train PART        full, or lora: adapters over the base [full]
#   --kinds 'K ...'     last, token_mean, mean, attention, attention_after_last [the first four]
#   --seeds 'N ...'     [1 2]
#   --pairs N           pairs to train on, at most           [12000]
#   --per-prompt N      of one prompt, at most               [24]
#   --epochs X          [1]
#   --batch N           pairs a step                         [16]
#   --rate X            learning rate                        [0.001]
#   --rates 'X ...'     of which each kind gets the one that is best on valid, with the first seed [none]
#   --tune-pairs N      pairs of a run that tries a rate     [a quarter of --pairs]
#   --max-tokens N      of a conversation in training        [640]
#   --threads N         of one run                           [2]
set -euo pipefail
. "$(dirname "$0")/../../scripts/lib.sh"

HERE=$ROOT/tools/study
DATA=
WORK=
MODELS=
MEASURE=
SETS='valid bench finegrained-rlhf halueval-general'
SPANS=1000000
BASE=tiny-base
MARKER=
TRAIN=full
KINDS='last token_mean mean attention'
SEEDS='1 2'
PAIRS=12000
PER_PROMPT=24
EPOCHS=1
BATCH=16
RATE=0.001
RATES=
TUNE_PAIRS=
MAX_TOKENS=640
THREADS=2

while [ $# -gt 0 ]; do
	[ $# -gt 1 ] || { sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2; }
	case $1 in
		--data) DATA=$(realpath "$2") ;;
		--work) WORK=$(realpath -m "$2") ;;
		--models) MODELS=$(echo "$2" | tr ':' '\n' | xargs -d '\n' realpath | paste -s -d ':') ;;
		--measure) MEASURE=$2 ;;
		--sets) SETS=$2 ;;
		--spans) SPANS=$2 ;;
		--marker) MARKER=$2 ;;
		--train) TRAIN=$2 ;;
		--base) BASE=$2 ;;
		--kinds) KINDS=$2 ;;
		--seeds) SEEDS=$2 ;;
		--pairs) PAIRS=$2 ;;
		--per-prompt) PER_PROMPT=$2 ;;
		--epochs) EPOCHS=$2 ;;
		--batch) BATCH=$2 ;;
		--rate) RATE=$2 ;;
		--rates) RATES=$2 ;;
		--tune-pairs) TUNE_PAIRS=$2 ;;
		--max-tokens) MAX_TOKENS=$2 ;;
		--threads) THREADS=$2 ;;
		*) sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2 ;;
	esac
	shift 2
done
[ -n "$DATA" ] && [ -n "$WORK" ] || { sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2; exit 2; }

say() { printf '%s %s\n' "$(date +%H:%M:%S)" "$*"; }

sql() { "$PSQL" -X -q -v ON_ERROR_STOP=1 -d study "$@"; }

# Starts the cluster of an earlier run, or a new one; models may have moved since.
open_cluster() {
	local bindir
	local path="\$system:\$output${MODELS:+:$MODELS}"

	bindir=$("$PG_CONFIG" --bindir)
	mkdir -p "$WORK/cluster"
	chmod 755 "$WORK" "$WORK/cluster"
	if [ -f "$WORK/cluster/data/PG_VERSION" ]; then
		printf '%s\n' "srm.model_path = '$path'" "srm.threads = $THREADS" |
			as_user tee -a "$WORK/cluster/data/postgresql.conf" >/dev/null
		as_user "$bindir/pg_ctl" -D "$WORK/cluster/data" -l "$WORK/cluster/log" -w start >/dev/null
		export PGHOST=$WORK/cluster PGPORT=5432 PGUSER=postgres
	else
		start_server "$WORK/cluster" "srm.model_path = '$path'" "max_wal_size = '2GB'" "srm.threads = $THREADS" "shared_buffers = '256MB'"
	fi
}

load_data() {
	local name

	"$PSQL" -X -q -d postgres -c 'CREATE DATABASE study'
	sql -c 'CREATE EXTENSION srm'
	for name in train valid bench spans; do
		sql -c "CREATE TABLE lines_$name (line jsonb)"
		gzip -dc "$DATA/$name.jsonl.gz" |
			sql -c "\\copy lines_$name FROM STDIN WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')"
	done
	sql -v pairs="$PAIRS" -v per_prompt="$PER_PROMPT" -f "$HERE/load.sql"
}

# The aggregation of a kind, its base, and how the base's values are scaled.
train_model() {
	local model=$1 kind=$2 seed=$3 rate=$4 pairs=$5
	local aggregation=$kind
	local base=$BASE
	local scale=1
	local resume=false
	local adapter=false
	local marker=
	local start

	if [ "$kind" = attention_after_last ]; then
		aggregation=attention
		base=study-last-$seed
		# The score becomes about a mean of some values more
		scale=6
	fi
	[ "$TRAIN" = lora ] && adapter=true
	[ -n "$MARKER" ] && marker="boundary => 'marker', marker_token => '$MARKER',"
	[ -d "$WORK/cluster/data/srm/models/.training/$model" ] && resume=true
	say "training $model with a rate of $rate"
	start=$(date +%s)
	sql -c "CALL srm_train('$model', 'SELECT messages, chosen, rejected FROM train ORDER BY id LIMIT $pairs',
		base => '$base', train => '$TRAIN', lora_adapter => $adapter, aggregation => '$aggregation', value_scale => $scale,
		epochs => $EPOCHS, batch => $BATCH, learning_rate => $rate, weight_decay => 0.1, penalty => 0.001, held_out => 0.03,
		$marker evaluate_every => 100, seed => $seed, max_tokens => $MAX_TOKENS, resume => $resume)"
	sql -c "INSERT INTO runs VALUES ('$model', '$kind', $seed, $(($(date +%s) - start)))"
}

is_trained() {
	[ "$(sql -At -c "SELECT count(*) FROM runs WHERE model = '$1'")" = 1 ]
}

# Scores sets by a model, a piece at a time.
measure_model() {
	local model=$1
	local set

	shift
	for set in "$@"; do
		say "measuring $model on $set"
		sql -v model="$model" -v set="$set" -v spans="$SPANS" -f "$HERE/measure.sql"
	done
}

write_report() {
	sql -At -f "$HERE/report.sql" >"$WORK/report.md.new"
	mv "$WORK/report.md.new" "$WORK/report.md"
}

# Models of which no run is known: each is a kind of its own.
measure_models() {
	local model
	local set

	for set in $SETS; do
		for model in $MEASURE; do
			sql -c "INSERT INTO runs VALUES ('$model', '$model', 1) ON CONFLICT DO NOTHING"
			measure_model "$model" "$set"
			write_report
		done
	done
}

# The rate of --rates with which a kind is best on valid; each is tried once, by the first seed.
tune_rate() {
	local kind=$1
	local seed=${SEEDS%% *}
	local rate
	local model

	for rate in $RATES; do
		model=tune-$kind-$rate
		[ "$(sql -At -c "SELECT count(*) FROM rates WHERE kind = '$kind' AND rate = $rate")" = 0 ] || continue
		is_trained "$model" || train_model "$model" "$kind" "$seed" "$rate" "${TUNE_PAIRS:-$((PAIRS / 4))}" >&2
		measure_model "$model" valid >&2
		sql -c "BEGIN; INSERT INTO rates SELECT '$kind', $rate, srm_accuracy(margin, 0), srm_log_loss(margin, 0)
			FROM margins JOIN judged USING (id) WHERE model = '$model' AND split = 'valid';
			DELETE FROM margins WHERE model = '$model'; DELETE FROM runs WHERE model = '$model'; COMMIT;
			SELECT srm_drop_model('$model')" >&2
	done
	sql -At -c "SELECT rate FROM rates WHERE kind = '$kind' ORDER BY accuracy DESC, log_loss, rate LIMIT 1"
}

train_models() {
	local seed
	local kind
	local model
	local rate
	declare -A rate_of

	for kind in $KINDS; do
		rate_of[$kind]=$RATE
		# A second stage needs a first one: it is tuned once that is there
		if [ -n "$RATES" ] && [ "$kind" != attention_after_last ]; then
			rate_of[$kind]=$(tune_rate "$kind")
		fi
	done
	for seed in $SEEDS; do
		for kind in $KINDS; do
			model=study-$kind-$seed
			if [ -n "$RATES" ] && [ "$kind" = attention_after_last ]; then
				rate_of[$kind]=$(tune_rate "$kind")
			fi
			is_trained "$model" || train_model "$model" "$kind" "$seed" "${rate_of[$kind]}" "$PAIRS"
			# shellcheck disable=SC2086
			measure_model "$model" $SETS
			write_report
		done
	done
}

PG_CONFIG=$(find_pg_config)
export PG_CONFIG
PSQL=$("$PG_CONFIG" --bindir)/psql
open_cluster
trap 'stop_server "$WORK/cluster"' EXIT
if [ "$("$PSQL" -X -At -d postgres -c "SELECT count(*) FROM pg_database WHERE datname = 'study'")" = 0 ]; then
	say 'loading the data'
	load_data
fi
if [ -n "$MEASURE" ]; then
	measure_models
else
	train_models
fi
say "the tables are in $WORK/report.md"
