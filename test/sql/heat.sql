-- sentences coloured by their rewards

-- the strongest reward has the full colour; blue earns, orange loses

SELECT srm_heat_html(ARRAY['Good. ', 'Bad.', ' So so.'], ARRAY[1, -2, 0]);

-- text is data: tags, quotes and references are escaped, control characters are left out

SELECT srm_heat_html(ARRAY[E'<script>alert("1")</script> & \'x\' \x01\x1b[2J &lt; \n'], ARRAY[1]);

-- sentences that the model did not read

SELECT srm_heat_html(ARRAY['Read. ', 'Cut off.'], ARRAY[1, NULL]::real[]);

-- in a terminal, escapes of the text are none

SELECT replace(srm_heat_ansi(ARRAY['Good. ', E'Bad.\x1b]0;title\x07 \x7f\u009b', 'So so.'], ARRAY[1, -0.5, 0.01]), E'\033', 'ESC');
SELECT srm_heat_ansi('{}', '{}') = '' AS empty, srm_heat_html('{}', '{}');

-- of a response: the text is all there, with the rewards of srm_sentence_rewards

\set text 'No. It is < 3. "Yes" & no.'
SELECT srm_heatmap('llama', 'Is it?', :'text') = (SELECT srm_heat_html(array_agg(sentence ORDER BY sentence_no), array_agg(reward ORDER BY sentence_no))
	FROM srm_sentence_rewards('llama', 'Is it?', :'text')) AS same;
SELECT regexp_replace(srm_heatmap('llama', 'Is it?', :'text'), '<[^>]*>', '', 'g');
SET srm.model = 'llama';
SELECT srm_heatmap('Is it?', :'text') = srm_heatmap('llama', 'Is it?', :'text') AS same,
	srm_heatmap('[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]'::jsonb) = srm_heatmap('Is it?', 'Yes.') AS messages,
	srm_heatmap('llama', '[{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]'::jsonb) = srm_heatmap('Is it?', 'Yes.') AS both;
SELECT regexp_replace(srm_heat('Is it?', :'text'), E'\033\\[[0-9;]*m', '', 'g') = :'text' AS readable;
RESET srm.model;

-- what is refused

SELECT srm_heat_html(ARRAY['One.', NULL], ARRAY[1, 2]);
SELECT srm_heat_html(ARRAY['One.', 'Two.'], ARRAY[1]);
