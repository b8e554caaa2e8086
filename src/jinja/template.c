/*-------------------------------------------------------------------------
 *
 * template.c
 *	  Chat templates: messages to the text that a model sees.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/template.h"

#include <string.h>

#include "base/utf8.h"
#include "jinja/eval.h"

/* All of these grow with the input, so that long conversations have room. */
#define BASE_STEPS		((int64_t) 10 * 1000 * 1000)
#define STEPS_A_BYTE	16
#define BASE_TEXT		((size_t) 1024 * 1024)
#define TEXT_A_BYTE		64
#define MAX_TEXT		((size_t) 256 * 1024 * 1024)
#define BASE_MEMORY		((size_t) 256 * 1024 * 1024)
#define MEMORY_A_BYTE	64
#define MAX_INPUT		((size_t) 256 * 1024 * 1024)

struct SrmTemplate
{
	const JinjaNode *body;
	size_t		source_length;
};

SrmTemplate *
srm_template_parse(const char *source, size_t length, SrmArena *arena, SrmStatus *status)
{
	SrmTemplate *template = srm_arena_array(arena, 1, sizeof(SrmTemplate), status);
	JinjaToken *tokens;
	bool		ok;

	if (template == NULL)
		return NULL;
	if (length > JINJA_MAX_SOURCE)
	{
		srm_fail(status, SRM_LIMIT_EXCEEDED, "chat template is too long");
		srm_fail_detail(status, "It has %zu bytes; the limit is %zu.", length, JINJA_MAX_SOURCE);
		return NULL;
	}
	if (memchr(source, '\0', length) != NULL || !srm_utf8_valid(source, length))
	{
		srm_fail(status, SRM_INVALID_MODEL, "chat template is not valid UTF-8 text");
		return NULL;
	}
	tokens = srm_jinja_lex(source, length, arena, status);
	if (tokens == NULL)
		return NULL;
	template->source_length = length;
	template->body = srm_jinja_parse(tokens, arena, status, &ok);
	return ok ? template : NULL;
}

/*
 * Roles that templates spell out themselves.  They may be half of a special
 * token, as in "<|" ~ role ~ "|>", and are harmless there.
 */
static bool
is_usual_role(const char *role)
{
	static const char *const roles[] = {
		"assistant", "developer", "environment", "function", "ipython", "model", "system",
		"tool", "user",
	};

	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
	{
		if (strcmp(roles[i], role) == 0)
			return true;
	}
	return false;
}

static JinjaString *
content_string(JinjaEval *eval, const SrmMessage *message, size_t index)
{
	JinjaString *string = srm_jinja_string_new(eval, message->content, message->content_length,
											   SRM_FROM_CONTENT);

	if (string != NULL)
		string->run.message = (uint32_t) index;
	return string;
}

/* {'role': ..., 'content': ...} */
static bool
make_message(JinjaEval *eval, const SrmMessage *message, size_t index, JinjaValue *value)
{
	JinjaDict  *dict = srm_jinja_dict_new(eval, 2);
	JinjaString *role = srm_jinja_string_new(eval, message->role, strlen(message->role),
											 is_usual_role(message->role) ? SRM_FROM_TEMPLATE : SRM_FROM_USER);
	JinjaString *content = content_string(eval, message, index);

	if (dict == NULL || role == NULL || content == NULL ||
		!srm_jinja_text(eval, "role", &dict->keys[0]) ||
		!srm_jinja_text(eval, "content", &dict->keys[1]))
		return false;
	dict->values[0] = srm_jinja_string(role);
	dict->values[1] = srm_jinja_string(content);
	dict->n = 2;
	*value = (JinjaValue) {.type = JINJA_DICT, .dict = dict};
	return true;
}

static bool
set_messages(JinjaEval *eval, const SrmMessage *messages, size_t n_messages)
{
	JinjaList  *list = srm_jinja_list_new(eval, n_messages);

	if (list == NULL)
		return false;
	for (size_t i = 0; i < n_messages; i++)
	{
		if (!make_message(eval, &messages[i], i, &list->items[list->n++]))
			return false;
	}
	return srm_jinja_scope_set(eval, eval->scope, "messages", srm_jinja_list(list));
}

static bool
set_variables(JinjaEval *eval, const SrmTemplateVariables *variables)
{
	const struct
	{
		const char *name;
		const char *text;
	}			tokens[] = {
		{"bos_token", variables->bos_token},
		{"eos_token", variables->eos_token},
		{"pad_token", variables->pad_token},
		{"unk_token", variables->unk_token},
	};

	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++)
	{
		JinjaValue	value;

		if (tokens[i].text == NULL)
			continue;
		if (!srm_jinja_text(eval, tokens[i].text, &value) ||
			!srm_jinja_scope_set(eval, eval->scope, tokens[i].name, value))
			return false;
	}
	return srm_jinja_scope_set(eval, eval->scope, "tools", srm_jinja_none()) &&
		srm_jinja_scope_set(eval, eval->scope, "documents", srm_jinja_none()) &&
		srm_jinja_scope_set(eval, eval->scope, "add_generation_prompt",
							srm_jinja_bool(variables->add_generation_prompt));
}

/* The bytes of the template and of all that it is given; fails where that is too much. */
static bool
measure_input(const SrmTemplate *template, const SrmMessage *messages, size_t n_messages,
			  size_t *total, SrmStatus *status)
{
	*total = template->source_length;
	for (size_t i = 0; i < n_messages; i++)
	{
		size_t		length = messages[i].content_length + strlen(messages[i].role);

		if (length > MAX_INPUT - *total)
		{
			srm_fail(status, SRM_LIMIT_EXCEEDED, "messages are too long");
			return srm_fail_detail(status, "The limit is %zu bytes.", MAX_INPUT);
		}
		*total += length;
	}
	return true;
}

static void
set_limits(JinjaEval *eval, size_t input)
{
	eval->step_limit = BASE_STEPS + STEPS_A_BYTE * (int64_t) input;
	eval->text_limit = BASE_TEXT + TEXT_A_BYTE * input;
	if (eval->text_limit > MAX_TEXT)
		eval->text_limit = MAX_TEXT;
	eval->memory_limit = BASE_MEMORY + MEMORY_A_BYTE * input;
}

/* Copies what was built in the arena of the rendering into the caller's. */
static bool
give_rendered(const JinjaBuilder *output, SrmArena *arena, SrmRendered *rendered,
			  SrmStatus *status)
{
	rendered->length = output->length;
	rendered->n_runs = output->n_runs;
	rendered->text = srm_arena_alloc(arena, output->length + 1, status);
	rendered->runs = srm_arena_array(arena, output->n_runs, sizeof(SrmRun), status);
	if (rendered->text == NULL || rendered->runs == NULL)
		return false;
	if (output->length > 0)
		memcpy(rendered->text, output->data, output->length);
	rendered->text[output->length] = '\0';
	if (output->n_runs > 0)
		memcpy(rendered->runs, output->runs, output->n_runs * sizeof(SrmRun));
	return true;
}

/* The variables' scope lies around the template's own. */
static bool
render(JinjaEval *eval, const SrmTemplate *template, const SrmMessage *messages,
	   size_t n_messages, const SrmTemplateVariables *variables)
{
	eval->scope = srm_jinja_scope_new(eval, NULL);
	if (eval->scope == NULL || !set_messages(eval, messages, n_messages) ||
		!set_variables(eval, variables))
		return false;
	eval->scope = srm_jinja_scope_new(eval, eval->scope);
	return eval->scope != NULL && srm_jinja_run(eval, template->body);
}

bool
srm_template_render(const SrmTemplate *template, const SrmMessage *messages, size_t n_messages,
					const SrmTemplateVariables *variables, SrmArena *arena,
					SrmRendered *rendered, const SrmStop *stop, SrmStatus *status)
{
	JinjaEval	eval = {.status = status, .stop = stop, .date = variables->date};
	JinjaBuilder output;
	size_t		input;
	bool		ok;

	if (!measure_input(template, messages, n_messages, &input, status))
		return false;
	set_limits(&eval, input);
	eval.arena = srm_arena_create(status);
	if (eval.arena == NULL)
		return false;
	srm_jinja_builder_init(&output);
	eval.output = &output;
	ok = render(&eval, template, messages, n_messages, variables) &&
		give_rendered(&output, arena, rendered, status);
	srm_arena_free(eval.arena);
	return ok;
}
