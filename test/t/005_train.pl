# Training: seen from other sessions, cancelled, killed, resumed; who may train, and what is refused.

use strict;
use warnings;
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', qq{
srm.model_path = '\$system:\$output:$ENV{TESTDIR}/test/data/models'
restart_after_crash = on
});
$node->start;
my $models = $node->data_dir . '/srm/models';

$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE pairs AS
	SELECT format('What is %s?', i) AS prompt,
		format('It is the number %s. It comes after %s.', i, i - 1) AS chosen,
		repeat('lol ', 1 + i % 7) || i AS rejected
	FROM generate_series(1, 96) AS i;
});

my $query = "SELECT * FROM pairs ORDER BY prompt";
my $settings = "base => 'attention-marker', batch => 4, seed => 7, learning_rate => 0.001";
my $long = "$settings, epochs => 200, log_every => 1";

sub call
{
	my ($name, $arguments) = @_;
	return "CALL srm_train('$name', '$query', $arguments)";
}

# a statement that fails, in a session that goes on
sub fails_with
{
	my ($statement, $pattern, $name) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$statement;\nSELECT 'alive';", on_error_stop => 0);
	like($stderr, $pattern, $name);
	like($stdout, qr/alive/, "$name: the backend goes on");
}

# starts a run in a session of its own; returns the session and its backend's pid
sub start_run
{
	my ($name, $arguments) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_until(qr/started/, "\\echo started\n" . call($name, $arguments) . ";\n");
	return ($session, $pid);
}

sub wait_for_rows
{
	my ($name, $n) = @_;
	$node->poll_query_until('postgres',
		"SELECT count(*) >= $n FROM srm.training_log WHERE model = '$name'") or die "no rows of $name";
}

# the whole run, for comparison

$node->safe_psql('postgres', call('whole', $long));
my $whole = slurp_file("$models/whole/model.safetensors");
is($node->safe_psql('postgres', "SELECT count(*) FROM srm_models() WHERE name = 'whole'"), '1', 'a trained model is there');
is($node->safe_psql('postgres', "SELECT count(*) > 0 AND max(step) = count(DISTINCT step) FROM srm.training_log WHERE model = 'whole'"),
	't', 'each step has its row');
ok(!-e "$models/.training/whole", 'no checkpoint is left behind');

# progress is seen from another session; cancel and resume

my ($session, $pid) = start_run('stopped', $long);
wait_for_rows('stopped', 3);
pass('rows of a run are seen while it runs');
is($node->safe_psql('postgres', "SELECT count(*) FROM srm_models() WHERE name = 'stopped'"), '0', 'its model is not');
fails_with(call('stopped', $long), qr/55006: model "stopped" is being written by another session/, 'one run a name');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$node->poll_query_until('postgres', "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid");
like(slurp_file($node->logfile), qr/ERROR:  canceling statement due to user request\n.*HINT: .*resume => true/,
	'a run can be cancelled, and says how to go on');
is($session->query('SELECT 1'), '1', 'the session goes on');
$session->quit;
ok(!-e "$models/stopped", 'a cancelled run leaves no model');
my $steps = $node->safe_psql('postgres', "SELECT max(step) FROM srm.training_log WHERE model = 'stopped'");
fails_with(call('stopped', "$long, penalty => 0.5, resume => true"), qr/22023/, 'other arguments cannot resume');
$node->safe_psql('postgres', call('stopped', "$long, resume => true"));
ok(slurp_file("$models/stopped/model.safetensors") eq $whole, 'a resumed run gives the same bytes');
is($node->safe_psql('postgres', "SELECT count(DISTINCT run), max(step) = count(*) FROM srm.training_log WHERE model = 'stopped'"),
	'1|t', 'it is one run in the log, with each step once');
cmp_ok($node->safe_psql('postgres', "SELECT max(step) FROM srm.training_log WHERE model = 'stopped'"), '>', $steps, 'which went on');

# the backend is killed, and with it all others

($session, $pid) = start_run('killed', "$long, checkpoint_every => '1 second'");
for (1 .. 600)
{
	last if -e "$models/.training/killed/training.state";
	usleep(100_000);
}
kill 'KILL', $pid;
$session->{run}->finish if $session->{run};
$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
ok(!-e "$models/killed", 'a killed run leaves no model');
$node->safe_psql('postgres', call('killed', "$long, checkpoint_every => '1 second', resume => true"));
ok(slurp_file("$models/killed/model.safetensors") eq $whole, 'a run that was killed goes on from its checkpoint');
is($node->safe_psql('postgres', "SELECT max(step) = count(*) AND count(DISTINCT run) = 1 FROM srm.training_log WHERE model = 'killed'"),
	't', 'with each step once in the log');

# also with no checkpoint yet

($session, $pid) = start_run('fresh', $long);
wait_for_rows('fresh', 1);
kill 'KILL', $pid;
$session->{run}->finish if $session->{run};
$node->poll_query_until('postgres', 'SELECT true') or die 'the server does not come back';
ok(!-e "$models/fresh", 'the old state is there');
$node->safe_psql('postgres', call('fresh', "$settings, epochs => 1"));
ok(-e "$models/fresh/config.json", 'and a run from the start works');

# who may train

$node->safe_psql('postgres', q{
	CREATE ROLE trainer LOGIN;
	CREATE TABLE secrets AS SELECT * FROM pairs;
	GRANT SELECT ON pairs TO trainer;
});
fails_with("SET ROLE trainer; " . call('theirs', $settings), qr/42501: permission denied for procedure srm_train/, 'not everybody may train');
$node->safe_psql('postgres', 'GRANT EXECUTE ON PROCEDURE srm_train TO trainer');
$node->safe_psql('postgres', "SET SESSION AUTHORIZATION trainer; " . call('theirs', $settings));
is($node->safe_psql('postgres', "SET ROLE trainer; SELECT count(*) > 0 FROM srm.training_log WHERE model = 'theirs'"),
	't', 'a role that may train need not have rights on the log');
fails_with("SET ROLE trainer; DELETE FROM srm.training_log", qr/42501: permission denied for table training_log/, 'nor has it');
fails_with("SET ROLE trainer; INSERT INTO srm.training_log (run, step, model) VALUES (0, 0, '')", qr/42501/, 'nor to write');
fails_with("SET ROLE trainer; CALL srm_train('secret', 'SELECT * FROM secrets', base => 'attention-marker')",
	qr/42501: permission denied for table secrets/, 'the query runs as the caller');
fails_with("SET ROLE trainer; SELECT srm_score('a', 'b'); SET srm.training_memory = '1TB'", qr/42501/, 'memory is not theirs to set');

# what is refused

fails_with(call('whole', $settings), qr/42710: model "whole" already exists/, 'a name that is taken');
$node->safe_psql('postgres', call('whole', "$settings, replace => true"));
ok(slurp_file("$models/whole/model.safetensors") ne $whole, 'unless it is to be replaced');
fails_with(call('tiny', $settings), qr/already exists/, 'a name of another directory');
fails_with(call('tiny', "$settings, replace => true"), qr/already exists/, 'which cannot be replaced');
fails_with(call('../up', $settings), qr/22023: invalid model name/, 'a path');
fails_with(call('x', "base => 'nowhere'"), qr/42704: model "nowhere" does not exist/, 'an unknown base');
fails_with(call('x', "base => 'tiny\@0123456789'"), qr/42704: model "tiny" does not have digest/, 'a base of another digest');
fails_with("BEGIN; " . call('x', $settings) . "; ROLLBACK", qr/25001: srm_train cannot run inside a transaction block/, 'a transaction block');
fails_with("DO \$\$ BEGIN " . call('x', $settings) . "; EXCEPTION WHEN division_by_zero THEN NULL; END \$\$",
	qr/25001: srm_train cannot run inside a transaction block/, 'a block with an exception clause');
fails_with(call('x', "$settings, resume => true"), qr/(58P01|22023|42704)/, 'nothing to resume');
fails_with("SET srm.training_memory = '64kB'; " . call('x', $settings), qr/54000: .*\d+/s, 'too much memory');
my (undef, undef, $notices) = $node->psql('postgres', call('x', $settings));
unlike($notices, qr/computed twice/, 'enough memory needs no hint');
my ($kilobytes) = $notices =~ /(\d+) kB of memory/;
(undef, undef, $notices) = $node->psql('postgres', "SET srm.training_memory = " . ($kilobytes - 1) . "; " . call('x', "$settings, replace => true"));
like($notices, qr/HINT: .*computed twice.*srm.training_memory of \d+ kB/, 'less is slower, and says so');
$node->safe_psql('postgres', "SELECT srm_drop_model('x')");
fails_with(call('x', "batch => 0"), qr/22023: batch must be at least 1/, 'no batch');
fails_with(call('x', "train => 'nothing'"), qr/22023: unrecognized value "nothing" for train/, 'nothing to train');
fails_with("CALL srm_train('x', 'SELECT * FROM pairs WHERE false', base => 'attention-marker')", qr/22023/, 'no pairs');
fails_with("CALL srm_train('x', 'SELECT prompt, chosen FROM pairs', base => 'attention-marker')",
	qr/42703: query gives no column "rejected"/, 'a column is missing');
fails_with("CALL srm_train('x', 'SELECT prompt, chosen, rejected, -1 AS weight FROM pairs', base => 'attention-marker')",
	qr/22023: invalid weight: -1.*row 1 of the query/s, 'a weight below 0');

# weights that are not finite stop a run at once

make_path("$models/damaged");
for my $file (qw(config.json tokenizer.json tokenizer_config.json model.safetensors))
{
	my $data = slurp_file("$ENV{TESTDIR}/test/data/models/tiny/$file");
	if ($file eq 'model.safetensors')
	{
		my $header = unpack 'Q<', $data;
		substr($data, 8 + $header) = "\xff\x7f" x ((length($data) - 8 - $header) / 2);
	}
	open my $out, '>:raw', "$models/damaged/$file" or die $!;
	print $out $data;
	close $out;
}
fails_with(call('x', "base => 'damaged'"), qr/22023: .*step 1.*row \d+/s, 'a loss that is not finite');
ok(!-e "$models/x", 'none of this made a model');

# a block of PL/pgSQL that is no transaction may train

$node->safe_psql('postgres', "DO \$\$ BEGIN " . call('plpgsql', $settings) . "; END \$\$");
ok(-e "$models/plpgsql/config.json", 'in a block of PL/pgSQL');

# the log goes with a dump

my $dump = $node->backup_dir . '.sql';
$node->command_ok([ 'pg_dump', '-f', $dump, $node->connstr('postgres') ], 'dump');
like(slurp_file($dump), qr/COPY srm\.training_log .*FROM stdin;\n\d/s, 'the log is in it');

unlike(slurp_file($node->logfile), qr/terminated by signal (?!9)|exited with exit code [^01]/, 'no backend crashed of its own');

done_testing();
