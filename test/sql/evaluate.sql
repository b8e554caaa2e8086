CREATE TABLE judged (id integer, prompt text, chosen text, rejected text, category text);
INSERT INTO judged VALUES
	(1, 'What is a swallow?', 'A swallow is a bird. It flies fast.', 'I do not know.', 'birds'),
	(2, 'What is a swallow?', 'It is a small bird that eats insects.', 'lol what', 'birds'),
	(3, 'Is the sky green?', 'No, it is blue.', 'Yes.', 'colors'),
	(4, 'Is the sky green?', 'Yes.', 'No. The sky looks blue, since air scatters blue light most.', 'colors'),
	(5, 'Is the sky green?', 'No.', 'No.', NULL);

-- each category, then all; rows without a category count in the last row only

SELECT category, n, accuracy BETWEEN accuracy_low AND accuracy_high AS inside,
	round(longer_wins::numeric, 3) AS longer_wins
FROM srm_evaluate('SELECT * FROM judged');

-- the numbers are those of the margins

CREATE TABLE margins AS
SELECT category, srm_score(prompt, chosen) AS chosen, srm_score(prompt, rejected) AS rejected FROM judged;
SELECT e.category, e.accuracy = m.accuracy AS accuracy, abs(e.mean_margin - m.mean_margin) < 1e-12 AS mean_margin,
	abs(e.log_loss - m.log_loss) < 1e-12 AS log_loss
FROM srm_evaluate('SELECT * FROM judged') AS e,
	LATERAL (SELECT avg((sign(chosen - rejected) + 1) / 2) AS accuracy,
		avg(chosen::double precision - rejected::double precision) AS mean_margin,
		avg(ln(1 + exp(rejected::double precision - chosen::double precision))) AS log_loss
	FROM margins AS m WHERE m.category = e.category OR e.category IS NULL) AS m;
SELECT accuracy = (SELECT srm_accuracy(chosen, rejected) FROM margins) AS accuracy,
	abs(log_loss - (SELECT srm_log_loss(chosen, rejected) FROM margins)) < 1e-12 AS log_loss
FROM srm_evaluate('SELECT * FROM judged') WHERE category IS NULL;

-- a model, and an aggregation; the settings hold besides

SELECT d.mean_margin = m.mean_margin AS same
FROM srm_evaluate('SELECT * FROM judged', 'tiny') AS d, srm_evaluate('SELECT * FROM judged') AS m
WHERE d.category IS NULL AND m.category IS NULL;
SET srm.aggregation = 'sum';
SELECT mean_margin AS by_sum FROM srm_evaluate('SELECT * FROM judged') WHERE category IS NULL \gset
RESET srm.aggregation;
SELECT mean_margin = :by_sum AS same FROM srm_evaluate('SELECT * FROM judged', aggregation => 'sum') WHERE category IS NULL;
SELECT mean_margin = :by_sum AS same FROM srm_evaluate('SELECT * FROM judged', 'tiny', 'sum') WHERE category IS NULL;
SELECT mean_margin = :by_sum AS same FROM srm_evaluate('SELECT * FROM judged', 'tiny') WHERE category IS NULL;
SELECT * FROM srm_evaluate('SELECT * FROM judged', aggregation => 'median');
SELECT * FROM srm_evaluate('SELECT * FROM judged', 'nowhere');

-- conversations: a list before the response, whole ones, and ones that stand behind a prompt

SELECT mean_margin AS by_text FROM srm_evaluate('SELECT * FROM judged') WHERE category IS NULL \gset
CREATE VIEW listed AS
SELECT jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt)) AS messages,
	jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', chosen)) AS chosen_message,
	jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', rejected)) AS rejected_message,
	prompt, chosen, rejected
FROM judged;
SELECT mean_margin = :by_text AS same FROM srm_evaluate('SELECT messages, chosen, rejected FROM listed');
SELECT mean_margin = :by_text AS same FROM srm_evaluate('SELECT messages AS prompt, chosen, rejected FROM listed');
SELECT mean_margin = :by_text AS same FROM srm_evaluate(
	'SELECT messages || chosen_message AS chosen, messages || rejected_message AS rejected FROM listed');
SELECT mean_margin = :by_text AS same FROM srm_evaluate(
	'SELECT prompt, messages || chosen_message AS chosen, messages || rejected_message AS rejected FROM listed');
SELECT mean_margin = :by_text AS same FROM srm_evaluate(
	'SELECT prompt, chosen_message AS chosen, rejected_message AS rejected FROM listed');
SELECT mean_margin = :by_text AS same FROM srm_evaluate(
	'SELECT messages, chosen::varchar, rejected_message AS rejected FROM listed');

-- the category may be of any type

SELECT category, n FROM srm_evaluate('SELECT prompt, chosen, rejected, id > 2 AS category FROM judged');

-- no rows, and rows with NULL

SELECT * FROM srm_evaluate('SELECT * FROM judged WHERE false');
SELECT category, n FROM srm_evaluate('SELECT prompt, chosen, nullif(rejected, ''Yes.'') AS rejected FROM judged');

-- queries that are refused

SELECT * FROM srm_evaluate(NULL);
SELECT * FROM srm_evaluate('');
SELECT * FROM srm_evaluate('SELECT');
SELECT * FROM srm_evaluate('SELECT prompt, chosen FROM judged');
SELECT * FROM srm_evaluate('SELECT chosen, rejected FROM judged');
SELECT * FROM srm_evaluate('SELECT prompt, chosen, id AS rejected FROM judged');
SELECT * FROM srm_evaluate('SELECT prompt AS messages, chosen, rejected FROM judged');
SELECT * FROM srm_evaluate('SELECT prompt, prompt, chosen, rejected FROM judged');
SELECT * FROM srm_evaluate('SELECT prompt, messages, chosen, rejected FROM listed');
SELECT * FROM srm_evaluate('DELETE FROM judged RETURNING prompt, chosen, rejected');
SELECT * FROM srm_evaluate('DROP TABLE judged');
SELECT * FROM srm_evaluate('UPDATE judged SET id = id RETURNING *');
SELECT * FROM srm_evaluate('WITH gone AS (DELETE FROM judged RETURNING *) SELECT * FROM gone');
SELECT * FROM srm_evaluate('SELECT * FROM judged FOR UPDATE');
SELECT * FROM srm_evaluate('EXPLAIN SELECT * FROM judged');
SELECT * FROM srm_evaluate(' ; -- nothing');
SELECT n FROM srm_evaluate('VALUES (1)');
SELECT * FROM srm_evaluate('SELECT * FROM judged; SELECT * FROM judged');
SELECT * FROM srm_evaluate('SELECT * FROM nowhere');

-- rows with an empty response are left out as those with NULL are

SELECT category, n FROM srm_evaluate('SELECT prompt, chosen, CASE id WHEN 3 THEN '''' WHEN 4 THEN NULL ELSE rejected END AS rejected, category FROM judged');
SELECT n FROM srm_evaluate($$SELECT messages, rejected, CASE prompt WHEN 'Is the sky green?'
	THEN jsonb_set(chosen_message, '{0,content}', '""') ELSE chosen_message END AS chosen FROM listed$$);

-- an error names row and column, and shows the beginning of the response

SET srm.max_tokens = 24;
SELECT * FROM srm_evaluate('SELECT prompt, ''Yes.'' AS chosen, CASE id WHEN 4 THEN repeat(''no, never '', 100) ELSE ''No.'' END AS rejected FROM judged WHERE id > 2 ORDER BY id');
SELECT * FROM srm_evaluate('SELECT prompt, ''a'' || repeat(''ü'', 100) AS chosen, rejected FROM judged ORDER BY id');
RESET srm.max_tokens;
SELECT * FROM srm_evaluate('SELECT prompt, ''{}''::jsonb AS chosen, rejected FROM judged');

-- so does one among many rows, which go through the model together; without it each has its own scores

CREATE TEMP TABLE many AS
SELECT i, format('What is %s?', i / 3) AS prompt, format('It is %s. I am sure.', i) AS chosen,
	CASE WHEN i = 45 THEN repeat('no, never ', 20000) ELSE repeat('No. ', i % 4 + 1) END AS rejected FROM generate_series(1, 70) AS i;
SELECT n FROM srm_evaluate('SELECT * FROM many ORDER BY i');
SELECT n, abs(mean_margin - (SELECT avg(srm_score(prompt, chosen)::float8 - srm_score(prompt, rejected)) FROM many WHERE i <> 45)) < 1e-12 AS same
FROM srm_evaluate('SELECT * FROM many WHERE i <> 45 ORDER BY i');

-- a query that scores, too

SELECT n FROM srm_evaluate('SELECT prompt, chosen, rejected, srm_score(''llama'', prompt, chosen) > 0 AS category FROM judged') WHERE category IS NULL;

-- aggregates: ties count half, rows with NULL do not count

SELECT srm_accuracy(a, b), round(srm_log_loss(a, b)::numeric, 6) AS log_loss
FROM (VALUES (2, 1), (1, 2), (1, 1), (3, 1), (NULL, 1)) AS v(a, b);
SELECT srm_accuracy(a, b), srm_log_loss(a, b) FROM (VALUES (1.0::real, 2.0::real)) AS v(a, b) WHERE a > b;
SELECT srm_accuracy('NaN', 1), srm_log_loss('NaN', 1), srm_log_loss(-1e308, 1e308), srm_log_loss(1e308, -1e308);

-- in parallel as well

CREATE TABLE numbers AS SELECT (i * 7919 % 1000)::real AS a, (i * 104729 % 1000)::real AS b FROM generate_series(1, 20000) AS i;
ANALYZE numbers;
SELECT srm_accuracy(a, b) AS accuracy, srm_log_loss(a / 100, b / 100) AS log_loss FROM numbers \gset
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT srm_accuracy(a, b) FROM numbers;
SELECT srm_accuracy(a, b) = :accuracy AS accuracy, abs(srm_log_loss(a / 100, b / 100) - :log_loss) < 1e-9 AS log_loss FROM numbers;
SELECT avg((sign(a - b) + 1) / 2) = :accuracy AS accuracy FROM numbers;

DROP VIEW listed;
DROP TABLE judged, margins, numbers;

-- a state that no aggregate makes

\set VERBOSITY sqlstate
SELECT srm_mean_combine('{}', '{0,0}');
SELECT srm_mean_final('{1}');
\set VERBOSITY default

-- calls that cost less than what the server compiles just in time by default

SELECT proname, procost * current_setting('cpu_operator_cost')::float8 < 100000 AS plain FROM pg_proc
WHERE proname IN ('srm_evaluate', 'srm_calibrate') ORDER BY proname;

-- an error of the query behind rows that were scored is about none of them
SELECT n FROM srm_evaluate($$SELECT 'p' AS prompt, 'Yes.' AS chosen, 'No.' AS rejected, 1/(257-i) AS category FROM generate_series(1,400) i$$);
