/*-------------------------------------------------------------------------
 *
 * test_writer.c
 *	  Model directories that are written: what comes out loads again and is
 *	  the same; what goes wrong leaves nothing behind.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>

#include "base/json_write.h"
#include "files/directory.h"
#include "files/tree.h"
#include "model/config.h"
#include "model/weights.h"
#include "write/writer.h"

static char parent[64];
static SrmArena *arena;
static SrmStatus status;

static int
set_up(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	snprintf(parent, sizeof(parent), "/tmp/srm-writer.%ld", (long) getpid());
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

/* What the system's calls do here beside what they always do. */
static bool has_renameat2 = true;
static bool rival_at_renameat2;
static bool rival_at_renameat;

extern int	__real_renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags);
extern int	__wrap_renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags);
extern int	__real_renameat(int old_fd, const char *old, int new_fd, const char *new);
extern int	__wrap_renameat(int old_fd, const char *old, int new_fd, const char *new);

/* Somebody else makes a model of that name. */
static void
make_rival(int fd, const char *name)
{
	char		path[300];
	int			file;

	snprintf(path, sizeof(path), "%s/config.json", name);
	assert_int_equal(mkdirat(fd, name, 0700), 0);
	file = openat(fd, path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	assert_true(file >= 0);
	assert_int_equal(write(file, "rival", 5), 5);
	close(file);
}

int
__wrap_renameat2(int old_fd, const char *old, int new_fd, const char *new, unsigned flags)
{
	if (rival_at_renameat2)
		make_rival(new_fd, new);
	rival_at_renameat2 = false;
	if (has_renameat2)
		return __real_renameat2(old_fd, old, new_fd, new, flags);
	errno = ENOSYS;
	return -1;
}

int
__wrap_renameat(int old_fd, const char *old, int new_fd, const char *new)
{
	if (rival_at_renameat)
		make_rival(new_fd, new);
	rival_at_renameat = false;
	return __real_renameat(old_fd, old, new_fd, new);
}

/* Entries of the parent, hidden ones included. */
static int
count_entries(void)
{
	DIR		   *directory = opendir(parent);
	int			n = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		n++;
	closedir(directory);
	return n - 2;
}

static const char *
in_parent(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	return path;
}

static const char *
as_text(const SrmJson *json)
{
	SrmBuffer	out;

	assert_true(srm_buffer_init(&out, arena, 0, &status));
	assert_true(srm_json_write(&out, json, &status));
	return out.data;
}

static SrmJson *
parse(const char *text)
{
	SrmJson    *json = srm_json_parse(text, strlen(text), "test", arena, &status);

	assert_non_null(json);
	return json;
}

/* what is not changed is written as it was spelled, in its order */
static void
test_json_kept(void **state)
{
	static const char text[] = "{\n  \"b\": 1e-05,\n  \"a\": [\n    1.0,\n    -0,\n    12345678901234567890\n  ],\n"
		"  \"\xC3\xA4\\\"\\\\\\n\\u0001\": \"\xF0\x9F\x98\x80/\",\n  \"none\": null,\n  \"yes\": true,\n"
		"  \"no\": false,\n  \"twice\": 1,\n  \"twice\": 2,\n  \"empty\": {},\n  \"list\": []\n}";

	(void) state;
	assert_string_equal(as_text(parse(text)), text);
	assert_string_equal(as_text(parse("[\"\\u00e4\\ud83d\\ude00\"]")), "[\n  \"\xC3\xA4\xF0\x9F\x98\x80\"\n]");
}

/* members are replaced where they stand, added at the end, and taken away */
static void
test_json_set(void **state)
{
	SrmJson    *json = parse("{\"a\": 1, \"b\": 2, \"a\": 3}");

	(void) state;
	assert_true(srm_json_set(json, "a", srm_json_make_double(0.1, arena, &status), arena, &status));
	assert_true(srm_json_set(json, "c", srm_json_make_string("x\"y", arena, &status), arena, &status));
	assert_true(srm_json_set(json, "b", NULL, arena, &status));
	assert_int_equal(json->n, 2);
	assert_string_equal(as_text(json), "{\n  \"a\": 0.1,\n  \"c\": \"x\\\"y\"\n}");
	assert_null(srm_json_make_double(0.0 / 0.0, arena, &status));
	assert_int_equal(status.code, SRM_INTERNAL);
	assert_false(srm_json_set(json, "d", NULL, arena, &status));
}

/* doubles survive */
static void
test_json_double(void **state)
{
	static const double numbers[] = {0, 1, -2.5, 1.0 / 3, 1e300, 5e-324, 3.4028234663852886e38, 123456789.125};

	(void) state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
	{
		double		number;

		assert_true(srm_json_number(srm_json_make_double(numbers[i], arena, &status), &number));
		assert_true(number == numbers[i]);
	}
	assert_string_equal(srm_json_make_int(INT64_MIN, arena, &status)->text, "-9223372036854775808");
}

/* The weights of a model directory, in the arena. */
static SrmModelFiles *
open_weights(const char *directory, SrmWeights *weights)
{
	SrmModelFiles *files = srm_files_create(directory, arena, &status);

	assert_non_null(files);
	if (!srm_weights_open(weights, files, arena, NULL, &status))
		fail_msg("%s: %s", status.message, status.detail);
	assert_true(srm_files_load_all(files, NULL, &status));
	return files;
}

/* Plans for all tensors of another model, with their data. */
static SrmTensorPlan *
plan_tensors(const SrmWeights *weights)
{
	SrmTensorPlan *plans = srm_arena_array(arena, weights->n, sizeof(SrmTensorPlan), &status);

	for (size_t i = 0; i < weights->n; i++)
	{
		const SrmTensor *tensor = &weights->tensors[i];

		plans[i] = (SrmTensorPlan) {.name = tensor->name,.type = tensor->type,.n_dims = tensor->n_dims,.data = tensor->data};
		memcpy(plans[i].shape, tensor->shape, sizeof(tensor->shape));
	}
	return plans;
}

/* Writes a copy of a model under another name; the writer has not committed yet. */
static SrmWriter *
write_copy(const char *source, const char *name, bool replace)
{
	SrmWriter  *writer = srm_writer_begin(parent, name, replace, 0700, &status);
	SrmWeights	weights;
	SrmModelFiles *files = open_weights(source, &weights);
	SrmJson    *config = srm_config_tree(files, NULL, arena, &status);

	if (writer == NULL)
		fail_msg("%s", status.message);
	assert_non_null(config);
	assert_true(srm_writer_set_config(config, "mean", srm_json_make_double(-0.125, arena, &status), arena, &status));
	assert_true(srm_writer_set_config(config, "std", srm_json_make_int(3, arena, &status), arena, &status));
	if (!srm_writer_put_json(writer, "config.json", config, &status) ||
		!srm_writer_copy_texts(writer, files, NULL, &status) ||
		!srm_writer_put_tensors(writer, "model.safetensors", plan_tensors(&weights), weights.n, NULL, &status))
		fail_msg("%s %s", status.message, status.detail);
	srm_files_close(files);
	return writer;
}

static void
commit(SrmWriter *writer)
{
	if (!srm_writer_commit(writer, &status))
		fail_msg("%s", status.message);
	srm_writer_close(writer);
}

/* every model of the fixtures is written, loads again, and has the same tensors */
static void
check_copy(const char *source)
{
	SrmWeights	before;
	SrmWeights	after;
	SrmModelFiles *old = open_weights(source, &before);
	SrmModelFiles *new;
	SrmModel   *model;

	commit(write_copy(source, "copy", true));
	new = open_weights(in_parent("copy"), &after);
	assert_int_equal(before.n, after.n);
	for (size_t i = 0; i < before.n; i++)
	{
		const SrmTensor *tensor = srm_weights_find(&after, before.tensors[i].name);

		assert_non_null(tensor);
		assert_string_equal(tensor->type, before.tensors[i].type);
		assert_int_equal(tensor->size, before.tensors[i].size);
		assert_memory_equal(tensor->data, before.tensors[i].data, tensor->size);
		if (tensor->size % 64 == 0)
			assert_int_equal((uintptr_t) tensor->data % 64, 0);
	}
	srm_files_close(old);
	srm_files_close(new);
	model = srm_model_open(in_parent("copy"), NULL, NULL, &status);
	if (model == NULL)
		fail_msg("%s: %s", status.message, status.detail);
	assert_true(model->settings.has_scale && model->settings.mean == -0.125 && model->settings.std == 3);
	srm_model_close(model);
	assert_int_equal(count_entries(), 1);
}

static void
test_copies(void **state)
{
	(void) state;
	check_copy("test/data/models/llama");
	check_copy("test/data/models/attention-offset");
	check_copy("test/data/models/attention-marker");
	check_copy("test/data/models/tiny");
}

/* the same model gives the same bytes */
static void
test_deterministic(void **state)
{
	Bytes		first;
	Bytes		second;

	(void) state;
	commit(write_copy("test/data/models/llama", "one", false));
	commit(write_copy("test/data/models/llama", "two", false));
	first = read_bytes(in_parent("one/model.safetensors"));
	second = read_bytes(in_parent("two/model.safetensors"));
	assert_int_equal(first.size, second.size);
	assert_memory_equal(first.data, second.data, first.size);
	free(first.data);
	free(second.data);
}

/* nobody sees a model before it is committed; a closed writer leaves nothing */
static void
test_abort(void **state)
{
	SrmWriter  *writer = write_copy("test/data/models/llama", "gone", false);

	(void) state;
	assert_int_equal(access(in_parent("gone"), F_OK), -1);
	assert_int_equal(count_entries(), 1);
	srm_writer_close(writer);
	assert_int_equal(count_entries(), 0);
	srm_writer_close(NULL);
}

/* in the middle of a file, too, and where too much or too little comes */
static void
test_abort_file(void **state)
{
	SrmTensorPlan plan = {.name = "x",.type = "F32",.n_dims = 2,.shape = {3, 5}};
	SrmWriter  *writer = srm_writer_begin(parent, "gone", false, 0700, &status);

	(void) state;
	assert_non_null(writer);
	assert_true(srm_writer_begin_tensors(writer, "model.safetensors", &plan, 1, &status));
	assert_int_equal(plan.size, 60);
	assert_true(srm_writer_append(writer, "abcdefgh", 8, NULL, &status));
	assert_false(srm_writer_end_tensors(writer, &status));
	assert_non_null(strstr(status.message, "52 bytes are missing"));
	srm_status_init(&status);
	assert_false(srm_writer_append(writer, NULL, 53, NULL, &status));
	assert_non_null(strstr(status.message, "too many bytes"));
	srm_writer_close(writer);
	assert_int_equal(count_entries(), 0);
}

static void
refuse_plan(const char *type, size_t rows, const char *message)
{
	SrmTensorPlan plans[] = {
		{.name = "x",.type = "F32",.n_dims = 1,.shape = {1}},
		{.name = "x",.type = type,.n_dims = 2,.shape = {rows, rows}}
	};
	SrmBuffer	header;

	srm_status_init(&status);
	assert_true(srm_buffer_init(&header, arena, 0, &status));
	assert_false(srm_safetensors_plan(plans, 2, &header, &status));
	assert_non_null(strstr(status.message, message));
}

static void
test_bad_plans(void **state)
{
	(void) state;
	refuse_plan("F32", 2, "written twice");
	refuse_plan("F31", 2, "type \"F31\"");
	refuse_plan("F4", 2, "type \"F4\"");
	refuse_plan("F32", SIZE_MAX / 2, "too large");
}

static void
refuse_name(const char *name, bool replace, const char *message)
{
	srm_status_init(&status);
	assert_null(srm_writer_begin(parent, name, replace, 0700, &status));
	if (strstr(status.message, message) == NULL)
		fail_msg("%s", status.message);
}

/* names that are paths, hidden, too long, or taken */
static void
test_names(void **state)
{
	char		name[200];
	int			n;

	(void) state;
	memset(name, 'x', 129);
	name[129] = '\0';
	refuse_name("", false, "invalid model name");
	refuse_name("../x", false, "invalid model name");
	refuse_name("a/b", false, "invalid model name");
	refuse_name("/tmp/x", false, "invalid model name");
	refuse_name(".x", false, "invalid model name");
	refuse_name("a@b", false, "invalid model name");
	refuse_name("a\nb", false, "invalid model name");
	refuse_name(name, true, "invalid model name");
	name[128] = '\0';
	n = count_entries();
	srm_status_init(&status);
	srm_writer_close(srm_writer_begin(parent, name, false, 0700, &status));
	assert_int_equal(status.code, SRM_OK);

	commit(write_copy("test/data/models/llama", "taken", false));
	refuse_name("taken", false, "\"taken\" already exists");
	assert_int_equal(mkdir(in_parent("other"), 0700), 0);
	refuse_name("other", false, "already exists");
	refuse_name("other", true, "not a model directory");
	assert_int_equal(symlink("taken", in_parent("link")), 0);
	refuse_name("link", true, "not a model directory");
	assert_int_equal(count_entries(), n + 3);
}

/* files of a model cannot be put elsewhere, nor twice */
static void
test_file_names(void **state)
{
	SrmWriter  *writer = srm_writer_begin(parent, "files", false, 0700, &status);

	(void) state;
	assert_non_null(writer);
	assert_false(srm_writer_put(writer, "../x", "", 0, &status));
	srm_status_init(&status);
	assert_true(srm_writer_put(writer, "x", "a", 1, &status));
	assert_false(srm_writer_put(writer, "x", "a", 1, &status));
	assert_int_equal(status.code, SRM_FILE_ACCESS);
	assert_int_equal(status.errnum, EEXIST);
	/* the message has the file that it is about */
	assert_non_null(strstr(status.message, ".tmp."));
	srm_writer_close(writer);
}

/* a model that is replaced stays whole for those who have it open */
static void
test_replace(void **state)
{
	SrmModel   *model;
	SrmModel   *other;

	(void) state;
	commit(write_copy("test/data/models/llama", "name", false));
	model = srm_model_open(in_parent("name"), NULL, NULL, &status);
	assert_non_null(model);
	commit(write_copy("test/data/models/attention-offset", "name", true));
	assert_int_equal(count_entries(), 1);
	assert_true(srm_model_changed(model));
	other = srm_model_open(in_parent("name"), NULL, NULL, &status);
	assert_non_null(other);
	assert_string_equal(other->dtype, "bfloat16");
	/* the pages of the old files are still there */
	for (size_t i = 0; i < model->decoder.embedding.rows; i++)
	{
		float		row[64];

		srm_matrix_read(&model->decoder.embedding, i * 32, 32, row);
		assert_true(row[0] == row[0]);
	}
	srm_model_close(model);
	srm_model_close(other);
}

/* a name that is taken at the last moment stays taken; replacing it still works */
static void
check_rival(bool renameat2, bool late)
{
	SrmWriter  *writer = write_copy("test/data/models/llama", "name", false);
	struct stat st;

	has_renameat2 = renameat2;
	rival_at_renameat2 = !late;
	rival_at_renameat = late;
	assert_false(srm_writer_commit(writer, &status));
	assert_int_equal(status.code, SRM_DUPLICATE_MODEL);
	assert_string_equal(status.message, "model \"name\" already exists");
	srm_writer_close(writer);
	assert_int_equal(count_entries(), 1);
	assert_int_equal(stat(in_parent("name/config.json"), &st), 0);
	assert_int_equal(st.st_size, strlen("rival"));
	srm_status_init(&status);
	commit(write_copy("test/data/models/llama", "name", true));
	assert_int_equal(stat(in_parent("name/config.json"), &st), 0);
	assert_true(st.st_size > (off_t) strlen("rival"));
	assert_int_equal(count_entries(), 1);
	has_renameat2 = true;
}

static void
test_rival(void **state)
{
	(void) state;
	check_rival(true, false);
	srm_tree_remove(AT_FDCWD, in_parent("name"));
	check_rival(false, false);
	srm_tree_remove(AT_FDCWD, in_parent("name"));
	check_rival(false, true);
}

/* whether a name is free can be asked before the work */
static void
test_check(void **state)
{
	(void) state;
	assert_true(srm_writer_check(parent, "name", false, &status));
	commit(write_copy("test/data/models/llama", "name", false));
	assert_true(srm_writer_check(parent, "name", true, &status));
	assert_false(srm_writer_check(parent, "name", false, &status));
	assert_int_equal(status.code, SRM_DUPLICATE_MODEL);
	assert_int_equal(count_entries(), 1);
}

/* what a crash left behind goes with the next writer; what is being written stays */
static void
test_leftovers(void **state)
{
	SrmWriter  *alive = write_copy("test/data/models/llama", "alive", false);
	pid_t		child = fork();
	int			result;

	(void) state;
	if (child == 0)
	{
		write_copy("test/data/models/llama", "dead", false);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(child, &result, 0), child);
	assert_int_equal(result, SIGKILL);
	assert_int_equal(count_entries(), 2);
	srm_writer_close(srm_writer_begin(parent, "next", false, 0700, &status));
	assert_int_equal(count_entries(), 1);
	commit(alive);
	assert_int_equal(access(in_parent("alive/config.json"), R_OK), 0);
	assert_int_equal(count_entries(), 1);
}

/* directories have the mode that is asked for, files the same without execution */
static void
test_modes(void **state)
{
	SrmWriter  *writer = srm_writer_begin(parent, "modes", false, 0750, &status);
	mode_t		mask = umask(0);
	struct stat st;

	(void) state;
	srm_writer_close(writer);
	writer = srm_writer_begin(parent, "modes", false, 0750, &status);
	umask(0);
	assert_true(srm_writer_put(writer, "config.json", "{}", 2, &status));
	umask(mask);
	commit(writer);
	assert_int_equal(stat(in_parent("modes"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(stat(in_parent("modes/config.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
}

/* a parent that is missing, or a file */
static void
test_bad_parent(void **state)
{
	(void) state;
	assert_null(srm_writer_begin("/tmp/srm-nowhere", "x", false, 0700, &status));
	assert_int_equal(status.errnum, ENOENT);
	srm_status_init(&status);
	assert_null(srm_writer_begin("/etc/passwd", "x", false, 0700, &status));
	assert_int_equal(status.errnum, ENOTDIR);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_json_kept),
		TEST(test_json_set),
		TEST(test_json_double),
		TEST(test_copies),
		TEST(test_deterministic),
		TEST(test_abort),
		TEST(test_abort_file),
		TEST(test_bad_plans),
		TEST(test_names),
		TEST(test_file_names),
		TEST(test_replace),
		TEST(test_rival),
		TEST(test_check),
		TEST(test_leftovers),
		TEST(test_modes),
		TEST(test_bad_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
