#!/bin/sh
# Checks who includes whom under src/: data flows one way, and src/pg/ alone
# knows the server.  Prints each offence; exit status 1 if there is one.
cd "$(dirname "$0")/.." || exit 2

# What a room may include beside itself.  A room within a room may include what the outer one may, and
# the outer one's own files; the outer one includes its inner rooms.
allowed() {
	case $1 in
	base) echo "" ;;
	jinja | segment | tokenizer | files | kernel) echo "base" ;;
	nn) echo "base kernel" ;;
	model) echo "base jinja tokenizer files kernel nn" ;;
	write) echo "base files kernel nn model" ;;
	reward) echo "base kernel nn" ;;
	sat) echo "base segment tokenizer nn model reward" ;;
	score) echo "base jinja segment tokenizer kernel nn model reward" ;;
	train) echo "base jinja segment tokenizer files kernel nn model write reward score" ;;
	pg) echo "base jinja segment tokenizer files kernel nn model write reward sat score train" ;;
	*) return 1 ;;
	esac
}

# Of the rooms in src/pg/, which of the others one may include
allowed_inside() {
	case $1 in
	pg/models) echo "" ;;
	pg/score) echo "pg/models" ;;
	pg/pairs) echo "pg/models pg/score" ;;
	pg/report) echo "pg/models pg/score pg/pairs" ;;
	pg/table) echo "pg/models pg/score pg/pairs" ;;
	pg) echo "pg/models" ;;
	pg/*) return 1 ;;
	*) echo "$(ls -d "src/$1"/*/ 2>/dev/null | sed 's,^src/,,; s,/$,,')" ;;
	esac
}

headers_of() {
	grep -ho '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[^"]*"' "$1"/*.[ch] | sed 's/.*include[[:space:]]*"//; s/"//'
}

status=0
for directory in $(find src -mindepth 1 -type d | sort); do
	room=${directory#src/}
	outer=${room%%/*}
	rooms=$(allowed "$outer") && inside=$(allowed_inside "$room") || {
		echo "$directory: no such room in the include table"
		status=1
		continue
	}
	for header in $(headers_of "$directory" | sort -u); do
		other=${header%/*}
		[ "$other" = "$header" ] && continue
		case " $room $outer $(echo $inside) " in *" $other "*) continue ;; esac
		case "$other" in "$outer"/*) ;; *)
			case " $rooms " in *" ${other%%/*} "*) continue ;; esac
			[ "$outer" = pg ] && [ ! -d "src/${other%%/*}" ] && continue
			;;
		esac
		echo "$directory: may not include $header"
		status=1
	done
	[ "$outer" = pg ] && continue
	if grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<](postgres|c\.h|pg_config|fmgr|funcapi|miscadmin|common/|mb/|port|utils/|executor/|catalog/|access/|storage/|nodes/)' "$directory"/*.[ch]; then
		echo "$directory: the engine knows no server"
		status=1
	fi
done
if grep -nE '\b(ereport|elog|palloc|pfree|exit|abort|printf|longjmp)[[:space:]]*\(' $(find src -name '*.c' | grep -v "^src/pg/"); then
	echo "the engine raises, exits, prints and jumps nowhere"
	status=1
fi
# A module is a .c file with its header; none needs, by way of others, what needs it.
if ! find src -name '*.[ch]' | xargs grep -Ho '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[a-z]*/[^"]*\.h"' |
	sed 's,^src/,,; s,\.[ch]:[^"]*", ,; s,\.h".*,,' | awk '$1 != $2' | tsort >/dev/null; then
	echo "src: files include each other in a circle"
	status=1
fi
exit $status
