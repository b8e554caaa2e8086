-- Scores all there is to judge by one model, :'model'; run by tools/study/run.sh.

BEGIN;

-- a named model is bound to its own longest input, and raises an error beyond it
SET LOCAL srm.model = :'model';
SET LOCAL srm.truncation = 'prompt';

INSERT INTO margins
SELECT :'model', id, srm_margin(messages, chosen, rejected)
FROM judged;

-- a sentence is marked if it overlaps a span; spans count characters from 0 and end before their "end"
INSERT INTO sentences
SELECT :'model', id, s.sentence_no, s.end_pos - s.start_pos + 1,
    EXISTS (SELECT FROM jsonb_to_recordset(spans) AS m("start" integer, "end" integer)
            WHERE m.start < s.end_pos AND s.start_pos - 1 < m.end),
    s.reward
FROM spans, srm_sentence_rewards(messages || jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', response))) AS s
WHERE s.reward IS NOT NULL;

COMMIT;
