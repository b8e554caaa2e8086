/*-------------------------------------------------------------------------
 *
 * test_template.c
 *	  Chat templates against what transformers renders, origins, and limits.
 *
 * The expected texts are made by tools/golden/make_templates.py.
 *
 *-------------------------------------------------------------------------
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/json_write.h"
#include "jinja/message.h"
#include "jinja/template.h"

#define FOLDER			"test/data/templates/"
#define MAX_MESSAGES	16

/* Far more than any refusal takes, even under sanitizers on a busy machine. */
#define SECONDS			20

static char *
read_file(SrmArena *arena, const char *name, size_t *length)
{
	SrmStatus	status;
	char		path[256];
	FILE	   *file;
	char	   *data;

	srm_status_init(&status);
	snprintf(path, sizeof(path), FOLDER "%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	fseek(file, 0, SEEK_END);
	*length = (size_t) ftell(file);
	rewind(file);
	data = srm_arena_alloc(arena, *length + 1, &status);
	assert_non_null(data);
	assert_int_equal(fread(data, 1, *length, file), *length);
	fclose(file);
	data[*length] = '\0';
	return data;
}

static const SrmJson *
read_json(SrmArena *arena, const char *name)
{
	SrmStatus	status;
	size_t		length;
	char	   *data = read_file(arena, name, &length);
	const SrmJson *json;

	srm_status_init(&status);
	json = srm_json_parse(data, length, name, arena, &status);
	assert_non_null(json);
	return json;
}

static SrmMessage
message(const char *role, const char *content)
{
	return (SrmMessage) {.role = role, .content = content, .content_length = strlen(content)};
}

/* A message with keys of its own; what is refused there is not rendered either. */
static SrmMessage
whole_message(const SrmJson *json, size_t number, SrmArena *arena)
{
	SrmMessage	result;
	SrmBuffer	text;
	SrmStatus	status;

	srm_status_init(&status);
	assert_true(srm_buffer_init(&text, arena, 0, &status) && srm_json_write(&text, json, &status));
	if (!srm_message_read(&result, text.data, text.length, number, arena, &status))
		fail_msg("%s %s", status.message, status.detail);
	return result;
}

static size_t
read_messages(const SrmJson *list, SrmMessage *messages, SrmArena *arena)
{
	size_t		n = 0;

	for (const SrmJson *item = list->child; item != NULL; item = item->next)
	{
		const char *content = srm_json_string(srm_json_member(item, "content"));

		assert_true(n < MAX_MESSAGES);
		messages[n] = item->n == 2 && content != NULL ?
			message(srm_json_string(srm_json_member(item, "role")), content) :
			whole_message(item, n + 1, arena);
		n++;
	}
	return n;
}

/* A member's text, or NULL. */
static const char *
text_of_member(const SrmJson *object, const char *key, SrmArena *arena)
{
	const SrmJson *member = srm_json_member(object, key);
	SrmBuffer	text;
	SrmStatus	status;

	srm_status_init(&status);
	if (member == NULL)
		return NULL;
	assert_true(srm_buffer_init(&text, arena, 0, &status) && srm_json_write(&text, member, &status));
	return text.data;
}

static SrmTemplateVariables
read_variables(const SrmJson *tokens, const char *date, SrmArena *arena)
{
	SrmStatus	status;
	SrmTemplateToken *named = srm_arena_array(arena, tokens->n, sizeof(SrmTemplateToken), &status);
	size_t		n = 0;

	assert_non_null(named);
	for (const SrmJson *token = tokens->child; token != NULL; token = token->next)
		named[n++] = (SrmTemplateToken) {token->key, srm_json_string(token)};
	return (SrmTemplateVariables) {.tokens = named,.n_tokens = n,.date = date};
}

/* The fragments tile the text, those that could be one are one, and content is content. */
static void
check_fragments(const SrmRendered *rendered, const SrmMessage *messages, size_t n_messages)
{
	size_t		at = 0;

	for (size_t i = 0; i < rendered->n_fragments; i++)
	{
		const SrmFragment *fragment = &rendered->fragments[i];
		const SrmFragment *last = i == 0 ? NULL : fragment - 1;

		assert_int_equal(fragment->start, at);
		assert_true(fragment->length > 0);
		at += fragment->length;
		assert_true(at <= rendered->length);
		if (fragment->origin != SRM_FROM_CONTENT)
		{
			assert_true(last == NULL || last->origin != fragment->origin);
			continue;
		}
		assert_true(fragment->message < n_messages);
		assert_true((size_t) fragment->offset + fragment->length <= messages[fragment->message].content_length);
		assert_memory_equal(rendered->text + fragment->start,
							messages[fragment->message].content + fragment->offset, fragment->length);
		assert_false(last != NULL && last->origin == SRM_FROM_CONTENT &&
					 last->message == fragment->message && last->offset + last->length == fragment->offset);
	}
	assert_int_equal(at, rendered->length);
	assert_int_equal(rendered->text[at], '\0');
}

/* Parses and renders; false with the status set where either is refused. */
static bool
render(const char *source, size_t length, const SrmMessage *messages, size_t n_messages,
	   const SrmTemplateVariables *variables, SrmArena *arena, SrmRendered *rendered,
	   SrmStatus *status)
{
	SrmTemplate *template;

	srm_status_init(status);
	template = srm_template_parse(source, length, arena, status);
	if (template == NULL ||
		!srm_template_render(template, messages, n_messages, variables, arena, rendered, NULL,
							 status))
	{
		assert_int_not_equal(status->code, SRM_OK);
		assert_int_not_equal(status->code, SRM_INTERNAL);
		assert_true(strlen(status->message) > 0);
		return false;
	}
	assert_int_equal(status->code, SRM_OK);
	check_fragments(rendered, messages, n_messages);
	return true;
}

/* One case; expected is NULL where the reference refuses. */
static int
compare(const char *name, const char *source, size_t length, const SrmMessage *messages,
		size_t n_messages, const SrmTemplateVariables *variables, const char *expected)
{
	SrmStatus	status;
	SrmArena   *arena;
	SrmRendered rendered;
	bool		ok;
	int			failed = 0;

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	ok = render(source, length, messages, n_messages, variables, arena, &rendered, &status);
	if (ok && expected == NULL)
	{
		print_error("%s: expected an error, got:\n%s\n", name, rendered.text);
		failed = 1;
	}
	else if (!ok && expected != NULL)
	{
		print_error("%s: %s\nexpected:\n%s\n", name, status.message, expected);
		failed = 1;
	}
	else if (ok && strcmp(rendered.text, expected) != 0)
	{
		print_error("%s: got:\n%s\nexpected:\n%s\n", name, rendered.text, expected);
		failed = 1;
	}
	srm_arena_free(arena);
	return failed;
}

static int
compare_conversation(const char *file, const char *source, size_t length,
					 const SrmJson *conversation, const SrmJson *texts,
					 SrmTemplateVariables *variables, SrmArena *arena)
{
	SrmMessage	messages[MAX_MESSAGES];
	size_t		n = read_messages(srm_json_member(conversation, "messages"), messages, arena);
	char		name[256];
	int			failed = 0;

	snprintf(name, sizeof(name), "%s, %s", file,
			 srm_json_string(srm_json_member(conversation, "name")));
	variables->of_user = text_of_member(conversation, "variables", arena);
	variables->add_generation_prompt = false;
	failed += compare(name, source, length, messages, n, variables, srm_json_string(texts->child));
	variables->add_generation_prompt = true;
	failed += compare(name, source, length, messages, n, variables,
					  srm_json_string(texts->child->next));
	return failed;
}

static void
test_published_templates(void **state)
{
	SrmStatus	status;
	SrmArena   *arena = srm_arena_create(&status);
	const SrmJson *json = read_json(arena, "rendered.json");
	const char *date = srm_json_string(srm_json_member(json, "date"));
	const SrmJson *conversations = srm_json_member(json, "conversations");
	int			failed = 0;
	int			n = 0;

	(void) state;
	for (const SrmJson *item = srm_json_member(json, "templates")->child; item != NULL; item = item->next)
	{
		SrmTemplateVariables variables = read_variables(srm_json_member(item, "tokens"), date, arena);
		const char *file = srm_json_string(srm_json_member(item, "file"));
		const SrmJson *texts = srm_json_member(item, "texts")->child;
		size_t		length;
		char	   *source = read_file(arena, file, &length);

		for (const SrmJson *conversation = conversations->child; conversation != NULL;
			 conversation = conversation->next, texts = texts->next)
		{
			failed += compare_conversation(file, source, length, conversation, texts, &variables, arena);
			n++;
		}
	}
	srm_arena_free(arena);
	assert_true(n >= 300);
	assert_int_equal(failed, 0);
}

static void
test_expressions(void **state)
{
	SrmStatus	status;
	SrmArena   *arena = srm_arena_create(&status);
	const SrmJson *json = read_json(arena, "expressions.json");
	SrmTemplateVariables variables =
		read_variables(srm_json_member(json, "tokens"), srm_json_string(srm_json_member(json, "date")),
					   arena);
	SrmMessage	messages[MAX_MESSAGES];
	size_t		n_messages = read_messages(srm_json_member(json, "messages"), messages, arena);
	int			failed = 0;
	int			n = 0;

	(void) state;
	for (const SrmJson *item = srm_json_member(json, "cases")->child; item != NULL; item = item->next)
	{
		const SrmJson *source = item->child;

		failed += compare(source->text, source->text, source->n, messages, n_messages, &variables,
						  srm_json_string(source->next));
		n++;
	}
	srm_arena_free(arena);
	assert_true(n >= 200);
	assert_int_equal(failed, 0);
}

/* Renders a conversation of one user's and one assistant's message. */
static void
render_two(const char *source, const char *user, const char *assistant, SrmArena *arena,
		   SrmRendered *rendered)
{
	const SrmMessage messages[2] = {message("user", user), message("assistant", assistant)};
	const SrmTemplateToken tokens[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
	const SrmTemplateVariables variables = {.tokens = tokens, .n_tokens = 2};
	SrmStatus	status;

	if (!render(source, strlen(source), messages, 2, &variables, arena, rendered, &status))
		fail_msg("%s: %s", source, status.message);
}

/* The fragments as text: T for the template's, U for a user's, C with message:offset. */
static void
describe_fragments(const SrmRendered *rendered, char *out, size_t size)
{
	size_t		n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < rendered->n_fragments && n < size; i++)
	{
		const SrmFragment *fragment = &rendered->fragments[i];

		if (fragment->origin == SRM_FROM_CONTENT)
			n += (size_t) snprintf(out + n, size - n, "C%u:%u+%u ", (unsigned) fragment->message,
								   (unsigned) fragment->offset, (unsigned) fragment->length);
		else
			n += (size_t) snprintf(out + n, size - n, "%c%u ",
								   fragment->origin == SRM_FROM_USER ? 'U' : 'T', (unsigned) fragment->length);
	}
}

static void
check_origins(const char *source, const char *user, const char *assistant, const char *expected)
{
	SrmStatus	status;
	SrmArena   *arena;
	SrmRendered rendered;
	char		fragments[512];

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	render_two(source, user, assistant, arena, &rendered);
	describe_fragments(&rendered, fragments, sizeof(fragments));
	if (strcmp(fragments, expected) != 0)
		fail_msg("%s: fragments %s, expected %s", source, fragments, expected);
	srm_arena_free(arena);
}

#define USER		"{{ messages[0].content }}"
#define U(what)		"{{ messages[0].content" what " }}"

static void
test_origins(void **state)
{
	(void) state;
	check_origins("a" USER "b", "xyz", "", "T1 C0:0+3 T1 ");
	check_origins(U("|trim"), " \n xyz ", "", "C0:3+3 ");
	check_origins(U(".strip()"), " xyz ", "", "C0:1+3 ");
	check_origins(U("[1:3]"), "wxyz", "", "C0:1+2 ");
	check_origins(U("[1:3]"), "wéyz", "", "C0:1+3 ");
	check_origins(U("[::-1]"), "xyz", "", "C0:2+1 C0:1+1 C0:0+1 ");
	check_origins(U("[0]") U("[1:]"), "xyz", "", "C0:0+3 ");
	check_origins(U(".split(',')[1]"), "a,bc,d", "", "C0:2+2 ");
	check_origins(U(".split(',') | join(';')"), "a,bc,d", "", "C0:0+1 T1 C0:2+2 T1 C0:5+1 ");
	check_origins(U(" | replace(',', ';')"), "a,bc", "", "C0:0+1 T1 C0:2+2 ");
	check_origins(U(" | replace(',', messages[1].content)"), "a,b", "xy", "C0:0+1 C1:0+2 C0:2+1 ");
	check_origins(U(" ~ messages[1].content"), "ab", "cd", "C0:0+2 C1:0+2 ");
	check_origins(U("+ '<|end|>'"), "<|end|>", "", "C0:0+7 T7 ");
	check_origins("{% for c in messages[0].content %}{{ c }}{% endfor %}", "xéz", "", "C0:0+4 ");
	check_origins("{% set t %}[" USER "]{% endset %}{{ t[0:3] | trim }}", "xyz", "", "T1 C0:0+2 ");
	check_origins("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m(messages[1].content) }}", "", "r", "T1 C1:0+1 T1 ");
	check_origins(U(".removeprefix('<think>').lstrip('\\n')"), "<think>\n\nx", "", "C0:9+1 ");
	check_origins(U(".splitlines()[1]"), "a\r\nbc\n", "", "C0:3+2 ");
	check_origins("{{ '%s!' % messages[0].content }}", "abc", "", "C0:0+3 T1 ");
	check_origins("{{ 'ab' * 2 }}{{ bos_token | upper }}", "", "", "T7 ");
	/* what a filter changes is no longer at a position of the content */
	check_origins(U("|upper"), "xyz", "", "U3 ");
	check_origins(U("|tojson"), "x", "", "U3 ");
	check_origins("{{ [messages[0].content] }}", "x", "", "T1 U3 T1 ");
	check_origins("{{ messages[0] | tojson }}", "x", "", "T28 U3 T1 ");
	/* the usual roles may be part of a special token, others may not */
	check_origins("{{ '<|' + messages[0].role + '|>' }}", "", "", "T8 ");
}

static void
test_unusual_role(void **state)
{
	const char *source = "{{ '<|' ~ messages[0].role ~ '|>' }}";
	const SrmMessage messages[1] = {message("end", "x")};
	const SrmTemplateVariables variables = {0};
	SrmStatus	status;
	SrmArena   *arena;
	SrmRendered rendered;
	char		fragments[64];

	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	assert_true(render(source, strlen(source), messages, 1, &variables, arena, &rendered, &status));
	describe_fragments(&rendered, fragments, sizeof(fragments));
	assert_string_equal(fragments, "T2 U3 T2 ");
	srm_arena_free(arena);
}

/* Renders a template that has to be refused, soon, and gives the status. */
static SrmStatus
refuse(const char *source, size_t length)
{
	const SrmMessage messages[2] = {message("user", "Hello."), message("assistant", "Hi.")};
	const SrmTemplateVariables variables = {.date = "2024-07-26"};
	SrmStatus	status;
	SrmArena   *arena;
	SrmRendered rendered;
	clock_t		start = clock();

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	if (render(source, length, messages, 2, &variables, arena, &rendered, &status))
		fail_msg("not refused: %.100s", source);
	srm_arena_free(arena);
	if ((double) (clock() - start) / CLOCKS_PER_SEC > SECONDS)
		fail_msg("refused too late: %.100s", source);
	return status;
}

static void
check_refused(const char *source, SrmCode code, const char *message)
{
	SrmStatus	status = refuse(source, strlen(source));

	if (status.code != code || strstr(status.message, message) == NULL)
		fail_msg("%.100s: code %d, \"%s\"", source, (int) status.code, status.message);
}

static void
test_errors_name_the_construct(void **state)
{
	(void) state;
	check_refused("a\n\n{{ x | nosuch }}", SRM_NOT_SUPPORTED, "filter \"nosuch\" at line 3");
	check_refused("{{ x is nosuch }}", SRM_NOT_SUPPORTED, "test \"nosuch\" at line 1");
	check_refused("\n{% include 'a' %}", SRM_NOT_SUPPORTED, "block \"include\" at line 2");
	check_refused("{{ nosuch(1) }}", SRM_NOT_SUPPORTED, "function or method \"nosuch\" at line 1");
	check_refused("{{ 'a'.nosuch() }}", SRM_NOT_SUPPORTED, "function or method \"nosuch\"");
	check_refused("{% for x in y recursive %}{% endfor %}", SRM_NOT_SUPPORTED, "\"recursive\" at line 1");
	check_refused("{{ x.y }}", SRM_INVALID_MODEL, "line 1: \"x\" is undefined");
	check_refused("{{ messages[0].y.z }}", SRM_INVALID_MODEL, "line 1: \"y\" is undefined");
	check_refused("a\n{{ 1 + }}", SRM_INVALID_MODEL, "line 2: expected an expression, but got \"}}\"");
	check_refused("{% if 1 %}\n{% endfor %}", SRM_INVALID_MODEL, "line 2: unexpected block \"endfor\"");
	check_refused("{% if 1 %}\n", SRM_INVALID_MODEL, "block has no end");
	check_refused("\n{{ raise_exception('Only ' ~ 'two roles!') }}", SRM_INVALID_ARGUMENT, "Only two roles!");
	check_refused("{{ strftime_now('%Q') }}", SRM_NOT_SUPPORTED, "\"%Q\"");
}

static void
test_invalid_text(void **state)
{
	(void) state;
	assert_int_equal(refuse("a\0b", 3).code, SRM_INVALID_MODEL);
	assert_int_equal(refuse("\xC3(", 2).code, SRM_INVALID_MODEL);
	assert_int_equal(refuse("{{ '\\x00' }}", 12).code, SRM_INVALID_MODEL);
	assert_int_equal(refuse("{{ '\\ud800' }}", 14).code, SRM_INVALID_MODEL);
}

/* head, n times middle, tail; refused as too much of a good thing or as wrong. */
static void
check_repeated(const char *head, const char *middle, size_t n, const char *tail)
{
	size_t		length = strlen(head) + n * strlen(middle) + strlen(tail);
	char	   *source = malloc(length + 1);
	char	   *at = source;
	SrmStatus	status;

	assert_non_null(source);
	at = stpcpy(at, head);
	for (size_t i = 0; i < n; i++)
		at = stpcpy(at, middle);
	strcpy(at, tail);
	status = refuse(source, length);
	assert_true(status.code == SRM_LIMIT_EXCEEDED || status.code == SRM_INVALID_MODEL);
	free(source);
}

static void
test_hostile_templates(void **state)
{
	static const char *const loop = "{% for a in range(99999) %}{% for b in range(99999) %}";
	char		source[1024];

	(void) state;
	check_refused("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", SRM_LIMIT_EXCEEDED, "nested too deeply");
	check_refused("{% macro m() %}{% if 1 %}{{ n() }}{% endif %}{% endmacro %}{% macro n() %}{{ m() ~ m() }}{% endmacro %}{{ m() }}",
				  SRM_LIMIT_EXCEEDED, "nested too deeply");
	check_refused("{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
				  SRM_LIMIT_EXCEEDED, "at line 1");
	check_refused("{{ range(10**9) }}", SRM_LIMIT_EXCEEDED, "range is too large");
	check_refused("{{ 'a' * 10**9 }}", SRM_LIMIT_EXCEEDED, "too long a text");
	check_refused("{{ '' * 10**18 }}{{ [1] * 10**18 }}", SRM_LIMIT_EXCEEDED, "at line 1");
	check_refused("{{ 10 ** 10 ** 10 }}", SRM_INVALID_MODEL, "out of range");
	check_refused("{% set ns = namespace(s='aaaaaaaa') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
				  SRM_LIMIT_EXCEEDED, "too long a text");
	check_refused("{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% endfor %}",
				  SRM_LIMIT_EXCEEDED, "at line 1");
	check_refused("{% set ns = namespace(l=[]) %}{% for i in range(999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l }}",
				  SRM_LIMIT_EXCEEDED, "nested too deeply");
	check_refused("{% set ns = namespace(l=[]) %}{% for i in range(999) %}{% set ns.l = [ns.l] %}{% endfor %}{{ ns.l == ns.l }}",
				  SRM_LIMIT_EXCEEDED, "nested too deeply");
	check_refused("{% set ns = namespace(l=1) %}{% for i in range(40) %}{% set ns.l = [ns.l, ns.l] %}{% endfor %}{{ ns.l | tojson }}",
				  SRM_LIMIT_EXCEEDED, "at line 1");
	check_refused("{% set ns = namespace() %}{% set ns.n = ns %}{{ ns.n | tojson }}", SRM_INVALID_MODEL, "JSON");
	check_refused("{{ 'ab' | indent(99999999) }}", SRM_NOT_SUPPORTED, "an indent");
	check_refused("{{ [1] | batch(10**12, 'x') }}", SRM_LIMIT_EXCEEDED, "at line 1");
	snprintf(source, sizeof(source), "%s{%% endfor %%}{%% endfor %%}", loop);
	check_refused(source, SRM_LIMIT_EXCEEDED, "too many steps");
	snprintf(source, sizeof(source), "%saaaaaaaaaaaaaaaa{%% endfor %%}{%% endfor %%}", loop);
	check_refused(source, SRM_LIMIT_EXCEEDED, "at line 1");
	snprintf(source, sizeof(source), "{%% set s = 'é' * 99999 %%}%s{%% set c = s[5000] %%}{%% endfor %%}{%% endfor %%}", loop);
	check_refused(source, SRM_LIMIT_EXCEEDED, "too many steps");
	snprintf(source, sizeof(source), "{%% set s = 'a' * 99999 %%}%s{%% set t = s | upper %%}{%% endfor %%}{%% endfor %%}", loop);
	check_refused(source, SRM_LIMIT_EXCEEDED, "at line 1");
	snprintf(source, sizeof(source), "{%% set s = 'a' * 99999 %%}{%% set t = 'a' * 50000 ~ 'b' %%}%s{%% set x = s.rfind(t) %%}{%% endfor %%}{%% endfor %%}", loop);
	check_refused(source, SRM_LIMIT_EXCEEDED, "too many steps");
}

static void
test_hostile_syntax(void **state)
{
	(void) state;
	check_repeated("{{ ", "(", 100000, "1");
	check_repeated("{{ ", "[", 100000, "");
	check_repeated("{{ ", "{1:", 100000, "");
	check_repeated("{{ ", "-", 100000, "1 }}");
	check_repeated("{{ ", "not ", 100000, "1 }}");
	check_repeated("{{ ", "1 if 1 else ", 50000, "1 }}");
	check_repeated("{{ 1", "+1", 100000, " }}");
	check_repeated("{{ 1", " and 1", 100000, " }}");
	check_repeated("{{ 'a'", "|trim", 100000, " }}");
	check_repeated("{{ 'a'", ".strip()", 100000, " }}");
	check_repeated("{{ a", "[0]", 100000, " }}");
	check_repeated("", "{% if 1 %}", 100000, "");
	check_repeated("", "{% for x in y %}", 50000, "");
	check_repeated("", "{% macro m() %}", 50000, "");
	check_repeated("{% set ", "(", 100000, "a");
	check_repeated("", "{#", 100000, "");
	check_repeated("", "{% raw %}", 100000, "");
	check_repeated("{{ ", " ", 1000000, "");
	check_repeated("", "a", 1024 * 1024 + 1, "");
}

/* Long, but nothing wrong with it: chains that are no nesting, and many names. */
static void
test_large_templates(void **state)
{
	const SrmMessage messages[1] = {message("user", "x")};
	const SrmTemplateVariables variables = {0};
	const size_t n = 20000;
	SrmStatus	status;
	SrmArena   *arena;
	SrmRendered rendered;
	char	   *source = malloc(n * 40);
	char	   *at = source;

	(void) state;
	assert_non_null(source);
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	at += sprintf(at, "{%% if false %%}");
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, "{%% elif false %%}");
	at += sprintf(at, "{%% else %%}{{ 'a'");
	for (size_t i = 0; i < n; i++)
		at += sprintf(at, " ~ 'b'");
	at += sprintf(at, " }}{%% endif %%}");
	assert_true(render(source, (size_t) (at - source), messages, 1, &variables, arena, &rendered, &status));
	assert_int_equal(rendered.length, n + 1);
	srm_arena_free(arena);
	free(source);
}

/* Time and memory grow with the content, whatever the template does to it in passing. */
static void
test_long_content(void **state)
{
	static const char *const sources[] = {
		"{% for m in messages %}{{ '<' ~ m.content | trim ~ '>' }}{% endfor %}",
		"{% set ns = namespace(s='') %}{% for c in messages[0].content.split(' ') %}{% set ns.s = ns.s + c + ' ' %}{% endfor %}{{ ns.s }}",
		"{% set ns = namespace(s='') %}{% for c in messages[0].content.split(' ') %}{% set ns.s = c ~ ns.s %}{% endfor %}{{ ns.s }}",
		"{{ messages[0].content.split(' ') | join('  ') | replace('  ', ' ') }}",
		"{% for c in messages[0].content %}{{ c }}{% endfor %}",
		"{{ messages[0].content[::-1][::-1] | upper | tojson }}",
	};
	const size_t n = 200000;
	SrmMessage	messages[2] = {message("user", ""), message("assistant", "x")};
	const SrmTemplateVariables variables = {0};
	char	   *content = malloc(n * 6);

	(void) state;
	assert_non_null(content);
	for (size_t i = 0; i < n; i++)
		memcpy(content + i * 6, "ab \xC3\xA9 ", 6);
	messages[0].content = content;
	messages[0].content_length = n * 6;
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
	{
		SrmStatus	status;
		SrmArena   *arena;
		SrmRendered rendered;
		clock_t		start = clock();

		srm_status_init(&status);
		arena = srm_arena_create(&status);
		if (!render(sources[i], strlen(sources[i]), messages, 2, &variables, arena, &rendered, &status))
			fail_msg("%s: %s", sources[i], status.message);
		assert_true((double) (clock() - start) / CLOCKS_PER_SEC < SECONDS);
		assert_true(rendered.length >= n * 4);
		srm_arena_free(arena);
	}
	free(content);
}

static bool
stop_at_third(void *arg)
{
	int		   *n_asked = arg;

	return ++*n_asked == 3;
}

static void
test_stop(void **state)
{
	const char *source = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
	const SrmTemplateVariables variables = {0};
	int			n_asked = 0;
	const SrmStop stop = {.callback = stop_at_third, .arg = &n_asked};
	SrmStatus	status;
	SrmArena   *arena;
	SrmTemplate *template;
	SrmRendered rendered;

	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	template = srm_template_parse(source, strlen(source), arena, &status);
	assert_non_null(template);
	assert_false(srm_template_render(template, NULL, 0, &variables, arena, &rendered, &stop, &status));
	assert_int_equal(status.code, SRM_STOPPED);
	assert_int_equal(n_asked, 3);
	srm_arena_free(arena);
}

/* A template is only read: it renders the same again, and others as before. */
static void
test_template_is_reusable(void **state)
{
	const char *source = "{% set x = 'a' ~ messages[0].content %}{{ x }}{{ 'b' 'c' }}";
	const SrmMessage first[1] = {message("user", "one")};
	const SrmMessage second[1] = {message("user", "two")};
	const SrmTemplateVariables variables = {0};
	SrmStatus	status;
	SrmArena   *arena;
	SrmTemplate *template;
	SrmRendered rendered;

	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	template = srm_template_parse(source, strlen(source), arena, &status);
	assert_non_null(template);
	for (int i = 0; i < 3; i++)
	{
		assert_true(srm_template_render(template, i == 1 ? second : first, 1, &variables, arena,
										&rendered, NULL, &status));
		assert_string_equal(rendered.text, i == 1 ? "atwobc" : "aonebc");
		check_fragments(&rendered, i == 1 ? second : first, 1);
	}
	srm_arena_free(arena);
}

static uint32_t
next_random(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* Cuts, copies and overwrites a few pieces of source (length), in place. */
static size_t
mutate(char *source, size_t length, uint32_t *random)
{
	static const char *const pieces[] = {
		"{{", "}}", "{%", "%}", "-", "(", ")", "[", "]", "|", "'", "endif", "if", "loop.index0",
		"content", "[::-1]", "| list", "~", "* 99", "is", "none", ":", "messages", "namespace()",
	};

	for (uint32_t n = next_random(random) % 4 + 1; n > 0 && length > 100; n--)
	{
		size_t		at = next_random(random) % (length - 64);
		const char *piece = pieces[next_random(random) % (sizeof(pieces) / sizeof(pieces[0]))];
		size_t		size = next_random(random) % 32;

		switch (next_random(random) % 3)
		{
			case 0:
				memmove(source + at, source + at + size, length - at - size);
				length -= size;
				break;
			case 1:
				memcpy(source + at, piece, strlen(piece));
				break;
			default:
				memmove(source + at, source + next_random(random) % (length - 64), size);
				break;
		}
	}
	return length;
}

static void
test_damaged_templates(void **state)
{
	static const char *const files[] = {
		"llama3.2.jinja", "qwen3.jinja", "mistral-v0.3.jinja", "zephyr.jinja", "generation.jinja",
	};
	const SrmMessage messages[3] = {
		message("system", " <s> "), message("user", "<tool_response> é"), message("assistant", "<think>\n</think>\n\nx "),
	};
	const SrmTemplateToken tokens[] = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
	const SrmTemplateVariables variables = {.tokens = tokens, .n_tokens = 2, .date = "2024-07-26"};
	uint32_t	random = 20240726;
	int			n_rendered = 0;

	(void) state;
	for (int i = 0; i < 2000; i++)
	{
		SrmStatus	status;
		SrmArena   *arena;
		SrmRendered rendered;
		size_t		length;
		char	   *source;

		srm_status_init(&status);
		arena = srm_arena_create(&status);
		source = read_file(arena, files[i % 5], &length);
		length = mutate(source, length, &random);
		n_rendered += render(source, length, messages, 3, &variables, arena, &rendered, &status);
		srm_arena_free(arena);
	}
	assert_true(n_rendered > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_templates),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_origins),
		cmocka_unit_test(test_unusual_role),
		cmocka_unit_test(test_errors_name_the_construct),
		cmocka_unit_test(test_invalid_text),
		cmocka_unit_test(test_hostile_templates),
		cmocka_unit_test(test_hostile_syntax),
		cmocka_unit_test(test_large_templates),
		cmocka_unit_test(test_long_content),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_template_is_reusable),
		cmocka_unit_test(test_damaged_templates),
	};

	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
