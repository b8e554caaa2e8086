\pset format unaligned

-- sentences, and where they are

SELECT * FROM srm_segment('Good morning.  How are you? Fine!');

-- list markers, abbreviations, quotes and code stay with their sentence

SELECT sentence_no, sentence FROM srm_segment(E'1. Ask Dr. Smith.\n2. He said "Go." Then he left.\n\n```\nx = 1. \ny = 2.\n```\nDone.');

-- positions are characters

SELECT start_pos, end_pos, sentence FROM srm_segment('Straße 5 🙂. 数が多い。次です。');

-- the locale of the setting, and one that is given

SET srm.locale = 'el';
SELECT count(*) FROM srm_segment('Τι κάνεις; Καλά.');
RESET srm.locale;
SELECT count(*) FROM srm_segment('Τι κάνεις; Καλά.', 'el');

-- no sentences in nothing

SELECT * FROM srm_segment('');
SELECT * FROM srm_segment(NULL);

-- white space alone is one sentence

SELECT count(*) FROM srm_segment(E' \n\t ');

-- the sentences make up the text

CREATE TABLE texts (t text);
INSERT INTO texts VALUES
	(E'a\r\nb\n\n\nc  d.e f'), ('((('), ('...!?'), (E'\u200B.\u200D'), (repeat('No. ', 500)),
	(E'| a | b |\n|---|---|\n| 1. | 2. |'), ('Mr. and Mrs. O. K. Jones, Jr. went to Washington, D.C. on Jan. 5.');
SELECT count(*) FROM texts
WHERE (SELECT string_agg(sentence, '' ORDER BY sentence_no) FROM srm_segment(t)) IS DISTINCT FROM t
	OR (SELECT string_agg(substr(t, start_pos, end_pos - start_pos + 1), '' ORDER BY sentence_no) FROM srm_segment(t)) IS DISTINCT FROM t;
DROP TABLE texts;

-- a locale that is none

SELECT * FROM srm_segment('One.', 'no such locale at all, and much longer than one');

-- other ways to cut

SELECT sentence_no, sentence FROM srm_segment(E'One. Two.\nThree.\n\nFour.', '', 'lines');
SELECT sentence_no, sentence FROM srm_segment(E'One. Two.\nThree.\n\nFour.', '', 'paragraphs');
SELECT sentence_no, sentence FROM srm_segment('One; two; three', '', 'regex:;\s*');
SELECT sentence_no, sentence FROM srm_segment('Wir kaufen Tee, z. B. Earl Grey. Gut.', 'de', 'icu');
SELECT * FROM srm_segment('One.', '', 'words');
SELECT * FROM srm_segment('One.', '', 'regex:(');

-- the setting holds where a function is not told, for scores as well

SET srm.segmenter = 'lines';
SELECT count(*) FROM srm_segment('One. Two.');
SELECT count(*) FROM srm_segment('One. Two.', '');
SELECT count(*) FROM srm_sentence_rewards('Hi.', 'One. Two.');
SET srm.segmenter = 'words';
RESET srm.segmenter;
SELECT count(*) FROM srm_sentence_rewards('Hi.', 'One. Two.');
