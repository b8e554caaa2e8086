/*-------------------------------------------------------------------------
 *
 * options.c
 *	  What a training run is asked for: checked, and copied.
 *
 *-------------------------------------------------------------------------
 */
#include "train/options.h"

#include <math.h>
#include <string.h>

#include "nn/layer.h"
#include "train/random.h"

static const char *const part_names[] = {
	[SRM_TRAIN_HEAD] = "head",
	[SRM_TRAIN_LORA] = "lora",
	[SRM_TRAIN_FULL] = "full"
};

/* Peak learning rates where none is given. */
static const double part_rates[] = {
	[SRM_TRAIN_HEAD] = 1e-3,
	[SRM_TRAIN_LORA] = 2e-4,
	[SRM_TRAIN_FULL] = 1e-4
};

#define N_PARTS	(sizeof(part_names) / sizeof(part_names[0]))

bool
srm_train_part_find(const char *name, SrmTrainPart *part)
{
	for (size_t i = 0; i < N_PARTS; i++)
	{
		if (strcmp(name, part_names[i]) != 0)
			continue;
		*part = (SrmTrainPart) i;
		return true;
	}
	return false;
}

void
srm_train_defaults(SrmTrainOptions *options)
{
	*options = (SrmTrainOptions) {
		.part = SRM_TRAIN_FULL,
		.lora_rank = 8,
		.lora_alpha = 16.0,
		.lora_targets = "all",
		.epochs = 1.0,
		.batch = 16,
		.warmup = 0.05,
		.final_rate = 0.1,
		.weight_decay = 0.01,
		.beta1 = 0.9,
		.beta2 = 0.98,
		.epsilon = 1e-8,
		.clip = 1.0,
		.value_scale = 1.0,
		.held_out = 0.05,
		.seed = 1,
		.n_threads = 1,
		.too_long = SRM_TRAIN_LONG_TRUNCATE,
		.checkpoint_seconds = 300,
		.directory_mode = 0700
	};
}

/* An option's range; NaN is in none. */
typedef struct Range
{
	const char *name;
	double		value;
	double		minimum;
	double		maximum;
	bool		open;			/* the minimum itself is out */
} Range;

static bool
check_ranges(const Range *ranges, size_t n, SrmStatus *status)
{
	for (size_t i = 0; i < n; i++)
	{
		const Range *range = &ranges[i];

		if (range->value <= range->maximum &&
			(range->open ? range->value > range->minimum : range->value >= range->minimum))
			continue;
		srm_fail(status, SRM_INVALID_ARGUMENT, "invalid value for \"%s\": %g", range->name, range->value);
		return srm_fail_detail(status, "It must be %s %g and at most %g.",
							   range->open ? "greater than" : "at least", range->minimum, range->maximum);
	}
	return true;
}

static bool
check_options(const SrmTrainOptions *options, SrmStatus *status)
{
	const Range ranges[] = {
		{"epochs", options->epochs, 0.0, 1e6, true},
		{"batch", (double) options->batch, 1.0, 1e6, false},
		{"learning_rate", options->learning_rate, 0.0, 100.0, false},
		{"warmup", options->warmup, 0.0, 1.0, false},
		{"final_rate", options->final_rate, 0.0, 1.0, false},
		{"weight_decay", options->weight_decay, 0.0, 100.0, false},
		{"beta1", options->beta1, 0.0, 0.99999, false},
		{"beta2", options->beta2, 0.0, 0.9999999, false},
		{"epsilon", options->epsilon, 0.0, 1.0, true},
		{"clip", options->clip, 0.0, 1e30, false},
		{"margin", options->margin, -1e6, 1e6, false},
		{"penalty", options->penalty, 0.0, 1e6, false},
		{"value_scale", options->value_scale, -1e6, 1e6, false},
		{"held_out", options->held_out, 0.0, 0.9, false},
		{"lora_rank", (double) options->lora_rank, 1.0, 4096.0, false},
		{"lora_alpha", options->lora_alpha, 0.0, 1e6, true},
		{"attention_dim", (double) options->attention_dim, 0.0, 8192.0, false}
	};

	if (!check_ranges(ranges, sizeof(ranges) / sizeof(ranges[0]), status))
		return false;
	if (options->attention_dim % 2 != 0)
		return srm_fail(status, SRM_INVALID_ARGUMENT, "\"attention_dim\" must be even");
	if (options->fresh && options->part != SRM_TRAIN_FULL)
		return srm_fail(status, SRM_INVALID_ARGUMENT, "new weights can only be trained in full");
	if (options->lora_adapter && options->part != SRM_TRAIN_LORA)
		return srm_fail(status, SRM_INVALID_ARGUMENT, "only training of adapters can write an adapter");
	return true;
}

/* Whether the first length bytes of a name are how peft calls a matrix. */
static bool
is_projection(const char *name, size_t length)
{
	for (int i = 0; i < SRM_N_WEIGHTS; i++)
		if (srm_layer_weights[i].peft != NULL && strlen(srm_layer_weights[i].peft) == length &&
			strncmp(srm_layer_weights[i].peft, name, length) == 0)
			return true;
	return false;
}

/* Every name of a list such as "q_proj, v_proj" is a projection. */
static bool
check_targets(const char *targets, SrmStatus *status)
{
	if (strcmp(targets, "all") == 0)
		return true;
	for (const char *at = targets; at != NULL; at = strchr(at, ','))
	{
		at += *at == ',';
		at += strspn(at, " ");
		if (is_projection(at, strcspn(at, ", ")))
			continue;
		srm_fail(status, SRM_INVALID_ARGUMENT, "unknown projection in \"%s\"", targets);
		return srm_fail_hint(status, "Known are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, and all.");
	}
	return true;
}

bool
srm_train_targets_hold(const char *targets, const char *name)
{
	size_t		length = strlen(name);

	if (strcmp(targets, "all") == 0)
		return true;
	for (const char *at = targets; at != NULL; at = strchr(at, ','))
	{
		at += *at == ',';
		at += strspn(at, " ");
		if (strncmp(at, name, length) == 0 && at[length + strspn(at + length, " ")] == '\0')
			return true;
		if (strncmp(at, name, length) == 0 && at[length + strspn(at + length, " ")] == ',')
			return true;
	}
	return false;
}

bool
srm_train_options_copy(SrmTrainOptions *copy, const SrmTrainOptions *options, SrmArena *arena, SrmStatus *status)
{
	const char **strings[] = {
		&copy->base, &copy->output, &copy->name, &copy->checkpoint, &copy->marker_token,
		&copy->segmenter, &copy->locale, &copy->lora_targets, &copy->prepared
	};

	if (!check_options(options, status) || !check_targets(options->lora_targets, status))
		return false;
	*copy = *options;
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
	{
		if (*strings[i] == NULL)
			continue;
		*strings[i] = srm_arena_string(arena, *strings[i], strlen(*strings[i]), status);
		if (*strings[i] == NULL)
			return false;
	}
	if (copy->learning_rate == 0.0)
		copy->learning_rate = part_rates[copy->part];
	return true;
}

uint64_t
srm_train_options_hash(const SrmTrainOptions *options)
{
	const double numbers[] = {
		options->part, options->fresh, options->aggregation, options->boundary,
		(double) options->attention_dim, (double) options->lora_rank, options->lora_alpha,
		options->epochs, (double) options->batch, options->learning_rate, options->warmup,
		options->final_rate, options->weight_decay, options->beta1, options->beta2, options->epsilon,
		options->clip, options->margin, options->penalty, options->value_scale, options->held_out,
		(double) options->evaluate_every, (double) options->patience, (double) options->max_tokens,
		options->too_long
	};
	uint64_t	hash = srm_hash_words(options->seed, numbers, sizeof(numbers));

	return srm_hash_words(hash, options->lora_targets, strlen(options->lora_targets));
}
