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
#include "jinja/message_values.h"

/* All of these grow with the input, so that long conversations have room. */
#define BASE_STEPS		((int64_t) 10 * 1000 * 1000)
#define STEPS_A_BYTE	16
#define BASE_TEXT		((size_t) 1024 * 1024)
#define TEXT_A_BYTE		64
#define MAX_TEXT		((size_t) 256 * 1024 * 1024)
#define BASE_MEMORY		((size_t) 256 * 1024 * 1024)
#define MEMORY_A_BYTE	64
#define MAX_INPUT		((size_t) 256 * 1024 * 1024)
#define MAX_WORD		64

struct SrmTemplate
{
	const JinjaNode *body;
	size_t		source_length;
	const JinjaToken **words;	/* (n_words) its short strings and names */
	size_t		n_words;
};

/* What of a template could be a role, or a key of a message. */
static bool
is_word(const JinjaToken *token)
{
	return (token->type == JINJA_TOKEN_STRING || token->type == JINJA_TOKEN_NAME) &&
		token->length > 0 && token->length <= MAX_WORD;
}

static bool
collect_words(SrmTemplate *template, const JinjaToken *tokens, SrmArena *arena, SrmStatus *status)
{
	size_t		n = 0;

	for (const JinjaToken *token = tokens; token->type != JINJA_TOKEN_EOF; token++)
		n += is_word(token);
	template->words = srm_arena_array(arena, n, sizeof(JinjaToken *), status);
	if (template->words == NULL)
		return false;
	for (const JinjaToken *token = tokens; token->type != JINJA_TOKEN_EOF; token++)
		if (is_word(token))
			template->words[template->n_words++] = token;
	return true;
}

static bool
has_word(const SrmTemplate *template, const char *text, bool strings_only)
{
	for (size_t i = 0; i < template->n_words; i++)
		if (strcmp(template->words[i]->text, text) == 0 &&
			(!strings_only || template->words[i]->type == JINJA_TOKEN_STRING))
			return true;
	return false;
}

bool
srm_template_has_role(const SrmTemplate *template, const char *role)
{
	return has_word(template, role, true);
}

bool
srm_template_has_key(const SrmTemplate *template, const char *key)
{
	return has_word(template, key, false);
}

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
	return ok && collect_words(template, tokens, arena, status) ? template : NULL;
}

bool
srm_template_variables_check(const char *json, SrmArena *arena, SrmStatus *status)
{
	const SrmJson *object = srm_json_parse(json, strlen(json), "template variables", arena, status);

	if (object == NULL)
		return false;
	if (object->type != SRM_JSON_OBJECT)
		return srm_fail(status, SRM_INVALID_ARGUMENT, "template variables are not a JSON object");
	for (const SrmJson *member = object->child; member != NULL; member = member->next)
		if (strcmp(member->key, "messages") == 0 || strcmp(member->key, "add_generation_prompt") == 0)
			return srm_fail(status, SRM_INVALID_ARGUMENT,
							"\"%s\" is not a variable that can be set", member->key);
	return true;
}

/* Each member of a JSON object as a variable; json may be NULL. */
static bool
set_object(JinjaEval *eval, const char *json, SrmOrigin origin)
{
	const SrmJson *object = NULL;

	if (json == NULL)
		return true;
	object = srm_json_parse(json, strlen(json), "template variables", eval->arena, eval->status);
	if (object == NULL)
		return false;
	for (const SrmJson *member = object->child; member != NULL; member = member->next)
	{
		JinjaValue	value;

		if (!srm_jinja_of_json(eval, member, origin, &value) ||
			!srm_jinja_scope_set(eval, eval->scope, member->key, value))
			return false;
	}
	return true;
}

static bool
set_variables(JinjaEval *eval, const SrmTemplateVariables *variables)
{
	for (size_t i = 0; i < variables->n_tokens; i++)
	{
		JinjaValue	value;

		if (!srm_jinja_text(eval, variables->tokens[i].text, &value) ||
			!srm_jinja_scope_set(eval, eval->scope, variables->tokens[i].name, value))
			return false;
	}
	return srm_jinja_scope_set(eval, eval->scope, "tools", srm_jinja_none()) &&
		srm_jinja_scope_set(eval, eval->scope, "documents", srm_jinja_none()) &&
		set_object(eval, variables->of_model, SRM_FROM_TEMPLATE) &&
		set_object(eval, variables->of_user, SRM_FROM_USER) &&
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
		size_t		length = messages[i].content_length + strlen(messages[i].role) +
			(messages[i].json == NULL ? 0 : strlen(messages[i].json));

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
	rendered->n_fragments = output->n_fragments;
	rendered->text = srm_arena_alloc(arena, output->length + 1, status);
	rendered->fragments = srm_arena_array(arena, output->n_fragments, sizeof(SrmFragment), status);
	if (rendered->text == NULL || rendered->fragments == NULL)
		return false;
	if (output->length > 0)
		memcpy(rendered->text, output->data, output->length);
	rendered->text[output->length] = '\0';
	if (output->n_fragments > 0)
		memcpy(rendered->fragments, output->fragments, output->n_fragments * sizeof(SrmFragment));
	return true;
}

/* What one rendering is of. */
typedef struct Job
{
	const SrmTemplate *template;
	const SrmMessage *messages;
	size_t		n_messages;
	const SrmTemplateVariables *variables;
	bool		joins;			/* lists of content parts are texts */
	JinjaParts	parts;			/* that were found */
} Job;

/* The variables' scope lies around the template's own. */
static bool
execute_template(JinjaEval *eval, Job *job)
{
	JinjaValue	messages;

	eval->scope = srm_jinja_scope_new(eval, NULL);
	if (eval->scope == NULL ||
		!srm_jinja_messages(eval, job->messages, job->n_messages, job->joins, &job->parts, &messages) ||
		!srm_jinja_scope_set(eval, eval->scope, "messages", messages) ||
		!set_variables(eval, job->variables))
		return false;
	eval->scope = srm_jinja_scope_new(eval, eval->scope);
	return eval->scope != NULL && srm_jinja_execute(eval, job->template->body);
}

static bool
render(Job *job, size_t input, SrmArena *arena, SrmRendered *rendered, const SrmStop *stop,
	   SrmStatus *status)
{
	JinjaEval	eval = {.status = status, .stop = stop, .date = job->variables->date};
	JinjaBuilder output;
	bool		ok;

	set_limits(&eval, input);
	eval.arena = srm_arena_create(status);
	if (eval.arena == NULL)
		return false;
	srm_jinja_builder_init(&output);
	eval.output = &output;
	ok = execute_template(&eval, job) && give_rendered(&output, arena, rendered, status);
	srm_arena_free(eval.arena);
	return ok;
}

/* Whether the template could not do with lists what it can do with their texts. */
static bool
may_join(const Job *job, const SrmStatus *status)
{
	return job->parts.n_lists > 0 && job->parts.n_longer == 0 &&
		(status->code == SRM_INVALID_ARGUMENT || status->code == SRM_INVALID_MODEL ||
		 status->code == SRM_NOT_SUPPORTED);
}

bool
srm_template_render(const SrmTemplate *template, const SrmMessage *messages, size_t n_messages,
					const SrmTemplateVariables *variables, SrmArena *arena,
					SrmRendered *rendered, const SrmStop *stop, SrmStatus *status)
{
	Job			job = {
		.template = template, .messages = messages, .n_messages = n_messages,
		.variables = variables
	};
	size_t		input;

	if (!measure_input(template, messages, n_messages, &input, status))
		return false;
	if (render(&job, input, arena, rendered, stop, status))
		return true;
	if (!may_join(&job, status))
		return job.parts.n_longer > 0 && status->hint[0] == '\0' && status->code != SRM_STOPPED ?
			srm_fail_hint(status, "A chat template that takes no lists of content parts takes their text as one string.") :
			false;
	srm_status_init(status);
	job.joins = true;
	return render(&job, input, arena, rendered, stop, status);
}
