# Models by name: where they are looked for, replaced, damaged; who may do what.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use File::Copy qw(copy move);
use File::Path qw(make_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $tiny = "$ENV{TESTDIR}/test/data/models/tiny";
my $models = PostgreSQL::Test::Utils::tempdir;
my @files = qw(config.json model.safetensors tokenizer.json tokenizer_config.json);

# a copy of the tiny model under another name, each file made by a function
sub make_model
{
	my ($name, %change) = @_;
	make_path("$models/$name");
	for my $file (@files)
	{
		my $data = slurp_file("$tiny/$file");
		$data = $change{$file}->($data) if $change{$file};
		my $path = "$models/$name/$file";
		if (!defined $data) { unlink $path; next; }
		# as documented: written beside, then renamed
		open my $out, '>:raw', "$path.new" or die $!;
		print $out $data;
		close $out;
		move("$path.new", $path) or die $!;
	}
}

make_model('tiny');
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$models'");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

sub fails_with
{
	my ($query, $pattern, $name) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres',
		"\\set VERBOSITY verbose\n$query;\nSELECT 'alive';", on_error_stop => 0);
	like($stderr, $pattern, $name);
	like($stdout, qr/alive/, "$name: the backend goes on");
}

# names

fails_with("SELECT srm_score('nowhere', 'a', 'b')", qr/42704: model "nowhere" does not exist/, 'unknown model');
fails_with("SELECT srm_score('../default', 'a', 'b')", qr/22023: invalid model name/, 'a path is no name');
fails_with("SELECT srm_score('', 'a', 'b')", qr/22023: invalid model name/, 'empty name');
fails_with("SELECT srm_score('.', 'a', 'b')", qr/22023: invalid model name/, 'dot');
fails_with("SELECT srm_score('/etc', 'a', 'b')", qr/22023: invalid model name/, 'absolute path');
fails_with("SELECT srm_score(repeat('x', 5000), 'a', 'b')", qr/22023: invalid model name/, 'long name');

# digests

my $digest = sha256_hex(join '', map { sha256_hex(slurp_file("$tiny/$_")) . "  $_\n" } sort @files);
is($node->safe_psql('postgres', "SELECT digest FROM srm_models() WHERE name = 'tiny'"),
	$digest, 'the digest is that of sha256sum over the files');
my $short = substr $digest, 0, 12;
is($node->safe_psql('postgres', "SELECT srm_score('tiny\@$short', 'a', 'b') = srm_score('tiny', 'a', 'b')"),
	't', 'a model named with its digest');
fails_with("SELECT srm_score('tiny\@0123456789', 'a', 'b')",
	qr/42704: model "tiny" does not have digest/, 'another digest');
fails_with("SELECT srm_score('tiny\@xyz', 'a', 'b')", qr/22023: invalid model digest/, 'no digest');

# a replaced model is noticed, in a session that has it open

make_model('changing');
my $session = $node->background_psql('postgres');
my $before = $session->query_safe("SELECT srm_score('changing', 'What is it?', 'A bird. It flies.')");
is($session->query_safe("SELECT srm_score('changing', 'What is it?', 'A bird. It flies.')"),
	$before, 'an unchanged model scores alike');
$session->query_safe(q{
	CREATE TABLE answers AS SELECT 'A bird. It flies.' AS response;
	PREPARE constants AS SELECT srm_score('changing', 'What is it?', 'A bird. It flies.');
	PREPARE columns AS SELECT srm_score('changing', 'What is it?', response) FROM answers;
	PREPARE settings AS SELECT srm_score('What is it?', 'A bird. It flies.');
	CREATE FUNCTION kept() RETURNS real LANGUAGE plpgsql AS
		$$ BEGIN RETURN srm_score('changing', 'What is it?', 'A bird. It flies.'); END $$;
	SET srm.model = 'changing'});
my @plans = ('EXECUTE constants', 'SELECT kept()', 'EXECUTE columns', 'EXECUTE settings');
is($session->query_safe($_), $before, "before: $_") foreach @plans;
make_model('changing', 'config.json' => sub {
	my $config = shift;
	$config =~ s/"aggregation"\s*:\s*"attention"/"aggregation": "sum"/ or die;
	return $config;
});
my $after = $session->query_safe("SELECT srm_score('changing', 'What is it?', 'A bird. It flies.')");
isnt($after, $before, 'a replaced model is noticed');
# plans keep what was computed of constants, as the documentation says
is($session->query_safe($_), $before, "a kept plan: $_") foreach @plans[0, 1];
is($session->query_safe($_), $after, "a kept plan: $_") foreach @plans[2, 3];
$session->query_safe('DISCARD PLANS');
is($session->query_safe($_), $after, "planned anew: $_") foreach @plans;
is($session->query_safe("SELECT aggregation FROM srm_models() WHERE name = 'changing'"),
	'sum', 'and listed as it is now');
is($session->query_safe("RESET srm.model; SET srm.aggregation = 'sum'; SELECT srm_score('What is it?', 'A bird. It flies.')"),
	$after, 'it is the model with the new setting');
$session->quit;

# damaged and hostile files

my %damages = (
	'no config' => ['config.json' => sub { return undef }, qr/42704: model "damaged" does not exist/],
	'config is no JSON' => ['config.json' => sub { return '{"architectures": [' }, qr/F0000: invalid JSON/],
	'config is empty' => ['config.json' => sub { return '' }, qr/F0000/],
	'config is deep' => ['config.json' => sub { return '[' x 100000 }, qr/F0000: JSON in .* is nested too deeply/],
	'billions of layers' => ['config.json' => sub {
		(my $c = shift) =~ s/"num_hidden_layers"\s*:\s*\d+/"num_hidden_layers": 1000000000/; return $c },
		qr/F0000: .*num_hidden_layers/],
	'unknown architecture' => ['config.json' => sub {
		(my $c = shift) =~ s/"\w+ForSequenceClassification"/"MambaForSequenceClassification"/;
		$c =~ s/"llama"/"mamba"/; return $c },
		qr/0A000: .*MambaForSequenceClassification/],
	'unknown aggregation' => ['config.json' => sub {
		(my $c = shift) =~ s/"attention"/"median"/; return $c }, qr/0A000: aggregation "median"/],
	'no weights' => ['model.safetensors' => sub { return undef }, qr/58P01|F0000/],
	'truncated weights' => ['model.safetensors' => sub { return substr shift, 0, 100000 }, qr/F0000/],
	'truncated header' => ['model.safetensors' => sub { return substr shift, 0, 20 }, qr/F0000/],
	'header without end' => ['model.safetensors' => sub { return "\xff" x 8 . substr(shift, 8) }, qr/F0000/],
	'a tensor outside the file' => ['model.safetensors' => sub {
		(my $d = shift) =~ s/("data_offsets":\[\d+,)(\d)/${1}9/; return $d }, qr/F0000/],
	'a tensor that is missing' => ['model.safetensors' => sub {
		(my $d = shift) =~ s/"score\.weight"/"store.weight"/; return $d }, qr/F0000: .*score\.weight/s],
	'no tokenizer' => ['tokenizer.json' => sub { return undef }, qr/58P01|F0000/],
	'a tokenizer of another kind' => ['tokenizer.json' => sub {
		(my $d = shift) =~ s/"type"\s*:\s*"BPE"/"type":"WordPiece"/; return $d }, qr/0A000: .*WordPiece/],
	'a template that is no template' => ['tokenizer_config.json' => sub {
		(my $d = shift) =~ s/\{%/{% nonsense /; return $d }, qr/0A000|F0000/],
);
for my $name (sort keys %damages)
{
	my ($file, $change, $pattern) = @{$damages{$name}};
	make_model('damaged', $file => $change);
	fails_with("SELECT srm_score('damaged', 'a', 'b')", $pattern, $name);
}

# weights that are not finite: an error when they are used

make_model('damaged', 'model.safetensors' => sub {
	my $data = shift;
	my $header = unpack 'Q<', $data;
	substr($data, 8 + $header) = "\xff\x7f" x ((length($data) - 8 - $header) / 2);
	return $data;
});
fails_with("SELECT srm_score('damaged', 'a', 'b')", qr/F0000: model gives a value that is not finite/, 'NaN weights');

# weights that are finite, and scores that are not: their margins would be none

sub fill_head
{
	my ($data, $number) = @_;
	my $header = unpack 'Q<', $data;
	my ($start, $end) = substr($data, 8, $header) =~ /"score\.weight":\{[^}]*"data_offsets":\[(\d+),(\d+)\]/ or die;
	substr($data, 8 + $header + $start, $end - $start) = $number x (($end - $start) / 2);
	return $data;
}
make_model('damaged', 'model.safetensors' => sub { return fill_head(shift, "\x7f\x7f") });
my $pairs = q{'SELECT ''a'' AS prompt, ''Yes. No.'' AS chosen, ''No, never. Yes.'' AS rejected'};
fails_with("SELECT accuracy FROM srm_evaluate($pairs, 'damaged', 'last')", qr/F0000: model gives a value beyond single precision.*DETAIL:  It is -?\d\.\d+e\+\d+/s, 'infinite scores');
fails_with("SELECT srm_report($pairs, 'damaged')", qr/F0000: model gives a value beyond single precision/, 'infinite scores in a report');
fails_with("SELECT $_", qr/F0000: model gives a value beyond single precision/, "$_, infinite")
	for q{srm_score('damaged', 'a', 'Yes. No.')}, q{srm_sentence_rewards('damaged', 'a', 'Yes. No.')}, q{srm_token_rewards('damaged', 'a', 'Yes. No.')};

# scores that are finite, and a margin that is not

make_model('damaged', 'model.safetensors' => sub {
	my $data = shift;
	my $header = unpack 'Q<', $data;
	my ($start, $end) = substr($data, 8, $header) =~ /"score\.weight":\{[^}]*"data_offsets":\[(\d+),(\d+)\]/ or die;
	my @head = unpack 'v*', substr($data, 8 + $header + $start, $end - $start);
	substr($data, 8 + $header + $start, $end - $start) = pack 'v*', map { $_ & 0x7f80 ? $_ + (126 << 7) : $_ } @head;
	return $data;
}, 'config.json' => sub { (my $d = shift) =~ s/"attention",/"last",/; return $d });
my $apart = q{'damaged', 'Why?', 'I do not know.', 'The sky is blue because light is scattered.'};
is($node->safe_psql('postgres', q{SELECT s[1] > 1e38, s[2] < -3e38 FROM srm_scores('damaged', 'Why?', ARRAY['I do not know.', 'The sky is blue because light is scattered.']) AS s}), 't|t', 'the greatest scores');
is($node->safe_psql('postgres', "SELECT srm_preference($apart)"), '1', 'a preference');
fails_with("SELECT srm_margin($apart)", qr/22003: margin is out of range for type real/, 'no margin');
$node->safe_psql('postgres', q{CREATE TABLE far AS SELECT 1 AS id, 'Why?' AS prompt, 'I do not know.' AS chosen, 'The sky is blue because light is scattered.' AS rejected
	UNION ALL SELECT 2, 'Why?', 'I do not know.', 'I do not know.';
	ALTER TABLE far ADD PRIMARY KEY (id);
	CALL srm_score_table('far', 'margins', prompt => 'prompt', chosen => 'chosen', rejected => 'rejected', model => 'damaged')});
is($node->safe_psql('postgres', 'SELECT id, margin, problem FROM margins ORDER BY id'), "1||margin is out of range for type real\n2|0|", 'which is a problem of its row alone');
make_model('damaged', 'model.safetensors' => sub { return fill_head(shift, "\x00\x5b") });
is($node->safe_psql('postgres', q{SELECT srm_report('SELECT ''a'' AS prompt, ''Yes.'' AS chosen, ''Yes.'' AS rejected', 'damaged') ~ '[^a-z](nan|inf)'}),
	'f', 'pictures of large scores that are all the same');

# a broken model does not hide the others in the list

make_model('damaged', 'config.json' => sub { return '{' });
my ($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT name, architecture IS NULL FROM srm_models() ORDER BY name");
is($stdout, "changing|f\ndamaged|t\ntiny|f", 'the list goes on behind a broken model');
like($stderr, qr/WARNING:  model "damaged" cannot be loaded/, 'with a warning');

# who may do what

$node->safe_psql('postgres', 'CREATE ROLE reader LOGIN');
($ret, $stdout, $stderr) = $node->psql('postgres', "SET ROLE reader; SELECT srm_score('a', 'b') IS NOT NULL");
is($stdout, 't', 'everybody may score');
($ret, $stdout, $stderr) = $node->psql('postgres', "SET ROLE reader; SELECT srm_score('a', 'b'); SET srm.model_path = '/tmp'");
like($stderr, qr/permission denied to set parameter "srm.model_path"/, 'but not choose where models come from');
($ret, $stdout, $stderr) = $node->psql('postgres',
	"SET ROLE reader; SET srm.model_path = '/tmp'; SELECT srm_score('a', 'b') IS NOT NULL; SHOW srm.model_path");
is($stdout, "t\n$models", 'also not before the library is loaded');
($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT srm_score('a', 'b'); SET srm.model_path = 'models'");
like($stderr, qr/invalid value for parameter "srm.model_path"/, 'a relative path is refused');
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION srm_score(text, text) FROM PUBLIC');
($ret, $stdout, $stderr) = $node->psql('postgres', "SET ROLE reader; SELECT srm_score('a', 'b')");
like($stderr, qr/permission denied for function srm_score/, 'scoring can be revoked');

unlike(slurp_file($node->logfile), qr/terminated by signal|server process .* exited/, 'no backend crashed');

done_testing();
