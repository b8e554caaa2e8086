-- a page about the pairs of a query

CREATE TABLE judged (id integer, prompt text, chosen text, rejected text, category text);
INSERT INTO judged VALUES
	(1, 'What is a swallow?', 'A swallow is a bird. It flies fast.', 'I do not know.', 'birds'),
	(2, 'What is a swallow?', 'It is a small bird that eats insects.', 'lol what', 'birds'),
	(3, 'Is the sky green?', 'No, it is blue.', 'Yes.', 'colors'),
	(4, 'Is the sky green?', 'Yes.', 'No. The sky looks blue, since air scatters blue light most.', 'colors'),
	(5, 'Is the sky green?', 'No.', 'No.', NULL);
CREATE TABLE pages AS SELECT 'judged' AS name, srm_report('SELECT * FROM judged') AS page;

-- what it consists of; nothing comes from elsewhere, and there is no script

SELECT m[1] AS heading FROM pages, regexp_matches(page, '<h[12]>(.*?)</h[12]>', 'g') AS m;
SELECT count(*) AS elements FROM pages, regexp_matches(page, '<script|<link|<img|<iframe|<object|url\(|@import|https?:|\ssrc=|\son[a-z]+=', 'gi');

-- every element that is opened is closed

WITH tags AS (
	SELECT m[1] AS name, count(*) AS n FROM pages, regexp_matches(page, '<(/?[a-z0-9]+)[^>/]*>', 'g') AS m GROUP BY 1)
SELECT o.name, o.n, c.n FROM tags o FULL JOIN tags c ON c.name = '/' || o.name
WHERE o.name !~ '^/' AND o.name NOT IN ('meta') AND o.n IS DISTINCT FROM c.n AND o.name IS NOT NULL;

-- the numbers are those of srm_evaluate

CREATE FUNCTION cells(page text) RETURNS TABLE (category text, n bigint, accuracy float8, accuracy_low float8,
	accuracy_high float8, longer_wins float8, longer_low float8, longer_high float8, mean_margin float8,
	log_loss float8, calibration_error float8) LANGUAGE sql BEGIN ATOMIC
	SELECT nullif(r[1], 'All'), v[1]::bigint, v[2]::float8, v[3]::float8, v[4]::float8, v[5]::float8, v[6]::float8,
		v[7]::float8, v[8]::float8, v[9]::float8, v[10]::float8
	FROM regexp_matches(page, '<tr><th scope="row">([^<]*)</th>(<td><data [^\n]*)</tr>', 'g') AS r,
		LATERAL (SELECT array_agg(m[1]) AS v FROM regexp_matches(r[2], '<data value="([^"]*)"', 'g') AS m) AS v;
END;
SELECT category, n, longer_wins BETWEEN longer_low AND longer_high AND longer_low < longer_high AS inside FROM pages, cells(page);
SELECT count(*) AS differing FROM (
	(SELECT category, n, accuracy, accuracy_low, accuracy_high, mean_margin, log_loss, calibration_error, longer_wins FROM pages, cells(page)
	EXCEPT ALL SELECT * FROM srm_evaluate('SELECT * FROM judged'))
	UNION ALL
	(SELECT * FROM srm_evaluate('SELECT * FROM judged')
	EXCEPT ALL SELECT category, n, accuracy, accuracy_low, accuracy_high, mean_margin, log_loss, calibration_error, longer_wins FROM pages, cells(page))) AS d;

-- a model

INSERT INTO pages VALUES ('llama', srm_report('SELECT * FROM judged', 'llama'));
SELECT c.mean_margin = e.mean_margin AS same
FROM pages, cells(page) AS c, srm_evaluate('SELECT * FROM judged', 'llama') AS e
WHERE name = 'llama' AND c.category IS NULL AND e.category IS NULL;

-- every pair is in the histogram once, and a bar and a point or two stand for it

SELECT name, (SELECT sum(m[1]::integer) FROM regexp_matches(page, '<title>(\d+) from', 'g') AS m) AS pairs,
	(SELECT count(*) FROM regexp_matches(page, 'h\.01', 'g')) AS points
FROM pages;

-- most doubtful: the smallest margins, those that are wrong first; most clearly wrong: the most negative ones

CREATE FUNCTION listed(page text, heading text) RETURNS TABLE (row_no bigint, margin float8, place bigint) LANGUAGE sql BEGIN ATOMIC
	SELECT m[1]::bigint, m[2]::float8, ordinality
	FROM regexp_matches(substring(page from '<h2>' || heading || '</h2>.*?</section>'),
		'<summary>Row (\d+), margin <data value="([^"]*)"', 'g') WITH ORDINALITY AS r(m, ordinality);
END;
CREATE VIEW margins AS
SELECT id::bigint, srm_score(prompt, chosen)::float8 - srm_score(prompt, rejected)::float8 AS margin FROM judged;
SELECT array_agg(row_no ORDER BY place) = (SELECT array_agg(id ORDER BY margin >= 0, abs(margin)) FROM margins) AS rows, bool_and(l.margin = m.margin) AS margins
FROM pages, listed(page, 'Most doubtful') AS l JOIN margins AS m ON id = row_no WHERE name = 'judged';
SELECT array_agg(row_no ORDER BY place) IS NOT DISTINCT FROM (SELECT array_agg(id ORDER BY margin) FROM margins WHERE margin < 0) AS rows
FROM pages, listed(page, 'Most clearly wrong') AS l WHERE name = 'judged';

-- each bar of the histogram counts the margins between its edges

WITH bars AS (
	SELECT m[1]::bigint AS n, m[2]::float8 AS low, m[3]::float8 AS high
	FROM pages, regexp_matches(page, '<title>(\d+) from (\S+) to ([^<]+)</title>', 'g') AS m WHERE name = 'judged')
SELECT count(*) > 1 AS bars, bool_and(n = (SELECT count(*) FROM margins WHERE margin >= low AND margin < high)) AS counts FROM bars;

-- the reliability curve: how sure, and how often right, in ten bins of confidence

WITH pairs AS (
	SELECT 1 / (1 + exp(-abs(margin))) AS confidence, CASE WHEN margin = 0 THEN 0.5 ELSE (margin > 0)::int END AS win FROM margins),
bins AS (
	SELECT row_number() OVER (ORDER BY avg(confidence)) AS place, count(*) AS n, 100 * avg(confidence) AS expected, 100 * avg(win)::float8 AS is_right
	FROM pairs GROUP BY least(floor((confidence - 0.5) * 20), 9)),
drawn AS (
	SELECT row_number() OVER (ORDER BY m[2]::float8) AS place, m[1]::bigint AS n, m[2]::float8 AS expected, m[3]::float8 AS is_right
	FROM pages, regexp_matches(page, '<title>(\d+) pairs: (\S+) % expected, (\S+) % right</title>', 'g') AS m WHERE name = 'judged')
SELECT count(*) > 1 AS bins, count(*) = count(b.n) AND count(*) = count(d.n) AS all_drawn,
	bool_and(b.n = d.n AND abs(b.expected - d.expected) < 0.06 AND abs(b.is_right - d.is_right) < 0.06) AS numbers
FROM bins AS b FULL JOIN drawn AS d USING (place);

-- points lie at the lengths and scores of their responses

WITH points AS (
	SELECT kind, ordinality AS id, m[1]::float8 AS x, m[2]::float8 AS y
	FROM pages, unnest(ARRAY['chosen', 'rejected']) AS kind,
		regexp_matches(substring(page from 'class="dots ' || kind || '" d="([^"]*)"'), 'M(\S+) (\S+)h', 'g') WITH ORDINALITY AS r(m, ordinality)
	WHERE name = 'judged'),
responses AS (
	SELECT id, 'chosen' AS kind, length(chosen) AS length, srm_score(prompt, chosen) AS score FROM judged
	UNION ALL SELECT id, 'rejected', length(rejected), srm_score(prompt, rejected) FROM judged)
SELECT count(*) AS points, corr(x, length) > 0.99999 AS lengths, corr(y, score) < -0.99999 AS scores
FROM points JOIN responses USING (id, kind);

-- responses are coloured as by srm_heatmap, and sentences stand in the order of their rewards, each text once

SELECT bool_and(position(srm_heatmap(prompt, chosen) in page) > 0 AND position(srm_heatmap(prompt, rejected) in page) > 0) AS coloured
FROM judged, pages WHERE name = 'judged';
WITH rewards AS (
	SELECT trim(s.sentence) AS sentence, s.reward FROM judged, unnest(ARRAY[chosen, rejected]) AS response, srm_sentence_rewards(prompt, response) AS s),
best AS (SELECT sentence, max(reward) AS reward FROM rewards WHERE reward > 0 GROUP BY 1 ORDER BY 2 DESC LIMIT 10),
worst AS (SELECT sentence, min(reward) AS reward FROM rewards WHERE reward < 0 GROUP BY 1 ORDER BY 2 LIMIT 10),
shown AS (
	SELECT heading, m[1]::float8::real AS reward, m[2] AS sentence, ordinality
	FROM pages, unnest(ARRAY['Best sentences', 'Worst sentences']) AS heading,
		regexp_matches(substring(page from '<h2>' || heading || '</h2>.*?</section>'),
			'<tr><td><data value="([^"]*)">[^<]*</data></td><td class="text">([^<]*)</td>', 'g') WITH ORDINALITY AS r(m, ordinality)
	WHERE name = 'judged')
SELECT (SELECT array_agg(ROW(sentence, reward) ORDER BY ordinality) FROM shown WHERE heading = 'Best sentences')
		= (SELECT array_agg(ROW(sentence, reward) ORDER BY reward DESC) FROM best) AS best,
	(SELECT array_agg(ROW(sentence, reward) ORDER BY ordinality) FROM shown WHERE heading = 'Worst sentences')
		= (SELECT array_agg(ROW(sentence, reward) ORDER BY reward) FROM worst) AS worst;

-- texts are data

CREATE TABLE hostile (prompt text, chosen text, rejected text, category text);
INSERT INTO hostile VALUES
	('</div><script>alert(1)</script>', '</span><img src=x onerror=alert(2)> & "quoted". </style>', E'\x1b[2J <svg onload=''x''>', '</th><b>bold</b>" onclick="'),
	('ü', repeat('long ', 4000), repeat('<', 9000), repeat('c', 1000));
SET srm.truncation = 'response';
INSERT INTO pages VALUES ('hostile', srm_report($$SELECT * FROM hostile /* </pre><script>alert(3)</script> */$$));
RESET srm.truncation;
SELECT page ~* '<(script|img|b>|svg onload)|onclick="|\x1b' AS open, position('&lt;script&gt;alert(1)' in page) > 0 AS prompt,
	position('&lt;img src=x onerror=alert(2)&gt; &amp; &quot;quoted&quot;' in page) > 0 AS response,
	position('&lt;b&gt;bold' in page) > 0 AS category, position('&lt;script&gt;alert(3)' in page) > 0 AS query
FROM pages WHERE name = 'hostile';

-- of long texts the beginning

SELECT (SELECT count(*) FROM regexp_matches(page, 'The rest is not shown', 'g')) AS cut, page ~ 'c{201}' AS category, page ~ 'c{200}\.\.\.' AS name,
	position(repeat('&lt;', 8001) in page) > 0 AS response, position(repeat('&lt;', 8000) in page) > 0 AS beginning
FROM pages WHERE name = 'hostile';

-- of many pairs some are drawn, and all are counted

SET srm.model = 'llama';
INSERT INTO pages SELECT 'many', srm_report($$SELECT prompt, chosen, rejected FROM judged, generate_series(1, 500) AS i$$);
RESET srm.model;
SELECT (SELECT sum(m[1]::integer) FROM regexp_matches(page, '<title>(\d+) from', 'g') AS m) AS pairs,
	(SELECT count(*) FROM regexp_matches(page, 'h\.01', 'g')) AS points, substring(page from 'One pair in \d+ is drawn') AS drawn,
	(SELECT count(*) FROM listed(page, 'Most doubtful')) AS doubtful
FROM pages WHERE name = 'many';

-- of a single pair, of one score

SELECT srm_report('SELECT * FROM judged WHERE id = 5') ~ '[^a-z](nan|inf)' AS broken;

-- no rows, rows with NULL, and what is refused

SELECT substring(srm_report('SELECT * FROM judged WHERE false') from '<h1>.*</h1>\n<p>.*?</p>') AS nothing;
SELECT substring(srm_report('SELECT prompt, chosen, nullif(rejected, ''Yes.'') AS rejected FROM judged') from 'Rows left out.*?</p>') AS left_out;
SELECT srm_report(NULL);
SELECT srm_report('SELECT prompt, chosen FROM judged');
SELECT srm_report('SELECT * FROM judged', 'nowhere');

DROP VIEW margins;
DROP FUNCTION cells, listed;
DROP TABLE judged, hostile, pages;
