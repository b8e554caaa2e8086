# A call can be stopped at any time, and the backend goes on.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

my ($ret, $stdout, $stderr);

# statement_timeout, inside one forward pass
($ret, $stdout, $stderr) = $node->psql('postgres', q{
	SET srm.max_tokens = 1048576;
	SET statement_timeout = '300ms';
	SELECT srm_scores('Hi.', array_agg(repeat('Go on, and tell me more of it. ', 60) || i))
	FROM generate_series(1, 2000) i;
});
isnt($ret, 0, 'timeout ends the statement');
like($stderr, qr/canceling statement due to statement timeout/, 'with its own message');

# the session of a cancelled call can be used further
$stdout = $node->safe_psql('postgres', q{
	SET statement_timeout = '200ms';
	DO $$
	BEGIN
		PERFORM srm_score('Hi.', repeat('Go on. ', 400) || i) FROM generate_series(1, 5000) i;
		RAISE EXCEPTION 'not cancelled';
	EXCEPTION WHEN query_canceled THEN
		RAISE NOTICE 'cancelled';
	END $$;
	SET statement_timeout = 0;
	SELECT srm_score('Hi.', 'Hello.') IS NOT NULL;
});
is($stdout, 't', 'the session goes on after a cancel');

# a score after a cancel has the same bits as one before
$stdout = $node->safe_psql('postgres', q{
	CREATE TEMP TABLE before AS SELECT srm_score('What is it?', 'A bird. It flies.') AS score;
	SET statement_timeout = '50ms';
	DO $$
	BEGIN
		PERFORM srm_score('What is it?', repeat('Go on. ', 400) || i) FROM generate_series(1, 5000) i;
	EXCEPTION WHEN query_canceled THEN NULL;
	END $$;
	SET statement_timeout = 0;
	SELECT float4send(score) = float4send(srm_score('What is it?', 'A bird. It flies.')) FROM before;
});
is($stdout, 't', 'a cancel leaves no trace in later scores');

# pg_cancel_backend() from elsewhere
my $session = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_until(qr/started/, q{
	\echo started
	SELECT count(srm_score('Hi.', repeat('Go on. ', 400) || i)) FROM generate_series(1, 100000) i;
});
$node->poll_query_until('postgres',
	"SELECT state = 'active' FROM pg_stat_activity WHERE pid = $pid");
my $start = time;
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$node->poll_query_until('postgres',
	"SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid");
note(sprintf 'idle %.0f ms after the cancel', (time - $start) * 1000);
is($session->query('SELECT 1'), '1', 'a cancelled session answers');

# pg_terminate_backend() ends the session and nothing else
$session->query_until(qr/again/, q{
	\echo again
	SELECT count(srm_score('Hi.', repeat('Go on. ', 400) || i)) FROM generate_series(1, 100000) i;
});
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$node->poll_query_until('postgres',
	"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid");
pass('a terminated session ends');
$session->{run}->finish if $session->{run};

# also in the middle of a call that several threads work on
for my $round (1 .. 5)
{
	my $threaded = $node->background_psql('postgres', on_error_stop => 0);
	my $threaded_pid = $threaded->query_safe('SELECT pg_backend_pid()');
	$threaded->query_until(qr/started/, q{
	\echo started
	SET srm.threads = 4;
	SELECT count(srm_score('Hi.', repeat('Go on. ', 400) || i)) FROM generate_series(1, 100000) i;
});
	$node->poll_query_until('postgres',
		"SELECT state = 'active' FROM pg_stat_activity WHERE pid = $threaded_pid");
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($threaded_pid)");
	$node->poll_query_until('postgres',
		"SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $threaded_pid");
	$threaded->{run}->finish if $threaded->{run};
}
pass('terminated sessions with threads end');

# A cancel while the library is loaded, which warns of a setting, waits until it is
# there: else each later call of the session would fail.
my $n_loaded = 0;
for my $try (1 .. 10)
{
	($ret, $stdout, $stderr) = $node->psql('postgres', q{
		SET srm.compute = 'rubbish';
		BEGIN;
		SET LOCAL statement_timeout = '1ms';
		LOAD 'srm';
		-- one of them may be what is cancelled
		ROLLBACK;
		ROLLBACK;
		SELECT 'scored', srm_score('Hi.', 'Hello.');
	}, on_error_stop => 0);
	$n_loaded++ if $stdout =~ /^scored/m;
}
is($n_loaded, 10, 'a cancel does not leave a library half loaded');

# whatever is done to a text before and after a model sees it
foreach my $call (
	q{length(srm_messages(repeat(E'\n\n\n\n', 25000000) || 'x')::text)},
	q{length(srm_messages('Human: ' || repeat(E'\n', 200000000))::text)},
	q{length(srm_messages(E'x\n' || repeat(E'y\n', 60000000) || E'\n\nHuman: a')::text)},
	q{jsonb_array_length(srm_messages(repeat(E'\n\nHuman:', 10000000)))},
	q{(SELECT count(*) FROM srm_tokenize(repeat('a b ', 10000000)))},
	q{(SELECT count(*) FROM srm_segment(repeat('A b. ', 10000000)))},
	q{(SELECT count(*) FROM srm_segment(repeat(E'a\n', 100000000), 'en', 'lines'))},
	q{(SELECT count(*) FROM srm_segment(repeat(E'a\n', 100000000), 'en', 'paragraphs'))},
	q{(SELECT count(*) FROM srm_tokenize(repeat('a', 300000000)))},
	q{srm_scores('Hi.', array_fill(NULL::text, ARRAY[60000000]))},
	q{srm_score('Hi.', '[{"a": [' || repeat('1,', 40000000) || '1]}]')},
	q{srm_messages(jsonb_build_array((SELECT jsonb_object_agg(i, 1) FROM generate_series(1, 300000) AS i) || '{"role": "user"}'))},
	q{length(srm_heat_html(ARRAY[repeat('<', 60000000)], ARRAY[1.0]))},
	q{length(srm_heat_ansi(ARRAY[repeat('a', 200000000)], ARRAY[1.0]))})
{
	($ret, $stdout, $stderr) = $node->psql('postgres', qq{
	SET statement_timeout = '100ms';
	DO \$\$
	DECLARE
		started timestamptz := clock_timestamp();
	BEGIN
		PERFORM $call;
	EXCEPTION WHEN query_canceled OR program_limit_exceeded THEN
		RAISE NOTICE 'ended after % ms', round(extract(epoch FROM clock_timestamp() - started) * 1000);
	END \$\$});
	my ($ms) = $stderr =~ /ended after (\d+) ms/;
	note("$call: " . ($ms // 'no end'));
	ok(defined $ms && $ms < 2000, "ends soon: $call");
}

is($node->safe_psql('postgres', "SELECT srm_score('Hi.', 'Hello.') IS NOT NULL"),
	't', 'the server goes on');
unlike(slurp_file($node->logfile), qr/terminated by signal|server process .* exited/,
	'no backend crashed');

done_testing();
