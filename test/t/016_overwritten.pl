# Model files that are cut off or replaced while they are in use: no crash, and no score of two models at once.

use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(rmtree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $models = PostgreSQL::Test::Utils::tempdir;

sub make_model
{
	my ($source, $name) = @_;
	mkdir "$models/$name" or die "$name: $!";
	copy($_, "$models/$name/") or die foreach glob("$ENV{TESTDIR}/test/data/models/$source/*");
}

sub overwrite
{
	my ($file) = @_;
	open my $fh, '>', $file or die "$file: $!";
	close $fh;
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$models:\$output'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

sub start
{
	my ($statement) = @_;
	my $session = $node->background_psql('postgres', on_error_stop => 0);
	$session->query_until(qr/started/, "\\echo started\n$statement;\n");
	return $session;
}

sub is_up
{
	my ($name) = @_;
	is($node->safe_psql('postgres', 'SELECT 1'), '1', "$name: the server answers");
	unlike(slurp_file($node->logfile), qr/terminated by signal/, "$name: no session has crashed");
}

# a file that is cut off while rows are scored
make_model('llama', 'cut');
$node->safe_psql('postgres', q{SELECT srm_score('cut', 'a', 'b c.')});
my $scoring = start(q{CREATE TABLE cut AS SELECT i, srm_score('cut', md5(i::text), md5(i::text) || '. It is.') AS score
	FROM generate_series(1, 20000) AS i});
usleep(300_000);
overwrite("$models/cut/model.safetensors");
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE cut%' AND state = 'active'});
is_up('cut off while scoring');
$scoring->quit;
my ($ret, $stdout, $stderr) = $node->psql('postgres', q{SELECT srm_score('cut', 'a', 'b c.')});
like($stderr, qr/model file/, 'the next statement names the file');

# the same by settings that copy weights, where no file can be shared
make_model('llama', 'private');
$node->safe_psql('postgres', q{LOAD 'srm'; ALTER SYSTEM SET srm.prepared_path = '/proc/nowhere'; SELECT pg_reload_conf()});
usleep(300_000);
$scoring = start(q{CREATE TABLE private AS SELECT i, srm_score('private', md5(i::text), md5(i::text) || '. It is.') AS score
	FROM generate_series(1, 20000) AS i});
usleep(300_000);
overwrite("$models/private/model.safetensors");
$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'CREATE TABLE private%' AND state = 'active'});
is_up('cut off while scoring with private weights');
$scoring->quit;
$node->safe_psql('postgres', q{LOAD 'srm'; ALTER SYSTEM RESET srm.prepared_path; SELECT pg_reload_conf()});

# while it is quantized, trained from and hashed
for my $statement (q{SELECT srm_quantize('read', 'quantized', replace => true)}, q{SELECT srm_model_info('read')},
	q{CALL srm_train('trained', 'SELECT * FROM (VALUES (''a'', ''b c.'', ''d.'')) AS p (prompt, chosen, rejected)', base => 'read', held_out => 0, replace => true)})
{
	for my $pause (0, 2, 5, 10, 20, 40)
	{
		rmtree("$models/read");
		make_model('llama', 'read');
		my $session = start($statement);
		usleep($pause * 1000);
		overwrite("$models/read/model.safetensors");
		$session->quit;
	}
	is_up("cut off under $statement");
}

# a directory that changes places with another again and again: sessions see the one or the other
make_model('llama', 'swap');
make_model('llama-bias', 'other');
my %right = map { $node->safe_psql('postgres', "SELECT float4send(srm_score('$_', 'a', 'b c.'))") => 1 } qw(swap other);
is(scalar keys %right, 2, 'two models');
my $pid = fork();
if ($pid == 0)
{
	my $end = time + 12;
	while (time < $end)
	{
		rename "$models/swap", "$models/.swap";
		rename "$models/other", "$models/swap";
		rename "$models/.swap", "$models/other";
		usleep(5000);
	}
	require POSIX;
	POSIX::_exit(0);
}
my ($n, $wrong, %failures) = (0, 0);
my $end = time + 10;
while (time < $end)
{
	($ret, $stdout, $stderr) = $node->psql('postgres', q{SELECT float4send(srm_score('swap', 'a', 'b c.'))});
	if ($ret == 0) { $n++; $wrong++ unless $right{$stdout}; }
	else { my ($message) = $stderr =~ /ERROR:  (.*)/; $failures{$message // $stderr}++; }
}
waitpid $pid, 0;
cmp_ok($n, '>', 20, 'sessions score while it changes');
is($wrong, 0, 'each score is that of one of the two');
delete $failures{'model "swap" does not exist'};	# between two renames it does not
is(join("\n", %failures), '', 'and no session sees parts of both');

$node->stop;
done_testing();
