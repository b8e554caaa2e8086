-- Tokens of both conversations of each pair, as the extension reads them, to standard output for train_adapter.py:
-- number, file, category, ids of the chosen and of the rejected one.
--
--   psql -v model=MODEL -f tokens.sql > tokens.tsv
--
-- The table lines (id, file, line) has a pair as JSON a row.  MODEL is any that has the layout that is wanted:
-- nothing is computed with its weights.

\set ON_ERROR_STOP 1
\set QUIET 1
SET jit = off;

CREATE FUNCTION pg_temp.tokens_of(model text, messages jsonb, response text) RETURNS integer[] LANGUAGE sql AS $$
    SELECT array_agg(token_id ORDER BY token_no)
    FROM srm_tokenize(model, messages || jsonb_build_object('role', 'assistant', 'content', response))
$$;

CREATE TEMP VIEW pairs AS
SELECT id, file, line->>'category' AS category, line->>'chosen' AS chosen, line->>'rejected' AS rejected,
    CASE jsonb_typeof(line->'prompt')
        WHEN 'string' THEN jsonb_build_array(jsonb_build_object('role', 'user', 'content', line->'prompt'))
        ELSE line->'prompt'
    END AS messages
FROM lines;

SELECT set_config('tokens.model', :'model', false) \g /dev/null
COPY (
    SELECT id, file, category, pg_temp.tokens_of(m, messages, chosen), pg_temp.tokens_of(m, messages, rejected)
    FROM pairs, current_setting('tokens.model') AS m
    WHERE chosen <> '' AND rejected <> '' AND srm_problem(m, messages, chosen) IS NULL AND srm_problem(m, messages, rejected) IS NULL
    ORDER BY id
) TO STDOUT;
