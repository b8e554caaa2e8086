/*-------------------------------------------------------------------------
 *
 * test_golden.c
 *	  Numbers that transformers computes with tiny random models, and ours.
 *
 * tools/golden/make_models.py makes both the models and the numbers, and
 * make_adapters.py those of adapters, with peft.
 *
 * Tolerance: 1e-4, relative to the number or to 1, whichever is larger.  Both
 * sides compute in f32 from the same weights, f16 and bf16 ones included; the
 * largest difference seen is below 1e-5, and a wrong step changes the first
 * digit.
 *
 *-------------------------------------------------------------------------
 */
#include "golden.h"

#include "reward/aggregator.h"
#include "reward/reward.h"

static double *
values_of(Golden *golden, const float *hidden, size_t n)
{
	SrmStatus	status = {0};
	SrmValueHead head = {
		.dim = golden->model->decoder.dim,
		.weight = golden->model->value_weight,
		.bias = golden->model->value_bias
	};
	double	   *values = srm_arena_array(golden->arena, n, sizeof(double), &status);

	srm_values_forward(values, hidden, &head, n);
	return values;
}

static void
compare_sequence(Golden *golden, const SrmJson *sequence, int n_threads)
{
	size_t		dim = golden->model->decoder.dim;
	size_t		n_tokens;
	size_t		n;
	float	   *hidden = run(golden, sequence, &n_tokens, n_threads);
	double	   *values = values_of(golden, hidden, n_tokens);
	double	   *expected = numbers(golden, srm_json_member(sequence, "values"), &n);
	double	   *positions;
	const SrmJson *row = srm_json_member(sequence, "hidden")->child;

	assert_int_equal(n, n_tokens);
	for (size_t i = 0; i < n; i++)
		compare(golden, "value", i, values[i], expected[i]);
	compare(golden, "score", 0, values[n - 1], json_number(srm_json_member(sequence, "score")));

	positions = numbers(golden, srm_json_member(sequence, "positions"), &n);
	for (size_t i = 0; i < n; i++, row = row->next)
	{
		size_t		n_columns;

		expected = numbers(golden, row, &n_columns);
		assert_int_equal(n_columns, dim);
		for (size_t k = 0; k < dim; k++)
			compare(golden, "hidden state at token", (size_t) positions[i],
					hidden[(size_t) positions[i] * dim + k], expected[k]);
	}
	assert_null(row);
}

/* c, a and R of sentences that end at given tokens. */
static void
compare_attention(Golden *golden, const SrmJson *json)
{
	SrmStatus	status = {0};
	const SrmModel *model = golden->model;
	size_t		dim = model->decoder.dim;
	size_t		n_tokens;
	size_t		n;
	float	   *hidden = run(golden, json, &n_tokens, 1);
	double	   *boundaries = numbers(golden, srm_json_member(json, "boundaries"), &n);
	double	   *expected_c = numbers(golden, srm_json_member(json, "c"), &n);
	double	   *expected_a = numbers(golden, srm_json_member(json, "a"), &n);
	float	   *states = srm_arena_array(golden->arena, n * dim, sizeof(float), &status);
	double	   *c = srm_arena_array(golden->arena, n, sizeof(double), &status);
	double	   *a = srm_arena_array(golden->arena, n, sizeof(double), &status);
	SrmAggregator aggregator = {
		.hidden_dim = dim,
		.dim = model->attention.dim,
		.query_weight = model->attention.query_weight,
		.query_bias = model->attention.query_bias,
		.key_weight = model->attention.key_weight,
		.key_bias = model->attention.key_bias
	};

	for (size_t i = 0; i < n; i++)
		memcpy(states + i * dim, hidden + (size_t) boundaries[i] * dim, dim * sizeof(float));
	srm_rewards_forward(c, values_of(golden, states, n), n - 1);
	assert_true(srm_aggregator_forward(a, states, &aggregator, n - 1, golden->arena, &status));
	for (size_t i = 0; i < n; i++)
	{
		compare(golden, "reward", i, c[i], expected_c[i]);
		compare(golden, "weight", i, a[i], expected_a[i]);
	}
	compare(golden, "score by attention", 0, srm_score_forward(a, c, n - 1),
			json_number(srm_json_member(json, "score")));
}

/* The weights as they are, or packed for our own products, which follow rows that lie apart. */
static void
compare_model(const char *name, const SrmModelOptions *options)
{
	Golden		golden = open_golden(name, options);
	const SrmJson *list = srm_json_member(golden.expected, "sequences");
	const SrmJson *attention = srm_json_member(golden.expected, "attention");
	bool		by_attention = strcmp(golden.model->settings.aggregation, "attention") == 0;

	assert_int_equal(list->n, 4);
	for (const SrmJson *item = list->child; item != NULL; item = item->next)
		for (int n_threads = 1; n_threads <= 2; n_threads++)
			compare_sequence(&golden, item, n_threads);
	assert_true(by_attention == (attention != NULL));
	for (const SrmJson *item = attention == NULL ? NULL : attention->child; item != NULL;
		 item = item->next)
		compare_attention(&golden, item);
	print_message("%s: largest difference %.2g\n", golden.model->directory, golden.worst);
	close_golden(&golden);
}

static void
test_model(void **state)
{
	const SrmModelOptions packed = {.compute_choice = SRM_CHOICE_F32};

	compare_model(*state, NULL);
	compare_model(*state, &packed);
}

#define MODEL(name)	{name, test_model, NULL, NULL, (void *) name}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		MODEL("llama"),
		MODEL("llama-bias"),
		MODEL("llama-llama3"),
		MODEL("llama-yarn"),
		MODEL("llama-yarn-old"),
		MODEL("qwen2"),
		MODEL("qwen2-yarn"),
		MODEL("qwen3"),
		MODEL("qwen3-sharded"),
		MODEL("attention-offset"),
		MODEL("attention-marker"),
		MODEL("sentence-rm"),
		MODEL("mistral"),
		MODEL("mistral-full"),
		MODEL("qwen2-window"),
		MODEL("qwen3-layers"),
		MODEL("gemma"),
		MODEL("gemma2"),
		MODEL("phi3"),
		MODEL("phi3-longrope"),
		MODEL("phi3-long"),
		MODEL("llama-dynamic"),
		MODEL("gemma3"),
		MODEL("gemma3-old"),
		MODEL("olmo2"),
		MODEL("olmo3"),
		MODEL("granite"),
		MODEL("smollm3"),
		MODEL("smollm3-window"),
		MODEL("adapter-llama"),
		MODEL("adapter-phi3"),
		MODEL("adapter-gemma2"),
		MODEL("adapter-trained"),
		MODEL("adapter-continued"),
		MODEL("cohere"),
		MODEL("cohere-norms"),
		MODEL("gptneox"),
		MODEL("gptneox-old"),
		MODEL("phi3-part"),
		MODEL("mixtral"),
		MODEL("qwen2-moe"),
		MODEL("qwen3-moe"),
		MODEL("xlm-roberta"),
	};

	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
