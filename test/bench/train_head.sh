#!/usr/bin/env bash
#
# What training the head of a model costs beside scoring the same pairs once: the states of all
# pairs are computed in one pass, and what comes behind is a matter of seconds.  Connects as psql does, as a
# superuser; the database has the extension.
#
# usage: test/bench/train_head.sh MODEL PAIRS.jsonl [PAIRS [THREADS]]	64 pairs and 2 threads by default
set -euo pipefail

MODEL=${1:?usage: train_head.sh MODEL PAIRS.jsonl [PAIRS [THREADS]]}
FILE=${2:?usage: train_head.sh MODEL PAIRS.jsonl [PAIRS [THREADS]]}
N=${3:-64}
THREADS=${4:-2}

# The first score makes the prepared weights and is not counted; the model that is made goes again.
head -n "$N" "$FILE" | psql -X -q -At -v ON_ERROR_STOP=1 -v model="$MODEL" -v threads="$THREADS" \
	-c 'CREATE UNLOGGED TABLE bench_pairs (line jsonb)' \
	-c "COPY bench_pairs FROM STDIN WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')"
trap 'psql -X -q -c "DROP TABLE IF EXISTS bench_pairs"' EXIT
psql -X -q -At -v ON_ERROR_STOP=1 -v model="$MODEL" -v threads="$THREADS" <<'SQL'
SET srm.threads = :threads;
SET srm.model = :'model';
SELECT srm_score('a', 'b') IS NOT NULL AS warm \gset
SELECT clock_timestamp() AS start \gset
SELECT count(srm_margin(line->>'prompt', line->>'chosen', line->>'rejected')) AS n FROM bench_pairs \gset
SELECT extract(epoch FROM clock_timestamp() - :'start') AS scoring, 'head_' || pg_backend_pid() AS name, clock_timestamp() AS start \gset
SET client_min_messages = warning;
CALL srm_train(:'name', 'SELECT line->>''prompt'' AS prompt, line->>''chosen'' AS chosen, line->>''rejected'' AS rejected FROM bench_pairs',
	base => :'model', train => 'head', epochs => 10, held_out => 0.1);
SELECT extract(epoch FROM clock_timestamp() - :'start') AS training \gset
SELECT format('%s pairs: scoring once %s s, training the head for ten passes %s s, %s times', :n, round(:scoring, 1), round(:training, 1),
	round(:training / :scoring, 2));
SQL
