/*-------------------------------------------------------------------------
 *
 * chat.c
 *	  What tokenizer_config.json and chat_template.jinja say.
 *
 *-------------------------------------------------------------------------
 */
#include "model/chat.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

#define CONFIG_FILE			"tokenizer_config.json"
#define TEMPLATE_FILE		"chat_template.jinja"
#define MAX_CONFIG_SIZE		((size_t) 16 * 1024 * 1024)
#define MAX_TEMPLATE_SIZE	((size_t) 1024 * 1024)
#define MAX_TOKEN_LENGTH	256

typedef struct Source
{
	const char *text;			/* NULL: none */
	size_t		length;
	const char *path;			/* for messages */
} Source;

/* A token is a string, or an object whose "content" is; null is no token. */
static bool
read_token(const SrmJson *config, const char *key, const char **token, SrmArena *arena,
		   SrmStatus *status)
{
	const SrmJson *json = srm_json_member(config, key);
	const char *text;

	*token = NULL;
	if (json == NULL)
		return true;
	text = srm_json_string(json->type == SRM_JSON_OBJECT ? srm_json_member(json, "content") : json);
	if (text == NULL || strlen(text) > MAX_TOKEN_LENGTH)
	{
		srm_fail(status, SRM_INVALID_MODEL, "invalid value of \"%s\" in file \"%s\"", key, CONFIG_FILE);
		return srm_fail_detail(status, "Expected a token of at most %d bytes.", MAX_TOKEN_LENGTH);
	}
	*token = srm_arena_string(arena, text, strlen(text), status);
	return *token != NULL;
}

/* The entry named "default" of a list of templates, or NULL. */
static const SrmJson *
find_default(const SrmJson *list)
{
	for (const SrmJson *entry = list->child; entry != NULL; entry = entry->next)
	{
		const char *name = srm_json_string(srm_json_member(entry, "name"));

		if (name != NULL && strcmp(name, "default") == 0)
			return srm_json_member(entry, "template");
	}
	return NULL;
}

static bool
find_template(const SrmJson *config, const char *path, Source *source, SrmStatus *status)
{
	const SrmJson *json = srm_json_member(config, "chat_template");

	if (json == NULL)
		return true;
	if (json->type == SRM_JSON_ARRAY)
		json = find_default(json);
	else if (json->type == SRM_JSON_OBJECT)
		json = srm_json_member(json, "default");
	if (srm_json_string(json) == NULL)
	{
		srm_fail(status, SRM_INVALID_MODEL, "invalid value of \"chat_template\" in file \"%s\"", path);
		return srm_fail_detail(status,
							   "Expected a string, or a list with a template named \"default\".");
	}
	source->text = json->text;
	source->length = json->n;
	source->path = path;
	return true;
}

static bool
read_config(SrmTemplateVariables *variables, Source *source, SrmModelFiles *files,
			SrmArena *scratch, SrmArena *arena, SrmStatus *status)
{
	SrmContents contents;
	const SrmJson *config;
	char		what[256];

	if (!srm_files_read(files, CONFIG_FILE, true, MAX_CONFIG_SIZE, scratch, &contents, status))
		return false;
	if (!contents.found)
		return true;
	snprintf(what, sizeof(what), "file \"%s\"", contents.path);
	config = srm_json_parse(contents.data, contents.size, what, scratch, status);
	return config != NULL &&
		read_token(config, "bos_token", &variables->bos_token, arena, status) &&
		read_token(config, "eos_token", &variables->eos_token, arena, status) &&
		read_token(config, "pad_token", &variables->pad_token, arena, status) &&
		read_token(config, "unk_token", &variables->unk_token, arena, status) &&
		find_template(config, contents.path, source, status);
}

static bool
read_template_file(Source *source, SrmModelFiles *files, SrmArena *scratch, SrmStatus *status)
{
	SrmContents contents;

	if (!srm_files_read(files, TEMPLATE_FILE, true, MAX_TEMPLATE_SIZE, scratch, &contents, status))
		return false;
	if (!contents.found)
		return true;
	if (!srm_utf8_valid(contents.data, contents.size) ||
		memchr(contents.data, '\0', contents.size) != NULL)
		return srm_fail(status, SRM_INVALID_MODEL,
						"invalid byte sequence for UTF-8 in file \"%s\"", contents.path);
	source->text = contents.data;
	source->length = contents.size;
	source->path = contents.path;
	return true;
}

/* Whoever wrote a template into "srm" wants that one. */
static bool
prefer_settings(Source *source, const SrmModelSettings *settings)
{
	if (settings->chat_template != NULL)
	{
		source->text = settings->chat_template;
		source->length = strlen(settings->chat_template);
		source->path = "config.json";
	}
	return true;
}

static bool
parse_source(SrmTemplate **chat_template, const Source *source, SrmArena *arena,
			 SrmStatus *status)
{
	if (source->text == NULL)
		return true;
	if (source->length > MAX_TEMPLATE_SIZE)
	{
		srm_fail(status, SRM_LIMIT_EXCEEDED, "chat template in file \"%s\" is too long", source->path);
		return srm_fail_detail(status, "It has %zu bytes, the limit is %zu.", source->length,
							   MAX_TEMPLATE_SIZE);
	}
	*chat_template = srm_template_parse(source->text, source->length, arena, status);
	if (*chat_template != NULL)
		return true;
	return srm_fail_hint(status, "Check the chat template in file \"%s\".", source->path);
}

bool
srm_chat_read(SrmTemplate **chat_template, SrmTemplateVariables *variables,
			  const SrmModelSettings *settings, SrmModelFiles *files,
			  SrmArena *arena, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	Source		source = {0};
	bool		done;

	*chat_template = NULL;
	memset(variables, 0, sizeof(SrmTemplateVariables));
	variables->date = settings->template_date;
	variables->of_model = settings->template_variables;
	if (scratch == NULL)
		return false;
	done = read_config(variables, &source, files, scratch, arena, status) &&
		read_template_file(&source, files, scratch, status) &&
		prefer_settings(&source, settings) &&
		parse_source(chat_template, &source, arena, status);
	srm_arena_free(scratch);
	return done;
}
