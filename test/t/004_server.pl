# Preloading, restarts, just-in-time compilation, threads and other encodings.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use File::Path qw(rmtree);
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');
my $query = "SELECT float4send(srm_score('What is it?', 'A bird. It flies.'))";
my $bits = $node->safe_psql('postgres', $query);

# restarts and preloading

$node->restart;
is($node->safe_psql('postgres', $query), $bits, 'the same bits after a restart');
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'srm'
srm.preload_models = 'tiny, nowhere'
});
# also where the postmaster has to prepare the weights itself
$node->stop;
rmtree($node->data_dir . '/pgsql_tmp_srm');
$node->start;
is($node->safe_psql('postgres', $query), $bits, 'the same bits from a preloaded model');
is($node->safe_psql('postgres', "SELECT load_ms IS NOT NULL FROM srm_models() WHERE name = 'tiny'"),
	't', 'a new session has it open');
like(slurp_file($node->logfile), qr/WARNING:  model "nowhere" cannot be loaded/, 'a missing one is a warning');

# threads: none in the postmaster, none in a backend beyond a call

sub count_threads
{
	my ($pid) = @_;
	my @threads = glob("/proc/$pid/task/*");
	return scalar @threads;
}

SKIP:
{
	skip 'no /proc', 3 unless -d '/proc/self/task';
	my $postmaster = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	is(count_threads($postmaster), 1, 'the postmaster has one thread');
	my $session = $node->background_psql('postgres');
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_safe("SELECT srm_score('Hi.', 'Hello.')");
	is(count_threads($pid), 1, 'so has a backend that has scored');
	$session->query_safe("SET srm.threads = 4; SELECT srm_score('Hi.', 'Hello. And more.')");
	is(count_threads($pid), 1, 'and one whose threads have done their work');
	$session->quit;
}

# just-in-time compilation, with all it can inline

is($node->safe_psql('postgres', qq{
	SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0;
	$query}), $bits, 'with just-in-time compilation');
is($node->safe_psql('postgres', q{
	SET jit = on; SET jit_above_cost = 0; SET jit_inline_above_cost = 0; SET jit_optimize_above_cost = 0;
	SELECT count(*) FROM generate_series(1, 20) i, srm_segment('One. Two. ' || i) WHERE sentence_no > 0}),
	'60', 'also of a set-returning function');

# other encodings: positions count characters, not bytes of UTF-8

$node->safe_psql('postgres', q{
	CREATE DATABASE latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$node->safe_psql('latin1', q{CREATE EXTENSION srm});
is($node->safe_psql('latin1', q{
	SET client_encoding = 'UTF8';
	SELECT start_pos, end_pos, sentence FROM srm_segment('Schöne Grüße. Ça va?')}),
	"1|14|Schöne Grüße. \n15|20|Ça va?", 'sentences in LATIN1');
is($node->safe_psql('latin1', q{
	SET client_encoding = 'UTF8';
	SELECT float4send(srm_score('Schöne Grüße?', 'Ça va. Très bien.'))}),
	$node->safe_psql('postgres', q{SELECT float4send(srm_score('Schöne Grüße?', 'Ça va. Très bien.'))}),
	'the same score in LATIN1 and UTF-8');
is($node->safe_psql('latin1', q{
	SET client_encoding = 'UTF8';
	SELECT srm_score('[{"role": "user", "content": "Grüße?"}, {"role": "assistant", "content": "Ça va."}]'::jsonb)
		= srm_score('Grüße?', 'Ça va.')}), 't', 'messages in LATIN1');

# spellings of tokens have characters that LATIN1 lacks
is($node->safe_psql('latin1', q{
	SET client_encoding = 'UTF8';
	SELECT string_agg(token, '|' ORDER BY token_no) FROM srm_tokenize('Ça va?')}),
	$node->safe_psql('postgres', q{
	SELECT string_agg((SELECT string_agg(CASE WHEN ascii(c) < 256 THEN c ELSE '\u' || upper(lpad(to_hex(ascii(c)), 4, '0')) END, '' ORDER BY n)
		FROM regexp_split_to_table(token, '') WITH ORDINALITY AS c(c, n)), '|' ORDER BY token_no)
	FROM srm_tokenize('Ça va?')}), 'tokens in LATIN1 show what it lacks by number');
like($node->safe_psql('latin1', q{SELECT string_agg(token, '|') FROM srm_tokenize('is it')}), qr/\\u0120/, 'such as a space before a word');
is($node->safe_psql('latin1', q{
	SET client_encoding = 'UTF8';
	SELECT sum(reward) FROM srm_token_rewards('Ça va?', 'Très bien, merci. Et toi?')}),
	$node->safe_psql('postgres', q{SELECT sum(reward) FROM srm_token_rewards('Ça va?', 'Très bien, merci. Et toi?')}),
	'rewards of tokens in LATIN1');

$node->safe_psql('postgres', q{
	CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0});
$node->safe_psql('ascii', q{CREATE EXTENSION srm});
is($node->safe_psql('ascii', q{SELECT count(*) FROM srm_segment('One. Two.')}), '2', 'sentences without an encoding');
my ($ret, $stdout, $stderr) = $node->psql('ascii', q{SELECT srm_score('a', E'b\xff')});
like($stderr, qr/invalid byte sequence for encoding "UTF8"/, 'bytes that are no text are an error');
like($node->safe_psql('ascii', q{SELECT srm_problem('tiny', 'a', E'b\xff')}), qr/invalid byte sequence for encoding "UTF8"/, 'which a problem tells');

# a crash of one backend: the others come back and score alike

my $victim = $node->background_psql('postgres', on_error_stop => 0);
my $pid = $victim->query_safe('SELECT pg_backend_pid()');
$victim->query_safe($query);
$node->append_conf('postgresql.conf', 'restart_after_crash = on');
$node->reload;
kill 'KILL', $pid;
$node->poll_query_until('postgres', 'SELECT true');
is($node->safe_psql('postgres', $query), $bits, 'the same bits after a crash');

done_testing();
