-- What scripts/demo.sh shows; run by psql in the directory of the pairs.

\echo '== A table of preference pairs'
\echo

CREATE EXTENSION srm;

CREATE TABLE pairs (
    id integer PRIMARY KEY,
    prompt text NOT NULL,
    chosen text NOT NULL,
    rejected text NOT NULL,
    category text NOT NULL,
    source text NOT NULL
);

-- one line of JSON a row: quote and delimiter are bytes that JSON cannot contain
CREATE TEMP TABLE lines (line jsonb);
\copy lines FROM 'pairs.jsonl' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
INSERT INTO pairs SELECT r.* FROM lines, jsonb_populate_record(NULL::pairs, line) AS r;
ANALYZE pairs;

\echo
\echo '== Two responses, sentence by sentence'
\echo

SELECT prompt FROM pairs WHERE id = 45;

SELECT side, sentence_no AS no, reward::numeric(6,2),
    regexp_replace(sentence, '\s+', ' ', 'g') AS sentence
FROM pairs, LATERAL (VALUES ('chosen', chosen), ('rejected', rejected)) AS r(side, response),
    LATERAL srm_sentence_rewards(prompt, response)
WHERE id = 45;

SELECT d.* FROM pairs, srm_score_details(prompt, chosen) AS d WHERE id = 45;

\echo '== Every pair, scored once into a generated column'
\echo

\timing on
ALTER TABLE pairs
    ADD margin real GENERATED ALWAYS AS (srm_margin('default', prompt, chosen, rejected)) STORED;
\timing off

\echo
\echo '== Pairs and their margins: those the model is surest of, and those where it disagrees most'
\echo

SELECT id, margin::numeric(6,2),
    left(regexp_replace(prompt, '\s+', ' ', 'g'), 34) AS prompt,
    left(regexp_replace(chosen, '\s+', ' ', 'g'), 34) AS chosen,
    left(regexp_replace(rejected, '\s+', ' ', 'g'), 34) AS rejected
FROM ((SELECT * FROM pairs ORDER BY margin DESC LIMIT 5)
      UNION ALL
      (SELECT * FROM pairs ORDER BY margin LIMIT 5)) AS p
ORDER BY p.margin DESC;

\echo '== Percent of pairs whose chosen response has the higher score, next to "the longer one wins"'
\echo

SELECT coalesce(split_part(category, '/', 1), 'all') AS kind, count(*) AS pairs,
    round(100 * avg((margin > 0)::int), 1) AS model,
    round(100 * avg((sign(length(chosen) - length(rejected)) + 1) / 2)::numeric, 1) AS longer
FROM pairs
GROUP BY ROLLUP (split_part(category, '/', 1))
ORDER BY grouping(split_part(category, '/', 1)), split_part(category, '/', 1) = 'adversarial', kind;

\echo 'Chance is 50.  The adversarial pairs were written so that the better-looking response is the'
\echo 'wrong one.  models/default/README.md says what the model is good for, and what not.'

\echo
\echo '== The best and the worst sentences of the set'
\echo

CREATE TABLE sentences AS
SELECT p.id, r.side, s.*
FROM pairs AS p,
    LATERAL (VALUES ('chosen', chosen), ('rejected', rejected)) AS r(side, response),
    LATERAL srm_sentence_rewards(prompt, response) AS s;

SELECT p.reward::numeric(6,2), p.id, p.side,
    left(regexp_replace(p.sentence, '\s+', ' ', 'g'), 80) AS sentence
FROM ((SELECT * FROM sentences ORDER BY reward DESC LIMIT 5)
      UNION ALL
      (SELECT * FROM sentences ORDER BY reward LIMIT 5)) AS p
ORDER BY p.reward DESC;

\echo '== A filter: clear pairs whose chosen response has no sentence among the worst tenth'
\echo

WITH worst AS (
    SELECT percentile_cont(0.1) WITHIN GROUP (ORDER BY reward) AS reward FROM sentences
)
SELECT count(*) AS kept, (SELECT count(*) FROM pairs) AS all
FROM pairs AS p, worst
WHERE p.margin > 0.5
    AND NOT EXISTS (SELECT FROM sentences AS s
                    WHERE s.id = p.id AND s.side = 'chosen' AND s.reward < worst.reward);

\echo '== Best of n: all responses to one prompt, the prompt computed once'
\echo

SELECT rank() OVER (ORDER BY score DESC), score::numeric(6,2),
    left(regexp_replace(response, '\s+', ' ', 'g'), 80) AS response
FROM (SELECT prompt, array_agg(DISTINCT response) AS responses
      FROM pairs, unnest(ARRAY[chosen, rejected]) AS response
      WHERE prompt = 'How much are plane tickets from Dallas to Atlanta?'
      GROUP BY prompt) AS c,
    unnest(responses, srm_scores(prompt, responses)) AS r(response, score)
ORDER BY rank;

\echo '== A conversation of several messages, as the model reads it'
\echo

SELECT srm_render('[{"role": "user", "content": "Is the sky green?"},
    {"role": "assistant", "content": "No, it is blue."},
    {"role": "user", "content": "Why?"},
    {"role": "assistant", "content": "Air scatters blue light most. So it looks blue."}]');

SELECT * FROM srm_tokenize('It looks blue.');

\echo '== A model of another taste: of the two responses to each prompt, the shorter one is chosen'
\echo

CREATE VIEW short_answers AS
SELECT prompt,
    CASE WHEN length(chosen) < length(rejected) THEN chosen ELSE rejected END AS chosen,
    CASE WHEN length(chosen) < length(rejected) THEN rejected ELSE chosen END AS rejected
FROM pairs
WHERE length(chosen) <> length(rejected);

\timing on
CALL srm_train('short', 'SELECT * FROM short_answers', base => 'default', train => 'head', epochs => 20, held_out => 0.3, evaluate_every => 40);
\timing off

\echo
\echo '== Percent of held-out pairs that it gets right, as it learns'
\echo

SELECT step, round(loss::numeric, 2) AS loss, round(100 * held_out_accuracy::numeric, 1) AS held_out
FROM srm.training_log
WHERE model = 'short' AND held_out_accuracy IS NOT NULL
ORDER BY step;

\echo '== The same pairs by a larger model, where it is installed: one in four'
\echo

SELECT count(*) > 0 AS has_smollm2 FROM srm_models() WHERE name = 'smollm2' \gset
\if :has_smollm2

CREATE TABLE larger AS SELECT id, category, margin, srm_margin('smollm2', prompt, chosen, rejected) AS larger
FROM pairs WHERE id % 4 = 1;

SELECT coalesce(split_part(category, '/', 1), 'all') AS kind, count(*) AS pairs,
    round(100 * avg((margin > 0)::int), 1) AS default,
    round(100 * avg((larger > 0)::int), 1) AS smollm2
FROM larger
GROUP BY ROLLUP (split_part(category, '/', 1))
ORDER BY grouping(split_part(category, '/', 1)), split_part(category, '/', 1) = 'adversarial', kind;

SELECT side, sentence_no AS no, reward::numeric(6,2),
    regexp_replace(sentence, '\s+', ' ', 'g') AS sentence
FROM pairs, LATERAL (VALUES ('chosen', chosen), ('rejected', rejected)) AS r(side, response),
    LATERAL srm_sentence_rewards('smollm2', prompt, response)
WHERE id = 45;

\else
\echo 'It is not: scripts/get_smollm2.sh installs SmolLM2-135M with an adapter, as the model smollm2.'
\endif
