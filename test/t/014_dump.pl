# Dumps by who owns a database and is no superuser; a schema that is in the way.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '\$system:\$output:$ENV{TESTDIR}/test/data/models'\n");
$node->start;
my $directory = PostgreSQL::Test::Utils::tempdir;

$node->safe_psql('postgres', 'CREATE ROLE dbo LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE owned OWNER dbo');
$node->safe_psql('postgres', 'CREATE DATABASE restored OWNER dbo');
$node->safe_psql('owned', 'CREATE EXTENSION srm');
$node->safe_psql('owned', q{
	SET ROLE dbo;
	CREATE SCHEMA mine;
	CREATE TABLE mine.pairs (id integer PRIMARY KEY, prompt text, chosen text,
		score real GENERATED ALWAYS AS (srm_score('llama', prompt, chosen)) STORED);
	INSERT INTO mine.pairs (id, prompt, chosen) VALUES (1, 'Is it?', 'Yes. It is.'), (2, 'Why?', 'Because.');
	CREATE INDEX ON mine.pairs (srm_score('llama', prompt, chosen));
	CALL srm_score_table('mine.pairs', 'mine.scores', prompt => 'prompt', response => 'chosen', model => 'llama')});

# the owner of the database dumps it
$node->command_ok(['pg_dump', '-U', 'dbo', '-d', $node->connstr('owned'), '-Fc', '-f', "$directory/owned.dump"],
	'the owner of a database can dump it');

# a restore scores again, and needs the model
$node->safe_psql('restored', 'CREATE EXTENSION srm; CREATE SCHEMA mine AUTHORIZATION dbo');
$node->command_ok(['pg_restore', '-U', 'dbo', '-d', $node->connstr('restored'), '--schema=mine', "$directory/owned.dump"],
	'and restore it');
my $sums = 'SELECT id, score, problem FROM mine.scores ORDER BY id; SELECT id, float4send(score) FROM mine.pairs ORDER BY id';
is($node->safe_psql('restored', $sums), $node->safe_psql('owned', $sums), 'with the same scores');

# without the model the table stays empty, and the restore says why
$node->safe_psql('postgres', 'CREATE DATABASE without OWNER dbo');
$node->safe_psql('without', 'CREATE EXTENSION srm; CREATE SCHEMA mine AUTHORIZATION dbo; ALTER DATABASE without SET srm.model_path = \'$system\'');
my ($ret, $stdout, $stderr) = (0, '', '');
$ret = run_log(['pg_restore', '-U', 'dbo', '-d', $node->connstr('without'), '--schema=mine', "$directory/owned.dump"], '2>', \$stderr);
ok(!$ret, 'a restore without the model fails');
like($stderr, qr/model "llama" does not exist/, 'and names it');
is($node->safe_psql('without', 'SELECT count(*) FROM mine.pairs'), '0', 'the table is empty');

# a schema of the same name as the extension's
$node->safe_psql('postgres', 'CREATE DATABASE taken');
$node->safe_psql('taken', 'CREATE SCHEMA srm');
($ret, $stdout, $stderr) = $node->psql('taken', 'CREATE EXTENSION srm SCHEMA srm');
like($stderr, qr/schema "srm" already exists.*HINT:  The extension makes a schema of that name/s, 'a schema that is in the way');
$node->safe_psql('taken', 'DROP SCHEMA srm; CREATE SCHEMA ours; CREATE EXTENSION srm SCHEMA ours');
is($node->safe_psql('taken', q{SELECT ours.srm_score('llama', 'a', 'b.') IS NOT NULL}), 't', 'functions in a schema of choice');
$node->safe_psql('taken', q{CREATE TABLE t AS SELECT 1 AS id, 'a' AS p, 'b.' AS r; CALL ours.srm_score_table('t', 'ours.s', key => 'id', prompt => 'p', response => 'r', model => 'llama', workers => 2)});
is($node->safe_psql('taken', 'SELECT score IS NOT NULL FROM ours.s'), 't', 'which need not be in the search path');
is($node->safe_psql('taken', q{SELECT length(ours.srm_heatmap('llama', 'a', 'b.')) > 10}), 't', 'for any function');

$node->stop;
done_testing();
