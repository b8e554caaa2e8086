#!/bin/sh
# Checks what the shared library shows to the server's one symbol space, and
# that loading it starts no library with threads.  Usage: check_symbols.sh srm.so
library=$1
status=0

leaks=$(nm -D --defined-only "$library" | awk '{print $3}' |
	grep -vE '^(Pg_magic_func|_PG_init|pg_finfo_srm_sql_[a-z_]+|srm_sql_[a-z_]+|srm_worker_main)$')
if [ -n "$leaks" ]; then
	echo "symbols that nobody calls from outside:" $leaks
	status=1
fi
if ! nm -D --defined-only "$library" | grep -q ' T srm_sql_score$'; then
	echo "srm_sql_score is not visible"
	status=1
fi
if readelf -d "$library" | grep NEEDED | grep -iE 'blas|gomp|libtbb'; then
	echo "the library is linked to one that starts threads when it is loaded"
	status=1
fi
exit $status
