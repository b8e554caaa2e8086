# Training that is stopped, in every way that a server has, and disks that are full: what is left, and how it goes on.

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
});
$node->start;
my $models = $node->data_dir . '/srm/models';

my $pairs = q{
	CREATE EXTENSION srm;
	CREATE TABLE pairs AS
	SELECT format('What is %s?', i) AS prompt,
		format('It is the number %s. It comes after %s.', i, i - 1) AS chosen,
		repeat('lol ', 1 + i % 7) || i AS rejected
	FROM generate_series(1, 96) AS i;
};
$node->safe_psql('postgres', qq{$pairs
	CREATE TABLE long_pairs AS
	SELECT i || '?' AS prompt, repeat('Yes, it is so. ', 40) || i AS chosen, repeat('No, never at all. ', 40) || i AS rejected
	FROM generate_series(1, 24) AS i;
});

my $settings = "base => 'attention-marker', batch => 4, seed => 7, learning_rate => 0.001, log_every => 1";
my $long = "$settings, epochs => 200";

sub call
{
	my ($name, $arguments, $table) = @_;
	$table //= 'pairs';
	return "CALL srm_train('$name', 'SELECT * FROM $table ORDER BY prompt', $arguments)";
}

sub value
{
	return $node->safe_psql('postgres', shift);
}

sub state_file
{
	return "$models/.training/$_[0]/training.state";
}

# starts a run in a session of its own; returns the session, its output, and its backend's pid
sub start_run
{
	my $statement = shift;
	my %run = (in => "SELECT 'pid=' || pg_backend_pid();\n", out => '', err => '');
	$run{harness} = IPC::Run::start(['psql', '-XqAt', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres')],
		'<', \$run{in}, '>', \$run{out}, '2>', \$run{err}, IPC::Run::timeout(300));
	$run{harness}->pump until $run{out} =~ /pid=(\d+)\n/;
	($run{pid}) = $run{out} =~ /pid=(\d+)\n/;
	$run{in} .= "$statement;\n";
	$run{harness}->pump while length $run{in};
	return \%run;
}

sub end_run
{
	my $run = shift;
	$run->{in} .= "\\q\n";
	eval { $run->{harness}->finish };
	return $run->{err};
}

sub wait_for_rows
{
	my ($name, $n) = @_;
	$node->poll_query_until('postgres',
		"SELECT count(*) >= $n FROM srm.training_log WHERE model = '$name'") or die "no rows of $name";
}

# the whole run, for comparison

value(call('whole', $long));
my $whole = slurp_file("$models/whole/model.safetensors");

# a backend that is terminated, and one that a shutdown ends, leave their complete steps

my $run = start_run("SET srm.threads = 2; " . call('terminated', $long));
wait_for_rows('terminated', 3);
value("SELECT pg_terminate_backend($run->{pid})");
like(end_run($run), qr/57P01: terminating connection/, 'a run is terminated');
ok(-e state_file('terminated'), 'it has left a checkpoint');
my $logged = value("SELECT max(step) FROM srm.training_log WHERE model = 'terminated'");
my ($ret, $stdout, $stderr) = $node->psql('postgres', call('terminated', "$long, resume => true"));
like($stderr, qr/resuming behind step (\d+)/, 'it is resumed');
$stderr =~ /resuming behind step (\d+)/;
cmp_ok($1, '>=', $logged, 'behind all that was reported');
ok(slurp_file("$models/terminated/model.safetensors") eq $whole, 'to the same bytes');
# the row of the last step before the end is lost where the end comes between the two
is(value("SELECT count(DISTINCT run), max(step) - count(*) IN (0, 1) FROM srm.training_log WHERE model = 'terminated'"),
	'1|t', 'with each step once in the log, but perhaps the last one before the end');

$run = start_run(call('shut', $long));
wait_for_rows('shut', 3);
$node->stop('fast');
end_run($run);
ok(-e state_file('shut'), 'a fast shutdown leaves a checkpoint');
like(slurp_file($node->logfile), qr/LOG:  training of model "shut" ends with a checkpoint behind step \d+/, 'and says so');
$node->start;
value(call('shut', "$long, resume => true"));
ok(slurp_file("$models/shut/model.safetensors") eq $whole, 'it goes on to the same bytes');

# a checkpoint is not discarded but knowingly

$run = start_run(call('kept', $long));
wait_for_rows('kept', 3);
value("SELECT pg_cancel_backend($run->{pid})");
my $error = end_run($run);
like($error, qr/57014: .*HINT: +Call srm_train again .*resume => true to go on behind step (\d+)/s, 'a run is cancelled');
$error =~ /go on behind step (\d+)/;
my $step = $1;
my $state = slurp_file(state_file('kept'));
($ret, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n" . call('kept', $long));
my $user = value('SELECT current_user');
like($stderr, qr/55000: there is a checkpoint of model "kept" behind step $step by role "\Q$user\E".*HINT: +resume => true goes on from it, replace => true discards it\./s,
	'its checkpoint is in the way of another one');
ok(slurp_file(state_file('kept')) eq $state, 'and is as it was');
value(call('kept', "$settings, epochs => 1, replace => true"));
ok(!-e state_file('kept') && -e "$models/kept/config.json", 'it can be discarded knowingly');

# a run that was stopped before its first row goes on under its own number, and leaves the rows of the one before it

my $silent = "base => 'attention-marker', batch => 4, seed => 7, learning_rate => 0.001, log_every => 1000000, held_out => 0, epochs => 400";
value(call('silent', "$settings, epochs => 1"));
my $before = value("SELECT run, count(*) FROM srm.training_log WHERE model = 'silent' GROUP BY run");
$run = start_run(call('silent', "$silent, checkpoint_every => '1 second', replace => true"));
for (my $wait = 0; $wait < 2400 && !-e state_file('silent'); $wait++)
{
	usleep(50_000);
}
value("SELECT pg_cancel_backend($run->{pid})");
like(end_run($run), qr/57014: .*go on behind step/s, 'a run is stopped that reports seldom');
value(call('silent', "$silent, resume => true, replace => true"));
like($before, qr/^\d+\|\d\d$/, 'a run before it has rows');
is(value("SELECT run, count(*) FROM srm.training_log WHERE model = 'silent' GROUP BY run ORDER BY run LIMIT 1"),
	$before, 'which it leaves');
is(value("SELECT max(run) = (SELECT last_value FROM srm.training_run), count(DISTINCT run) FROM srm.training_log WHERE model = 'silent'"),
	't|2', 'and goes on under its own number');

# so does one whose checkpoint is of another database, where its number is that of another model

$run = start_run(call('moved', "$settings, epochs => 200"));
wait_for_rows('moved', 3);
value("SELECT pg_cancel_backend($run->{pid})");
end_run($run);
my $moved = value("SELECT max(run) FROM srm.training_log WHERE model = 'moved'");
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', qq{$pairs
	INSERT INTO srm.training_log (run, step, model) VALUES ($moved, 1000000, 'else');
	SELECT setval('srm.training_run', $moved);
});
$node->safe_psql('other', call('moved', "$settings, epochs => 200, resume => true"));
is($node->safe_psql('other', "SELECT DISTINCT model, run - $moved FROM srm.training_log ORDER BY model"),
	"else|0\nmoved|1", 'a number that is taken is not taken again');

# stopped twice in one evaluation: nothing is reported twice, and the hint says where the checkpoint stands

my $slow = "base => 'tiny', batch => 12, held_out => 0.5, evaluate_every => 1, epochs => 12, log_every => 1, learning_rate => 0.0001";
my $stopped = 0;
my ($wait, $early, $late) = (0.05, 0, undef);
for (my $attempt = 0; $attempt < 60 && !$stopped; $attempt++)
{
	$run = start_run(call('twice', "$slow, replace => true", 'long_pairs'));
	$run->{harness}->pump until $run->{err} =~ /training model/;
	usleep($wait * 1e6);
	value("SELECT pg_cancel_backend($run->{pid})");
	$error = end_run($run);
	my $steps = $error =~ /go on behind step (\d+)\./ ? $1 : $error =~ /57014/ ? 0 : 12;
	# behind step 1, which has no row yet
	my $rows = value('SELECT count(*) FROM srm.training_log WHERE run = (SELECT last_value FROM srm.training_run)');
	$stopped = $steps == 1 && $rows eq '0';
	# between what was too early and what was too late, but no two runs take the same time
	($steps == 0 ? $early : $late) = $wait;
	$wait = !defined $late ? $wait * 1.3 : ($early + $late) / 2;
	($early, $late) = ($early * 0.8, $late * 1.2) if defined $late && $late - $early < 0.05;
}
ok($stopped, 'a run is stopped in an evaluation, and its hint names the step before it');
SKIP:
{
	skip 'no run was stopped in an evaluation', 3 unless $stopped;
	$run = start_run(call('twice', "$slow, replace => true, resume => true", 'long_pairs'));
	$run->{harness}->pump until $run->{err} =~ /step 1 of /;
	value("SELECT pg_cancel_backend($run->{pid})");
	like(end_run($run), qr/57014: .*go on behind step [1-9]\d*\./s, 'and again behind it');
	($ret, $stdout, $stderr) = $node->psql('postgres', call('twice', "$slow, replace => true, resume => true", 'long_pairs'));
	is($ret, 0, 'it can be resumed once more') or diag($stderr);
	is(value("SELECT max(step) = count(*) FROM srm.training_log WHERE run = (SELECT last_value FROM srm.training_run)"),
		't', 'with each step once in the log');
}

# a checkpoint that cannot be written is a warning.  No disk is filled here: the limit on the size of
# the backend's files fails the checkpoint, which is larger than the model and than a segment of WAL.

SKIP:
{
	skip 'no prlimit', 4 if system('prlimit --version > /dev/null 2>&1') != 0;
	my $limited = "base => 'tiny', batch => 4, epochs => 1, held_out => 0, checkpoint_every => '1 second', max_tokens => 64";
	$run = start_run("SELECT pg_sleep(3); " . call('limited', $limited));
	is(system("prlimit --pid $run->{pid} --fsize=18000000"), 0, 'files of a backend are limited');
	$error = end_run($run);
	like($error, qr/WARNING: .*could not save the state of training model "limited".*DETAIL: +could not write file ".*training\.state\.tmp": File too large/s,
		'a checkpoint that cannot be written is a warning');
	unlike($error, qr/ERROR/, 'and no error');
	ok(-e "$models/limited/config.json", 'the model is there in the end');
}

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'no backend crashed');

done_testing();
