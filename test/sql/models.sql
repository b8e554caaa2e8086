-- the model that tests score with

SELECT name, length(digest) AS digits, architecture, dtype, aggregation, boundary, parameters > 100000 AS has_parameters
FROM srm_models() WHERE name = 'tiny';
SELECT srm_model_info('tiny') ->> 'name' AS name, (srm_model_info('tiny') ->> 'layers')::int > 0 AS has_layers,
	srm_model_info('tiny') ->> 'digest' = digest AS same_digest
FROM srm_models() WHERE name = 'tiny';

-- what this session holds of it

SELECT mapped_bytes > 100000 AS mapped, private_bytes > 0 AS private, load_ms > 0 AS loaded
FROM srm_models() WHERE name = 'tiny';

-- a model named with its digest

SELECT srm_score('tiny@' || left(digest, 16), 'Hi.', 'Hello.') = srm_score('Hi.', 'Hello.') AS same
FROM srm_models() WHERE name = 'tiny';
\set VERBOSITY terse
SELECT srm_score('tiny@00000000', 'Hi.', 'Hello.');
SELECT srm_score('tiny@0', 'Hi.', 'Hello.');
\set VERBOSITY default

-- names that are none

SELECT srm_model_info('nowhere');
SELECT srm_model_info('a/b');

-- every function has a comment; those that only compute are parallel safe and strict

SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'srm'
WHERE obj_description(p.oid, 'pg_proc') IS NULL
	OR prokind = 'f' AND provolatile <> 'v' AND (proparallel <> 's' OR NOT proisstrict);

-- those with a model are immutable, those that follow settings are stable

SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'srm'
WHERE prokind = 'f' AND provolatile <> 'v' AND proname !~ '_(segment|messages|heat_html|heat_ansi|accum|final)$'
	AND (proargnames[1] = 'model') <> (provolatile = 'i');

-- those that do more are volatile, and those that write are not for everyone

SELECT p.proname, bool_or(a.grantee = 0) AS everyone
FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'srm',
	aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
WHERE p.provolatile = 'v' GROUP BY p.oid, p.proname ORDER BY p.proname;

-- what else than the files a result depends on: ICU's release and the arithmetic

SELECT i->>'icu' ~ '^[0-9]+(\.[0-9]+)*$' AS icu, i->>'compute' IN ('f32', 'bf16', 'int8', 'mixed') AS compute FROM srm_model_info('tiny') i;

-- each architecture scores a response as it scores it among others; its rewards and the prompt's make up the score

SELECT m AS model, s[1] = srm_score(m, 'Is it?', 'Yes. It is.') AS same, s[1] <> s[2] AS differ,
	abs((SELECT sum(reward) FROM srm_sentence_rewards(m, 'Is it?', 'Yes. It is.'))
		+ (SELECT prompt_reward FROM srm_score_details(m, 'Is it?', 'Yes. It is.')) - s[1]) < 1e-5 AS adds_up
FROM unnest(array['cohere', 'cohere-norms', 'gptneox', 'gptneox-old', 'phi3-part', 'mixtral', 'qwen2-moe', 'qwen3-moe']) m,
	LATERAL srm_scores(m, 'Is it?', array['Yes. It is.', 'No.']) s;

-- a model whose tokens see those behind them scores nothing, in any form

SELECT srm_score('xlm-roberta', 'Is it?', 'Yes.');
SELECT * FROM srm_sentence_rewards('xlm-roberta', 'Is it?', 'Yes.');
SELECT srm_scores('xlm-roberta', 'Is it?', array['Yes.', 'No.']);
SELECT srm_problem('xlm-roberta', 'Is it?', 'Yes.');

-- a cross-encoder reads prompt and response side by side: the response is one sentence, whose reward is the score

SELECT m AS model, round(srm_score(m, 'What is a swallow?', 'A small bird that flies fast.')::numeric, 3) AS score
FROM unnest(array['cross-bert', 'cross-bert-labels', 'cross-roberta', 'cross-xlm-roberta', 'cross-modernbert', 'cross-modernbert-old',
	'cross-deberta', 'cross-deberta-types']) m;
SELECT sentence_no, start_pos, end_pos, sentence, reward = srm_score('cross-bert', 'Is it?', 'Yes. It is.') AS is_score, weight
FROM srm_sentence_rewards('cross-bert', 'Is it?', 'Yes. It is.');
SELECT score = srm_score('cross-bert', 'Is it?', 'Yes.') AS same, prompt_reward, n_sentences FROM srm_score_details('cross-bert', 'Is it?', 'Yes.');
SELECT s[1] = srm_score('cross-bert', 'Is it?', 'Yes.') AS first, s[2] = srm_score('cross-bert', 'Is it?', 'No.') AS second
FROM srm_scores('cross-bert', 'Is it?', array['Yes.', 'No.']) s;
SELECT srm_render('cross-roberta', '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]');
SELECT srm_problem('cross-bert', 'Is it?', 'Yes.') IS NULL AS fine;
SELECT srm_problem('cross-bert', 'Is it?', repeat('Yes. ', 100));
SELECT srm_score('cross-bert', '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}, {"role": "user", "content": "And now?"},
	{"role": "assistant", "content": "No."}]'::jsonb);
SELECT * FROM srm_token_rewards('cross-bert', 'Is it?', 'Yes.');
SELECT sentence FROM srm_sentence_rewards('cross-bert', 'Is it?', 'Yes. It is.', ends => array[5, 11]);
