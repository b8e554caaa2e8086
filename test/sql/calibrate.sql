LOAD 'srm';
SELECT set_config('srm.model_path', current_setting('srm.model_path') || ':$output', false) ~ 'output' AS set;
SELECT 'calibrated_' || pg_backend_pid() AS model, 'calibrated_too_' || pg_backend_pid() AS other \gset
SET client_min_messages = error;
\set VERBOSITY terse

CREATE TABLE answers (prompt text, response text);
INSERT INTO answers VALUES
	('What is a swallow?', 'A swallow is a bird. It flies fast.'),
	('What is a swallow?', 'I do not know.'),
	('Is the sky green?', 'No. The sky looks blue, since air scatters blue light most.'),
	('Is the sky green?', 'lol what');

-- mean and standard deviation are those of the scores; they go into a model of another name

SELECT c.n, abs(c.mean - s.mean) < 1e-9 AS mean, abs(c.std - s.std) < 1e-9 AS std
FROM srm_calibrate('tiny', 'SELECT * FROM answers', :'model') AS c,
	(SELECT avg(score::double precision) AS mean, stddev_samp(score::double precision) AS std
	FROM (SELECT srm_score('tiny', prompt, response) AS score FROM answers) AS s) AS s;
SELECT a.info->'mean' IS NOT NULL AS mean, a.info->'std' IS NOT NULL AS std,
	a.info->'aggregation' = b.info->'aggregation' AS aggregation,
	a.info->'parameters' = b.info->'parameters' AS parameters, a.info->'digest' = b.info->'digest' AS digest
FROM (SELECT srm_model_info(:'model') AS info) AS a, (SELECT srm_model_info('tiny') AS info) AS b;

-- scores stay as they are, unless they are standardized

SELECT bool_and(float4send(srm_score(:'model', prompt, response)) = float4send(srm_score('tiny', prompt, response))) AS same FROM answers;
SELECT abs(avg(s)) < 1e-6 AS mean, abs(stddev_samp(s) - 1) < 1e-6 AS std
FROM (SELECT srm_standardize(:'model', srm_score(:'model', prompt, response)) AS s FROM answers) AS s;
SET srm.model = :'model';
SELECT srm_standardize(1.5) = srm_standardize(:'model', 1.5) AS same;
RESET srm.model;
SELECT srm_standardize(1.5);
SELECT srm_standardize('tiny', 1.5);
SELECT srm_standardize(:'model', NULL) IS NULL AS is_null;

-- a model in srm.output_path is replaced; settings do not matter

SET srm.aggregation = 'sum';
SELECT n FROM srm_calibrate(:'model', 'SELECT * FROM answers LIMIT 3');
RESET srm.aggregation;
SELECT abs((srm_model_info(:'model')->>'mean')::double precision - avg(score::double precision)) < 1e-9 AS mean
FROM (SELECT srm_score('tiny', prompt, response) AS score FROM answers LIMIT 3) AS s;

-- rows with an empty response are left out

SELECT n FROM srm_calibrate(:'model', 'SELECT prompt, CASE response WHEN ''lol what'' THEN '''' ELSE response END AS response FROM answers');

-- what is refused

SELECT * FROM srm_calibrate(NULL, 'SELECT * FROM answers');
SELECT * FROM srm_calibrate('tiny', NULL);
SELECT * FROM srm_calibrate('nowhere', 'SELECT * FROM answers', :'other');
SELECT * FROM srm_calibrate('tiny', 'SELECT * FROM answers', '../other');
SELECT * FROM srm_calibrate('tiny', 'SELECT * FROM answers', 'llama@0123');
SELECT * FROM srm_calibrate('tiny', 'SELECT prompt, response AS chosen FROM answers', :'other');
SELECT * FROM srm_calibrate('tiny', 'SELECT * FROM answers WHERE false', :'other');
SELECT * FROM srm_calibrate('tiny', '', :'other');
SELECT * FROM srm_calibrate('tiny', 'UPDATE answers SET prompt = '''' RETURNING *', :'other');
SELECT * FROM srm_calibrate('tiny', 'SELECT * FROM answers LIMIT 1', :'other');
SELECT count(*) FROM srm_models() WHERE name = :'other';

-- not everybody may write models

CREATE ROLE regress_srm_reader;
GRANT SELECT ON answers TO regress_srm_reader;
SET ROLE regress_srm_reader;
SELECT * FROM srm_calibrate('tiny', 'SELECT * FROM answers', :'other');
SELECT srm_standardize(:'model', 1.5) IS NOT NULL AS allowed;
RESET ROLE;
GRANT EXECUTE ON FUNCTION srm_calibrate(text, text, text) TO regress_srm_reader;
SET ROLE regress_srm_reader;
SELECT n FROM srm_calibrate('tiny', 'SELECT * FROM answers', :'other');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION srm_calibrate(text, text, text) FROM regress_srm_reader;

DROP TABLE answers;
DROP ROLE regress_srm_reader;
