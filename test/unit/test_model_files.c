/*-------------------------------------------------------------------------
 *
 * test_model_files.c
 *	  Files of weights and their indexes that are damaged, hostile or not there.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include <math.h>

#include "model/safetensors.h"

#define HEADER		"invalid header in model file"
#define EMBEDDING	"\"shape\":[304,32],\"data_offsets\":[0,38912]"
#define NORM		"\"shape\":[32],\"data_offsets\":[38912,39040]"

static const Damage bad_headers[] = {
	{"llama", "[0,38912]", "[0,999999999]", SRM_INVALID_MODEL, HEADER,
		"Tensor \"model.embed_tokens.weight\" ends at byte 999999999, but the file has 107264 bytes of data."},
	{"llama", "[0,38912]", "[0,38908]", SRM_INVALID_MODEL, HEADER, "has 38908 bytes, but its shape asks for 38912"},
	{"llama", "[0,38912]", "[38912,0]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"llama", "[0,38912]", "[-38912,0]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"llama", "[0,38912]", "[0.0,38912]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"llama", "[0,38912]", "[0,18446744073709551616]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"llama", "[0,38912]", "[0,38912,0]", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"llama", "[0,38912]", "{}", SRM_INVALID_MODEL, HEADER, "no valid data offsets"},
	{"llama", NORM, "\"shape\":[32],\"data_offsets\":[38908,39036]", SRM_INVALID_MODEL, HEADER, "overlap"},
	{"llama", NORM, "\"shape\":[32],\"data_offsets\":[0,128]", SRM_INVALID_MODEL, HEADER,
		"Tensors \"model.layers.0.input_layernorm.weight\" and \"model.embed_tokens.weight\" overlap."},
	{"llama", NORM, "\"shape\":[31],\"data_offsets\":[38916,39040]", SRM_INVALID_MODEL, HEADER,
		"The data at byte 38912 belong to no tensor."},
	{"llama", EMBEDDING, "\"shape\":[4294967296,4294967296],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER,
		"shape of tensor \"model.embed_tokens.weight\" is not valid or too large"},
	{"llama", EMBEDDING, "\"shape\":[4611686018427387904,4],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER,
		"too large"},
	{"llama", EMBEDDING, "\"shape\":[-1,32],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER, "not valid"},
	{"llama", EMBEDDING, "\"shape\":[1,1,1,1,1,1,1,304,32],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER,
		"at most 8 dimensions"},
	{"llama", EMBEDDING, "\"shape\":[32,304],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, "wrong shape of tensor",
		"It is (32, 304), but the configuration asks for (304, 32)."},
	{"llama", EMBEDDING, "\"shape\":[304,32,1],\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, "wrong shape of tensor",
		"(304, 32, 1)"},
	{"llama", EMBEDDING, "\"data_offsets\":[0,38912]", SRM_INVALID_MODEL, HEADER, "no shape"},
	{"llama", "\"dtype\":\"F32\",\"shape\":[304", "\"dtype\":\"I32\",\"shape\":[304", SRM_NOT_SUPPORTED,
		"data type \"I32\" of tensor \"model.embed_tokens.weight\"", "F32, F16, and BF16"},
	{"llama", "\"dtype\":\"F32\",\"shape\":[304", "\"dtype\":\"X\",\"shape\":[304", SRM_INVALID_MODEL, HEADER,
		"unknown data type \"X\""},
	{"llama", "\"dtype\":\"F32\",\"shape\":[304", "\"shape\":[304", SRM_INVALID_MODEL, HEADER, "unknown data type"},
	{"llama", "model.norm.weight", "model.norm.wait", SRM_INVALID_MODEL, "missing tensor \"model.norm.weight\"", ""},
	{"llama", "score.weight", "score.wait", SRM_INVALID_MODEL, "missing tensor \"score.weight\"", ""},
	{"llama", "model.norm.weight", "score.weight", SRM_INVALID_MODEL, HEADER, "Tensor \"score.weight\" occurs twice."},
	{"llama", "\"model.embed_tokens.weight\":{", "\"model.embed_tokens.weight\":7,\"x\":{", SRM_INVALID_MODEL, HEADER, ""},
	{"llama", "{\"__metadata__\"", "[\"__metadata__\"", SRM_INVALID_MODEL, "invalid JSON in the header", ""},
};

/* headers whose places, shapes or names cannot be right */
static void
test_bad_headers(void **state)
{
	(void) state;
	EXPECT_FAILURES(bad_headers, WEIGHTS, edit_header);
}

/* a file that is cut anywhere, or has bytes too many */
static void
test_truncated_file(void **state)
{
	static const size_t sizes[] = {0, 1, 7, 8, 9, 100, 2000, 50000};
	Bytes		file;

	(void) state;
	copy_model("llama");
	file = read_bytes(in_fixture(WEIGHTS));
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
	{
		write_bytes(WEIGHTS, file.data, sizes[i]);
		expect_failure(SRM_INVALID_MODEL, HEADER, "he file has");
	}
	write_bytes(WEIGHTS, file.data, 0);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The file has 0 bytes, but a header takes more than 8.");
	write_bytes(WEIGHTS, file.data, file.size - 1);
	expect_failure(SRM_INVALID_MODEL, HEADER, "bytes of data");
	write_bytes(WEIGHTS, file.data, file.size + 1);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The data at byte 107264 belong to no tensor.");
	free(file.data);
}

/* a header whose length is beyond the file, or beyond any file */
static void
test_header_length(void **state)
{
	Bytes		file;

	(void) state;
	copy_model("llama");
	file = read_bytes(in_fixture(WEIGHTS));
	memcpy(file.data, "\0\0\0\0\0\0\0\x80", 8);
	write_bytes(WEIGHTS, file.data, file.size);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The header has 9223372036854775808 bytes, the limit is");
	memset(file.data, 255, 8);
	write_bytes(WEIGHTS, file.data, file.size);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The header has 18446744073709551615 bytes");
	memcpy(file.data, "\0\0\x80\0\0\0\0\0", 8);
	write_bytes(WEIGHTS, file.data, file.size);
	expect_failure(SRM_INVALID_MODEL, HEADER, "The header has 8388608 bytes, but the file has");
	memcpy(file.data, "\0\0\0\0\0\0\0\0", 8);
	write_bytes(WEIGHTS, file.data, file.size);
	expect_failure(SRM_INVALID_MODEL, "invalid JSON in the header", "");
	free(file.data);
}

/* brackets without end, where any JSON is read */
static void
test_deep_json(void **state)
{
	static const char *names[] = {"config.json", "tokenizer_config.json", "model.safetensors.index.json"};
	size_t		depth = 10000;
	char	   *deep = malloc(depth + 1);
	Bytes		old;

	(void) state;
	memset(deep, '[', depth);
	deep[depth] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		copy_model("qwen3-sharded");
		write_bytes(names[i], deep, depth);
		expect_failure(SRM_INVALID_MODEL, "nested too deeply", "");
	}
	copy_model("llama");
	old = read_bytes(in_fixture(WEIGHTS));
	write_header(WEIGHTS, &old, deep, depth);
	expect_failure(SRM_INVALID_MODEL, "nested too deeply", "");
	free(old.data);
	free(deep);
}

/* files that are none, of every name */
static void
test_not_a_file(void **state)
{
	static const char *names[] = {"config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json",
	"chat_template.jinja"};

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		copy_model("llama");
		remove(in_fixture(names[i]));
		assert_int_equal(mkdir(in_fixture(names[i]), 0700), 0);
		expect_failure(SRM_INVALID_MODEL, "is not a regular file", "");
		assert_int_equal(rmdir(in_fixture(names[i])), 0);

		/* opening a FIFO that nobody writes to would wait for ever */
		alarm(20);
		assert_int_equal(mkfifo(in_fixture(names[i]), 0600), 0);
		expect_failure(SRM_INVALID_MODEL, "is not a regular file", "");
		alarm(0);
	}
	copy_model("llama");
	remove(in_fixture(WEIGHTS));
	assert_int_equal(symlink("/dev/zero", in_fixture(WEIGHTS)), 0);
	expect_failure(SRM_INVALID_MODEL, "is not a regular file", "");
}

/* files that are not there, and a link that leads nowhere but to itself */
static void
test_missing_file(void **state)
{
	static const char *names[] = {"config.json", WEIGHTS, "tokenizer.json"};
	SrmStatus	status = {0};

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		copy_model("llama");
		remove(in_fixture(names[i]));
		expect_failure(SRM_FILE_ACCESS, names[i], "");
	}
	assert_null(srm_model_open(fixture, NULL, NULL, &status));
	assert_int_equal(status.errnum, ENOENT);

	copy_model("llama");
	remove(in_fixture(WEIGHTS));
	assert_int_equal(symlink(WEIGHTS, in_fixture(WEIGHTS)), 0);
	expect_failure(SRM_FILE_ACCESS, "could not open file", "");

	remove_fixture();
	expect_failure(SRM_FILE_ACCESS, "could not open model directory", "");
}

#define INDEX		"model.safetensors.index.json"
#define IN_INDEX	"\"score.weight\": \"" SHARD "\""

static const Damage bad_indexes[] = {
	{"qwen3-sharded", IN_INDEX, "\"score.weight\": \"../" SHARD "\"", SRM_INVALID_MODEL, "invalid index of model files",
		"Tensor \"score.weight\" lies in \"../" SHARD "\", which is not a plain file name."},
	{"qwen3-sharded", IN_INDEX, "\"score.weight\": \"/etc/passwd\"", SRM_INVALID_MODEL, "invalid index", "not a plain file name"},
	{"qwen3-sharded", IN_INDEX, "\"score.weight\": \"..\"", SRM_INVALID_MODEL, "invalid index", "not a plain file name"},
	{"qwen3-sharded", IN_INDEX, "\"score.weight\": \"\"", SRM_INVALID_MODEL, "invalid index", "not a plain file name"},
	{"qwen3-sharded", IN_INDEX, "\"score.weight\": 7", SRM_INVALID_MODEL, "invalid index", "not a plain file name"},
	{"qwen3-sharded", IN_INDEX, "\"score.weight\": \"none.safetensors\"", SRM_FILE_ACCESS, "none.safetensors", ""},
	{"qwen3-sharded", IN_INDEX, "\"score.weight\": \"config.json\"", SRM_INVALID_MODEL, HEADER, ""},
	{"qwen3-sharded", IN_INDEX, "\"score.weight\": \"model-00001-of-00002.safetensors\"", SRM_INVALID_MODEL, "invalid index",
		"Tensor \"score.weight\" is not in file \"model-00001-of-00002.safetensors\"."},
	{"qwen3-sharded", IN_INDEX, IN_INDEX ", " IN_INDEX, SRM_INVALID_MODEL, "invalid index", "Tensor \"score.weight\" occurs twice."},
	{"qwen3-sharded", IN_INDEX, "\"score.wait\": \"" SHARD "\"", SRM_INVALID_MODEL, "invalid index",
		"Tensor \"score.wait\" is not in file"},
	{"qwen3-sharded", "\"weight_map\"", "\"map\"", SRM_INVALID_MODEL, "invalid index", "no object \"weight_map\""},
};

/* indexes that lead out of the directory, or to what is not there */
static void
test_bad_indexes(void **state)
{
	(void) state;
	EXPECT_FAILURES(bad_indexes, INDEX, edit_file);
	copy_model("qwen3-sharded");
	remove(in_fixture(SHARD));
	expect_failure(SRM_FILE_ACCESS, SHARD, "");
}

/* NaN weights are weights: the model opens, and what it computes is NaN */
static void
test_nan_weights(void **state)
{
	SrmModel   *model;
	Bytes		file;

	(void) state;
	copy_model("llama");
	file = read_bytes(in_fixture(WEIGHTS));
	memset(file.data + 8 + header_size(&file), 255, file.size - 8 - header_size(&file));
	write_bytes(WEIGHTS, file.data, file.size);
	free(file.data);
	model = open_fixture();
	assert_true(isnan(model->value_weight[0]));
	srm_model_close(model);
}

/* Writes the weights with all data moved by one byte, which is a tensor of its own. */
static void
move_data(const Bytes *old)
{
	static const char find[] = "\"data_offsets\":[";
	char	   *text = calloc(1, 8 * header_size(old));
	char	   *out = text + sprintf(text, "{\"pad\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},");
	const char *in = old->data + 9;
	const char *end = old->data + 8 + header_size(old);
	Bytes		moved = {.data = calloc(1, old->size + 1),.size = old->size + 1};

	while (in < end)
		if (strncmp(in, find, strlen(find)) == 0)
		{
			unsigned long long a;
			unsigned long long b;

			assert_int_equal(sscanf(in + strlen(find), "%llu,%llu", &a, &b), 2);
			out += sprintf(out, "%s%llu,%llu", find, a + 1, b + 1);
			in = strchr(in, ']');
		}
		else
			*out++ = *in++;
	memcpy(moved.data, old->data, 8 + header_size(old));
	memcpy(moved.data + 8 + header_size(old) + 1, end, (size_t) (old->data + old->size - end));
	write_header(WEIGHTS, &moved, text, strlen(text));
	free(text);
	free(moved.data);
}

/* a header of any length is as good as one that aligns the data, as early writers did not */
static void
test_unaligned_file(void **state)
{
	Bytes		old;
	SrmModel   *model;
	SrmModel   *same;

	(void) state;
	copy_model("llama");
	same = open_fixture();
	old = read_bytes(in_fixture(WEIGHTS));
	old.data[8 + header_size(&old)] = ' ';
	write_header(WEIGHTS, &old, old.data + 8, header_size(&old) + 1);
	model = open_fixture();
	assert_memory_equal((const char *) model->decoder.layers[1].down.data + 64,
						(const char *) same->decoder.layers[1].down.data + 64,
						model->decoder.dim * sizeof(float));
	srm_model_close(model);
	srm_model_close(same);
	free(old.data);

	/* data that are not aligned among each other are not read */
	copy_model("llama");
	old = read_bytes(in_fixture(WEIGHTS));
	move_data(&old);
	free(old.data);
	expect_failure(SRM_NOT_SUPPORTED, "unaligned tensor \"model.embed_tokens.weight\"", "");
}

/* headers with any byte changed or cut off: an error or a tensor list, nothing else */
static void
test_mutated_headers(void **state)
{
	SrmSafetensors tensors;
	Bytes		file;
	size_t		end;

	(void) state;
	copy_model("llama");
	file = read_bytes(in_fixture(WEIGHTS));
	end = 8 + header_size(&file);
	for (size_t i = 0; i < end; i++)
	{
		static const char changes[] = "\"{[0,9-";
		SrmStatus	status = {0};
		SrmArena   *arena = srm_arena_create(&status);
		char		old = file.data[i];

		file.data[i] = changes[i % (sizeof(changes) - 1)];
		if (srm_safetensors_read(&tensors, "mutated", file.data, file.size, arena, &status))
			for (size_t k = 0; k < tensors.n; k++)
				assert_true(tensors.tensors[k].data + tensors.tensors[k].size <= file.data + file.size);
		else
			assert_int_equal(status.code, SRM_INVALID_MODEL);
		file.data[i] = old;
		srm_arena_free(arena);
	}
	free(file.data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_truncated_file),
		cmocka_unit_test(test_header_length),
		cmocka_unit_test(test_deep_json),
		cmocka_unit_test(test_not_a_file),
		cmocka_unit_test(test_missing_file),
		cmocka_unit_test(test_bad_indexes),
		cmocka_unit_test(test_nan_weights),
		cmocka_unit_test(test_unaligned_file),
		cmocka_unit_test(test_mutated_headers),
	};

	return cmocka_run_group_tests_name("model files", tests, create_fixture, drop_fixture);
}
