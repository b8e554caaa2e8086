# Prepared weights, the arithmetic of products, and models with weights of 8 bits.

use strict;
use warnings;
use File::Copy qw(copy move);
use File::Path qw(make_path remove_tree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tiny = "$ENV{TESTDIR}/test/data/models/tiny";
my $models = PostgreSQL::Test::Utils::tempdir;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', "srm.model_path = '$ENV{TESTDIR}/test/data/models:\$output:$models'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm; CREATE ROLE reader');
my $prepared = $node->data_dir . '/pgsql_tmp_srm';
my $output = $node->data_dir . '/srm/models';

sub score
{
	my ($settings, $model) = @_;
	my $argument = $model ? "'$model', " : '';
	return $node->safe_psql('postgres', "$settings SELECT float4send(srm_score(${argument}'What is it?', 'A bird. It flies.'))");
}

# runs a query; the error and the rest of the output
sub run_query
{
	my ($query) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query;\nSELECT 'alive';",
		on_error_stop => 0);
	return ($stdout, $stderr);
}

sub fails_with
{
	my ($query, $pattern, $name) = @_;
	my ($stdout, $stderr) = run_query($query);
	like($stderr, $pattern, $name);
	like($stdout, qr/alive/, "$name: the backend goes on");
}

sub prepared_files
{
	my ($kind) = @_;
	my @files = glob("$prepared/*.$kind.srm");
	return @files;
}

sub inode { return (stat $_[0])[1]; }

# one file for all sessions

my $f32 = score("SET srm.compute = f32;");
my ($file) = prepared_files('f32');
ok($file, 'the first score makes a file');
my $inode = inode($file);
is(score("SET srm.compute = f32;"), $f32, 'another session gives the same bits');
is(inode($file), $inode, 'and uses the same file');
is($node->safe_psql('postgres', "SET srm.compute = f32; SELECT srm_score('a', 'b') IS NOT NULL;
	SELECT compute, prepared_bytes, prepared_shared FROM srm_models() WHERE name = 'tiny'"),
	"t\nf32|" . (-s $file) . '|t', 'srm_models() tells of it');
is($node->safe_psql('postgres', "SELECT (srm_model_info('tiny') ->> 'prepared_shared')::boolean"), 't',
	'so does srm_model_info()');
$node->restart;
is(inode($file), $inode, 'a restart leaves it');
$node->stop('immediate');
$node->start;
is(inode($file), $inode, 'so does a crash');
is((stat $prepared)[2] & 0777, 0700, 'nobody else reads the directory');

# it can be deleted and damaged at any time

unlink $file;
is(score("SET srm.compute = f32;"), $f32, 'the same bits without the file');
ok(-e $file, 'which is made again');
truncate $file, 5000;
is(score("SET srm.compute = f32;"), $f32, 'the same bits with a file that is cut');
is((prepared_files('f32'))[0], $file, 'which is made again');
open my $handle, '+<:raw', $file or die $!;
seek $handle, 3, 0;
print $handle 'x';
close $handle;
is(score("SET srm.compute = f32;"), $f32, 'the same bits with a file that is damaged');
remove_tree($prepared);
is(score("SET srm.compute = f32;"), $f32, 'the same bits without the directory');

# so can the tables of a tokenizer

my ($tables) = glob("$prepared/*.tok");
ok($tables, 'the tables of the tokenizer are there, too');
$inode = inode($tables);
is(score("SET srm.compute = f32;"), $f32, 'another session gives the same bits');
is(inode($tables), $inode, 'and uses the same file');
unlink $tables;
is(score("SET srm.compute = f32;"), $f32, 'the same bits without the tables');
ok(-e $tables, 'which are made again');
for my $position (-1, 3, 5000, 20000, (-s $tables) - 1)
{
	if ($position < 0)
	{
		truncate $tables, 5000;
	}
	else
	{
		open my $file, '+<:raw', $tables or die $!;
		seek $file, $position, 0;
		print $file "\xA5\x5A";
		close $file;
	}
	$inode = inode($tables);
	is(score("SET srm.compute = f32;"), $f32, "the same bits with tables that are damaged ($position)");
	isnt(inode($tables), $inode, 'which are made again');
}

# sessions that come at once

my @sessions = map { $node->background_psql('postgres') } 1 .. 4;
remove_tree($prepared);
$_->query_safe("SET srm.compute = f32") for @sessions;
my %bits = map { $_->query_safe("SELECT float4send(srm_score('What is it?', 'A bird. It flies.'))") => 1 } @sessions;
is(join(',', keys %bits), $f32, 'several sessions agree');
$_->quit for @sessions;

# where it cannot be written, each session has its own

my ($stdout, $stderr) = run_query("SET srm.prepared_path = '/dev/null/srm'; SET srm.compute = f32;
	SELECT srm_score('a', 'b') IS NOT NULL; SELECT srm_score('a', 'c') IS NOT NULL;
	SELECT prepared_shared FROM srm_models() WHERE name = 'tiny';
	SELECT float4send(srm_score('What is it?', 'A bird. It flies.'))");
is(scalar(() = $stderr =~ /WARNING:.*prepared weights of model "tiny" are not shared/g), 1, 'one warning');
like($stderr, qr/could not create directory "\/dev\/null\/srm"/, 'that says why');
like($stderr, qr/HINT:.*srm\.prepared_path/, 'and what to do');
is($stdout, "t\nt\nf\n$f32\nalive", 'the same bits');

# until it can be written: the session looks again after a while

my $blocked = PostgreSQL::Test::Utils::tempdir . '/prepared';
my $shared = q{SELECT prepared_shared FROM srm_models() WHERE name = 'tiny'};
my $scored = q{SELECT float4send(srm_score('What is it?', 'A bird. It flies.'))};
append_to_file($blocked, 'not a directory');
my $private = $node->background_psql('postgres');
$private->query_safe("LOAD 'srm'; SET client_min_messages = error; SET srm.prepared_path = '$blocked'; SET srm.compute = f32");
is($private->query($scored), $f32, 'a session with weights of its own');
unlink $blocked;
is($private->query_safe("$scored; $shared"), "$f32\nf", 'which keeps them at first');
$private->query_safe('SELECT pg_sleep(10.5)');
is($private->query_safe("$scored; $shared"), "$f32\nt", 'and shares them later');
$private->quit;

# settings

for my $setting ('prepared_path', 'output_path')
{
	fails_with("LOAD 'srm'; SET ROLE reader; SET srm.$setting = '/tmp'", qr/permission denied to set parameter "srm.$setting"/,
		"only a superuser sets srm.$setting");
	fails_with("LOAD 'srm'; SET srm.$setting = '../x'", qr/invalid value for parameter "srm.$setting"/, "no srm.$setting above the data directory");
	fails_with("LOAD 'srm'; SET srm.$setting = ''", qr/invalid value for parameter "srm.$setting"/, "no empty srm.$setting");
}
fails_with("LOAD 'srm'; SET srm.compute = 'f64'", qr/invalid value for parameter "srm.compute"/, 'no unknown arithmetic');

# arithmetic

my $int8 = score("SET ROLE reader; SET srm.compute = int8;");
isnt($int8, $f32, 'int8 gives other bits than f32');
my $auto = score('');
is(score("SET srm.compute = int8;", 'tiny'), $auto, 'a model that is named follows its own config');
is(score("SET srm.compute = f32;", 'tiny'), $auto, 'whatever is set');
is($node->safe_psql('postgres', "SELECT srm_score('a', 'b') IS NOT NULL; SET srm.compute = int8;
	SELECT srm_score('a', 'b') IS NOT NULL; SET srm.compute = f32;
	SELECT float4send(srm_score('What is it?', 'A bird. It flies.')); RESET srm.compute;
	SELECT float4send(srm_score('What is it?', 'A bird. It flies.'))"), "t\nt\n$f32\n$auto", 'a session changes at will');

# a model may say its own arithmetic, which holds where a model is named, whatever is set, and shows

my %kinds = (f32 => $f32, int8 => $int8, bf16 => score("SET srm.compute = bf16;"));
my %others = map { $_ => 1 } glob("$prepared/*");
for my $own (sort keys %kinds)
{
	mkdir "$models/own-$own" or die;
	copy($_, "$models/own-$own/") or die foreach grep { -f } glob("$tiny/*");
	my $config = slurp_file("$tiny/config.json");
	$config =~ s/"srm": \{/"srm": { "compute": "$own",/ or die;
	open my $fh, '>', "$models/own-$own/config.json" or die;
	print $fh $config;
	close $fh;
	for my $set (sort keys %kinds, 'auto')
	{
		is(score("SET srm.compute = '$set';", "own-$own"), $kinds{$own}, "a model of $own under $set");
		is($node->safe_psql('postgres', "SET srm.compute = '$set'; SELECT srm_model_info('own-$own')->>'compute'"), $own, 'and says so');
		is(score("SET srm.compute = '$set'; SET srm.model = 'own-$own';"), $kinds{$set eq 'auto' ? $own : $set}, 'but the setting holds for who follows the settings');
	}
}
is(scalar keys %{{ reverse %kinds }}, 3, 'the kinds differ');
remove_tree(glob("$models/own-*"));
unlink grep { !$others{$_} } glob("$prepared/*");

# how near the kinds are

$node->safe_psql('postgres', "CREATE TABLE lines (line text);
	COPY lines FROM '$ENV{TESTDIR}/test/data/demo/pairs.jsonl' (FORMAT csv, DELIMITER E'\\x01', QUOTE E'\\x02');
	UPDATE lines SET line = jsonb_set(line::jsonb, '{prompt}',
		jsonb_build_array(jsonb_build_object('role', 'user', 'content', line::jsonb -> 'prompt')))
	WHERE length(line) % 2 = 0");
my $agreement = $node->safe_psql('postgres', slurp_file("$ENV{TESTDIR}/test/bench/agreement.sql") =~ s/:"lines"/lines/r =~ s/:n\b/185/r
	. "SELECT kind, n, correlation >= CASE kind WHEN 'int8' THEN 0.995 ELSE 0.9995 END,
		flips <= CASE kind WHEN 'int8' THEN 0.02 ELSE 0.007 END, largest_difference > 0 FROM agreement");
is($agreement, "bf16|185|t|t|t\nint8|185|t|t|t\nw8|185|t|t|t", 'bf16, int8 and w8 agree with f32 on 185 pairs');

# quantizing

fails_with("SET ROLE reader; SELECT srm_quantize('tiny', 'mine')",
	qr/42501: permission denied for function srm_quantize/, 'quantizing has to be granted');
fails_with("SELECT srm_quantize('nowhere', 'small')", qr/42704: model "nowhere" does not exist/, 'an unknown model');
fails_with("SELECT srm_quantize('tiny\@0123456789', 'small')", qr/42704: model "tiny" does not have digest/, 'another digest');
fails_with("SELECT srm_quantize('tiny', '../small')", qr/22023: invalid model name/, 'a path is no name');
fails_with("SELECT srm_quantize('tiny', '.small')", qr/22023: invalid model name/, 'nor is a hidden one');
fails_with("SELECT srm_quantize('tiny', 'tiny')", qr/42710: model "tiny" already exists/, 'a name that is taken');
fails_with("SET srm.output_path = '/dev/null/x'; SELECT srm_quantize('tiny', 'small')",
	qr/could not create directory "\/dev\/null\/x"/, 'nowhere to write');
is(join(',', glob("$output/* $output/.??*")), '', 'nothing is left of that');

make_path("$output/.dead.tmp.1");
$node->safe_psql('postgres', "GRANT EXECUTE ON FUNCTION srm_quantize(text, text, boolean, boolean, text) TO reader;
	SET ROLE reader; SELECT srm_quantize('tiny', 'small')");
is(join(',', glob("$output/* $output/.??*")), "$output/small", 'what a crash left is gone');
is(score('', 'small'), $int8, 'the scores of int8 products');
is(score("SET srm.model = 'small'; SET srm.compute = int8;"), $int8, 'by setting, too');
is($node->safe_psql('postgres', "SELECT dtype, parameters = (SELECT parameters FROM srm_models() WHERE name = 'tiny')
	FROM srm_models() WHERE name = 'small'"), 'int8|t', 'as many parameters of another type');
cmp_ok(-s "$output/small/model.safetensors", '<', -s "$tiny/model.safetensors", 'in less space');
is((stat "$output/small")[2] & 0777, 0700, 'nobody else reads it');
fails_with("SELECT srm_quantize('tiny', 'small')", qr/42710: model "small" already exists/, 'it is there now');
fails_with("SELECT srm_quantize('small', 'smaller')", qr/22023: model in directory .* is quantized already/, 'not twice');

my $session = $node->background_psql('postgres');
my $before = $session->query_safe("SELECT srm_model_info('small') ->> 'digest'");
$inode = inode("$output/small");
$node->safe_psql('postgres', "SELECT srm_quantize('tiny', 'small', true)");
isnt(inode("$output/small"), $inode, 'a model is replaced where that is asked for');
is($session->query_safe("SELECT srm_model_info('small') ->> 'digest'"), $before, 'by the same bytes');
$session->quit;

($stdout, $stderr) = run_query("SET srm.model_path = '$ENV{TESTDIR}/test/data/models'; SELECT srm_quantize('tiny', 'unseen')");
like($stderr, qr/WARNING:.*where "srm.model_path" does not lead/, 'a model that will not be found');

# cancelled at any moment, it leaves nothing

remove_tree("$output/unseen");
my ($cancelled, @wrong) = (0);
for my $ms (1 .. 40)
{
	my ($ret, $out, $error) = $node->psql('postgres',
		"SELECT srm_score('a', 'b') IS NOT NULL; SET statement_timeout = '${ms}ms'; SELECT srm_quantize('tiny', 'cancelled', true)");
	next if $ret == 0;
	$cancelled++;
	push @wrong, "$ms ms: $error" if $error !~ /canceling statement due to statement timeout/;
	push @wrong, "$ms ms: $_ is left" for grep { !/\/(small|cancelled)$/ } glob("$output/* $output/.??*");
}
ok($cancelled > 0, 'some were cancelled');
is(join("\n", @wrong), '', 'with nothing left');

# a model that is replaced gets new files

make_path("$models/changing");
copy("$tiny/$_", "$models/changing/$_") for qw(config.json model.safetensors tokenizer.json tokenizer_config.json);
my $one = score("SET srm.compute = f32; SET srm.model = 'changing';");
is($one, $f32, 'a copy scores alike');
is(scalar(prepared_files('f32')), 2, 'and has a file of its own');
my @old = map { inode($_) } prepared_files('f32');
copy("$tiny/config.json", "$models/changing/config.json.new");
move("$models/changing/config.json.new", "$models/changing/config.json");
score("SET srm.compute = f32; SET srm.model = 'changing';");
my @new = map { inode($_) } prepared_files('f32');
is(scalar(grep { my $i = $_; !grep { $_ == $i } @old } @new), 1, 'the file of a model that changed is made again');
remove_tree("$models/changing");
unlink prepared_files('bf16'), prepared_files('int8');
score("SET srm.compute = int8;");
is(scalar(prepared_files('f32')), 1, 'the files of a model that is gone go');

# base backups take the models and leave the prepared files

$node->backup('backup');
my $backup = $node->backup_dir . '/backup';
ok(-e "$backup/srm/models/small/config.json", 'a backup has the models');
ok(!-e "$backup/pgsql_tmp_srm", 'but no prepared files');

# what was prepared of a model goes when it is renamed or dropped, with its lock

sub pass_through
{
	$node->safe_psql('postgres', q{
		SELECT srm_quantize('tiny', 'passing');
		SELECT srm_score('passing', 'a', 'b c.')});
	my @made = glob("$prepared/*");
	$node->safe_psql('postgres', q{
		SELECT srm_rename_model('passing', 'passed')});
	my @renamed = glob("$prepared/*");
	$node->safe_psql('postgres', q{
		SELECT srm_score('passed', 'a', 'b c.');
		SELECT srm_drop_model('passed')});
	return (scalar @made, scalar @renamed, [ glob("$prepared/*") ]);
}

my ($made, $renamed, $before) = pass_through();
my ($again, $renamed_again, $after) = pass_through();
is($again - $renamed_again, 3, 'weights, tokenizer and lock of a model that is renamed are gone');
is_deeply($after, $before, 'and those of one that is dropped');

$node->stop;
done_testing();
