# Shell functions that the scripts share; to be sourced by bash.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

PACKAGES_BUILD="gcc make pkg-config postgresql-15 postgresql-server-dev-15 libicu-dev"
PACKAGES_TEST="clang libclang-rt-14-dev libcmocka-dev libipc-run-perl"

# Runs a command as root.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	else
		sudo "$@"
	fi
}

# The user that runs servers, which refuse to be root.
server_user() {
	if [ "$(id -u)" -eq 0 ]; then
		echo postgres
	else
		id -un
	fi
}

# Runs a command as that user.
as_user() {
	if [ "$(id -u)" -eq 0 ]; then
		runuser -u "$(server_user)" -- "$@"
	else
		"$@"
	fi
}

# Installs those of the named Debian packages that are missing.
need_packages() {
	local missing=()
	local package

	for package in "$@"; do
		if ! dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
			missing+=("$package")
		fi
	done
	if [ ${#missing[@]} -eq 0 ]; then
		return 0
	fi
	echo "Installing ${missing[*]}"
	# A server of its own is not wanted from the packages
	if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
		as_root mkdir -p /etc/postgresql-common
		echo 'create_main_cluster = false' | as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
	fi
	as_root apt-get update -qq
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# The pg_config to build for: $PG_CONFIG, or that of the newest server with headers.
find_pg_config() {
	local found

	if [ -n "${PG_CONFIG:-}" ]; then
		echo "$PG_CONFIG"
		return 0
	fi
	found=$(ls -d /usr/lib/postgresql/*/lib/pgxs/src/makefiles/pgxs.mk 2>/dev/null | sort -V | tail -n 1)
	if [ -n "$found" ]; then
		echo "${found%/lib/pgxs/src/makefiles/pgxs.mk}/bin/pg_config"
	else
		command -v pg_config
	fi
}

# Starts a throwaway server in directory $1 with the settings of the other
# arguments; sets PGHOST and PGPORT.  It listens on a socket in $1 only.
start_server() {
	local directory=$1
	local bindir
	local setting

	shift
	bindir=$("$(find_pg_config)" --bindir)
	if [ "$(id -u)" -eq 0 ]; then
		chown "$(server_user)" "$directory"
	fi
	as_user "$bindir/initdb" -D "$directory/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 --no-sync >"$directory.initdb.log"
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$directory'"
		echo "fsync = off"
		for setting in "$@"; do
			echo "$setting"
		done
	} | as_user tee -a "$directory/data/postgresql.conf" >/dev/null
	as_user "$bindir/pg_ctl" -D "$directory/data" -l "$directory/log" -w start >/dev/null
	export PGHOST=$directory
	export PGPORT=5432
	export PGUSER=postgres
}

stop_server() {
	local directory=$1

	as_user "$("$(find_pg_config)" --bindir)/pg_ctl" -D "$directory/data" -m fast -w stop >/dev/null
}

# Copies the files of this checkout, those that are new among them, to directory $1.
copy_checkout() {
	(cd "$ROOT" && git ls-files -z --cached --others --exclude-standard 2>/dev/null ||
		find . -type f -not -path './.git/*' -not -path './build/*' -not -name '*.o' -not -name '*.so' -not -name '*.bc' -print0) |
		(cd "$ROOT" && xargs -0 -r ls -d 2>/dev/null) | (cd "$ROOT" && tar -cf - -T -) | tar -xf - -C "$1"
}
