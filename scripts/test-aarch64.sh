#!/usr/bin/env bash
#
# Builds the engine and its unit tests for aarch64, and runs them under
# emulation.  Needs Debian 12 on x86-64.  Compiler, libraries and emulator are
# Debian's packages, which are unpacked into a directory and not installed:
# nothing on the machine changes.
#
# usage: scripts/test-aarch64.sh [TEST ...]	names as in test/unit/test_NAME.c; all by default
#
# SRM_AARCH64 names the directory for the packages, which is kept where it is given.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

HOST_PACKAGES="gcc-12-aarch64-linux-gnu cpp-12-aarch64-linux-gnu binutils-aarch64-linux-gnu libgcc-12-dev-arm64-cross qemu-user-static"
TARGET_PACKAGES="libc6 libc6-dev linux-libc-dev libcrypt1 libgcc-s1 libstdc++6 libicu72 libicu-dev libcmocka0 libcmocka-dev"

WORK=$(mktemp -d /tmp/srm-aarch64.XXXXXX)
trap 'rm -rf "$WORK"' EXIT
PLACE=${SRM_AARCH64:-$WORK}

# Downloads packages of an architecture, with lists of packages of its own, and unpacks them.
unpack() {
	local architecture=$1
	local directory=$PLACE/$architecture
	local state=$PLACE/apt-$architecture

	shift
	if [ -e "$directory/done" ]; then
		return 0
	fi
	mkdir -p "$directory" "$state/lists/partial" "$state/cache/archives/partial" "$state/debs"
	cat >"$state/apt.conf" <<-END
		APT::Architecture "$architecture";
		APT::Architectures { "$architecture"; };
		APT::Sandbox::User "$(id -un)";
		Dir::State::lists "$state/lists";
		Dir::State::status "/dev/null";
		Dir::Cache "$state/cache";
	END
	APT_CONFIG=$state/apt.conf apt-get -qq update
	(cd "$state/debs" && APT_CONFIG=$state/apt.conf apt-get -qq download "$@")
	for deb in "$state/debs"/*.deb; do
		dpkg -x "$deb" "$directory"
	done
	touch "$directory/done"
}

mkdir -p "$PLACE"
# shellcheck disable=SC2086
unpack amd64 $HOST_PACKAGES
# shellcheck disable=SC2086
unpack arm64 $TARGET_PACKAGES
export PATH=$PLACE/amd64/usr/bin:$PATH
export LD_LIBRARY_PATH=$PLACE/amd64/usr/lib/x86_64-linux-gnu

tests=()
for name in "${@:-*}"; do
	for file in "$ROOT"/test/unit/test_$name.c; do
		tests+=("$(basename "$file" .c)")
	done
done
mkdir "$WORK/srm"
copy_checkout "$WORK/srm"
cd "$WORK/srm"
make -s -j"$(nproc)" BUILD=build/aarch64 ENGINE_CC="aarch64-linux-gnu-gcc-12 --sysroot=$PLACE/arm64" \
	AR=aarch64-linux-gnu-ar "${tests[@]/#/build/aarch64/}"
passed=0
failed=0
for test in "${tests[@]}"; do
	status=0
	env -u LD_LIBRARY_PATH qemu-aarch64-static -L "$PLACE/arm64" "build/aarch64/$test" >"$WORK/log" 2>&1 || status=$?
	n=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) test.*/\1/p' "$WORK/log" | tail -n 1)
	bad=$(grep -cE '^\[  FAILED  \] [a-z]' "$WORK/log" || true)
	[ "$status" -ne 0 ] && [ "$bad" -eq 0 ] && bad=1
	echo "$test: ${n:-0} passed, $bad failed"
	if [ "$bad" -gt 0 ]; then
		sed 's/^/        /' "$WORK/log" | tail -n 20
	fi
	passed=$((passed + ${n:-0}))
	failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
