#!/usr/bin/env bash
#
# Makes docs/report.png and docs/report-dark.png, the beginning of the page
# that srm_report makes of the demo's pairs.  Needs psql, Chromium, and a
# database where scripts/demo.sql ran (the connection is PGHOST and its kin).
#
# usage: tools/readme/pictures.sh
set -euo pipefail

DOCS=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../docs" && pwd)
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

psql -AtX -v ON_ERROR_STOP=1 -o "$WORK/report.html" <<'SQL'
SELECT srm_report($$SELECT prompt, chosen, rejected, split_part(category, '/', 1) AS category FROM pairs$$);
SQL

# usage: picture NAME SCHEME	0 is dark, 1 light
picture() {
	chromium --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$WORK/browser" \
		--blink-settings=preferredColorScheme="$2" --window-size=1000,800 --screenshot="$DOCS/$1.png" \
		"file://$WORK/report.html" 2>/dev/null
}

picture report 1
picture report-dark 0
