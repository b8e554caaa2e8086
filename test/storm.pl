# A storm: ten sessions that score, train, quantize, rename and score tables, while
# they are cancelled and terminated all the time.  Each score that comes back is
# compared with that of a quiet session, bit for bit.
#
# usage: make storm [STORM_MINUTES=10] [STORM_KILL=1]
#
# With STORM_KILL=1 a backend is killed every half minute, by a signal that it cannot
# catch: the server then starts anew.

use strict;
use warnings;
use File::Find;
use File::Path qw(make_path);
use IPC::Run;
use POSIX;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $minutes = $ENV{STORM_MINUTES} || 10;
my $kill = $ENV{STORM_KILL} || 0;
my $source = $ENV{TESTDIR};
my $work = PostgreSQL::Test::Utils::tempdir;
my $models = "$work/models";
my $output = "$work/output";
my $prepared = "$work/prepared";
my $n_texts = 40;
my $deadline;

# what went wrong, but is no fault of anybody in a storm
my @expected = (
	qr/canceling statement due to (?:user request|statement timeout)/,
	qr/terminating connection due to administrator command/,
	qr/server closed the connection unexpectedly/,
	qr/connection to server was lost/,
	# a setting that is none, when the library is loaded
	qr/invalid value for parameter "srm.compute": "rubbish"/,
	# swap and quick are replaced all the time, new_name comes and goes
	qr/model directory ".*" was changed while it was read/,
	qr/could not open (?:file|directory) ".*(?:swap|quick|old_name|new_name)/,
	qr/could not find model file ".*(?:swap|quick|old_name|new_name)/,
	qr/model "(?:swap|quick|old_name|new_name|trained)" does not exist/,
	qr/model "(?:quick|old_name|new_name|trained)" already exists/,
	qr/prepared weights of model "(?:swap|quick|old_name|new_name)" are not shared/,
	qr/wrong shape of tensor ".*" in model file ".*swap/,
	# a run of the name is stopped, or still there
	qr/model "trained" is being trained/,
	qr/there is (?:a|no) checkpoint/,
	qr/checkpoint ".*" belongs to another run/,
	# a table that is being scored
	qr/background worker/i,
	qr/(?:relation|table) "scored" does not exist/,
	qr/is being scored/);
push @expected, qr/the database system is (?:in recovery mode|starting up|shutting down|not yet accepting)/,
	qr/terminating connection because of crash of another server process/, qr/connection to server (?:on socket|at) .* failed/,
	qr/could not (?:receive data from|connect to) server/
	if $kill;

my $node = PostgreSQL::Test::Cluster->new('storm');
$node->init;
make_path($models, $output, $prepared);
for my $model (qw(llama qwen3 sentence-rm attention-marker))
{
	system('cp', '-r', "$source/test/data/models/$model", "$models/$model") == 0 or die;
}
system('cp', '-r', "$models/llama", "$work/swap.0") == 0 or die;
system('cp', '-r', "$models/qwen3", "$work/swap.1") == 0 or die;
system('cp', '-r', "$models/llama", "$models/swap") == 0 or die;
system('cp', '-r', "$models/qwen3", "$output/old_name") == 0 or die;
$node->append_conf('postgresql.conf', <<"END");
srm.model_path = '\$system:$models:\$output'
srm.output_path = '$output'
srm.prepared_path = '$prepared'
max_connections = 40
max_worker_processes = 16
restart_after_crash = on
log_min_messages = warning
END
$node->start;
$node->safe_psql('postgres', qq{
	CREATE EXTENSION srm;
	CREATE TABLE text AS
		SELECT i AS id, 'Question ' || i % 7 || '?' AS prompt,
			(SELECT string_agg('It is ' || left(md5((i * 100 + j)::text), 6) || '.', ' ') FROM generate_series(0, i % 5) AS j) AS response
		FROM generate_series(1, $n_texts) AS i;
	ALTER TABLE text ADD PRIMARY KEY (id);
	SELECT srm_quantize('llama', 'quick')});

# what a quiet session says
my @scored = qw(default llama qwen3 sentence-rm attention-marker quick);
$node->safe_psql('postgres', q{CREATE TABLE bits (model text, id int, score bytea, parts bytea, PRIMARY KEY (model, id))});
for my $model (@scored)
{
	$node->safe_psql('postgres', qq{
		INSERT INTO bits SELECT '$model', id, float4send(srm_score('$model', prompt, response)),
			(SELECT string_agg(float4send(reward), '' ORDER BY sentence_no) FROM srm_sentence_rewards('$model', prompt, response))
		FROM text});
}

sub pick { return $_[int rand @_]; }

# a statement that gives "RESULT right wrong"
sub scoring
{
	my $model = pick(@scored, 'swap', pick(qw(old_name new_name)));
	my $first = 1 + int rand $n_texts;
	my $last = $first + int rand 8;
	my $call = "srm_score('$model', prompt, response)";
	my $as = $model eq 'swap' ? "IN ('llama', 'qwen3')" : $model =~ /name/ ? "= 'qwen3'" : "= '$model'";
	my $right = "float4send(score) IN (SELECT b.score FROM bits AS b WHERE b.model $as AND b.id = t.id)";

	if ($model !~ /swap|name/ && rand() < 0.3)
	{
		return qq{SELECT 'RESULT', count(*) FILTER (WHERE t.parts = b.parts), count(*) FILTER (WHERE t.parts <> b.parts)
			FROM (SELECT id, (SELECT string_agg(float4send(reward), '' ORDER BY sentence_no)
				FROM srm_sentence_rewards('$model', prompt, response)) AS parts FROM text WHERE id BETWEEN $first AND $last) AS t
			JOIN bits AS b ON b.id = t.id AND b.model = '$model'};
	}
	$call = "(srm_scores('$model', prompt, ARRAY['No.', response, response || ' Yes.']))[2]" if rand() < 0.3;
	return qq{SELECT 'RESULT', count(*) FILTER (WHERE $right), count(*) FILTER (WHERE NOT $right)
		FROM (SELECT id, $call AS score FROM text WHERE id BETWEEN $first AND $last OFFSET 0) AS t};
}

my $pairs = 'SELECT prompt, response AS chosen, response || $$ Not.$$ AS rejected FROM text';

# a script for one connection of a session of a kind
sub script
{
	my ($kind) = @_;
	my $script = sprintf "SET srm.threads = %d;\n", pick(1, 1, 2, 3);
	my @statements;

	if ($kind eq 'train')
	{
		my $resume = pick('resume => true', 'replace => true');
		push @statements, sprintf q{CALL srm_train('trained', '%s', base => 'llama', train => '%s', epochs => 3, batch => 8, held_out => 0.3, %s)},
			$pairs, pick(qw(full head lora)), $resume;
		push @statements, q{SELECT srm_drop_model('trained')} if rand() < 0.2;
	}
	elsif ($kind eq 'quantize')
	{
		push @statements, q{SELECT srm_quantize('llama', 'quick', replace => true)} for 1 .. 5;
	}
	elsif ($kind eq 'rename')
	{
		push @statements, q{SELECT srm_rename_model('old_name', 'new_name')}, q{SELECT srm_rename_model('new_name', 'old_name')} for 1 .. 5;
	}
	elsif ($kind eq 'table')
	{
		push @statements, q{DROP TABLE IF EXISTS scored},
			sprintf(q{CALL srm_score_table('text', 'scored', prompt => 'prompt', response => 'response', model => 'llama', batch => 5, workers => %d)}, pick(1, 2)),
			q{SELECT 'RESULT', count(*) FILTER (WHERE float4send(s.score) = b.score), count(*) FILTER (WHERE float4send(s.score) <> b.score)
				FROM scored AS s JOIN bits AS b ON b.id = s.id AND b.model = 'llama'};
	}
	else
	{
		$script .= "SET srm.compute = $_;\n" for grep { rand() < 0.2 } qw(rubbish);
		push @statements, scoring() for 1 .. 40;
	}
	for my $statement (@statements)
	{
		$script .= sprintf "SET statement_timeout = %d;\n%s;\n", rand() < 0.3 ? 1 + int rand 500 : 0, $statement;
	}
	return $script;
}

# one session after the other, until the end; writes what it saw to a file
sub run_session
{
	my ($number, $kind) = @_;
	my %seen = (right => 0, wrong => 0, cancelled => 0, terminated => 0, expected => 0, strange => 0, sessions => 0);
	my $log = "$work/session.$number";

	srand(4711 + $number);
	open my $strange, '>', "$log.strange" or die;
	while (time < $deadline)
	{
		my ($stdout, $stderr) = ('', '');

		open my $file, '>', "$log.sql" or die;
		print $file script($kind);
		close $file;
		IPC::Run::run(['psql', '-XAtq', '-F', ' ', '-d', $node->connstr('postgres') . ' application_name=storm', '-f', "$log.sql"],
			'>', \$stdout, '2>', \$stderr);
		$seen{sessions}++;
		while ($stdout =~ /^RESULT (\d+) (\d+)$/mg)
		{
			$seen{right} += $1;
			$seen{wrong} += $2;
		}
		for my $line (grep { /(?:ERROR|FATAL|PANIC|WARNING|error|lost):? / } split /\n/, $stderr)
		{
			if ($line =~ /canceling statement/) { $seen{cancelled}++; }
			elsif ($line =~ /terminating connection due to administrator/) { $seen{terminated}++; }
			elsif (grep { $line =~ $_ } @expected) { $seen{expected}++; }
			else { $seen{strange}++; print $strange "$line\n"; }
		}
		sleep 0.5 if $kill && $stderr =~ /recovery mode|starting up/;
	}
	open my $file, '>', $log or die;
	print $file join(' ', %seen), "\n";
	close $file;
	POSIX::_exit(0);
}

# cancels and terminates whom it meets
sub run_killer
{
	my $next_kill = time + 30;

	while (time < $deadline)
	{
		my $script = join '', map {
			sprintf "SELECT %s(pid) FROM pg_stat_activity WHERE application_name = 'storm' ORDER BY random() LIMIT 1; SELECT pg_sleep(%.3f);\n",
				rand() < 0.05 ? 'pg_terminate_backend' : 'pg_cancel_backend', rand(0.06) } 1 .. 200;
		my ($stdout, $stderr);

		IPC::Run::run(['psql', '-XAtq', '-d', $node->connstr('postgres')], '<', \$script, '>', \$stdout, '2>', \$stderr);
		if ($kill && time > $next_kill)
		{
			my $pid = eval { $node->safe_psql('postgres', q{
				SELECT pid FROM pg_stat_activity WHERE application_name = 'storm' ORDER BY random() LIMIT 1}) };
			kill 9, $pid if $pid;
			$next_kill = time + 30;
		}
	}
	POSIX::_exit(0);
}

# puts one model in the place of another, as documented: by renaming
sub run_swapper
{
	for (my $i = 0; time < $deadline; $i = 1 - $i)
	{
		system('cp', '-r', "$work/swap." . (1 - $i), "$models/.swap.new") == 0 or die;
		rename "$models/swap", "$models/.swap.old" or die;
		rename "$models/.swap.new", "$models/swap" or die;
		system('rm', '-rf', "$models/.swap.old") == 0 or die;
		sleep rand 0.3;
	}
	POSIX::_exit(0);
}

my @kinds = (('score') x 6, qw(train quantize rename table));
my @children;
$deadline = time + 60 * $minutes;
for my $task ((map { my $n = $_; sub { run_session($n, $kinds[$n]) } } 0 .. $#kinds), \&run_killer, \&run_swapper)
{
	my $pid = fork;
	if ($pid == 0) { $task->(); }
	push @children, $pid;
}
my $failed = 0;
for my $child (@children)
{
	waitpid $child, 0;
	$failed++ if $?;
}

# what it came to
my %total;
for my $number (0 .. $#kinds)
{
	my %seen = split ' ', slurp_file("$work/session.$number");
	$total{$_} += $seen{$_} for keys %seen;
	note sprintf "%-10s %s", $kinds[$number], join ', ', map { "$_ $seen{$_}" } sort keys %seen;
	my $strange = slurp_file("$work/session.$number.strange");
	my %once = map { $_ => 1 } split /\n/, $strange;
	my @once = sort keys %once;
	diag "    $_" for splice @once, 0, 10;
}

# and what is left of it, once those that clean up after others had their turn
sleep 2;
my $again = $node->safe_psql('postgres', q{
	SET srm.threads = 3;
	SELECT count(*) FILTER (WHERE float4send(srm_score(model, prompt, response)) <> score) FROM bits JOIN text USING (id)});
$node->safe_psql('postgres', qq{
	SELECT srm_quantize('llama', 'last');
	CALL srm_train('last_trained', '$pairs', base => 'llama', epochs => 1)});
my @left;
find(sub { push @left, $File::Find::name if /\.tmp|^\..*\.(?:old|new)/ }, $output, $prepared, "$models");
my $processes = $node->safe_psql('postgres', q{
	SELECT count(*) FROM pg_stat_activity WHERE application_name = 'storm' OR backend_type NOT IN ('autovacuum launcher', 'autovacuum worker',
		'background writer', 'checkpointer', 'client backend', 'logical replication launcher', 'walwriter', 'archiver')});
my $locks = $node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()});
my $session = $node->background_psql('postgres');
$session->query_safe(q{SET srm.threads = 3});
$session->query_safe(q{SELECT srm_score('llama', prompt, response) FROM text});
my $threads = () = glob '/proc/' . $session->query_safe('SELECT pg_backend_pid()') . '/task/*';
$session->quit;
my $crashes = () = slurp_file($node->logfile) =~ /was terminated by signal/g;
$node->stop;

note sprintf 'results %d, cancels %d, terminations %d, changes of other sessions met %d, crashes %d',
	@total{qw(right cancelled terminated expected)}, $crashes;
cmp_ok($total{right}, '>', 0, 'there are results');
cmp_ok($total{cancelled}, '>', 0, 'and cancels');
is($total{wrong}, 0, 'wrong bits');
is($again, 0, 'wrong bits afterwards');
is($total{strange}, 0, 'errors that nobody expects');
is($failed, 0, 'sessions that failed');
is_deeply(\@left, [], 'files left behind');
is($processes, 0, 'processes left behind');
is($locks, 0, 'locks left behind');
is($threads, 1, 'threads of a session at rest');
is($crashes, 0, 'crashes') unless $kill;
done_testing();
