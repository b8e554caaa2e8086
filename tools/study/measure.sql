-- Scores a set, :'set', by one model, :'model': a split of the pairs, or a source of spans of which at most :spans
-- responses are taken.  What is scored already is not scored again.  Run by tools/study/run.sh.

-- a named model is bound to its own longest input, and raises an error beyond it
SET srm.model = :'model';
SET srm.truncation = 'prompt';

-- fifty at a time, so that a run that is stopped has lost little
SELECT format('INSERT INTO margins SELECT %L, id, srm_margin(messages, chosen, rejected) FROM judged AS j'
    ' WHERE split = %L AND id BETWEEN %s AND %s AND NOT EXISTS (SELECT FROM margins AS m WHERE m.model = %1$L AND m.id = j.id)',
    :'model', :'set', min(id), max(id))
FROM judged WHERE split = :'set' GROUP BY id / 50 ORDER BY min(id)
\gexec

SELECT format('INSERT INTO answer_scores SELECT %L, id, srm_score(messages || jsonb_build_array(jsonb_build_object(''role'', ''assistant'', ''content'', answer)))'
    ' FROM answers AS a WHERE split = %L AND id BETWEEN %s AND %s'
    ' AND NOT EXISTS (SELECT FROM answer_scores AS s WHERE s.model = %1$L AND s.id = a.id)',
    :'model', :'set', min(id), max(id))
FROM answers WHERE split = :'set' GROUP BY id / 50 ORDER BY min(id)
\gexec

-- a sentence is marked if it overlaps a span; spans count characters from 0 and end before their "end"
SELECT format($$
    INSERT INTO sentences
    SELECT %L, id, s.sentence_no, s.end_pos - s.start_pos + 1,
        EXISTS (SELECT FROM jsonb_to_recordset(spans) AS m("start" integer, "end" integer)
                WHERE m.start < s.end_pos AND s.start_pos - 1 < m.end),
        s.reward
    FROM spans AS p, srm_sentence_rewards(messages || jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', response))) AS s
    WHERE source = %L AND nth BETWEEN %s AND %s AND s.reward IS NOT NULL
        AND NOT EXISTS (SELECT FROM sentences AS t WHERE t.model = %1$L AND t.id = p.id)
    $$, :'model', :'set', min(nth), max(nth))
FROM spans WHERE source = :'set' AND nth <= :spans GROUP BY nth / 50 ORDER BY min(nth)
\gexec
