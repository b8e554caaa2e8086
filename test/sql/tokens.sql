\pset format unaligned

-- what the model reads

SELECT srm_render('[{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello there. Welcome!"}]');

-- its tokens make up the text, but for the markers

SELECT string_agg(substr(r, start_pos, end_pos - start_pos + 1), '' ORDER BY token_no) = r AS same,
	count(*) FILTER (WHERE start_pos IS NULL) AS markers
FROM (SELECT '[{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello there. Welcome!"}]'::jsonb) AS m(m),
	LATERAL srm_render(m) r, LATERAL srm_tokenize(m) GROUP BY r;

-- a marker follows the prompt, each sentence and the terminator

SELECT token, count(*)
FROM srm_tokenize('[{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello there. Welcome!"}]'::jsonb)
WHERE start_pos IS NULL GROUP BY token;

-- a user's text never becomes a special token

SELECT count(*) AS tokens, string_agg(substr(t, start_pos, end_pos - start_pos + 1), '' ORDER BY token_no) = t AS same
FROM (SELECT token FROM srm_tokenize('[{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]'::jsonb)
	WHERE start_pos IS NULL LIMIT 1) m(t), srm_tokenize(t)
GROUP BY t HAVING count(*) > 1;

-- with a model that is named

SELECT count(*) > 0 FROM srm_tokenize('tiny', 'Some words.');
SELECT srm_render('tiny', '[{"role": "assistant", "content": "Alone."}]') = srm_render('[{"role": "assistant", "content": "Alone."}]');

-- nothing

SELECT count(*) FROM srm_tokenize('');
SELECT count(*) FROM srm_tokenize(NULL::text);

-- tokens of characters of several bytes

SELECT bool_and(start_pos <= end_pos) AS ordered, min(start_pos), max(end_pos) FROM srm_tokenize('数が多い🙂é');
