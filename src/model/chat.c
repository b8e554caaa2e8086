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
#include "model/config.h"

#define TEMPLATE_FILE		"chat_template.jinja"
#define MAX_TEMPLATE_SIZE	((size_t) 1024 * 1024)

typedef struct Source
{
	const char *text;			/* NULL: none */
	size_t		length;
	const char *path;			/* for messages */
	bool		is_member;		/* of a JSON file, as "chat_template" */
} Source;

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
	source->is_member = true;
	return true;
}

/* The tokens that have a name. */
static bool
name_tokens(SrmTemplateVariables *variables, const SrmSpecialTokens *special, SrmArena *arena,
			SrmStatus *status)
{
	SrmTemplateToken *tokens = srm_arena_array(arena, special->n_named, sizeof(SrmTemplateToken), status);

	if (tokens == NULL)
		return false;
	for (size_t i = 0; i < special->n_named; i++)
	{
		const SrmNamedToken *named = &special->named[i];

		tokens[i].name = srm_arena_string(arena, named->name, strlen(named->name), status);
		tokens[i].text = srm_arena_string(arena, named->content, strlen(named->content), status);
		if (tokens[i].name == NULL || tokens[i].text == NULL)
			return false;
	}
	variables->tokens = tokens;
	variables->n_tokens = special->n_named;
	return true;
}

/* Tokens that got no id, since the embedding has no row for them. */
static bool
check_tokens(const SrmModel *model, const Source *source, const SrmSpecialTokens *special,
			 SrmStatus *status)
{
	for (size_t i = 0; i < special->n_tokens && source->text != NULL; i++)
	{
		const char *content = special->tokens[i].content;

		if (srm_tokenizer_find(model->tokenizer, content) >= 0 ||
			memmem(source->text, source->length, content, strlen(content)) == NULL)
			continue;
		srm_fail(status, SRM_INVALID_MODEL, "token \"%s\" of the chat template is not in the model's vocabulary",
				 content);
		srm_fail_detail(status, "The tokenizer's files name it, but it would be the token %zu, and the embedding has %zu.",
						(size_t) srm_tokenizer_n_ids(model->tokenizer), model->decoder.vocab_size);
		return srm_fail_place(status, source->path);
	}
	return true;
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
	source->is_member = false;
	return true;
}

/*
 * A cross-encoder's tokens that stand around prompt and response: one that the tokenizer takes
 * apart would be read as plain text.
 */
static bool
check_pair_token(const SrmModel *model, const char *name, const char *path, SrmArena *scratch, SrmStatus *status)
{
	const SrmTemplateVariables *variables = &model->variables;
	SrmTokens	tokens = {NULL, 0, 0};

	for (size_t i = 0; i < variables->n_tokens; i++)
	{
		const char *text = variables->tokens[i].text;
		SrmRange	all = {0, (uint32_t) strlen(text)};

		if (strcmp(variables->tokens[i].name, name) != 0)
			continue;
		if (!srm_tokenizer_encode(model->tokenizer, text, all.end, &all, 1, scratch, &tokens, NULL, status))
			return false;
		if (tokens.n == 1 && tokens.items[0].id == srm_tokenizer_find(model->tokenizer, text))
			return true;
	}
	srm_fail(status, SRM_INVALID_MODEL, "tokenizer of model \"%s\" has no \"%s\"", model->directory, name);
	srm_fail_hint(status, "Name it there or in special_tokens_map.json, as transformers does.");
	return srm_fail_place(status, path);
}

/* Classes of transformers whose tokens have types. */
static bool
has_types(const char *class)
{
	static const char *const known[] = {"BertTokenizer", "BertTokenizerFast", "DebertaV2Tokenizer", "DebertaV2TokenizerFast", NULL};

	for (int i = 0; known[i] != NULL; i++)
		if (strcmp(class, known[i]) == 0)
			return true;
	return false;
}

/* Whether the tokenizer, as transformers has it, tells token types; its classes differ. */
static bool
find_types(SrmModel *model, const SrmJson *config, const char *path, SrmStatus *status)
{
	const SrmJson *inputs = srm_json_member(config, "model_input_names");
	const char *class = srm_json_string(srm_json_member(config, "tokenizer_class"));

	model->types_pairs = inputs == NULL;
	for (const SrmJson *input = inputs == NULL ? NULL : inputs->child; input != NULL; input = input->next)
		if (srm_json_string(input) != NULL && strcmp(srm_json_string(input), "token_type_ids") == 0)
			model->types_pairs = true;
	if (inputs != NULL || class == NULL || has_types(class))
		return true;
	srm_fail(status, SRM_NOT_SUPPORTED, "tokenizer class \"%.64s\" does not tell whether tokens have types", class);
	srm_fail_key(status, "tokenizer_class");
	srm_fail_hint(status, "Write the inputs that it gives in transformers into \"model_input_names\" of that file.");
	return srm_fail_place(status, path);
}

/* A cross-encoder has no chat template: its architecture says how it reads a pair. */
static bool
prefer_pair(Source *source, SrmModel *model, const SrmTokenizerFiles *files, SrmArena *scratch, SrmStatus *status)
{
	const SrmArchitecture *row = model->config->architecture;

	if (!model->head.is_of_pairs)
		return true;
	if (source->text == NULL)
	{
		if (!check_pair_token(model, "cls_token", files->config_path, scratch, status) ||
			!check_pair_token(model, "sep_token", files->config_path, scratch, status))
			return false;
		source->text = row->pair_template;
		source->length = strlen(row->pair_template);
		source->path = files->config_path;
	}
	return !row->types_pairs || model->decoder.n_token_types < 2 || find_types(model, files->trees.config, files->config_path, status);
}

/* Whoever wrote a template into "srm" wants that one. */
static bool
prefer_settings(Source *source, const SrmModel *model, SrmArena *scratch, SrmStatus *status)
{
	const char *text = model->settings.chat_template;
	const char *directory = srm_files_of_model(model->files)->directory;
	size_t		size = strlen(directory) + sizeof(SRM_CONFIG_FILE) + 1;
	char	   *path;

	if (text == NULL)
		return true;
	path = srm_arena_alloc(scratch, size, status);
	if (path == NULL)
		return false;
	snprintf(path, size, "%s/%s", directory, SRM_CONFIG_FILE);
	*source = (Source) {.text = text,.length = strlen(text),.path = path,.is_member = true};
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
	if (source->is_member)
		srm_fail_key(status, "chat_template");
	return srm_fail_place(status, source->path);
}

bool
srm_chat_read(SrmModel *model, const SrmTokenizerFiles *files, SrmStatus *status)
{
	SrmArena   *scratch = srm_arena_create(status);
	SrmTemplateVariables *variables = &model->variables;
	Source		source = {0};
	bool		done;

	variables->date = model->settings.template_date;
	variables->of_model = model->settings.template_variables;
	if (scratch == NULL)
		return false;
	done = name_tokens(variables, &files->special, model->arena, status) &&
		find_template(files->trees.config, files->config_path, &source, status) &&
		read_template_file(&source, srm_files_of_tokenizer(model->files), scratch, status) &&
		prefer_settings(&source, model, scratch, status) &&
		prefer_pair(&source, model, files, scratch, status) &&
		check_tokens(model, &source, &files->special, status) &&
		parse_source(&model->chat_template, &source, model->arena, status);
	srm_arena_free(scratch);
	return done;
}
