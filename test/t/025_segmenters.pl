# Segmenters that are models: replaced files, other sessions, and what may not name them.

use strict;
use warnings;
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $models = PostgreSQL::Test::Utils::tempdir;

# a copy of a model of the tests, with members before those of its config.json
sub make_model
{
	my ($source, $name, $members, $change) = @_;
	make_path("$models/$name");
	for my $file (qw(config.json model.safetensors tokenizer.json tokenizer_config.json))
	{
		my $data = slurp_file("$ENV{TESTDIR}/test/data/models/$source/$file");
		$data =~ s/"srm": \{[^}]*\},// if $file eq 'config.json';
		$data =~ s/\{/{$members/ if $file eq 'config.json';
		$data = $change->($data) if $change;
		open my $out, '>:raw', "$models/$name/$file" or die $!;
		print $out $data;
		close $out;
	}
}

make_model('sat-stops', 'cutter', '"srm": {"threshold": 0.5},');
make_model('sat-stops', 'other', '"srm": {"threshold": 0.1},');
make_model('sat-stops', 'impossible', '"srm": {"threshold": 1},');
make_model('sat-stops', 'backwards', '', sub { $_[0] =~ s/"lookahead": null/"lookahead": -1/r });
make_model('sat-stops', 'nameless', '', sub { $_[0] =~ s/classifier\.weight/classifier.height/r });
make_model('llama', 'scorer', '"srm": {"segmenter": "sat:cutter"},');

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$models'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

my $count = q{SELECT count(*) FROM srm_segment('One. Two. Three', '', 'sat:cutter')};
my $session = $node->background_psql('postgres');
is($session->query_safe($count), '3', 'cut by a model');
is($node->safe_psql('postgres', $count), '3', 'and in another session');

# one that is replaced is the new one in the next statement
rename("$models/cutter", "$models/old") or die $!;
rename("$models/other", "$models/cutter") or die $!;
cmp_ok($session->query_safe($count), '>', 3, 'cut by the model that replaced it');
$session->quit;

# what is wrong is said, by name
for my $case (
	['impossible', qr/"threshold" is not a probability/],
	['backwards', qr/value of "lookahead" is out of range/],
	['nameless', qr/missing tensor "classifier\.weight"/])
{
	my ($name, $pattern) = @$case;
	my ($ret, undef, $stderr) = $node->psql('postgres', "SELECT * FROM srm_segment('One.', '', 'sat:$name')");
	like($stderr, $pattern, $name);
}

# a reward model may not name one, whose digest would not be in its own
my (undef, undef, $stderr) = $node->psql('postgres', q{SELECT srm_score('scorer', 'Hi.', 'One. Two.')});
like($stderr, qr/segmenter "sat:cutter" of the model is not supported/, 'named by a reward model');

# a megabyte of text
is($node->safe_psql('postgres', q{
	SELECT count(*), sum(length(sentence)) FROM srm_segment(repeat('One two three four five. ', 40000), '', 'sat:old')}),
	'40000|1000000', 'a long text');

done_testing();
