# A model that says itself how much it reads, and what becomes of a longer text.

use strict;
use warnings;
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $source = "$ENV{TESTDIR}/test/data/models/llama";
my $models = PostgreSQL::Test::Utils::tempdir;

# a copy of a model with an object "srm" of its own
sub make_model
{
	my ($name, $settings) = @_;
	make_path("$models/$name");
	for my $file (qw(config.json model.safetensors tokenizer.json tokenizer_config.json))
	{
		my $data = slurp_file("$source/$file");
		$data =~ s/\{/{"srm": $settings,/ if $file eq 'config.json';
		open my $out, '>:raw', "$models/$name/$file" or die $!;
		print $out $data;
		close $out;
	}
}

make_model('whole', '{}');
make_model('cut_response', '{"truncation": "response", "max_tokens": 64}');
make_model('cut_prompt', '{"truncation": "prompt", "max_tokens": 64}');
make_model('short', '{"max_tokens": 64}');
make_model('unknown', '{"truncation": "middle"}');
make_model('number', '{"truncation": 1}');
make_model('tiny_limit', '{"max_tokens": 15}');
make_model('large_limit', '{"max_tokens": 257}');

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$models'\nsrm.model = 'whole'");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE texts AS SELECT 'Is it?' AS short, repeat('It is so. ', 12) AS long;
});

sub result
{
	my ($query) = @_;
	return $node->safe_psql('postgres', "SELECT $query FROM texts");
}

sub fails_with
{
	my ($expression, $pattern, $name) = @_;
	my ($ret, undef, $stderr) = $node->psql('postgres', "SELECT $expression FROM texts");
	isnt($ret, 0, "$name: an error");
	like($stderr, $pattern, $name);
}

# without a word, too long is an error
is(result(q{srm_problem('whole', short, long) IS NULL}), 't', 'the source can read both texts');
fails_with(q{srm_score('short', short, long)}, qr/text is too long for the model.*the limit is 64.*HINT:.*"truncation" in "srm" of the model's config\.json/s,
	'max_tokens of a model');
is(result(q{srm_problem('short', short, long) LIKE 'text is too long%'}), 't', 'and it is a problem');

# a model that is named may cut, and says so
is(result(q{(d).n_tokens, (d).truncated, srm_problem('cut_response', short, long) IS NULL FROM (SELECT srm_score_details('cut_response', short, long) AS d, short, long FROM texts) AS t --}),
	'64|t|t', 'a named model cuts the response');
is(result(q{(d).n_tokens, (d).truncated FROM (SELECT srm_score_details('cut_prompt', long, short) AS d FROM texts) AS t --}), '64|t', 'another the prompt');
fails_with(q{srm_score('cut_response', long, short)}, qr/text is too long/, 'what cannot be cut is still an error');
is(result(q{srm_token_count('cut_response', short, long) > 64}), 't', 'tokens are counted whole');

# the same as the settings do, with the same bits
is($node->safe_psql('postgres', q{
	SET srm.max_tokens = 64;
	SET srm.truncation = 'response';
	SELECT srm_score(short, long) = srm_score('cut_response', short, long), srm_score('whole', short, long) = srm_score('cut_response', short, long) FROM texts}),
	't|f', 'as srm.truncation and srm.max_tokens do');

# settings come before the model's truncation, and its longest text holds besides
is($node->safe_psql('postgres', q{
	SET srm.model = 'cut_response';
	SELECT (srm_score_details(short, long)).truncated FROM texts}), 't', 'without a setting the model is followed');
my ($ret, undef, $stderr) = $node->psql('postgres', q{SET srm.model = 'cut_response'; SET srm.truncation = 'error'; SELECT srm_score(short, long) FROM texts});
like($stderr, qr/text is too long for the model.*the limit is 64/s, 'with one it is not');
is($node->safe_psql('postgres', q{LOAD 'srm'; SHOW srm.truncation}), 'model', 'the default is the model\'s');

# they are a part of what the model is
is($node->safe_psql('postgres', q{SELECT count(DISTINCT srm_model_info(name) ->> 'digest') FROM unnest('{whole,cut_response,cut_prompt,short}'::text[]) AS name}),
	'4', 'each has a digest of its own');
is($node->safe_psql('postgres', q{SELECT i ->> 'truncation', i ->> 'max_tokens' FROM srm_model_info('cut_prompt') AS i}), 'prompt|64', 'srm_model_info shows them');
is($node->safe_psql('postgres', q{SELECT max_tokens FROM srm_models() WHERE name = 'short'}), '64', 'and srm_models the longest text');

# a generated column, a table that is scored, an evaluation
is($node->safe_psql('postgres', q{
	CREATE TABLE kept (id int PRIMARY KEY, prompt text, response text, score real GENERATED ALWAYS AS (srm_score('cut_response', prompt, response)) STORED);
	INSERT INTO kept SELECT 1, short, long FROM texts;
	CALL srm_score_table('kept', 'scores', prompt => 'prompt', response => 'response', model => 'cut_response');
	SELECT s.truncated, s.n_tokens, s.problem IS NULL, s.score = k.score FROM scores AS s JOIN kept AS k USING (id)}), 't|64|t|t', 'long rows are scored');
is($node->safe_psql('postgres', q{SELECT n FROM srm_evaluate('SELECT short AS prompt, long AS chosen, short AS rejected FROM texts', 'cut_response')}), '1', 'and evaluated');

# what is no such setting
fails_with(q{srm_score('unknown', short, short)}, qr/truncation "middle" of the model is not supported/, 'unknown truncation');
fails_with(q{srm_score('number', short, short)}, qr/"truncation"/, 'truncation that is no string');
fails_with(q{srm_score('tiny_limit', short, short)}, qr/value of "max_tokens" is out of range.*must be between 16 and 256/s, 'max_tokens below what can be set');
fails_with(q{srm_score('large_limit', short, short)}, qr/value of "max_tokens" is out of range/, 'max_tokens beyond the positions');

$node->stop;
done_testing();
