# Models with the heads and architectures of published ones, scored in SQL.

use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $models = "$ENV{TESTDIR}/test/data/models";
my @names = map { m{([^/]+)/expected\.json$} } glob "$models/head-*/expected.json $models/internlm2*/expected.json";

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$models'\nsrm.compute = 'f32'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

# within 1e-4, relative to the number or to 1
sub close_to
{
	my ($got, $expected) = @_;
	my $scale = abs($expected) > 1 ? abs($expected) : 1;
	return $got ne '' && abs($got - $expected) <= 1e-4 * $scale;
}

# the default score is the published one

for my $name (@names)
{
	my $cases = decode_json(slurp_file("$models/$name/expected.json"))->{conversations};
	my @wrong;
	for my $case (@$cases)
	{
		my $messages = encode_json($case->{messages});
		my $score = $node->safe_psql('postgres',
			"SET srm.model = '$name'; SELECT srm_score(\$json\$$messages\$json\$::jsonb)");
		push @wrong, "$score instead of $case->{score}" unless close_to($score, $case->{score});
	}
	is(join(', ', @wrong), '', "scores of $name");
}
is(scalar @names, 13, 'all models were there');

# the sentences of a process reward model are its steps

for my $name ('head-prm', 'head-tokens')
{
	my $case = decode_json(slurp_file("$models/$name/expected.json"))->{conversations}[0];
	my $messages = encode_json($case->{messages});
	my @rewards = split /\n/, $node->safe_psql('postgres',
		"SET srm.model = '$name'; SELECT reward FROM srm_sentence_rewards(\$json\$$messages\$json\$::jsonb)");
	is(scalar @rewards, scalar @{ $case->{steps} }, "a row for each step of $name");
	ok(close_to($rewards[$_], $case->{steps}[$_]), "probability of step $_") for 0 .. $#rewards;
}

# what such a model does not give, and what another does not have

sub fails_with
{
	my ($query, $pattern, $name) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query");
	like($stderr, $pattern, $name);
}

fails_with("SELECT * FROM srm_token_rewards('head-prm', 'Hi.', 'One. Two.')",
	qr/22023: model rewards steps, not tokens/, 'no token rewards of steps');
fails_with("SELECT srm_score('head-armorm', '[{\"role\": \"assistant\", \"content\": \"One.\"}]'::jsonb)",
	qr/22023: conversation does not contain the tokens that the model's gate is read at/, 'a gate needs a prompt');

$node->stop;
done_testing();
