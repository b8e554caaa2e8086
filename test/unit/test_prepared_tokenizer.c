/*-------------------------------------------------------------------------
 *
 * test_prepared_tokenizer.c
 *	  A tokenizer's tables in one file for all processes: made again when it
 *	  is not that of the model, and no harm from one that is damaged.
 *
 *-------------------------------------------------------------------------
 */
#include "prepared_fixture.h"

#include <sys/file.h>
#include <sys/wait.h>


static char path[400];			/* of the file */

/* Once the tokenizer has been prepared; path is that of its file. */
static int
set_up_prepared(void **state)
{
	set_up(state);
	srm_model_close(open_model());
	snprintf(path, sizeof(path), "%s", find_file(".tok"));
	assert_string_not_equal(path, "");
	return 0;
}

/* A model tokenizes as one does that read the JSON. */
static void
check_tokens(SrmModel *model)
{
	static const char text[] = "Hello, world! <s> 12 tokens, or more: \xC3\xA9t\xC3\xA9.";
	SrmArena   *arena = srm_arena_create(&status);
	SrmModel   *plain = open_fixture();
	SrmTokens	tokens = {NULL, 0, 0};
	SrmTokens	expected = {NULL, 0, 0};

	assert_null(plain->prepared.tokenizer);
	assert_true(srm_tokenizer_encode(model->tokenizer, text, sizeof(text) - 1, NULL, 0, arena,
									 &tokens, NULL, &status));
	assert_true(srm_tokenizer_encode(plain->tokenizer, text, sizeof(text) - 1, NULL, 0, arena,
									 &expected, NULL, &status));
	assert_true(tokens.n > 5);
	assert_int_equal(tokens.n, expected.n);
	assert_memory_equal(tokens.items, expected.items, tokens.n * sizeof(SrmToken));
	srm_model_close(plain);
	srm_arena_free(arena);
}

/* Opens a model whose tables lie in the file, or in memory of its own. */
static void
check_model(bool shared)
{
	SrmModel   *model = open_model();

	assert_int_equal(model->prepared.tokenizer != NULL, shared);
	check_tokens(model);
	srm_model_close(model);
}

/* the file is used again as long as it is right */
static void
test_reused(void **state)
{
	ino_t		first = inode(path);

	(void) state;
	check_model(true);
	options.compute_choice = SRM_CHOICE_BF16;
	check_model(true);
	assert_int_equal(inode(path), first);
	unlink(path);
	check_model(true);
	assert_int_not_equal(inode(path), 0);
}

/* no directory, or none that can be written to */
static void
test_private(void **state)
{
	static const char *const bad[] = {NULL, "/dev/null/srm", "/tmp/srm-nowhere/srm", "/dev/null", "/proc"};

	(void) state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		options.prepared = bad[i];
		check_model(false);
	}
}

/* every byte counts; what is damaged is made again */
static void
test_damaged(void **state)
{
	struct stat st;

	(void) state;
	assert_int_equal(stat(path, &st), 0);
	for (long place = 0; place < (long) st.st_size; place += place < 1200 ? 13 : 1777)
	{
		ino_t		damaged = inode(path);

		damage(path, place);
		check_model(true);
		assert_int_not_equal(inode(path), damaged);
	}
}

/* files that are cut, empty, or too long */
static void
test_cut(void **state)
{
	struct stat st;

	(void) state;
	assert_int_equal(stat(path, &st), 0);
	for (int i = 0; i < 6; i++)
	{
		off_t		sizes[] = {0, 1, 1088, 1100, st.st_size - 1, st.st_size + 64};
		ino_t		damaged = inode(path);

		assert_int_equal(truncate(path, sizes[i]), 0);
		check_model(true);
		assert_int_not_equal(inode(path), damaged);
	}
}

/* a link is not followed; what cannot be replaced costs only sharing */
static void
test_not_a_file(void **state)
{
	(void) state;
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	check_model(true);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	check_model(true);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	check_model(false);
}

/* another tokenizer.json gets another file, and one that is none does not open */
static void
test_replaced(void **state)
{
	SrmModel   *old = open_model();
	ino_t		first = inode(path);

	(void) state;
	edit_file("tokenizer.json", "\"version\"", " \"version\"");
	check_model(true);
	assert_int_not_equal(inode(path), first);
	srm_model_close(old);
	/* so does what the files beside it say */
	first = inode(path);
	edit_file("tokenizer_config.json", "\"bos_token\": null", "\"bos_token\": \"o, w\"");
	check_model(true);
	assert_int_not_equal(inode(path), first);
	first = inode(path);
	write_text("added_tokens.json", "{}");
	check_model(true);
	assert_int_not_equal(inode(path), first);
	edit_file("tokenizer.json", "\"version\": \"1.0\"", "\"version\": \"2.0\"");
	assert_null(srm_model_open(fixture, &options, NULL, &status));
	assert_int_equal(status.code, SRM_NOT_SUPPORTED);
	assert_non_null(strstr(status.hint, "tokenizer.json"));
}

static int
make_abandoned(char name[500], const char *more)
{
	int			fd;

	snprintf(name, 500, "%s.%s.tmp", path, more);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	assert_true(fd >= 0);
	return fd;
}

/* what crashes left goes when the next weights are prepared, what is being written stays */
static void
test_cleaned(void **state)
{
	char		abandoned[500];
	char		locked[500];
	char		gone[500];
	Bytes		bytes = read_bytes(path);
	FILE	   *file;
	int			fd;

	(void) state;
	close(make_abandoned(abandoned, "1"));
	fd = make_abandoned(locked, "2");
	assert_int_equal(flock(fd, LOCK_EX), 0);
	/* a model that does not exist, in the header behind 128 bytes */
	snprintf(gone, sizeof(gone), "%s/0123456789abcdef.tok", directory);
	memcpy(bytes.data + 128, "/nowhere", 9);
	file = fopen(gone, "wb");
	assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
	fclose(file);
	free(bytes.data);

	options.compute_choice = SRM_CHOICE_INT8;
	check_model(true);
	assert_int_not_equal(access(abandoned, F_OK), 0);
	assert_int_equal(access(locked, F_OK), 0);
	assert_int_not_equal(access(gone, F_OK), 0);
	assert_int_equal(access(path, F_OK), 0);
	close(fd);
}

/* processes that come at once all share */
static void
test_race(void **state)
{
	enum {N = 4};
	pid_t		children[N];

	(void) state;
	unlink(path);
	for (int i = 0; i < N; i++)
	{
		children[i] = fork();
		if (children[i] == 0)
		{
			SrmModel   *model = srm_model_open(fixture, &options, NULL, &status);
			bool		failed = model == NULL || model->prepared.tokenizer == NULL;

			srm_model_close(model);
			_exit(failed ? 1 : 0);
		}
	}
	for (int i = 0; i < N; i++)
	{
		int			result;

		assert_int_equal(waitpid(children[i], &result, 0), children[i]);
		assert_int_equal(result, 0);
	}
	snprintf(path, sizeof(path), "%s", find_file(".tok"));
	check_model(true);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up_prepared, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_reused),
		TEST(test_private),
		TEST(test_damaged),
		TEST(test_cut),
		TEST(test_not_a_file),
		TEST(test_replaced),
		TEST(test_cleaned),
		TEST(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
