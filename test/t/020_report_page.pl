# The page of srm_report about 2,000 pairs in a browser: nothing is logged or fetched, both colour schemes can be read, the keyboard reaches everything.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($browser) = grep { -x } map { my $name = $_; map { "$_/$name" } split /:/, $ENV{PATH} } qw(chromium chromium-browser google-chrome);
plan skip_all => 'no Chromium' unless defined $browser;

my $work = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$ENV{TESTDIR}/test/data/models'\nsrm.model = 'llama'");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE pairs AS
	SELECT format('What is %s?', i) AS prompt, format('It is %s. Sure.', i) AS chosen, repeat('No. ', i % 5 + 1) AS rejected,
		'kind of pairs/' || i % 3 AS category
	FROM generate_series(1, 2000) AS i;
	INSERT INTO pairs VALUES
		('</style><script>document.title = "torn"</script>', '<img src="http://127.0.0.1:9/a" onerror="alert(1)"> It is.', '"]]>--><svg onload=alert(2)>', '<b>bold'),
		(repeat('prompt', 4), repeat('o', 150), chr(8238) || 'back' || chr(1) || ' to front', repeat('category', 20));
});
my $page = $node->safe_psql('postgres', q{SELECT srm_report('SELECT * FROM pairs')});
$node->stop;

# What a script finds on the page, which itself allows none
my $script = <<'SCRIPT';
<script>
const parts = colour => colour.match(/[\d.]+/g).map(Number);
// The colour behind an element, with what shows through
function ground(element) {
	if (element === null)
		return parts(getComputedStyle(document.body).backgroundColor);
	const [r, g, b, alpha = 1] = parts(getComputedStyle(element).backgroundColor);
	return alpha === 1 ? [r, g, b] : ground(element.parentElement).map((below, i) => alpha * [r, g, b][i] + (1 - alpha) * below);
}
function luminance(colour) {
	const [r, g, b] = colour.map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
function contrast(element) {
	const a = luminance(parts(getComputedStyle(element).color)), b = luminance(ground(element));
	return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}
addEventListener('load', () => {
	const all = query => [...document.querySelectorAll(query)];
	all('details').forEach(element => element.open = true);
	const stops = all('summary,[tabindex]'), texts = all('h1,h2,h3,p,td,th,summary,.prompt,caption,figcaption,.faint,.srm-heatmap span,mark');
	document.body.setAttribute('data-found', JSON.stringify({
		title: document.title,
		dark: matchMedia('(prefers-color-scheme: dark)').matches,
		stops: stops.length,
		unreached: stops.filter(element => { element.focus(); return document.activeElement !== element; }).length,
		wide: document.documentElement.scrollWidth > innerWidth,
		contrast: Math.floor(10 * Math.min(...texts.map(contrast))) / 10,
		fetched: performance.getEntriesByType('resource').length,
		foreign: all('script,img,iframe,object,link,[onload],[onerror]').length - 1,
		unnamed: all('svg').filter(svg => !svg.hasAttribute('aria-label') && !svg.hasAttribute('aria-labelledby') && !svg.hasAttribute('aria-hidden')).length,
		sections: all('h2').length,
		milliseconds: Math.round(performance.now())}));
});
</script>
SCRIPT

sub write_page
{
	my ($name, $text) = @_;
	open my $fh, '>', "$work/$name" or die $!;
	print $fh $text;
	close $fh;
	return "file://$work/$name";
}

sub browse
{
	my ($address, @options) = @_;
	my ($out, $log) = ('', '');
	local $ENV{HOME} = $work;
	IPC::Run::run([$browser, qw(--headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --enable-logging=stderr --timeout=30000),
		"--user-data-dir=$work/browser", @options, '--dump-dom', $address], '>', \$out, '2>', \$log, IPC::Run::timeout(150));
	return ($out, $log);
}

# as it is
my ($dom, $log) = browse(write_page('page.html', $page));
like($dom, qr/<h2>Accuracy<\/h2>.*<\/html>/s, 'the page is shown');
unlike($log, qr/CONSOLE/, 'the console stays empty');

# and with the script, in both colour schemes, on a desk and on a telephone
(my $with_script = $page) =~ s/<meta http-equiv="Content-Security-Policy"[^>]*>/$script/ or die 'no policy';
my $address = write_page('script.html', $with_script);
for my $case (['light', 1100], ['dark', 1100], ['light', 500])
{
	my ($scheme, $width) = @$case;
	($dom, $log) = browse($address, "--window-size=$width,900", '--blink-settings=preferredColorScheme=' . ($scheme eq 'dark' ? 0 : 1));
	my ($found) = $dom =~ /data-found="([^"]*)"/;
	$found =~ s/&quot;/"/g;
	my ($contrast) = $found =~ /"contrast":([\d.]+)/;
	my ($stops) = $found =~ /"stops":(\d+)/;
	my $name = "$scheme, $width pixels";
	like($found, qr/"title":"Preference pairs by llama".*"sections":[5-9]/, "$name: a page");
	like($found, $scheme eq 'dark' ? qr/"dark":true/ : qr/"dark":false/, "$name: the scheme");
	like($found, qr/"unreached":0,/, "$name: the keyboard reaches all of its stops");
	cmp_ok($stops, '>', 10, "$name: which are many");
	cmp_ok($contrast, '>=', 4.5, "$name: texts can be told from their ground");
	like($found, qr/"wide":false/, "$name: it is not wider than the window");
	my ($milliseconds) = $found =~ /"milliseconds":(\d+)/;
	ok($milliseconds, "$name: shown") and note("after $milliseconds ms");
	like($found, qr/"fetched":0,"foreign":0,"unnamed":0/, "$name: nothing is fetched, hostile or without a name");
}

done_testing();
