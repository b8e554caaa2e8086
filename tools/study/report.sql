-- The tables of docs/study.md, as Markdown; run by tools/study/run.sh with psql -At.

-- Wilson's 95 % interval, as text in percent
CREATE OR REPLACE FUNCTION pg_temp.percent(share double precision) RETURNS text LANGUAGE sql AS $$
    SELECT to_char(100 * share, 'FM990.0')
$$;

CREATE OR REPLACE FUNCTION pg_temp.wilson(share double precision, n bigint) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s to %s', pg_temp.percent(greatest(middle - half, 0)), pg_temp.percent(middle + half))
    FROM (SELECT 1.959964 AS z) AS a,
        LATERAL (SELECT (share + z * z / (2 * n)) / (1 + z * z / n) AS middle,
            z / (1 + z * z / n) * sqrt(share * (1 - share) / n + z * z / (4.0 * n * n)) AS half) AS b
$$;

-- Area under the ROC curve of a score for "marked": the share of pairs of a marked and an unmarked sentence in
-- which the marked one has the higher score, ties counting half, by ranks
CREATE TEMP VIEW auc AS
SELECT model, source, count(*) AS n, count(*) FILTER (WHERE marked) AS n_marked,
    (sum(rank) FILTER (WHERE marked) - n_m * (n_m + 1) / 2) / (n_m * (count(*) - n_m)) AS auc,
    (sum(rank_length) FILTER (WHERE marked) - n_m * (n_m + 1) / 2) / (n_m * (count(*) - n_m)) AS auc_length
FROM (SELECT s.model, p.source, s.marked,
          rank() OVER by_reward + (count(*) OVER (PARTITION BY s.model, p.source, s.reward) - 1) / 2.0 AS rank,
          rank() OVER by_length + (count(*) OVER (PARTITION BY s.model, p.source, s.length) - 1) / 2.0 AS rank_length,
          (count(*) FILTER (WHERE s.marked) OVER (PARTITION BY s.model, p.source))::double precision AS n_m
      FROM sentences AS s JOIN spans AS p USING (id)
      WINDOW by_reward AS (PARTITION BY s.model, p.source ORDER BY s.reward DESC),
          by_length AS (PARTITION BY s.model, p.source ORDER BY s.length)) AS r
GROUP BY model, source, n_m;

-- The same among sentences of one response only
CREATE TEMP VIEW auc_within AS
SELECT m.model, p.source, avg((sign(u.reward - m.reward) + 1) / 2) AS auc
FROM sentences AS m JOIN sentences AS u ON m.model = u.model AND m.id = u.id AND m.marked AND NOT u.marked
    JOIN spans AS p ON p.id = m.id
GROUP BY m.model, p.source;

CREATE TEMP VIEW scored AS
SELECT r.kind, r.seed, j.*, m.margin
FROM runs AS r JOIN margins AS m USING (model) JOIN judged AS j USING (id);

-- Half of Student's 95 % interval of a mean of n, as text in points; nothing where one number says nothing of the spread
CREATE OR REPLACE FUNCTION pg_temp.spread(deviation double precision, n bigint) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN n > 1 THEN pg_temp.percent(deviation / sqrt(n) *
        (ARRAY[12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262])[least(n - 1, 9)]) ELSE '' END
$$;

CREATE TEMP VIEW seeds AS
SELECT split, coalesce(grp, 'all') AS grp, kind, seed, count(*) AS n, srm_accuracy(margin, 0) AS accuracy
FROM scored GROUP BY GROUPING SETS ((split, grp, kind, seed), (split, kind, seed));

SELECT E'### Runs\n\n| kind | seed | minutes | held-out accuracy at the end | loss at the end |\n| --- | ---: | ---: | ---: | ---: |';
SELECT format('| %s | %s | %s | %s | %s |', kind, seed, to_char(seconds / 60, 'FM990.0'), pg_temp.percent(l.held_out_accuracy),
    to_char(l.loss, 'FM0.000'))
FROM runs AS r LEFT JOIN LATERAL (
    SELECT held_out_accuracy, loss FROM srm.training_log AS t WHERE t.model = r.model ORDER BY run DESC, step DESC LIMIT 1) AS l ON true
WHERE seconds IS NOT NULL
ORDER BY kind, seed;

SELECT E'\n### Rates\n\nTried with the first seed; the one that is best on `valid` is the kind''s.\n\n'
    '| kind | rate | accuracy on valid | log loss |\n| --- | ---: | ---: | ---: |'
WHERE EXISTS (SELECT FROM rates);
SELECT format('| %s | %s | %s | %s |', kind, rate, pg_temp.percent(accuracy), to_char(log_loss, 'FM0.000'))
FROM rates ORDER BY kind, rate;

SELECT E'\n### Accuracy\n\nMean of the seeds (each seed), interval of the mean''s share (Wilson''s, of the pairs), and of the mean over seeds (Student''s), in percent.\n\n'
    '| split | group | n | kind | accuracy | seeds | interval | over seeds | longer wins |\n| --- | --- | ---: | --- | ---: | --- | --- | --- | ---: |';
SELECT format('| %s | %s | %s | %s | %s | %s | %s | %s | %s |', split, grp, n, kind, pg_temp.percent(avg(accuracy)),
    string_agg(pg_temp.percent(accuracy), ', ' ORDER BY seed), pg_temp.wilson(avg(accuracy), n),
    '± ' || nullif(pg_temp.spread(stddev(accuracy), count(*)), ''), pg_temp.percent(avg(longer)))
FROM (SELECT split, coalesce(grp, 'all') AS grp, kind, seed, count(*) AS n, srm_accuracy(margin, 0) AS accuracy,
          srm_accuracy(length(chosen), length(rejected)) AS longer
      FROM scored GROUP BY GROUPING SETS ((split, grp, kind, seed), (split, kind, seed))) AS s
GROUP BY split, grp, n, kind
ORDER BY split DESC, grp = 'all' DESC, n DESC, grp, kind;

SELECT E'\n### Against the response level\n\nAccuracy less that of `last` with the same seed, in points, with Student''s 95 % interval of the mean over seeds.\n\n'
    '| split | group | kind | seeds | difference | interval | each |\n| --- | --- | --- | ---: | ---: | --- | --- |'
WHERE EXISTS (SELECT FROM runs WHERE kind = 'last') AND EXISTS (SELECT FROM runs WHERE kind <> 'last');
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', s.split, s.grp, s.kind, count(*), pg_temp.percent(avg(s.accuracy - l.accuracy)),
    '± ' || nullif(pg_temp.spread(stddev(s.accuracy - l.accuracy), count(*)), ''),
    string_agg(pg_temp.percent(s.accuracy - l.accuracy), ', ' ORDER BY s.seed))
FROM seeds AS s JOIN seeds AS l USING (split, grp, seed, n)
WHERE l.kind = 'last' AND s.kind <> 'last'
GROUP BY s.split, s.grp, s.kind, n
ORDER BY s.split DESC, s.grp = 'all' DESC, n DESC, s.grp, s.kind;

SELECT E'\n### Best of n\n\nOf prompts of `bench` with three answers or more: how often the answer with the highest score is the better one of the pairs that it is in, in percent; what a pick by chance, the longest answer and the best pick have. Intervals are Student''s over seeds.\n\n'
    '| kind | prompts | answers | picked | interval | seeds | chance | longest | best |\n| --- | ---: | ---: | ---: | --- | --- | ---: | ---: | ---: |'
WHERE EXISTS (SELECT FROM answer_scores);
WITH prompts AS (
    SELECT r.kind, r.seed, a.messages, count(*) AS n, avg(a.wins) AS chance, max(a.wins) AS best,
        (array_agg(a.wins ORDER BY s.score DESC, a.id))[1] AS picked, (array_agg(a.wins ORDER BY length(a.answer) DESC, a.id))[1] AS longest
    FROM runs AS r JOIN answer_scores AS s USING (model) JOIN answers AS a USING (id)
    GROUP BY r.kind, r.seed, a.messages
), picks AS (
    SELECT kind, seed, count(*) AS prompts, sum(n) AS answers, avg(picked) AS picked, avg(chance) AS chance, avg(longest) AS longest,
        avg(best) AS best
    FROM prompts GROUP BY kind, seed
)
SELECT format('| %s | %s | %s | %s | %s | %s | %s | %s | %s |', kind, max(prompts), max(answers), pg_temp.percent(avg(picked)::float8),
    '± ' || nullif(pg_temp.spread(stddev(picked)::float8, count(*)), ''), string_agg(pg_temp.percent(picked::float8), ', ' ORDER BY seed),
    pg_temp.percent(max(chance)::float8), pg_temp.percent(max(longest)::float8), pg_temp.percent(max(best)::float8))
FROM picks GROUP BY kind ORDER BY kind;

SELECT E'\n### Loss and preference for length\n\n'
    '| split | kind | log loss | accuracy where chosen is longer | where it is shorter | correlation of margin and difference of length |\n'
    '| --- | --- | ---: | ---: | ---: | ---: |';
SELECT format('| %s | %s | %s | %s | %s | %s |', split, kind, to_char(srm_log_loss(margin, 0), 'FM0.000'),
    pg_temp.percent(srm_accuracy(margin, 0) FILTER (WHERE longer = 1)),
    pg_temp.percent(srm_accuracy(margin, 0) FILTER (WHERE longer = -1)),
    to_char(corr(margin, ln(length(chosen)) - ln(length(rejected))), 'FM0.00'))
FROM scored GROUP BY split, kind ORDER BY split DESC, kind;

SELECT E'\n### By number of sentences of the chosen response\n\n'
    '| split | sentences | n | kind | accuracy | longer wins |\n| --- | --- | ---: | --- | ---: | ---: |';
SELECT format('| %s | %s | %s | %s | %s | %s |', split, size, count(DISTINCT id), kind, pg_temp.percent(srm_accuracy(margin, 0)),
    pg_temp.percent(srm_accuracy(length(chosen), length(rejected))))
FROM (SELECT *, CASE WHEN n_sentences <= 2 THEN '1 to 2' WHEN n_sentences <= 5 THEN '3 to 5'
          WHEN n_sentences <= 10 THEN '6 to 10' ELSE 'over 10' END AS size FROM scored) AS s
GROUP BY split, size, kind
ORDER BY split DESC, min(n_sentences), kind;

SELECT E'\n### Error spans\n\nAUC of the sentence reward, sign turned, for "the sentence overlaps a span that was marked as wrong"; 0.5 is chance.\n\n'
    '| source | kind | sentences | marked | AUC (seeds) | AUC within a response (seeds) | AUC of length |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |';
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', source, kind, max(n), max(n_marked),
    string_agg(to_char(a.auc, 'FM0.000'), ', ' ORDER BY seed), string_agg(to_char(w.auc, 'FM0.000'), ', ' ORDER BY seed),
    to_char(avg(a.auc_length), 'FM0.000'))
FROM runs AS r JOIN auc AS a USING (model) JOIN auc_within AS w USING (model, source)
GROUP BY source, kind ORDER BY source, kind;

SELECT E'\n### Between seeds\n\n'
    '| split | kind | correlation of the margins of two seeds | pairs on which they disagree, % | standard deviation of margins |\n'
    '| --- | --- | ---: | ---: | ---: |';
SELECT format('| %s | %s | %s | %s | %s |', a.split, a.kind, to_char(corr(a.margin, b.margin), 'FM0.00'),
    pg_temp.percent(avg((sign(a.margin) <> sign(b.margin))::integer)), to_char(stddev(a.margin), 'FM0.00'))
FROM scored AS a JOIN scored AS b USING (kind, id)
WHERE a.seed < b.seed
GROUP BY a.split, a.kind ORDER BY a.split DESC, a.kind;

SELECT E'\n### Between models\n\n'
    '| split | models | correlation of the margins | pairs on which they disagree, % | largest difference of margins |\n'
    '| --- | --- | ---: | ---: | ---: |';
SELECT format('| %s | %s, %s | %s | %s | %s |', a.split, a.kind, b.kind, to_char(corr(a.margin, b.margin), 'FM0.0000'),
    pg_temp.percent(avg((sign(a.margin) <> sign(b.margin))::integer)), to_char(max(abs(a.margin - b.margin)), 'FM0.000'))
FROM scored AS a JOIN scored AS b USING (seed, id)
WHERE a.kind < b.kind
GROUP BY a.split, a.kind, b.kind ORDER BY a.split DESC, a.kind, b.kind;

SELECT E'\n### Attention\n\nWeights over the sentences of 250 chosen responses of `valid` with three sentences or more; entropy of all weights over its greatest.\n\n'
    '| model | boundaries | entropy | weight of the prompt | weight of the last sentence | each, if uniform |\n| --- | ---: | ---: | ---: | ---: | ---: |';
WITH responses AS (
    SELECT id, messages || jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', chosen)) AS conversation
    FROM judged WHERE split = 'valid' AND n_sentences >= 3 ORDER BY id LIMIT 250
), attended AS (
    SELECT model, id, count(*) + 1 AS n, 1 - sum(weight) AS prompt, (array_agg(weight ORDER BY sentence_no DESC))[1] AS last,
        -sum(weight * ln(greatest(weight, 1e-30))) AS entropy
    FROM runs, responses, srm_sentence_rewards(model, conversation)
    WHERE kind LIKE 'attention%'
    GROUP BY model, id
)
SELECT format('| %s | %s | %s | %s | %s | %s |', model, to_char(avg(n), 'FM90.0'),
    to_char(avg((entropy - prompt * ln(greatest(prompt, 1e-30))) / ln(n)), 'FM0.00'), to_char(avg(prompt), 'FM0.00'),
    to_char(avg(last), 'FM0.00'), to_char(avg(1.0 / n), 'FM0.00'))
FROM attended GROUP BY model ORDER BY model;
