/*-------------------------------------------------------------------------
 *
 * settings.c
 *	  The settings of the extension.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/parallel.h"
#include "miscadmin.h"
#include "utils/guc.h"

#include "files/name.h"
#include "kernel/workspace.h"
#include "pg/compat.h"
#include "pg/settings.h"
#include "pg/settings_source.h"
#include "reward/reward.h"
#include "score/layout.h"
#include "segment/segment.h"

char	   *srm_model = NULL;
char	   *srm_model_path = NULL;
char	   *srm_output_path = NULL;
char	   *srm_prepared_path = NULL;
char	   *srm_segmenter = NULL;
double		srm_sat_threshold = 0;
int			srm_sat_stride = 0;
char	   *srm_locale = NULL;
char	   *srm_template_date = NULL;
char	   *srm_template_variables = NULL;
char	   *srm_preload_models = NULL;
int			srm_aggregation = SRM_AGGREGATION_OF_MODEL;
int			srm_truncation = SRM_TRUNCATION_OF_MODEL;
int			srm_max_tokens = 4096;
int			srm_min_sentence_tokens = -1;
int			srm_max_sentence_tokens = -1;
int			srm_compute = SRM_CHOICE_OF_MODEL;
int			srm_threads = 1;
int			srm_prompt_cache = 256 * 1024;
int			srm_workspace = 32 * 1024;
int			srm_training_memory = 4 * 1024 * 1024;

static const struct config_enum_entry aggregation_options[] = {
	{"model", SRM_AGGREGATION_OF_MODEL, false},
	{"last", SRM_AGGREGATE_LAST, false},
	{"sum", SRM_AGGREGATE_SUM, false},
	{"mean", SRM_AGGREGATE_MEAN, false},
	{"min", SRM_AGGREGATE_MIN, false},
	{"max", SRM_AGGREGATE_MAX, false},
	{"token_mean", SRM_AGGREGATE_TOKEN_MEAN, false},
	{"attention", SRM_AGGREGATE_ATTENTION, false},
	{NULL, 0, false}
};

static const struct config_enum_entry compute_options[] = {
	{"auto", SRM_CHOICE_OF_MODEL, false},
	{"f32", SRM_CHOICE_F32, false},
	{"bf16", SRM_CHOICE_BF16, false},
	{"int8", SRM_CHOICE_INT8, false},
	{"w8", SRM_CHOICE_W8, false},
	{NULL, 0, false}
};

static const struct config_enum_entry truncation_options[] = {
	{"model", SRM_TRUNCATION_OF_MODEL, false},
	{"error", SRM_TRUNCATION_ERROR, false},
	{"prompt", SRM_TRUNCATION_PROMPT, false},
	{"response", SRM_TRUNCATION_RESPONSE, false},
	{NULL, 0, false}
};

/* Each directory must be absolute, or one of those that have a name. */
static bool
check_model_path(char **value, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*value);
	char	   *next = copy;
	char	   *directory;
	bool		valid = true;

	(void) extra;
	(void) source;
	while (valid && (directory = strsep(&next, ":")) != NULL)
		valid = directory[0] == '\0' || directory[0] == '/' ||
			strcmp(directory, SRM_SYSTEM_MODELS) == 0 ||
			strcmp(directory, SRM_OUTPUT_MODELS) == 0;
	pfree(copy);
	if (!valid)
		GUC_check_errdetail("Directories must be absolute paths, \"%s\" or \"%s\".",
							SRM_SYSTEM_MODELS, SRM_OUTPUT_MODELS);
	return valid;
}

/* A directory that is written to: absolute, or below the data directory. */
static bool
check_path(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (**value != '\0' && strlen(*value) < MAXPGPATH / 2 && !path_contains_parent_reference(*value))
		return true;
	GUC_check_errdetail("It must be a path without \"..\", absolute or relative to the data directory.");
	return false;
}

/* A name, or one with a digest behind "@"; whether there is such a model shows when it is used. */
static bool
check_model(char **value, void **extra, GucSource source)
{
	char	   *name = pstrdup(*value);
	char	   *digest = strchr(name, '@');
	bool		valid;

	(void) extra;
	(void) source;
	if (digest != NULL)
		*digest = '\0';
	valid = srm_name_is_model(name);
	pfree(name);
	if (!valid)
		GUC_check_errdetail("A model's name is that of a directory in one of the directories of \"srm.model_path\".");
	return valid;
}

static bool
check_locale(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (srm_segmenter_is_locale(*value))
		return true;
	GUC_check_errdetail("A locale is written like \"de\", \"en-US\" or \"es-u-ss-standard\".");
	return false;
}

static bool
check_segmenter(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (**value == '\0' || srm_segmenter_known(*value))
		return true;
	GUC_check_errdetail("Segmenters are \"icu\", \"lines\", \"paragraphs\", \"regex:\" with a pattern, and \"sat:\" or \"sat-only:\" with a model.");
	return false;
}

static bool
check_template_date(char **value, void **extra, GucSource source)
{
	(void) extra;
	(void) source;
	if (**value == '\0' || srm_template_date_valid(*value))
		return true;
	GUC_check_errdetail("A date is written like \"" SRM_TEMPLATE_DATE "\".");
	return false;
}

/* The text comes in the encoding of the database, whose ASCII is that of JSON. */
static bool
check_template_variables(char **value, void **extra, GucSource source)
{
	SrmStatus	status;
	SrmArena   *arena;
	bool		valid;

	(void) extra;
	(void) source;
	if (**value == '\0')
		return true;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	valid = arena != NULL && srm_template_variables_check(*value, arena, &status);
	srm_arena_free(arena);
	if (!valid)
		GUC_check_errdetail("%s", status.detail[0] == '\0' ? status.message : status.detail);
	return valid;
}

static void
define_model_settings(void)
{
	DefineCustomStringVariable("srm.model",
							   "Sets the model of functions that are called without one.",
							   "A name, or a name and the first digits of its digest as \"name@digest\".",
							   &srm_model, "default",
							   PGC_USERSET, 0, check_model, NULL, NULL);
	DefineCustomStringVariable("srm.model_path",
							   "Sets the directories that are searched for models.",
							   "Each model is a subdirectory of one of them; \"" SRM_SYSTEM_MODELS
							   "\" stands for the models that were installed with the extension, \"" SRM_OUTPUT_MODELS
							   "\" for the directory in srm.output_path.",
							   &srm_model_path, SRM_SYSTEM_MODELS ":" SRM_OUTPUT_MODELS,
							   PGC_SUSET, 0, check_model_path, NULL, NULL);
	DefineCustomStringVariable("srm.output_path",
							   "Sets the directory that new models are written to.",
							   "A relative path starts from the data directory.",
							   &srm_output_path, "srm/models",
							   PGC_SUSET, 0, check_path, NULL, NULL);
	DefineCustomStringVariable("srm.prepared_path",
							   "Sets the directory for weights in the order in which products read them.",
							   "A relative path starts from the data directory.  Its files can be deleted at any time.",
							   &srm_prepared_path, "pgsql_tmp_srm",
							   PGC_SUSET, 0, check_path, NULL, NULL);
	/* A setting of the postmaster can only be made while that starts */
	if (process_shared_preload_libraries_in_progress)
		DefineCustomStringVariable("srm.preload_models",
								   "Lists the models that are opened at server start.",
								   "Every backend inherits them.",
								   &srm_preload_models, "",
								   PGC_POSTMASTER, GUC_LIST_INPUT, NULL, NULL, NULL);
}

static void
define_text_settings(void)
{
	DefineCustomEnumVariable("srm.aggregation",
							 "Sets how sentence rewards make up a score.",
							 "\"model\" stands for what the model says itself.",
							 &srm_aggregation, SRM_AGGREGATION_OF_MODEL, aggregation_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("srm.segmenter",
							   "Sets what cuts text into sentences.",
							   "It is \"icu\", \"lines\", \"paragraphs\", \"regex:\" with a pattern, or \"sat:\" with a model; an empty string stands for the model's own, or \"icu\".",
							   &srm_segmenter, "",
							   PGC_USERSET, 0, check_segmenter, NULL, NULL);
	DefineCustomRealVariable("srm.sat_threshold",
							 "Sets the probability above which a segmenter that is a model ends a sentence.",
							 "0 stands for the segmenter's own.",
							 &srm_sat_threshold, 0, 0, 0.999999,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("srm.sat_stride",
							"Sets the tokens from one chunk to the next in which a segmenter that is a model reads.",
							"0 stands for the segmenter's own.",
							&srm_sat_stride, 0, 0, 1024 * 1024,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("srm.locale",
							   "Sets the ICU locale whose rules cut text into sentences.",
							   "An empty string stands for the model's own, or the root locale.",
							   &srm_locale, "",
							   PGC_USERSET, 0, check_locale, NULL, NULL);
	DefineCustomIntVariable("srm.min_sentence_tokens",
							"Sets the number of tokens below which a sentence joins its neighbour.",
							"0 stands for no limit, -1 for the model's own.",
							&srm_min_sentence_tokens, -1, -1, 1024 * 1024,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("srm.max_sentence_tokens",
							"Sets the number of tokens above which a sentence is cut.",
							"0 stands for no limit, -1 for the model's own.",
							&srm_max_sentence_tokens, -1, -1, 1024 * 1024,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("srm.template_date",
							   "Sets the date that chat templates take for today.",
							   "An empty string stands for the model's own, or " SRM_TEMPLATE_DATE ".",
							   &srm_template_date, "",
							   PGC_USERSET, 0, check_template_date, NULL, NULL);
	DefineCustomStringVariable("srm.template_variables",
							   "Sets variables of chat templates, as a JSON object.",
							   "They come before the model's own, such as {\"enable_thinking\": false}.",
							   &srm_template_variables, "",
							   PGC_USERSET, 0, check_template_variables, NULL, NULL);
	DefineCustomIntVariable("srm.max_tokens",
							"Sets the maximum number of tokens of a conversation.",
							"The model's own maximum holds besides.",
							&srm_max_tokens, 4096, 16, 1024 * 1024,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("srm.truncation",
							 "Sets what becomes of a conversation that is too long.",
							 "\"model\" stands for what the model says itself, or \"error\".",
							 &srm_truncation, SRM_TRUNCATION_OF_MODEL, truncation_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
}

static void
assign_workspace(int value, void *extra)
{
	(void) extra;
	srm_workspace_limit((size_t) value * 1024);
}

static void
define_resource_settings(void)
{
	DefineCustomEnumVariable("srm.compute",
							 "Sets the arithmetic of products with weights.",
							 "\"auto\" stands for what the model says, or for what keeps its weights as published.",
							 &srm_compute, SRM_CHOICE_OF_MODEL, compute_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("srm.threads",
							"Sets the number of threads that one call may use.",
							"Parallel workers use one each.",
							&srm_threads, 1, 1, 64,
							PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("srm.prompt_cache",
							"Sets the memory for states of the last prompt.",
							"Longer prompts are computed again for every response; 0 keeps the last results neither.",
							&srm_prompt_cache, 256 * 1024, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_KB, NULL, NULL, NULL);
	DefineCustomIntVariable("srm.workspace",
							"Sets the memory that a session keeps for its next calls.",
							"A call that needs more takes it from the system, and gives it back.",
							&srm_workspace, 32 * 1024, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_KB, NULL, assign_workspace, NULL);
	DefineCustomIntVariable("srm.training_memory",
							"Sets the memory that one training run may use.",
							"A run that needs more does not start.",
							&srm_training_memory, 4 * 1024 * 1024, 64, INT_MAX,
							PGC_SUSET, GUC_UNIT_KB, NULL, NULL, NULL);
}

void
srm_settings_define(void)
{
	srm_settings_before_definition();
	define_model_settings();
	define_text_settings();
	define_resource_settings();
	srm_settings_after_definition();
	MarkGUCPrefixReserved("srm");
}

char *
srm_settings_path(const char *path)
{
	char	   *result = is_absolute_path(path) ? pstrdup(path) : psprintf("%s/%s", DataDir, path);

	canonicalize_path(result);
	return result;
}

int
srm_settings_threads(void)
{
	return IsParallelWorker() ? 1 : srm_threads;
}
