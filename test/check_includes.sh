#!/bin/sh
# Checks who includes whom under src/: data flows one way, and src/pg/ alone
# knows the server.  Prints each offence; exit status 1 if there is one.
cd "$(dirname "$0")/.." || exit 2

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

status=0
for directory in src/*/; do
	room=$(basename "$directory")
	rooms=$(allowed "$room") || {
		echo "$directory: no such room in the include table"
		status=1
		continue
	}
	for other in $(grep -ho '^[[:space:]]*#[[:space:]]*include[[:space:]]*"[a-z]*/' "$directory"*.[ch] 2>/dev/null |
		sed 's/.*"//; s,/,,' | sort -u); do
		case " $room $rooms " in
		*" $other "*) ;;
		*)
			[ "$room" = pg ] && [ ! -d "src/$other" ] && continue
			echo "src/$room: may not include $other/"
			status=1
			;;
		esac
	done
	[ "$room" = pg ] && continue
	if grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<](postgres|c\.h|pg_config|fmgr|funcapi|miscadmin|common/|mb/|port|utils/|executor/|catalog/|access/|storage/|nodes/)' "$directory"*.[ch]; then
		echo "src/$room: the engine knows no server"
		status=1
	fi
done
if grep -nE '\b(ereport|elog|palloc|pfree|exit|abort|printf|longjmp)[[:space:]]*\(' $(ls src/*/*.c | grep -v "^src/pg/"); then
	echo "the engine raises, exits, prints and jumps nowhere"
	status=1
fi
# A module is a .c file with its header; none needs, by way of others, what needs it.
for directory in src/*/; do
	room=$(basename "$directory")
	if ! grep -H '^[[:space:]]*#[[:space:]]*include[[:space:]]*"'"$room/" "src/$room/"*.[ch] |
		sed 's,^src/,,; s,\.[ch]:[^"]*", ,; s,\.h".*,,' |
		awk '$1 != $2' | tsort >/dev/null; then
		echo "src/$room: files include each other in a circle"
		status=1
	fi
done
exit $status
