# tools/backbone/lora.py beside peft, and tokens.sql beside a server.

use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tools = "$ENV{TESTDIR}/tools/backbone";

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$ENV{TESTDIR}/test/data/models'");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE lines (id bigint, file text, line jsonb);
	INSERT INTO lines VALUES
		(7, 'train', '{"prompt": "Hi there.", "chosen": "Yes. It is.", "rejected": "No.", "category": "chat"}'),
		(8, 'chat', '{"prompt": [{"role": "user", "content": "Why?"}], "chosen": "So.", "rejected": "", "category": "chat-hard/x"}')});
my ($stdout, $stderr);
$node->psql('postgres', '', extra_params => [ '-v', 'model=tiny', '-f', "$tools/tokens.sql" ], stdout => \$stdout, stderr => \$stderr);
is($stderr, '', 'tokens.sql says nothing');
my $asked = q{SELECT string_agg(token_id::text, ',' ORDER BY token_no) FROM srm_tokenize('tiny', '[%s, {"role": "assistant", "content": "%s"}]'::jsonb)};
my ($chosen, $rejected) = map { $node->safe_psql('postgres', sprintf($asked, '{"role": "user", "content": "Hi there."}', $_)) } 'Yes. It is.', 'No.';
my ($first) = split /\n/, $stdout;
is($first, "7\ttrain\tchat\t{$chosen}\t{$rejected}", 'tokens of a pair, with those of the layout');
$node->stop;

SKIP:
{
	# whatever computes with them: SRM_PYTHON names an interpreter that has them
	my $python = $ENV{SRM_PYTHON} // 'python3';
	system("$python -c 'import torch, transformers, peft' >/dev/null 2>&1") == 0 or skip('no torch, transformers and peft', 1);
	local $ENV{HF_HUB_OFFLINE} = 1;
	is(system("$python -W ignore $tools/test_lora.py >/dev/null 2>&1"), 0, 'values and gradients are those of peft');
}

done_testing();
