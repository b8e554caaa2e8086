# Scoring a table of 20,000 rows, of which 20 are bad: by several workers and sessions, cancelled, killed, and as others.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', qq{
srm.model_path = '\$system:\$output:$ENV{TESTDIR}/test/data/models'
restart_after_crash = on
max_worker_processes = 8
autovacuum = off
});
$node->start;

$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE answers AS
	SELECT i AS id, format('What is %s?', i / 10) AS prompt, format('It is %s. Sure.', i) AS response
	FROM generate_series(1, 20000) AS i;
	UPDATE answers SET
		response = CASE id / 1000 % 6 WHEN 0 THEN '' WHEN 1 THEN NULL WHEN 2 THEN repeat('and on it goes ', 1000)
			WHEN 3 THEN '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]' ELSE response END,
		prompt = CASE id / 1000 % 6 WHEN 4 THEN NULL WHEN 5 THEN repeat('and on it goes ', 1000) ELSE prompt END
	WHERE id % 1000 = 500;
	ALTER TABLE answers ADD PRIMARY KEY (id);
	CREATE TABLE expected (id integer, prompt text, response text, score real GENERATED ALWAYS AS (
		CASE WHEN srm_problem('llama', prompt, response) IS NULL THEN srm_score('llama', prompt, response) END) STORED);
	INSERT INTO expected SELECT * FROM answers;
});

my $arguments = "prompt => 'prompt', response => 'response', model => 'llama'";

sub call
{
	my ($target, $more) = @_;
	return "CALL srm_score_table('answers', '$target', $arguments" . ($more ? ", $more)" : ')');
}

# rows of a target: how many, how many with a problem, how many that differ from srm_score
sub result
{
	my ($target, $n) = @_;
	$n //= 20000;
	return $node->safe_psql('postgres', qq{
		SELECT count(*), count(problem), count(*) FILTER (WHERE t.score IS DISTINCT FROM e.score)
		FROM $target AS t FULL JOIN (SELECT * FROM expected WHERE id <= $n) AS e USING (id)});
}

# the same of fewer rows, where their number matters less than what happens
my $few = "filter => 'id <= 3000'";
my $few_result = '3000|3|0';

sub wait_for
{
	my ($query, $what) = @_;
	ok($node->poll_query_until('postgres', $query), $what);
}

sub start
{
	my ($statement) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/started/, "\\echo started\n$statement;\n");
	return ($session, $pid);
}

my $workers = q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'srm scoring worker'};

# a generated column takes any row
is($node->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE (score IS NULL) <> (id % 1000 = 500)) FROM expected'), '20000|0',
	'a generated column is NULL for the bad rows alone');

# and an evaluation can leave them out
is($node->safe_psql('postgres', q{SELECT n FROM srm_evaluate(
	$$SELECT prompt, response AS chosen, 'No.' AS rejected FROM answers WHERE srm_problem('llama', prompt, response, 'No.') IS NULL$$, 'llama')}), '19980',
	'an evaluation goes on without the bad rows');

# all rows, with a problem for each bad one and for no other
$node->safe_psql('postgres', call('one'));
is(result('one'), '20000|20|0', 'every row is scored or has a problem');
is($node->safe_psql('postgres', q{
	SELECT count(*), substring(problem from '^(?:(?!: It has).)*'), min(id / 1000 % 6), max(id / 1000 % 6) FROM one WHERE problem IS NOT NULL GROUP BY 2 ORDER BY 3}),
	join("\n", '4|response must not be empty|0|0', '4|response is null|1|1', '6|text is too long for the model|2|5',
		'3|response is a list of messages, but of type text|3|3', '3|prompt is null|4|4'), 'the problems are told apart');

# the planner knows that rows wait: it would sort all of them for each batch
is($node->safe_psql('postgres', q{SELECT null_frac FROM pg_stats WHERE tablename = 'one' AND attname = 'scored_at'}), '1', 'the target has statistics');

# with workers
my ($ret, $stdout, $stderr) = $node->psql('postgres', call('three', 'workers => 3, batch => 50'));
is($ret, 0, 'three processes');
is(result('three'), '20000|20|0', 'three processes give the same');
is($node->safe_psql('postgres', q{SELECT count(*) > 1 FROM srm.score_worker WHERE job = (SELECT max(job) FROM srm.score_job)}),
	't', 'workers did a part');
is($node->safe_psql('postgres', $workers), '0', 'no worker is left');

# fewer workers than asked for
($ret, $stdout, $stderr) = $node->psql('postgres', call('many', "workers => 40, $few"));
like($stderr, qr/NOTICE:  \d of 39 background workers could be started/, 'says how many workers it got');
is(result('many', 3000), $few_result, 'fewer workers give the same');

# a cancel stops the workers, and a second call goes on
my ($session, $pid) = start(call('cancelled', 'workers => 3, batch => 20'));
wait_for(q{SELECT rows_done > 200 FROM srm.progress WHERE target = 'public.cancelled'}, 'rows are seen while it runs');
is($node->safe_psql('postgres', q{SELECT state, cardinality(pids) > 0 FROM srm.progress WHERE target = 'public.cancelled'}),
	'running|t', 'progress says it is running');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
wait_for("SELECT ($workers) = 0", 'a cancel ends the workers');
$session->quit;
is($node->safe_psql('postgres', q{SELECT state FROM srm.progress WHERE target = 'public.cancelled'}), 'stopped', 'progress says it was stopped');
my $done = $node->safe_psql('postgres', 'SELECT count(scored_at) FROM cancelled');
cmp_ok($done, '>', 200, 'what was scored stays');
cmp_ok($done, '<', 20000, 'and it was stopped midway');
($ret, $stdout, $stderr) = $node->psql('postgres', call('cancelled'));
my $left = 20000 - $done;
like($stderr, qr/$left rows scored/, 'the next call scores what was left');
is(result('cancelled'), '20000|20|0', 'stopped and resumed gives the same');

# what is said of a cancel is no page of SQL
(undef, undef, $stderr) = $node->psql('postgres', "SET statement_timeout = '500ms'; " . call('cut_short', 'batch => 20000'));
like($stderr, qr/canceling statement due to statement timeout/, 'a cancel is said');
# on a slow machine it comes before the first score
unlike($stderr, qr/WITH given|srm_score_details/, 'and not as a page of SQL');

# a session that is terminated takes its workers with it
($session, $pid) = start(call('ended', 'workers => 2, batch => 20'));
wait_for(q{SELECT rows_done > 100 FROM srm.progress WHERE target = 'public.ended'}, 'rows are done');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
wait_for("SELECT ($workers) = 0", 'a termination ends the workers');
eval { $session->quit };

# a worker that is terminated loses a batch, which others do
($session, $pid) = start(call('ended', 'workers => 3, batch => 20'));
wait_for("SELECT ($workers) = 2", 'workers run');
$node->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'srm scoring worker' LIMIT 1});
wait_for(q{SELECT count(*) = 0 FROM ended WHERE scored_at IS NULL}, 'the others finish');
$session->quit;
is(result('ended'), '20000|20|0', 'a lost worker changes nothing');

# kill -9 of a worker restarts the server; what was committed stays, and the next call goes on, again and again
$done = 0;
for my $round (1 .. 4)
{
	($session, $pid) = start(call('killed', 'workers => 2, batch => 20'));
	wait_for(q{SELECT count(*) > 0 AND max(rows_done) > 100 FROM srm.progress
		WHERE target = 'public.killed' AND job = (SELECT max(job) FROM srm.score_job) AND cardinality(pids) = 2}, "round $round: rows are done");
	my $victim = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'srm scoring worker' LIMIT 1});
	kill 'KILL', $victim;
	eval { $session->quit };
	my $up = 0;
	for (1 .. 300)
	{
		usleep(100_000);
		($ret) = $node->psql('postgres', 'SELECT 1');
		$up = 1, last if $ret == 0;
	}
	is($up, 1, "round $round: the server is up again");
	my $before = $done;
	$done = $node->safe_psql('postgres', 'SELECT count(scored_at) FROM killed');
	cmp_ok($done, '>', $before + 100, "round $round: committed batches stay");
}
cmp_ok($done, '<', 20000, 'killed midway each time');
$node->safe_psql('postgres', call('killed'));
is(result('killed'), '20000|20|0', 'killed and resumed gives the same');
is($node->safe_psql('postgres', q{
	SELECT count(*) FROM one FULL JOIN killed USING (id) WHERE (one.score, one.n_tokens, one.truncated, one.problem, one.text_hash)
		IS DISTINCT FROM (killed.score, killed.n_tokens, killed.truncated, killed.problem, killed.text_hash)}),
	'0', 'row by row, as if nothing had happened');

# two sessions at once share the rows
my ($first) = start(call('shared', "batch => 20, $few"));
my ($second) = start(call('shared', "batch => 20, $few"));
wait_for(q{SELECT to_regclass('shared') IS NOT NULL}, 'two sessions begin');
$first->quit;
$second->quit;
wait_for(q{SELECT count(*) = 0 FROM shared WHERE scored_at IS NULL}, 'two sessions finish');
is(result('shared', 3000), $few_result, 'two sessions give the same');
is($node->safe_psql('postgres', q{SELECT sum(w.n_rows) FROM srm.score_worker AS w JOIN srm.score_job USING (job) WHERE target = 'public.shared'}),
	'3000', 'no row is scored twice');

# rights are those of the caller, in workers, too; policies hold
$node->safe_psql('postgres', q{
	CREATE ROLE reader LOGIN;
	CREATE SCHEMA mine AUTHORIZATION reader;
	CREATE TABLE secrets AS SELECT * FROM answers WHERE id <= 300;
	ALTER TABLE secrets ADD PRIMARY KEY (id), ADD COLUMN owner text DEFAULT 'reader';
	UPDATE secrets SET owner = 'postgres' WHERE id > 100;
});
sub as_reader
{
	my ($statement) = @_;
	return $node->psql('postgres', $statement, extra_params => ['-U', 'reader']);
}
my $secret = "CALL srm_score_table('secrets', 'mine.scores', $arguments, workers => 2, batch => 10)";
(undef, undef, $stderr) = as_reader($secret);
like($stderr, qr/permission denied for table secrets/, 'the source is read with the rights of the caller');
$node->safe_psql('postgres', q{
	GRANT SELECT ON secrets TO reader;
	ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON secrets USING (owner = current_user::text);
});
($ret, undef, $stderr) = as_reader($secret);
is($ret, 0, 'scored as another user');
is($node->safe_psql('postgres', 'SELECT count(*), count(score) FROM mine.scores'), '100|100', 'policies hold');
(undef, undef, $stderr) = as_reader('SELECT * FROM srm.score_job');
like($stderr, qr/permission denied for table score_job/, 'statements of jobs are not for all');
(undef, undef, $stderr) = as_reader(q{INSERT INTO srm.score_worker (job, pid) VALUES (1, 1)});
like($stderr, qr/permission denied/, 'nor are they to be written');
($ret, $stdout) = as_reader('SELECT count(*) > 5 FROM srm.progress');
is($stdout, 't', 'progress is for all');

# a user by SET ROLE keeps that role in workers
$node->safe_psql('postgres', qq{SET ROLE reader; $secret; CALL srm_score_table('secrets', 'mine.again', $arguments, workers => 2, batch => 10)});
is($node->safe_psql('postgres', 'SELECT count(*), count(score) FROM mine.again'), '100|100', 'a role that was set holds in workers');

$node->stop;
done_testing();
