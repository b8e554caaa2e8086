-- every byte of a model is read, and its files and their digests come back

SELECT regexp_replace(file, '^[0-9a-f]{16}', 'KEY') AS file, bytes > 1000 AS bytes, length(digest) AS digest
FROM srm_verify('llama') ORDER BY digest IS NULL, file COLLATE "C";

-- their digests make up that of the model

SELECT encode(sha256(convert_to(string_agg(format(E'%s  %s\n', digest, file), '' ORDER BY file COLLATE "C"), 'UTF8')), 'hex') =
	srm_model_info('llama') ->> 'digest' AS same
FROM srm_verify('llama') WHERE digest IS NOT NULL;

-- a digest in the name counts

SELECT count(*) > 4 AS found FROM srm_verify('llama@' || left(srm_model_info('llama') ->> 'digest', 12));
SELECT * FROM srm_verify('llama@00000000');
SELECT * FROM srm_verify('nowhere');
SELECT * FROM srm_verify(NULL);

-- what is opened by srm.compute is read, too

SET srm.model = 'llama';
SET srm.compute = 'int8';
SELECT srm_score('a', 'b c.') IS NOT NULL AS scored;
SELECT count(*) FROM srm_verify('llama') WHERE file LIKE '%.int8.srm';
