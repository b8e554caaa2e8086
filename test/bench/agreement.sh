#!/usr/bin/env bash
#
# Says how far scores in bf16, int8 and w8 are from scores in f32, on real pairs,
# with the model in srm.model.  Connects as psql does; the database has the extension.
#
# usage: test/bench/agreement.sh FILE.jsonl[.gz] [PAIRS]	1000 pairs by default
#
# Exit status 1 where a rank correlation is below 0.9995 (bf16), 0.995 (int8) or 0.999 (w8), or
# more than 0.3 %, 1 % or 1 % of the preferences flip.
set -euo pipefail

FILE=${1:?usage: agreement.sh FILE.jsonl[.gz] [PAIRS]}
PAIRS=${2:-1000}
HERE=$(cd "$(dirname "$0")" && pwd)

gzip -dcf -- "$FILE" | psql -X -q -v ON_ERROR_STOP=1 -v lines=agreement_lines -v n="$PAIRS" \
	-c 'CREATE TEMP TABLE agreement_lines (line text)' \
	-c "COPY agreement_lines FROM STDIN WITH (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02')" \
	-f "$HERE/agreement.sql" \
	-c "SELECT kind, n AS pairs, round(correlation::numeric, 5) AS rank_correlation,
			round(100 * flips, 2) AS flips_percent, round(largest_difference::numeric, 4) AS largest_difference
		FROM agreement" \
	-c "DO \$\$ BEGIN
			IF EXISTS (SELECT FROM agreement WHERE correlation < CASE kind WHEN 'bf16' THEN 0.9995 WHEN 'w8' THEN 0.999 ELSE 0.995 END
				OR flips > CASE kind WHEN 'bf16' THEN 0.003 ELSE 0.01 END) THEN
				RAISE 'agreement is below the bounds';
			END IF;
		END \$\$"
