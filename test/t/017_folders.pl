# Folders as they lie on disk: caches of downloads, links, clones without large files, other formats, files of other users.

use strict;
use warnings;
use File::Basename qw(basename);
use File::Copy qw(copy);
use File::Path qw(make_path rmtree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $models = PostgreSQL::Test::Utils::tempdir;
my $elsewhere = PostgreSQL::Test::Utils::tempdir;
my @sources = glob("$ENV{TESTDIR}/test/data/models/llama/*");

sub write_file
{
	my ($path, $text) = @_;
	unlink $path;
	open my $fh, '>', $path or die "$path: $!";
	print $fh $text;
	close $fh;
}

# a copy of a small model
sub make_model
{
	my ($path) = @_;
	make_path($path);
	copy($_, "$path/") or die foreach @sources;
	return $path;
}

# the same as huggingface_hub lays it out
my $commit = '0123456789abcdef' x 2 . '01234567';
sub make_cache
{
	my ($path, $snapshot) = @_;
	make_path("$path/blobs", "$path/refs", "$path/snapshots/$snapshot");
	foreach my $source (@sources)
	{
		my $name = basename($source);
		copy($source, "$path/blobs/$name.blob") or die;
		symlink("../../blobs/$name.blob", "$path/snapshots/$snapshot/$name") or die;
	}
}

make_model("$models/plain");
make_cache("$models/models--Org--Tiny", $commit);
write_file("$models/models--Org--Tiny/refs/main", $commit);

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$models'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION srm');

sub score_of
{
	my ($name) = @_;
	return $node->safe_psql('postgres', "SELECT srm_score('$name', 'What is it?', 'A bird. It flies.')");
}

sub fails_with
{
	my ($name, $pattern, $what) = @_;
	my ($ret, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT srm_score('$name', 'a', 'b')");
	like($stderr, $pattern, $what);
}

my $score = score_of('plain');

# the cache of huggingface_hub, by the name of its directory

is(score_of('models--Org--Tiny'), $score, 'a model in a cache of downloads');
is($node->safe_psql('postgres', q{SELECT string_agg(name, ' ' ORDER BY name), count(DISTINCT digest) FROM srm_models()}),
	'models--Org--Tiny plain|1', 'is listed, with the digest of its files');
symlink("models--Org--Tiny/snapshots/$commit", "$models/nice") or die;
is(score_of('nice'), $score, 'a link inside gives it another name');
unlink "$models/nice";

write_file("$models/models--Org--Tiny/refs/main", 'fedcba98');
fails_with('models--Org--Tiny', qr{42704: model "models--Org--Tiny" does not exist.*refs/main" names the snapshot "fedcba98", which has no config.json}s,
	'a commit that is not there');
unlink "$models/models--Org--Tiny/refs/main";
is(score_of('models--Org--Tiny'), $score, 'the only snapshot, where nothing names one');
make_path("$models/models--Org--Tiny/snapshots/fedcba98");
fails_with('models--Org--Tiny', qr/has 2 snapshots, and no file "refs\/main" that names one/, 'one of several');
write_file("$models/models--Org--Tiny/refs/main", "../../../plain");
fails_with('models--Org--Tiny', qr/has 2 snapshots/, 'a commit is no path');
write_file("$models/models--Org--Tiny/refs/main", $commit);

unlink "$models/models--Org--Tiny/blobs/model.safetensors.blob";
fails_with('models--Org--Tiny', qr{F0000: ".*/model.safetensors" is a link to a file that does not exist.*HINT:  .*cp -L}s,
	'a download that was interrupted, or links that were copied alone');

# links out of srm.model_path

make_model("$elsewhere/model");
symlink("$elsewhere/model", "$models/out") or die;
fails_with('out', qr{F0000: "\Q$models\E/out" is a link out of the directories of models.*DETAIL:  It leads to ".*/model".*HINT:  .*"srm.model_path"}s,
	'a directory that is a link out');
is($node->safe_psql('postgres', qq{SET srm.model_path = '$models:$elsewhere'; SELECT srm_score('out', 'What is it?', 'A bird. It flies.')}),
	$score, 'which the path allows');
unlink "$models/out";
make_model("$models/leaky");
write_file("$elsewhere/secret", 'the secret of this server');
foreach my $file ('chat_template.jinja', 'tokenizer_config.json', 'model.safetensors', 'config.json')
{
	make_model("$models/leaky");
	unlink "$models/leaky/$file";
	symlink("$elsewhere/secret", "$models/leaky/$file") or die;
	my ($ret, $stdout, $stderr) = $node->psql('postgres', q{SELECT srm_render('leaky', '[{"role": "user", "content": "a"}]')});
	like($stderr, qr/leaky\/$file" is a link out of the directories of models/, "$file that is a link out");
	unlike("$stdout$stderr", qr/the secret/, "$file: nothing of the other file is shown");
	unlink "$models/leaky/$file";
}
make_model("$models/leaky");
unlink "$models/leaky/config.json";
symlink("../plain/config.json", "$models/leaky/config.json") or die;
is(score_of('leaky'), $score, 'a link to a neighbour is followed');
rmtree("$models/leaky");

# what is no model, and why

sub make_folder
{
	my (%files) = @_;
	rmtree("$models/folder");
	make_path("$models/folder");
	write_file("$models/folder/$_", $files{$_}) foreach keys %files;
}

my $config = slurp_file("$ENV{TESTDIR}/test/data/models/llama/config.json");
my $pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" . '0' x 64 . "\nsize 1192135096\n";
make_folder();
fails_with('folder', qr/42704: model "folder" does not exist.*DETAIL:  Directory ".*folder" is empty/s, 'an empty folder');
make_folder('model-Q4_K_M.gguf' => 'GGUF', 'README.md' => '');
fails_with('folder', qr/42704: .*has "model-Q4_K_M.gguf", which is a file for llama.cpp.*HINT:  Download the model that it was made of/s, 'GGUF alone');
make_folder('model.safetensors' => '', 'tokenizer.json' => '{}');
fails_with('folder', qr/42704: .*has no file "config.json"/s, 'no configuration');
make_folder('config.json' => $config, 'pytorch_model.bin' => 'PK', 'training_args.bin' => 'PK');
fails_with('folder', qr/58P01: could not find model file ".*model.safetensors".*has "pytorch_model.bin", a pickle.*HINT:  .*save_pretrained/s, 'a pickle alone');
make_folder('config.json' => $config, 'tf_model.h5' => '');
fails_with('folder', qr/58P01: .*has "tf_model.h5" instead/s, 'weights of another library');
foreach my $file ('config.json', 'model.safetensors', 'tokenizer.json')
{
	make_model("$models/folder");
	write_file("$models/folder/$file", $pointer);
	fails_with('folder', qr{F0000: ".*/$file" is a pointer of Git LFS, not the file itself.*HINT:  Run "git lfs pull"}s, "$file is a pointer of Git LFS");
}

# files and folders of another user: as the owner without rights, which is as good

SKIP:
{
	skip 'everything is readable by root', 3 if $> == 0;
	make_model("$models/folder");
	chmod 0000, "$models/folder/model.safetensors";
	fails_with('folder', qr{42501: could not open file ".*/model.safetensors": Permission denied.*HINT:  Let the server's user ".*" read the file}s,
		'a file of mode 0600');
	chmod 0600, "$models/folder/model.safetensors";
	is(score_of('folder'), $score, 'of the server itself it is read');
	chmod 0000, "$models/folder";
	fails_with('folder', qr/42704: .*folder" could not be read: Permission denied.*HINT:  Let the server's user read it/s, 'a folder of mode 0700');
	chmod 0700, "$models/folder";
}

$node->stop;
done_testing();
