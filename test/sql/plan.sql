-- the planner knows what a model costs

CREATE TABLE planned AS SELECT i AS id, 'It is ' || i AS response FROM generate_series(1, 10) AS i;
ANALYZE planned;
CREATE FUNCTION cost_of(query text) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN (plan->0->'Plan'->>'Total Cost')::double precision;
END
$$;

-- by its size, open or not

SELECT cost_of($$SELECT srm_score('llama', 'a', response) FROM planned$$) < cost_of($$SELECT srm_score('tiny', 'a', response) FROM planned$$) / 10 AS closed;
SELECT srm_score('llama', 'a', 'b.') IS NOT NULL AND srm_score('tiny', 'a', 'b.') IS NOT NULL AS opened;
SELECT cost_of($$SELECT srm_score('llama', 'a', response) FROM planned$$) < cost_of($$SELECT srm_score('tiny', 'a', response) FROM planned$$) / 10 AS opened;

-- with a digest, or by the setting

SELECT cost_of($$SELECT srm_score('llama@12345678', 'a', response) FROM planned$$) = cost_of($$SELECT srm_score('llama', 'a', response) FROM planned$$) AS digest;
SET srm.model = 'llama';
SELECT cost_of($$SELECT srm_score('a', response) FROM planned$$) = cost_of($$SELECT srm_score('llama', 'a', response) FROM planned$$) AS setting;
RESET srm.model;

-- one that is not there, or only known at run time, costs what the function says

SELECT cost_of($$SELECT srm_score('nobody', 'a', response) FROM planned$$) > 2000 AS nobody,
	cost_of($$SELECT srm_score(response, 'a', response) FROM planned$$) > 2000 AS unknown;

-- rows of a text that is known

SELECT cost_of($$SELECT count(*) FROM srm_sentence_rewards('llama', 'a', repeat('It is so. ', 1000))$$) > cost_of($$SELECT count(*) FROM srm_sentence_rewards('llama', 'a', 'It is so.')$$) AS rows;

-- what goes parallel: scores, and sets in the select list; not functions in FROM, which count as one call, and not what writes

CREATE FUNCTION is_parallel(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
	RETURN plan::text ~ '"Gather';
END
$$;
CREATE TABLE many AS SELECT i AS id, 'It is ' || i AS response FROM generate_series(1, 2000) AS i;
ALTER TABLE many SET (parallel_workers = 2);
ANALYZE many;
SELECT is_parallel($$SELECT id, srm_score('tiny', 'a', response) FROM many$$) AS list,
	is_parallel($$SELECT avg(srm_score('tiny', 'a', response)) FROM many$$) AS aggregate,
	is_parallel($$CREATE TABLE t AS SELECT id, srm_score('tiny', 'a', response) FROM many$$) AS new_table,
	is_parallel($$SELECT id, srm_sentence_rewards('tiny', 'a', response) FROM many$$) AS set_in_list,
	is_parallel($$SELECT id, srm_problem('tiny', 'a', response) FROM many$$) AS problem;
SELECT is_parallel($$SELECT id, s.* FROM many, srm_sentence_rewards('tiny', 'a', response) AS s$$) AS set_in_from,
	is_parallel($$INSERT INTO planned SELECT id, srm_score('tiny', 'a', response) FROM many$$) AS insert,
	is_parallel($$UPDATE many SET id = srm_score('tiny', 'a', response)$$) AS update;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SELECT is_parallel($$SELECT id, s.* FROM many, srm_sentence_rewards('tiny', 'a', response) AS s$$) AS set_in_from;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;

-- evaluating compiles nothing just in time by its cost alone

SELECT cost_of($$SELECT * FROM srm_evaluate('SELECT 1', 'llama')$$) < current_setting('jit_above_cost')::double precision AS below;

DROP FUNCTION cost_of(text), is_parallel(text);
DROP TABLE planned, many;
