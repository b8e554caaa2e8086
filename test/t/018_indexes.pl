# When scores in generated columns and in indexes on expressions are computed, as docs/operations.md has it.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$ENV{TESTDIR}/test/data/models'\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE columned (id int, flag int, prompt text, response text,
		score real GENERATED ALWAYS AS (srm_score('llama', prompt, response)) STORED);
	CREATE TABLE indexed (id int, flag int, prompt text, response text);
	INSERT INTO columned
	SELECT i, 0, 'Q ' || md5(i::text), 'A ' || md5((i + 1)::text) || '. It is.' FROM generate_series(1, 40) AS i;
	INSERT INTO indexed SELECT id, flag, prompt, response FROM columned});

# how often a new session scores for statements
sub passes
{
	my ($statements) = @_;
	my $output = $node->safe_psql('postgres', "$statements;\nSELECT (srm_model_info('llama')->>'passes')::int");
	return (split /\n/, $output)[-1];
}

my $make = q{CREATE INDEX CONCURRENTLY indexed_score ON indexed (srm_score('llama', prompt, response))};
is(passes($make), 40, 'an index is built without keeping writers out');
is($node->safe_psql('postgres', q{SELECT indisvalid FROM pg_index WHERE indexrelid = 'indexed_score'::regclass}), 't', 'and is valid');
is(passes('REINDEX INDEX indexed_score'), 40, 'REINDEX scores');
is(passes('REINDEX INDEX CONCURRENTLY indexed_score'), 40, 'concurrently, too');
is(passes('ANALYZE indexed'), 40, 'ANALYZE scores what it samples');
is(passes('ALTER INDEX indexed_score ALTER COLUMN 1 SET STATISTICS 0; ANALYZE indexed'), 0, 'but not without statistics of the expression');
is(passes('VACUUM FULL indexed'), 40, 'VACUUM FULL scores');
is(passes('ANALYZE columned; VACUUM FULL columned'), 0, 'a generated column is not computed by any of these');

# a table that is packed has no room for new versions on their pages, one with a fill factor has
is(passes('UPDATE columned SET flag = 1'), 0, 'an update of another column does not score a generated one');
cmp_ok(passes('UPDATE indexed SET flag = 1'), '>', 0, 'but versions of rows that an index gets');
is(passes('ALTER TABLE indexed SET (fillfactor = 50); VACUUM FULL indexed; SELECT 1'), 40, 'room is made');
is(passes('UPDATE indexed SET flag = 2 WHERE id <= 10'), 0, 'those beside their old versions get no entry');
is(passes(q{UPDATE columned SET response = response || '!' WHERE id <= 10}), 10, 'an update of the text scores');

# a condition reads the index, a select list computes
my $plan = 'SET enable_seqscan = off; ';
my $condition = q{srm_score('llama', prompt, response) > -100};
is(passes("$plan SELECT count(*) FROM indexed WHERE $condition"), 0, 'a condition is read from the index');
is(passes("$plan SELECT count(srm_score('llama', prompt, response)) FROM indexed WHERE $condition"), 40, 'a select list computes');

$node->stop;
done_testing();
