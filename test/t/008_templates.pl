# Chat templates: where a model has them, the date they see, and what a model says without one.

use strict;
use warnings;
use Encode qw(decode);
use File::Path qw(make_path);
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $given = "$ENV{TESTDIR}/test/data/models";
my $tiny = "$given/tiny";
my $models = PostgreSQL::Test::Utils::tempdir;

sub write_file
{
	my ($path, $data) = @_;
	open my $out, '>:raw', $path or die $!;
	print $out $data;
	close $out;
}

# a copy of the tiny model, or another, with other members of "srm" and other settings of the tokenizer
sub make_model
{
	my ($name, $srm, $tokenizer, $base) = @_;
	my $from = "$given/" . ($base // 'tiny');
	my $json = JSON::PP->new->utf8->canonical;
	my $config = $json->decode(slurp_file("$from/config.json"));
	my $settings = $json->decode(slurp_file("$from/tokenizer_config.json"));
	make_path("$models/$name");
	write_file("$models/$name/$_", slurp_file("$from/$_")) for qw(model.safetensors tokenizer.json);
	$config->{max_position_embeddings} = 2048 if $base;
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
my $whole = "{% for m in messages %}<|{{ m.role }}|>{% if greeting is defined %}{{ greeting }}{% endif %}{{ m.reasoning_content or '' }}" .
	"{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content or [] %}[{{ p.text }}]{% endfor %}{% endif %}" .
	"{% for c in m.tool_calls or [] %}Call {{ c.function | tojson }}.{% endfor %}<|end|>{% endfor %}" .
	"{% if add_generation_prompt %}<|assistant|>{% endif %}";
make_model('whole', { chat_template => $whole }, {});
make_model('offsets', { chat_template => $whole, boundary => 'offset', aggregation => 'sum' }, {});
make_model('greets', { chat_template => $whole, template_variables => { greeting => 'Hello <|end|>', n => [1, { a => 2 }] } }, {});
make_model('bad_variables', { template_variables => { messages => 1 } }, {});
make_model('list_variables', { template_variables => [1] }, {});
make_model('names', { chat_template => '{{ bos_token }}{% for m in messages %}{{ cls_token }}{{ m.content + sep_token }}{% endfor %}' },
	{ cls_token => '<|user|>', sep_token => '<|end|>', bos_token => undef });
write_file("$models/names/special_tokens_map.json", '{"bos_token": "<|assistant|>"}');
make_model('gpt', { chat_template => $whole, response_roles => ['gpt'] }, {});
make_model('bad_roles', { response_roles => 'gpt' }, {});
make_model('endless', { chat_template => '{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}' }, {});

# templates with tools over the model that calls.json was made with
my $calls = JSON::PP->new->utf8->decode(slurp_file("$ENV{TESTDIR}/test/data/templates/calls.json"));
my %made;
for my $name (grep { !$made{$_}++ } map { $_->{template} } @{ $calls->{results} })
{
	my $template = decode('UTF-8', slurp_file("$ENV{TESTDIR}/test/data/templates/$name.jinja"));
	make_model("calls-$name", { chat_template => $template, aggregation => 'sum', boundary => 'offset' }, {}, 'llama');
}

# special tokens that files beside tokenizer.json name
make_model('beside', {}, {});
{
	my $json = JSON::PP->new->utf8->canonical;
	my $tokenizer = $json->decode(slurp_file("$tiny/tokenizer.json"));
	@{ $tokenizer->{added_tokens} } = grep { $_->{content} ne '<|end|>' } @{ $tokenizer->{added_tokens} };
	write_file("$models/beside/tokenizer.json", $json->encode($tokenizer));
}

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$ENV{TESTDIR}/test/data/models:$models'");
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

# a message's other keys: what is called is a sentence of its own, at the end

sub conversation
{
	my (@last) = @_;
	return "'" . (JSON::PP->new->canonical->encode([{ role => 'user', content => 'Hi.' }, @last]) =~ s/'/''/gr) . "'::jsonb";
}

sub answer { return { role => 'assistant', @_ } }
my @calls = map { { type => 'function', function => { name => 'f', arguments => { a => $_ } } } } 1, 2;
my $called = conversation(answer(content => undef, tool_calls => [$calls[0]]));
my $called_too = conversation(answer(content => 'One. Two.', tool_calls => \@calls));

is_result("SELECT srm_render('whole', $called_too)",
	qq(<|user|>Hi.<|end|><|assistant|>One. Two.Call {"name": "f", "arguments": {"a": 1}}.Call {"name": "f", "arguments": {"a": 2}}.<|end|>),
	'calls are rendered');
for my $model ('whole', 'offsets')
{
	is_result("SELECT sentence_no, start_pos, end_pos, sentence FROM srm_sentence_rewards('$model', $called)", '1|1|0|', "$model: a call alone");
	is_result("SELECT sentence_no, start_pos, end_pos, sentence FROM srm_sentence_rewards('$model', $called_too)",
		"1|1|5|One. \n2|6|9|Two.\n3|10|9|", "$model: a call behind content");
	is_result("SELECT srm_score('$model', $called) <> srm_score('$model', " .
		conversation(answer(content => undef, tool_calls => [$calls[1]])) . ')', 't', "$model: another call, another score");
	is_result("SELECT srm_score('$model', " . conversation(answer(content => 'One.')) . ") = srm_score('$model', " .
		conversation(answer(content => 'One.', tool_calls => [], name => 'x', reasoning_content => undef)) . ')', 't', "$model: nothing is called");
}
is_result("SELECT abs(sum(reward) - srm_score('offsets', $called_too)) < 1e-4 FROM srm_sentence_rewards('offsets', $called_too)", 't',
	'rewards with that of the call add up');
is_result("SELECT srm_render('whole', " . conversation(answer(content => 'a', reasoning_content => 'Hm. ')) . ')',
	'<|user|>Hi.<|end|><|assistant|>Hm. a<|end|>', 'reasoning comes before the content');

# templates with tools: text, sentences and rewards as transformers computes them

sub quoted { return "'" . ($_[0] =~ s/'/''/gr) . "'"; }

for my $result (@{ $calls->{results} })
{
	my $case = $calls->{cases}{ $result->{case} };
	my $name = "$result->{template}, $result->{case}";
	my $settings = "SET srm.model = 'calls-$result->{template}'; SET srm.template_variables = " . quoted($case->{variables}) . ';';
	my $argument = quoted(Encode::encode('UTF-8', $case->{messages})) . '::jsonb';
	if (!defined $result->{text})
	{
		fails_with("$settings SELECT srm_score($argument)", qr/ERROR:  (22023|0A000): ("reasoning_content"|chat template)/, "$name: refused");
		next;
	}
	my $got = JSON::PP->new->utf8->decode($node->safe_psql('postgres', "$settings SELECT json_build_object(
		'text', srm_render($argument), 'score', srm_score($argument),
		'sentences', (SELECT json_agg(sentence ORDER BY sentence_no) FROM srm_sentence_rewards($argument)),
		'rewards', (SELECT json_agg(reward ORDER BY sentence_no) FROM srm_sentence_rewards($argument)))"));
	my $sum = 0;
	is_deeply([ @$got{qw(text sentences)} ], [ @$result{qw(text sentences)} ], "$name: text and sentences");
	is(scalar(grep { abs($got->{rewards}[$_] - $result->{rewards}[$_]) > 1e-4 } 0 .. $#{ $result->{rewards} }), 0,
		"$name: rewards @{ $got->{rewards} }") or diag("not @{ $result->{rewards} }");
	$sum += $_ for @{ $result->{rewards} };
	cmp_ok(abs($got->{score} - $sum), '<', 1e-4, "$name: they add up");
}

# a token that tokenizer_config.json alone names is one

is_result("SELECT srm_score('beside', 'Hi', 'Yo.') = srm_score('tiny', 'Hi', 'Yo.')", 't', 'the end of turns by its name');

is_result("SELECT srm_render('names', $messages)", '<|assistant|><|user|>Hi.<|end|><|user|>  One.  Two. <|end|>',
	'names of the map and of tokenizer_config.json');

# parts of content

is_result("SELECT srm_render('whole', " . conversation(answer(content => [{ type => 'text', text => 'a' }, { type => 'text', text => 'b' }])) . ')',
	'<|user|>Hi.<|end|><|assistant|>[a][b]<|end|>', 'parts as the template asks for them');
is_result("SELECT string_agg(sentence, '|' ORDER BY sentence_no) FROM srm_sentence_rewards('whole', " .
	conversation(answer(content => [{ type => 'text', text => 'One. ' }, { type => 'text', text => 'Two.' }])) . ')', 'One. |Two.', 'sentences of parts');
is_result("SELECT srm_score('tiny', " . conversation(answer(content => [{ type => 'text', text => 'a' }])) . ") = srm_score('tiny', " .
	conversation(answer(content => 'a')) . ')', 't', 'a template that takes no lists has the text of the only part');
fails_with("SELECT srm_score('tiny', " . conversation(answer(content => ['a', 'b'])) . ')',
	qr/cannot apply "\+".*takes their text as one string/s, 'several parts for such a template');
fails_with("SELECT srm_score('whole', " . conversation(answer(content => [{ type => 'image_url', image_url => { url => 'x' } }])) . ')',
	qr/0A000: content part of type "image_url" is not supported.*message 2/s, 'a picture');
fails_with("SELECT srm_score('tiny', " . conversation(answer(content => 'a', tool_calls => \@calls)) . ')',
	qr/22023: "tool_calls" of message 2 is not known to the model/, 'a template that would leave a call out');
fails_with("SELECT srm_score('whole', " . conversation(answer(content => 12345678901234567890, tool_calls => \@calls)) . ')',
	qr/22023: invalid messages.*Message 2 has a "content" that is neither/s, 'content that is a number');

# roles that answer

fails_with("SELECT srm_score('whole', " . conversation({ role => 'gpt', content => 'a' }) . ')',
	qr/22023: last message is not a response.*Its role is "gpt".*response_roles/s, 'a role that nobody knows');
fails_with("SELECT srm_score('tiny', " . conversation({ role => $_, content => 'a' }) . ')', qr/22023: last message is not a response.*Its role is "$_"/s,
	"a response of role \"$_\"") for 'Assistant', 'model', 'tool', '';
is_result("SELECT srm_score('gpt', " . conversation({ role => 'gpt', content => 'a' }) . ') IS NOT NULL', 't', 'a role of the model');
fails_with("SELECT srm_score('tiny', '[{\"role\": \"gpt\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"a\"}]'::jsonb)",
	qr/22023: role "gpt" of message 1 is not known to the model/, 'a role before it that the template takes for another');
is_result("SELECT srm_render('whole', '[{\"role\": \"gpt\", \"content\": \"a\"}, {\"role\": \"assistant\", \"content\": \"a\"}]'::jsonb)",
	'<|gpt|>a<|end|><|assistant|>a<|end|>', 'one that the template writes');
fails_with("SELECT srm_score('bad_roles', 'a', 'b')", qr/F0000: "response_roles" is not a list of strings/, 'no list of roles');

# variables: the model's, the session's before them, which functions with a model do not follow

is_result("SELECT srm_render('greets', '[{\"role\": \"assistant\", \"content\": \"a\"}]'::jsonb)", '<|assistant|>Hello <|end|>a<|end|>', 'variables of the model');
is_result(q(SET srm.model = 'greets'; SET srm.template_variables = '{"greeting": "Ho"}';
	SELECT srm_render('[{"role": "assistant", "content": "a"}]'), srm_render('greets', '[{"role": "assistant", "content": "a"}]')),
	'<|assistant|>Hoa<|end|>|<|assistant|>Hello <|end|>a<|end|>', 'and of the session');
is_result(q(SET srm.model = 'greets'; CREATE TEMP TABLE v AS SELECT srm_score('Hi.', 'a') AS a; SET srm.template_variables = '{"greeting": "Ho"}';
	SELECT a <> srm_score('Hi.', 'a') FROM v), 't', 'other variables, another score');
fails_with("LOAD 'srm'; SET srm.template_variables = '[1]'", qr/22023: invalid value.*not a JSON object/s, 'no object');
fails_with(q(LOAD 'srm'; SET srm.template_variables = '{"messages": []}'), qr/22023: invalid value.*"messages" is not a variable/s, 'messages are none');
fails_with(q(LOAD 'srm'; SET srm.template_variables = '{"a": '), qr/22023: invalid value/s, 'no JSON');
fails_with("SELECT srm_score('bad_variables', 'a', 'b')", qr/F0000: "messages" is not a variable that can be set/, 'messages of a model');
fails_with("SELECT srm_score('list_variables', 'a', 'b')", qr/F0000: template variables are not a JSON object/, 'a list of a model');

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
