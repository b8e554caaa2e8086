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
my $parent = $$;
my $pid = fork();
if ($pid == 0)
{
	my $over = 0;
	local $SIG{TERM} = sub { $over = 1 };
	while (!$over && getppid() == $parent)
	{
		rename "$models/swap", "$models/.swap";
		rename "$models/other", "$models/swap";
		rename "$models/.swap", "$models/other";
		usleep(500);
	}
	require POSIX;
	POSIX::_exit(0);
}
my ($n, $wrong, %failures) = (0, 0);
# Ten seconds, and on a slow machine until there is something to judge by
my $end = time + 10;
while (time < $end || ($n <= 20 && time < $end + 140))
{
	($ret, $stdout, $stderr) = $node->psql('postgres', q{SELECT float4send(srm_score('swap', 'a', 'b c.'))});
	if ($ret == 0) { $n++; $wrong++ unless $right{$stdout}; }
	else { my ($message) = $stderr =~ /ERROR:  (.*)/; $failures{$message // $stderr}++; }
}
kill 'TERM', $pid;
waitpid $pid, 0;
cmp_ok($n, '>', 20, 'sessions score while it changes');
is($wrong, 0, 'each score is that of one of the two');
delete $failures{'model "swap" does not exist'};	# between two renames it does not
is(join("\n", %failures), '', 'and no session sees parts of both');

# srm_verify finds a byte that has changed in what was prepared of a model, also for who has it open
make_model('llama', 'verified');
my $flip = q{perl -e 'open F, "+<", $ARGV[0]; seek F, $ARGV[1], 0; read F, $b, 1; seek F, $ARGV[1], 0; print F chr(ord($b) ^ 1)'};
my $prepared = $node->data_dir . '/pgsql_tmp_srm';
my $name = $node->safe_psql('postgres', q{SELECT file FROM srm_verify('verified') WHERE file LIKE '%.srm'});
my $half = int((-s "$prepared/$name") / 2);
is($node->safe_psql('postgres', q{SELECT string_agg(regexp_replace(file, '^[0-9a-f]{16}', 'KEY'), ' ' ORDER BY digest IS NULL, regexp_replace(file, '^[0-9a-f]{16}', 'KEY') COLLATE "C") FROM srm_verify('verified')}),
	'config.json model.safetensors tokenizer.json tokenizer_config.json KEY.f32.srm KEY.tok', 'srm_verify reads all files');
($ret, $stdout, $stderr) = $node->psql('postgres', qq{
	SELECT srm_score('verified', 'a', 'b c.') IS NOT NULL;
	\\! $flip $prepared/$name $half
	SELECT count(*) FROM srm_verify('verified');});
like($stderr, qr/ERROR:  prepared file "\Q$prepared\E\/\Q$name\E" is damaged\nDETAIL:  Matrix \d+ of \d+ does not have its checksum\.\nHINT:  Remove it/, 'a byte of a prepared file');
unlink "$prepared/$name";
is($node->safe_psql('postgres', q{SELECT count(*) FROM srm_verify('verified')}), '6', 'it is made anew');

# and in a file of the model
my $half_model = int((-s "$models/verified/model.safetensors") / 2);
# A program that ends before it has read its input is an error of COPY
my $change = "cat > /dev/null && $flip $models/verified/model.safetensors $half_model";
$change =~ s/'/''/g;
($ret, $stdout, $stderr) = $node->psql('postgres', qq{
	DO \$\$ BEGIN
		PERFORM srm_score('verified', 'a', 'b c.');
		COPY (SELECT 1) TO PROGRAM '$change';
		PERFORM srm_verify('verified');
	END \$\$});
like($stderr, qr/ERROR:  "\Q$models\E\/verified\/model\.safetensors" has other contents than before\nDETAIL:  Its SHA-256 is now [0-9a-f]{64}\./, 'a byte of a model file');

# to a new statement it is another model, which a digest in the name tells
my $digest = $node->safe_psql('postgres', q{SELECT srm_model_info('verified')->>'digest'});
is($node->safe_psql('postgres', qq{SELECT count(*) FROM srm_verify('verified\@$digest')}), '6', 'a model and its digest');
system("$flip $models/verified/model.safetensors $half_model");
($ret, $stdout, $stderr) = $node->psql('postgres', qq{SELECT * FROM srm_verify('verified\@$digest')});
like($stderr, qr/ERROR:  model "verified" does not have digest/, 'and another one');

$node->stop;
done_testing();
