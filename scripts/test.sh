#!/usr/bin/env bash
#
# Runs everything that must pass, on a copy of this checkout in a temporary
# directory, and prints what passed.  Needs Debian 12 and root or sudo;
# installs missing packages, and the extension itself.
#
# usage: scripts/test.sh [STEP ...]	steps: see below; all of them by default
set -uo pipefail
. "$(dirname "$0")/lib.sh"

STEPS=${*:-checks build unit sanitize fuzz install regress tap matrix demo}
PASSED=0
FAILED=0
LOG=

say() { printf '\n== %s\n' "$*"; }

# Counts one check; shows the end of the log of one that failed.
check() {
	local name=$1

	shift
	if "$@" >"$LOG" 2>&1; then
		PASSED=$((PASSED + 1))
		echo "ok      $name"
	else
		FAILED=$((FAILED + 1))
		echo "FAILED  $name"
		tail -n 60 "$LOG" | sed 's/^/        /'
	fi
}

# Counts what a test runner counted: the command's output is in the log.
count() {
	local name=$1
	local passed=$2
	local failed=$3

	PASSED=$((PASSED + passed))
	FAILED=$((FAILED + failed))
	printf '%-7s %s: %d passed, %d failed\n' "$([ "$failed" -eq 0 ] && echo ok || echo FAILED)" "$name" "$passed" "$failed"
	if [ "$failed" -gt 0 ]; then
		grep -E 'ERROR|FAILED|not ok|Sanitizer|warning|error:|#   ' "$LOG" | head -n 60 | sed 's/^/        /'
		tail -n 15 "$LOG" | sed 's/^/        /'
	fi
}

sum_matches() { grep -oE "$1" "$LOG" | grep -oE '[0-9]+' | awk '{n += $1} END {print n + 0}'; }

# make, as the unprivileged user, in the copy
build() { as_user make -s -j2 -C "$COPY" PG_CONFIG="$PG_CONFIG" "$@"; }

without_warnings() {
	"$@" || return 1
	! grep -E 'warning:' "$LOG"
}

count_cmocka() {
	local name=$1
	local failed

	shift
	"$@" >"$LOG" 2>&1
	local status=$?
	failed=$(grep -cE '^\[  FAILED  \] [a-z]' "$LOG")
	[ $status -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
	count "$name" "$(sum_matches '\[  PASSED  \] [0-9]+')" "$failed"
}

step_checks() {
	say 'includes, names, versions'
	check 'include table' sh "$COPY/test/check_includes.sh"
	check 'names' perl "$COPY/test/check_names.pl"
	check 'versions' sh "$COPY/test/check_versions.sh"
	check 'what compare.py compares' python3 "$COPY/tools/compare/test_compare.py"
}

step_build() {
	say 'builds without warnings'
	check 'gcc, extension' without_warnings build COPT=-Werror
	check 'gcc, engine' without_warnings build engine
	check 'clang, engine' without_warnings build BUILD=build/clang ENGINE_CC=clang engine
	check 'symbols' sh "$COPY/test/check_symbols.sh" "$COPY/srm.so"
}

step_unit() {
	say 'unit tests of the engine'
	count_cmocka 'unit tests' build unit
}

step_sanitize() {
	say 'unit tests under address and undefined-behaviour sanitizers'
	count_cmocka 'sanitized unit tests' build sanitize
}

# Each fuzzer for a few seconds: enough to see that it runs and finds nothing near.
step_fuzz() {
	local fuzzer

	say 'fuzzers'
	check 'build' build fuzz
	for fuzzer in "$COPY"/test/fuzz/fuzz_*.c; do
		fuzzer=$(basename "$fuzzer" .c)
		check "$fuzzer" build FUZZ_SECONDS=8 "fuzz_run_${fuzzer#fuzz_}"
	done
}

step_install() {
	say 'installation'
	check 'make' build
	check 'make install' as_root make -s -C "$COPY" PG_CONFIG="$PG_CONFIG" install
}

step_regress() {
	local passed
	local failed

	say 'regression tests'
	start_server "$WORK" "srm.model_path = '\$system:$COPY/test/data/models'" "srm.model = 'tiny'" >"$LOG" 2>&1 || {
		count 'server' 0 1
		return
	}
	as_user env PGHOST="$PGHOST" PGPORT="$PGPORT" PGUSER=postgres \
		make -s -C "$COPY" PG_CONFIG="$PG_CONFIG" installcheck >"$LOG" 2>&1
	local status=$?
	passed=$(grep -cE '^(test .*| *)?[a-z_]+ +\.\.\. ok|^ok ' "$LOG")
	failed=$(grep -cE '\.\.\. (.*)FAILED|^not ok' "$LOG")
	[ $status -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
	[ -f "$COPY/regression.diffs" ] && cat "$COPY/regression.diffs" >>"$LOG"
	[ "$failed" -gt 0 ] && [ -f "$COPY/regression.diffs" ] && head -n 200 "$COPY/regression.diffs"
	count 'regression tests' "$passed" "$failed"
	stop_server "$WORK"
}

step_tap() {
	local passed
	local failed

	say 'tests that start servers'
	as_user make -s -C "$COPY" PG_CONFIG="$PG_CONFIG" PROVE_FLAGS='--verbose --timer' prove_installcheck >"$LOG" 2>&1
	local status=$?
	passed=$(grep -cE '^ok ' "$LOG")
	failed=$(grep -cE '^not ok ' "$LOG")
	[ $status -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
	count 'TAP tests' "$passed" "$failed"
}

# Releases whose server cannot be had are shown, and not counted.
step_matrix() {
	say 'regression tests on other servers'
	bash "$COPY/scripts/matrix.sh" 14 16 17 18 >"$LOG" 2>&1
	local status=$?
	local failed

	grep -E '^PostgreSQL ' "$LOG" | sed 's/^/        /'
	failed=$(sed -n 's/^[0-9]* passed, \([0-9]*\) failed$/\1/p' "$LOG")
	[ $status -ne 0 ] && [ "${failed:-0}" -eq 0 ] && failed=1
	count 'regression tests' "$(sed -n 's/^\([0-9]*\) passed, [0-9]* failed$/\1/p' "$LOG")" "$failed"
}

step_demo() {
	say 'the demo'
	check 'scripts/demo.sh' env DEMO_STOP=1 bash "$ROOT/scripts/demo.sh"
}

need_packages $PACKAGES_BUILD $PACKAGES_TEST || exit 1
# A browser is large; without one the test of the report is left out
need_packages chromium || echo 'No Chromium: srm_report is not looked at in a browser'
PG_CONFIG=$(find_pg_config)
export PG_CONFIG
WORK=$(mktemp -d /tmp/srm-test.XXXXXX)
chmod 755 "$WORK"
COPY=$WORK/srm
LOG=$WORK/step.log
trap 'as_root rm -rf "$WORK"' EXIT
mkdir "$COPY"
copy_checkout "$COPY"
as_root chown -R "$(server_user)" "$COPY"

for step in $STEPS; do
	"step_$step"
done

echo
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
