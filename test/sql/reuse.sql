-- work that is not done twice, counted in tokens that this session computed

CREATE FUNCTION pg_temp.computed() RETURNS int LANGUAGE sql
AS $$ SELECT (srm_model_info('tiny') ->> 'computed_tokens')::int $$;
CREATE TEMP TABLE pairs (id int, prompt text, chosen text, rejected text);
INSERT INTO pairs VALUES
	(1, 'What is a swallow?', 'A bird. It flies fast.', 'I do not know.'),
	(2, 'How far is the moon?', 'It is about 384,000 km away. That is far!', 'Far. Very far.'),
	(3, 'Name three rivers.', 'The Rhine. The Nile. The Amazon.', 'Rivers are wet.');
CREATE TEMP VIEW tokens AS
SELECT sum(d.n_tokens) AS chosen, sum(e.n_tokens) AS rejected
FROM pairs, srm_score_details(prompt, chosen) d, srm_score_details(prompt, rejected) e;

-- a text scored in the list, the condition and the order is computed once

SET srm.prompt_cache = 0;
SELECT chosen AS n_chosen, rejected AS n_rejected FROM tokens \gset
RESET srm.prompt_cache;
SELECT pg_temp.computed() AS before \gset
SELECT id, srm_score(prompt, chosen) > -1000 AS has_score FROM pairs
WHERE srm_score(prompt, chosen) < 1000 ORDER BY srm_score(prompt, chosen) IS NULL, id;
SELECT pg_temp.computed() - :before <= :n_chosen AS once, pg_temp.computed() - :before > :n_chosen / 2 AS computed;

-- and so are its score, its sentences, and the details

SELECT pg_temp.computed() AS before \gset
SELECT bool_and(d.score = srm_score(prompt, chosen)) AS same, count(r.reward) AS sentences
FROM pairs, srm_score_details(prompt, chosen) d, srm_sentence_rewards('tiny', prompt, chosen) r;
SELECT pg_temp.computed() - :before AS computed;

-- a setting that changes the result is not overlooked

SET srm.aggregation = 'sum';
SELECT count(*) FROM pairs, srm_sentence_rewards(prompt, chosen) r
GROUP BY id, prompt, chosen HAVING abs(sum(reward) - srm_score(prompt, chosen)) > 1e-4;
RESET srm.aggregation;

-- chosen and rejected share their prompt, by two calls or by one

CREATE FUNCTION pg_temp.forget() RETURNS boolean LANGUAGE sql SET srm.prompt_cache = 0
AS $$ SELECT srm_score('Hi.', 'Hi.') IS NULL $$;
SELECT pg_temp.forget();
SELECT pg_temp.computed() AS before \gset
SELECT count(srm_score(prompt, chosen) - srm_score(prompt, rejected)) FROM pairs;
SELECT pg_temp.computed() - :before AS by_two_calls, pg_temp.forget() \gset
SELECT pg_temp.computed() AS before \gset
SELECT count(srm_margin(prompt, chosen, rejected)) FROM pairs;
SELECT pg_temp.computed() - :before AS by_margin, pg_temp.forget() \gset
SELECT pg_temp.computed() AS before \gset
SELECT count(srm_scores(prompt, ARRAY[chosen, rejected, chosen])) FROM pairs;
SELECT pg_temp.computed() - :before AS by_scores \gset
SELECT :by_two_calls < :n_chosen + :n_rejected AS shared,
	:by_margin = :by_two_calls AS by_margin, :by_scores = :by_two_calls AS by_scores;

-- responses of one call that begin alike share their beginning, too, and get the scores that they have alone

CREATE TEMP TABLE edits AS
SELECT id, prompt, 'Well. ' || chosen || ' So it is said here. ' || chosen AS chosen,
	'Well. ' || chosen || ' So it is said here. ' || rejected AS rejected FROM pairs;
CREATE TEMP TABLE alone (id int, chosen real, rejected real);
SET srm.prompt_cache = 0;
SELECT pg_temp.computed() AS before \gset
INSERT INTO alone SELECT id, srm_score(prompt, chosen), srm_score(prompt, rejected) FROM edits;
SELECT pg_temp.computed() - :before AS by_two_calls, pg_temp.computed() AS before \gset
SELECT id, abs(srm_margin(prompt, e.chosen, e.rejected) - (a.chosen - a.rejected)) < 1e-5 AS same
FROM edits e JOIN alone a USING (id) ORDER BY id;
SELECT pg_temp.computed() - :before AS by_margin, pg_temp.computed() AS before \gset
SELECT id, srm_scores(prompt, ARRAY[e.rejected, e.chosen]) = ARRAY[a.rejected, a.chosen] AS same
FROM edits e JOIN alone a USING (id) ORDER BY id;
SELECT pg_temp.computed() - :before AS by_scores, pg_temp.computed() AS before \gset
SELECT n FROM srm_evaluate('SELECT prompt, chosen, rejected FROM edits', 'tiny');
SELECT pg_temp.computed() - :before AS by_evaluate \gset
SELECT sum(srm_token_count('tiny', prompt, e.chosen) + srm_token_count('tiny', prompt, e.rejected)) AS n_tokens,
	sum(srm_token_count('tiny', prompt, 'Well. ' || p.chosen || ' So it is said here.') - 4) AS n_shared
FROM edits e JOIN pairs p USING (id, prompt) \gset
SELECT :by_two_calls = :n_tokens AS whole, :by_margin <= :n_tokens - :n_shared AS by_margin,
	:by_scores <= :n_tokens - :n_shared AS by_scores, :by_evaluate <= :by_margin AS by_evaluate;
RESET srm.prompt_cache;

-- nothing is kept where that is asked for

SET srm.prompt_cache = 0;
SELECT pg_temp.computed() AS before \gset
SELECT count(srm_score(prompt, chosen) + srm_score(prompt, chosen)) FROM pairs;
SELECT pg_temp.computed() - :before = 2 * :n_chosen AS twice;
RESET srm.prompt_cache;
