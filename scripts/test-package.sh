#!/usr/bin/env bash
#
# Builds the Debian package of this checkout, installs it into a fresh system
# below a directory of its own (chroot), and runs debian/tests there.  Needs the
# rights of root, and a mirror of the Debian release that this system is.
#
# usage: scripts/test-package.sh
#
# PACKAGE_ROOT names a directory that keeps the fresh system for the next time.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

RELEASE=$(. /etc/os-release && echo "$VERSION_CODENAME")
MIRROR=${MIRROR:-http://deb.debian.org/debian}
SECURITY=${SECURITY:-http://deb.debian.org/debian-security}

need_packages dpkg-dev debhelper mmdebstrap pkg-config libicu-dev postgresql-server-dev-all
WORK=$(mktemp -d /tmp/srm-package.XXXXXX)
chmod 755 "$WORK"
trap 'as_root rm -rf "$WORK"' EXIT
SYSTEM=${PACKAGE_ROOT:-$WORK/root}

echo '# the package'
mkdir "$WORK/srm"
copy_checkout "$WORK/srm"
(cd "$WORK/srm" && dpkg-buildpackage -b -uc -us) >"$WORK/build.log" 2>&1 || {
	tail -n 30 "$WORK/build.log"
	exit 1
}
ls "$WORK"/*.deb | sed 's,.*/,  ,'

# What debian/tests/control asks for besides the package
NEEDED=$(sed -n 's/^Depends: @, //p' "$WORK/srm/debian/tests/control" | tr -d ' ')

if [ ! -d "$SYSTEM" ]; then
	echo "# a fresh $RELEASE"
	as_root mmdebstrap --quiet --variant=apt --include="$NEEDED" "$RELEASE" "$SYSTEM" \
		"deb $MIRROR $RELEASE main" "deb $MIRROR $RELEASE-updates main" "deb $SECURITY $RELEASE-security main"
fi

echo '# installed, tested and removed'
as_root rm -rf "$SYSTEM/tmp/srm"
as_root mkdir -p "$SYSTEM/tmp/srm"
as_root cp -r "$WORK/srm/." "$SYSTEM/tmp/srm"
as_root rm -rf "$SYSTEM/tmp/srm/debian/.debhelper"
as_root cp "$WORK"/postgresql-*-srm_*.deb "$SYSTEM/tmp/srm/"
as_root tee "$SYSTEM/tmp/srm/run" >/dev/null <<'END'
set -e
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
mkdir -p /etc/postgresql-common
echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.conf
apt-get install -y -qq --no-install-recommends ./postgresql-*-srm_*.deb >/dev/null
for test in debian/tests/*; do
	[ ! -x "$test" ] || "$test"
done
apt-get purge -y -qq 'postgresql-*-srm' >/dev/null
left=$(find /usr /etc -name 'srm' -o -name 'srm[-.]*')
[ -z "$left" ] || { echo "left behind: $left"; exit 1; }
END
# Mounts of its own, which are gone with it
as_root unshare --mount sh -c '
	mount -t proc proc "$1/proc" || mount --bind /proc "$1/proc"
	mount -t tmpfs tmpfs "$1/dev/shm"
	chroot "$1" sh -c "cd /tmp/srm && exec sh ./run"' sh "$SYSTEM"
echo 'the package is installed, passes its tests, and leaves nothing behind'
