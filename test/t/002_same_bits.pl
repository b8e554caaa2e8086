# The same text gets the same bits: alone or among others, in any order, in a
# parallel worker, with one thread or several, with or without a kept prompt.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', q{
max_worker_processes = 8
max_parallel_workers = 4
max_parallel_workers_per_gather = 2
min_parallel_table_scan_size = 0
parallel_setup_cost = 0
parallel_tuple_cost = 0
});
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE texts (id int PRIMARY KEY, prompt text, response text);
	SELECT setseed(0.25);
	INSERT INTO texts
	SELECT i, 'Question ' || i % 7 || repeat(' and so on', (i % 3) * 8) || '?',
		string_agg((ARRAY['It is so. ', 'No! ', 'Why, then, is it ' || i || '? ', '* an item' || chr(10),
			'数が多い。', 'The end. 🙂 ', 'x = y + 1; ', 'He said "yes." '])[1 + floor(random() * 8)], '')
	FROM generate_series(1, 400) i, generate_series(1, 1 + i % 9) j
	GROUP BY i;
	ANALYZE texts;
	CREATE TABLE reference AS
	SELECT id, float4send(srm_score(prompt, response)) AS bits FROM texts ORDER BY id;
});

# differences to the reference
sub differences
{
	my ($settings, $query) = @_;
	return $node->safe_psql('postgres',
		"$settings SELECT count(*) FROM ($query) t JOIN reference r USING (id)
		 WHERE t.bits IS DISTINCT FROM r.bits");
}

my $plain = 'SELECT id, float4send(srm_score(prompt, response)) AS bits FROM texts';

like($node->safe_psql('postgres', "EXPLAIN (COSTS OFF) $plain"),
	qr/Gather.*Parallel Seq Scan/s, 'a scan with scores goes to parallel workers');
is(differences('', $plain), '0', 'in parallel workers');
is(differences('SET max_parallel_workers_per_gather = 0;', "$plain ORDER BY prompt, id"),
	'0', 'with consecutive prompts');
is(differences('SET max_parallel_workers_per_gather = 0;', "SELECT * FROM ($plain ORDER BY md5(id::text)) s"),
	'0', 'in another order');
is(differences('SET srm.prompt_cache = 0;', $plain), '0', 'without a kept prompt');
is(differences('SET max_parallel_workers_per_gather = 0; SET srm.threads = 3;', $plain),
	'0', 'with several threads');
is(differences('', q{
		SELECT id, float4send(score) AS bits
		FROM (SELECT array_agg(id) AS ids, srm_scores(prompt, array_agg(response)) AS scores
			FROM texts GROUP BY prompt) g, unnest(ids, scores) AS u(id, score)}),
	'0', 'in one srm_scores() call with others');
my $together = q{
	SELECT id, float4send(score) AS bits
	FROM (SELECT array_agg(id) AS ids, srm_scores(prompt, array_agg(response)) AS scores
		FROM texts GROUP BY prompt) g, unnest(ids, scores) AS u(id, score)};
is(differences('SET srm.threads = 2;', $together), '0', 'so do two threads');
is(differences('SET srm.prompt_cache = 0;', $together), '0', 'so does one that keeps nothing');
is(differences('', q{
		SELECT id, CASE WHEN first THEN float4send(a) ELSE float4send(b) END AS bits
		FROM (SELECT id, id % 2 = 0 AS first, srm_score(prompt, response) AS a, srm_score(prompt, response) AS b
			FROM texts WHERE srm_score(prompt, response) IS NOT NULL) s}),
	'0', 'asked for several times in one statement');
is(differences('', q{
		SELECT id, float4send(srm_score(jsonb_build_array(
			jsonb_build_object('role', 'user', 'content', prompt),
			jsonb_build_object('role', 'assistant', 'content', response)))) AS bits FROM texts}),
	'0', 'as messages');
is(differences('', q{SELECT id, float4send(srm_score('tiny', prompt, response)) AS bits FROM texts}),
	'0', 'with the model named');

# conversations that go on where the one before ended, with and without its states

$node->safe_psql('postgres', q{
	CREATE TABLE turns AS
	SELECT a.id, n, jsonb_path_query_array(jsonb_build_array(
			jsonb_build_object('role', 'user', 'content', a.prompt),
			jsonb_build_object('role', 'assistant', 'content', a.response),
			jsonb_build_object('role', 'user', 'content', b.prompt),
			jsonb_build_object('role', 'assistant', 'content', b.response),
			jsonb_build_object('role', 'user', 'content', 'Why?'),
			jsonb_build_object('role', 'assistant', 'content', 'So it is. ' || a.id)), '$[0 to $last]',
			jsonb_build_object('last', n)) AS messages
	FROM texts a JOIN texts b ON b.id = a.id + 1, unnest(ARRAY[1, 3, 5]) n
	WHERE a.id % 20 = 1;
});
for my $compute ('f32', 'bf16', 'int8')
{
	is($node->safe_psql('postgres', qq{
		SET max_parallel_workers_per_gather = 0;
		SET srm.compute = '$compute';
		SET srm.prompt_cache = 0;
		CREATE TEMP TABLE apart AS SELECT id, n, float4send(srm_score(messages)) AS bits FROM turns ORDER BY n, id;
		RESET srm.prompt_cache;
		SELECT count(*) FROM (SELECT id, n, float4send(srm_score(messages)) AS bits
			FROM (SELECT * FROM turns ORDER BY id, n) t OFFSET 0) t
			JOIN apart USING (id, n) WHERE t.bits IS DISTINCT FROM apart.bits}),
		'0', "conversations that go on, $compute");
	is($node->safe_psql('postgres', qq{
		SET max_parallel_workers_per_gather = 0;
		SET srm.compute = '$compute';
		CREATE TEMP TABLE rows AS SELECT id, float4send(srm_score(prompt, response)) AS bits FROM texts;
		SELECT count(*) FROM ($together) t JOIN rows r USING (id) WHERE t.bits IS DISTINCT FROM r.bits}),
		'0', "several responses in one call, $compute");
}

# a kept prompt of another session's length does not matter either
for my $id (3, 200, 397)
{
	is(differences('', "$plain WHERE id = $id"), '0', "row $id alone in a new session");
}

# identities, over all rows: sentences tile, rewards add up, weights make the score
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM texts
	WHERE (SELECT string_agg(sentence, '' ORDER BY sentence_no) FROM srm_sentence_rewards(prompt, response))
		IS DISTINCT FROM response}),
	'0', 'sentences tile the response');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM texts,
		LATERAL (SELECT string_agg(substr(response, start_pos, end_pos - start_pos + 1), '' ORDER BY sentence_no) AS pieces
			FROM srm_sentence_rewards(prompt, response)) s
	WHERE pieces IS DISTINCT FROM response}),
	'0', 'so do their positions');
is($node->safe_psql('postgres', q{
	SET srm.aggregation = 'sum';
	SELECT count(*) FROM texts,
		LATERAL (SELECT sum(reward::float8) AS total FROM srm_sentence_rewards(prompt, response)) s
	WHERE abs(total - srm_score(prompt, response)) > 1e-4}),
	'0', 'rewards add up to the score by sum');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM texts,
		LATERAL (SELECT sum(reward::float8 * weight) AS total FROM srm_sentence_rewards(prompt, response)) s,
		LATERAL srm_score_details(prompt, response) d
	WHERE abs(total + d.prompt_reward::float8 * d.prompt_weight - d.score) > 1e-4}),
	'0', 'weighted rewards add up to the score');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM texts,
		LATERAL (SELECT sum(reward::float8) AS total FROM srm_sentence_rewards(prompt, response)) s,
		LATERAL (SELECT sum(reward::float8) AS total FROM srm_token_rewards(prompt, response)) t
	WHERE abs(s.total - t.total) > 1e-4}),
	'0', 'rewards of tokens add up to those of sentences');

done_testing();
