/*-------------------------------------------------------------------------
 *
 * test_folder.c
 *	  Links in model directories, caches of downloads, and what is no model.
 *
 *-------------------------------------------------------------------------
 */
#include "model_fixture.h"

#include "files/folder.h"
#include "files/place.h"

#define POINTER	"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"

static const char *root_paths[1];

/* links lead to places below the roots, and nowhere else */
static void
test_links(void **state)
{
	char		outside[] = "/tmp/srm_outside_XXXXXX";
	char		path[300];
	Bytes		config;

	(void) state;
	assert_non_null(mkdtemp(outside));
	copy_model("llama");
	config = read_bytes(in_fixture("config.json"));
	snprintf(path, sizeof(path), "%s/config.json", outside);
	assert_int_equal(rename(in_fixture("config.json"), path), 0);
	assert_int_equal(symlink(path, in_fixture("config.json")), 0);
	srm_model_close(open_fixture());

	root_paths[0] = fixture;
	srm_place_set_roots(root_paths, 1);
	expect_failure(SRM_INVALID_MODEL, "config.json\" is a link out of", outside);
	remove(in_fixture("config.json"));
	write_bytes("other.json", config.data, config.size);
	assert_int_equal(symlink("other.json", in_fixture("config.json")), 0);
	srm_model_close(open_fixture());
	root_paths[0] = "/tmp";
	srm_model_close(open_fixture());
	/* a root whose name is the beginning of another's */
	snprintf(path, sizeof(path), "%.*s", (int) strlen(fixture) - 1, fixture);
	root_paths[0] = path;
	expect_failure(SRM_INVALID_MODEL, "is a link out of", fixture);
	root_paths[0] = "/";
	srm_model_close(open_fixture());
	srm_place_set_roots(NULL, 0);

	remove(in_fixture("other.json"));
	expect_failure(SRM_INVALID_MODEL, "is a link to a file that does not exist", "");
	snprintf(path, sizeof(path), "%s/config.json", outside);
	remove(path);
	rmdir(outside);
	free(config.data);
}

/* a pointer of Git LFS in the place of each file */
static void
test_pointers(void **state)
{
	static const char *const names[] = {"config.json", "tokenizer.json", "tokenizer_config.json", WEIGHTS};

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		copy_model("llama");
		write_text(names[i], POINTER);
		expect_failure(SRM_INVALID_MODEL, "is a pointer of Git LFS", "bytes");
	}
	copy_model("llama");
	write_text("chat_template.jinja", "version https://git-lfs.github.com/");
	srm_model_close(open_fixture());
}

/* which commit a cache's name stands for */
static void
test_snapshots(void **state)
{
	char		snapshot[SRM_MAX_SNAPSHOT + 1];
	char		directory[400];

	(void) state;
	assert_true(srm_folder_is_cache("models--a--b"));
	assert_false(srm_folder_is_cache("datasets--a--b"));
	remove_fixture();
	mkdir(fixture, 0700);
	snprintf(directory, sizeof(directory), "%s", in_fixture("models--a--b"));
	mkdir(directory, 0700);
	assert_false(srm_folder_snapshot(directory, snapshot));
	mkdir(in_fixture("models--a--b/snapshots"), 0700);
	mkdir(in_fixture("models--a--b/snapshots/.no_exist"), 0700);
	assert_false(srm_folder_snapshot(directory, snapshot));
	mkdir(in_fixture("models--a--b/snapshots/0123ab"), 0700);
	assert_true(srm_folder_snapshot(directory, snapshot));
	assert_string_equal(snapshot, "0123ab");
	mkdir(in_fixture("models--a--b/snapshots/4567cd"), 0700);
	assert_false(srm_folder_snapshot(directory, snapshot));
	mkdir(in_fixture("models--a--b/refs"), 0700);
	write_text("models--a--b/refs/main", "4567cd\n");
	assert_true(srm_folder_snapshot(directory, snapshot));
	assert_string_equal(snapshot, "4567cd");
	write_text("models--a--b/refs/main", "../4567cd");
	assert_false(srm_folder_snapshot(directory, snapshot));
	remove(in_fixture("models--a--b/refs/main"));
	rmdir(in_fixture("models--a--b/refs"));
	rmdir(in_fixture("models--a--b/snapshots/4567cd"));
	rmdir(in_fixture("models--a--b/snapshots/0123ab"));
	rmdir(in_fixture("models--a--b/snapshots/.no_exist"));
	rmdir(in_fixture("models--a--b/snapshots"));
	rmdir(directory);
}

/* a directory without weights says what it has instead */
static void
test_explanations(void **state)
{
	static const struct
	{
		const char *name;
		const char *detail;
	}			cases[] = {
		{"pytorch_model.bin", "\"pytorch_model.bin\", a pickle"},
		{"consolidated.00.pth", "\"consolidated.00.pth\", a pickle"},
		{"weights.gguf", "\"weights.gguf\", which is a file for llama.cpp"},
		{"consolidated.safetensors", "\"consolidated.safetensors\" instead"},
		{"flax_model.msgpack", "\"flax_model.msgpack\" instead"},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		copy_model("llama");
		remove(in_fixture(WEIGHTS));
		write_text(cases[i].name, "x");
		expect_failure(SRM_FILE_ACCESS, "could not find model file", cases[i].detail);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_pointers),
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_explanations),
	};

	return cmocka_run_group_tests_name("folder", tests, create_fixture, drop_fixture);
}
