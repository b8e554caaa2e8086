/*-------------------------------------------------------------------------
 *
 * layout.c
 *	  A conversation as the model reads it: tokens, and where sentences end.
 *
 * The way of a text: messages -> rendered text -> sentences of the response
 * -> cuts in the rendered text -> tokens -> boundaries -> truncation.
 *
 *-------------------------------------------------------------------------
 */
#include "score/layout.h"

#include <string.h>

#include "base/utf8.h"
#include "score/understood.h"

/* What one call works on. */
typedef struct Draft
{
	const SrmModel *model;
	const SrmLayoutOptions *options;
	const SrmMessage *messages; /* (message + 1) */
	const SrmMessage *response;
	uint32_t	message;		/* index of the response */
	uint32_t	start;			/* the response's first byte in the rendered text */
	uint32_t	end;			/* one behind its last */
	uint32_t	call;			/* where a call behind it ends; 0: there is none */
	uint32_t   *cuts;			/* (n) where sentences end in the rendered text */
	SrmRange   *special;		/* (n_special) literal text of the template */
	size_t		n_special;
	SrmLayout  *layout;
	SrmArena   *arena;
	const SrmStop *stop;
	SrmStatus  *status;
} Draft;

static bool
render(const SrmModel *model, const SrmMessage *messages, size_t n_messages, bool invites,
	   const SrmLayoutOptions *options, SrmArena *arena, SrmRendered *rendered,
	   const SrmStop *stop, SrmStatus *status)
{
	SrmTemplateVariables variables = model->variables;

	if (model->chat_template == NULL)
	{
		srm_fail(status, SRM_NOT_SUPPORTED, "model has no chat template");
		return srm_fail_hint(status, "Add \"chat_template\" to its tokenizer_config.json, or to \"srm\" in its config.json.");
	}
	if (options->date != NULL)
		variables.date = options->date;
	if (options->variables != NULL && options->variables[0] != '\0')
		variables.of_user = options->variables;
	variables.add_generation_prompt = invites;
	return srm_template_render(model->chat_template, messages, n_messages,
							   &variables, arena, rendered, stop, status);
}

bool
srm_layout_render(const SrmModel *model, const SrmMessage *messages, size_t n_messages,
				  const SrmLayoutOptions *options, SrmArena *arena, SrmRendered *rendered,
				  const SrmStop *stop, SrmStatus *status)
{
	return render(model, messages, n_messages, false, options, arena, rendered, stop, status);
}

static bool
is_response_fragment(const Draft *draft, const SrmFragment *fragment)
{
	return fragment->origin == SRM_FROM_CONTENT && fragment->message == draft->message && fragment->length > 0;
}

/* Finds the response in the rendered text; a template must keep its order. */
static bool
find_response(Draft *draft)
{
	const SrmRendered *rendered = &draft->layout->rendered;
	uint32_t	seen = 0;

	draft->end = 0;
	for (size_t i = 0; i < rendered->n_fragments; i++)
	{
		const SrmFragment *fragment = &rendered->fragments[i];

		if (!is_response_fragment(draft, fragment))
			continue;
		if (draft->end == 0)
			draft->start = fragment->start;
		else if (fragment->offset < seen)
			return srm_fail(draft->status, SRM_NOT_SUPPORTED,
							"chat template repeats or reorders the response");
		draft->end = fragment->start + fragment->length;
		seen = fragment->offset + fragment->length;
	}
	return true;
}

/* One behind the last byte at or behind start that a user's text, not the content, has written; 0: none. */
static uint32_t
find_call(const Draft *draft, uint32_t start)
{
	const SrmRendered *rendered = &draft->layout->rendered;

	for (size_t i = rendered->n_fragments; i-- > 0;)
	{
		const SrmFragment *fragment = &rendered->fragments[i];

		if (fragment->start + fragment->length <= start)
			break;
		if (fragment->origin == SRM_FROM_USER)
			return fragment->start + fragment->length;
	}
	return 0;
}

/*
 * Where a response begins that shows no content: where the conversation parts
 * from the one before it that invites a response.
 */
static bool
find_start(Draft *draft)
{
	const SrmRendered *rendered = &draft->layout->rendered;
	SrmRendered before;
	uint32_t	n = 0;

	if (draft->message == 0)
		return true;
	if (!render(draft->model, draft->messages, draft->message, true, draft->options, draft->arena,
				&before, draft->stop, draft->status))
		return false;
	while (n < rendered->length && n < before.length && rendered->text[n] == before.text[n])
		n++;
	while (n > 0 && n < rendered->length && srm_utf8_is_continuation((unsigned char) rendered->text[n]))
		n--;
	draft->start = n;
	return true;
}

/* Finds what the template makes of the response's other keys. */
static bool
find_other_keys(Draft *draft)
{
	bool		has_content = draft->end > 0;

	if (draft->response->json != NULL)
	{
		if (!has_content && !find_start(draft))
			return false;
		draft->call = find_call(draft, has_content ? draft->end : draft->start);
	}
	if (!has_content)
		draft->end = draft->call;
	if (draft->end > 0)
		return true;
	return srm_fail(draft->status, SRM_INVALID_ARGUMENT,
					"response has no text that the chat template keeps");
}

/* Collects the ranges of the rendered text that the template wrote itself. */
static bool
find_special_ranges(Draft *draft)
{
	const SrmRendered *rendered = &draft->layout->rendered;

	draft->special = srm_arena_array(draft->arena, rendered->n_fragments, sizeof(SrmRange),
									 draft->status);
	if (draft->special == NULL)
		return false;
	for (size_t i = 0; i < rendered->n_fragments; i++)
	{
		const SrmFragment *fragment = &rendered->fragments[i];

		if (fragment->origin == SRM_FROM_TEMPLATE)
			draft->special[draft->n_special++] = (SrmRange) {fragment->start, fragment->start + fragment->length};
	}
	return true;
}

/* The last byte of [start, end) that is not white space, plus one; 0: none. */
static uint32_t
end_of_words(const char *text, uint32_t start, uint32_t end)
{
	while (end > start)
	{
		size_t		at = end - 1;
		size_t		next;

		while (at > start && srm_utf8_is_continuation((unsigned char) text[at]))
			at--;
		next = at;
		if (!srm_utf8_is_white_space(srm_utf8_next(text, end, &next)))
			return end;
		end = (uint32_t) at;
	}
	return 0;
}

/*
 * Where a sentence ends in the rendered text: behind its last byte there, or,
 * for boundaries by offset, behind its last byte that is not white space.
 * Returns 0 for a sentence that shows nothing there.
 */
static uint32_t
find_cut(const Draft *draft, size_t *fragment_index, const SrmSentence *sentence)
{
	const SrmRendered *rendered = &draft->layout->rendered;
	uint32_t	cut = 0;

	for (size_t i = *fragment_index; i < rendered->n_fragments; i++)
	{
		const SrmFragment *fragment = &rendered->fragments[i];
		uint32_t	start = fragment->offset;
		uint32_t	end = fragment->offset + fragment->length;
		uint32_t	found;

		if (!is_response_fragment(draft, fragment))
			continue;
		if (start >= sentence->end)
			break;
		*fragment_index = i;
		start = start > sentence->start ? start : sentence->start;
		end = end < sentence->end ? end : sentence->end;
		if (start >= end)
			continue;
		found = draft->options->boundary == SRM_BOUNDARY_MARKER ? end :
			end_of_words(draft->response->content, start, end);
		if (found > 0)
			cut = fragment->start + (found - fragment->offset);
	}
	return cut;
}

/* The caller's sentences, or those of the segmenter, in an array of our own. */
static bool
find_sentences(Draft *draft, SrmSentences *found)
{
	const SrmSentences *given = draft->options->given;

	if (given == NULL)
		return srm_segment(draft->options->segmenter, draft->response->content,
						   draft->response->content_length, draft->arena, found,
						   draft->stop, draft->status) &&
			srm_sentences_limit(found, draft->options->lengths, draft->response->content,
								draft->response->content_length, draft->model->tokenizer,
								draft->arena, draft->stop, draft->status);
	found->n = given->n;
	found->items = srm_arena_array(draft->arena, given->n, sizeof(SrmSentence), draft->status);
	if (found->items == NULL)
		return false;
	if (given->n > 0)
		memcpy(found->items, given->items, given->n * sizeof(SrmSentence));
	return true;
}

/* A cross-encoder's response is one sentence. */
static bool
take_whole(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	const SrmSentences *given = draft->options->given;

	if (given != NULL && given->n > 1)
		return srm_fail(draft->status, SRM_INVALID_ARGUMENT, "model reads a response as a whole, not its sentences");
	layout->sentences = srm_arena_array(draft->arena, 1, sizeof(SrmSentence), draft->status);
	draft->cuts = srm_arena_array(draft->arena, 1, sizeof(uint32_t), draft->status);
	if (layout->sentences == NULL || draft->cuts == NULL)
		return false;
	layout->sentences[0] = (SrmSentence) {.start = 0,.end = (uint32_t) draft->response->content_length};
	draft->cuts[0] = draft->end;
	layout->n = layout->n_sentences = 1;
	return true;
}

/*
 * Cuts the response into sentences, and finds their ends in the rendered
 * text.  A sentence that shows nothing there joins the one before it, or at
 * the start the one behind it, so that the sentences tile the response.
 */
static bool
cut_sentences(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	SrmSentences found;
	size_t		fragment_index = 0;
	size_t		n = 0;

	if (draft->model->head.is_of_pairs)
		return take_whole(draft);
	if (!find_sentences(draft, &found))
		return false;
	draft->cuts = srm_arena_array(draft->arena, found.n, sizeof(uint32_t), draft->status);
	if (draft->cuts == NULL)
		return false;
	for (size_t i = 0; i < found.n; i++)
	{
		SrmSentence sentence = found.items[i];
		uint32_t	cut = find_cut(draft, &fragment_index, &sentence);

		if (n > 0 && (cut == 0 || draft->cuts[n - 1] == 0))
			sentence.start = found.items[--n].start;
		found.items[n] = sentence;
		draft->cuts[n] = cut == 0 && n < i ? draft->cuts[n] : cut;
		n++;
	}
	layout->sentences = found.items;
	layout->n = layout->n_sentences = n;
	/* A response of white space alone is one sentence */
	if (n > 0 && draft->cuts[n - 1] == 0)
		draft->cuts[n - 1] = draft->end;
	return true;
}

/*
 * A call is a sentence of its own behind the others; it takes in content that
 * the template leaves out for it.
 */
static bool
add_call(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	size_t		n = draft->end == draft->call ? 0 : layout->n;
	size_t		length = draft->response->content_length;

	if (draft->call == 0)
		return true;
	layout->sentences = srm_arena_grow(draft->arena, layout->sentences, layout->n, layout->n + 1,
									   sizeof(SrmSentence), draft->status);
	draft->cuts = srm_arena_grow(draft->arena, draft->cuts, layout->n, layout->n + 1,
								 sizeof(uint32_t), draft->status);
	if (layout->sentences == NULL || draft->cuts == NULL)
		return false;
	layout->sentences[n] = (SrmSentence) {.start = n == 0 ? 0 : length,.end = length};
	draft->cuts[n] = draft->call;
	layout->n = layout->n_sentences = n + 1;
	return true;
}

/* Tokens of bytes [start, end) of the rendered text. */
static bool
encode_piece(Draft *draft, uint32_t start, uint32_t end)
{
	SrmLayout  *layout = draft->layout;
	SrmRange	part = {start, end};

	return srm_tokenizer_encode_part(draft->model->tokenizer, layout->rendered.text, part,
									 draft->special, draft->n_special, draft->arena,
									 &layout->tokens, draft->stop, draft->status);
}

static bool
add_token(Draft *draft, int32_t id, uint32_t at)
{
	return srm_tokens_add(&draft->layout->tokens, (SrmToken) {id, at, at}, draft->arena, draft->status);
}

static bool
add_marker(Draft *draft, uint32_t at)
{
	return add_token(draft, draft->model->marker_id, at);
}

/* A space before the cut moves behind it: the next word keeps its token. */
static uint32_t
before_space(const char *text, uint32_t start, uint32_t cut)
{
	return cut - start < 2 || text[cut - 1] != ' ' ? cut : cut - 1;
}

/* The same for a single space alone: two stay; one behind a line's end is a single one. */
static uint32_t
before_single_space(const char *text, uint32_t start, uint32_t cut)
{
	return cut - start < 2 || text[cut - 2] == ' ' ? cut : before_space(text, start, cut);
}

/*
 * Sentences [0, n), each with a marker behind it, from *start on, which
 * becomes the end of the last one.
 */
static bool
encode_marked(Draft *draft, size_t n, uint32_t *start,
			  uint32_t (*find_end) (const char *text, uint32_t start, uint32_t cut))
{
	SrmLayout  *layout = draft->layout;

	for (size_t i = 0; i < n; i++)
	{
		uint32_t	cut = find_end(layout->rendered.text, *start, draft->cuts[i]);

		if (!srm_continue(draft->stop, draft->status) ||
			!encode_piece(draft, *start, cut) || !add_marker(draft, cut))
			return false;
		layout->boundaries[i + 1] = (uint32_t) layout->tokens.n - 1;
		*start = cut;
	}
	return true;
}

/*
 * Prompt M sentence_1 M ... sentence_n terminator M, as the paper's code has
 * it; a space that ends the prompt or a sentence but the last moves behind the
 * marker.  Each piece is tokenized alone, so that a marker never changes the
 * tokens around it.
 */
static bool
encode_with_markers(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	SrmTokens  *tokens = &layout->tokens;
	uint32_t	start = before_space(layout->rendered.text, 0, draft->start);
	uint32_t	end = (uint32_t) layout->rendered.length;

	if (!encode_piece(draft, 0, start) || !add_marker(draft, start))
		return false;
	layout->n_prompt = tokens->n;
	if (!encode_marked(draft, layout->n - 1, &start, before_space) || !encode_piece(draft, start, end))
		return false;
	while (layout->n_tail < tokens->n - layout->n_prompt &&
		   tokens->items[tokens->n - 1 - layout->n_tail].start >= draft->cuts[layout->n - 1])
		layout->n_tail++;
	layout->n_tail++;
	layout->boundaries[layout->n] = (uint32_t) tokens->n;
	return add_marker(draft, end);
}

/*
 * Prompt M sentence_1 M ... sentence_n M terminator M, which models of srm 0.1
 * were trained with.  The last sentence is read at the last marker.
 */
static bool
encode_with_markers_0_1(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	uint32_t	start = draft->start;
	uint32_t	end = (uint32_t) layout->rendered.length;

	if (!encode_piece(draft, 0, start) || !add_marker(draft, start))
		return false;
	layout->n_prompt = layout->tokens.n;
	if (!encode_marked(draft, layout->n, &start, before_single_space))
		return false;
	layout->n_tail = layout->tokens.n - 1;
	if (start < end && (!encode_piece(draft, start, end) || !add_marker(draft, end)))
		return false;
	layout->n_tail = layout->tokens.n - layout->n_tail;
	return true;
}

/* The first byte of [start, end) that is not white space, or end. */
static uint32_t
start_of_words(const char *text, uint32_t start, uint32_t end)
{
	while (start < end)
	{
		size_t		next = start;

		if (!srm_utf8_is_white_space(srm_utf8_next(text, end, &next)))
			break;
		start = (uint32_t) next;
	}
	return start;
}

/* Tokens before byte position at: those that end there or earlier. */
static size_t
count_tokens_before(const SrmTokens *tokens, uint32_t at)
{
	size_t		n = 0;

	while (n < tokens->n && tokens->items[n].end <= at)
		n++;
	return n;
}

/*
 * All of the text at once, as any other stack tokenizes it.  A sentence is
 * read at the last token that starts before its end; two sentences that end
 * in one token become one.
 */
static bool
encode_plain(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	SrmTokens  *tokens = &layout->tokens;
	size_t		token;
	size_t		n = 0;

	if (!encode_piece(draft, 0, (uint32_t) layout->rendered.length))
		return false;
	layout->n_prompt = count_tokens_before(tokens, draft->start);
	token = layout->n_prompt;
	for (size_t i = 0; i < layout->n; i++)
	{
		while (token + 1 < tokens->n && tokens->items[token + 1].start < draft->cuts[i])
			token++;
		if (n > 0 && layout->boundaries[n] == token)
			layout->sentences[n - 1].end = layout->sentences[i].end;
		else
		{
			layout->sentences[n] = layout->sentences[i];
			layout->boundaries[++n] = (uint32_t) token;
		}
	}
	layout->n = layout->n_sentences = n;
	layout->n_tail = tokens->n - 1 - token;
	return true;
}

/*
 * Prompt step_1 M ... step_n M terminator.  White space between steps is left
 * out, as where they were joined with markers; the prompt and the first step
 * are tokenized together.
 */
static bool
encode_with_steps(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	const char *text = layout->rendered.text;
	uint32_t	start = 0;

	for (size_t i = 0; i < layout->n; i++)
	{
		if (!srm_continue(draft->stop, draft->status) ||
			!encode_piece(draft, start, draft->cuts[i]) ||
			!add_marker(draft, draft->cuts[i]))
			return false;
		layout->boundaries[i + 1] = (uint32_t) layout->tokens.n - 1;
		start = start_of_words(text, draft->cuts[i], draft->end);
	}
	layout->n_tail = layout->tokens.n - 1;
	if (!encode_piece(draft, start, (uint32_t) layout->rendered.length))
		return false;
	layout->n_tail = layout->tokens.n - layout->n_tail;
	layout->n_prompt = count_tokens_before(&layout->tokens, draft->start);
	return true;
}

/* Some models read their value at a token of its own. */
static bool
add_reward_token(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	SrmTokens  *tokens = &layout->tokens;
	int32_t		id = draft->model->reward_token_id;

	if (id < 0 || (tokens->n > 0 && tokens->items[tokens->n - 1].id == id))
		return true;
	layout->n_tail++;
	return add_token(draft, id, (uint32_t) layout->rendered.length);
}

/*
 * Where the last sentence is read: the end, or the last token that is no
 * padding, which transformers looks for even where the template ends with it;
 * not before the sentence itself.
 */
static uint32_t
last_boundary(const Draft *draft, size_t token)
{
	const SrmTokens *tokens = &draft->layout->tokens;
	size_t		last = tokens->n - 1;

	if (draft->options->boundary == SRM_BOUNDARY_STEP)
		return (uint32_t) token;
	if (draft->options->boundary == SRM_BOUNDARY_OFFSET && draft->model->pad_id >= 0)
		while (last > token && tokens->items[last].id == draft->model->pad_id)
			last--;
	return (uint32_t) last;
}

static bool
encode_pieces(Draft *draft)
{
	switch (draft->options->boundary)
	{
		case SRM_BOUNDARY_OFFSET:
			return encode_plain(draft) && add_reward_token(draft);
		case SRM_BOUNDARY_MARKER:
			return strcmp(draft->model->settings.marker_layout, SRM_MARKER_LAYOUT_0_1) == 0 ?
				encode_with_markers_0_1(draft) : encode_with_markers(draft);
		case SRM_BOUNDARY_STEP:
			return encode_with_steps(draft);
	}
	return false;
}

static bool
encode(Draft *draft)
{
	SrmLayout  *layout = draft->layout;

	layout->boundaries = srm_arena_array(draft->arena, layout->n + 1, sizeof(uint32_t),
										 draft->status);
	if (layout->boundaries == NULL || !find_special_ranges(draft))
		return false;
	if (!encode_pieces(draft))
		return false;
	if (layout->tokens.n <= layout->n_prompt)
		return srm_fail(draft->status, SRM_INVALID_ARGUMENT, "response has no tokens");
	layout->boundaries[0] = (uint32_t) layout->n_prompt - 1;
	layout->boundaries[layout->n] = last_boundary(draft, layout->boundaries[layout->n]);
	return true;
}

static void
drop_tokens(SrmTokens *tokens, size_t start, size_t n)
{
	memmove(tokens->items + start, tokens->items + start + n,
			(tokens->n - start - n) * sizeof(SrmToken));
	tokens->n -= n;
}

static void
truncate_prompt(SrmLayout *layout, size_t excess)
{
	drop_tokens(&layout->tokens, 0, excess);
	layout->n_prompt -= excess;
	for (size_t i = 0; i <= layout->n; i++)
		layout->boundaries[i] -= (uint32_t) excess;
}

/*
 * The sentence in which the response is cut is read at the end, as the last
 * one; those behind it are not read at all.
 */
static void
truncate_response(const Draft *draft, size_t excess)
{
	SrmLayout  *layout = draft->layout;
	size_t		end = layout->tokens.n - layout->n_tail - excess;
	size_t		n = 0;
	bool		is_step = draft->options->boundary == SRM_BOUNDARY_STEP;

	/* The marker of the last step stays, as the first token of the tail */
	drop_tokens(&layout->tokens, end, excess);
	while (n < layout->n && layout->boundaries[n] + 1 < end)
		n++;
	layout->n = n;
	layout->boundaries[n] = last_boundary(draft, is_step ? end : end - 1);
}

static bool
fit(Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	size_t		limit = draft->options->max_tokens;
	size_t		n_response = layout->tokens.n - layout->n_prompt - layout->n_tail;
	size_t		excess;

	if (layout->tokens.n <= limit)
		return true;
	excess = layout->tokens.n - limit;
	layout->truncated = true;
	if (draft->options->truncation == SRM_TRUNCATION_PROMPT && excess < layout->n_prompt &&
		!draft->model->head.is_of_pairs)
		truncate_prompt(layout, excess);
	else if (draft->options->truncation == SRM_TRUNCATION_RESPONSE && excess < n_response)
		truncate_response(draft, excess);
	else
	{
		srm_fail(draft->status, SRM_LIMIT_EXCEEDED, "text is too long for the model");
		srm_fail_detail(draft->status, "It has %zu tokens, %zu of them before the response; the limit is %zu.",
						layout->tokens.n, layout->n_prompt, limit);
		return srm_fail_hint(draft->status, limit < draft->model->max_tokens ?
							 "Raise \"srm.max_tokens\" as far as the model allows, or set \"srm.truncation\"." :
							 "That is the model's own limit.  Shorten the text, or have it cut: \"truncation\" in \"srm\" of the model's config.json, or \"srm.truncation\" for calls that name no model.");
	}
	return true;
}

/* The last place of the tokens that a gate is read at: the first of them. */
static bool
find_gate(const Draft *draft)
{
	SrmLayout  *layout = draft->layout;
	const SrmModelHead *head = &draft->model->head;
	const SrmTokens *tokens = &layout->tokens;

	layout->gate = SIZE_MAX;
	if (head->n_gate_tokens == 0)
		return true;
	for (size_t at = layout->n_prompt; at-- > 0;)
	{
		size_t		n = 0;

		while (n < head->n_gate_tokens && at + n < tokens->n &&
			   tokens->items[at + n].id == head->gate_tokens[n])
			n++;
		if (n < head->n_gate_tokens)
			continue;
		layout->gate = at;
		return true;
	}
	srm_fail(draft->status, SRM_INVALID_ARGUMENT,
			 "conversation does not contain the tokens that the model's gate is read at");
	return srm_fail_hint(draft->status, "The model takes a prompt, and a response that does not start with white space.");
}

/* A cross-encoder reads prompt and response in one block, at its first token. */
static bool
join_pair(Draft *draft)
{
	SrmLayout  *layout = draft->layout;

	if (!draft->model->head.is_of_pairs)
		return true;
	layout->n_first = draft->model->types_pairs ? layout->n_prompt : 0;
	layout->n_prompt = 0;
	layout->boundaries[1] = 0;
	return true;
}

bool
srm_layout(const SrmModel *model, const SrmMessage *messages, size_t n_messages,
		   const SrmLayoutOptions *options, SrmArena *arena, SrmLayout *layout,
		   const SrmStop *stop, SrmStatus *status)
{
	Draft		draft = {
		.model = model,.options = options,.messages = messages,
		.response = &messages[n_messages - 1],
		.message = (uint32_t) n_messages - 1,
		.layout = layout,.arena = arena,.stop = stop,.status = status
	};

	memset(layout, 0, sizeof(SrmLayout));
	if (draft.response->content_length == 0 && draft.response->json == NULL)
		return srm_fail(status, SRM_INVALID_ARGUMENT, "response must not be empty");
	return srm_layout_render(model, messages, n_messages, options, arena, &layout->rendered,
							 stop, status) &&
		srm_check_understood(model, messages, n_messages, &layout->rendered, status) &&
		find_response(&draft) &&
		find_other_keys(&draft) &&
		cut_sentences(&draft) &&
		add_call(&draft) &&
		encode(&draft) &&
		fit(&draft) &&
		find_gate(&draft) &&
		join_pair(&draft);
}

SrmRange
srm_layout_response_bytes(const SrmLayout *layout, size_t response_message,
						  const SrmToken *token)
{
	const SrmRendered *rendered = &layout->rendered;
	SrmRange	bytes = {0, 0};

	for (size_t i = 0; i < rendered->n_fragments; i++)
	{
		const SrmFragment *fragment = &rendered->fragments[i];
		uint32_t	start = token->start > fragment->start ? token->start : fragment->start;
		uint32_t	end = fragment->start + fragment->length;

		end = token->end < end ? token->end : end;
		if (fragment->origin != SRM_FROM_CONTENT || fragment->message != response_message || start >= end)
			continue;
		if (bytes.start == bytes.end)
			bytes.start = fragment->offset + (start - fragment->start);
		bytes.end = fragment->offset + (end - fragment->start);
	}
	return bytes;
}
