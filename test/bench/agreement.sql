-- How far scores with srm.compute = bf16, int8 and w8 are from those with f32, on the pairs of
-- a text file of JSON lines with "prompt" (a string, or a list of messages), "chosen" and "rejected".
--
-- psql variables: "lines", a table (line text), and "n", the most pairs to take.  Gives a row for
-- each kind: pairs, rank correlation of all scores (Spearman's), share of pairs whose
-- preference flips, and the largest difference of two scores.

CREATE TEMP TABLE agreement_pairs AS
SELECT row_number() OVER () AS id,
	CASE jsonb_typeof(pair -> 'prompt') WHEN 'array' THEN pair -> 'prompt'
		ELSE jsonb_build_array(jsonb_build_object('role', 'user', 'content', pair -> 'prompt')) END AS messages,
	pair ->> 'chosen' AS chosen, pair ->> 'rejected' AS rejected
FROM (SELECT line::jsonb AS pair FROM :"lines" LIMIT :n) l;

CREATE TEMP TABLE agreement_scores (kind text, id bigint, chosen real, rejected real);

SET srm.compute = f32;
INSERT INTO agreement_scores SELECT 'f32', id, s[1], s[2]
FROM (SELECT id, srm_scores(messages, ARRAY[chosen, rejected]) AS s FROM agreement_pairs) p;
SET srm.compute = bf16;
INSERT INTO agreement_scores SELECT 'bf16', id, s[1], s[2]
FROM (SELECT id, srm_scores(messages, ARRAY[chosen, rejected]) AS s FROM agreement_pairs) p;
SET srm.compute = int8;
INSERT INTO agreement_scores SELECT 'int8', id, s[1], s[2]
FROM (SELECT id, srm_scores(messages, ARRAY[chosen, rejected]) AS s FROM agreement_pairs) p;
SET srm.compute = w8;
INSERT INTO agreement_scores SELECT 'w8', id, s[1], s[2]
FROM (SELECT id, srm_scores(messages, ARRAY[chosen, rejected]) AS s FROM agreement_pairs) p;
RESET srm.compute;

CREATE TEMP VIEW agreement AS
WITH both_kinds AS (
	SELECT b.kind, a.id, a.chosen AS chosen, a.rejected AS rejected,
		b.chosen AS other_chosen, b.rejected AS other_rejected
	FROM agreement_scores a JOIN agreement_scores b USING (id)
	WHERE a.kind = 'f32' AND b.kind <> 'f32'
), scores AS (
	SELECT kind, chosen AS x, other_chosen AS y FROM both_kinds
	UNION ALL SELECT kind, rejected, other_rejected FROM both_kinds
), ranks AS (
	SELECT kind, rank() OVER (PARTITION BY kind ORDER BY x) AS x,
		rank() OVER (PARTITION BY kind ORDER BY y) AS y, abs(x - y) AS difference
	FROM scores
)
SELECT kind, f.n, r.correlation, f.flips, r.largest_difference
FROM (SELECT kind, corr(x, y) AS correlation, max(difference) AS largest_difference
	FROM ranks GROUP BY kind) r
JOIN (SELECT kind, count(*) AS n,
	avg((sign(chosen - rejected) <> sign(other_chosen - other_rejected))::integer) AS flips
	FROM both_kinds GROUP BY kind) f USING (kind)
ORDER BY kind;
