#!/bin/bash
# Measures the extension through SQL beside other engines; README.md says how to get those.
#
#   test/bench/run.sh [--installed] [--quick] [--only ROW,...] [--llama CHECKOUT] [--data FILE...] ...
#
# Builds and installs the extension into the server of PG_CONFIG, or takes the one that is installed
# there, then runs run.py, which starts a throwaway server; --help lists rows and options.

set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

PG_CONFIG=$(find_pg_config)
export PG_CONFIG
make -s -C "$ROOT" PG_CONFIG="$PG_CONFIG" bench
if [ "${1:-}" = --installed ]; then
	shift
else
	make -s -C "$ROOT" PG_CONFIG="$PG_CONFIG"
	as_root make -s -C "$ROOT" PG_CONFIG="$PG_CONFIG" install
fi

# These are for others, and change what the peers can do
unset OPENBLAS_CORETYPE OPENBLAS_NUM_THREADS OPENBLAS_L2_SIZE OMP_NUM_THREADS
exec python3 "$ROOT/test/bench/run.py" "$@"
