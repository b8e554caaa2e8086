# Adapters over a base: found along the path, followed when either changes, and written by training.

use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(make_path);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $models = PostgreSQL::Test::Utils::tempdir;
my $other = PostgreSQL::Test::Utils::tempdir;

sub copy_model
{
	my ($from, $to) = @_;
	make_path($to);
	foreach my $file (glob("$ENV{TESTDIR}/test/data/models/$from/*"))
	{
		copy($file, "$to/") or die "$file: $!";
	}
}

copy_model('llama', "$models/llama");
copy_model('adapter-llama', "$models/tuned");
copy_model('adapter-llama', "$models/again");
# in f32, whatever the processor multiplies faster
foreach my $name (qw(tuned again))
{
	my $file = "$models/$name/adapter_config.json";
	my $config = decode_json(slurp_file($file));
	$config->{srm}{compute} = 'f32';
	unlink($file);
	append_to_file($file, encode_json($config));
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '\$output:$models'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

sub ask
{
	return $node->safe_psql('postgres', join(' ', @_));
}

my $score = "srm_score('tuned', 'Is it?', 'It is. Yes.')";
my $digest = "srm_model_info('tuned')->>'digest'";

# models like any other

is(ask("SELECT string_agg(name, ' ') FROM srm_models()"), 'again llama tuned', 'adapters are listed');
is(ask("SELECT srm_model_info('tuned')->>'base'"), 'llama', 'and tell their base');
my $first = ask("SELECT $score");
isnt($first, ask("SELECT srm_score('llama', 'Is it?', 'It is. Yes.')"), 'the score is not that of the base');
is(ask("SELECT srm_score('again', 'Is it?', 'It is. Yes.')"), $first, 'but that of an adapter of the same files');
my $prepared = $node->data_dir . '/pgsql_tmp_srm';
is(scalar(() = glob("$prepared/*.tok")), 1, 'they share the tokenizer with the base');
is(ask("SELECT digest = $digest FROM srm_models() WHERE name = 'tuned'"), 't', 'one digest everywhere');
is(ask(q{SELECT string_agg(regexp_replace(file, '^[0-9a-f]{16}', 'KEY'), ' ' ORDER BY digest IS NULL, regexp_replace(file, '^[0-9a-f]{16}', 'KEY') COLLATE "C") FROM srm_verify('tuned')}),
	'adapter_config.json adapter_model.safetensors llama/config.json llama/model.safetensors llama/tokenizer.json llama/tokenizer_config.json KEY.f32.srm KEY.tok',
	'all files of both are verified');

# a session sees what becomes of both

my $before = ask("SELECT $digest");
my $session = $node->background_psql('postgres', on_error_stop => 0);
is($session->query("SELECT $score"), $first, 'a session has it open');
copy_model('llama', "$other/changed");
ask("SELECT srm_quantize('llama', 'bytes')");
rename("$models/llama", "$models/old") or die;
rename($node->data_dir . '/srm/models/bytes', "$models/llama") or die;
isnt($session->query("SELECT $digest"), $before, 'another base, another digest');
isnt($session->query("SELECT $score"), $first, 'and another score');
cmp_ok(abs($session->query("SELECT $score") - $first), '<', 0.05, 'which is close, since it is the same in bytes');

# a base that is gone, and one that is put before it on the path

rename("$models/llama", "$models/bytes") or die;
my (undef, undef, $stderr) = $node->psql('postgres', "SELECT $score");
like($stderr, qr/base model "llama" of an adapter does not exist.*adapter_config\.json" names it.*HINT:  Put its directory where models are looked for/s,
	'a base that is missing is named');
like($stderr, qr/ERROR:  /, 'as an error');
rename("$models/old", "$models/llama") or die;
is(ask("SELECT $score"), $first, 'the base is back');
copy_model('qwen3', "$other/llama");
(undef, undef, $stderr) = $node->psql('postgres', "SET srm.model_path = '$other:$models'; SELECT $score");
like($stderr, qr/adapt|wrong shape/, 'the first base on the path counts');
is(ask("SELECT $score; SET srm.model_path = '$models'; SELECT $score"), "$first\n$first", 'and is looked for again where the path changes');
$session->quit;

# written by training, merged by quantizing, copied by calibrating

ask(q{CREATE TABLE lessons AS SELECT i AS id, format('What is %s?', i) AS prompt, format('It is %s. Yes.', i) AS chosen, format('No. %s.', i) AS rejected
	FROM generate_series(1, 24) AS i});
ask(q{CALL srm_train('short', 'SELECT * FROM lessons ORDER BY id', base => 'llama', train => 'lora', lora_rank => 2, lora_adapter => true, learning_rate => 0.01, batch => 8)});
ask(q{CALL srm_train('merged', 'SELECT * FROM lessons ORDER BY id', base => 'llama', train => 'lora', lora_rank => 2, learning_rate => 0.01, batch => 8)});
is(ask("SELECT srm_model_info('short')->>'base', srm_model_info('merged')->>'base' IS NULL"), 'llama|t', 'training writes an adapter, or a merged model');
is(ask("SELECT abs(srm_score('short', prompt, chosen) - srm_score('merged', prompt, chosen)) < 1e-4 AND srm_score('short', prompt, chosen) <> srm_score('llama', prompt, chosen) FROM lessons WHERE id = 3"),
	't', 'with the same scores');

# in the base's own type, unless F32 is asked for
copy_model('tiny', $models . '/sixteen');
sub adapter_file
{
	my ($name) = @_;
	return slurp_file($node->data_dir . "/srm/models/$name/adapter_model.safetensors");
}
ask("CALL srm_train('$_->[0]', 'SELECT * FROM lessons ORDER BY id', base => 'sixteen', train => 'lora', lora_rank => 2, lora_adapter => true, write_f32 => $_->[1], learning_rate => 0.01, batch => 8)")
	foreach ['halves', 'false'], ['floats', 'true'];
is_deeply([map { my ($file, %types) = (adapter_file($_)); $types{$1} = 1 while $file =~ /"dtype":"(\w+)"/g; join ' ', keys %types } qw(halves floats)], ['BF16', 'F32'],
	'types of the adapters of a base in BF16');
cmp_ok(2 * length adapter_file('halves'), '<', 1.1 * length adapter_file('floats'), 'and their sizes');
is(ask("SELECT max(abs(srm_score('halves', prompt, chosen) - srm_score('floats', prompt, chosen))) BETWEEN 1e-7 AND 0.02 FROM lessons"), 't', 'and their scores');

ask("SELECT srm_calibrate('short', 'SELECT prompt, chosen AS response FROM lessons', 'calibrated')");
is(ask("SELECT srm_model_info('calibrated')->>'base', (srm_model_info('calibrated')->>'std')::float8 > 0, srm_score('calibrated', 'A?', 'B.') = srm_score('short', 'A?', 'B.')"),
	'llama|t|t', 'a calibrated adapter is one over the same base');
ask("SELECT srm_quantize('short', 'quantized')");
is(ask("SELECT srm_model_info('quantized')->>'base' IS NULL, abs(srm_score('quantized', 'A?', 'B.') - srm_score('short', 'A?', 'B.')) < 0.05"), 't|t', 'a quantized one is merged');

# trained on, as an adapter or merged

my $longer = q{CALL srm_train('longer', 'SELECT * FROM lessons ORDER BY id', base => 'short', train => 'lora', lora_adapter => true, learning_rate => 0.01, batch => 8};
(undef, undef, $stderr) = $node->psql('postgres', "$longer, lora_rank => 3)");
like($stderr, qr/"lora_rank" is not that of adapter "short".*It is 3; that of q_proj of layer 0 is 2.*or train a new adapter over "llama"/s, 'an adapter keeps its rank');
(undef, undef, $stderr) = $node->psql('postgres', "$longer, lora_alpha => 16, lora_targets => 'all')");
like($stderr, qr/NOTICE:  training goes on with the adapter that the base model is/, 'an adapter is trained on');
is(ask("SELECT srm_model_info('longer')->>'base', avg(srm_score('longer', prompt, chosen) - srm_score('longer', prompt, rejected)) > avg(srm_score('short', prompt, chosen) - srm_score('short', prompt, rejected)) FROM lessons"),
	'llama|t', 'over the same base, and the scores of the pairs are further apart');
ask(q{CALL srm_train('deep', 'SELECT * FROM lessons ORDER BY id', base => 'short', train => 'head', batch => 8)});
is(ask("SELECT srm_model_info('deep')->>'base' IS NULL, srm_score('deep', 'A?', 'B.') IS NOT NULL"), 't|t', 'or its head, which gives a merged model');

$node->stop;
done_testing();
