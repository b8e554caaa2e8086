/*-------------------------------------------------------------------------
 *
 * test_copy.c
 *	  A model that is copied but for its config.json.
 *
 *-------------------------------------------------------------------------
 */
#include "testing.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "write/copy.h"
#include "files/file.h"
#include "model/model.h"
#include "files/tree.h"

static char parent[64];
static SrmArena *arena;
static SrmStatus status;

static int
set_up(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	snprintf(parent, sizeof(parent), "/tmp/srm-copy.%ld", (long) getpid());
	return mkdir(parent, 0700);
}

static int
tear_down(void **state)
{
	int			fd = open("/tmp", O_RDONLY | O_DIRECTORY);

	(void) state;
	srm_tree_remove(fd, parent + strlen("/tmp/"));
	close(fd);
	srm_arena_free(arena);
	return 0;
}

static const char *
read_whole(const char *directory, const char *name, size_t *size)
{
	char	   *path = srm_arena_alloc(arena, 600, &status);
	SrmFile		file;
	const char *data;

	snprintf(path, 600, "%s/%s", directory, name);
	assert_true(srm_file_open(&file, AT_FDCWD, path, path, false, &status));
	data = srm_file_read(&file, (size_t) 64 * 1024 * 1024, arena, &status);
	assert_non_null(data);
	*size = file.size;
	srm_file_close(&file);
	return data;
}

static void
assert_same(const char *a, const char *b, const char *name)
{
	size_t		a_size;
	size_t		b_size;
	const char *a_data = read_whole(a, name, &a_size);
	const char *b_data = read_whole(b, name, &b_size);

	assert_int_equal(a_size, b_size);
	assert_memory_equal(a_data, b_data, a_size);
}

/* Copies with the config as it is, and compares a file of the weights. */
static void
check_copy(const char *model, const char *weights)
{
	char		directory[100];
	SrmWriter  *writer = srm_writer_begin(parent, "copy", false, 0700, &status);
	SrmModel   *opened;

	assert_non_null(writer);
	snprintf(directory, sizeof(directory), "test/data/models/%s", model);
	assert_true(srm_copy_model(writer, directory, NULL, &(SrmCopyChanges) {.sets_scale = true,.mean = 1.5,.std = 2.5}, NULL, &status));
	assert_true(srm_writer_commit(writer, &status));
	assert_same(directory, srm_writer_path(writer), weights);
	assert_same(directory, srm_writer_path(writer), "tokenizer.json");
	opened = srm_model_open(srm_writer_path(writer), NULL, NULL, &status);
	assert_non_null(opened);
	assert_true(opened->settings.has_scale);
	assert_true(opened->settings.mean == 1.5 && opened->settings.std == 2.5);
	srm_model_close(opened);
	srm_writer_close(writer);
}

static void
test_one_file(void **state)
{
	(void) state;
	check_copy("llama", "model.safetensors");
}

static void
test_shards(void **state)
{
	(void) state;
	check_copy("qwen3-sharded", "model.safetensors.index.json");
}

/* A directory without weights is no model, and nothing is left of the copy. */
static void
test_no_weights(void **state)
{
	SrmWriter  *writer = srm_writer_begin(parent, "copy", false, 0700, &status);
	char		path[100];
	struct stat st;

	(void) state;
	assert_non_null(writer);
	assert_false(srm_copy_model(writer, "test/data/demo", NULL, &(SrmCopyChanges) {.sets_scale = true,.mean = 0.0,.std = 1.0}, NULL, &status));
	assert_int_not_equal(status.code, SRM_OK);
	srm_writer_close(writer);
	snprintf(path, sizeof(path), "%s/copy", parent);
	assert_int_not_equal(stat(path, &st), 0);
}

static bool
always(void *arg)
{
	(void) arg;
	return true;
}

static void
test_stop(void **state)
{
	SrmStop		stop = {.callback = always};
	SrmWriter  *writer = srm_writer_begin(parent, "copy", false, 0700, &status);

	(void) state;
	assert_non_null(writer);
	assert_false(srm_copy_model(writer, "test/data/models/llama", NULL, &(SrmCopyChanges) {.sets_scale = true,.mean = 0.0,.std = 1.0}, &stop, &status));
	assert_int_equal(status.code, SRM_STOPPED);
	srm_writer_close(writer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_shards, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_weights, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop, set_up, tear_down)
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
