-- an argument or a cast that is missing finds another form: it must not give the score of another conversation

SET srm.model = 'llama';
\set list '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]'
\set sharegpt '[{"from": "human", "value": "Is it?"}, {"from": "gpt", "value": "Yes."}]'
CREATE TABLE stored (id integer, prompt text, chosen text, rejected text);
INSERT INTO stored VALUES (1, 'Is it?', 'Yes.', 'No.'), (2, 'llama', 'Yes.', 'No.');
CREATE TABLE lists (id integer, chosen text, rejected text);
INSERT INTO lists VALUES (1, :'list', replace(:'list', 'Yes', 'No'));

-- a model in the place of a prompt

SELECT srm_score('llama', 'Yes.');
SELECT srm_margin('llama', chosen, rejected) FROM lists;
SELECT srm_margin('mistral', chosen, rejected) FROM lists;
SELECT srm_preference('llama@0123456789abcdef', chosen, rejected) FROM lists;
SELECT srm_scores('llama', ARRAY[chosen, rejected]) FROM stored;
SELECT * FROM srm_sentence_rewards('llama', 'Yes. No.');
SELECT * FROM srm_token_rewards('llama', 'Yes. No.');
SELECT * FROM srm_score_details('llama', 'Yes. No.');
SELECT srm_problem('llama', 'Yes.');
SELECT srm_token_count('llama', 'Yes.');

-- with the missing argument or cast it is what was meant

SELECT srm_score('llama', 'Is it?', 'Yes.') IS NOT NULL AS scored, srm_margin('llama', chosen::jsonb, rejected::jsonb)
	= (SELECT srm_margin('llama', prompt, chosen, rejected) FROM stored WHERE id = 1) AS same FROM lists;

-- a column may hold any text: a warning, once a query

SELECT id, srm_score(prompt, chosen) IS NOT NULL AS scored FROM stored, generate_series(1, 2) ORDER BY id;

-- and who means it says so

SELECT srm_score('llama', 'llama', 'Yes.') = srm_score('[{"role": "user", "content": "llama"}, {"role": "assistant", "content": "Yes."}]'::jsonb) AS same;

-- names of no model are prompts

SELECT srm_score('nobody', 'Yes.') IS NOT NULL AS scored, srm_score('', 'Yes.') IS NOT NULL AS scored,
	srm_score('../llama', 'Yes.') IS NOT NULL AS scored, srm_problem(repeat('llama', 1000), 'Yes.') IS NOT NULL AS too_long;
SELECT srm_score('llama ', 'Yes.') IS NOT NULL AS scored;

-- messages of type text

SELECT srm_score('Is it?', :'list');
SELECT srm_score(:'list', 'Yes.');
SELECT srm_score('llama', :'list', 'Yes.');
SELECT srm_score('Is it?', :'sharegpt');
SELECT srm_margin('Is it?', chosen, rejected) FROM lists;
SELECT srm_margin('Is it?', 'Yes.', rejected) FROM lists;
SELECT srm_preference('Is it?', 'Yes.', rejected) FROM lists;
SELECT srm_scores('Is it?', ARRAY['Yes.', NULL, rejected]) FROM lists;
SELECT * FROM srm_sentence_rewards(:'list');
SELECT srm_problem('llama', 'Is it?', E' [\n {"role": "user", "content": "Is it?"}]\n');
SELECT srm_heat('Is it?', chosen) FROM lists;
SELECT * FROM srm_evaluate('SELECT ''Is it?'' AS prompt, chosen, rejected FROM lists');
SELECT * FROM srm_evaluate('SELECT chosen AS prompt, ''Yes.'' AS chosen, ''No.'' AS rejected FROM lists');
SELECT * FROM srm_report('SELECT ''Is it?'' AS prompt, ''Yes.'' AS chosen, rejected FROM lists');

-- JSON that is no list of messages is text, whatever it looks like

SELECT srm_score('Is it?', '[{"rôle": "user"}]') IS NOT NULL AS scored, srm_score('Is it?', '[{"role": 1}]') IS NOT NULL AS scored,
	srm_score('Is it?', '[{"role": "user"}, 2]') IS NOT NULL AS scored, srm_score('Is it?', '[{"role": "user"') IS NOT NULL AS scored,
	srm_score('Is it?', '[{"role": "user"}]]') IS NOT NULL AS scored, srm_score('Is it?', '{"role": "user"}') IS NOT NULL AS scored,
	srm_score('Is it?', '[') IS NOT NULL AS scored, srm_score('Is it?', '[]') IS NOT NULL AS scored, srm_score('Is it?', ' ') IS NOT NULL AS scored;
SELECT srm_problem('llama', 'Is it?', repeat('[{"a":', 200)) IS NOT NULL AS only_too_long;

-- in the content of a message it is text, too

SELECT srm_score(jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'Is it?'),
	jsonb_build_object('role', 'assistant', 'content', '[{"role": "user"}]'))) IS NOT NULL AS scored;

-- messages before a response, as a prompt stands before it

\set before '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it?"}]'
\set all '[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes. It is."}]'
SELECT srm_score(:'before'::jsonb, 'Yes. It is.') = srm_score(:'all'::jsonb) AS score,
	srm_score('llama', :'before'::jsonb, 'Yes. It is.') = srm_score('llama', :'all'::jsonb) AS of_model,
	srm_token_count(:'before'::jsonb, 'Yes. It is.') = srm_token_count(:'all'::jsonb) AS tokens,
	srm_token_count('llama', :'before'::jsonb, 'Yes. It is.') = srm_token_count(:'all'::jsonb) AS tokens,
	srm_problem(:'before'::jsonb, '') AS problem, srm_problem('llama', :'before'::jsonb, 'Yes.') IS NULL AS fine,
	srm_heatmap(:'before'::jsonb, 'Yes. It is.') = srm_heatmap(:'all'::jsonb) AS heatmap,
	srm_heatmap('llama', :'before'::jsonb, 'Yes. It is.') = srm_heatmap(:'all'::jsonb) AS heatmap,
	srm_heat(:'before'::jsonb, 'Yes. It is.') = srm_heat(:'all'::jsonb) AS heat,
	srm_heat('llama', :'before'::jsonb, 'Yes. It is.') = srm_heat(:'all'::jsonb) AS heat;
SELECT count(*) AS differing FROM (
	(SELECT * FROM srm_sentence_rewards(:'before'::jsonb, 'Yes. It is.') UNION ALL SELECT * FROM srm_sentence_rewards('llama', :'before'::jsonb, 'Yes. It is.'))
	EXCEPT SELECT * FROM srm_sentence_rewards(:'all'::jsonb)) AS d;
SELECT count(*) AS differing FROM (
	(SELECT * FROM srm_token_rewards(:'before'::jsonb, 'Yes. It is.') UNION ALL SELECT * FROM srm_token_rewards('llama', :'before'::jsonb, 'Yes. It is.'))
	EXCEPT SELECT * FROM srm_token_rewards(:'all'::jsonb)) AS d;
SELECT a = b AND a = c AS same FROM srm_score_details(:'before'::jsonb, 'Yes. It is.') AS a, srm_score_details('llama', :'before'::jsonb, 'Yes. It is.') AS b,
	srm_score_details(:'all'::jsonb) AS c;
CREATE TABLE replies (before jsonb, reply text, score real GENERATED ALWAYS AS (srm_score('llama', before, reply)) STORED);
INSERT INTO replies VALUES (:'before', 'Yes. It is.');
SELECT score = srm_score('llama', :'all'::jsonb) AS same FROM replies;

-- columns of type json: in queries as they are, in calls with a cast

SELECT n FROM srm_evaluate('SELECT chosen::json, rejected::json FROM lists');
SELECT n FROM srm_evaluate($$SELECT '[{"role": "user", "content": "Is it?"}]'::json AS messages, 'Yes.' AS chosen, 'No.' AS rejected$$);
SELECT * FROM srm_evaluate($$SELECT '{"a": 1}'::json AS messages, 'Yes.' AS chosen, 'No.' AS rejected$$);
SELECT srm_score(:'list'::json);
SELECT srm_score(:'list'::json::jsonb) IS NOT NULL AS scored;

-- errors say which argument they are about, and how it begins

\set long 'repeat(''on and on '', 2000)'
SELECT srm_score('Is it?', :long);
SELECT srm_score('llama', 'Is it?', :long);
SELECT srm_score('Is it?', '');
SELECT * FROM srm_sentence_rewards('');
SELECT * FROM srm_token_rewards('Is it?', repeat('äöü', 1000));
SELECT srm_margin('Is it?', 'Yes.', :long);
SELECT srm_margin('llama', 'Is it?', '', 'No.');
SELECT srm_preference('Is it?', :long, 'No.');
SELECT srm_preference('Is it?', 'Yes.', '');
SELECT srm_scores('Is it?', ARRAY['Yes.', NULL, E'Line one.\nLine two. ' || :long]);
SELECT srm_score('[{"role": "user", "content": "Is it?"}, {"role": "assistant"}]'::jsonb);
SELECT srm_score('[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": ""}]'::jsonb);
SELECT srm_score('[{"role": "user"}]'::jsonb, 'Yes.');
SELECT srm_margin(:'list'::jsonb, '[]'::jsonb);
SELECT srm_margin(:'list'::jsonb, replace(:'list', 'Yes.', '')::jsonb);
SELECT srm_margin(replace(:'list', 'Yes.', '')::jsonb, :'list'::jsonb);
SELECT srm_margin(:'list'::jsonb, replace(:'all', 'Yes. It is.', '')::jsonb);
SELECT srm_preference(:'list'::jsonb, '{}'::jsonb);
SELECT srm_token_count('Is it?', '');
SELECT srm_render('[{"role": "user"}]'::jsonb);
SELECT srm_scores('[1]'::jsonb, ARRAY['Yes.']);

-- in functions that score nothing, too

SELECT * FROM srm_segment('Yes.', 'no such!');
SELECT * FROM srm_segment('Yes.', 'en', 'words');
SELECT * FROM srm_segment('Yes.', 'en', 'regex:(');
SELECT count(*) FROM srm_segment('It is. ' || repeat('a', 100000), 'en', 'regex:(a+)+b');
SELECT * FROM srm_tokenize('nowhere', 'Yes.');
SELECT * FROM srm_tokenize('[{"role": "user"}]'::jsonb);
SELECT srm_messages('Is it?');
SELECT srm_messages(E'User: Is it?\n\nAssistant: Yes.');
SELECT srm_messages('[{"from": "nobody", "value": "Yes."}]'::jsonb);
SELECT srm_messages('"Yes."'::jsonb);
SELECT srm_heat('Is it?', '');
SELECT srm_heatmap('[{"role": "user", "content": "Is it?"}]'::jsonb, '');
SELECT srm_heat_ansi(ARRAY['Yes.'], ARRAY[1, 2]::real[]);
SELECT srm_report('');
SELECT srm_report('SELECT 1');
SELECT srm_report($$SELECT 'Is it?' AS prompt, 'Yes.' AS chosen, repeat('on and on ', 2000) AS rejected$$);
SELECT srm_calibrate('llama', $$SELECT 'Is it?' AS prompt, repeat('on and on ', 2000) AS response$$, 'calibrated');

-- what comes before a response may be what is too long

SELECT srm_score(:long, 'Yes.');
SELECT srm_margin('llama', :long, 'Yes.', 'No.');
SELECT srm_scores('Is it?', ARRAY['Yes.', :long]);
SELECT srm_margin(:'list'::jsonb, jsonb_build_array(jsonb_build_object('role', 'user', 'content', :long), jsonb_build_object('role', 'assistant', 'content', 'No.')));
SELECT srm_score(jsonb_build_array(jsonb_build_object('role', 'user', 'content', :long)), 'Yes.');

-- which element of an array it is

SELECT srm_score('Is it?', 'Yes. It is.', ARRAY[4, 20]);
SELECT srm_score('Is it?', 'Yes. It is.', ARRAY['Yes. ', 'It was.']);
SELECT srm_score('Is it?', 'Yes. It is.', ARRAY['Yes. ']);
SELECT srm_scores('Is it?', ARRAY['Yes.', '']);
SELECT srm_scores('Is it?', ARRAY[['Yes.'], ['No.']]);

-- more than any model reads is refused before it takes memory

SELECT srm_messages(jsonb_agg('{"from": "human", "value": ""}'::jsonb)) FROM generate_series(1, 100001);
SELECT srm_score(jsonb_agg('{"role": "user", "content": ""}'::jsonb)) FROM generate_series(1, 100001);
SELECT srm_score(jsonb_build_array(jsonb_build_object('role', 'user', 'content', 'Is it?', 'name', repeat('a', 17000000))));

-- what is not about a text says nothing of one

SET srm.aggregation = 'attention';
SELECT srm_score('Is it?', 'Yes.');
RESET srm.aggregation;
RESET srm.model;
