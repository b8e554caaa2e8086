/* What 0.2.0 has and 0.1.0 had not: an updated database has the same objects as a fresh one. */

\echo Use "ALTER EXTENSION srm UPDATE TO '0.2.0'" to load this file. \quit


-- what can be scored

CREATE FUNCTION srm_problem(prompt text, response text) RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_problem(text, text) IS 'why a response cannot be scored, or NULL, by the model in srm.model';
CREATE FUNCTION srm_problem(messages jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_problem(jsonb) IS 'why a response cannot be scored, or NULL, by the model in srm.model';
CREATE FUNCTION srm_problem(model text, prompt text, response text) RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_problem(text, text, text) IS 'why a response cannot be scored, or NULL, by a model';
CREATE FUNCTION srm_problem(model text, messages jsonb) RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_problem(text, jsonb) IS 'why a response cannot be scored, or NULL, by a model';
CREATE FUNCTION srm_token_count(prompt text, response text) RETURNS integer
	AS 'MODULE_PATHNAME', 'srm_sql_token_count'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_token_count(text, text) IS 'tokens of a conversation as it is read by the model in srm.model';
CREATE FUNCTION srm_token_count(messages jsonb) RETURNS integer
	AS 'MODULE_PATHNAME', 'srm_sql_token_count_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_token_count(jsonb) IS 'tokens of a conversation as it is read by the model in srm.model';
CREATE FUNCTION srm_token_count(model text, prompt text, response text) RETURNS integer
	AS 'MODULE_PATHNAME', 'srm_sql_token_count_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_token_count(text, text, text) IS 'tokens of a conversation as it is read by a model';
CREATE FUNCTION srm_token_count(model text, messages jsonb) RETURNS integer
	AS 'MODULE_PATHNAME', 'srm_sql_token_count_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_token_count(text, jsonb) IS 'tokens of a conversation as it is read by a model';

-- scoring tables

CREATE TABLE srm.score_job (
	job bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
	role oid NOT NULL,
	source text NOT NULL,
	target text NOT NULL,
	model text NOT NULL,
	n_rows bigint NOT NULL,
	statements text[] NOT NULL,
	search_path text NOT NULL,
	started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	finished_at timestamptz
);

COMMENT ON TABLE srm.score_job IS 'tables that are scored, written by srm_score_table()';

CREATE TABLE srm.score_worker (
	job bigint NOT NULL REFERENCES srm.score_job ON DELETE CASCADE,
	pid integer NOT NULL,
	n_rows bigint NOT NULL DEFAULT 0,
	n_bad bigint NOT NULL DEFAULT 0,
	n_tokens bigint NOT NULL DEFAULT 0,
	started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	PRIMARY KEY (job, pid)
);

COMMENT ON TABLE srm.score_worker IS 'what each process has done for a table that is scored';

CREATE VIEW srm.progress AS
SELECT job, role::pg_catalog.regrole AS owner, source, target, model,
	CASE WHEN finished_at IS NOT NULL THEN 'finished' WHEN pids IS NOT NULL THEN 'running' ELSE 'stopped' END AS state,
	n_rows AS rows_total, rows_done, greatest(n_rows - rows_done, 0) AS rows_left, rows_bad,
	rows_done / seconds AS rows_per_second, tokens / seconds AS tokens_per_second,
	CASE WHEN finished_at IS NULL AND pids IS NOT NULL AND rows_done > 0
		THEN pg_catalog.make_interval(secs => greatest(n_rows - rows_done, 0) * seconds / rows_done) END AS time_left,
	CASE WHEN finished_at IS NULL THEN pids END AS pids, started_at, finished_at
FROM (SELECT j.*, COALESCE(w.rows_done, 0) AS rows_done, COALESCE(w.rows_bad, 0) AS rows_bad, COALESCE(w.tokens, 0) AS tokens, w.pids,
		greatest(extract(epoch FROM COALESCE(j.finished_at, w.updated_at, j.started_at) - j.started_at), 0.001)::double precision AS seconds
	FROM srm.score_job AS j
	LEFT JOIN (SELECT w.job, sum(w.n_rows)::bigint AS rows_done, sum(w.n_bad)::bigint AS rows_bad, sum(w.n_tokens)::bigint AS tokens,
			max(w.updated_at) AS updated_at, array_agg(a.pid ORDER BY a.pid) FILTER (WHERE a.pid IS NOT NULL) AS pids
		FROM srm.score_worker AS w
		LEFT JOIN pg_catalog.pg_stat_get_activity(NULL) AS a ON a.pid = w.pid AND (a.backend_start <= w.started_at) IS NOT FALSE
		GROUP BY w.job) AS w USING (job)) AS s;

COMMENT ON VIEW srm.progress IS 'progress of srm_score_table(): rows, pace, time left, and the processes at work';

GRANT SELECT ON srm.progress TO PUBLIC;

CREATE PROCEDURE srm_score_table(source regclass, target text, key text DEFAULT NULL,
	prompt text DEFAULT NULL, response text DEFAULT NULL, messages text DEFAULT NULL,
	chosen text DEFAULT NULL, rejected text DEFAULT NULL, model text DEFAULT NULL,
	filter text DEFAULT NULL, sentences text DEFAULT NULL,
	batch integer DEFAULT 100, workers integer DEFAULT 1)
	AS 'MODULE_PATHNAME', 'srm_sql_score_table'
	LANGUAGE C;

COMMENT ON PROCEDURE srm_score_table IS 'scores the rows of a table or view into another table, in committed batches';

-- models

CREATE FUNCTION srm_drop_model(name text)
	RETURNS void
	AS 'MODULE_PATHNAME', 'srm_sql_drop_model'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;

COMMENT ON FUNCTION srm_drop_model(text) IS 'removes a model from the directory in srm.output_path';

REVOKE EXECUTE ON FUNCTION srm_drop_model(text) FROM PUBLIC;

CREATE FUNCTION srm_rename_model(old_name text, new_name text)
	RETURNS void
	AS 'MODULE_PATHNAME', 'srm_sql_rename_model'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;

COMMENT ON FUNCTION srm_rename_model(text, text) IS 'gives a model in the directory in srm.output_path another name';

REVOKE EXECUTE ON FUNCTION srm_rename_model(text, text) FROM PUBLIC;

-- pictures

CREATE FUNCTION srm_heat_html(sentences text[], rewards real[]) RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_heat_html'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION srm_heat_html(text[], real[]) IS 'sentences coloured by their rewards, as HTML';
CREATE FUNCTION srm_heat_ansi(sentences text[], rewards real[]) RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_heat_ansi'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

COMMENT ON FUNCTION srm_heat_ansi(text[], real[]) IS 'sentences coloured by their rewards, for a terminal';
CREATE FUNCTION srm_heatmap(prompt text, response text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_html(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(prompt, response) AS s;
	END;

COMMENT ON FUNCTION srm_heatmap(text, text) IS 'HTML of a response, its sentences coloured by their rewards by the model in srm.model';
CREATE FUNCTION srm_heatmap(messages jsonb) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_html(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(messages) AS s;
	END;

COMMENT ON FUNCTION srm_heatmap(jsonb) IS 'HTML of a response, its sentences coloured by their rewards by the model in srm.model';
CREATE FUNCTION srm_heatmap(model text, prompt text, response text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_html(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(model, prompt, response) AS s;
	END;

COMMENT ON FUNCTION srm_heatmap(text, text, text) IS 'HTML of a response, its sentences coloured by their rewards by a model';
CREATE FUNCTION srm_heatmap(model text, messages jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_html(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(model, messages) AS s;
	END;

COMMENT ON FUNCTION srm_heatmap(text, jsonb) IS 'HTML of a response, its sentences coloured by their rewards by a model';
CREATE FUNCTION srm_heat(prompt text, response text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_ansi(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(prompt, response) AS s;
	END;

COMMENT ON FUNCTION srm_heat(text, text) IS 'a response for a terminal, its sentences coloured by their rewards by the model in srm.model';
CREATE FUNCTION srm_heat(messages jsonb) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_ansi(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(messages) AS s;
	END;

COMMENT ON FUNCTION srm_heat(jsonb) IS 'a response for a terminal, its sentences coloured by their rewards by the model in srm.model';
CREATE FUNCTION srm_heat(model text, prompt text, response text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_ansi(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(model, prompt, response) AS s;
	END;

COMMENT ON FUNCTION srm_heat(text, text, text) IS 'a response for a terminal, its sentences coloured by their rewards by a model';
CREATE FUNCTION srm_heat(model text, messages jsonb) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_ansi(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(model, messages) AS s;
	END;

COMMENT ON FUNCTION srm_heat(text, jsonb) IS 'a response for a terminal, its sentences coloured by their rewards by a model';

-- segmentation

CREATE FUNCTION srm_segment(text text, locale text, segmenter text)
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text)
	AS 'MODULE_PATHNAME', 'srm_sql_segment_segmenter'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10;

COMMENT ON FUNCTION srm_segment(text, text, text) IS 'sentences of a text, by an ICU locale and a segmenter';

COMMENT ON FUNCTION srm_segment(text) IS 'sentences of a text, by srm.segmenter and srm.locale';

-- a dump by the owner of a database, who need not be a superuser, reads it

GRANT SELECT ON SEQUENCE srm.training_run TO PUBLIC;

COMMENT ON FUNCTION srm_sentence_rewards(text) IS 'rewards of the sentences of a response without a prompt, by the model in srm.model';

-- conversations

CREATE FUNCTION srm_messages(conversation jsonb)
	RETURNS jsonb
	AS 'MODULE_PATHNAME', 'srm_sql_messages_of_jsonb'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;

COMMENT ON FUNCTION srm_messages(jsonb) IS 'messages of a conversation in one of the shapes in which sets have them';

-- costs that do not have a call compiled just in time by themselves

ALTER FUNCTION srm_evaluate(text, text, text) COST 10000000;
ALTER FUNCTION srm_calibrate(text, text, text) COST 10000000;

-- a page about pairs

CREATE FUNCTION srm_report(query text, model text DEFAULT NULL) RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_report'
	LANGUAGE C VOLATILE PARALLEL UNSAFE COST 10000000;

COMMENT ON FUNCTION srm_report(text, text) IS 'an HTML page about how a model judges the preference pairs of a query';

-- scores with sentences that the caller gives, by their last characters or by their texts

CREATE FUNCTION srm_score(prompt text, response text, ends integer[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(text, text, integer[]) IS 'score of a response by the model in srm.model, of its sentences whose ends are given';

CREATE FUNCTION srm_score(prompt text, response text, sentences text[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(text, text, text[]) IS 'score of a response by the model in srm.model, of its sentences that are given';

CREATE FUNCTION srm_score(messages jsonb, ends integer[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(jsonb, integer[]) IS 'score of the last message by the model in srm.model, of its sentences whose ends are given';

CREATE FUNCTION srm_score(messages jsonb, sentences text[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(jsonb, text[]) IS 'score of the last message by the model in srm.model, of its sentences that are given';

CREATE FUNCTION srm_score(model text, prompt text, response text, ends integer[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(text, text, text, integer[]) IS 'score of a response by a model, of its sentences whose ends are given';

CREATE FUNCTION srm_score(model text, prompt text, response text, sentences text[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(text, text, text, text[]) IS 'score of a response by a model, of its sentences that are given';

CREATE FUNCTION srm_score(model text, messages jsonb, ends integer[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(text, jsonb, integer[]) IS 'score of the last message by a model, of its sentences whose ends are given';

CREATE FUNCTION srm_score(model text, messages jsonb, sentences text[])
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(text, jsonb, text[]) IS 'score of the last message by a model, of its sentences that are given';

CREATE FUNCTION srm_score_details(prompt text, response text, ends integer[],
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(text, text, integer[]) IS 'score of a response and what it is made of by the model in srm.model, of its sentences whose ends are given';

CREATE FUNCTION srm_score_details(prompt text, response text, sentences text[],
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(text, text, text[]) IS 'score of a response and what it is made of by the model in srm.model, of its sentences that are given';

CREATE FUNCTION srm_score_details(messages jsonb, ends integer[],
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(jsonb, integer[]) IS 'score of the last message and what it is made of by the model in srm.model, of its sentences whose ends are given';

CREATE FUNCTION srm_score_details(messages jsonb, sentences text[],
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(jsonb, text[]) IS 'score of the last message and what it is made of by the model in srm.model, of its sentences that are given';

CREATE FUNCTION srm_score_details(model text, prompt text, response text, ends integer[],
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(text, text, text, integer[]) IS 'score of a response and what it is made of by a model, of its sentences whose ends are given';

CREATE FUNCTION srm_score_details(model text, prompt text, response text, sentences text[],
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(text, text, text, text[]) IS 'score of a response and what it is made of by a model, of its sentences that are given';

CREATE FUNCTION srm_score_details(model text, messages jsonb, ends integer[],
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(text, jsonb, integer[]) IS 'score of the last message and what it is made of by a model, of its sentences whose ends are given';

CREATE FUNCTION srm_score_details(model text, messages jsonb, sentences text[],
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(text, jsonb, text[]) IS 'score of the last message and what it is made of by a model, of its sentences that are given';

CREATE FUNCTION srm_sentence_rewards(prompt text, response text, ends integer[])
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(text, text, integer[]) IS 'rewards of a response''s sentences by the model in srm.model, whose ends are given';

CREATE FUNCTION srm_sentence_rewards(prompt text, response text, sentences text[])
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(text, text, text[]) IS 'rewards of a response''s sentences by the model in srm.model, that are given';

CREATE FUNCTION srm_sentence_rewards(messages jsonb, ends integer[])
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(jsonb, integer[]) IS 'rewards of the last message''s sentences by the model in srm.model, whose ends are given';

CREATE FUNCTION srm_sentence_rewards(messages jsonb, sentences text[])
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(jsonb, text[]) IS 'rewards of the last message''s sentences by the model in srm.model, that are given';

CREATE FUNCTION srm_sentence_rewards(model text, prompt text, response text, ends integer[])
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(text, text, text, integer[]) IS 'rewards of a response''s sentences by a model, whose ends are given';

CREATE FUNCTION srm_sentence_rewards(model text, prompt text, response text, sentences text[])
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(text, text, text, text[]) IS 'rewards of a response''s sentences by a model, that are given';

CREATE FUNCTION srm_sentence_rewards(model text, messages jsonb, ends integer[])
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(text, jsonb, integer[]) IS 'rewards of the last message''s sentences by a model, whose ends are given';

CREATE FUNCTION srm_sentence_rewards(model text, messages jsonb, sentences text[])
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer, sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(text, jsonb, text[]) IS 'rewards of the last message''s sentences by a model, that are given';

-- responses to a conversation: the messages come before, as a prompt does

CREATE FUNCTION srm_score(messages jsonb, response text)
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score_messages_response'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(jsonb, text) IS 'score of a response to a conversation by the model in srm.model';

CREATE FUNCTION srm_score(model text, messages jsonb, response text)
	RETURNS real
	AS 'MODULE_PATHNAME', 'srm_sql_score_model_messages_response'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score(text, jsonb, text) IS 'score of a response to a conversation by a model';

CREATE FUNCTION srm_score_details(messages jsonb, response text,
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details_messages_response'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(jsonb, text) IS 'score of a response to a conversation and what it is made of by the model in srm.model';

CREATE FUNCTION srm_score_details(model text, messages jsonb, response text,
	OUT score real, OUT prompt_reward real, OUT prompt_weight real,
	OUT n_sentences integer, OUT n_tokens integer, OUT truncated boolean)
	AS 'MODULE_PATHNAME', 'srm_sql_score_details_model_messages_response'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000;

COMMENT ON FUNCTION srm_score_details(text, jsonb, text) IS 'score of a response to a conversation and what it is made of by a model';

CREATE FUNCTION srm_sentence_rewards(messages jsonb, response text)
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer,
		sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards_messages_response'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(jsonb, text) IS 'rewards of the sentences of a response to a conversation by the model in srm.model';

CREATE FUNCTION srm_sentence_rewards(model text, messages jsonb, response text)
	RETURNS TABLE (sentence_no integer, start_pos integer, end_pos integer,
		sentence text, reward real, weight real)
	AS 'MODULE_PATHNAME', 'srm_sql_sentence_rewards_model_messages_response'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 10;

COMMENT ON FUNCTION srm_sentence_rewards(text, jsonb, text) IS 'rewards of the sentences of a response to a conversation by a model';

CREATE FUNCTION srm_token_rewards(messages jsonb, response text)
	RETURNS TABLE (token_no integer, token text, start_pos integer, end_pos integer, reward real)
	AS 'MODULE_PATHNAME', 'srm_sql_token_rewards_messages_response'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100000 ROWS 100;

COMMENT ON FUNCTION srm_token_rewards(jsonb, text) IS 'rewards of the tokens of a response to a conversation by the model in srm.model';

CREATE FUNCTION srm_token_rewards(model text, messages jsonb, response text)
	RETURNS TABLE (token_no integer, token text, start_pos integer, end_pos integer, reward real)
	AS 'MODULE_PATHNAME', 'srm_sql_token_rewards_model_messages_response'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 ROWS 100;

COMMENT ON FUNCTION srm_token_rewards(text, jsonb, text) IS 'rewards of the tokens of a response to a conversation by a model';

CREATE FUNCTION srm_problem(messages jsonb, response text)
	RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_messages_response'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_problem(jsonb, text) IS 'why a response to a conversation cannot be scored, or NULL, by the model in srm.model';

CREATE FUNCTION srm_problem(model text, messages jsonb, response text)
	RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_model_messages_response'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_problem(text, jsonb, text) IS 'why a response to a conversation cannot be scored, or NULL, by a model';

CREATE FUNCTION srm_problem(messages jsonb, chosen text, rejected text)
	RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_of_pair_messages'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000;

COMMENT ON FUNCTION srm_problem(jsonb, text, text) IS 'why one of two responses to a conversation cannot be scored, or NULL, by the model in srm.model';

CREATE FUNCTION srm_problem(model text, prompt text, chosen text, rejected text)
	RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_of_pair_model'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000;

COMMENT ON FUNCTION srm_problem(text, text, text, text) IS 'why one of two responses cannot be scored, or NULL, by a model';

CREATE FUNCTION srm_problem(model text, messages jsonb, chosen text, rejected text)
	RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_of_pair_model_messages'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000;

COMMENT ON FUNCTION srm_problem(text, jsonb, text, text) IS 'why one of two responses to a conversation cannot be scored, or NULL, by a model';

CREATE FUNCTION srm_problem(chosen jsonb, rejected jsonb)
	RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_of_pair_conversations'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 2000;

COMMENT ON FUNCTION srm_problem(jsonb, jsonb) IS 'why one of two conversations cannot be scored, or NULL, by the model in srm.model';

CREATE FUNCTION srm_problem(model text, chosen jsonb, rejected jsonb)
	RETURNS text
	AS 'MODULE_PATHNAME', 'srm_sql_problem_of_pair_model_conversations'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2000;

COMMENT ON FUNCTION srm_problem(text, jsonb, jsonb) IS 'why one of two conversations cannot be scored, or NULL, by a model';

CREATE FUNCTION srm_token_count(messages jsonb, response text)
	RETURNS integer
	AS 'MODULE_PATHNAME', 'srm_sql_token_count_messages_response'
	LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_token_count(jsonb, text) IS 'tokens of a conversation and a response as it is read by the model in srm.model';

CREATE FUNCTION srm_token_count(model text, messages jsonb, response text)
	RETURNS integer
	AS 'MODULE_PATHNAME', 'srm_sql_token_count_model_messages_response'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;

COMMENT ON FUNCTION srm_token_count(text, jsonb, text) IS 'tokens of a conversation and a response as it is read by a model';

CREATE FUNCTION srm_heatmap(messages jsonb, response text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_html(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(messages, response) AS s;
	END;

COMMENT ON FUNCTION srm_heatmap(jsonb, text) IS 'HTML of a response to a conversation, its sentences coloured by their rewards by the model in srm.model';

CREATE FUNCTION srm_heatmap(model text, messages jsonb, response text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_html(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(model, messages, response) AS s;
	END;

COMMENT ON FUNCTION srm_heatmap(text, jsonb, text) IS 'HTML of a response to a conversation, its sentences coloured by their rewards by a model';

CREATE FUNCTION srm_heat(messages jsonb, response text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_ansi(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(messages, response) AS s;
	END;

COMMENT ON FUNCTION srm_heat(jsonb, text) IS 'a response to a conversation for a terminal, its sentences coloured by their rewards by the model in srm.model';

CREATE FUNCTION srm_heat(model text, messages jsonb, response text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 100000
	BEGIN ATOMIC
		SELECT srm_heat_ansi(array_agg(s.sentence ORDER BY s.sentence_no), array_agg(s.reward ORDER BY s.sentence_no))
		FROM srm_sentence_rewards(model, messages, response) AS s;
	END;

COMMENT ON FUNCTION srm_heat(text, jsonb, text) IS 'a response to a conversation for a terminal, its sentences coloured by their rewards by a model';

-- every byte of a model

CREATE FUNCTION srm_verify(model text)
	RETURNS TABLE (file text, bytes bigint, digest text)
	AS 'MODULE_PATHNAME', 'srm_sql_verify'
	LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 1000000 ROWS 10;

COMMENT ON FUNCTION srm_verify(text) IS 'reads every byte of a model and of what was prepared of it, and compares digests';

-- what the planner is told of functions that run a model

CREATE FUNCTION srm_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'srm_sql_support'
	LANGUAGE C STRICT;

COMMENT ON FUNCTION srm_support(internal) IS 'cost by the size of the model, for the planner';

DO $$
DECLARE
	function regprocedure;
BEGIN
	FOR function IN
		SELECT p.oid
		FROM pg_catalog.pg_proc AS p, pg_catalog.pg_depend AS d, pg_catalog.pg_extension AS e
		WHERE e.extname = 'srm' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
			AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
			AND p.procost = 100000 AND p.prolang = (SELECT l.oid FROM pg_catalog.pg_language AS l WHERE l.lanname = 'c')
	LOOP
		EXECUTE pg_catalog.format('ALTER FUNCTION %s SUPPORT @extschema@.srm_support', function);
	END LOOP;
END
$$;

-- srm_quantize has two arguments more

DROP FUNCTION srm_quantize(text, text, boolean);

CREATE FUNCTION srm_quantize(model text, name text, replace boolean DEFAULT false, embedding boolean DEFAULT false,
	kind text DEFAULT 'int8')
	RETURNS void
	AS 'MODULE_PATHNAME', 'srm_sql_quantize'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;

COMMENT ON FUNCTION srm_quantize(text, text, boolean, boolean, text) IS 'writes a copy of a model with weights of 8 bits';

REVOKE EXECUTE ON FUNCTION srm_quantize(text, text, boolean, boolean, text) FROM PUBLIC;

-- quantizing, with a comparison

CREATE FUNCTION srm_quantize(model text, name text, query text, replace boolean DEFAULT false, kind text DEFAULT 'int8',
	calibration_pairs integer DEFAULT 0, OUT pairs bigint, OUT rank_correlation double precision, OUT flips bigint, OUT largest_difference double precision)
	AS 'MODULE_PATHNAME', 'srm_sql_quantize_measured'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000000;

COMMENT ON FUNCTION srm_quantize(text, text, text, boolean, text, integer) IS 'the same, and how far its scores agree with the model''s on the preference pairs of a query';

REVOKE EXECUTE ON FUNCTION srm_quantize(text, text, text, boolean, text, integer) FROM PUBLIC;

-- srm_train has an argument more

DROP PROCEDURE srm_train;

CREATE PROCEDURE srm_train(name text, query text, base text DEFAULT 'default',
	train text DEFAULT 'full', fresh boolean DEFAULT false,
	aggregation text DEFAULT NULL, boundary text DEFAULT NULL, marker_token text DEFAULT NULL,
	attention_dim integer DEFAULT NULL, locale text DEFAULT NULL,
	lora_rank integer DEFAULT NULL, lora_alpha double precision DEFAULT NULL,
	lora_targets text DEFAULT NULL, lora_adapter boolean DEFAULT false,
	epochs double precision DEFAULT NULL, batch integer DEFAULT NULL,
	learning_rate double precision DEFAULT NULL, warmup double precision DEFAULT NULL,
	final_rate double precision DEFAULT NULL, weight_decay double precision DEFAULT NULL,
	clip double precision DEFAULT NULL, margin double precision DEFAULT NULL,
	penalty double precision DEFAULT NULL, value_scale double precision DEFAULT NULL,
	held_out double precision DEFAULT NULL, evaluate_every integer DEFAULT NULL,
	patience integer DEFAULT NULL, seed bigint DEFAULT NULL,
	max_tokens integer DEFAULT NULL, too_long text DEFAULT NULL,
	log_every integer DEFAULT 10, checkpoint_every interval DEFAULT '5 minutes',
	write_f32 boolean DEFAULT false, replace boolean DEFAULT false, resume boolean DEFAULT false,
	segmenter text DEFAULT NULL)
	AS 'MODULE_PATHNAME', 'srm_sql_train'
	LANGUAGE C;

COMMENT ON PROCEDURE srm_train IS 'trains a reward model on the preference pairs of a query';

REVOKE EXECUTE ON PROCEDURE srm_train FROM PUBLIC;
