#!/usr/bin/env bash
#
# What it costs to score a table by srm_score_table: beside one INSERT ...
# SELECT, by one worker and by two, in short rows beside long ones, in memory,
# and when workers are killed.
# Starts a throwaway server of its own with the installed extension.
#
# usage: test/bench/table.sh PAIRS.jsonl MODEL [PART [ROWS [ROUNDS]]]
#
#	speed		one worker beside INSERT ... SELECT, and two beside one	20000 rows, 3 rounds
#	problem		srm_problem before srm_score, beside srm_score alone	2000 rows, 3 rounds
#	packed		rows of 100 tokens beside as many tokens in rows of 512	2000 rows, 3 rounds
#	memory		of a worker, as it goes on								100000 rows
#	kill		a worker every 5 s for two minutes ($KILL_SECONDS)		40000 rows
#
# PAIRS.jsonl has prompt and chosen in each line (test/data/demo/pairs.jsonl);
# rows are made of them in turn, with a number in the prompt, so that no row
# is another.  MODEL is a name in srm.model_path, which is $SRM_MODEL_PATH or
# the installed models.  Without a part, all are run.
#
# Speed is shown by the time that passes, and by that of the processor in the
# session, which other work on the machine changes less.
set -euo pipefail

USAGE="usage: table.sh PAIRS.jsonl MODEL [speed|problem|packed|memory|kill [ROWS [ROUNDS]]]"
PAIRS=$(readlink -f "${1:?$USAGE}")
MODEL=${2:?$USAGE}
PART=${3:-all}
ROWS=${4:-}
ROUNDS=${5:-3}
KILL_SECONDS=${KILL_SECONDS:-120}
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

PG_CONFIG=$(find_pg_config)
BIN=$("$PG_CONFIG" --bindir)
WORK=$(mktemp -d /tmp/srm-table.XXXXXX)
chmod 755 "$WORK"
cleanup() {
	as_user "$BIN/pg_ctl" -D "$WORK/server/data" -m immediate stop >/dev/null 2>&1 || true
	as_root rm -rf "$WORK"
}
trap cleanup EXIT

sql() { "$BIN/psql" -X -q -At -v ON_ERROR_STOP=1 -d postgres "$@"; }

# Seconds that passed, and of the processor, for each line of standard input, after a first score
timed() {
	{
		echo "SELECT srm_score('$MODEL', 'a', 'b.');"
		echo "SET max_parallel_workers_per_gather = 0;"
		echo "SET client_min_messages = log;"
		echo "SET log_statement_stats = on;"
		cat
	} | sql 2>&1 >/dev/null | sed -nE 's/^![[:space:]]*([0-9.]+) s user, ([0-9.]+) s system, ([0-9.]+) s elapsed$/\3 \1 \2/p' | awk '{print $1, $2 + $3}'
}

# usage: call TARGET [OPTIONS]
call() { echo "CALL srm_score_table('texts', '$1', prompt => 'prompt', response => 'response', model => '$MODEL'${2:-});"; }

median() { sort -n | awk '{v[NR] = $1} END {printf "%.3f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }

# usage: ratio FILE FILE COLUMN	median of the rounds; column 1: time that passed, 2: of the processor
ratio() { paste -d' ' "$1" "$2" | awk -v i="$3" '{print $i / $(i + 2)}' | median; }

# usage: fill ROWS
fill() {
	sql <<-SQL
		SET client_min_messages = error;
		CREATE EXTENSION IF NOT EXISTS srm;
		DROP TABLE IF EXISTS texts;
		CREATE TEMP TABLE lines (no serial, line jsonb);
		\copy lines (line) FROM '$PAIRS' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
		DELETE FROM lines WHERE jsonb_typeof(line->'prompt') <> 'string';
		CREATE TABLE texts AS
		SELECT i AS id, i || '. ' || (line->>'prompt') AS prompt, line->>'chosen' AS response
		FROM generate_series(1, $1) AS i
		JOIN (SELECT row_number() OVER (ORDER BY no) - 1 AS no, line FROM lines) AS l ON no = i % (SELECT count(*) FROM lines);
		ALTER TABLE texts ADD PRIMARY KEY (id);
		VACUUM ANALYZE texts;
	SQL
}

compare_speeds() {
	for _ in $(seq "$ROUNDS"); do
		sql -c 'SET client_min_messages = error' -c 'DROP TABLE IF EXISTS plain, one, two' -c 'CREATE TABLE plain (id integer PRIMARY KEY, score real)'
		timed <<<"INSERT INTO plain SELECT id, srm_score('$MODEL', prompt, response) FROM texts;" >>"$WORK/plain"
		timed <<<"$(call one)" >>"$WORK/one"
		timed <<<"$(call two ', workers => 2')" >>"$WORK/two"
	done
	echo "rows: $(sql -c 'SELECT count(*) FROM texts'), tokens: $(sql -c 'SELECT sum(n_tokens) FROM one'), equal scores: $(sql -c \
		"SELECT count(*) FROM plain JOIN one USING (id) JOIN two USING (id) WHERE plain.score = one.score AND one.score = two.score")"
	echo "INSERT ... SELECT, s: $(cut -d' ' -f1 "$WORK/plain" | paste -sd' ')"
	echo "srm_score_table, one worker, over it: $(ratio "$WORK/one" "$WORK/plain" 1) of the time, $(ratio "$WORK/one" "$WORK/plain" 2) of the processor"
	echo "two workers over one: $(ratio "$WORK/one" "$WORK/two" 1) times as fast"
}

# Both in turn, by 100 rows each, so that the machine is the same for both
compare_problem() {
	local score="srm_score('$MODEL', prompt, response)"
	local first

	for _ in $(seq "$ROUNDS"); do
		for first in $(seq 1 100 "$ROWS"); do
			echo "SELECT count($score) FROM texts WHERE id BETWEEN $first AND $first + 99;"
			echo "SELECT count(CASE WHEN srm_problem('$MODEL', prompt, response) IS NULL THEN $score END) FROM texts WHERE id BETWEEN $first AND $first + 99;"
		done | timed >"$WORK/turns"
		awk 'NR % 2 {t += $1; c += $2} END {print t, c}' "$WORK/turns" >>"$WORK/alone"
		awk 'NR % 2 == 0 {t += $1; c += $2} END {print t, c}' "$WORK/turns" >>"$WORK/problem"
	done
	echo "srm_problem before srm_score, over it alone: $(ratio "$WORK/problem" "$WORK/alone" 1) of the time, $(ratio "$WORK/problem" "$WORK/alone" 2) of the processor"
}

# usage: cut_rows TABLE ROWS TOKENS	rows of about so many tokens, half of them the prompt's, cut out of the texts in turn
cut_rows() {
	sql <<-SQL
		SET client_min_messages = error;
		DROP TABLE IF EXISTS $1;
		CREATE TABLE $1 AS
		WITH corpus AS MATERIALIZED (SELECT regexp_replace(string_agg(prompt || ' ' || response, ' '), '\s+', ' ', 'g') AS corpus
				FROM (SELECT prompt, response FROM texts ORDER BY id LIMIT 150) AS t),
			measure AS MATERIALIZED (SELECT corpus, length(corpus) AS n, srm_token_count('$MODEL', '.', '.') AS template,
				20000.0 / srm_token_count('$MODEL', '.', substr(corpus, 1, 20000)) AS per_token FROM corpus),
			half AS MATERIALIZED (SELECT corpus, n, (per_token * ($3 - template) / 2)::int AS half FROM measure)
		SELECT i AS id, i || '. ' || substr(corpus, 1 + 2 * half * i % (n - 2 * half), half - 5) AS prompt,
			substr(corpus, 1 + 2 * half * i % (n - 2 * half) + half, half) AS response
		FROM half, generate_series(1, $2) AS i;
		ALTER TABLE $1 ADD PRIMARY KEY (id);
		VACUUM ANALYZE $1;
	SQL
}

# usage: of_tokens FILE TABLE	seconds of the processor for 1000 tokens, in each round
of_tokens() { awk -v n="$(sql -c "SELECT sum(n_tokens) FROM $2")" '{print $2 * 1000 / n, 1}' "$1"; }

# Short rows, packed and each by itself, and long ones, in turn
compare_lengths() {
	cut_rows short "$ROWS" 100
	cut_rows long "$((ROWS * 100 / 512))" 512
	for _ in $(seq "$ROUNDS"); do
		sql -c 'SET client_min_messages = error' -c 'DROP TABLE IF EXISTS scored_short, scored_long, alone' -c 'CREATE TABLE alone (id integer PRIMARY KEY, score real)'
		call scored_short | sed "s/'texts'/'short'/" | timed >>"$WORK/short"
		call scored_long | sed "s/'texts'/'long'/" | timed >>"$WORK/long"
		timed <<<"INSERT INTO alone SELECT id, srm_score('$MODEL', prompt, response) FROM short;" >>"$WORK/alone"
	done
	of_tokens "$WORK/short" scored_short >"$WORK/short.per"
	of_tokens "$WORK/long" scored_long >"$WORK/long.per"
	of_tokens "$WORK/alone" scored_short >"$WORK/alone.per"
	for table in short long; do
		echo "$table rows: $(sql -c "SELECT count(*) || ', of ' || round(avg(n_tokens)) || ' tokens, ' || count(problem) || ' with a problem' FROM scored_$table"), processor s for 1000 tokens: $(cut -d' ' -f1 "$WORK/$table.per" | paste -sd' ')"
	done
	echo "equal scores: $(sql -c 'SELECT count(*) FROM scored_short JOIN alone USING (id) WHERE scored_short.score = alone.score')"
	echo "tokens a second of the processor, in short rows over long ones: $(ratio "$WORK/long.per" "$WORK/short.per" 1)"
	echo "the same of short rows in one INSERT ... SELECT: $(ratio "$WORK/long.per" "$WORK/alone.per" 1)"
}

# Memory that is a worker's alone, each time that so many rows are committed, and when it was seen last
show_memory() {
	local done_rows pid last=
	local -a marks=(1000 2000 5000 10000 20000 50000 100000 200000 500000 1000000)

	sql -c "$(call memory)" 2>/dev/null &
	while kill -0 $! 2>/dev/null; do
		IFS='|' read -r done_rows pid <<<"$(sql -c "SELECT rows_done, pids[1] FROM srm.progress WHERE target = 'public.memory'")"
		if [ -n "${pid:-}" ] && [ -r "/proc/$pid/status" ]; then
			last="memory at $done_rows rows: $(awk '/RssAnon/ {print $2}' "/proc/$pid/status" 2>/dev/null || true) kB"
			if [ "$done_rows" -ge "${marks[0]}" ]; then
				echo "$last"
				marks=("${marks[@]:1}")
			fi
		fi
		sleep 0.2
	done
	wait
	echo "$last"
}

# Each kill restarts the server; the call is made again until it gets through
kill_workers() {
	local end=$((SECONDS + KILL_SECONDS)) kills=0 calls=0 pid

	while :; do
		sql -c "$(call killed ', workers => 2')" >/dev/null 2>&1 &
		calls=$((calls + 1))
		if [ $SECONDS -lt $end ]; then
			sleep 5
			pid=$(sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'srm%' LIMIT 1" 2>/dev/null || true)
			[ -n "$pid" ] && as_root kill -KILL "$pid" && kills=$((kills + 1))
		fi
		if wait $!; then
			break
		fi
		until sql -c 'SELECT' >/dev/null 2>&1; do sleep 0.2; done
	done
	echo "after $kills kills in $SECONDS s and $calls calls; an undisturbed run follows"
	sql -c "$(call undisturbed ', workers => 2')" 2>/dev/null
	echo "killed beside undisturbed: $(sql -c "SELECT count(*) || ' rows, ' || count(*) FILTER (WHERE (u.score, u.n_tokens, u.truncated, u.problem, u.text_hash)
		IS DISTINCT FROM (k.score, k.n_tokens, k.truncated, k.problem, k.text_hash)) || ' differ' FROM undisturbed AS u FULL JOIN killed AS k USING (id)")"
}

# usage: part NAME DEFAULT_ROWS FUNCTION
part() {
	if [ "$PART" = all ] || [ "$PART" = "$1" ]; then
		ROWS=${ROWS:-$2}
		fill "$ROWS"
		"$3"
		[ "$PART" != all ] || ROWS=
	fi
}

case "$PART" in
all | speed | problem | packed | memory | kill) ;;
*) echo "$USAGE" >&2; exit 2 ;;
esac
mkdir "$WORK/server"
start_server "$WORK/server" "srm.threads = 1" ${SRM_MODEL_PATH:+"srm.model_path = '$SRM_MODEL_PATH'"} >/dev/null
part speed 20000 compare_speeds
part problem 2000 compare_problem
part packed 2000 compare_lengths
part memory 100000 show_memory
part kill 40000 kill_workers
