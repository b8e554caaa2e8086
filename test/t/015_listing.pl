# Listing models: at once beside large ones, past names that no text can be, and preloading by names as they are.

use strict;
use warnings;
use File::Copy qw(copy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $models = PostgreSQL::Test::Utils::tempdir;
my $source = "$ENV{TESTDIR}/test/data/models/llama";

# a copy of a small model under another name
sub make_model
{
	my ($name) = @_;
	mkdir "$models/$name" or die "$name: $!";
	copy($_, "$models/$name/") or die foreach glob("$source/*");
}

make_model('Model-A');
make_model('large');
# 4 GB of zeros, of which no byte is on disk
open my $fh, '>', "$models/large/optimizer.bin" or die;
truncate $fh, 4 * 1024**3 or die;
close $fh;
make_model("bad\xffname");
make_model("\xc3\xa9t\xc3\xa9");
make_model("\xe4\xb8\xad");

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$models'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

# names that are no text are passed over
my ($ret, $stdout, $stderr) = $node->psql('postgres', q{SELECT string_agg(name, ' ' ORDER BY name COLLATE "C") FROM srm_models()});
is($ret, 0, 'a name that is not UTF-8 breaks nothing');
is($stdout, "Model-A large \xc3\xa9t\xc3\xa9 \xe4\xb8\xad", 'the others are listed');
like($stderr, qr/WARNING:  model directory "bad\?name" is passed over/, 'with a warning');

$node->safe_psql('postgres', q{CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'});
$node->safe_psql('latin', 'CREATE EXTENSION srm');
($ret, $stdout, $stderr) = $node->psql('latin', q{SELECT count(*) FROM srm_models()});
is($stdout, '3', 'what an encoding lacks is passed over there');
is(() = $stderr =~ /is passed over/g, 2, 'with a warning each');

# a large directory is not read for a list; asked for, its digest is, and then it is known
my $digests = q{SELECT string_agg(name || ' ' || (digest IS NOT NULL)::text, ', ') FROM srm_models() WHERE name IN ('Model-A', 'large')};
like($node->safe_psql('postgres', $digests), qr/large false/, 'a large directory is not read for a list');
like($node->safe_psql('postgres', $digests), qr/Model-A true/, 'a small one is');
is($node->safe_psql('postgres', qq{
	SELECT srm_model_info('large') ->> 'digest' = srm_model_info('Model-A') ->> 'digest';
	SELECT bool_and(digest IS NOT NULL) FROM srm_models() WHERE name = 'large';}), "t\nt", 'a digest that was asked for is known');
is($node->safe_psql('postgres', q{
	SELECT count(DISTINCT digest) FROM (SELECT digest FROM srm_models() WHERE name = 'Model-A' UNION ALL SELECT srm_model_info('Model-A') ->> 'digest') AS d}),
	'1', 'both say the same');

# a file that changes changes the digest, also in a session that knew it
$node->safe_psql('postgres', qq{
	CREATE TABLE before AS SELECT digest FROM srm_models() WHERE name = 'Model-A'});
system("printf ' ' >> '$models/Model-A/tokenizer_config.json'");
isnt($node->safe_psql('postgres', q{SELECT digest FROM srm_models() WHERE name = 'Model-A'}),
	$node->safe_psql('postgres', q{SELECT digest FROM before}), 'a changed file changes the digest');

# names to preload keep their capitals
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'srm'\nsrm.preload_models = 'Model-A, nowhere'\n");
$node->restart;
my $log = slurp_file($node->logfile);
unlike($log, qr/model "model-a"/i, 'a name with capitals is found');
like($log, qr/WARNING:  model "nowhere" cannot be loaded/, 'a missing one is a warning');
is($node->safe_psql('postgres', q{SELECT load_ms IS NOT NULL FROM srm_models() WHERE name = 'Model-A'}), 't', 'it is open from the start');

$node->stop;
done_testing();
