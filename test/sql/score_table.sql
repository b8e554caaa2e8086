-- scoring a table into another

\set VERBOSITY terse
CREATE TABLE answers (id integer PRIMARY KEY, prompt text, response text, extra text);
INSERT INTO answers
SELECT i, format('What is %s?', i % 5), format('It is %s. I am sure.', i) FROM generate_series(1, 40) AS i;
UPDATE answers SET response = '' WHERE id = 7;
UPDATE answers SET response = NULL WHERE id = 8;
UPDATE answers SET response = repeat('on and on ', 2000) WHERE id = 9;

-- every row has a score, or a problem

CALL srm_score_table('answers', 'scores', prompt => 'prompt', response => 'response', model => 'llama', batch => 7);
SELECT count(*), count(score), count(problem), count(*) FILTER (WHERE (score IS NULL) <> (problem IS NOT NULL)) AS wrong FROM scores;
SELECT id, substr(problem, 1, 60) AS problem FROM scores WHERE problem IS NOT NULL ORDER BY id;

-- the scores are those of srm_score

SELECT count(*) FROM scores JOIN answers USING (id) WHERE problem IS NULL AND score IS DISTINCT FROM srm_score('llama', prompt, response);
SELECT count(*) FROM scores JOIN answers USING (id), srm_score_details('llama', prompt, response) AS d
WHERE problem IS NULL AND (d.n_tokens, d.truncated) IS DISTINCT FROM (scores.n_tokens, scores.truncated);
SELECT DISTINCT model = 'llama@' || left(digest, 16) AS pinned FROM scores;

-- a second call has nothing to do

CALL srm_score_table('answers', 'scores', prompt => 'prompt', response => 'response', model => 'llama');

-- changed and new rows are scored, and only they

UPDATE answers SET response = 'Now it is short.' WHERE id = 9;
UPDATE answers SET extra = 'no part of the score' WHERE id = 10;
INSERT INTO answers VALUES (41, 'New?', 'Yes.');
CALL srm_score_table('answers', 'scores', prompt => 'prompt', response => 'response', model => 'llama');
SELECT id, problem FROM scores WHERE id IN (9, 10, 41) ORDER BY id;

-- another model scores all again

CALL srm_score_table('answers', 'scores', prompt => 'prompt', response => 'response', model => 'attention-marker');
SELECT count(*) FROM scores JOIN answers USING (id)
WHERE problem IS NULL AND score IS DISTINCT FROM srm_score('attention-marker', prompt, response);

-- rows that wait for a call with another filter are left to it

UPDATE scores SET scored_at = NULL WHERE id <= 20;
CALL srm_score_table('answers', 'scores', prompt => 'prompt', response => 'response', model => 'attention-marker', filter => 'id % 2 = 0 -- even');
SELECT count(*) FILTER (WHERE scored_at IS NULL) AS waiting, count(*) FILTER (WHERE scored_at IS NULL AND id % 2 = 0) AS even, count(problem) FROM scores;

-- sentences go to a table of their own, and follow their row

CALL srm_score_table('answers', 'scores2', prompt => 'prompt', response => 'response', model => 'llama', sentences => 'sentences', filter => 'id > 30 -- newer');
SELECT count(*), count(DISTINCT id) FROM sentences;
SELECT count(*) FROM sentences AS s JOIN answers USING (id), srm_sentence_rewards('llama', prompt, answers.response) AS r
WHERE r.sentence_no = s.sentence_no AND (r.reward, r.sentence, r.start_pos, r.end_pos) IS DISTINCT FROM (s.reward, s.sentence, s.start_pos, s.end_pos);
UPDATE answers SET response = 'One. Two. Three. Four.' WHERE id = 31;
CALL srm_score_table('answers', 'scores2', prompt => 'prompt', response => 'response', model => 'llama', sentences => 'sentences', filter => 'id > 30 -- newer');
SELECT sentence_no, sentence FROM sentences WHERE id = 31 ORDER BY sentence_no;

-- pairs, of a view, with a key of two columns

CREATE VIEW two AS SELECT id, id % 2 AS part, prompt, response AS chosen, 'No.' AS rejected FROM answers WHERE id BETWEEN 5 AND 12;
CALL srm_score_table('two', 'margins', key => 'id, part', prompt => 'prompt', chosen => 'chosen', rejected => 'rejected', model => 'llama');
SELECT id, part, margin IS NOT NULL AS scored, problem FROM margins ORDER BY id;
SELECT count(*) FROM margins JOIN two USING (id, part)
WHERE problem IS NULL AND (margin IS DISTINCT FROM srm_margin('llama', prompt, chosen, rejected) OR chosen_score IS DISTINCT FROM srm_score('llama', prompt, chosen));

-- messages, by an expression; an error of the expression is the row's problem

CREATE TABLE transcripts (id integer PRIMARY KEY, chosen text, rejected text);
INSERT INTO transcripts VALUES
	(1, E'\n\nHuman: Hi\n\nAssistant: Yo.', E'\n\nHuman: Hi\n\nAssistant: Go.'),
	(2, 'nobody speaks', E'\n\nHuman: Hi\n\nAssistant: Go.'),
	(3, E'\n\nHuman: Hi\n\nAssistant: Yo there.', E'\n\nHuman: Hi\n\nAssistant: Go.');
CALL srm_score_table('transcripts', 'transcript_margins', chosen => 'srm_messages(chosen)', rejected => 'srm_messages(rejected)', model => 'llama');
SELECT id, margin IS NOT NULL AS scored, problem IS NOT NULL AS bad FROM transcript_margins ORDER BY id;
CALL srm_score_table('transcripts', 'transcript_scores', messages => 'srm_messages(chosen)', model => 'llama');
SELECT count(score), count(problem) FROM transcript_scores;

-- messages of type json, and messages before a response of type text

CREATE TABLE chats (id integer PRIMARY KEY, chat json, before jsonb, reply text);
INSERT INTO chats SELECT id, srm_messages(chosen)::json, srm_messages(chosen) - 1, srm_messages(chosen) -> 1 ->> 'content' FROM transcripts WHERE id <> 2;
CALL srm_score_table('chats', 'chat_scores', messages => 'chat', model => 'llama');
CALL srm_score_table('chats', 'reply_scores', prompt => 'before', response => 'reply', model => 'llama');
SELECT count(*) AS n, count(*) FILTER (WHERE c.score = r.score AND c.score = srm_score('llama', chat::jsonb)) AS same
FROM chat_scores AS c JOIN reply_scores AS r USING (id) JOIN chats USING (id);

-- columns may have any names, those of the statement's own too

CREATE TABLE named (at integer PRIMARY KEY, found text, k text, b text, f text, score1 integer);
INSERT INTO named SELECT i, format('What is %s?', i), format('It is %s. Sure.', i), 'b', 'f', 1 FROM generate_series(1, 3) AS i;
CALL srm_score_table('named', 'named_scores', prompt => 'found', response => 'k || b || f', model => 'llama', sentences => 'named_sentences', filter => 'score1 = 1');
SELECT count(*), count(*) FILTER (WHERE score = srm_score('llama', found, k || b || f)) AS same FROM named JOIN named_scores USING (at);
SELECT count(DISTINCT at) FROM named_sentences;

-- what is to be scored is computed once for each row, though batches are small beside the source

CREATE SEQUENCE calls;
CREATE FUNCTION counted(t text) RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM nextval('calls'); RETURN t; END $$;
CALL srm_score_table('answers', 'counted_scores', prompt => 'counted(prompt)', response => 'response', model => 'llama', batch => 5);
SELECT last_value AS calls, (SELECT count(*) FROM answers) AS rows FROM calls;

-- batches are not compiled just in time, whatever the model costs; the session's setting stays

CALL srm_score_table('named', 'jit_scores', prompt => 'current_setting(''jit'')', response => 'k', model => 'llama');
SELECT count(*) FROM jit_scores JOIN named USING (at) WHERE score = srm_score('llama', 'off', k);
SELECT current_setting('jit') = reset_val AS same FROM pg_settings WHERE name = 'jit';

-- rows that went away while they waited

INSERT INTO transcript_scores (id) VALUES (99);
CALL srm_score_table('transcripts', 'transcript_scores', messages => 'srm_messages(chosen)', model => 'llama');
SELECT problem FROM transcript_scores WHERE id = 99;

-- progress, for all to see

SELECT source, target, state, rows_total, rows_done, rows_left, rows_bad, rows_per_second > 0 AS moved, pids
FROM srm.progress WHERE target = 'public.transcript_margins';

-- a run without a process is stopped, also where a later process has the number of its own

UPDATE srm.score_job SET finished_at = NULL WHERE target = 'public.transcript_margins';
SELECT state, time_left IS NULL AS no_time, pids = ARRAY[pg_backend_pid()] AS here FROM srm.progress WHERE target = 'public.transcript_margins';
UPDATE srm.score_worker SET started_at = '2000-01-01' WHERE job = (SELECT job FROM srm.score_job WHERE target = 'public.transcript_margins');
SELECT state, time_left, pids FROM srm.progress WHERE target = 'public.transcript_margins';
CALL srm_score_table('transcripts', 'transcript_margins', chosen => 'srm_messages(chosen)', rejected => 'srm_messages(rejected)', model => 'llama');
SELECT state, rows_total FROM srm.progress WHERE target = 'public.transcript_margins' ORDER BY job;

-- what cannot be

CALL srm_score_table('answers', 'other');
CALL srm_score_table('answers', 'other', response => 'response');
CALL srm_score_table('answers', 'other', prompt => 'prompt', chosen => 'response');
CALL srm_score_table('two', 'other', prompt => 'prompt', response => 'chosen');
CALL srm_score_table('two', 'other', key => 'part', prompt => 'prompt', response => 'chosen');
CALL srm_score_table('answers', 'other', prompt => 'prompt', response => 'response', model => 'nobody');
CALL srm_score_table('answers', 'other', prompt => 'prompt', response => 'nothing', model => 'llama');
\set VERBOSITY default
CALL srm_score_table('answers', 'other', prompt => 'id', response => 'response', model => 'llama');
CALL srm_score_table('answers', 'other', prompt => 'prompt', response => 'to_json(response)', model => 'llama');
CALL srm_score_table('answers', 'other', messages => 'response', model => 'llama');
CALL srm_score_table('answers', 'other', chosen => 'response', rejected => 'prompt', model => 'llama');
CALL srm_score_table('answers', 'other', prompt => '1) FROM answers; SELECT (1', response => 'response', model => 'llama');
CREATE TEMP TABLE passing AS SELECT * FROM answers;
CALL srm_score_table('passing', 'other', key => 'id', prompt => 'prompt', response => 'response', model => 'llama', workers => 2);
DROP TABLE passing;
\set VERBOSITY terse
CALL srm_score_table('answers', 'other', prompt => 'prompt', response => 'response', workers => 0);
CALL srm_score_table('answers', 'other', prompt => 'prompt', response => 'response', batch => 0);
CALL srm_score_table(NULL, 'other', prompt => 'prompt', response => 'response');
CALL srm_score_table('answers', 'transcripts', prompt => 'prompt', response => 'response', model => 'llama');
BEGIN;
CALL srm_score_table('answers', 'other', prompt => 'prompt', response => 'response', model => 'llama');
ROLLBACK;
SELECT to_regclass('other');

DROP VIEW two;
DROP FUNCTION counted;
DROP SEQUENCE calls;
DROP TABLE answers, scores, scores2, sentences, margins, transcripts, transcript_margins, transcript_scores, chats, chat_scores, reply_scores,
	named, named_scores, jit_scores, named_sentences, counted_scores;
