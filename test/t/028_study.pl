# The script of the study: it trains kinds and seeds with rates that it tunes, measures, and goes on where it was; and it measures models that are there.

use strict;
use warnings;
use File::Copy qw(copy);
use IO::Compress::Gzip qw(gzip);
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir;
# a socket in it has a path of a hundred bytes at most
my $work = PostgreSQL::Test::Utils::tempdir_short;
$ENV{PG_CONFIG} ||= 'pg_config';

sub write_lines
{
	my ($name, @lines) = @_;
	my $text = join('', map { "$_\n" } @lines);
	mkdir "$folder/data";
	gzip(\$text => "$folder/data/$name.jsonl.gz") or die $name;
}

sub pair
{
	my ($prompt, $chosen, $rejected) = @_;
	return qq({"prompt": "$prompt", "chosen": "$chosen", "rejected": "$rejected", "category": "chat/made"});
}

write_lines('train', map { pair("What is $_?", "It is $_. Yes.", "No. $_.") } 1 .. 12);
write_lines('valid', map { pair("What is $_?", "It is $_. Yes.", "No. $_.") } 20 .. 25);
write_lines('bench', pair('Who?', 'You.', 'Me. I am.'), pair('Who?', 'You.', 'Nobody.'), pair('Why?', 'So.', 'No.'));
write_lines('spans', map { qq({"prompt": "Is it $_?", "response": "It is. It is not $_.", "spans": [{"start": 7, "end": 16}], "source": "finegrained-rlhf"}) } 1 .. 4);

sub run_study
{
	my (@options) = @_;
	my ($stdout, $stderr) = ('', '');
	my $ok = IPC::Run::run([ 'bash', "$ENV{TESTDIR}/tools/study/run.sh", '--data', "$folder/data", '--work', "$work/study", @options ], '>', \$stdout, '2>', \$stderr);
	ok($ok, "run.sh @options[0, 1]") or diag($stderr);
	return $stdout;
}

my @training = ('--models', "$ENV{TESTDIR}/test/data/models", '--kinds', 'last mean', '--rates', '0.001 0.01', '--tune-pairs', '8', '--train', 'lora',
	'--pairs', '12', '--marker', '<END>', '--sets', 'valid bench finegrained-rlhf', '--spans', '3');
run_study(@training, '--seeds', '1');
my $output = run_study(@training);
unlike($output, qr/training \S+-1 /, 'what is there is not made again');
is(scalar(() = $output =~ /training study-\S+-2 with a rate of 0\.0?01\n/g), 2, 'a seed more is');
my $report = slurp_file("$work/study/report.md");
like($report, qr/### Rates.*\| last \| 0\.001 \| .*\| mean \| 0\.01 \| /s, 'rates were tried with each kind');
like($report, qr/\| valid \| all \| 6 \| mean \| [\d.]+ \| [\d.]+, [\d.]+ \| .* \| ± [\d.]+ \|/, 'accuracy, and its interval over seeds');
like($report, qr/\| valid \| all \| mean \| 2 \| -?[\d.]+ \| ± /, 'and its difference from the response level');
like($report, qr/\| last \| 1 \| 3 \| [\d.]+ \| ± [\d.]+ \| .* \| 33\.3 \| 0\.0 \| 100\.0 \|/, 'the best of three answers');
like($report, qr/\| finegrained-rlhf \| mean \| 6 \| 3 \|/, 'as many responses with spans as asked for');
unlike($report, qr/tune-/, 'and nothing of models that tried a rate');

# an adapter in another directory than its base

mkdir "$folder/more";
mkdir "$folder/more/tuned";
copy("$ENV{TESTDIR}/test/data/models/adapter-trained/$_", "$folder/more/tuned/") or die $! foreach qw(adapter_config.json adapter_model.safetensors);
chmod 0755, $folder, "$folder/more", "$folder/more/tuned";
run_study('--measure', 'tuned', '--models', "$ENV{TESTDIR}/test/data/models:$folder/more", '--sets', 'bench');
like(slurp_file("$work/study/report.md"), qr/\| bench \| all \| 3 \| tuned \| /, 'an adapter is measured, beside what was there');

done_testing();
