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

-- of a pair it says which response; a generated margin takes any row

\set before '[{"role": "user", "content": "Is it?"}]'
\set yes '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]'
SELECT srm_problem('llama', 'Is it?', 'Yes.', 'No.') IS NULL AS texts, srm_problem('llama', :'before'::jsonb, 'Yes.', 'No.') IS NULL AS messages,
	srm_problem('llama', :'yes'::jsonb, replace(:'yes', 'Yes', 'No')::jsonb) IS NULL AS conversations;
SELECT srm_problem('llama', 'Is it?', '', '');
SELECT srm_problem('llama', 'Is it?', 'Yes.', :long);
SELECT srm_problem('llama', 'Is it?', 'Yes.', :'yes');
SELECT srm_problem('llama', :'before'::jsonb, 'Yes.', '');
SELECT srm_problem('llama', :'yes'::jsonb, :'before'::jsonb);
SELECT srm_problem('llama', '[]'::jsonb, :'yes'::jsonb);
CREATE TABLE any_pairs (prompt text, chosen text, rejected text,
	margin real GENERATED ALWAYS AS (CASE WHEN srm_problem('llama', prompt, chosen, rejected) IS NULL THEN srm_margin('llama', prompt, chosen, rejected) END) STORED);
INSERT INTO any_pairs VALUES ('a', 'b c.', 'd.'), ('a', '', 'd.'), ('a', 'b.', :long), ('a', NULL, 'd.'), (NULL, 'b.', 'd.');
SELECT chosen, margin = srm_margin('llama', prompt, chosen, rejected) AS same FROM any_pairs WHERE margin IS NOT NULL;
DROP TABLE any_pairs;

-- errors that are not the row's are errors

SELECT srm_problem('nobody', 'Is it?', 'Yes.');

-- those that follow the settings

SET srm.model = 'llama';
SELECT srm_problem('Is it?', 'Yes.') IS NULL AS fine, srm_problem('Is it?', :long) IS NULL AS long;
SET srm.truncation = 'response';
SELECT srm_problem('Is it?', :long) IS NULL AS long;
RESET srm.truncation;

SELECT srm_problem(:'before'::jsonb, 'Yes.', '') AS messages, srm_problem(:'before'::jsonb, :'yes'::jsonb) AS conversations;

-- tokens, also of what is too long

SELECT srm_token_count('llama', 'Is it?', 'Yes.') = (srm_score_details('llama', 'Is it?', 'Yes.')).n_tokens AS same,
	srm_token_count('Is it?', 'Yes.') = srm_token_count('llama', 'Is it?', 'Yes.') AS follows,
	srm_token_count('llama', '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]'::jsonb) AS messages;
SELECT srm_token_count('llama', 'Is it?', :long);
RESET srm.model;

-- what is refused for its size is a problem, too, and no error
SELECT srm_problem('llama', jsonb_agg(jsonb_build_object('role', 'user', 'content', 'x'))) FROM generate_series(1, 100001);
SELECT srm_problem('llama', jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'x', 'more', repeat('y', 17000000)))) LIKE 'message is too long: Message 1 has % bytes of JSON; %' AS told;
