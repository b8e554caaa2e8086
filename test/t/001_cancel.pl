# A call can be stopped at any time, and the backend goes on.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

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
# The argument is there before it is called, and the cancel comes when it is at work.
my $canceller = $node->background_psql('postgres');
my $caller = $node->background_psql('postgres', on_error_stop => 0);
my $caller_pid = $caller->query_safe('SELECT pg_backend_pid()');
my $number = 0;

# whether the call is under way, and whether it has ended
sub call_state
{
	return $canceller->query_safe(qq{
		SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = $caller_pid),
			(SELECT count(*) FROM pg_stat_activity WHERE pid = $caller_pid AND state = 'idle' AND query LIKE '%lock($number)%')});
}

# milliseconds from a cancel to the end, 0 where it has ended by itself
sub cancel_call
{
	my ($type, $argument, $call) = @_;
	my $deadline = time + 60;

	$number++;
	$caller->query_until(qr/started $number/, qq{\\echo started $number
		DO \$do\$ DECLARE arg $type := $argument; BEGIN PERFORM pg_advisory_xact_lock($number); PERFORM $call; END \$do\$;\n});
	usleep(20_000) while call_state() eq '0|0' && time < $deadline;
	usleep(200_000);
	my $start = time;
	$canceller->query_safe("SELECT pg_cancel_backend($caller_pid)") if call_state() eq '1|0';
	usleep(20_000) while call_state() ne '0|1' && time < $deadline;
	return 1000 * (time - $start);
}

foreach my $case (
	['text', q{repeat(E'\n\n\n\n', 25000000) || 'x'}, 'srm_messages(arg)'],
	['text', q{'Human: ' || repeat(E'\n', 200000000)}, 'srm_messages(arg)'],
	['text', q{E'x\n' || repeat(E'y\n', 60000000) || E'\n\nHuman: a'}, 'srm_messages(arg)'],
	['text', q{repeat(E'\n\nHuman:', 10000000)}, 'srm_messages(arg)'],
	['jsonb', q{jsonb_build_array((SELECT jsonb_object_agg(i, 1) FROM generate_series(1, 1000000) AS i) || '{"role": "user"}')},
		'srm_messages(arg)'],
	['text', q{repeat('a b ', 10000000)}, '* FROM srm_tokenize(arg)'],
	['text', q{repeat('a', 150000000)}, '* FROM srm_tokenize(arg)'],
	['text', q{repeat('A b. ', 10000000)}, '* FROM srm_segment(arg)'],
	['text', q{repeat(E'a\n', 100000000)}, q{* FROM srm_segment(arg, 'en', 'lines')}],
	['text', q{repeat(E'a\n', 100000000)}, q{* FROM srm_segment(arg, 'en', 'paragraphs')}],
	['text', q{repeat(E'$$\n', 60000000)}, q{* FROM srm_segment(arg, 'en', 'paragraphs')}],
	['text[]', q{array_fill(NULL::text, ARRAY[20000000])}, q{srm_scores('Hi.', arg)}],
	['text', q{'[{"a": [' || repeat('1,', 40000000) || '1]}]'}, q{srm_score('Hi.', arg)}],
	['text', q{repeat('<', 40000000)}, 'srm_heat_html(ARRAY[arg], ARRAY[1.0])'],
	['text', q{repeat('a', 60000000)}, 'srm_heat_ansi(ARRAY[arg], ARRAY[1.0])'])
{
	my $ms = cancel_call(@$case);

	note sprintf '%d ms', $ms;
	cmp_ok($ms, '<', 2000, "ends soon: $case->[2] of $case->[1]");
}
$caller->quit;
$canceller->quit;

is($node->safe_psql('postgres', "SELECT srm_score('Hi.', 'Hello.') IS NOT NULL"),
	't', 'the server goes on');
unlike(slurp_file($node->logfile), qr/terminated by signal|server process .* exited/,
	'no backend crashed');

done_testing();
