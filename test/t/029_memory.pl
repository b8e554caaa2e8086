# A session that calls the same function again and again does not grow, whether the call succeeds or fails.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'there is no /proc/self/status' unless -r '/proc/self/status';

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '\$output:$ENV{TESTDIR}/test/data/models'\nsrm.model = 'llama'\njit = off\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE pairs (id integer PRIMARY KEY, prompt text, chosen text, rejected text);
	INSERT INTO pairs SELECT i, 'Say ' || i || '.', md5(i::text) || '. Yes. ' || i, 'No, ' || md5((-i)::text) || '.' FROM generate_series(1, 8) AS i;
	-- bytes that this process has for itself, apart from files and shared memory
	CREATE FUNCTION own_kb() RETURNS bigint LANGUAGE sql AS
		$$SELECT substring(pg_read_file('/proc/self/status') FROM 'RssAnon:\s+(\d+)')::bigint$$;
	-- by how many kB the process grows while a statement runs n times: the least of four rounds, since caches fill once
	CREATE FUNCTION growth(statement text, n integer) RETURNS bigint LANGUAGE plpgsql AS $$
	DECLARE
		least bigint;
		before bigint;
	BEGIN
		FOR round IN 1 .. 4 LOOP
			before := own_kb();
			FOR i IN 1 .. n LOOP EXECUTE statement; END LOOP;
			least := least(least, own_kb() - before);
		END LOOP;
		RETURN least;
	END $$;
	-- the same where the statement fails
	CREATE FUNCTION growth_failing(statement text, message text, n integer) RETURNS bigint LANGUAGE plpgsql AS $$
	BEGIN
		RETURN growth(format('DO $x$ BEGIN EXECUTE %L; RAISE ''it does not fail''; EXCEPTION WHEN OTHERS THEN IF strpos(SQLERRM, %L) = 0 THEN RAISE; END IF; END $x$',
			statement, message), n);
	END $$});

# What a call leaves behind shows in all rounds
sub stays
{
	my ($call, $name) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres', "SET client_min_messages = error; SELECT $call");
	$stdout = 'nothing' if $stdout eq '';
	ok($stdout ne 'nothing' && $stdout < 16, $name) or diag "grew by $stdout kB: $stderr";
}
my $query = 'SELECT prompt, chosen, rejected FROM pairs ORDER BY id';
stays("growth(\$\$$_\$\$, 100)", $_) foreach
	'SELECT srm_score(prompt, chosen) FROM pairs',
	q{SELECT srm_score('llama', prompt, chosen || clock_timestamp()) FROM pairs},
	'SELECT srm_margin(prompt, chosen, rejected), srm_scores(prompt, ARRAY[chosen, rejected]) FROM pairs',
	'SELECT * FROM pairs, srm_sentence_rewards(prompt, chosen)',
	'SELECT * FROM pairs, srm_token_rewards(prompt, chosen)',
	'SELECT srm_problem(prompt, chosen), srm_heatmap(prompt, chosen) FROM pairs',
	'SELECT * FROM srm_segment((SELECT string_agg(chosen, chr(10)) FROM pairs))',
	"SELECT * FROM srm_evaluate('$query')",
	"SELECT srm_report('$query')";
stays("growth(\$\$$_\$\$, 5)", $_) foreach
	"SELECT * FROM srm_quantize('llama', 'copy', '$query', true)",
	"SELECT * FROM srm_quantize('llama', 'copy', '$query', true, calibration_pairs => 4)";

# errors, at every place where one may come from
stays("growth_failing(\$\$SELECT srm_score(prompt, '') FROM pairs\$\$, 'response must not be empty', 150)", 'a response that cannot be scored');
stays("growth_failing(\$\$SELECT srm_score('nowhere', 'a', 'b')\$\$, 'does not exist', 150)", 'a model that is not there');
stays("growth_failing(\$\$SELECT srm_evaluate('SELECT prompt, chosen, rejected FROM pairs WHERE 1 / (id - 7) > -2')\$\$, 'division by zero', 150)", 'an error in a query');
stays("growth_failing(\$\$SELECT srm_quantize('llama', 'copy', 'SELECT prompt, chosen, rejected FROM pairs WHERE 1 / (id - 7) > -2', true, calibration_pairs => 4)\$\$, 'division by zero', 6)",
	'an error while a copy is calibrated');

$node->stop;
done_testing();
