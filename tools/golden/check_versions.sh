#!/usr/bin/env bash
#
# Computes the checked-in goldens again with both pinned releases of transformers, and says where one differs.
# Makes a Python environment for each in a temporary directory; the second one borrows from the first what is not
# in requirements-4.57.txt.  PYTHON_5 and PYTHON_4 name interpreters that have them already.
#
# usage: tools/golden/check_versions.sh
set -euo pipefail

HERE=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export HF_HUB_OFFLINE=1

if [ -z "${PYTHON_5:-}" ]; then
	python3 -m venv "$WORK/5"
	PYTHON_5=$WORK/5/bin/python
	"$PYTHON_5" -m pip install -q -r "$HERE/requirements.txt"
fi
if [ -z "${PYTHON_4:-}" ]; then
	"$PYTHON_5" -m venv "$WORK/4"
	PYTHON_4=$WORK/4/bin/python
	"$PYTHON_4" -m pip install -q --no-deps -r "$HERE/requirements-4.57.txt"
	"$PYTHON_5" -c 'import sysconfig; print(sysconfig.get_path("purelib"))' \
		>"$("$PYTHON_4" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/borrowed.pth"
fi

status=0
for python in "$PYTHON_5" "$PYTHON_4"; do
	"$python" "$HERE/check_goldens.py" "$ROOT" || status=1
done
exit $status
