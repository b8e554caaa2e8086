#!/bin/sh
# Checks that all files name the version that srm.control does, and that there are
# scripts that lead to it.  Prints each offence; exit status 1 if there is one.
cd "$(dirname "$0")/.." || exit 2

version=$(sed -n "s/^default_version = '\(.*\)'/\1/p" srm.control)
status=0

# What $1 says is in file $2 is the version.
expect() {
	if [ "$1" != "$version" ]; then
		echo "$2: says version \"$1\", srm.control says \"$version\""
		status=1
	fi
}

expect "$(sed -n 's/^## \([^ ]*\).*/\1/p' CHANGELOG.md | head -n 1)" CHANGELOG.md
for said in $(sed -n 's/^\t*"version": "\([^"]*\)".*/\1/p' META.json | grep -vx '1\.0\.0'); do
	expect "$said" META.json
done
expect "$(sed -n '1s/.*(\(.*\)-[^-]*).*/\1/p' debian/changelog)" debian/changelog
for old in sql/srm--*.*.*.sql; do
	old=${old#sql/srm--}
	old=${old%.sql}
	case $old in
	*--* | "$version") ;;
	*)
		if [ ! -e "sql/srm--$old--$version.sql" ] && ! ls sql/srm--"$old"--*.sql >/dev/null 2>&1; then
			echo "sql: no script updates from $old"
			status=1
		fi
		;;
	esac
done
exit $status
