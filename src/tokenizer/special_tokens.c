/*-------------------------------------------------------------------------
 *
 * special_tokens.c
 *	  Tokens that other files than tokenizer.json name.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/special_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "base/map.h"

#define CONFIG_FILE		"tokenizer_config.json"
#define MAP_FILE		"special_tokens_map.json"
#define ADDED_FILE		"added_tokens.json"
#define MAX_NAMED		256
#define MAX_TOKEN_LENGTH	256

/* The names that every tokenizer may have, in the order in which transformers adds their tokens. */
static const char *const usual_names[] = {
	"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"
};

#define N_USUAL		(sizeof(usual_names) / sizeof(usual_names[0]))

typedef struct Reader
{
	SrmSpecialTokens *special;
	SrmArena   *arena;
	SrmStatus  *status;
} Reader;

/* Where names are looked for; NULL: nowhere. */
typedef struct Sources
{
	const SrmJson *config;
	const SrmJson *map;
} Sources;

/* ---- reading ---- */

static bool
fail_value(Reader *reader, const char *key, const char *file, const char *expected)
{
	srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"%.64s\" in file \"%s\"", key, file);
	return srm_fail_detail(reader->status, "Expected %s.", expected);
}

/* The text of a token, which is a string or an object with "content"; NULL: it is neither. */
static const char *
token_text(const SrmJson *json)
{
	return srm_json_string(json->type == SRM_JSON_OBJECT ? srm_json_member(json, "content") : json);
}

/* A string stands for a special token without any flag. */
static bool
read_token(Reader *reader, const SrmJson *json, const char *key, const char *file,
		   SrmSpecialToken *token)
{
	const SrmJson *flags = json->type == SRM_JSON_OBJECT ? json : NULL;
	const char *text = token_text(json);

	if (text == NULL || strlen(text) > MAX_TOKEN_LENGTH)
		return fail_value(reader, key, file, "a token of at most 256 bytes");
	*token = (SrmSpecialToken) {.content = text,.id = -1};
	return srm_json_get_bool(flags, "special", flags == NULL, &token->is_special, reader->status) &&
		srm_json_get_bool(flags, "normalized", !token->is_special, &token->is_normalized, reader->status) &&
		srm_json_get_bool(flags, "single_word", false, &token->is_single_word, reader->status) &&
		srm_json_get_bool(flags, "lstrip", false, &token->strips_left, reader->status) &&
		srm_json_get_bool(flags, "rstrip", false, &token->strips_right, reader->status);
}

static void
add_token(Reader *reader, const SrmSpecialToken *token)
{
	if (token->content[0] != '\0')
		reader->special->tokens[reader->special->n_tokens++] = *token;
}

static bool
read_id(const char *text, int32_t *id)
{
	char	   *end;
	long		number = strtol(text, &end, 10);

	*id = (int32_t) number;
	return end != text && *end == '\0' && number >= 0 && number <= SRM_MAX_TOKEN_ID;
}

static int
compare_ids(const void *a, const void *b)
{
	const SrmSpecialToken *left = a;
	const SrmSpecialToken *right = b;

	return (left->id > right->id) - (left->id < right->id);
}

/* {"ID": {"content": ..., ...}, ...} */
static bool
read_decoder(Reader *reader, const SrmJson *decoder)
{
	if (decoder->type != SRM_JSON_OBJECT)
		return fail_value(reader, "added_tokens_decoder", CONFIG_FILE, "an object of tokens by their ids");
	for (const SrmJson *member = decoder->child; member != NULL; member = member->next)
	{
		SrmSpecialToken token;

		if (member->type != SRM_JSON_OBJECT ||
			!read_token(reader, member, "added_tokens_decoder", CONFIG_FILE, &token) ||
			!read_id(member->key, &token.id))
			return fail_value(reader, "added_tokens_decoder", CONFIG_FILE, "an object of tokens by their ids");
		if (srm_json_member(member, "special") == NULL)
			token.is_special = false;
		add_token(reader, &token);
	}
	return true;
}

static bool
is_named(const SrmSpecialTokens *special, const char *content)
{
	for (size_t i = 0; i < special->n_named; i++)
		if (strcmp(special->named[i].content, content) == 0)
			return true;
	return false;
}

/* {"TOKEN": ID, ...}; what tokenizer.json has of them comes first. */
static bool
read_added(Reader *reader, const SrmJson *added)
{
	if (added->type != SRM_JSON_OBJECT)
		return srm_fail(reader->status, SRM_INVALID_MODEL, "file \"%s\" holds no object", ADDED_FILE);
	for (const SrmJson *member = added->child; member != NULL; member = member->next)
	{
		SrmSpecialToken token = {.content = member->key,.yields = true};

		if (!srm_vocabulary_read_id(member, &token.id) || strlen(member->key) > MAX_TOKEN_LENGTH)
			return fail_value(reader, member->key, ADDED_FILE, "an id");
		token.is_special = is_named(reader->special, token.content);
		token.is_normalized = !token.is_special;
		add_token(reader, &token);
	}
	return true;
}

/* Names a token; a name that is there already gets another one, NULL takes it away. */
static bool
name_token(Reader *reader, const char *name, const char *content)
{
	SrmSpecialTokens *special = reader->special;
	size_t		i = 0;

	while (i < special->n_named && strcmp(special->named[i].name, name) != 0)
		i++;
	if (i == MAX_NAMED)
		return srm_fail(reader->status, SRM_LIMIT_EXCEEDED,
						"file \"%s\" names more than %d special tokens", CONFIG_FILE, MAX_NAMED);
	special->named[i] = (SrmNamedToken) {name, content};
	special->n_named += i == special->n_named;
	return true;
}

/* Whether a key of a file names a token, of the kind that comes with the model. */
static bool
is_own_name(const SrmJson *member)
{
	size_t		length = strlen(member->key);

	for (size_t i = 0; i < N_USUAL; i++)
		if (strcmp(member->key, usual_names[i]) == 0)
			return false;
	return length > 6 && strcmp(member->key + length - 6, "_token") == 0 && token_text(member) != NULL;
}

/* The value of a name; special_tokens_map.json comes first where it counts at all. */
static const SrmJson *
find_name(const Sources *sources, const char *name, const char **file)
{
	const SrmJson *member = srm_json_member(sources->map, name);

	*file = member == NULL ? CONFIG_FILE : MAP_FILE;
	return member == NULL ? srm_json_member(sources->config, name) : member;
}

static bool
read_usual_names(Reader *reader, const Sources *sources)
{
	for (size_t i = 0; i < N_USUAL; i++)
	{
		const char *file;
		const SrmJson *member = find_name(sources, usual_names[i], &file);
		SrmSpecialToken token;

		if (member == NULL)
			continue;
		if (!read_token(reader, member, usual_names[i], file, &token) ||
			!name_token(reader, usual_names[i], token.content))
			return false;
	}
	return true;
}

static bool
read_own_names(Reader *reader, const SrmJson *json)
{
	const SrmJson *extra = srm_json_member(json, "extra_special_tokens");

	for (const SrmJson *member = json == NULL ? NULL : json->child; member != NULL; member = member->next)
		if (is_own_name(member) && !name_token(reader, member->key, token_text(member)))
			return false;
	if (extra == NULL || extra->type != SRM_JSON_OBJECT)
		return true;
	for (const SrmJson *member = extra->child; member != NULL; member = member->next)
		if (token_text(member) != NULL && !name_token(reader, member->key, token_text(member)))
			return false;
	return true;
}

/* The tokens of names, with the flags that they have there. */
static bool
add_named(Reader *reader, const Sources *sources)
{
	for (size_t i = 0; i < reader->special->n_named; i++)
	{
		const SrmNamedToken *named = &reader->special->named[i];
		const char *file;
		const SrmJson *member = find_name(sources, named->name, &file);
		SrmSpecialToken token = {.content = named->content,.id = -1};

		if (member != NULL && !read_token(reader, member, named->name, file, &token))
			return false;
		token.is_special = true;
		add_token(reader, &token);
	}
	return true;
}

/* Tokens without a name. */
static bool
add_list(Reader *reader, const SrmJson *json, const char *key, const char *file)
{
	const SrmJson *list = srm_json_member(json, key);

	if (list == NULL || list->type == SRM_JSON_OBJECT)
		return true;
	if (list->type != SRM_JSON_ARRAY)
		return fail_value(reader, key, file, "a list of tokens");
	for (const SrmJson *item = list->child; item != NULL; item = item->next)
	{
		SrmSpecialToken token;

		if (!read_token(reader, item, key, file, &token))
			return false;
		token.is_special = true;
		add_token(reader, &token);
	}
	return true;
}

static size_t
count_children(const SrmJson *json)
{
	return json == NULL ? 0 : json->n;
}

/* More than there can be tokens. */
static size_t
count_tokens(const SrmSpecialFiles *files)
{
	const SrmJson *both[] = {files->config, files->map};
	size_t		n = 2 * MAX_NAMED + count_children(files->added) +
		count_children(srm_json_member(files->config, "added_tokens_decoder"));

	for (int i = 0; i < 2; i++)
		n += count_children(srm_json_member(both[i], "additional_special_tokens")) +
			count_children(srm_json_member(both[i], "extra_special_tokens"));
	return n;
}

static bool
read_all(Reader *reader, const SrmSpecialFiles *files)
{
	const SrmJson *config = files->config;
	const SrmJson *decoder = srm_json_member(config, "added_tokens_decoder");
	Sources		sources = {.config = config,.map = decoder == NULL ? files->map : NULL};

	if (!read_usual_names(reader, &sources) ||
		!read_own_names(reader, config) || !read_own_names(reader, sources.map) ||
		(decoder != NULL && !read_decoder(reader, decoder)) ||
		(decoder == NULL && files->added != NULL && !read_added(reader, files->added)))
		return false;
	qsort(reader->special->tokens, reader->special->n_tokens, sizeof(SrmSpecialToken), compare_ids);
	return add_named(reader, &sources) &&
		add_list(reader, config, "additional_special_tokens", CONFIG_FILE) &&
		add_list(reader, sources.map, "additional_special_tokens", MAP_FILE) &&
		add_list(reader, config, "extra_special_tokens", CONFIG_FILE) &&
		add_list(reader, sources.map, "extra_special_tokens", MAP_FILE);
}

bool
srm_special_tokens_read(SrmSpecialTokens *special, const SrmSpecialFiles *files, SrmArena *arena,
						SrmStatus *status)
{
	Reader		reader = {.special = special,.arena = arena,.status = status};

	memset(special, 0, sizeof(SrmSpecialTokens));
	special->config = files->config;
	special->n_ids = SRM_MAX_TOKEN_ID;
	special->named = srm_arena_array(arena, MAX_NAMED, sizeof(SrmNamedToken), status);
	special->tokens = srm_arena_array(arena, count_tokens(files), sizeof(SrmSpecialToken), status);
	return special->named != NULL && special->tokens != NULL && read_all(&reader, files);
}

/* ---- merging ---- */

/* The added tokens of a tokenizer.json, while others come in. */
typedef struct Merger
{
	SrmJson    *list;
	SrmJson   **last;			/* where the next one goes */
	SrmJson   **items;			/* by the numbers of the map */
	size_t		n_items;
	SrmMap		by_content;
	int32_t		next_id;
	int32_t		n_ids;
	const SrmVocabulary *vocabulary;
	SrmArena   *arena;
	SrmStatus  *status;
} Merger;

static bool
set_flag(Merger *merger, SrmJson *item, const char *key, bool flag)
{
	return srm_json_set(item, key, srm_json_make(flag ? SRM_JSON_TRUE : SRM_JSON_FALSE, merger->arena,
												 merger->status), merger->arena, merger->status);
}

static bool
set_flags(Merger *merger, SrmJson *item, const SrmSpecialToken *token)
{
	return set_flag(merger, item, "special", token->is_special) &&
		set_flag(merger, item, "normalized", token->is_normalized) &&
		set_flag(merger, item, "single_word", token->is_single_word) &&
		set_flag(merger, item, "lstrip", token->strips_left) &&
		set_flag(merger, item, "rstrip", token->strips_right);
}

static bool
put_item(Merger *merger, SrmJson *item, const char *content)
{
	merger->items[merger->n_items] = item;
	if (srm_vocabulary_find_any(merger->vocabulary, content, strlen(content)) < 0)
		merger->next_id++;
	return srm_map_put(&merger->by_content, content, strlen(content), (int32_t) merger->n_items++,
					   merger->status);
}

/* What is wrong with an entry is said where it is loaded. */
static bool
index_list(Merger *merger)
{
	for (SrmJson *item = merger->list->child; item != NULL; item = item->next)
	{
		const char *content = srm_json_string(srm_json_member(item, "content"));

		merger->last = &item->next;
		if (content != NULL && srm_map_get(&merger->by_content, content, strlen(content)) < 0 &&
			!put_item(merger, item, content))
			return false;
	}
	return true;
}

static bool
append_token(Merger *merger, const SrmSpecialToken *token)
{
	int32_t		id = srm_vocabulary_find_any(merger->vocabulary, token->content, strlen(token->content));
	SrmJson    *item;

	if (id < 0)
		id = merger->next_id;
	if (token->id >= 0)
		id = token->id;
	else if (id >= merger->n_ids)
		return true;
	item = srm_json_make(SRM_JSON_OBJECT, merger->arena, merger->status);
	if (item == NULL ||
		!srm_json_set(item, "id", srm_json_make_int(id, merger->arena, merger->status),
					  merger->arena, merger->status) ||
		!srm_json_set(item, "content", srm_json_make_string(token->content, merger->arena, merger->status),
					  merger->arena, merger->status) ||
		!set_flags(merger, item, token))
		return false;
	*merger->last = item;
	merger->last = &item->next;
	merger->list->n++;
	return put_item(merger, item, srm_json_string(srm_json_member(item, "content")));
}

/*
 * A token that is there has the flags of tokenizer_config.json where that says
 * them under its id; it is special where either says so.  The tokenizers
 * library goes on to search for a special token where it did before.
 */
static bool
merge_token(Merger *merger, const SrmSpecialToken *token)
{
	int32_t		index = srm_map_get(&merger->by_content, token->content, strlen(token->content));
	SrmSpecialToken merged = *token;
	SrmJson    *item;
	bool		was_special;
	bool		was_normalized;

	if (index < 0)
		return append_token(merger, token);
	item = merger->items[index];
	if (!srm_json_get_bool(item, "special", false, &was_special, merger->status) ||
		!srm_json_get_bool(item, "normalized", true, &was_normalized, merger->status))
		return false;
	if (token->id < 0 || token->yields)
		return was_special || !token->is_special || set_flag(merger, item, "special", true);
	merged.is_special |= was_special;
	if (was_special)
		merged.is_normalized = was_normalized;
	return set_flags(merger, item, &merged);
}

/* Where a tokenizer that transformers makes would give other tokens than the file. */
static bool
check_settings(const SrmJson *config, const SrmJson *tokenizer, SrmStatus *status)
{
	const SrmJson *pretokenizer = srm_json_member(tokenizer, "pre_tokenizer");
	const SrmJson *prefix = srm_json_member(config, "add_prefix_space");
	const SrmJson *own = srm_json_member(pretokenizer, "add_prefix_space");
	const char *type = srm_json_string(srm_json_member(pretokenizer, "type"));
	bool		splits;

	if (!srm_json_get_bool(config, "split_special_tokens", false, &splits, status))
		return false;
	if (splits)
		return srm_fail(status, SRM_NOT_SUPPORTED,
						"\"split_special_tokens\" in file \"%s\" is not supported", CONFIG_FILE);
	if (prefix == NULL || own == NULL || prefix->type == own->type ||
		type == NULL || strcmp(type, "ByteLevel") != 0)
		return true;
	srm_fail(status, SRM_NOT_SUPPORTED,
			 "\"add_prefix_space\" is %s in file \"%s\" and %s in file \"tokenizer.json\"",
			 prefix->type == SRM_JSON_TRUE ? "true" : "false", CONFIG_FILE,
			 own->type == SRM_JSON_TRUE ? "true" : "false");
	return srm_fail_hint(status, "Make them the same, as the model was trained.");
}

bool
srm_special_tokens_merge(const SrmSpecialTokens *special, SrmJson *tokenizer,
						 const SrmVocabulary *vocabulary, SrmArena *arena, SrmStatus *status)
{
	SrmJson    *list = (SrmJson *) srm_json_member(tokenizer, "added_tokens");
	Merger		merger = {
		.vocabulary = vocabulary,.next_id = vocabulary->n_tokens,.n_ids = special->n_ids,
		.arena = arena,.status = status
	};
	size_t		n;

	if (!check_settings(special->config, tokenizer, status))
		return false;
	if (list == NULL)
	{
		list = srm_json_make(SRM_JSON_ARRAY, arena, status);
		if (!srm_json_set(tokenizer, "added_tokens", list, arena, status))
			return false;
	}
	if (list->type != SRM_JSON_ARRAY)
		return true;			/* said where it is loaded */
	n = list->n + special->n_tokens;
	merger.list = list;
	merger.last = &list->child;
	merger.items = srm_arena_array(arena, n, sizeof(SrmJson *), status);
	if (merger.items == NULL || !srm_map_init(&merger.by_content, n, arena, status) || !index_list(&merger))
		return false;
	for (size_t i = 0; i < special->n_tokens; i++)
		if (!merge_token(&merger, &special->tokens[i]))
			return false;
	return true;
}
