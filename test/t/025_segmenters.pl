# Segmenters that are models: replaced files, other sessions, and what may not name them.

use strict;
use warnings;
use File::Path qw(make_path remove_tree);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $models = PostgreSQL::Test::Utils::tempdir;
my $output = PostgreSQL::Test::Utils::tempdir;

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
make_model('llama', 'unpinned', '"srm": {"segmenter": "sat:cutter"},');

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '\$output:$models'\nsrm.output_path = '$output'");
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
	remove_tree("$models/$name");
}

# a reward model names one with its digest, so that its own digest tells which it was
my $set_aside = sub { rename("$models/$_[0]", "$models/$_[1]") or die $! };
my $says = sub { return ($node->psql('postgres', $_[0]))[2] };
$set_aside->('cutter', 'other');
$set_aside->('old', 'cutter');
like($says->(q{SELECT srm_score('unpinned', 'Hi.', 'One. Two.')}), qr/segmenter "sat:cutter" of the model lacks its digest/, 'without digest');
my $digest = $node->safe_psql('postgres', q{SELECT digest FROM srm_models() WHERE name = 'cutter'});
make_model('attention-offset', 'scorer', qq{"srm": {"segmenter": "sat:cutter\@$digest", "aggregation": "attention", "attention_dim": 8},});
make_model('attention-offset', 'icu', '"srm": {"aggregation": "attention", "attention_dim": 8},');
my $rows = q{SELECT string_agg(sentence, '|' ORDER BY sentence_no) FROM srm_sentence_rewards('scorer', 'Hi.', 'Dr. No. Yes')};
$session = $node->background_psql('postgres', on_error_stop => 0);
is($session->query_safe($rows), 'Dr. |No. |Yes', 'a model that names a segmenter is cut by it');
is($node->safe_psql('postgres', $rows =~ s/'scorer'/'icu'/r), 'Dr. No. |Yes', 'and not as others');
is($node->safe_psql('postgres', q{SELECT srm_score('scorer', 'Hi.', 'Dr. No. Yes') = srm_score('icu', 'Hi.', 'Dr. No. Yes')}), 'f', 'so scores differ');
is($node->safe_psql('postgres', "SET srm.sat_threshold = 0.1; $rows"), 'Dr. |No. |Yes', 'whatever the session has set');
is($node->safe_psql('postgres', q{SET srm.model = 'scorer'; SET srm.segmenter = 'icu'; SELECT count(*) FROM srm_sentence_rewards('Hi.', 'Dr. No. Yes')}),
	'2', 'unless it asks the forms that follow it');

# what is known of both
is($node->safe_psql('postgres', q{SELECT srm_model_info('scorer') ->> 'segmenter'}), "sat:cutter\@$digest", 'shown');
is($node->safe_psql('postgres', q{
	SELECT i ->> 'digest', i ->> 'threshold', i ->> 'stride', i ->> 'layers', i ? 'aggregation' FROM srm_model_info('cutter') AS i}),
	"$digest|0.5|256|1|f", 'a segmenter is described, too');
is($node->safe_psql('postgres', qq{SELECT srm_model_info('cutter\@$digest') ->> 'name'}), 'cutter', 'by its digest');
is($node->safe_psql('postgres', q{
	SELECT string_agg(file, ' ' ORDER BY file COLLATE "C") FROM srm_verify('scorer') WHERE file LIKE 'cutter/%' AND digest IS NOT NULL}),
	'cutter/config.json cutter/model.safetensors cutter/tokenizer.json cutter/tokenizer_config.json', 'verified with the model');
is($node->safe_psql('postgres', q{SELECT string_agg(file, ' ' ORDER BY file COLLATE "C") FROM srm_verify('cutter') WHERE digest IS NOT NULL}),
	'config.json model.safetensors tokenizer.json tokenizer_config.json', 'and alone');
is($session->query_safe(q{SELECT bool_and(mapped_bytes > 0 AND load_ms > 0) FROM srm_models() WHERE name IN ('cutter', 'scorer')}), 't', 'both are open');

# training cuts its pairs as scores are made afterwards
$node->safe_psql('postgres', q{
	CREATE TABLE pairs AS SELECT 'Hi.' AS prompt, format('Dr. %s came. He %s. Yes', i, i * 7) AS chosen, format('%s. A. b. c %s.', i, i * 3) AS rejected
	FROM generate_series(1, 8) AS i});
my $train = q{SET client_min_messages = error;
	CALL srm_train('NAME', 'SELECT * FROM pairs', train => 'head', epochs => 1, batch => 8, held_out => 0, learning_rate => 1e-30, REST)};
my $loss = q{(SELECT loss FROM srm.training_log WHERE model = 'NAME' AND step = 1)};
my $true = q{(SELECT avg(ln(1 + exp(- srm_margin('NAME', prompt, chosen, rejected)::float8))) FROM pairs)};
for my $case (['named', "base => 'icu', segmenter => 'sat:cutter'"], ['inherited', "base => 'scorer'"],
	['adapter', "base => 'scorer', train => 'lora', lora_adapter => true"], ['back', "base => 'scorer', segmenter => 'icu'"])
{
	my ($name, $rest) = @$case;
	my $call = $train =~ s/NAME/$name/r =~ s/REST/$rest/r;
	$call =~ s/train => 'head', // if $rest =~ /lora/;
	$node->safe_psql('postgres', $call);
	my $expected = $name eq 'back' ? 'icu' : "sat:cutter\@$digest";
	is($node->safe_psql('postgres', "SELECT srm_model_info('$name') ->> 'segmenter'"), $expected, "trained: $name");
	# training computes in f32, and a model that is stored in bf16 does so where it says so
	if ($rest =~ /lora/)
	{
		my $file = "$output/$name/adapter_config.json";
		my $config = decode_json(slurp_file($file));
		$config->{srm}{compute} = 'f32';
		append_to_file("$file.new", encode_json($config));
		rename("$file.new", $file) or die "$file: $!";
	}
	is($node->safe_psql('postgres', "SELECT abs($loss - $true) < 1e-5" =~ s/NAME/$name/gr), 't', 'its first loss is that of its scores');
}
is($node->safe_psql('postgres', "SELECT abs($loss" =~ s/NAME/named/r . " - $loss) < 1e-3" =~ s/NAME/back/r), 'f', 'and another where pairs are cut otherwise');
like($says->($train =~ s/NAME/x/r =~ s/REST/base => 'icu', segmenter => 'sat:nowhere'/r),
	qr/model "nowhere" does not exist.*CONTEXT:  segmenter "sat:nowhere"/s, 'trained with one that is not there');
like($says->($train =~ s/NAME/x/r =~ s/REST/base => 'icu', segmenter => 'sat:cutter\@0000000000'/r),
	qr/model "cutter" does not have digest "0000000000"/, 'or another one');
like($says->($train =~ s/NAME/x/r =~ s/REST/base => 'icu', segmenter => 'sentences'/r), qr/unrecognized segmenter "sentences"/, 'or none');

# a segmenter that is renamed or replaced is an error, not another score
$set_aside->('cutter', 'old');
like($says->($rows), qr/model "cutter" does not exist.*CONTEXT:  segmenter "sat:cutter\@$digest"/s, 'without its segmenter');
is($node->safe_psql('postgres', q{SELECT srm_model_info('scorer') ->> 'name'}), 'scorer', 'it is described all the same');
$set_aside->('other', 'cutter');
like($says->($rows), qr/model "cutter" does not have digest "$digest".*CONTEXT:  segmenter "sat:cutter\@$digest"/s, 'with another one');
like($says->(q{SELECT * FROM srm_verify('scorer')}), qr/model "cutter" does not have digest/, 'verified');
$set_aside->('cutter', 'other');
$set_aside->('old', 'cutter');
is($session->query_safe($rows), 'Dr. |No. |Yes', 'and put back');
$set_aside->('cutter', 'old');
$set_aside->('other', 'cutter');
$session->query($rows);
like($session->{stderr}, qr/model "cutter" does not have digest/, 'a session that had the other one open notices');
$session->quit;

# a megabyte of text
is($node->safe_psql('postgres', q{
	SELECT count(*), sum(length(sentence)) FROM srm_segment(repeat('One two three four five. ', 40000), '', 'sat:old')}),
	'40000|1000000', 'a long text');

done_testing();
