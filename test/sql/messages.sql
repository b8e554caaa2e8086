-- turns of a transcript

SELECT srm_messages(E'\n\nHuman: Hi.\n\nAssistant: Hello!\n\nHuman: Name two\ncolours.\n\nAssistant: Red.\n\nAnd blue.');

-- content is kept as it is, but for one space behind the colon

SELECT m->>'role' AS role, quote_literal(m->>'content') AS content
FROM jsonb_array_elements(srm_messages(E'\n\nHuman:  two \n\n\nAssistant:none\n')) m;

-- empty lines at the start may be missing, or more; either may begin

SELECT srm_messages(E'Human: a\n\nAssistant: b'), srm_messages(E'\n \n\n\nAssistant: b');

-- a name in a text, or behind a single end of line, begins no turn

SELECT srm_messages(E'\n\nHuman: He said Human: or Assistant: to\nHuman: me.\n\nhuman: No.\n\nHuman No.\n\nAssistant: Well.');

-- lines may end in CR LF, of which content keeps what is not the empty line

SELECT srm_messages(E'\r\n\r\nHuman: Hi\r\nthere\r\n\r\nAssistant: ok\r\n'), srm_messages(E'Human: a\r\n\nAssistant:\r\n\r\nHuman: \r\n\r\nb\r');

-- text before the first turn is the system's

SELECT srm_messages(E'Be brief.\nVery.\n\nHuman: Hi.\n\nAssistant: Hello.');

-- two turns of one speaker stay two

SELECT srm_messages(E'\n\nHuman: a\n\nHuman: b\n\nAssistant: c\n\nAssistant: d');

-- whose turn it is at the end is no message, so that a prompt is one

SELECT srm_messages(E'\n\nHuman: a\n\nAssistant:'), srm_messages(E'\n\nHuman: a\n\nAssistant: \n ');
SELECT srm_messages(E'\n\nHuman: a\n\nAssistant:\n\nHuman: b'), srm_messages(E'\n\nHuman:');

-- nothing and no turns

SELECT srm_messages(NULL);
SELECT srm_messages('');
SELECT srm_messages(E' \n\n ');
SELECT srm_messages('Some text. Human: no.');
SELECT srm_messages(E'\n\nAssistant:');
SELECT srm_messages(E'\n\nAssistant');

-- long and odd ones

SELECT jsonb_array_length(srm_messages(repeat(E'\n\nHuman: a\n\nAssistant: b', 10000)));
SELECT length(srm_messages(E'\n\nHuman: ' || repeat(E'\n', 1000000))->0->>'content');
SELECT srm_messages(E'\n\nHuman: \u00e9\u0301 "\\"\n\nAssistant: \U0001f600\u2028') =
	jsonb_build_array(jsonb_build_object('role', 'user', 'content', E'\u00e9\u0301 "\\"'),
		jsonb_build_object('role', 'assistant', 'content', E'\U0001f600\u2028')) AS same;

-- other speakers, or ours behind no empty line, are no system prompt

SELECT srm_messages(E'User: Hi\n\nAssistant: Hello.');
SELECT srm_messages(E'Be brief.\n\nUSER: Hi\r\n\nAssistant: Hello.');
SELECT srm_messages(E'### Instruction:\nHi\n\nAssistant: Hello.');
SELECT srm_messages(E'Be brief.\nHuman: Hi\n\nAssistant: Hello.');
SELECT srm_messages(E'The user: be brief with them.\n\nHuman: Hi\nUser: x\n\nAssistant: Hello.');

-- more turns or bytes than any list holds

SELECT srm_messages(repeat(E'\n\nHuman:', 100001));

-- the shapes in which JSON has conversations

SELECT srm_messages(c::jsonb) FROM (VALUES
	('[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "name": "x"}]'),
	('[{"from": "system", "value": "s"}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b", "weight": null}, {"from": "tool", "value": "c"}]'),
	('{"id": 7, "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}'),
	('{"model": "m", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": null, "tool_calls": [{"id": 1}]}]}'),
	('{"system": "s", "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}, {"role": "assistant", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]}]}'),
	('{"system": [{"type": "text", "text": "s"}], "messages": [{"role": "user", "content": "a"}]}'),
	('{"prompt": "a", "completion": "b"}'),
	('{"prompt": "a", "response": "b", "system": "", "tools": []}'),
	('{"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "b"}]}'),
	('{"prompt": "a", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}'),
	('{"prompt": "a"}')) v(c);

-- and score alike

SELECT srm_score(srm_messages('{"prompt": "Hi.", "response": "Hello."}'::jsonb)) = srm_score('Hi.', 'Hello.') AS same;

-- what is none of them

SELECT srm_messages('{"question": "a", "answer": "b"}'::jsonb);
SELECT srm_messages('[{"role": "user", "content": "a"}, {"speaker": "x", "text": "b"}]'::jsonb);
SELECT srm_messages('[{"from": "alien", "value": "a"}]'::jsonb);
SELECT srm_messages('[{"from": 1, "value": "a"}]'::jsonb);
SELECT srm_messages('["a"]'::jsonb);
SELECT srm_messages('"a"'::jsonb);
SELECT srm_messages('{}'::jsonb);
SELECT srm_messages('{"messages": "a"}'::jsonb);
SELECT srm_messages('{"prompt": 1, "completion": "b"}'::jsonb);
SELECT srm_messages('{"prompt": "a", "completion": "b", "response": "c"}'::jsonb);
SELECT srm_messages('{"system": 1, "messages": []}'::jsonb);
SELECT srm_messages('{"tools": [{"name": "f"}], "messages": []}'::jsonb);

-- the shapes of preference sets give the same

CREATE TABLE shapes (prompt text, chosen text, rejected text);
INSERT INTO shapes VALUES ('Name a colour.', 'Blue. It is the sky''s.', 'No.');
SELECT abs(srm_margin(prompt, chosen, rejected) - m) < 1e-6 AS same FROM shapes,
	LATERAL (VALUES
		(srm_margin(srm_messages(E'\n\nHuman: ' || prompt || E'\n\nAssistant: ' || chosen),
			srm_messages(E'\n\nHuman: ' || prompt || E'\n\nAssistant: ' || rejected))),
		(srm_margin(jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt)) ||
			jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', chosen)),
			jsonb_build_array(jsonb_build_object('role', 'user', 'content', prompt)) ||
			jsonb_build_array(jsonb_build_object('role', 'assistant', 'content', rejected)))),
		(srm_margin(srm_messages(E'\n\nHuman: ' || prompt || E'\n\nAssistant:'), chosen, rejected)),
		(srm_margin('tiny', srm_messages(E'Human: ' || prompt || E'\n\nAssistant: ' || chosen),
			srm_messages(E'Human: ' || prompt || E'\n\nAssistant: ' || rejected)))) v(m);

-- the margin of two conversations is the difference of their scores, whatever they share

WITH c(a, b) AS (VALUES
	(srm_messages(E'\n\nHuman: Hi.\n\nAssistant: Hello!'), srm_messages(E'\n\nHuman: Hi.\n\nAssistant: Go away.')),
	(srm_messages(E'\n\nHuman: Hi.\n\nAssistant: Hello!'), srm_messages(E'\n\nHuman: Hi there.\n\nAssistant: Hello!')),
	(srm_messages(E'\n\nHuman: Hi.\n\nAssistant: Hello!\n\nHuman: So?\n\nAssistant: Yes.'), srm_messages(E'\n\nHuman: Hi.\n\nAssistant: Hello!')))
SELECT abs(srm_margin(a, b) - (srm_score(a) - srm_score(b))) < 1e-5 AS difference,
	srm_margin(a, b) = srm_margin('tiny', a, b) AS named, srm_margin(a, b) = - srm_margin(b, a) AS mirrored,
	abs(srm_preference(a, b) - 1 / (1 + exp(- srm_margin(a, b)::float8))) < 1e-6 AS probability,
	srm_preference(a, b) = srm_preference('tiny', a, b) AS named_preference
FROM c;

-- a question is no response

SELECT srm_score(srm_messages(E'\n\nHuman: Hi.'));
SELECT srm_margin(srm_messages(E'\n\nHuman: Hi.\n\nAssistant: a'), srm_messages(E'\n\nHuman: Hi.\n\nAssistant:'));
SELECT srm_margin('[{"role": "assistant", "content": "a"}]'::jsonb, '[]');
SELECT srm_margin('[{"role": "assistant", "content": "a"}]'::jsonb, '[{"role": "assistant", "content": ""}]');
SELECT srm_margin('[{"role": "assistant", "content": "a"}]'::jsonb, NULL);

-- every key of a message counts: what the template would leave out is an error, which names it

SELECT srm_score('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo.", "name": "Ann", "refusal": null}]'::jsonb) = srm_score('Hi', 'Yo.') AS same;
SELECT srm_score('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo.", "tool_calls": [{"function": {"name": "f"}}]}]'::jsonb);
SELECT srm_score('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo.", "reasoning_content": "Hm."}]'::jsonb);

-- content of parts, of several, of none, and of another kind

SELECT srm_score('[{"role": "user", "content": [{"type": "text", "text": "Hi"}]}, {"role": "assistant", "content": ["Yo."]}]'::jsonb) = srm_score('Hi', 'Yo.') AS same;
SELECT srm_score('[{"role": "user", "content": ["Hi", "Hi"]}, {"role": "assistant", "content": "Yo."}]'::jsonb);
SELECT srm_score('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": []}]'::jsonb);
SELECT srm_score('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": null}]'::jsonb);
SELECT srm_score('[{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}, {"role": "assistant", "content": "Yo."}]'::jsonb);
SELECT srm_score('[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": 7}]'::jsonb);

-- a role that is not the template's

SELECT srm_score('[{"role": "human", "content": "Hi"}, {"role": "gpt", "content": "Yo."}]'::jsonb);
SELECT srm_scores('[{"role": "human", "content": "Hi"}]'::jsonb, ARRAY['Yo.']);

-- the date that templates take for today

SET srm.template_date = '2024-02-30';
SET srm.template_date = 'today';
SET srm.template_date = '2025-01-31';
SELECT current_setting('srm.template_date'), srm_render('tiny', '[{"role": "assistant", "content": "a"}]') = srm_render('[{"role": "assistant", "content": "a"}]') AS same;
RESET srm.template_date;
DROP TABLE shapes;
