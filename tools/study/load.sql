-- Tables of the study; run by tools/study/run.sh.  The table lines_NAME holds one JSON object a row for each
-- of the files train, valid, bench and spans.

-- A prompt is a text or a list of messages; as messages they are all alike.
CREATE FUNCTION messages_of(prompt jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE jsonb_typeof(prompt)
        WHEN 'string' THEN jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt))
        ELSE prompt
    END
$$;

CREATE FUNCTION pairs_of(line jsonb, OUT messages jsonb, OUT chosen text, OUT rejected text, OUT category text, OUT grp text)
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT messages_of(line->'prompt'), line->>'chosen', line->>'rejected', line->>'category',
        split_part(line->>'category', '/', 1)
$$;

-- Pairs to train on: of each prompt at most :per_prompt, since one source has ten thousand pairs of 28 prompts.
-- Which ones is a matter of the text alone, so every run sees the same.
CREATE TABLE train AS
SELECT row_number() OVER (ORDER BY md5(line::text)) AS id, p.*
FROM (SELECT line, row_number() OVER (PARTITION BY line->'prompt' ORDER BY md5(line::text)) AS nth FROM lines_train) AS l,
    pairs_of(line) AS p
WHERE nth <= :per_prompt
ORDER BY id
LIMIT :pairs;

CREATE TABLE judged AS
SELECT row_number() OVER () AS id, s.*, least(length(chosen), length(rejected)) AS shorter,
    sign(length(chosen) - length(rejected))::integer AS longer,
    (SELECT count(*) FROM srm_segment(chosen, 'en'))::integer AS n_sentences
FROM (SELECT 'valid' AS split, p.* FROM lines_valid, pairs_of(line) AS p
      UNION ALL
      SELECT 'bench', p.* FROM lines_bench, pairs_of(line) AS p) AS s;
ALTER TABLE judged ADD PRIMARY KEY (id);

-- Prompts with three answers or more, for the best of n: how often an answer is the better one of its pairs
CREATE TABLE answers AS
SELECT row_number() OVER (ORDER BY split, messages::text, answer) AS id, a.*
FROM (SELECT split, messages, answer, min(grp) AS grp, avg(won) AS wins, count(*) OVER (PARTITION BY split, messages) AS n
      FROM (SELECT split, messages, grp, chosen AS answer, 1.0 AS won FROM judged
            UNION ALL
            SELECT split, messages, grp, rejected, 0.0 FROM judged) AS sides
      GROUP BY split, messages, answer) AS a
WHERE n >= 3 AND split = 'bench';
ALTER TABLE answers ADD PRIMARY KEY (id);

-- Responses with spans that a person marked as wrong
CREATE TABLE spans AS
SELECT row_number() OVER () AS id, messages_of(line->'prompt') AS messages, line->>'response' AS response,
    line->'spans' AS spans, line->>'source' AS source,
    row_number() OVER (PARTITION BY line->>'source' ORDER BY md5(line::text)) AS nth
FROM lines_spans
WHERE line->>'response' <> '';
ALTER TABLE spans ADD PRIMARY KEY (id);

-- What comes out
CREATE TABLE runs (model text PRIMARY KEY, kind text, seed integer, seconds double precision);
CREATE TABLE margins (model text, id bigint, margin real, PRIMARY KEY (model, id));
CREATE TABLE answer_scores (model text, id bigint, score real, PRIMARY KEY (model, id));
CREATE TABLE rates (kind text, rate double precision, accuracy double precision, log_loss double precision, PRIMARY KEY (kind, rate));
CREATE TABLE sentences (model text, id bigint, sentence_no integer, length integer, marked boolean, reward real,
    PRIMARY KEY (model, id, sentence_no));

ANALYZE;
