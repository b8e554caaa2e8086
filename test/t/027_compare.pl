# tools/compare/compare.py beside a server: a model that agrees with transformers, and one that does not.

use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# whatever computes with them: SRM_PYTHON names an interpreter that has them
my $python = $ENV{SRM_PYTHON} // 'python3';

system("$python -c 'import torch, transformers' >/dev/null 2>&1") == 0
	or plan skip_all => 'no torch and transformers';

my $given = "$ENV{TESTDIR}/test/data/models";
my $folder = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$given'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');
append_to_file("$folder/pairs.jsonl", qq({"prompt": "Hi there.", "chosen": "Yes. It is.", "rejected": "No."}\n));

# the same weights with another epsilon: another score for the same ids
mkdir "$folder/llama" or die $!;
append_to_file("$folder/llama/$_", slurp_file("$given/llama/$_")) for qw(model.safetensors tokenizer.json tokenizer_config.json);
my $config = decode_json(slurp_file("$given/llama/config.json"));
$config->{rms_norm_eps} = 0.5;
append_to_file("$folder/llama/config.json", encode_json($config));

sub compare
{
	my ($directory) = @_;
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => 'postgres', HF_HUB_OFFLINE => 1);
	my ($stdout, $stderr);
	IPC::Run::run([ $python, "$ENV{TESTDIR}/tools/compare/compare.py", $directory, "$folder/pairs.jsonl" ], '>', \$stdout, '2>', \$stderr);
	return ($? >> 8, $stdout);
}

my ($status, $output) = compare("$given/llama");
is($status, 0, 'a model that agrees');
like($output, qr/0 differ in score\nlargest difference of scores: \S+e-0\d; 0 of 1 preferences flip/, 'and says how far');

($status, $output) = compare("$folder/llama");
is($status, 1, 'one that does not');
like($output, qr/1: scores differ.*\n1: hidden states differ first at token \d+ 'Y' of the response/, 'and where it begins');

# an adapter over the base that lies beside it, with a head of its own

SKIP:
{
	system("$python -c 'import peft' >/dev/null 2>&1") == 0 or skip('no peft', 2);
	($status, $output) = compare("$given/adapter-continued");
	is($status, 0, 'an adapter that agrees');
	like($output, qr/0 differ in score\nlargest difference of scores: \S+e-0\d; 0 of 1 preferences flip/, 'and how far');
}

$node->stop;
done_testing();
