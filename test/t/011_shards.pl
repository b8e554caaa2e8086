# Rows on several machines, by postgres_fdw: here three clusters, one that asks and two that hold and score the rows.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

sub start
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', "srm.model_path = '\$system:\$output:$ENV{TESTDIR}/test/data/models'\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION srm');
	return $node;
}

my $front = start('front');
my @shards = map { start("shard$_") } (0, 1);

# each shard scores its own rows as they are written, and shows them in a view
foreach my $shard (@shards)
{
	$shard->safe_psql('postgres', q{
		CREATE TABLE pairs (id bigint PRIMARY KEY, prompt text, chosen text, rejected text,
			margin real GENERATED ALWAYS AS (srm_margin('llama', prompt, chosen, rejected)) STORED);
		CREATE VIEW margins AS SELECT id, margin FROM pairs;
	});
}

$front->safe_psql('postgres', q{
	CREATE EXTENSION postgres_fdw;
	CREATE TABLE pairs (id bigint, prompt text, chosen text, rejected text) PARTITION BY HASH (id);
	CREATE TABLE margins (id bigint, margin real) PARTITION BY HASH (id);
});
for my $i (0, 1)
{
	my ($host, $port) = ($shards[$i]->host, $shards[$i]->port);
	$front->safe_psql('postgres', qq{
		CREATE SERVER shard$i FOREIGN DATA WRAPPER postgres_fdw
			OPTIONS (host '$host', port '$port', dbname 'postgres', extensions 'srm', async_capable 'true', fetch_size '1000');
		CREATE USER MAPPING FOR PUBLIC SERVER shard$i;
		CREATE FOREIGN TABLE pairs_$i PARTITION OF pairs FOR VALUES WITH (MODULUS 2, REMAINDER $i)
			SERVER shard$i OPTIONS (table_name 'pairs');
		CREATE FOREIGN TABLE margins_$i PARTITION OF margins FOR VALUES WITH (MODULUS 2, REMAINDER $i)
			SERVER shard$i OPTIONS (table_name 'margins');
		CREATE FOREIGN TABLE models_$i (name text, digest text) SERVER shard$i OPTIONS (table_name 'models');
	});
}

$front->safe_psql('postgres', q{
	INSERT INTO pairs SELECT i, format('What is %s?', i), format('It is %s. Sure.', i), 'No.' FROM generate_series(1, 400) AS i;
	CREATE TABLE here AS SELECT * FROM pairs;
});
is($front->safe_psql('postgres', 'SELECT count(*) FROM pairs_0'), $shards[0]->safe_psql('postgres', 'SELECT count(*) FROM pairs'),
	'rows lie on their shards');

# scores computed on the shards are those of one machine
is($front->safe_psql('postgres', q{
	SELECT count(*), count(*) FILTER (WHERE m.margin IS DISTINCT FROM srm_margin('llama', prompt, chosen, rejected))
	FROM margins AS m JOIN here USING (id)}), '400|0', 'margins of shards equal those computed here');

# what is sent: no texts, where the view has the score
my $plan = $front->safe_psql('postgres', 'EXPLAIN (VERBOSE, COSTS off) SELECT id, margin FROM margins');
like($plan, qr/Async Foreign Scan/, 'shards work at once');
like($plan, qr/Remote SQL: SELECT id, margin FROM public\.margins/, 'only scores travel');
unlike($plan, qr/prompt/, 'texts do not');

# conditions by a named model are computed where the rows are
$plan = $front->safe_psql('postgres', q{EXPLAIN (VERBOSE, COSTS off)
	SELECT id FROM pairs WHERE srm_margin('llama', prompt, chosen, rejected) > 0});
like($plan, qr/Remote SQL: .*WHERE .*srm_margin/, 'a condition by a named model is shipped');
is($front->safe_psql('postgres', q{SELECT count(*) FROM pairs WHERE srm_margin('llama', prompt, chosen, rejected) > 0}),
	$front->safe_psql('postgres', q{SELECT count(*) FROM here WHERE srm_margin('llama', prompt, chosen, rejected) > 0}),
	'and gives the same rows');
$plan = $front->safe_psql('postgres', q{EXPLAIN (VERBOSE, COSTS off) SELECT id FROM pairs WHERE srm_margin(prompt, chosen, rejected) > 0});
unlike($plan, qr/Remote SQL: .*WHERE/, 'one that follows the settings is not');

# aggregates over one foreign table are computed there, too
$plan = $front->safe_psql('postgres', 'EXPLAIN (VERBOSE, COSTS off) SELECT count(*), avg(margin) FROM margins_0');
like($plan, qr/Remote SQL: SELECT count\(\*\), avg\(margin\)/, 'aggregates of a shard are shipped');
is($front->safe_psql('postgres', q{
	SET enable_partitionwise_aggregate = on;
	SELECT sum(n) FROM (SELECT count(*) AS n FROM margins_0 UNION ALL SELECT count(*) FROM margins_1) AS s}), '400', 'and can be put together');

# the same model on all: one digest
foreach my $shard (@shards)
{
	$shard->safe_psql('postgres', q{CREATE VIEW models AS SELECT name, srm_model_info(name) ->> 'digest' AS digest FROM (VALUES ('llama')) AS m (name)});
}
is($front->safe_psql('postgres', q{
	SELECT count(DISTINCT digest) FROM (SELECT digest FROM models_0 UNION ALL SELECT digest FROM models_1
		UNION ALL SELECT srm_model_info('llama') ->> 'digest') AS d}), '1', 'one digest on all machines');

# each shard scores a table of its own, with workers of its own
foreach my $shard (@shards)
{
	$shard->safe_psql('postgres', q{CALL srm_score_table('pairs', 'scores', prompt => 'prompt', response => 'chosen', model => 'llama', workers => 2)});
	is($shard->safe_psql('postgres', q{SELECT count(*) FROM scores JOIN pairs USING (id) WHERE score IS DISTINCT FROM srm_score('llama', prompt, chosen)}),
		'0', 'srm_score_table runs on a shard');
}

# a source that lies elsewhere can be scored here
$front->safe_psql('postgres', q{CALL srm_score_table('pairs', 'scores', key => 'id', prompt => 'prompt', response => 'chosen', model => 'llama')});
is($front->safe_psql('postgres', q{SELECT count(*), count(*) FILTER (WHERE score IS DISTINCT FROM srm_score('llama', prompt, chosen)) FROM scores JOIN here USING (id)}),
	'400|0', 'srm_score_table reads foreign tables');

# a shard that is down is an error that names it
$shards[1]->stop;
my ($ret, undef, $stderr) = $front->psql('postgres', 'SELECT count(*) FROM margins');
isnt($ret, 0, 'a shard that is down is an error');
like($stderr, qr/could not connect to server "shard1"/, 'which names it');
is($front->safe_psql('postgres', 'SELECT count(*) > 0 FROM margins_0'), 't', 'the others still answer');

$_->stop foreach ($front, $shards[0]);
done_testing();
