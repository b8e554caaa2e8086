# What a superuser has set holds, whatever a connection sends before the library is loaded.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', qq{
srm.model_path = '$ENV{TESTDIR}/test/data/models'
srm.training_memory = '1MB'
});
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm; CREATE ROLE u LOGIN; GRANT EXECUTE ON PROCEDURE srm_train TO u');

# a statement as u, with options of the connection
sub as_u
{
	my ($statement, $options) = @_;
	local $ENV{PGOPTIONS} = $options // '';
	my ($ret, $stdout, $stderr) = $node->psql('postgres', $statement, extra_params => ['-U', 'u']);
	return ($stdout, $stderr);
}

my $score = q{SELECT srm_score('llama', 'a', 'b c.') IS NOT NULL};
my $hidden = q{SELECT srm_score('default', 'a', 'b c.')};
my ($stdout, $stderr) = as_u($score);
is($stdout, 't', 'a model in the configured path');
(undef, $stderr) = as_u($hidden);
like($stderr, qr/model "default" does not exist/, 'and none outside of it');

foreach my $setting ('srm.model_path=/', 'srm.output_path=x', 'srm.prepared_path=y', 'srm.training_memory=77')
{
	my ($name) = $setting =~ /^([^=]*)/;
	foreach my $statement ($score, $hidden, q{CALL srm_train('x', 'SELECT 1')}, q{SELECT * FROM srm_models()},
		q{SELECT count(*) FROM srm_segment('A. B.')})
	{
		($stdout, $stderr) = as_u($statement, "-c $setting");
		like($stderr, qr/ERROR:  permission denied to set parameter "\Q$name\E"/, "$name sent by the connection: $statement");
		is($stdout, '', 'and nothing runs');
	}
}

# it is not forgotten by the next statement, nor by setting it back
my (undef, undef, $again) = do {
	local $ENV{PGOPTIONS} = '-c srm.model_path=/';
	$node->psql('postgres', "$hidden;\nRESET srm.model_path;\n$hidden;", extra_params => ['-U', 'u'], on_error_stop => 0);
};
my $denied = () = $again =~ /ERROR:  permission denied to set parameter "srm.model_path"/g;
is($denied, 3, 'the session stays refused; setting it back is refused, too');

# what anybody may set may be sent
($stdout) = as_u(q{SELECT srm_score('a', 'b c.') IS NOT NULL}, '-c srm.model=llama -c srm.threads=2');
is($stdout, 't', 'other settings may be sent');

# a superuser may
{
	local $ENV{PGOPTIONS} = '-c srm.training_memory=2MB';
	is($node->safe_psql('postgres', "$score; SHOW srm.training_memory"), "t\n2MB", 'a superuser may send it');
}

# so may who was granted it
SKIP:
{
	skip 'settings cannot be granted before 15', 1 if $node->pg_version < 15;
	$node->safe_psql('postgres', q{LOAD 'srm'; GRANT SET ON PARAMETER srm.training_memory TO u});
	($stdout) = as_u("$score; SHOW srm.training_memory", '-c srm.training_memory=3MB');
	is($stdout, "t\n3MB", 'who was granted a setting may send it');
}

# preloaded, the server itself refuses
foreach my $library ('session_preload_libraries', 'shared_preload_libraries')
{
	$node->append_conf('postgresql.conf', "$library = 'srm'");
	$node->restart;
	($stdout) = as_u("SHOW srm.model_path; $score");
	is($stdout, "$ENV{TESTDIR}/test/data/models\nt", "$library: what is configured holds");
	($stdout, $stderr) = as_u($hidden, '-c srm.model_path=/');
	like($stderr, qr/permission denied to set parameter "srm.model_path"/, "$library: an option is refused");
	is($stdout, '', "$library: and nothing runs");
}

# names that are no settings are refused, as far as servers can: from 15 on
my ($ret, undef, $error) = $node->psql('postgres', q{LOAD 'srm'; SET srm.nothing = 1});
if ($node->safe_psql('postgres', 'SHOW server_version_num') >= 150000)
{
	like($error, qr/invalid configuration parameter name "srm\.nothing"/, 'no other settings of that prefix');
}
else
{
	is($ret, 0, 'any setting of that prefix');
}

$node->stop;
done_testing();
