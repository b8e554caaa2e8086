#!/usr/bin/env bash
#
# What it costs to score a table by srm_score_table: beside one INSERT ...
# SELECT, by one worker and by two, in memory, and when workers are killed.
# Starts a throwaway server of its own with the installed extension.
#
# usage: test/bench/table.sh PAIRS.jsonl MODEL [ROWS] [ROUNDS]	20000 rows, 3 rounds
#
# PAIRS.jsonl has prompt and chosen in each line (test/data/demo/pairs.jsonl);
# rows are made of them in turn, with a number in the prompt, so that no row
# is another.  MODEL is a name in srm.model_path, which is $SRM_MODEL_PATH or
# the installed models.
set -euo pipefail

PAIRS=$(readlink -f "${1:?usage: table.sh PAIRS.jsonl MODEL [ROWS] [ROUNDS]}")
MODEL=${2:?usage: table.sh PAIRS.jsonl MODEL [ROWS] [ROUNDS]}
ROWS=${3:-20000}
ROUNDS=${4:-3}
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

# The time of a statement in ms, without that of the connection
timed() { sql -c '\timing on' -c "$1" | grep -oP '^Time: \K[0-9.]+'; }

# usage: call TARGET OPTIONS
call() { echo "CALL srm_score_table('texts', '$1', prompt => 'prompt', response => 'response', model => '$MODEL'$2)"; }

median() { printf '%s\n' "$@" | sort -n | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }

ratio() { awk -v a="$1" -v b="$2" 'BEGIN {printf "%.3f", a / b}'; }

fill() {
	sql <<-SQL
		CREATE EXTENSION srm;
		CREATE TEMP TABLE lines (no serial, line jsonb);
		\copy lines (line) FROM '$PAIRS' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
		CREATE TABLE texts AS
		SELECT i AS id, i || '. ' || (line->>'prompt') AS prompt, line->>'chosen' AS response
		FROM generate_series(1, $ROWS) AS i JOIN lines ON no = 1 + i % (SELECT count(*) FROM lines)
		WHERE jsonb_typeof(line->'prompt') = 'string';
		ALTER TABLE texts ADD PRIMARY KEY (id);
		VACUUM ANALYZE texts;
		SELECT srm_score('$MODEL', 'a', 'b.');
	SQL
}

compare_speeds() {
	local plain=() one=() two=() alone=() problem=()
	local from="FROM (SELECT * FROM texts LIMIT $ROWS / 4) AS t"
	local score="srm_score('$MODEL', prompt, response)"

	for _ in $(seq "$ROUNDS"); do
		sql -c 'DROP TABLE IF EXISTS plain, one, two' 2>/dev/null
		sql -c 'CREATE TABLE plain (id integer PRIMARY KEY, score real)'
		plain+=("$(timed "INSERT INTO plain SELECT id, srm_score('$MODEL', prompt, response) FROM texts")")
		one+=("$(timed "$(call one '')")")
		two+=("$(timed "$(call two ', workers => 2')")")
		alone+=("$(timed "SELECT count($score) $from")")
		problem+=("$(timed "SELECT count(CASE WHEN srm_problem('$MODEL', prompt, response) IS NULL THEN $score END) $from")")
	done
	echo "rows: $(sql -c 'SELECT count(*) FROM texts'), tokens: $(sql -c 'SELECT sum(n_tokens) FROM one'), equal scores: $(sql -c \
		"SELECT count(*) FROM plain JOIN one USING (id) JOIN two USING (id) WHERE plain.score = one.score AND one.score = two.score")"
	echo "INSERT ... SELECT: $(median "${plain[@]}") ms"
	echo "srm_score_table, one worker, over it: $(ratio "$(median "${one[@]}")" "$(median "${plain[@]}")")"
	echo "two workers over one: $(ratio "$(median "${one[@]}")" "$(median "${two[@]}")") times as fast"
	echo "srm_problem before srm_score, over srm_score: $(ratio "$(median "${problem[@]}")" "$(median "${alone[@]}")")"
}

# Memory that is a worker's alone, in kB, each time that the call has committed some tenths of the rows
show_memory() {
	local pid total

	sql -c "$(call memory ', workers => 1')" &
	total=$(sql -c 'SELECT count(*) FROM texts')
	while kill -0 $! 2>/dev/null; do
		IFS='|' read -r done_rows pid <<<"$(sql -c "SELECT rows_done, pids[1] FROM srm.progress WHERE target = 'public.memory'" 2>/dev/null || true)"
		if [ -n "${pid:-}" ] && [ -r "/proc/$pid/status" ]; then
			echo "$((100 * done_rows / total)) % of rows: $(awk '/RssAnon/ {print $2}' "/proc/$pid/status") kB"
		fi
		sleep 2
	done | awk -F'%' '!seen[int($1 / 20)]++'
	wait
}

# Each kill restarts the server; the call is made again until it gets through
kill_workers() {
	local end=$((SECONDS + KILL_SECONDS)) kills=0 pid

	while :; do
		sql -c "$(call killed ', workers => 2')" >/dev/null 2>&1 &
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
	echo "after $kills kills: $(sql -c "SELECT count(*) || ' rows, ' || count(*) FILTER (WHERE (one.score, one.n_tokens) IS DISTINCT FROM (killed.score, killed.n_tokens)) || ' differ'
		FROM one FULL JOIN killed USING (id)")"
}

mkdir "$WORK/server"
start_server "$WORK/server" "srm.threads = 1" ${SRM_MODEL_PATH:+"srm.model_path = '$SRM_MODEL_PATH'"} >/dev/null
fill >/dev/null
compare_speeds
show_memory
kill_workers
