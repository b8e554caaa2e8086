\set prompt 'What is a swallow?'
\set text 'A swallow is a bird.  It flies fast! It eats insects.'

-- the ends that a segmenter found, or its sentences, give what it gives

SELECT array_agg(end_pos ORDER BY sentence_no) AS ends, array_agg(sentence ORDER BY sentence_no) AS sentences
FROM srm_sentence_rewards(:'prompt', :'text') \gset
SELECT :'ends' AS ends, :'sentences' AS sentences;
SELECT count(*) AS rows, count(*) FILTER (WHERE s = e AND s = t) AS same
FROM srm_sentence_rewards(:'prompt', :'text') s
	FULL JOIN srm_sentence_rewards(:'prompt', :'text', :'ends'::int[]) e USING (sentence_no)
	FULL JOIN srm_sentence_rewards(:'prompt', :'text', :'sentences'::text[]) t USING (sentence_no);
SELECT srm_score(:'prompt', :'text') AS score, to_json(srm_score_details(:'prompt', :'text')) AS details \gset
SELECT srm_score(:'prompt', :'text', :'ends'::int[]) = :score::real AS ends,
	srm_score(:'prompt', :'text', :'sentences'::text[]) = :score::real AS sentences,
	to_json(srm_score_details(:'prompt', :'text', :'ends'::int[]))::text = :'details' AS details_of_ends,
	to_json(srm_score_details(:'prompt', :'text', :'sentences'::text[]))::text = :'details' AS details_of_sentences;

-- others are taken as they are, within a word, too

SELECT sentence_no, start_pos, end_pos, sentence, reward IS NOT NULL AS has_reward
FROM srm_sentence_rewards(:'prompt', :'text', ARRAY[12, 53]);
SELECT sentence_no, start_pos, end_pos, sentence
FROM srm_sentence_rewards(:'prompt', 'Über größe: 你好。再见', ARRAY['Über größ', 'e: 你好。', '再', '见']);
SELECT sentence_no, start_pos, end_pos, sentence
FROM srm_sentence_rewards(:'prompt', 'Über größe: 你好。再见', ARRAY[9, 15, 16, 17]);
SET srm.segmenter = 'lines';
SELECT count(*) FROM srm_sentence_rewards(:'prompt', :'text', ARRAY[12, 53]);
RESET srm.segmenter;

-- rewards add up to the same, however a text is cut

SET srm.aggregation = 'sum';
SELECT abs(srm_score(:'prompt', :'text', ARRAY[53]) - sum(reward)) < 1e-4 AS same
FROM srm_sentence_rewards(:'prompt', :'text', ARRAY[53]);
SELECT n_sentences FROM srm_score_details(:'prompt', :'text', ARRAY[2, 12, 20, 53]);
RESET srm.aggregation;

-- all forms agree

SELECT jsonb_build_array(jsonb_build_object('role', 'user', 'content', :'prompt'),
	jsonb_build_object('role', 'assistant', 'content', :'text')) AS messages, current_setting('srm.model') AS model \gset
SELECT srm_score(:'prompt', :'text', ARRAY[12, 53]) AS score \gset
SELECT srm_score(:'messages'::jsonb, ARRAY[12, 53]) = :score::real AS messages,
	srm_score(:'model', :'prompt', :'text', ARRAY[12, 53]) = :score::real AS model,
	srm_score(:'model', :'messages'::jsonb, ARRAY[12, 53]) = :score::real AS model_messages,
	(srm_score_details(:'messages'::jsonb, ARRAY[12, 53])).score = :score::real AS details_messages,
	(srm_score_details(:'model', :'prompt', :'text', ARRAY[12, 53])).score = :score::real AS details_model,
	(srm_score_details(:'model', :'messages'::jsonb, ARRAY[12, 53])).score = :score::real AS details_model_messages,
	srm_score(:'messages'::jsonb, ARRAY['A swallow is', ' a bird.  It flies fast! It eats insects.']) = :score::real AS sentences;
SELECT count(*) = 6 AS all_three FROM (
	SELECT * FROM srm_sentence_rewards(:'messages'::jsonb, ARRAY[12, 53])
	UNION ALL SELECT * FROM srm_sentence_rewards(:'model', :'prompt', :'text', ARRAY[12, 53])
	UNION ALL SELECT * FROM srm_sentence_rewards(:'model', :'messages'::jsonb, ARRAY[12, 53])) AS t
WHERE t IN (SELECT s FROM srm_sentence_rewards(:'prompt', :'text', ARRAY[12, 53]) AS s);

-- one conversation, cut in two ways, has two results, whatever was computed before

SELECT count(DISTINCT n) FROM (SELECT count(*) FROM srm_sentence_rewards(:'prompt', :'text', ARRAY[12, 53])
	UNION ALL SELECT count(*) FROM srm_sentence_rewards(:'prompt', :'text', ARRAY[11, 20, 53])
	UNION ALL SELECT count(*) FROM srm_sentence_rewards(:'prompt', :'text', ARRAY[12, 53])) AS t(n);

-- the planner counts what is given

CREATE FUNCTION planned_rows(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	EXECUTE 'EXPLAIN ' || query INTO line;
	RETURN substring(line FROM 'rows=\d+');
END
$$;
SELECT planned_rows($$SELECT * FROM srm_sentence_rewards('p', repeat('Some text. ', 3), ARRAY[11, 22, 33])$$);
DROP FUNCTION planned_rows(text);

-- NULL in, NULL out; an empty response has no score

SELECT srm_score(:'prompt', :'text', NULL::int[]) IS NULL AS ends, srm_score(:'prompt', :'text', NULL::text[]) IS NULL AS sentences;
SELECT srm_score(:'prompt', '', '{}'::int[]);

-- what does not tile the response is refused, and the element is named

SELECT srm_score(:'prompt', :'text', ARRAY[12, 12, 53]);
SELECT srm_score(:'prompt', :'text', ARRAY[12, 5, 53]);
SELECT srm_score(:'prompt', :'text', ARRAY[0, 53]);
SELECT srm_score(:'prompt', :'text', ARRAY[-2147483648, 53]);
SELECT srm_score(:'prompt', :'text', ARRAY[12, 54]);
SELECT srm_score(:'prompt', :'text', ARRAY[12, 53, 2147483647]);
SELECT srm_score(:'prompt', :'text', ARRAY[12, 52]);
SELECT srm_score(:'prompt', :'text', '{}'::int[]);
SELECT srm_score(:'prompt', :'text', ARRAY[12, NULL, 53]);
SELECT srm_score(:'prompt', :'text', ARRAY[[12, 20], [30, 53]]);
SELECT srm_score(:'prompt', :'text', ARRAY['A swallow is', 'a bird.']);
SELECT srm_score(:'prompt', :'text', ARRAY['A swallow is', '', ' a bird.']);
SELECT srm_score(:'prompt', :'text', ARRAY[:'text', ' More.']);
SELECT srm_score(:'prompt', :'text', ARRAY['A swallow is', ' a bird.']);
SELECT srm_score(:'prompt', :'text', ARRAY['A swallow is', NULL]);
SELECT srm_score(:'prompt', :'text', ARRAY[['A swallow is'], [' a bird.']]);
SELECT srm_score(:'prompt', :'text', '{}'::text[]);

-- an array that does not start at 1 counts from 1 all the same

SELECT srm_score(:'prompt', :'text', '[5:6]={12,54}'::int[]);
SELECT srm_score(:'prompt', :'text', '[5:6]={12,53}'::int[]) = :score::real AS same;

-- millions of elements

SELECT srm_score(:'prompt', :'text', (SELECT array_agg(i) FROM generate_series(1, 2000000) AS i));
SELECT srm_score(:'prompt', :'text', array_fill(NULL::int, ARRAY[2000000]));
SELECT srm_score(:'prompt', :'text', array_fill(''::text, ARRAY[2000000]));

-- sentences of the segmenter may be kept from being too short or too long, those that are given are not

SELECT count(*) AS sentences FROM srm_sentence_rewards(:'prompt', :'text');
SET srm.min_sentence_tokens = 1000;
SELECT sentence FROM srm_sentence_rewards(:'prompt', :'text');
SELECT count(*) FROM srm_sentence_rewards(:'prompt', :'text', ARRAY[12, 53]);
SET srm.max_sentence_tokens = 2;
SELECT count(*) > 6 AS more, string_agg(sentence, '' ORDER BY sentence_no) = :'text' AS tiles FROM srm_sentence_rewards(:'prompt', :'text');
SELECT count(*) FROM srm_sentence_rewards(:'model', :'prompt', :'text');
SET srm.min_sentence_tokens = 0;
SET srm.max_sentence_tokens = 0;
SELECT count(*) AS sentences FROM srm_sentence_rewards(:'prompt', :'text');
SET srm.max_sentence_tokens = -2;
RESET srm.min_sentence_tokens;
RESET srm.max_sentence_tokens;
