#!/usr/bin/env bash
#
# Scores real preference pairs in a throwaway cluster.  Needs Debian 12 and
# root or sudo; installs missing packages, and the extension itself.
#
# usage: scripts/demo.sh [--stop-after]
#
# --stop-after, or DEMO_STOP=1: stops and removes the cluster at the end.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

STOP=${DEMO_STOP:-0}
case ${1:-} in
	'') ;;
	--stop-after) STOP=1 ;;
	*)
		sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2
		exit 2
		;;
esac

WORK=
KEEP=0

# The cluster goes unless all went well and it is wanted.
finish() {
	local status=$?

	if [ -z "$WORK" ] || [ "$KEEP" -eq 1 ]; then
		return
	fi
	if [ "$status" -ne 0 ]; then
		[ -f "$WORK/step.log" ] && tail -n 40 "$WORK/step.log" >&2
		[ -f "$WORK/cluster/log" ] && tail -n 20 "$WORK/cluster/log" >&2
		echo "demo.sh: failed" >&2
	fi
	if [ -f "$WORK/cluster/data/postmaster.pid" ]; then
		stop_server "$WORK/cluster" || true
	fi
	as_root rm -rf "$WORK"
}

say() { printf '\n== %s\n\n' "$*"; }

install_extension() {
	local make=(make -s -C "$ROOT" PG_CONFIG="$PG_CONFIG")

	"${make[@]}" -j"$(nproc)" all >"$WORK/step.log" 2>&1
	as_root "${make[@]}" install >"$WORK/step.log" 2>&1
}

# Statements are shown with what they give.
show_pairs() {
	cd "$ROOT/test/data/demo"
	"$PSQL" -X -q -e -v ON_ERROR_STOP=1 -P pager=off -P footer=off -P format=wrapped -P columns=132 \
		-d postgres -f "$ROOT/scripts/demo.sql"
	cd "$WORK"
}

show_end() {
	local bindir

	bindir=$(dirname "$PSQL")
	printf '\nThe demo took %d seconds after the installation of packages.\n' $((SECONDS - START))
	if [ "$STOP" = 1 ]; then
		return
	fi
	KEEP=1
	printf '\nLook around in that cluster:\n\n    %q -h %q -p %s -U postgres postgres\n' \
		"$PSQL" "$PGHOST" "$PGPORT"
	printf '\nStop and delete it:\n\n    '
	if [ "$(id -u)" -eq 0 ]; then
		printf 'runuser -u %s -- ' "$(server_user)"
	fi
	printf '%q -D %q stop && rm -rf %q\n' "$bindir/pg_ctl" "$PGHOST/data" "$WORK"
}

trap finish EXIT
trap 'exit 130' INT TERM
# shellcheck disable=SC2086
need_packages $PACKAGES_BUILD
START=$SECONDS
PG_CONFIG=$(find_pg_config)
export PG_CONFIG
PSQL=$("$PG_CONFIG" --bindir)/psql

say "Building srm for $("$PG_CONFIG" --version)"
WORK=$(mktemp -d /tmp/srm-demo.XXXXXX)
chmod 755 "$WORK"
cd "$WORK"
install_extension
mkdir "$WORK/cluster"
start_server "$WORK/cluster" "cluster_name = 'srm demo'" "srm.threads = $(nproc)"
rm -f "$WORK/step.log"
echo 'Installed; a cluster is running'

echo
show_pairs
show_end
