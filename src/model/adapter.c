/*-------------------------------------------------------------------------
 *
 * adapter.c
 *	  Directories of models, of which one may be an adapter over another one.
 *
 *-------------------------------------------------------------------------
 */
#include "model/adapter.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "files/folder.h"
#include "model/weights.h"

#define MAX_ADAPTER_CONFIG	((size_t) 1024 * 1024)
#define MAX_RANK			65536
#define DEFAULT_RANK		8		/* peft's, as the next */
#define DEFAULT_ALPHA		8.0
#define PATTERN_CHARACTERS	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:"

/*
 * Members that change no weight, or only which modules are adapted, which the tensors tell.
 * Those that are read have their own checks.
 */
static const char *const harmless[] = {
	"task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision",
	"inference_mode", "r", "target_modules", "exclude_modules", "lora_alpha", "lora_dropout",
	"bias", "use_rslora", "modules_to_save", "init_lora_weights", "layers_to_transform",
	"layers_pattern", "rank_pattern", "alpha_pattern", "megatron_core", "qalora_group_size",
	"eva_config", "runtime_config", "ensure_weight_tying", "srm", NULL
};

/* Ways to begin that leave the base's weights as they are. */
static const char *const beginnings[] = {"gaussian", "eva", "orthogonal", NULL};

typedef struct Reader
{
	SrmAdapterConfig *adapter;
	const SrmJson *root;
	SrmStatus  *status;
} Reader;

static bool
list_holds(const char *const *list, const char *text)
{
	while (*list != NULL && strcmp(*list, text) != 0)
		list++;
	return *list != NULL;
}

static bool
fail_support(Reader *reader, const char *key)
{
	srm_fail(reader->status, SRM_NOT_SUPPORTED, "adapter with \"%s\" in file \"%s\" is not supported", key,
			 reader->adapter->path);
	return srm_fail_hint(reader->status, "Merge the adapter into its base with peft, and use the merged model.");
}

static bool
fail_value(Reader *reader, const char *key)
{
	return srm_fail(reader->status, SRM_INVALID_MODEL, "invalid value of \"%s\" in file \"%s\"", key,
					reader->adapter->path);
}

/* Null, false, zero and what is empty turn nothing on. */
static bool
is_empty(const SrmJson *json)
{
	double		number;

	switch (json->type)
	{
		case SRM_JSON_NULL:
		case SRM_JSON_FALSE:
			return true;
		case SRM_JSON_NUMBER:
			return srm_json_number(json, &number) && number == 0;
		case SRM_JSON_TRUE:
			return false;
		default:
			return json->n == 0;
	}
}

static bool
check_supported(Reader *reader)
{
	const char *type = srm_json_string(srm_json_member(reader->root, "peft_type"));
	const SrmJson *bias = srm_json_member(reader->root, "bias");
	const SrmJson *beginning = srm_json_member(reader->root, "init_lora_weights");

	if (type == NULL || strcmp(type, "LORA") != 0)
	{
		fail_support(reader, "peft_type");
		return srm_fail_detail(reader->status, "It is \"%s\"; supported is \"LORA\".", type == NULL ? "" : type);
	}
	if (bias != NULL && (srm_json_string(bias) == NULL || strcmp(bias->text, "none") != 0))
		return fail_support(reader, "bias");
	if (srm_json_string(beginning) != NULL && !list_holds(beginnings, beginning->text))
		return fail_support(reader, "init_lora_weights");
	for (const SrmJson *member = reader->root->child; member != NULL; member = member->next)
		if (!is_empty(member) && !list_holds(harmless, member->key))
			return fail_support(reader, member->key);
	return true;
}

/* The part of a path behind its last slash, of which one may end it; NULL: that is no model's name. */
static const char *
last_part(const char *path, SrmArena *arena, SrmStatus *status)
{
	size_t		end = strlen(path);
	size_t		start;
	const char *name;

	if (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	name = srm_arena_string(arena, path + start, end - start, status);
	return name != NULL && srm_name_is_model(name) ? name : NULL;
}

/* "models--ORGANIZATION--NAME" of "ORGANIZATION/NAME", or NULL. */
static const char *
cache_name(const char *path, SrmArena *arena, SrmStatus *status)
{
	const char *slash = strchr(path, '/');
	char		name[SRM_MAX_MODEL_NAME + 1];
	int			n;

	if (slash == NULL || slash == path || strchr(slash + 1, '/') != NULL)
		return NULL;
	n = snprintf(name, sizeof(name), "models--%.*s--%s", (int) (slash - path), path, slash + 1);
	return n > 0 && n < (int) sizeof(name) && srm_name_is_model(name) ?
		srm_arena_string(arena, name, (size_t) n, status) : NULL;
}

static bool
read_base(Reader *reader, SrmArena *arena)
{
	SrmAdapterConfig *adapter = reader->adapter;
	const SrmJson *given = srm_json_member(adapter->settings, "base");
	const char *path = srm_json_string(srm_json_member(reader->root, "base_model_name_or_path"));

	adapter->named = path;
	if (given != NULL)
	{
		adapter->base = srm_json_string(given);
		return (adapter->base != NULL && srm_name_is_model(adapter->base)) || fail_value(reader, "base");
	}
	adapter->base = path == NULL ? NULL : last_part(path, arena, reader->status);
	adapter->cache = path == NULL ? NULL : cache_name(path, arena, reader->status);
	if (adapter->base != NULL || reader->status->code != SRM_OK)
		return adapter->base != NULL;
	fail_value(reader, "base_model_name_or_path");
	return srm_fail_hint(reader->status, "Name the base model by \"base\" in an object \"srm\" of that file.");
}

/*
 * Members of a pattern are regular expressions for the end of a module's name.  Those in
 * use are names: what else a pattern may say is refused.
 */
static bool
check_pattern(Reader *reader, const char *key, const SrmJson **pattern)
{
	const SrmJson *json = srm_json_member(reader->root, key);

	*pattern = json;
	if (json != NULL && json->type != SRM_JSON_OBJECT)
		return fail_value(reader, key);
	for (const SrmJson *member = json == NULL ? NULL : json->child; member != NULL; member = member->next)
	{
		const char *name = member->key + (member->key[0] == '^');
		double		number;

		if (!srm_json_number(member, &number) || !(number > 0))
			return fail_value(reader, key);
		/* A dot may be written as itself */
		for (; *name != '\0'; name++)
			if (strchr(PATTERN_CHARACTERS, *name) == NULL && !(name[0] == '\\' && name[1] == '.'))
			{
				fail_support(reader, key);
				return srm_fail_detail(reader->status, "\"%s\" is not the name of a module, or the end of one.",
									   member->key);
			}
	}
	return true;
}

static bool
read_scale(Reader *reader)
{
	SrmAdapterConfig *adapter = reader->adapter;
	int64_t		rank;

	if (!srm_json_get_int(reader->root, "r", 1, MAX_RANK, DEFAULT_RANK, &rank, reader->status) ||
		!srm_json_get_double(reader->root, "lora_alpha", DEFAULT_ALPHA, &adapter->alpha, reader->status) ||
		!srm_json_get_bool(reader->root, "use_rslora", false, &adapter->is_rank_stabilized, reader->status))
		return srm_fail_hint(reader->status, "Check file \"%s\".", adapter->path);
	adapter->rank = (double) rank;
	return check_pattern(reader, "rank_pattern", &adapter->ranks) &&
		check_pattern(reader, "alpha_pattern", &adapter->alphas);
}

static bool
read_modules(Reader *reader)
{
	SrmAdapterConfig *adapter = reader->adapter;
	const SrmJson *saved = srm_json_member(reader->root, "modules_to_save");
	const char *task = srm_json_string(srm_json_member(reader->root, "task_type"));

	adapter->is_classifier = task != NULL && strcmp(task, "SEQ_CLS") == 0;
	for (const SrmJson *module = saved == NULL ? NULL : saved->child; module != NULL; module = module->next)
		if (srm_json_string(module) != NULL && strcmp(module->text, "score") == 0)
			adapter->saves_score = true;
	adapter->settings = srm_json_member(reader->root, "srm");
	return adapter->settings == NULL || adapter->settings->type == SRM_JSON_OBJECT || fail_value(reader, "srm");
}

/* Sets the files' adapter. */
static bool
read_config(SrmModelFiles *files, SrmStatus *status)
{
	SrmAdapterConfig *adapter = srm_arena_array(files->arena, 1, sizeof(SrmAdapterConfig), status);
	Reader		reader = {.adapter = adapter,.status = status};
	SrmContents contents;
	char		what[256];

	if (adapter == NULL ||
		!srm_files_read(files, SRM_ADAPTER_CONFIG, false, MAX_ADAPTER_CONFIG, files->arena, &contents, status))
		return false;
	adapter->path = contents.path;
	snprintf(what, sizeof(what), "file \"%s\"", contents.path);
	reader.root = srm_json_parse(contents.data, contents.size, what, files->arena, status);
	if (reader.root == NULL)
		return false;
	if (reader.root->type != SRM_JSON_OBJECT)
		return srm_fail(status, SRM_INVALID_MODEL, "file \"%s\" is not a JSON object", contents.path);
	files->adapter = adapter;
	return check_supported(&reader) && read_modules(&reader) && read_base(&reader, files->arena) &&
		read_scale(&reader);
}

/* Whether a directory holds an adapter; what would make it a model is watched. */
static bool
is_adapter(SrmModelFiles *files, bool *result, SrmStatus *status)
{
	static const char *const weights[] = {SRM_WEIGHTS_FILE, SRM_WEIGHTS_INDEX};

	*result = srm_file_stamp(files->fd, SRM_ADAPTER_CONFIG).exists;
	for (int i = 0; i < 2 && *result; i++)
	{
		const SrmWatch *watch = srm_files_watch(files, weights[i], status);

		if (watch == NULL)
			return false;
		*result = !watch->stamp.exists;
	}
	return true;
}

/* Its own tokenizer is what has any of a tokenizer's files. */
static bool
find_tokenizer(SrmModelFiles *files, SrmStatus *status)
{
	static const char *const names[] = {
		"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
		"chat_template.jinja", NULL
	};

	for (int i = 0; names[i] != NULL; i++)
	{
		const SrmWatch *watch = srm_files_watch(files, names[i], status);

		if (watch == NULL)
			return false;
		files->has_tokenizer = files->has_tokenizer || watch->stamp.exists;
	}
	return true;
}

static bool
fail_no_base(const SrmAdapterConfig *adapter, SrmStatus *status)
{
	srm_fail(status, SRM_UNDEFINED_MODEL, "base model \"%s\" of an adapter does not exist", adapter->base);
	srm_fail_detail(status, "File \"%s\" names it.", adapter->path);
	return srm_fail_hint(status, "Put its directory where models are looked for, or name another by \"base\" in the object \"srm\" of that file.");
}

/* "directory/name/file", or without the last, in the arena. */
static char *
join(SrmArena *arena, const char *directory, const char *name, const char *file, SrmStatus *status)
{
	size_t		size = strlen(directory) + strlen(name) + strlen(file) + 3;
	char	   *path = srm_arena_alloc(arena, size, status);

	if (path != NULL)
		snprintf(path, size, "%s/%s%s%s", directory, name, file[0] == '\0' ? "" : "/", file);
	return path;
}

/* Whether a directory has a file; one that may come is watched. */
static bool
has_file(SrmModelFiles *files, const char *directory, const char *name, SrmStatus *status)
{
	const char *path = join(files->arena, directory, name, "", status);

	if (path == NULL)
		return false;
	if (path[0] == '/' && srm_files_watch(files, path, status) == NULL)
		return false;
	return srm_file_stamp(AT_FDCWD, path).exists;
}

/* The directory of a model, or adapter, of a name in another directory; NULL where there is none. */
static const char *
find_in(SrmModelFiles *files, const char *parent, const char *name, SrmStatus *status)
{
	char		snapshot[SRM_MAX_SNAPSHOT + 1];
	const char *directory = join(files->arena, parent, name, "", status);

	/* Which snapshot it is may change with this file */
	if (directory != NULL && srm_folder_is_cache(name))
		(void) has_file(files, directory, "refs/main", status);
	if (directory != NULL && srm_folder_is_cache(name) && srm_folder_snapshot(directory, snapshot))
		directory = join(files->arena, directory, "snapshots", snapshot, status);
	return directory != NULL && (has_file(files, directory, "config.json", status) ||
								 has_file(files, directory, SRM_ADAPTER_CONFIG, status)) ? directory : NULL;
}

/* The first along the path, by its own name before that in a cache of downloads. */
static const char *
find_base(SrmModelFiles *files, const SrmModelPath *path, SrmStatus *status)
{
	const SrmAdapterConfig *adapter = files->adapter;
	const char *names[] = {adapter->base, adapter->cache};

	for (size_t i = 0; i < path->n; i++)
		for (int j = 0; j < 2 && names[j] != NULL; j++)
		{
			const char *directory = find_in(files, path->directories[i], names[j], status);

			if (directory != NULL || status->code != SRM_OK)
				return directory;
		}
	fail_no_base(adapter, status);
	return NULL;
}

/* The directory that another one lies in. */
static const char *
parent_of(const SrmModelFiles *files, SrmStatus *status)
{
	const char *directory = files->directory;
	const char *slash = strrchr(directory, '/');

	return slash == NULL ? "." : srm_arena_string(files->arena, directory, (size_t) (slash - directory), status);
}

static bool
open_base(SrmModelFiles *files, const SrmModelPath *path, SrmStatus *status)
{
	const char *parent = parent_of(files, status);
	SrmModelPath beside = {.directories = &parent,.n = 1};
	const char *directory;
	bool		is_other = false;

	if (parent == NULL)
		return false;
	directory = find_base(files, path == NULL ? &beside : path, status);
	if (directory == NULL)
		return false;
	files->base = srm_files_create(directory, files->arena, status);
	if (files->base == NULL || !is_adapter(files->base, &is_other, status))
		return false;
	if (!is_other)
		return true;
	srm_fail(status, SRM_NOT_SUPPORTED, "base model \"%s\" of an adapter is an adapter itself", files->adapter->base);
	srm_fail_detail(status, "File \"%s\" names it.", files->adapter->path);
	return srm_fail_hint(status, "Merge the base first.");
}

SrmModelFiles *
srm_adapter_open(const char *directory, const SrmModelPath *path, SrmArena *arena, SrmStatus *status)
{
	SrmModelFiles *files = srm_files_create(directory, arena, status);
	bool		is_one = false;

	if (files == NULL)
		return NULL;
	if (is_adapter(files, &is_one, status) &&
		(!is_one || (read_config(files, status) && find_tokenizer(files, status) && open_base(files, path, status))))
		return files;
	srm_files_close(files);
	return NULL;
}

/* Whether a pattern, "name" or "^name", is all of a module's name, or its end behind a dot. */
static bool
matches(const char *pattern, const char *module)
{
	bool		is_whole = pattern[0] == '^';
	size_t		n = 0;
	size_t		length = strlen(module);
	const char *end;

	pattern += is_whole;
	for (const char *c = pattern; *c != '\0'; c++)
		n += *c != '\\';
	if (n > length)
		return false;
	end = module + length - n;
	for (const char *m = end; *pattern != '\0'; pattern++)
		if (*pattern != '\\' && *pattern != *m++)
			return false;
	return end == module || (!is_whole && end[-1] == '.');
}

/* The number of the first pattern that matches, which was checked as it was read. */
static double
find_number(const SrmJson *patterns, const char *module, double number)
{
	for (const SrmJson *member = patterns == NULL ? NULL : patterns->child; member != NULL; member = member->next)
		if (matches(member->key, module))
		{
			(void) srm_json_number(member, &number);
			return number;
		}
	return number;
}

double
srm_adapter_rank(const SrmAdapterConfig *adapter, const char *module)
{
	return find_number(adapter->ranks, module, adapter->rank);
}

double
srm_adapter_scale(const SrmAdapterConfig *adapter, const char *module)
{
	double		rank = srm_adapter_rank(adapter, module);

	return find_number(adapter->alphas, module, adapter->alpha) / (adapter->is_rank_stabilized ? sqrt(rank) : rank);
}
