-- A segmenter that is a model: "sat-stops" ends a sentence with each stop.

SELECT * FROM srm_segment('Dr. Smith came. He left', '', 'sat:sat-stops');

-- the rules find blocks, tables and line ends; the model cuts within lines

SELECT sentence_no, to_json(sentence) FROM srm_segment(E'A heading\n\nOne. Two!\n```\na. b\n```\n| c. d |\n\nEnd', '', 'sat:sat-stops');

-- alone it knows but line feeds besides, as wtpsplit

SELECT sentence_no, to_json(sentence) FROM srm_segment(E'A heading\n\nOne. Two!\n```\na. b\n```\n| c. d |\n\nEnd', '', 'sat-only:sat-stops');

-- other languages, and positions in characters

SELECT * FROM srm_segment('这是第一句。这是第二句！好的', '', 'sat:sat-stops');

-- sentences make up the text, whatever a model of random weights says

SELECT m, string_agg(sentence, '' ORDER BY sentence_no) = t AS whole, count(*) > 1 AS cut
FROM (VALUES ('sat'), ('sat-sm'), ('sat-split')) AS v(m),
	(SELECT repeat('Dr. Smith said: "Why not?" He left. Это второе? ', 30)) AS t(t),
	LATERAL srm_segment(t, '', 'sat:' || m) GROUP BY m, t ORDER BY m;

-- by the setting, with a threshold and a stride of one's own

SET srm.segmenter = 'sat:sat-stops';
SELECT count(*) FROM srm_segment('One. Two. Three');
SET srm.sat_threshold = 0.1;
SELECT count(*) FROM srm_segment('One. Two. Three');
SELECT count(*) FROM srm_segment('One. Two. Three', '', 'sat:sat-stops');
RESET srm.sat_threshold;
SET srm.sat_stride = 1;
SELECT count(*) FROM srm_segment(repeat('One. Two! ', 40));
SET srm.sat_stride = 100000;
SELECT count(*) FROM srm_segment(repeat('One. Two! ', 40));
RESET srm.sat_stride;

-- sentences that are scored are its own; the same conversation is cut anew when the threshold changes

SET srm.model = 'attention-marker';
SELECT sentence FROM srm_sentence_rewards('Hi.', 'Dr. No. Yes');
SET srm.sat_threshold = 0.1;
SELECT count(*) > 3 AS cut FROM srm_sentence_rewards('Hi.', 'Dr. No. Yes');
RESET srm.sat_threshold;
SELECT count(*) FROM srm_sentence_rewards('Hi.', 'Dr. No. Yes');
RESET srm.segmenter;
RESET srm.model;

-- a list of models shows it as one without rewards, and it cannot score

SELECT name, architecture, parameters > 0 AS has_parameters, aggregation IS NULL AS no_aggregation, boundary IS NULL AS no_boundary
FROM srm_models() WHERE name IN ('sat-sm', 'llama') ORDER BY name;
SELECT srm_score('sat-sm', 'Hi.', 'Yes.');

-- and what scores is no segmenter

SELECT * FROM srm_segment('One. Two.', '', 'sat:llama');

-- only names of models

SELECT * FROM srm_segment('One. Two.', '', 'sat:nowhere');
SELECT * FROM srm_segment('One. Two.', '', 'sat:../models/sat');
SELECT * FROM srm_segment('One. Two.', '', 'sat:@0123456789');
SELECT * FROM srm_segment('One. Two.', '', 'sat:');
SELECT * FROM srm_segment('One. Two.', '', 'sat-sm');
SET srm.segmenter = 'sat:';
SET srm.sat_threshold = 1;

-- a digest behind the name counts

SELECT digest AS digest FROM srm_models() WHERE name = 'sat-stops' \gset
SELECT count(*) FROM srm_segment('One. Two.', '', 'sat:sat-stops@' || :'digest');
SELECT count(*) FROM srm_segment('One. Two.', '', 'sat-only:sat-stops@' || left(:'digest', 8));
\set VERBOSITY terse
SELECT * FROM srm_segment('One. Two.', '', 'sat:sat-stops@0123456789');
SELECT * FROM srm_segment('One. Two.', '', 'sat:sat-stops@0123');
\set VERBOSITY default

-- it is described and verified, as models are that score

SELECT i ->> 'architecture' AS architecture, i -> 'threshold' AS threshold, i -> 'stride' AS stride, i -> 'layers' AS layers,
	i ? 'aggregation' OR i ? 'segmenter' AS scores
FROM srm_model_info('sat-stops') AS i;
SELECT file, bytes > 100 AS bytes, length(digest) AS digest FROM srm_verify('sat-stops') WHERE digest IS NOT NULL ORDER BY file COLLATE "C";

-- nothing and white space alone

SELECT count(*) FROM srm_segment('', '', 'sat:sat-stops');
SELECT count(*) FROM srm_segment(E' \n ', '', 'sat:sat-stops');
SELECT count(*) FROM srm_segment(E' \n ', '', 'sat-only:sat-stops');

-- a long text can be cancelled

SET statement_timeout = '300ms';
SELECT count(*) FROM srm_segment(repeat('One. Two! ', 400000), '', 'sat:sat');
RESET statement_timeout;
