/*-------------------------------------------------------------------------
 *
 * test_verify.c
 *	  Models that are read again as a whole: any byte that has changed is
 *	  found, in their files and in what was prepared of them.
 *
 *-------------------------------------------------------------------------
 */
#include "prepared_fixture.h"

#include "base/hash.h"
#include "model/prepared/prepared_format.h"
#include "model/verify.h"

static SrmArena *arena;
static SrmVerified verified;

static int
set_up_arena(void **state)
{
	set_up(state);
	arena = srm_arena_create(&status);
	return arena == NULL;
}

static int
tear_down_arena(void **state)
{
	srm_arena_free(arena);
	return tear_down(state);
}

static bool
verify(const SrmModel *model, const char *known)
{
	srm_status_init(&status);
	return srm_model_verify(model, directory, known, arena, &verified, NULL, &status);
}

static void
check_right(const SrmModel *model)
{
	if (!verify(model, ""))
		fail_msg("%s %s", status.message, status.detail);
}

/* It is not right, says so of a file, and is right again once the byte is back. */
static void
check_found(const SrmModel *model, const char *path, long place, const char *message)
{
	char		quoted[420];

	damage(path, place);
	if (verify(model, ""))
		fail_msg("byte %ld of \"%s\" is not found", place, path);
	snprintf(quoted, sizeof(quoted), "\"%s\"", path);
	assert_int_equal(status.code, SRM_INVALID_MODEL);
	if (strstr(status.message, quoted) == NULL || strstr(status.message, message) == NULL)
		fail_msg("%s", status.message);
	assert_string_not_equal(status.detail, "");
	assert_string_not_equal(status.hint, "");
	damage(path, place);
}

static const SrmVerifiedFile *
find_verified(const char *end)
{
	for (size_t i = 0; i < verified.n; i++)
	{
		const char *name = verified.files[i].name;

		if (strlen(name) >= strlen(end) && strcmp(name + strlen(name) - strlen(end), end) == 0)
			return &verified.files[i];
	}
	return NULL;
}

/* what is right gives each file with its bytes, those of the model with their digests */
static void
test_right(void **state)
{
	static const char *const names[] = {"config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"};
	SrmModel   *model = open_model();
	struct stat st;

	(void) state;
	check_right(model);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		assert_non_null(find_verified(names[i]));
		assert_int_equal(stat(in_fixture(names[i]), &st), 0);
		assert_int_equal(find_verified(names[i])->bytes, st.st_size);
		assert_int_equal(strlen(find_verified(names[i])->digest), SRM_DIGEST_LENGTH);
	}
	assert_int_equal(stat(find_file(".f32.srm"), &st), 0);
	assert_int_equal(find_verified(".f32.srm")->bytes, st.st_size);
	assert_null(find_verified(".f32.srm")->digest);
	assert_int_equal(stat(find_file(".tok"), &st), 0);
	assert_int_equal(find_verified(".tok")->bytes, st.st_size);
	assert_null(find_verified("/"));
	srm_model_close(model);
}

/* all bytes of the prepared file count: those of its header, of its matrices, and between them */
static void
test_prepared_bytes(void **state)
{
	SrmModel   *model = open_model();
	const SrmPreparedPlan *plan = model->prepared.plan;
	char		path[400];

	(void) state;
	snprintf(path, sizeof(path), "%s", find_file(".srm"));
	for (size_t place = 0; place < sizeof(SrmPreparedHeader); place += 61)
		check_found(model, path, (long) place, "damaged");
	for (size_t place = sizeof(SrmPreparedHeader); place < plan->data_offset; place += 37)
		check_found(model, path, (long) place, "damaged");
	for (size_t i = 0; i < plan->n; i++)
	{
		check_found(model, path, (long) plan->matrices[i].offset, "damaged");
		check_found(model, path, (long) (plan->matrices[i].offset + plan->matrices[i].size / 2), "damaged");
		check_found(model, path, (long) (plan->matrices[i].offset + plan->matrices[i].size - 1), "damaged");
	}
	check_found(model, path, (long) plan->size - 1, "damaged");
	check_right(model);
	assert_int_equal(truncate(path, (off_t) plan->size - 64), 0);
	assert_false(verify(model, ""));
	assert_int_equal(status.code, SRM_INVALID_MODEL);
	unlink(path);
	assert_false(verify(model, ""));
	assert_int_equal(status.code, SRM_FILE_ACCESS);
	assert_non_null(strstr(status.message, path));
	srm_model_close(model);
}

/* so do those of the tokenizer's */
static void
test_tokenizer_bytes(void **state)
{
	SrmModel   *model = open_model();
	char		path[400];
	struct stat st;

	(void) state;
	snprintf(path, sizeof(path), "%s", find_file(".tok"));
	assert_int_equal(stat(path, &st), 0);
	for (long place = 0; place < st.st_size; place += 59)
		check_found(model, path, place, "damaged");
	check_right(model);
	srm_model_close(model);
}

/* and those of other kinds of arithmetic, as long as they are of the model as it is */
static void
test_other_kinds(void **state)
{
	char		path[400];
	SrmModel   *model;

	(void) state;
	options.compute_choice = SRM_CHOICE_INT8;
	srm_model_close(open_model());
	options.compute_choice = SRM_CHOICE_AUTO;
	model = open_model();
	check_right(model);
	assert_non_null(find_verified(".int8.srm"));
	snprintf(path, sizeof(path), "%s", find_file(".int8.srm"));
	check_found(model, path, (long) model->prepared.plan->data_offset, "damaged");
	/* one that nobody will use harms nobody */
	damage(path, 0);
	check_right(model);
	assert_null(find_verified(".int8.srm"));
	srm_model_close(model);
}

/* a model's file that has changed is named, and what is known of it besides is compared */
static void
test_model_bytes(void **state)
{
	static const char *const names[] = {"config.json", WEIGHTS, "tokenizer.json", "tokenizer_config.json"};
	SrmModel   *model = open_model();
	char		digest[SRM_DIGEST_LENGTH + 1];
	char		path[400];

	(void) state;
	assert_true(srm_model_digest(fixture, NULL, digest, NULL, &status));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		snprintf(path, sizeof(path), "%s", in_fixture(names[i]));
		check_found(model, path, 20, "other contents");
	}
	/* their stamps differ now, and so does no byte: whoever reads cannot tell what they were meanwhile */
	assert_false(verify(model, digest));
	assert_non_null(strstr(status.message, "changed while it was read"));
	srm_model_close(model);
	srm_status_init(&status);
	model = open_model();
	assert_true(verify(model, digest));
	digest[0] = digest[0] == '0' ? '1' : '0';
	assert_false(verify(model, digest));
	assert_non_null(strstr(status.message, fixture));
	srm_model_close(model);
}

/* Puts another digest of the nth file into the header, which has its checksum then. */
static void
forge(size_t n)
{
	const char *path = find_file(".srm");
	Bytes		bytes = read_bytes(path);
	SrmPreparedHeader *header = (SrmPreparedHeader *) bytes.data;
	FILE	   *file = fopen(path, "r+b");

	header->file_digests[n]++;
	header->checksum = srm_prepared_header_checksum(header, (SrmPreparedEntry *) (header + 1), header->n_matrices);
	assert_int_equal(fwrite(header, sizeof(SrmPreparedHeader), 1, file), 1);
	fclose(file);
	free(bytes.data);
}

/* the same where the disk has changed a file, whose stamp stays: names stand in order */
static void
test_silent_change(void **state)
{
	SrmModel   *model;

	(void) state;
	srm_model_close(open_model());
	forge(1);
	model = open_model();
	assert_false(verify(model, ""));
	assert_non_null(strstr(status.message, WEIGHTS));
	assert_non_null(strstr(status.message, "other contents"));
	srm_model_close(model);
}

/* an adapter's files are its own and those of its base, which are named as such */
static void
test_adapter(void **state)
{
	static const char *const names[] = {
		"adapter_config.json", "adapter_model.safetensors", "llama/config.json", "llama/" WEIGHTS, "llama/tokenizer.json"
	};
	int			tmp = open("/tmp", O_RDONLY | O_DIRECTORY);
	char		parent[40];
	SrmModel   *model;
	char		path[400];

	(void) state;
	remove_fixture();
	snprintf(parent, sizeof(parent), "/tmp/srm-verify.%ld", (long) getpid());
	assert_int_equal(mkdir(parent, 0700), 0);
	snprintf(fixture, sizeof(fixture), "%s/llama", parent);
	copy_model("llama");
	snprintf(fixture, sizeof(fixture), "%s/adapter", parent);
	copy_model("adapter-llama");
	model = open_model();
	check_right(model);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		assert_non_null(find_verified(names[i]));
		assert_int_equal(strlen(find_verified(names[i])->digest), SRM_DIGEST_LENGTH);
	}
	assert_non_null(find_verified(".f32.srm"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		snprintf(path, sizeof(path), "%s/%s", strchr(names[i], '/') == NULL ? fixture : parent, names[i]);
		check_found(model, path, 20, "other contents");
	}
	snprintf(path, sizeof(path), "%s", find_file(".tok"));
	check_found(model, path, 200, "damaged");
	srm_model_close(model);
	srm_tree_remove(tmp, parent + strlen("/tmp/"));
	close(tmp);
}

/* where nothing is shared the model's files are read */
static void
test_private(void **state)
{
	SrmModel   *model;

	(void) state;
	options.prepared = NULL;
	model = open_model();
	check_right(model);
	assert_non_null(find_verified(WEIGHTS));
	assert_null(find_verified(".srm"));
	srm_model_close(model);
}

static bool
say_stop(void *arg)
{
	int		   *left = arg;

	return (*left)-- <= 0;
}

/* it can be stopped at each step */
static void
test_stopped(void **state)
{
	SrmModel   *model = open_model();
	bool		done = false;
	int			n = 0;

	(void) state;
	while (!done)
	{
		int			left = n++;
		SrmStop		stop = {.callback = say_stop,.arg = &left};

		srm_status_init(&status);
		done = srm_model_verify(model, directory, "", arena, &verified, &stop, &status);
		assert_int_equal(status.code, done ? SRM_OK : SRM_STOPPED);
	}
	/* once for a file of the model or a matrix, at least */
	assert_true(n > 15);
	srm_model_close(model);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_arena, tear_down_arena)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_right),
		TEST(test_prepared_bytes),
		TEST(test_tokenizer_bytes),
		TEST(test_other_kinds),
		TEST(test_model_bytes),
		TEST(test_silent_change),
		TEST(test_adapter),
		TEST(test_private),
		TEST(test_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
