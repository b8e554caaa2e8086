# Chat templates: where a model has them, the date they see, and what a model says without one.

use strict;
use warnings;
use File::Path qw(make_path);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $default = "$ENV{TESTDIR}/models/default";
my $models = PostgreSQL::Test::Utils::tempdir;

sub write_file
{
	my ($path, $data) = @_;
	open my $out, '>:raw', $path or die $!;
	print $out $data;
	close $out;
}

# a copy of the default model, with other members of "srm" and other settings of the tokenizer
sub make_model
{
	my ($name, $srm, $tokenizer) = @_;
	my $json = JSON::PP->new->utf8->canonical;
	my $config = $json->decode(slurp_file("$default/config.json"));
	my $settings = $json->decode(slurp_file("$default/tokenizer_config.json"));
	make_path("$models/$name");
	write_file("$models/$name/$_", slurp_file("$default/$_")) for qw(model.safetensors tokenizer.json);
	$config->{srm}{$_} = $srm->{$_} for keys %$srm;
	$settings->{$_} = $tokenizer->{$_} for keys %$tokenizer;
	write_file("$models/$name/config.json", $json->encode($config));
	write_file("$models/$name/tokenizer_config.json", $json->encode($settings));
}

my $dated = "{{ strftime_now('%d %b %Y') }}{% for m in messages %}<|user|>{{ m.content | trim }}<|end|>{% endfor %}";
my %none = (chat_template => undef);

make_model('dated', { chat_template => $dated }, \%none);
make_model('own', { chat_template => $dated, template_date => '2031-12-24' }, {});
make_model('none', {}, \%none);
make_model('named', {}, { chat_template => { default => $dated, tools => '{% bad' } });
make_model('unknown', { chat_template => "a\n{% include 'x' %}" }, {});
make_model('raises', { chat_template => "\n{{ raise_exception('no ' ~ messages[0].role) }}" }, {});
make_model('endless', { chat_template => '{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}' }, {});

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '\$system:$models'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

my $messages = q('[{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "  One.  Two. "}]'::jsonb);
my $tail = '<|user|>Hi.<|end|><|user|>One.  Two.<|end|>';

sub is_result
{
	my ($query, $expected, $name) = @_;
	is($node->safe_psql('postgres', $query), $expected, $name);
}

sub fails_with
{
	my ($query, $pattern, $name) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$query;\nSELECT 'alive';", on_error_stop => 0);
	like($stderr, $pattern, $name);
	like($stdout, qr/alive/, "$name: the backend goes on");
}

# the date: fixed, the model's own, or the setting, which functions with a model do not follow

is_result("SELECT srm_render('dated', $messages)", "26 Jul 2024$tail", 'a fixed date');
is_result("SELECT srm_render('own', $messages)", "24 Dec 2031$tail", 'the date of a model');
is_result("SELECT srm_render('named', $messages)", "26 Jul 2024$tail", 'the template named "default" of an object');
is_result("SET srm.template_date = '2025-01-02'; SELECT srm_render('dated', $messages)", "26 Jul 2024$tail",
	'a named model does not follow the setting');
is_result("SET srm.model = 'own'; SET srm.template_date = '2025-01-02'; SELECT srm_render($messages)",
	"02 Jan 2025$tail", 'the model of the settings does');
is_result("SET srm.model = 'own'; SELECT srm_render($messages)", "24 Dec 2031$tail", 'no setting, the date of the model');
is_result("SELECT srm_model_info('own')->>'template_date'", '2031-12-24', 'the date is shown');

# the same conversation on another day is another one, also right behind each other

is_result(q(SET srm.model = 'dated'; CREATE TEMP TABLE s AS SELECT srm_score('Hi.', 'One.') AS a;
	SET srm.template_date = '1999-12-31'; SELECT a <> srm_score('Hi.', 'One.') FROM s), 't', 'another date, another score');

# positions are those of the text that was passed, though the template trims it

is_result("SELECT start_pos, end_pos, sentence FROM srm_sentence_rewards('dated', $messages)",
	"1|8|  One.  \n9|13|Two. ", 'positions');

# what is wrong is named

fails_with("SELECT srm_score('none', 'a', 'b')",
	qr/0A000: model has no chat template.*HINT:  Add "chat_template" to its tokenizer_config.json, or to "srm"/s, 'no template');
fails_with("SELECT srm_score('unknown', 'a', 'b')",
	qr/0A000:.*include.*line 2/s, 'an unknown construct, with its line');
fails_with("SELECT srm_score('raises', 'a', 'b')",
	qr/22023: chat template does not accept the messages: no user.*line 2/s, 'a template that raises');
fails_with("SELECT srm_score('endless', 'a', 'b')", qr/54000:/, 'a template without end');

$node->stop;
done_testing();
