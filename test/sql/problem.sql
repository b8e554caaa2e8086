-- why a row cannot be scored, before it is tried

\set long 'repeat(''on and on '', 2000)'
SELECT srm_problem('llama', 'Is it?', 'Yes.') IS NULL AS fine;
SELECT srm_problem('llama', 'Is it?', '');
SELECT srm_problem('llama', 'Is it?', :long);
SELECT srm_problem('llama', 'Is it?', NULL) IS NULL AS null_is_null;
SELECT srm_problem('llama', '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]'::jsonb) IS NULL AS fine;
SELECT srm_problem('llama', '[{"role": "user", "content": "Is it?"}]'::jsonb);
SELECT srm_problem('llama', '[]'::jsonb);
SELECT srm_problem('llama', '{"text": 1}'::jsonb);
SELECT srm_problem('llama', '[{"role": 7, "content": "Yes."}]'::jsonb);

-- the problem is the error that scoring raises

SELECT srm_score('llama', 'Is it?', '');

-- it agrees with scoring: a generated column that takes any row

CREATE TABLE any_rows (prompt text, response text,
	problem text GENERATED ALWAYS AS (srm_problem('llama', prompt, response)) STORED,
	score real GENERATED ALWAYS AS (CASE WHEN srm_problem('llama', prompt, response) IS NULL THEN srm_score('llama', prompt, response) END) STORED);
INSERT INTO any_rows VALUES ('a', 'b c.'), ('a', ''), ('a', :long), ('a', NULL), ('', 'b.'), (NULL, 'b.');
SELECT problem IS NULL AS fine, score IS NOT NULL AS scored, count(*) FROM any_rows GROUP BY 1, 2 ORDER BY 1, 2;
DROP TABLE any_rows;

-- errors that are not the row's are errors

SELECT srm_problem('nobody', 'Is it?', 'Yes.');

-- those that follow the settings

SET srm.model = 'llama';
SELECT srm_problem('Is it?', 'Yes.') IS NULL AS fine, srm_problem('Is it?', :long) IS NULL AS long;
SET srm.truncation = 'response';
SELECT srm_problem('Is it?', :long) IS NULL AS long;
RESET srm.truncation;

-- tokens, also of what is too long

SELECT srm_token_count('llama', 'Is it?', 'Yes.') = (srm_score_details('llama', 'Is it?', 'Yes.')).n_tokens AS same,
	srm_token_count('Is it?', 'Yes.') = srm_token_count('llama', 'Is it?', 'Yes.') AS follows,
	srm_token_count('llama', '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]'::jsonb) AS messages;
SELECT srm_token_count('llama', 'Is it?', :long);
RESET srm.model;
