LOAD 'srm';
SELECT set_config('srm.model_path', current_setting('srm.model_path') || ':$output', false) ~ 'output' AS set;
SELECT 'trained_' || pg_backend_pid() AS model, 'trained_too_' || pg_backend_pid() AS other, 'trained_head_' || pg_backend_pid() AS head,
	'trained_lora_' || pg_backend_pid() AS lora, 'trained_fresh_' || pg_backend_pid() AS fresh, 'trained_chat_' || pg_backend_pid() AS chat \gset
SET client_min_messages = error;
\set VERBOSITY terse

CREATE TABLE lessons AS
SELECT i AS id, format('What is %s?', i) AS prompt, format('It is the number %s. It comes after %s.', i, i - 1) AS chosen,
	repeat('lol ', 1 + i % 7) || i AS rejected, 1.0 AS weight, 0.0 AS margin
FROM generate_series(1, 48) AS i;

-- all of a model

CALL srm_train(:'model', 'SELECT * FROM lessons ORDER BY id', base => 'attention-marker', epochs => 8, learning_rate => 0.003,
	batch => 8, held_out => 0.25, evaluate_every => 9);
SELECT name = :'model' AS name, aggregation, boundary FROM srm_models() WHERE name = :'model';
SELECT b.log_loss < a.log_loss AS learned, b.accuracy > 0.9 AS accuracy
FROM srm_evaluate('SELECT * FROM lessons', 'attention-marker') AS a, srm_evaluate('SELECT * FROM lessons', :'model') AS b;

-- what it said of itself

SELECT count(DISTINCT run) AS runs, min(step) <= 10 AS first, max(step) AS steps, count(held_out_accuracy) > 2 AS evaluated,
	bool_and(loss > 0 AND accuracy BETWEEN 0 AND 1) AS loss, bool_and(learning_rate > 0 AND learning_rate <= 0.003) AS rate,
	bool_and(logged_at <= clock_timestamp()) AS logged_at, round(max(epoch)) AS epochs
FROM srm.training_log WHERE model = :'model';

-- the same arguments make the same model, with any number of threads; another seed another one

SET srm.threads = 2;
CALL srm_train(:'other', 'SELECT * FROM lessons ORDER BY id', base => 'attention-marker', epochs => 8, learning_rate => 0.003,
	batch => 8, held_out => 0.25, evaluate_every => 9);
RESET srm.threads;
SELECT srm_model_info(:'other')->'digest' = srm_model_info(:'model')->'digest' AS same;
CALL srm_train(:'other', 'SELECT * FROM lessons ORDER BY id', base => 'attention-marker', epochs => 8, learning_rate => 0.003,
	batch => 8, held_out => 0.25, evaluate_every => 9, seed => 2, replace => true);
SELECT srm_model_info(:'other')->'digest' = srm_model_info(:'model')->'digest' AS same;

-- weights of 1 and margins of 0 are those of pairs that have none

CALL srm_train(:'other', 'SELECT id, prompt, chosen, rejected FROM lessons ORDER BY id', base => 'attention-marker', epochs => 8,
	learning_rate => 0.003, batch => 8, held_out => 0.25, evaluate_every => 9, replace => true);
SELECT srm_model_info(:'other')->'digest' = srm_model_info(:'model')->'digest' AS same;

-- the head alone, adapters, all anew

CALL srm_train(:'head', 'SELECT * FROM lessons ORDER BY id', base => 'llama', train => 'head', epochs => 4, learning_rate => 0.01, batch => 8);
CALL srm_train(:'lora', 'SELECT * FROM lessons ORDER BY id', base => 'llama', train => 'lora', lora_rank => 4, epochs => 4, learning_rate => 0.01, batch => 8);
CALL srm_train(:'fresh', 'SELECT * FROM lessons ORDER BY id', base => 'qwen3', fresh => true, aggregation => 'attention', attention_dim => 8,
	epochs => 4, learning_rate => 0.003, batch => 8);
SELECT name = :'fresh' AS fresh, architecture, aggregation, boundary FROM srm_models()
WHERE name IN (:'head', :'lora', :'fresh') ORDER BY 2, 1;
SELECT b.log_loss < a.log_loss AS learned
FROM srm_evaluate('SELECT * FROM lessons', 'llama') AS a, srm_evaluate('SELECT * FROM lessons', :'lora') AS b;
SELECT b.log_loss < a.log_loss AS learned
FROM srm_evaluate('SELECT * FROM lessons', 'llama') AS a, srm_evaluate('SELECT * FROM lessons', :'head') AS b;
SELECT srm_model_info(:'fresh')->'attention_dim' AS attention_dim;

-- adapters alone are models over their base

CALL srm_train('adapter_' || :'lora', 'SELECT * FROM lessons ORDER BY id', base => 'llama', train => 'lora', lora_rank => 2, lora_targets => 'q_proj, down_proj',
	lora_adapter => true, batch => 8);
SELECT architecture, aggregation FROM srm_models() WHERE name = 'adapter_' || :'lora';
SELECT srm_model_info('adapter_' || :'lora')->>'base' AS base, srm_score('adapter_' || :'lora', 'Hi.', 'It is.') <> srm_score('llama', 'Hi.', 'It is.') AS other;
SELECT config->>'peft_type' AS peft_type, config->'r' AS r, config->'target_modules' AS target_modules, config->'srm'->>'aggregation' AS aggregation
FROM (SELECT pg_read_file('srm/models/adapter_' || :'lora' || '/adapter_config.json')::jsonb AS config) AS c;
CALL srm_train('adapter_' || :'lora', 'SELECT * FROM lessons ORDER BY id', base => 'llama', train => 'lora', lora_rank => 2, lora_adapter => true,
	batch => 8, replace => true);
SELECT srm_drop_model('adapter_' || :'lora');
SELECT count(*) FROM pg_ls_dir('srm/models') AS d WHERE d = 'adapter_' || :'lora';
CALL srm_train('x', 'SELECT * FROM lessons', base => 'llama', lora_adapter => true);

-- pairs as conversations

CREATE VIEW chats AS
SELECT id, jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt), jsonb_build_object('role', 'assistant', 'content', chosen)) AS chosen,
	jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt), jsonb_build_object('role', 'assistant', 'content', rejected)) AS rejected
FROM lessons;
CALL srm_train(:'chat', 'SELECT * FROM chats ORDER BY id', base => 'attention-marker', epochs => 8, learning_rate => 0.003,
	batch => 8, held_out => 0.25, evaluate_every => 9);
SELECT srm_model_info(:'chat')->'digest' = srm_model_info(:'model')->'digest' AS same;
CALL srm_train('x', 'SELECT a.chosen, b.rejected FROM chats AS a, chats AS b WHERE a.id = 1 AND b.id = 2', base => 'attention-marker');

-- what is refused

CALL srm_train(NULL, 'SELECT * FROM lessons');
CALL srm_train('x', NULL);
CALL srm_train('x', 'SELECT * FROM lessons', base => NULL);
\set VERBOSITY sqlstate
CALL srm_train(:'model', 'SELECT * FROM lessons', base => 'attention-marker');
\set VERBOSITY terse
CALL srm_train('x/y', 'SELECT * FROM lessons');
CALL srm_train('x', 'SELECT * FROM lessons', base => 'nowhere');
CALL srm_train('x', 'SELECT * FROM lessons', train => 'most');
CALL srm_train('x', 'SELECT * FROM lessons', aggregation => 'median');
CALL srm_train('x', 'SELECT * FROM lessons', boundary => 'word');
CALL srm_train('x', 'SELECT * FROM lessons', too_long => 'cut');
CALL srm_train('x', 'SELECT * FROM lessons', batch => 0);
CALL srm_train('x', 'SELECT * FROM lessons', checkpoint_every => '0 seconds');
CALL srm_train('x', 'SELECT * FROM lessons WHERE false', base => 'attention-marker');
CALL srm_train('x', '', base => 'attention-marker');
CALL srm_train('x', 'UPDATE lessons SET id = id RETURNING *', base => 'attention-marker');
CALL srm_train('x', 'SELECT prompt, '''' AS chosen, rejected FROM lessons', base => 'attention-marker');
\set VERBOSITY default
CALL srm_train('x', 'SELECT prompt, chosen, repeat(rejected, 50) AS rejected FROM lessons ORDER BY id', base => 'attention-marker', too_long => 'error', max_tokens => 100);
CALL srm_train('x', 'SELECT prompt, chosen, repeat(rejected, 10) AS rejected FROM lessons ORDER BY id', base => 'llama-dynamic', too_long => 'error', max_tokens => 150);
\set VERBOSITY terse
CALL srm_train('x', 'SELECT prompt, chosen FROM lessons', base => 'attention-marker');
BEGIN;
CALL srm_train('x', 'SELECT * FROM lessons', base => 'attention-marker');
ROLLBACK;
SELECT count(*) FROM srm_models() WHERE name = 'x';

DROP VIEW chats;
DROP TABLE lessons;
