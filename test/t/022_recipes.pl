# The pages of recipes run from top to bottom, as they are pasted, with a tiny model in the place of the default one.

use strict;
use warnings;
use Cwd;
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = "$ENV{TESTDIR}/test/data/models/llama";
my $models = PostgreSQL::Test::Utils::tempdir;
my $written = PostgreSQL::Test::Utils::tempdir;

make_path("$models/llama");
copy("$source/$_", "$models/llama/$_") or die $! for qw(config.json model.safetensors tokenizer.json tokenizer_config.json);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$models:\$output'\nsrm.model = 'default'");
$node->start;

# the tables that the README makes
$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	-- of 8 bits, as the default model is
	SELECT srm_quantize('llama', 'default', embedding => true);
	CREATE TABLE pairs (id bigserial PRIMARY KEY, prompt text NOT NULL, chosen text NOT NULL, rejected text NOT NULL,
		margin real GENERATED ALWAYS AS (srm_margin('default', prompt, chosen, rejected)) STORED);
	INSERT INTO pairs (prompt, chosen, rejected)
	SELECT format('What is %s?', i % 7), format('It is %s. Sure.', i), repeat('No. ', i % 5 + 1) FROM generate_series(1, 40) AS i;
	CREATE TABLE preferences (prompt text, chosen text, rejected text, category text);
	INSERT INTO preferences SELECT prompt, chosen, rejected, (ARRAY['Chat/easy', 'Chat/hard', 'Safety/xstest'])[1 + id % 3] FROM pairs;
});

# every block of SQL of a page, in one session
sub run_page
{
	my ($page) = @_;
	my $text = slurp_file("$ENV{TESTDIR}/docs/$page");
	my @blocks = $text =~ /^```sql\n(.*?)^```$/msg;
	my $here = getcwd;
	chdir $written or die $!;
	my ($ret, $stdout, $stderr) = $node->psql('postgres', join("\n", @blocks));
	chdir $here or die $!;
	cmp_ok(scalar @blocks, '>', 4, "$page has recipes");
	is($ret, 0, "all blocks of $page run") or diag($stderr);
	unlike($stderr, qr/WARNING|ERROR/, "$page runs without a warning");
}

sub result
{
	my ($query) = @_;
	return $node->safe_psql('postgres', "SELECT $query");
}

sub read_lines
{
	my ($file) = @_;
	return map { JSON::PP->new->decode($_) } split /\n/, slurp_file("$written/$file");
}

run_page('recipes.md');
is(result(q{count(*), count(score) FROM any_answers}), '3|1', 'a generated column takes any row');
is(result(q{count(*) FROM any_answers WHERE score IS NOT DISTINCT FROM
	CASE WHEN srm_problem('default', prompt, response) IS NULL THEN srm_score('default', prompt, response) END}), '3', 'with the scores of those that can be scored');
is(result(q{count(*) = (SELECT count(*) FROM pairs WHERE margin > 0.5) FROM lines}), 't', 'pairs that were written are read again');
like(slurp_file("$written/report.html"), qr/^<!DOCTYPE html>.*<\/html>\s*\z/s, 'the report is a file');

# one pair in all shapes: one margin
run_page('datasets.md');
is(result(q{count(DISTINCT m), count(m), min(m) = srm_margin('default', 'Is the sky green?', 'No, it is blue.', 'Yes.') FROM (
	SELECT srm_margin('default', srm_messages(chosen), srm_messages(rejected)) AS m FROM hh_rlhf
	UNION ALL SELECT srm_margin('default', chosen, rejected) FROM ultrafeedback
	UNION ALL SELECT srm_margin('default', prompt, chosen, rejected) FROM helpsteer_pairs
	UNION ALL SELECT srm_margin('default', srm_messages(prompt), answers->0->>'answer', answers->2->>'answer') FROM nectar
	UNION ALL SELECT srm_margin('default', prompt, response_1, response_0) FROM safe_rlhf
	UNION ALL SELECT srm_margin('default', prompt || chosen, prompt || rejected) FROM trl_explicit
	UNION ALL SELECT srm_margin('default', chosen, rejected) FROM trl_implicit) AS margins}), '1|7|t', 'one margin in all shapes');
is(result(q{srm_score('default', srm_messages(conversations - 3 - 2)) = srm_score('default', 'Is the sky green?', 'No, it is blue.') FROM sharegpt}), 't', 'and one score');

# what was written for trainers
my ($pair) = read_lines('trl.jsonl');
is_deeply([sort keys %$pair], [qw(chosen margin prompt rejected)], 'a pair has its columns');
is(result(sprintf(q{srm_margin('default', prompt, chosen, rejected) = %s::real FROM helpsteer_pairs}, $pair->{margin})), 't', 'and its margin, with all digits');
my ($conversations) = read_lines('openrlhf.jsonl');
is_deeply([map { map { $_->{role} } @$_ } @$conversations{qw(chosen rejected)}], [qw(user assistant user assistant)], 'conversations of a pair');
is_deeply([map { $_->[1]{content} } @$conversations{qw(chosen rejected)}], [@$pair{qw(chosen rejected)}], 'with its responses');
is($conversations->{margin}, $pair->{margin} > 0 ? $pair->{margin} : 0, 'and a margin that is not negative');
my @sentences = read_lines('sentences.jsonl');
is(scalar @sentences, 2, 'a line a response');
is(scalar @{$_->{ends}}, scalar @{$_->{rewards}}, 'with a reward for each sentence') for @sentences;
is($_->{ends}[-1], length $_->{response}, 'up to the end of the response') for @sentences;
my @tokens = read_lines('tokens.jsonl');
is(scalar @tokens, 2, 'a line a response');
is(result(sprintf(q{abs(sum(reward) - %.9g) < 1e-4 FROM srm_token_rewards('default', '%s', '%s')}, eval { my $sum = 0; $sum += $_ for @{$tokens[0]{rewards}}; $sum },
	$tokens[0]{prompt}, $tokens[0]{response})), 't', 'with the rewards of its tokens');

# they are read by what trainers read them with; PYTHON is make's
SKIP:
{
	my @python = ($ENV{SRM_PYTHON} // 'python3');
	my ($log, @files) = ('', map { "$written/$_.jsonl" } qw(trl openrlhf sentences tokens pairs));
	local @ENV{qw(HF_HOME HF_HUB_OFFLINE)} = ($written, 1);
	skip 'no Python package datasets', 1 if !IPC::Run::run([@python, '-c', 'import datasets'], '>', \$log, '2>', \$log);
	ok(IPC::Run::run([@python, "$ENV{TESTDIR}/tools/compare/read_sets.py", @files], '>', \$log, '2>', \$log), 'the package datasets finds what was written') or diag($log);
}

run_page('scale.md');
is(result(q{count(*), count(problem) FROM all_scores}), result(q{count(*), 0 FROM pairs}), 'a table is scored');
is(result(q{count(*) FROM scored JOIN pairs USING (id) WHERE score IS DISTINCT FROM srm_score('default', prompt, chosen)}), '0', 'and in parallel');

$node->stop;
done_testing();
