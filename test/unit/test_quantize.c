/*-------------------------------------------------------------------------
 *
 * test_quantize.c
 *	  Models with weights of 8 bits: what they hold, and which are refused.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include <fcntl.h>
#include <math.h>

#include "base/json_write.h"
#include "files/directory.h"
#include "files/tree.h"
#include "model/config.h"
#include "write/quantize.h"
#include "model/weights.h"
#include "products.h"

static char parent[64];
static SrmStatus status;

static int
set_up(void **state)
{
	(void) state;
	srm_status_init(&status);
	snprintf(parent, sizeof(parent), "/tmp/srm-quantize.%ld", (long) getpid());
	snprintf(fixture, sizeof(fixture), "/tmp/srm-quantize-model.%ld", (long) getpid());
	return mkdir(parent, 0700);
}

static int
tear_down(void **state)
{
	int			fd = open("/tmp", O_RDONLY | O_DIRECTORY);

	(void) state;
	srm_tree_remove(fd, parent + strlen("/tmp/"));
	srm_tree_remove(fd, fixture + strlen("/tmp/"));
	close(fd);
	return 0;
}

static const char *
in_parent(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	return path;
}

/* Writes "small" of a directory. */
static bool
quantize_with(const char *directory, SrmQuantizeOptions options)
{
	SrmWriter  *writer = srm_writer_begin(parent, "small", true, 0700, &status);
	bool		done;

	assert_non_null(writer);
	done = srm_model_quantize(writer, directory, NULL, &options, NULL, &status) && srm_writer_commit(writer, &status);
	srm_writer_close(writer);
	return done;
}

static bool
quantize(const char *directory)
{
	return quantize_with(directory, (SrmQuantizeOptions) {.dtype = SRM_INT8});
}

static SrmModel *
open_model(const char *directory, SrmComputeChoice choice)
{
	SrmModelOptions options = {.compute_choice = choice};
	SrmModel   *model = srm_model_open(directory, &options, NULL, &status);

	if (model == NULL)
		fail_msg("%s: %s", status.message, status.detail);
	assert_true(srm_files_load_all(model->files, NULL, &status));
	return model;
}

/* The kinds, and the arithmetic whose weights they keep. */
static const struct Kind
{
	SrmDtype	dtype;
	SrmCompute	compute;
	const char *name;
}			kinds[] = {{SRM_INT8, SRM_COMPUTE_INT8, "int8"}, {SRM_W8, SRM_COMPUTE_W8, "w8"}};
static const struct Kind *kind;

static void
check_matrix(const SrmMatrix *small, const SrmMatrix *large)
{
	assert_int_equal(small->dtype, kind->dtype);
	assert_int_equal(small->compute, kind->compute);
	assert_memory_equal(small->packed, large->packed,
						srm_pack_bytes(small->packing, small->rows, small->cols));
	for (size_t row = 0; row < small->rows; row++)
		for (size_t col = 0; col < small->cols; col++)
		{
			float		value;

			srm_matrix_read(small, row * small->cols + col, 1, &value);
			assert_true(value == read_packed(large->packed, large->packing, large->cols, row, col));
		}
}

/* an embedding of bytes is within half a step of each row, and is read by all that reads one */
static void
check_embedding(SrmDtype dtype)
{
	SrmModel   *small;
	SrmModel   *large;
	const SrmMatrix *a;
	const SrmMatrix *b;
	size_t		n_scales;

	srm_status_init(&status);
	assert_true(quantize_with("test/data/models/llama", (SrmQuantizeOptions) {.dtype = dtype,.embedding = true}));
	small = open_model(in_parent("small"), SRM_CHOICE_F32);
	large = open_model("test/data/models/llama", SRM_CHOICE_F32);
	a = &small->decoder.embedding;
	b = &large->decoder.embedding;
	assert_int_equal(a->dtype, dtype);
	n_scales = srm_scales_count(a->cols, dtype);
	for (size_t row = 0; row < b->rows; row++)
		for (size_t col = 0; col < b->cols; col++)
		{
			float		x;
			float		y;

			srm_matrix_read(a, row * a->cols + col, 1, &x);
			srm_matrix_read(b, row * b->cols + col, 1, &y);
			assert_true(fabsf(x - y) <= 0.5001f * a->scales[row * n_scales + col / SRM_SCALE_COLS * (n_scales > 1)]);
		}
	assert_int_equal(small->n_parameters, large->n_parameters);
	srm_model_close(small);
	srm_model_close(large);
	assert_false(quantize_with(in_parent("small"), (SrmQuantizeOptions) {.dtype = dtype}));
}

static void
test_embedding(void **state)
{
	(void) state;
	check_embedding(SRM_INT8);
	check_embedding(SRM_W8);
}

/* A directory of bytes computes what the same arithmetic with the model itself does, bit by bit. */
static void
check_model(const char *name)
{
	char		source[200];
	SrmModel   *small;
	SrmModel   *large;

	snprintf(source, sizeof(source), "test/data/models/%s", name);
	if (!quantize_with(source, (SrmQuantizeOptions) {.dtype = kind->dtype}))
		fail_msg("%s: %s %s", name, status.message, status.detail);
	small = open_model(in_parent("small"), SRM_CHOICE_AUTO);
	large = open_model(source, (SrmComputeChoice) kind->compute);
	assert_string_equal(small->prepared.compute_name, kind->name);
	assert_string_equal(small->settings.quantization, kind->name);
	assert_int_equal(small->n_parameters, large->n_parameters);
	assert_int_equal(small->decoder.embedding.dtype, large->decoder.embedding.dtype);
	assert_memory_equal(small->decoder.embedding.data, large->decoder.embedding.data,
						large->decoder.embedding.rows * large->decoder.embedding.cols *
						srm_dtype_size(large->decoder.embedding.dtype));
	for (size_t i = 0; i < large->decoder.n_layers; i++)
	{
		const SrmLayer *a = &small->decoder.layers[i];
		const SrmLayer *b = &large->decoder.layers[i];

		check_matrix(&a->query, &b->query);
		check_matrix(&a->key, &b->key);
		check_matrix(&a->value, &b->value);
		check_matrix(&a->output, &b->output);
		if (b->gate.rows > 0)
			check_matrix(&a->gate, &b->gate);
		if (b->up.rows > 0)
			check_matrix(&a->up, &b->up);
		if (b->down.rows > 0)
			check_matrix(&a->down, &b->down);
		for (size_t j = 0; j < b->n_experts; j++)
		{
			check_matrix(&a->experts[j].gate, &b->experts[j].gate);
			check_matrix(&a->experts[j].up, &b->experts[j].up);
			check_matrix(&a->experts[j].down, &b->experts[j].down);
		}
		if (b->ffn_norm != NULL)
			assert_memory_equal(a->ffn_norm, b->ffn_norm, large->decoder.dim * sizeof(float));
	}
	srm_model_close(small);
	srm_model_close(large);
}

static void
check_models(void)
{
	check_model("llama");
	check_model("llama-bias");
	check_model("attention-offset");
	check_model("attention-marker");
	check_model("llama-yarn");
	check_model("qwen3-sharded");
	check_model("gemma2");
	check_model("phi3");
	check_model("internlm2");
	check_model("mistral");
	check_model("cross-modernbert-old");
	check_model("cross-deberta");
	check_model("mixtral");
	check_model("qwen2-moe");
}

static void
test_models(void **state)
{
	(void) state;
	for (kind = kinds; kind < kinds + 2; kind++)
		check_models();
}

static char source[100];

static bool
cut_source(void *arg)
{
	int		   *left = arg;
	char		path[128];

	snprintf(path, sizeof(path), "%s/" WEIGHTS, source);
	if (--*left == 0)
		assert_int_equal(truncate(path, 0), 0);
	return false;
}

/* a model that is cut off while it is read is an error, at whatever step */
static void
test_cut(void **state)
{
	bool		done = false;

	(void) state;
	snprintf(source, sizeof(source), "%s", fixture);
	for (int n = 1; !done; n++)
	{
		int			left = n;
		SrmStop		stop = {.callback = cut_source,.arg = &left};
		SrmWriter  *writer = srm_writer_begin(parent, "small", true, 0700, &status);

		copy_model("llama");
		done = srm_model_quantize(writer, source, NULL, &(SrmQuantizeOptions) {.dtype = SRM_INT8}, &stop, &status);
		assert_true(done || status.code == SRM_INVALID_MODEL);
		assert_int_equal(done, left > 0);
		srm_writer_close(writer);
		srm_status_init(&status);
	}
}

/* what the configuration says besides */
static void
test_config(void **state)
{
	SrmArena   *arena = srm_arena_create(&status);
	SrmJson    *old;
	SrmJson    *new;
	SrmModelFiles *old_files;
	SrmModelFiles *new_files;

	(void) state;
	assert_true(quantize("test/data/models/attention-offset"));
	old_files = srm_files_create("test/data/models/attention-offset", arena, &status);
	new_files = srm_files_create(in_parent("small"), arena, &status);
	old = srm_config_tree(old_files, NULL, arena, &status);
	new = srm_config_tree(new_files, NULL, arena, &status);
	assert_string_equal(srm_json_string(srm_json_member(srm_json_member(new, "srm"), "quantization")), "int8");
	assert_string_equal(srm_json_string(srm_json_member(srm_json_member(new, "quantization_config"), "quant_method")),
						"compressed-tensors");
	assert_string_equal(srm_json_string(srm_json_member(srm_json_member(new, "srm"), "aggregation")),
						srm_json_string(srm_json_member(srm_json_member(old, "srm"), "aggregation")));
	assert_int_equal(new->n, old->n + 1);
	srm_files_close(old_files);
	srm_files_close(new_files);
	srm_arena_free(arena);
}

/* a model is quantized once */
static void
test_twice(void **state)
{
	(void) state;
	assert_true(quantize("test/data/models/llama"));
	assert_int_equal(rename(in_parent("small"), fixture), 0);
	assert_false(quantize(fixture));
	assert_int_equal(status.code, SRM_INVALID_ARGUMENT);
	assert_non_null(strstr(status.message, "quantized already"));
	assert_int_equal(access(in_parent("small"), F_OK), -1);
}

/* weights that are not finite have no scale */
static void
test_not_finite(void **state)
{
	SrmArena   *arena = srm_arena_create(&status);
	SrmModelFiles *files;
	SrmWeights	weights;
	const SrmTensor *tensor;
	long		place;
	FILE	   *file;

	(void) state;
	copy_model("llama");
	files = srm_files_create(fixture, arena, &status);
	assert_true(srm_weights_open(&weights, files, arena, NULL, &status));
	tensor = srm_weights_find(&weights, "model.layers.1.mlp.down_proj.weight");
	assert_non_null(tensor);
	place = (long) (tensor->data - files->spaces->data);
	file = fopen(in_fixture(WEIGHTS), "r+b");
	fseek(file, place + 40, SEEK_SET);
	fwrite("\xFF\xFF\xFF\xFF", 1, 4, file);
	fclose(file);
	srm_files_close(files);
	srm_arena_free(arena);
	assert_false(quantize(fixture));
	assert_int_equal(status.code, SRM_INVALID_MODEL);
	assert_non_null(strstr(status.message, "down_proj.weight\" in model file"));
	assert_non_null(strstr(status.message, "not finite"));
}

static void
refuse_fixture(const char *message)
{
	srm_status_init(&status);
	assert_null(srm_model_open(fixture, NULL, NULL, &status));
	if (strstr(status.message, message) == NULL)
		fail_msg("%s", status.message);
}

/* bytes without scales, with the wrong ones, or where no bytes can be */
static void
test_damaged(void **state)
{
	(void) state;
	assert_true(quantize("test/data/models/llama"));
	assert_int_equal(rename(in_parent("small"), fixture), 0);
	srm_model_close(open_model(fixture, SRM_CHOICE_AUTO));
	edit_header(WEIGHTS, "layers.0.mlp.up_proj.weight_scale", "layers.0.mlp.up_proj.weight_scalf");
	refuse_fixture("data type \"I8\" of tensor \"model.layers.0.mlp.up_proj.weight\"");
	edit_header(WEIGHTS, "layers.0.mlp.up_proj.weight_scalf", "layers.0.mlp.up_proj.weight_scale");
	edit_header(WEIGHTS, "[56,1]", "[28,2]");
	refuse_fixture("wrong shape of tensor");
	edit_header(WEIGHTS, "[28,2]", "[56,1]");
	edit_file("config.json", "\"quantization\": \"int8\"", "\"quantization\": \"int4\"");
	refuse_fixture("quantization \"int4\" is not supported");
	edit_file("config.json", "\"quantization\": \"int4\"", "\"quantisation\": \"int8\"");
	refuse_fixture("quantization \"compressed-tensors\" is not supported");
}

/* scales that were left beside weights in floats */
static void
test_scales_of_floats(void **state)
{
	(void) state;
	copy_model("llama");
	edit_header(WEIGHTS, "{\"", "{\"model.layers.0.mlp.up_proj.weight_scale\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"");
	refuse_fixture("tensor \"model.layers.0.mlp.up_proj.weight\" of type F32 in");
	assert_int_equal(status.code, SRM_NOT_SUPPORTED);
	srm_status_init(&status);
	assert_false(quantize(fixture));
	assert_int_equal(status.code, SRM_INVALID_ARGUMENT);
}

/* nor are scales of groups too few of them */
static void
test_damaged_groups(void **state)
{
	(void) state;
	assert_true(quantize("test/data/models/tiny"));
	assert_int_equal(rename(in_parent("small"), fixture), 0);
	edit_file("config.json", "\"quantization\": \"int8\"", "\"quantization\": \"w8\"");
	refuse_fixture("wrong shape of tensor");
	for (int i = 0; i < 4 * 7; i++)
		edit_header(WEIGHTS, ",1]", "  ]");
	refuse_fixture("wrong shape of tensor");
	edit_file("config.json", "\"quantization\": \"w8\"", "\"quantization\": \"int8\"");
	srm_status_init(&status);
	srm_model_close(open_model(fixture, SRM_CHOICE_AUTO));
}

static bool
say_stop(void *arg)
{
	int		   *left = arg;

	return (*left)-- <= 0;
}

/* stopped at any place, it leaves nothing */
static void
test_stopped(void **state)
{
	bool		done = false;
	int			n_stopped = 0;

	(void) state;
	for (int n = 0; !done; n++)
	{
		int			left = n;
		SrmStop		stop = {.callback = say_stop,.arg = &left};
		SrmWriter  *writer = srm_writer_begin(parent, "small", false, 0700, &status);

		assert_non_null(writer);
		done = srm_model_quantize(writer, "test/data/models/llama", NULL, &(SrmQuantizeOptions) {.dtype = SRM_INT8}, &stop, &status);
		n_stopped += status.code == SRM_STOPPED;
		srm_writer_close(writer);
		assert_int_equal(rmdir(parent), 0);
		assert_int_equal(mkdir(parent, 0700), 0);
		srm_status_init(&status);
	}
	assert_true(n_stopped > 10);
}

/* the agreement of two lists of scores, by hand */
static void
test_agreement(void **state)
{
	static const double scores[] = {1.0, 2.0, 4.0, 3.0, 5.0, 5.0};
	static const double others[] = {1.5, 2.0, 3.0, 4.0, 5.0, 5.0};
	static const double constant[] = {7.0, 7.0, 7.0, 7.0, 7.0, 7.0};
	SrmAgreement agreement;

	(void) state;
	assert_true(srm_agreement_measure(&agreement, scores, others, 3, &status));
	assert_int_equal(agreement.n_pairs, 3);
	assert_int_equal(agreement.n_flips, 1);
	assert_true(agreement.largest_difference == 1.0);
	/* ranks 1 2 4 3 5.5 5.5 and 1 2 3 4 5.5 5.5 about 3.5: (6.25 + 2.25 - .25 * 2 + 4 * 2) / (6.25 + 2.25 + .5 + 8) */
	assert_true(fabs(agreement.rank_correlation - 16.0 / 17.0) < 1e-12);
	assert_true(srm_agreement_measure(&agreement, scores, scores, 3, &status));
	assert_true(agreement.rank_correlation == 1.0 && agreement.n_flips == 0);
	assert_true(srm_agreement_measure(&agreement, scores, constant, 3, &status));
	assert_true(agreement.rank_correlation == 0.0);
	assert_int_equal(agreement.n_flips, 2);
	assert_true(srm_agreement_measure(&agreement, constant, constant, 3, &status));
	assert_true(agreement.rank_correlation == 1.0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_models),
		TEST(test_embedding),
		TEST(test_cut),
		TEST(test_config),
		TEST(test_twice),
		TEST(test_not_finite),
		TEST(test_damaged),
		TEST(test_scales_of_floats),
		TEST(test_damaged_groups),
		TEST(test_stopped),
		TEST(test_agreement),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
