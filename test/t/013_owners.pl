# Models and their checkpoints belong to who made them: who may replace, resume, rename and drop them.

use strict;
use warnings;
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', qq{
srm.model_path = '\$system:\$output:$ENV{TESTDIR}/test/data/models'
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
	CREATE ROLE trainers;
	CREATE ROLE alice LOGIN IN ROLE trainers;
	CREATE ROLE bob LOGIN IN ROLE trainers;
	CREATE ROLE carol LOGIN IN ROLE trainers, alice;
	CREATE ROLE nobody LOGIN;
	GRANT SELECT ON pairs TO trainers;
	GRANT EXECUTE ON PROCEDURE srm_train TO trainers;
	GRANT EXECUTE ON FUNCTION srm_calibrate, srm_quantize(text, text, boolean, boolean, text), srm_drop_model, srm_rename_model TO trainers;
});

my $long = "base => 'attention-marker', batch => 4, learning_rate => 0.001, epochs => 200, log_every => 1";

sub train
{
	my ($name, $arguments) = @_;
	return "CALL srm_train('$name', 'SELECT * FROM pairs ORDER BY prompt', $arguments)";
}

sub calibrate
{
	return "SELECT srm_calibrate('$_[0]', 'SELECT prompt, chosen AS response FROM pairs LIMIT 4')";
}

sub value
{
	return $node->safe_psql('postgres', shift);
}

sub as
{
	my ($role, $statement) = @_;
	return "SET SESSION AUTHORIZATION $role; $statement";
}

sub fails_with
{
	my ($statement, $pattern, $name) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement;\n", on_error_stop => 0);
	like($stderr, $pattern, $name);
}

sub owner
{
	my $path = "$models/$_[0]/srm_owner.json";
	return -e $path && slurp_file($path) =~ /"role": "(.*)"/ ? $1 : undef;
}

sub install
{
	my ($name) = @_;
	make_path("$models/$name");
	for my $file (qw(config.json tokenizer.json tokenizer_config.json model.safetensors))
	{
		my $from = "$ENV{TESTDIR}/test/data/models/tiny/$file";
		next unless -e $from;
		open my $out, '>:raw', "$models/$name/$file" or die $!;
		print $out slurp_file($from);
		close $out;
	}
}

# a model of alice's is hers

value(as('alice', "SELECT srm_quantize('llama', 'mine')"));
is(owner('mine'), 'alice', 'a model says who made it');
is(value("SELECT srm_model_info('mine')->>'owner', srm_model_info('tiny')->>'owner' IS NULL"), 'alice|t', 'also in SQL');
my $before = slurp_file("$models/mine/model.safetensors");
my $must = qr/42501: must be owner of model "mine".*DETAIL: +Its owner is role "alice"/s;
fails_with(as('bob', "SELECT srm_quantize('tiny', 'mine', true)"), $must, 'another one cannot replace it with srm_quantize');
fails_with(as('bob', calibrate('mine')), $must, 'nor with srm_calibrate');
fails_with(as('bob', train('mine', "$long, replace => true")), $must, 'nor with srm_train');
fails_with(as('bob', "SELECT srm_drop_model('mine')"), $must, 'nor drop it');
fails_with(as('bob', "SELECT srm_rename_model('mine', 'his')"), $must, 'nor rename it');
ok(slurp_file("$models/mine/model.safetensors") eq $before, 'it is as it was');
fails_with(as('nobody', "SELECT srm_drop_model('mine')"), qr/42501: permission denied for function srm_drop_model/, 'not everybody drops models');
fails_with(as('nobody', "SELECT srm_rename_model('mine', 'x')"), qr/42501: permission denied for function srm_rename_model/, 'nor renames them');
value(as('alice', "SELECT srm_quantize('qwen3', 'mine', true)"));
ok(slurp_file("$models/mine/model.safetensors") ne $before, 'she replaces it');
value(as('carol', "SELECT srm_quantize('llama', 'mine', true)"));
ok(slurp_file("$models/mine/model.safetensors") eq $before, 'and who has her privileges');
value(calibrate('mine'));
is(owner('mine'), 'alice', 'it stays hers, whoever replaces it');
is(value("SELECT srm_model_info('mine')->'mean' IS NOT NULL"), 't', 'also by a superuser');
my $digest = value("SELECT srm_model_info('mine')->>'digest'");
value(as('alice', "SELECT srm_rename_model('mine', 'mine too')"));
is(value("SELECT srm_model_info('mine too')->>'digest'"), $digest, 'renaming changes nothing of a model');
is(owner('mine too'), 'alice', 'nor whose it is');
value(as('alice', "SELECT srm_rename_model('mine too', 'mine')"));

# what was installed by hand is nobody's

install('installed');
fails_with(as('alice', "SELECT srm_drop_model('installed')"), qr/42501: must be owner of model "installed".*only a superuser/s, 'a model that nobody made');
fails_with(as('alice', calibrate('installed')), qr/42501: must be owner of model "installed"/, 'cannot be replaced either');
open my $owner, '>', "$models/installed/srm_owner.json" or die $!;
print $owner '{"role": ["alice"], "oid": 1e300';
close $owner;
fails_with(as('alice', "SELECT srm_drop_model('installed')"), qr/42501: must be owner of model "installed".*only a superuser/s, 'nor one whose owner makes no sense');
value("SELECT srm_rename_model('installed', 'renamed')");
value("SELECT srm_drop_model('renamed')");
ok(!-e "$models/renamed" && !-e "$models/installed", 'but by a superuser');

# a role of the same name is not the same

value("ALTER ROLE bob RENAME TO robert; SET SESSION AUTHORIZATION robert; SELECT srm_quantize('llama', 'roberts')");
value("REASSIGN OWNED BY robert TO CURRENT_USER; DROP ROLE robert; CREATE ROLE robert LOGIN IN ROLE trainers; ALTER ROLE robert RENAME TO bob");
fails_with(as('bob', "SELECT srm_drop_model('roberts')"), qr/42501: must be owner of model "roberts"/, 'another role is not that which had its name');
value("ALTER ROLE bob RENAME TO robert");
fails_with(as('robert', "SELECT srm_drop_model('roberts')"), qr/42501: must be owner/, 'even under it');
value("ALTER ROLE robert RENAME TO bob; SELECT srm_drop_model('roberts')");

# checkpoints

my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe('SET SESSION AUTHORIZATION alice');
my $pid = $session->query_safe('SELECT pg_backend_pid()');
$session->query_until(qr/started/, "\\echo started\n" . train('run', $long) . ";\n");
$node->poll_query_until('postgres', "SELECT count(*) >= 3 FROM srm.training_log WHERE model = 'run'") or die;
fails_with("SELECT srm_drop_model('run')", qr/55006: model "run" is being written by another session/, 'a model that is trained');
fails_with("SELECT srm_rename_model('mine', 'run')", qr/55006: model "run" is being written by another session/, 'whose name is taken');
fails_with("SELECT srm_quantize('tiny', 'run')", qr/55006: model "run" is being written by another session/, 'for all');
value("SELECT pg_cancel_backend($pid)");
$node->poll_query_until('postgres', "SELECT state = 'idle' FROM pg_stat_activity WHERE pid = $pid");
$session->quit;
my $state = slurp_file("$models/.training/run/training.state");
fails_with(as('bob', train('run', $long)), qr/55000: there is a checkpoint of model "run" behind step \d+ by role "alice".*HINT: +Choose another name/s,
	'a checkpoint of somebody else');
fails_with(as('bob', train('run', "$long, resume => true")), qr/42501: must be owner of checkpoint of model "run"/, 'cannot be resumed');
fails_with(as('bob', train('run', "$long, replace => true")), qr/42501: must be owner of checkpoint of model "run"/, 'nor discarded');
ok(slurp_file("$models/.training/run/training.state") eq $state, 'it is as it was');
value(train('run', "$long, resume => true"));
is(owner('run'), 'alice', 'a superuser resumes it, and the model is whose the run was');

# renaming and dropping

fails_with("SELECT srm_rename_model('run', 'mine')", qr/42710: model "mine" already exists/, 'a new name that is taken');
fails_with("SELECT srm_rename_model('run', 'llama')", qr/42710: model "llama" already exists.*comes first/s, 'also elsewhere');
fails_with("SELECT srm_rename_model('run', '../run')", qr/22023: invalid model name/, 'a path');
fails_with("SELECT srm_rename_model('nowhere', 'x')", qr/42704: model "nowhere" does not exist/, 'a model that is not there');
fails_with("SELECT srm_drop_model('nowhere')", qr/42704: model "nowhere" does not exist/, 'nor to be dropped');
fails_with("SELECT srm_drop_model('tiny')", qr/55000: model "tiny" is not in the directory in "srm.output_path"/, 'a model of another directory');
fails_with("SELECT srm_drop_model('.training')", qr/22023: invalid model name/, 'what is no model');
make_path("$models/directory/deep");
fails_with("SELECT srm_drop_model('directory')", qr/42704: model "directory" does not exist/, 'a directory that is none');
ok(-e "$models/directory/deep", 'it stays');
fails_with("SELECT srm_quantize('tiny', 'mine')", qr/42710: model "mine" already exists/, 'one mistake has one code');
fails_with(train('mine', $long), qr/42710: model "mine" already exists/, 'in all functions');
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_safe("SELECT srm_score('mine', 'a', 'b')");
value("SELECT srm_drop_model('mine')");
is($node->safe_psql('postgres', "SELECT count(*) FROM srm_models() WHERE name = 'mine'"), '0', 'a model is dropped');
is($session->query("SELECT srm_score('mine', 'a', 'b')"), '', 'also for those who had it open');
is($session->query('SELECT 1'), '1', 'who go on');
$session->quit;
opendir(my $directory, $models) or die $!;
is(join(' ', sort grep { !/^\.{1,2}$/ } readdir $directory), '.training directory run', 'nothing is left of what was dropped');
closedir $directory;

# on a standby, whose models are its own

$node->backup('standby');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'standby', has_streaming => 1);
$standby->start;
$standby->safe_psql('postgres', "SELECT srm_quantize('llama', 'here')");
is($standby->safe_psql('postgres', "SELECT count(*) FROM srm_models() WHERE name = 'here'"), '1', 'a model is made on a standby');
$standby->safe_psql('postgres', "SELECT srm_rename_model('here', 'there')");
$standby->safe_psql('postgres', "SELECT srm_drop_model('there')");
is($standby->safe_psql('postgres', "SELECT count(*) FROM srm_models() WHERE name IN ('here', 'there')"), '0', 'renamed and dropped');
my (undef, undef, $said) = $standby->psql('postgres', q{CALL srm_score_table('pg_class', 'scores', prompt => 'relname', response => 'relkind')});
like($said, qr/cannot execute srm_score_table\(\) during recovery/, 'a standby scores into no table');

# models that are made on the primary are not there, until they are copied; a second time, too
for my $rate ('0.001', '0.01')
{
	$node->safe_psql('postgres', train('copied', "base => 'llama', epochs => 1, replace => true, learning_rate => $rate"));
	my $right = $node->safe_psql('postgres', q{SELECT float4send(srm_score('copied', 'a', 'b c.'))});
	my ($ret, $stdout, $stderr) = $standby->psql('postgres', q{SELECT float4send(srm_score('copied', 'a', 'b c.'))});
	isnt($stdout, $right, "a model trained at $rate is not on the standby");
	my ($from, $to) = map { $_->data_dir . '/srm/models' } $node, $standby;
	system("mkdir -p $to && cp -a $from/copied $to/.copied.new && cd $to && { test ! -e copied || mv copied .copied.old; } && mv .copied.new copied && rm -rf .copied.old");
	is($standby->safe_psql('postgres', q{SELECT float4send(srm_score('copied', 'a', 'b c.'))}), $right, 'but a copy of it is');
}
$standby->stop;

unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'no backend crashed');

done_testing();
