# Quantizing with a measure of how far the copy agrees with its source.

use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->append_conf('postgresql.conf', "srm.model_path = '$ENV{TESTDIR}/test/data/models:\$output'\n");
$node->start;
$node->safe_psql('postgres', q{
	CREATE EXTENSION srm;
	CREATE TABLE pairs AS SELECT i, 'Say ' || i || '.' AS prompt, md5(i::text) || '. Yes ' || i AS chosen, 'No, ' || md5((-i)::text) || '.' AS rejected
		FROM generate_series(1, 60) AS i;
	CREATE ROLE reader});

my $query = 'SELECT prompt, chosen, rejected FROM pairs ORDER BY i';
my ($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT * FROM srm_quantize('llama', 'small', '$query')");
is($ret, 0, 'quantizing with a query') or diag $stderr;
my ($pairs, $correlation, $flips, $difference) = split /\|/, $stdout;
is($pairs, 60, 'all pairs are compared');

# the same by hand: the model, and its copy
my $expected = $node->safe_psql('postgres', q{
	WITH scores AS (
		SELECT i, 1 AS side, srm_score('llama', prompt, chosen)::float8 AS s, srm_score('small', prompt, chosen)::float8 AS q FROM pairs
		UNION ALL SELECT i, 2, srm_score('llama', prompt, rejected), srm_score('small', prompt, rejected) FROM pairs),
	ranks AS (SELECT *, rank() OVER (ORDER BY s) + (count(*) OVER (PARTITION BY s) - 1) / 2.0 AS rs,
		rank() OVER (ORDER BY q) + (count(*) OVER (PARTITION BY q) - 1) / 2.0 AS rq FROM scores)
	SELECT corr(rs, rq), max(abs(s - q)),
		(SELECT count(*) FROM scores AS a JOIN scores AS b USING (i) WHERE a.side = 1 AND b.side = 2 AND sign(a.s - b.s) <> sign(a.q - b.q))
	FROM ranks});
my ($by_hand, $largest, $flipped) = split /\|/, $expected;
cmp_ok(abs($correlation - $by_hand), '<', 1e-9, 'the rank correlation');
cmp_ok(abs($difference - $largest), '<', 1e-9, 'the largest difference');
is($flips, $flipped, 'the flips');
cmp_ok($difference, '>', 0, 'the copy is not the same');

# it stands in the copy
my $config = decode_json(slurp_file($node->data_dir . '/srm/models/small/config.json'));
is($config->{srm}{agreement}{pairs}, 60, 'config.json tells the pairs');
is($config->{srm}{agreement}{flips}, $flips, 'and the flips');
cmp_ok(abs($config->{srm}{agreement}{rank_correlation} - $correlation), '<', 1e-12, 'and the correlation');
cmp_ok(abs($config->{srm}{agreement}{largest_difference} - $difference), '<', 1e-12, 'and the difference');

is($node->safe_psql('postgres', q{SELECT i->'agreement'->>'pairs' || ' ' || (i->'agreement'->>'flips') FROM srm_model_info('small') AS i}), "60 $flips", 'srm_model_info shows them');
is($node->safe_psql('postgres', q{SELECT srm_model_info('llama') ? 'agreement'}), 'f', 'but not where there are none');

# a model that was trained from it is another one
$node->safe_psql('postgres', q{CALL srm_train('trained', 'SELECT prompt, chosen, rejected FROM pairs ORDER BY i', base => 'small', train => 'head', epochs => 1, aggregation => 'last', boundary => 'offset')});
$config = decode_json(slurp_file($node->data_dir . '/srm/models/trained/config.json'));
is($config->{srm}{quantization}, 'int8', 'a trained head leaves the bytes');
is($config->{srm}{agreement}, undef, 'but not the figures');

# more than one flip in a hundred pairs is a warning
is($stderr =~ /WARNING:  model "llama" in 8 bits prefers other responses/ ? 1 : 0, $flips * 100 > $pairs ? 1 : 0, 'a warning where there are flips');
$node->safe_psql('postgres', q{CREATE TABLE close AS
	SELECT 'Hi.' AS prompt, a.chosen, b.rejected FROM pairs AS a, pairs AS b
	WHERE sign(srm_score('llama', 'Hi.', a.chosen) - srm_score('llama', 'Hi.', b.rejected)) <> sign(srm_score('small', 'Hi.', a.chosen) - srm_score('small', 'Hi.', b.rejected))});
my $n = $node->safe_psql('postgres', 'SELECT count(*) FROM close');
cmp_ok($n, '>', 0, 'there are pairs that flip');
($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT pairs, flips FROM srm_quantize('llama', 'small', 'TABLE close', true)");
is($stdout, "$n|$n", 'pairs that all flip');
like($stderr, qr/WARNING:  model "llama" in 8 bits prefers other responses.*DETAIL:  It does so in $n of $n pairs/s, 'and a warning');
($ret, $stdout, $stderr) = $node->psql('postgres', q{SELECT flips FROM srm_quantize('llama', 'small', 'SELECT prompt, chosen, chosen AS rejected FROM pairs', true)});
is($stdout, '0', 'pairs that cannot flip');
unlike($stderr, qr/WARNING/, 'and none');

unlike($stderr, qr/NOTICE/, 'what was measured needs no notice');

# weights alone in 8 bits
($ret, $stdout, $stderr) = $node->psql('postgres', "SELECT pairs, largest_difference < $difference, largest_difference > 0 FROM srm_quantize('tiny', 'w8', '$query', kind => 'w8')");
is($stdout, '60|t|t', 'kind w8') or diag $stderr;
is($node->safe_psql('postgres', q{SELECT i->>'quantization', i->>'compute', i->'agreement'->>'pairs' FROM srm_model_info('w8') AS i}), 'w8|w8|60', 'and what stands in the copy');
is($node->safe_psql('postgres', q{
	CREATE TEMP TABLE copies AS SELECT i, srm_scores('w8', prompt, ARRAY[chosen, rejected]) AS s FROM pairs;
	SET srm.model = 'tiny'; SET srm.compute = w8;
	SELECT count(*) FROM copies JOIN pairs USING (i) WHERE s = srm_scores(prompt, ARRAY[chosen, rejected])}), '60', 'which has the scores of the same arithmetic with its source');
$node->safe_psql('postgres', q{
	CALL srm_train('w8_head', 'SELECT prompt, chosen, rejected FROM pairs ORDER BY i', base => 'w8', train => 'head', epochs => 1);
	CALL srm_train('w8_all', 'SELECT prompt, chosen, rejected FROM pairs ORDER BY i LIMIT 4', base => 'w8', epochs => 1, batch => 4, learning_rate => 1e-12)});
is($node->safe_psql('postgres', q{SELECT string_agg(coalesce(srm_model_info(m)->>'quantization', ''), ' ' ORDER BY m) FROM unnest(ARRAY['w8_all', 'w8_head']) AS m}), ' w8', 'a trained head leaves the bytes, and others do not');
is($node->safe_psql('postgres', q{SELECT max(abs(srm_score('w8_all', prompt, chosen) - srm_score('w8', prompt, chosen))) < 0.1 FROM pairs}), 't', 'weights that were trained begin where the bytes are');

# rounded by what the model reads
my $near = "SELECT * FROM srm_quantize('llama', '%s', '$query', true, calibration_pairs => %d)";
my (undef, undef, undef, $plain) = split /\|/, $node->safe_psql('postgres', "SELECT * FROM srm_quantize('llama', 'plain', 'SELECT prompt, chosen, rejected FROM pairs WHERE i > 40 ORDER BY i')");
($ret, $stdout, $stderr) = $node->psql('postgres', sprintf($near, 'near', 40));
is($ret, 0, 'quantizing with calibration') or diag $stderr;
($pairs, $correlation, $flips, $difference) = split /\|/, $stdout;
is($pairs, 20, 'pairs that calibrated it are not compared');
unlike($stderr, qr/NOTICE/, 'it was measured');
is($node->safe_psql('postgres', q{SELECT bool_or(srm_score('near', prompt, chosen) <> srm_score('plain', prompt, chosen)) FROM pairs}), 't', 'weights are rounded otherwise');
is($node->safe_psql('postgres', q{
	SET srm.model = 'llama'; SET srm.compute = f32;
	WITH scores AS (SELECT unnest(srm_scores(prompt, ARRAY[chosen, rejected])) AS s, unnest(srm_scores('near', prompt, ARRAY[chosen, rejected])) AS q FROM pairs WHERE i > 40)
	SELECT max(abs(s::float8 - q)) FROM scores}), $difference, 'the largest difference, by hand');
cmp_ok($difference, '<', 2 * $plain, 'it is no worse than plain rounding');
$config = decode_json(slurp_file($node->data_dir . '/srm/models/near/config.json'));
is_deeply([@{$config->{srm}{agreement}}{qw(pairs flips)}, $config->{srm}{quantization}], [20, $flips, 'int8'], 'config.json tells what was measured');
$node->safe_psql('postgres', sprintf("$near; $near", 'near-again', 40, 'near-again', 40));
is($node->safe_psql('postgres', q{SELECT bool_and(srm_score('near', prompt, chosen) = srm_score('near-again', prompt, chosen)) FROM pairs}), 't', 'and what a session has read before does not matter');
# each copy is compared itself, also where one statement makes several of one name
my @each = map { (split /\|/, $node->safe_psql('postgres', sprintf($near, 'near-again', $_)))[3] } 2, 20;
is($node->safe_psql('postgres', "SELECT string_agg((srm_quantize('llama', 'near-again', '$query', true, calibration_pairs => n)).largest_difference::text, ' ' ORDER BY n) FROM unnest(ARRAY[2, 20]) AS n"), "@each", 'several copies in one statement');
isnt($each[0], $each[1], 'are not the same');
is($node->safe_psql('postgres', q{SELECT pairs, largest_difference > 0 FROM srm_quantize('tiny', 'w8', 'SELECT prompt, chosen, rejected FROM pairs ORDER BY i', true, 'w8', 1)}), '59|t', 'kind w8, by one pair');

# no query: nobody takes the copy for the model unawares
($ret, $stdout, $stderr) = $node->psql('postgres', q{SELECT srm_quantize('llama', 'unmeasured')});
is($ret, 0, 'quantizing without a query') or diag $stderr;
like($stderr, qr/NOTICE:  how far scores of model "unmeasured" agree with those of "llama" was not measured.*HINT:  Give a query/s, 'says that nothing was measured');

# refusals, which leave the copy as it is
sub fails_with
{
	my ($statement, $pattern, $name) = @_;
	($ret, $stdout, $stderr) = $node->psql('postgres', "\\set VERBOSITY verbose\n$statement");
	like($stderr, $pattern, $name);
}
fails_with("SELECT srm_quantize('llama', 'small', '$query')", qr/42710: model "small" already exists/, 'a name that is taken, before anything is scored');
fails_with(q{SELECT srm_quantize('llama', 'small', 'SELECT prompt, chosen, rejected FROM pairs WHERE false', true)}, qr/22023: query gives no pairs/, 'no pairs');
fails_with(q{SELECT srm_quantize('llama', 'small', 'SELECT 1', true)}, qr/query gives no column/, 'no columns');
fails_with(q{SELECT srm_quantize('small', 'smaller', 'SELECT prompt, chosen, rejected FROM pairs')}, qr/22023: model "small" is quantized already/, 'not twice');
fails_with(q{SELECT srm_quantize('llama', 'small', 'SELECT prompt, chosen, 1 / (i - 30) || rejected AS rejected FROM pairs', true)}, qr/22012: division by zero/, 'an error in the query');
fails_with(q{SET statement_timeout = '50ms'; SELECT srm_quantize('llama', 'small', 'SELECT prompt, chosen, rejected FROM pairs, generate_series(1, 100000)', true)}, qr/57014: canceling statement/, 'a cancelled one');
is($node->safe_psql('postgres', q{SELECT srm_model_info('small')->'agreement'->>'pairs'}), '60', 'all of that leaves the copy as it was');
is_deeply([grep { /tmp/ } slurp_dir($node->data_dir . '/srm/models')], [], 'and nothing besides');
fails_with(sprintf($near, 'near', -1), qr/22023: calibration_pairs must be at least 0/, 'fewer pairs than none');
fails_with(sprintf($near, 'near', 60), qr/22023: query gives no pairs to compare the models on.*DETAIL:  It gives 60, of which the first 60 are for calibration/s, 'all pairs for calibration');
fails_with("SET srm.training_memory = '64kB'; SELECT srm_quantize('tiny', 'near', '$query', true, calibration_pairs => 40)", qr/54000: calibration needs more memory than is allowed.*DETAIL:  It needs \d+ MB; the limit is 0 MB/s, 'too little memory');
is($node->safe_psql('postgres', q{SELECT srm_model_info('near')->'agreement'->>'pairs'}), '20', 'all of that leaves the copy as it was');
fails_with("SET srm.model_path = '$ENV{TESTDIR}/test/data/models'; " . sprintf($near, 'near', 40), qr/55000: model "near" would be written to ".*", where "srm.model_path" does not lead.*HINT:  Add/s, 'a copy that could not be read');
$node->safe_psql('postgres', 'CREATE SEQUENCE reads');
fails_with(q{SELECT srm_quantize('llama', 'near', 'SELECT prompt, chosen, rejected FROM pairs, (SELECT nextval(''reads'') AS n) AS s WHERE i <= 30 * n', true, calibration_pairs => 20)},
	qr/22023: query gives other pairs when it runs again.*DETAIL:  It gave 30 at first and 60 then. Model "near" is there, and was not compared/s, 'a query that does not give the same pairs twice');
fails_with(q{SELECT srm_quantize('llama', 'small', kind => 'w4')}, qr/22023: invalid kind of quantization "w4".*HINT:  Kinds are/s, 'no kind');
fails_with("SET ROLE reader; SELECT srm_quantize('llama', 'mine', '$query')", qr/42501: permission denied for function srm_quantize/, 'it has to be granted');
fails_with(q{SELECT srm_quantize('llama', 'near', 'SELECT prompt, chosen, rejected || nextval(''reads'') / 100 AS rejected FROM pairs ORDER BY i', true, calibration_pairs => 20)},
	qr/22023: query gives other pairs when it runs again.*DETAIL:  It gave 60 at first and 60 then/s, 'as many others');
is($node->safe_psql('postgres', q{SELECT srm_quantize('llama', 'small', true)}), '', 'without a query it is as before');
is(decode_json(slurp_file($node->data_dir . '/srm/models/small/config.json'))->{srm}{agreement}, undef, 'and nothing is told');

# cross-encoders: copied in 8 bits, calibrated, evaluated and shown as others are; they cannot be trained
$node->safe_psql('postgres', q{CREATE TABLE few AS SELECT prompt, chosen, rejected, chosen AS response FROM pairs WHERE i <= 12});
for my $model (qw(cross-bert cross-roberta cross-xlm-roberta))
{
	my ($n, $rank, undef, $apart) = split /\|/, $node->safe_psql('postgres', "SELECT * FROM srm_quantize('$model', '$model-8', 'SELECT prompt, chosen, rejected FROM few')");
	cmp_ok($apart, '<', 0.1, "$model: a copy in 8 bits agrees");
	is($node->safe_psql('postgres', "SELECT n, accuracy BETWEEN 0 AND 1 FROM srm_evaluate('SELECT prompt, chosen, rejected FROM few', '$model-8')"), '12|t', "$model: it is evaluated");
	$node->safe_psql('postgres', "SELECT srm_calibrate('$model', 'SELECT prompt, response FROM few', '$model-c')");
	is($node->safe_psql('postgres', "SELECT count(*) FILTER (WHERE srm_score('$model', prompt, chosen) = srm_score('$model-c', prompt, chosen)),
		abs(avg(srm_standardize('$model-c', srm_score('$model-c', prompt, chosen)))) < 1e-4 FROM few"), '12|t', "$model: a calibrated copy has the same scores");
	like($node->safe_psql('postgres', "SELECT srm_heat('$model', 'a', 'b c. d') || srm_heatmap('$model', 'a', 'b c. d')"), qr/b c\. d.*b c\. d/s, "$model: one sentence in colours");
	for my $part (qw(head full lora))
	{
		(undef, undef, $stderr) = $node->psql('postgres', "CALL srm_train('no', 'SELECT prompt, chosen, rejected FROM few', base => '$model', train => '$part')");
		like($stderr, qr/ERROR:  a model of architecture "\w+ForSequenceClassification" cannot be trained\nDETAIL:  It is a cross-encoder/, "$model: training of $part is refused");
	}
}

$node->stop;
done_testing();
