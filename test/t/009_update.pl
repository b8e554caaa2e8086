# A database that was updated from an older version has the same objects as a fresh one.

use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# a line for each object of the extension, with all that a user may notice
my $objects = q{
WITH member AS (
	SELECT classid, objid FROM pg_depend
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
		AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'srm')
)
SELECT format('%s %s(%s) returns %s, language %s, kind %s, volatile %s, strict %s, parallel %s, leakproof %s, definer %s, cost %s, rows %s, support %s, symbol %s, library %s, settings %s, acl %s, comment %L',
	'function', p.oid::regproc, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), l.lanname, prokind, provolatile,
	proisstrict, proparallel, proleakproof, prosecdef, procost, prorows, prosupport, md5(regexp_replace(prosrc || coalesce(pg_get_function_sqlbody(p.oid), ''), '\m(public|extensions)\.', '', 'g')) || ' ' || left(prosrc, 40),
	probin, proconfig, proacl, obj_description(p.oid, 'pg_proc'))
FROM member JOIN pg_proc AS p ON classid = 'pg_proc'::regclass AND objid = p.oid JOIN pg_language AS l ON l.oid = prolang
UNION ALL
SELECT format('aggregate %s: %s', aggfnoid::regprocedure, to_jsonb(a) - '{aggfnoid}'::text[])
FROM member JOIN pg_aggregate AS a ON classid = 'pg_proc'::regclass AND objid = aggfnoid
UNION ALL
SELECT format('relation %s: kind %s, acl %s, options %s, definition %s, comment %L', c.oid::regclass, relkind, relacl, reloptions,
	CASE WHEN relkind = 'v' THEN pg_get_viewdef(c.oid) END, obj_description(c.oid, 'pg_class'))
FROM member JOIN pg_class AS c ON classid = 'pg_class'::regclass AND objid = c.oid
UNION ALL
SELECT format('column %s.%s: number %s, type %s, not null %s, identity %s, generated %s, default %s, acl %s, comment %L', attrelid::regclass, attname,
	attnum, format_type(atttypid, atttypmod), attnotnull, attidentity, attgenerated, pg_get_expr(adbin, adrelid), attacl, col_description(attrelid, attnum))
FROM member JOIN pg_attribute ON classid = 'pg_class'::regclass AND objid = attrelid AND attnum > 0 AND NOT attisdropped
	LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
UNION ALL
SELECT format('constraint %s of %s: %s', conname, conrelid::regclass, pg_get_constraintdef(c.oid))
FROM member JOIN pg_constraint AS c ON classid = 'pg_class'::regclass AND objid = conrelid
UNION ALL
SELECT format('index %s', pg_get_indexdef(indexrelid))
FROM member JOIN pg_index ON classid = 'pg_class'::regclass AND objid = indrelid
UNION ALL
SELECT format('sequence %s: %s', seqrelid::regclass, to_jsonb(s) - '{seqrelid}'::text[])
FROM member JOIN pg_sequence AS s ON classid = 'pg_class'::regclass AND objid = seqrelid
UNION ALL
SELECT format('trigger %s', pg_get_triggerdef(t.oid)) FROM member JOIN pg_trigger AS t ON classid = 'pg_class'::regclass AND objid = tgrelid
	AND NOT tgisinternal
UNION ALL
SELECT format('schema %s: acl %s, comment %L', nspname, nspacl, obj_description(n.oid, 'pg_namespace'))
FROM member JOIN pg_namespace AS n ON classid = 'pg_namespace'::regclass AND objid = n.oid
UNION ALL
SELECT format('%s', pg_describe_object(classid, objid, 0)) FROM member
UNION ALL
SELECT format('dumped %s where %L', dumped.oid::regclass, condition)
FROM pg_extension AS e, unnest(extconfig, extcondition) AS dumped (oid, condition) WHERE extname = 'srm'
UNION ALL
SELECT format('version %s, relocatable %s, schema %s', extversion, extrelocatable, extnamespace::regnamespace) FROM pg_extension WHERE extname = 'srm'
ORDER BY 1
};

my $node = PostgreSQL::Test::Cluster->new('main');
$node->init;
$node->start;
for my $database (qw(fresh updated moved))
{
	$node->safe_psql('postgres', "CREATE DATABASE $database");
}

my @scripts = split /\n/, $node->safe_psql('fresh', q{
	SELECT version FROM pg_available_extension_versions WHERE name = 'srm' ORDER BY 1});
is_deeply(\@scripts, [qw(0.1.0 0.2.0)], 'versions that can be installed');
$node->safe_psql('fresh', 'CREATE EXTENSION srm');
$node->safe_psql('updated', q{CREATE EXTENSION srm VERSION '0.1.0'});
like($node->safe_psql('updated', $objects), qr/^version 0\.1\.0,/m, 'the old version is there first');

# the old procedure, of one argument less, reaches the library
my (undef, undef, $stderr) = $node->psql('updated', q{CALL srm_train('x', 'SELECT 1', base => 'nowhere')});
like($stderr, qr/model "nowhere" does not exist/, 'training by the old script');

# what it has stored by then goes on to be right
$node->safe_psql('updated', q{
	CREATE TABLE kept (id int, response text,
		score real GENERATED ALWAYS AS (srm_score('tiny', 'Hi.', response)) STORED);
	INSERT INTO kept VALUES (1, 'Hello. How are you?');
	CREATE INDEX ON kept (srm_score('tiny', 'Hi.', response));
	CREATE VIEW shown AS SELECT srm_score('Hi.', response) AS score FROM kept;
	ALTER EXTENSION srm UPDATE});
is($node->safe_psql('updated', q{
	UPDATE kept SET response = response || '';
	SELECT bool_and(kept.score = shown.score AND kept.score = srm_score('tiny', 'Hi.', response)) FROM kept, shown}),
	't', 'generated columns, indexes and views of the old version go on');
$node->safe_psql('updated', 'DROP TABLE kept CASCADE');

sub compare
{
	my ($name, $fresh, $updated) = @_;

	# wherever they are
	s/\b(?:public|extensions)\.|(?<=schema )(?:public|extensions)$//mg for $fresh, $updated;
	my %fresh = map { $_ => 1 } split /\n/, $fresh;
	my %updated = map { $_ => 1 } split /\n/, $updated;
	my @missing = grep { !$updated{$_} } sort keys %fresh;
	my @besides = grep { !$fresh{$_} } sort keys %updated;

	ok(!@missing && !@besides, $name);
	diag("only in the fresh database: $_") for @missing;
	diag("only in the updated one:    $_") for @besides;
}

my $fresh = $node->safe_psql('fresh', $objects);
cmp_ok(scalar(split /\n/, $fresh), '>', 100, 'there is much to compare');
compare('an updated database has the same objects', $fresh, $node->safe_psql('updated', $objects));

# with the functions in another schema
$node->safe_psql('moved', q{
	CREATE SCHEMA extensions;
	CREATE EXTENSION srm SCHEMA extensions VERSION '0.1.0';
	ALTER EXTENSION srm UPDATE});
compare('the same in another schema', $fresh, $node->safe_psql('moved', $objects));

# an updated one can be dropped and made again
$node->safe_psql('updated', 'DROP EXTENSION srm');
is($node->safe_psql('updated', q{SELECT count(*) FROM pg_proc WHERE proname LIKE 'srm%'}), '0', 'nothing stays behind');
$node->safe_psql('updated', 'CREATE EXTENSION srm');
compare('made again it is the same', $fresh, $node->safe_psql('updated', $objects));

$node->stop;
done_testing();
