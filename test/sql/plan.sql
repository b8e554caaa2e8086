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

-- evaluating compiles nothing just in time by its cost alone

SELECT cost_of($$SELECT * FROM srm_evaluate('SELECT 1', 'llama')$$) < current_setting('jit_above_cost')::double precision AS below;

DROP FUNCTION cost_of(text);
DROP TABLE planned;
