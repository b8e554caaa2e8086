/*-------------------------------------------------------------------------
 *
 * model_info.c
 *	  Which models there are, and what they are, in SQL.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <unicode/uversion.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "pg/encoding.h"
#include "pg/models/model_owner.h"
#include "pg/models/models.h"
#include "pg/models/sats.h"
#include "pg/rows.h"

#define N_COLUMNS	14

/* What this backend has open: a model that scores, or a segmenter. */
typedef struct Opened
{
	const char *name;
	const char *directory;
	const SrmModel *model;		/* NULL: nothing */
	const SrmScorer *scorer;	/* NULL: a segmenter */
	double		load_ms;
	const char *digest;			/* of those that were asked for */
} Opened;

static Opened
opened_model(const SrmOpenModel *open)
{
	return (Opened) {
		.name = open->name,.directory = open->directory,.model = open->scorer->model,
		.scorer = open->scorer,.load_ms = open->load_ms
	};
}

static Opened
opened_segmenter(const SrmOpenSat *open)
{
	return (Opened) {
		.name = open->name,.directory = open->directory,.model = srm_sat_model(open->sat),
		.load_ms = open->load_ms
	};
}

/* What was opened of a directory before. */
static Opened
find_opened(const char *directory)
{
	const SrmOpenModel *model = srm_models_find_open(directory);
	const SrmOpenSat *sat = model != NULL ? NULL : srm_sats_find_open(directory);

	return model != NULL ? opened_model(model) : sat != NULL ? opened_segmenter(sat) : (Opened) {NULL};
}

static Opened
open_by_name(SrmCall *call, const char *name)
{
	Opened		opened;

	if (srm_sats_is_segmenter(call, name))
	{
		SrmOpenSat *sat = srm_sats_open(call, name);

		opened = opened_segmenter(sat);
		opened.digest = srm_sats_digest(call, sat);
	}
	else
	{
		SrmOpenModel *model = srm_models_open(call, name, SRM_CHOICE_OF_MODEL);

		opened = opened_model(model);
		opened.digest = srm_models_digest(call, model);
	}
	return opened;
}

static int64
private_bytes(const Opened *opened)
{
	return (int64) (opened->scorer != NULL ? srm_scorer_private_bytes(opened->scorer) :
					srm_model_private_bytes(opened->model));
}

/* What this backend holds of a model, if it has it open. */
static void
fill_usage(const Opened *opened, Datum *values, bool *nulls)
{
	const SrmPrepared *prepared;

	memset(nulls, opened->model == NULL, 6 * sizeof(bool));
	if (opened->model == NULL)
		return;
	prepared = &opened->model->prepared;
	values[0] = Int64GetDatum((int64) opened->model->mapped_bytes);
	values[1] = Int64GetDatum(private_bytes(opened));
	values[2] = Float8GetDatum(opened->load_ms);
	values[3] = CStringGetTextDatum(prepared->compute_name);
	values[4] = Int64GetDatum((int64) prepared->bytes);
	values[5] = BoolGetDatum(!prepared->is_private);
}

static void
fill_summary(const SrmModelSummary *summary, Datum *values)
{
	values[0] = CStringGetTextDatum(summary->architecture);
	values[1] = Int64GetDatum((int64) summary->n_parameters);
	values[2] = CStringGetTextDatum(summary->dtype);
	values[3] = CStringGetTextDatum(summary->settings.aggregation); /* a segmenter has none */
	values[4] = CStringGetTextDatum(summary->settings.boundary);
	values[5] = Int32GetDatum((int32) summary->max_tokens);
}

static void
check_stopped(SrmCall *call)
{
	if (call->status.code == SRM_STOPPED)
		srm_call_raise(call);
}

/* One model; what cannot be read of it is NULL, with a warning. */
static void
put_model(SrmRows *rows, SrmCall *call, const char *name)
{
	char	   *directory = srm_models_find_directory(name);
	char		digest[SRM_DIGEST_LENGTH + 1];
	SrmModelPath path;
	SrmModelSummary summary;
	Datum		values[N_COLUMNS] = {0};
	bool		nulls[N_COLUMNS];
	bool		is_known;

	if (directory == NULL)		/* gone since it was listed */
		return;
	memset(nulls, true, sizeof(nulls));
	values[0] = srm_datum_of_utf8(name, strlen(name));
	nulls[0] = false;
	srm_status_init(&call->status);
	srm_models_path(&path);
	is_known = srm_model_summarize(directory, &path, call->arena, &summary, &call->status) &&
		srm_models_known_digest(call, directory, digest);
	if (call->status.code == SRM_OK)
	{
		Opened		opened = find_opened(directory);

		memset(nulls, false, sizeof(nulls));
		nulls[1] = !is_known;
		nulls[5] = nulls[6] = summary.is_segmenter;
		if (is_known)
			values[1] = CStringGetTextDatum(digest);
		fill_summary(&summary, values + 2);
		fill_usage(&opened, values + 8, nulls + 8);
	}
	else
	{
		check_stopped(call);
		srm_call_warn(&call->status, name);
	}
	srm_rows_put(rows, values, nulls);
	srm_arena_reset(call->arena);
}

/* srm_models(): a row a model that srm.model_path leads to */
SRM_FUNCTION(srm_sql_models)
{
	SrmRows		rows;
	SrmCall    *call;
	ListCell   *cell;

	srm_rows_begin(&rows, fcinfo, N_COLUMNS);
	call = srm_call_begin();
	foreach(cell, srm_models_list())
	{
		CHECK_FOR_INTERRUPTS();
		put_model(&rows, call, lfirst(cell));
	}
	srm_call_end(call);
	return (Datum) 0;
}

static void
push_key(JsonbInState *state, const char *key)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, key);
	value.val.string.len = (int) strlen(key);
	srm_push_jsonb(state, WJB_KEY, &value);
}

/* A string in the encoding of the database; NULL is left out. */
static void
push_text(JsonbInState *state, const char *key, const char *text)
{
	JsonbValue	value;

	if (text == NULL)
		return;
	push_key(state, key);
	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = (int) strlen(text);
	srm_push_jsonb(state, WJB_VALUE, &value);
}

/* A string of the model's config, which is UTF-8; NULL is left out. */
static void
push_string(JsonbInState *state, const char *key, const char *string)
{
	if (string != NULL)
		push_text(state, key, TextDatumGetCString(srm_datum_of_utf8(string, strlen(string))));
}

static void
push_owner(JsonbInState *state, const char *directory)
{
	SrmOwner	owner;
	char	   *role;

	srm_ownership_read(&owner, directory);
	role = srm_model_owner_name(&owner);
	push_text(state, "owner", role == NULL ? NULL : srm_call_text(role));
}

static void
push_number(JsonbInState *state, const char *key, double number)
{
	JsonbValue	value;

	push_key(state, key);
	value.type = jbvNumeric;
	value.val.numeric = DatumGetNumeric(DirectFunctionCall1(float8_numeric, Float8GetDatum(number)));
	srm_push_jsonb(state, WJB_VALUE, &value);
}

static void
push_boolean(JsonbInState *state, const char *key, bool boolean)
{
	JsonbValue	value;

	push_key(state, key);
	value.type = jbvBool;
	value.val.boolean = boolean;
	srm_push_jsonb(state, WJB_VALUE, &value);
}

/* A limit, if there is one. */
static void
push_length(JsonbInState *state, const char *key, size_t n_tokens)
{
	if (n_tokens > 0)
		push_number(state, key, (double) n_tokens);
}

static void
push_agreement(JsonbInState *state, const SrmAgreement *agreement)
{
	if (agreement->n_pairs == 0)
		return;
	push_key(state, "agreement");
	srm_push_jsonb(state, WJB_BEGIN_OBJECT, NULL);
	push_number(state, "pairs", (double) agreement->n_pairs);
	push_number(state, "rank_correlation", agreement->rank_correlation);
	push_number(state, "flips", (double) agreement->n_flips);
	push_number(state, "largest_difference", agreement->largest_difference);
	srm_push_jsonb(state, WJB_END_OBJECT, NULL);
}

static void
push_settings(JsonbInState *state, const SrmModelSettings *settings)
{
	push_string(state, "aggregation", settings->aggregation);
	push_string(state, "boundary", settings->boundary);
	push_string(state, "marker_token", settings->marker_token);
	if (settings->marker_token != NULL)
		push_string(state, "marker_layout", settings->marker_layout);
	push_string(state, "segmenter", settings->segmenter);
	push_string(state, "locale", settings->locale);
	push_length(state, "min_sentence_tokens", settings->min_sentence_tokens);
	push_length(state, "max_sentence_tokens", settings->max_sentence_tokens);
	push_string(state, "truncation", settings->truncation);
	push_string(state, "template_date", settings->template_date);
	push_string(state, "template_variables", settings->template_variables);
	push_string(state, "quantization", settings->quantization);
	push_agreement(state, &settings->agreement);
	if (!settings->has_scale)
		return;
	push_number(state, "mean", settings->mean);
	push_number(state, "std", settings->std);
}

static void
push_shape(JsonbInState *state, const SrmModel *model)
{
	const SrmDecoder *decoder = &model->decoder;

	push_number(state, "layers", (double) decoder->n_layers);
	push_number(state, "hidden_size", (double) decoder->dim);
	push_number(state, "heads", (double) decoder->n_heads);
	push_number(state, "key_value_heads", (double) decoder->n_kv_heads);
	push_number(state, "head_dim", (double) decoder->head_dim);
	push_number(state, "feed_forward_size", (double) decoder->ffn_dim);
	push_number(state, "vocabulary", (double) decoder->vocab_size);
}

/* What only a model that scores has: how, and what it has done in this session. */
static void
push_scoring(JsonbInState *state, const SrmScorer *scorer)
{
	push_number(state, "attention_dim", (double) scorer->model->attention.dim);
	push_number(state, "passes", (double) scorer->n_passes);
	push_number(state, "computed_tokens", (double) scorer->n_computed);
	push_settings(state, &scorer->model->settings);
}

/* How a segmenter cuts where no setting says otherwise. */
static void
push_segmentation(JsonbInState *state, const SrmModelSettings *settings)
{
	push_number(state, "threshold", settings->threshold);
	push_number(state, "stride", (double) settings->stride);
}

/* The release of the library at run time, whose rules cut sentences. */
static const char *
icu_version(char string[U_MAX_VERSION_STRING_LENGTH])
{
	UVersionInfo version;

	u_getVersion(version);
	u_versionToString(version, string);
	return string;
}

/* srm_model_info(name text) returns jsonb: opens the model and describes it */
SRM_FUNCTION(srm_sql_model_info)
{
	SrmCall    *call = srm_call_begin();
	Opened		opened = open_by_name(call, srm_cstring_of_datum(PG_GETARG_DATUM(0)));
	const SrmModel *model = opened.model;
	char		version[U_MAX_VERSION_STRING_LENGTH];
	JsonbInState state = {0};

	srm_push_jsonb(&state, WJB_BEGIN_OBJECT, NULL);
	push_string(&state, "name", opened.name);
	push_string(&state, "digest", opened.digest);
	push_owner(&state, opened.directory);
	push_string(&state, "base", model->base);
	push_string(&state, "architecture", model->architecture);
	push_string(&state, "dtype", model->dtype);
	push_number(&state, "parameters", (double) model->n_parameters);
	push_number(&state, "max_tokens", (double) model->max_tokens);
	push_shape(&state, model);
	push_number(&state, "mapped_bytes", (double) model->mapped_bytes);
	push_number(&state, "private_bytes", (double) private_bytes(&opened));
	push_number(&state, "load_ms", opened.load_ms);
	push_string(&state, "compute", model->prepared.compute_name);
	push_string(&state, "icu", icu_version(version));
	push_number(&state, "prepared_bytes", (double) model->prepared.bytes);
	push_boolean(&state, "prepared_shared", !model->prepared.is_private);
	if (opened.scorer != NULL)
		push_scoring(&state, opened.scorer);
	else
		push_segmentation(&state, &model->settings);
	srm_push_jsonb(&state, WJB_END_OBJECT, NULL);
	srm_call_end(call);
	PG_RETURN_JSONB_P(JsonbValueToJsonb(state.result));
}
