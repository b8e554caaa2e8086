\set prompt 'What is a swallow?'
\set text 'A swallow is a bird.  It flies fast! It eats insects.'

-- one response, sentence by sentence

SELECT sentence_no, start_pos, end_pos, sentence, reward IS NOT NULL AS has_reward, weight > 0 AS has_weight
FROM srm_sentence_rewards(:'prompt', :'text');

-- the sentences make up the response

SELECT string_agg(sentence, '' ORDER BY sentence_no) = :'text' FROM srm_sentence_rewards(:'prompt', :'text');

-- weighted rewards make up the score

SELECT abs(s.total + d.prompt_reward * d.prompt_weight - d.score) < 1e-5 AS adds_up,
	abs(s.weights + d.prompt_weight - 1) < 1e-5 AS weights_to_one, n_sentences, truncated
FROM srm_score_details(:'prompt', :'text') d,
	(SELECT sum(reward * weight) AS total, sum(weight) AS weights FROM srm_sentence_rewards(:'prompt', :'text')) s;
SELECT score = srm_score(:'prompt', :'text') FROM srm_score_details(:'prompt', :'text');

-- aggregations

SELECT srm_score(:'prompt', :'text') AS by_model \gset
SET srm.aggregation = 'attention';
SELECT srm_score(:'prompt', :'text') = :by_model::real AS same;
SET srm.aggregation = 'sum';
SELECT abs(sum(reward) - srm_score(:'prompt', :'text')) < 1e-5 AS is_sum FROM srm_sentence_rewards(:'prompt', :'text');
SET srm.aggregation = 'mean';
SELECT abs(avg(reward) - srm_score(:'prompt', :'text')) < 1e-5 AS is_mean FROM srm_sentence_rewards(:'prompt', :'text');
SET srm.aggregation = 'min';
SELECT min(reward) = srm_score(:'prompt', :'text') AS is_min FROM srm_sentence_rewards(:'prompt', :'text');
SET srm.aggregation = 'max';
SELECT max(reward) = srm_score(:'prompt', :'text') AS is_max FROM srm_sentence_rewards(:'prompt', :'text');
SET srm.aggregation = 'last';
SELECT abs(sum(reward) + min(prompt_reward) - srm_score(:'prompt', :'text')) < 1e-5 AS is_last
FROM srm_sentence_rewards(:'prompt', :'text'), srm_score_details(:'prompt', :'text');
SET srm.aggregation = 'token_mean';
SELECT count(weight) AS weights, count(reward) AS rewards FROM srm_sentence_rewards(:'prompt', :'text');
SELECT prompt_weight IS NULL AS no_weight FROM srm_score_details(:'prompt', :'text');
SET srm.aggregation = 'median';
RESET srm.aggregation;

-- a model that is named follows its own config, whatever the session has set

SET srm.aggregation = 'sum';
SET srm.max_tokens = 16;
SELECT srm_score('tiny', :'prompt', :'text') = :by_model::real AS same;
RESET srm.aggregation;
RESET srm.max_tokens;

-- all forms agree

SELECT srm_score(m) = :by_model::real AS messages, srm_score('tiny', m) = :by_model::real AS model_messages
FROM (SELECT jsonb_build_array(jsonb_build_object('role', 'user', 'content', :'prompt'),
	jsonb_build_object('role', 'assistant', 'content', :'text'))) AS t(m);

-- several responses, margins and preferences

SELECT srm_scores(:'prompt', ARRAY[:'text', 'I do not know.', NULL, :'text'])
	= ARRAY[:by_model::real, srm_score(:'prompt', 'I do not know.'), NULL, :by_model::real] AS same;
SELECT srm_scores(:'prompt', '{}');
SELECT srm_scores('tiny', :'prompt', ARRAY[:'text']) = ARRAY[:by_model::real] AS same;
SELECT srm_scores('[{"role": "user", "content": "Hi."}]'::jsonb, ARRAY['Hello.']) = ARRAY[srm_score('Hi.', 'Hello.')] AS same;
SELECT abs(srm_margin(:'prompt', :'text', 'I do not know.')
	- (srm_score(:'prompt', :'text') - srm_score(:'prompt', 'I do not know.'))) < 1e-5 AS is_difference;
SELECT abs(srm_preference(:'prompt', :'text', 'No.') - 1 / (1 + exp(-srm_margin(:'prompt', :'text', 'No.')))) < 1e-6 AS is_sigmoid;
SELECT abs(srm_preference(:'prompt', 'Yes.', 'No.') + srm_preference(:'prompt', 'No.', 'Yes.') - 1) < 1e-6 AS is_probability;
SELECT srm_preference(:'prompt', :'text', :'text');

-- rewards of tokens add up to those of their sentences

SELECT abs(t.total - s.total) < 1e-5 AS same
FROM (SELECT sum(reward) FROM srm_token_rewards(:'prompt', :'text')) t(total),
	(SELECT sum(reward) FROM srm_sentence_rewards(:'prompt', :'text')) s(total);
SELECT bool_and(abs(s.reward - (SELECT sum(t.reward) FROM srm_token_rewards(:'prompt', :'text') t
	WHERE t.end_pos BETWEEN s.start_pos AND s.end_pos)) < 1e-5) AS same
FROM srm_sentence_rewards(:'prompt', :'text') s;

-- without a prompt

SELECT count(*) FROM srm_sentence_rewards(:'text');

-- an index and a generated column on a named model

CREATE TABLE answers (prompt text, answer text,
	score real GENERATED ALWAYS AS (srm_score('tiny', prompt, answer)) STORED);
CREATE INDEX ON answers (srm_score('tiny', prompt, answer));
INSERT INTO answers VALUES (:'prompt', :'text'), (:'prompt', 'No.'), (:'prompt', NULL);
SELECT score = :by_model::real AS same FROM answers WHERE answer = :'text';
SELECT count(*) AS scored FROM answers WHERE score IS NOT NULL;
DROP TABLE answers;

-- NULL in, NULL out

SELECT srm_score(NULL, :'text') IS NULL AND srm_score(:'prompt', NULL) IS NULL
	AND srm_margin(:'prompt', NULL, :'text') IS NULL AND srm_scores(:'prompt', NULL) IS NULL AS all_null;
SELECT * FROM srm_sentence_rewards(:'prompt', NULL);

-- too long: an error, or truncated and said so

\set VERBOSITY terse
SET srm.max_tokens = 64;
SELECT srm_score(:'prompt', repeat(:'text' || ' ', 20));
SET srm.truncation = 'response';
SELECT n_tokens, truncated, n_sentences FROM srm_score_details(:'prompt', repeat(:'text' || ' ', 20));
SELECT bool_and(reward IS NOT NULL) FILTER (WHERE sentence_no < 3) AS first_read,
	count(*) FILTER (WHERE reward IS NULL) > 30 AS last_unread,
	string_agg(sentence, '' ORDER BY sentence_no) = repeat(:'text' || ' ', 20) AS tile
FROM srm_sentence_rewards(:'prompt', repeat(:'text' || ' ', 20));
SELECT srm_score(repeat(:'prompt', 50), :'text');
SET srm.truncation = 'prompt';
SELECT n_tokens, truncated, n_sentences FROM srm_score_details(repeat(:'prompt', 50), :'text');
SELECT srm_score(:'prompt', repeat(:'text' || ' ', 20));
RESET srm.truncation;
RESET srm.max_tokens;
\set VERBOSITY default

-- what is refused

SELECT srm_score(:'prompt', '');
SELECT srm_sentence_rewards(:'prompt', '');
SELECT srm_scores(:'prompt', ARRAY[['a', 'b'], ['c', 'd']]);
SELECT srm_scores(:'prompt', ARRAY['a', '']);
SELECT srm_score('[]'::jsonb);
SELECT srm_score('{"role": "user"}'::jsonb);
SELECT srm_score('"text"'::jsonb);
SELECT srm_score('[1]'::jsonb);
SELECT srm_score('[{"role": "user"}]'::jsonb);
SELECT srm_score('[{"role": "user", "content": ["a"]}]'::jsonb);
SELECT srm_score('nowhere', 'a', 'b');
SET srm.model = 'nowhere';
SELECT srm_score('a', 'b');
RESET srm.model;
SET srm.max_tokens = 1;
SET srm.threads = 0;

-- settings do not count for a model that is named: what to do is said in other words

SELECT srm_score('tiny', 'a', repeat('b ', 100000));
SET srm.max_tokens = 20;
SELECT srm_score('a', repeat('b ', 100));
RESET srm.max_tokens;
