/*-------------------------------------------------------------------------
 *
 * test_prepared.c
 *	  Prepared weights: one file for all processes, made again when it is
 *	  not that of the model, and no harm from one that is damaged.
 *
 *-------------------------------------------------------------------------
 */
#include "prepared_fixture.h"

#include "files/directory.h"

#include <sys/file.h>
#include <sys/wait.h>

#include "model/prepared/prepared_clean.h"
#include "model/prepared/prepared_format.h"
#include "kernel/pack.h"

/* Opens a model that shares its file, and closes it. */
static void
check_shared(void)
{
	SrmModel   *model = open_model();

	if (model->prepared.problem.code != SRM_OK)
		fail_msg("%s", model->prepared.problem.message);
	assert_false(model->prepared.is_private);
	srm_model_close(model);
}

/* All matrices of a model hold what packing them now gives. */
static void
check_packed(const SrmModel *model, SrmCompute compute)
{
	assert_true(srm_files_load_all(model->files, NULL, &status));
	for (size_t i = 0; i < model->decoder.n_layers; i++)
	{
		const SrmLayer *layer = &model->decoder.layers[i];
		const SrmMatrix *matrices[] = {&layer->query, &layer->key, &layer->value, &layer->output,
		&layer->gate, &layer->up, &layer->down};

		for (int j = 0; j < 7; j++)
		{
			SrmPacking	packing = srm_packing_for(compute, matrices[j]->dtype);
			size_t		size = srm_pack_bytes(packing, matrices[j]->rows, matrices[j]->cols);
			void	   *expected = aligned_alloc(64, size);

			assert_int_equal(matrices[j]->compute, compute);
			assert_int_equal((uintptr_t) matrices[j]->packed % 64, 0);
			assert_int_equal(matrices[j]->packing, packing);
			srm_pack_rows(expected, matrices[j], packing, 0, matrices[j]->rows);
			assert_memory_equal(matrices[j]->packed, expected, size);
			free(expected);
		}
	}
}

/* a file is made, holds the packed weights, and is used again */
static void
test_made_and_reused(void **state)
{
	SrmModel   *model = open_model();
	char		digest[SRM_DIGEST_LENGTH + 1];
	ino_t		first = inode(find_file(".srm"));

	(void) state;
	assert_false(model->prepared.is_private);
	assert_string_equal(model->prepared.compute_name, "f32");
	assert_int_equal(model->prepared.problem.code, SRM_OK);
	assert_true(model->prepared.bytes > 0);
	assert_true(srm_model_digest(fixture, NULL, digest, NULL, &status));
	assert_string_equal(model->prepared.digest, digest);
	check_packed(model, SRM_COMPUTE_F32);
	srm_model_close(model);
	check_shared();
	assert_int_equal(inode(find_file(".srm")), first);
	assert_string_equal(find_file(".tmp"), "");
}

/* each kind of arithmetic has its own; "auto" shares with what it stands for */
static void
test_kinds(void **state)
{
	static const SrmCompute kinds[] = {SRM_COMPUTE_F32, SRM_COMPUTE_BF16, SRM_COMPUTE_INT8, SRM_COMPUTE_W8};

	(void) state;
	for (int i = 0; i < SRM_N_COMPUTES; i++)
	{
		SrmModel   *model;

		options.compute_choice = (SrmComputeChoice) kinds[i];
		model = open_model();
		assert_string_equal(model->prepared.compute_name, srm_compute_name(kinds[i]));
		check_packed(model, kinds[i]);
		srm_model_close(model);
	}
	assert_string_not_equal(find_file(".bf16.srm"), "");
	assert_string_not_equal(find_file(".int8.srm"), "");
	options.compute_choice = SRM_CHOICE_AUTO;
	check_shared();
	assert_string_not_equal(find_file(".f32.srm"), "");
}

/* the model's own choice counts where nobody else chooses */
static void
test_own_choice(void **state)
{
	SrmModel   *model;

	(void) state;
	options.compute_choice = SRM_CHOICE_OF_MODEL;
	edit_file("config.json", "\"use_cache\": true", "\"srm\": {\"compute\": \"int8\"}");
	model = open_model();
	assert_string_equal(model->prepared.compute_name, "int8");
	srm_model_close(model);
	edit_file("config.json", "\"int8\"", "\"int4\"");
	assert_null(srm_model_open(fixture, &options, NULL, &status));
	assert_int_equal(status.code, SRM_NOT_SUPPORTED);
	assert_non_null(strstr(status.message, "arithmetic \"int4\""));
}

/* without a directory, and without options */
static void
test_private(void **state)
{
	SrmModel   *model;
	SrmModel   *plain = open_fixture();

	(void) state;
	options.prepared = NULL;
	model = open_model();
	assert_true(model->prepared.is_private);
	assert_int_equal(model->prepared.problem.code, SRM_OK);
	check_packed(model, SRM_COMPUTE_F32);
	assert_true(srm_model_private_bytes(model) >= model->prepared.bytes);
	assert_null(plain->prepared.compute_name);
	assert_null(plain->decoder.layers[0].query.packed);
	srm_model_close(model);
	srm_model_close(plain);
}

/* a directory that cannot be made, or is none, leads to memory of our own */
static void
test_unwritable(void **state)
{
	static const char *const bad[] = {"/dev/null/srm", "/tmp/srm-nowhere/srm", "/dev/null", "/proc"};

	(void) state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		SrmModel   *model;

		options.prepared = bad[i];
		model = open_model();
		assert_true(model->prepared.is_private);
		assert_int_equal(model->prepared.problem.code, SRM_FILE_ACCESS);
		assert_non_null(strstr(model->prepared.problem.message, bad[i]));
		check_packed(model, SRM_COMPUTE_F32);
		srm_model_close(model);
	}
}

/* The file is made again, and is right. */
static void
check_made_again(void)
{
	ino_t		damaged = inode(find_file(".srm"));
	SrmModel   *model = open_model();

	assert_false(model->prepared.is_private);
	assert_int_not_equal(inode(find_file(".srm")), damaged);
	check_packed(model, SRM_COMPUTE_F32);
	srm_model_close(model);
}

/* every byte of the header and the table, and samples of the matrices, count */
static void
test_damaged(void **state)
{
	size_t		end = sizeof(SrmPreparedHeader) + 14 * sizeof(SrmPreparedEntry);

	(void) state;
	check_shared();
	for (size_t place = 0; place < end; place += place < 160 ? 8 : 97)
	{
		damage(find_file(".srm"), (long) place);
		check_made_again();
	}
	damage(find_file(".srm"), (long) (end + 4095) / 4096 * 4096);
	check_made_again();
}

/* files that are cut, empty, too long, or something else */
static void
test_cut(void **state)
{
	struct stat st;

	(void) state;
	check_shared();
	assert_int_equal(stat(find_file(".srm"), &st), 0);
	for (int i = 0; i < 6; i++)
	{
		off_t		sizes[] = {0, 1, 100, sizeof(SrmPreparedHeader) + 8, st.st_size - 1, st.st_size + 1};

		assert_int_equal(truncate(find_file(".srm"), sizes[i]), 0);
		check_made_again();
	}
}

/* a link or a directory in the place of a file is not followed, and costs only sharing */
static void
test_not_a_file(void **state)
{
	char		path[300];
	SrmModel   *model;

	(void) state;
	check_shared();
	snprintf(path, sizeof(path), "%s", find_file(".srm"));
	unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	check_shared();
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	model = open_model();
	assert_true(model->prepared.is_private);
	srm_model_close(model);
}

/* a full check finds any byte */
static void
test_full_check(void **state)
{
	SrmModel   *model = open_model();
	Bytes		bytes = read_bytes(find_file(".srm"));
	const SrmPreparedPlan *plan = model->prepared.plan;
	char	   *copy = aligned_alloc(64, (bytes.size + 63) / 64 * 64);

	(void) state;
	memcpy(copy, bytes.data, bytes.size);
	assert_true(srm_prepared_check(plan, copy, bytes.size, true));
	for (size_t i = 0; i < plan->n; i++)
	{
		size_t		places[] = {plan->matrices[i].offset, plan->matrices[i].offset + plan->matrices[i].size - 1};

		for (int j = 0; j < 2; j++)
		{
			copy[places[j]] ^= 1;
			assert_false(srm_prepared_check(plan, copy, bytes.size, true));
			copy[places[j]] ^= 1;
		}
	}
	assert_true(srm_prepared_check(plan, copy, bytes.size, true));
	assert_false(srm_prepared_check(plan, copy, 8, true));
	free(copy);
	free(bytes.data);
	srm_model_close(model);
}

/* Opens, shared or privately, cuts all files of the model off, and reads what scoring reads. */
static void
check_cut_model(const char *name, const char *prepared)
{
	static const char *names[] = {"config.json", WEIGHTS, "tokenizer.json"};
	SrmModel   *plain;
	SrmModel   *model;
	size_t		size;

	copy_model(name);
	options.prepared = prepared;
	plain = open_fixture();
	model = open_model();
	assert_true(model->prepared.is_private == (prepared == NULL));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(truncate(in_fixture(names[i]), 0), 0);
	size = srm_prepared_source_bytes(&plain->decoder.embedding);
	assert_memory_equal(model->decoder.embedding.data, plain->decoder.embedding.data, size);
	assert_int_equal(model->head.gate.stack.n, plain->head.gate.stack.n);
	for (size_t i = 0; i < plain->head.gate.stack.n; i++)
		assert_memory_equal(model->head.gate.stack.layers[i].weight.data,
							plain->head.gate.stack.layers[i].weight.data,
							srm_prepared_source_bytes(&plain->head.gate.stack.layers[i].weight));
	assert_true(srm_model_changed(model));
	srm_model_close(plain);
	srm_model_close(model);
	srm_model_close(srm_model_open(fixture, &options, NULL, &status));
	assert_int_equal(status.code, SRM_INVALID_MODEL);
	srm_status_init(&status);
}

/* whoever writes into a model's files while it is open harms no process */
static void
test_cut_model(void **state)
{
	static const char *models[] = {"llama", "head-armorm", "head-urm", "phi3"};

	(void) state;
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
	{
		check_cut_model(models[i], directory);
		check_cut_model(models[i], NULL);
	}
}

/* Cuts off the weights the nth time it is asked. */
static bool
cut_weights(void *arg)
{
	int		   *left = arg;

	if (--*left == 0)
		assert_int_equal(truncate(in_fixture(WEIGHTS), 0), 0);
	return false;
}

/* nor does it harm one that is opening the model, at whatever step */
static void
test_cut_while_opening(void **state)
{
	bool		done = false;

	(void) state;
	for (int n = 1; !done; n++)
	{
		int			left = n;
		SrmStop		stop = {.callback = cut_weights,.arg = &left};
		SrmModel   *model;

		copy_model("llama");
		srm_status_init(&status);
		options.prepared = n % 2 == 0 ? NULL : directory;
		model = srm_model_open(fixture, &options, &stop, &status);
		done = left > 0;
		if (model == NULL)
			assert_int_equal(status.code, SRM_INVALID_MODEL);
		assert_true(model != NULL || !done);
		srm_model_close(model);
	}
}

/* a model that is replaced gets a new file, and the old ones go */
static void
test_replaced(void **state)
{
	SrmModel   *old;
	char	   *weights;
	ino_t		first;

	(void) state;
	options.compute_choice = SRM_CHOICE_BF16;
	check_shared();
	options.compute_choice = SRM_CHOICE_AUTO;
	old = open_model();
	weights = malloc(old->prepared.bytes);
	memcpy(weights, old->prepared.data, old->prepared.bytes);
	first = inode(find_file(".f32.srm"));
	copy_model("llama-bias");
	assert_true(srm_model_changed(old));
	check_shared();
	assert_int_not_equal(inode(find_file(".f32.srm")), first);
	assert_string_equal(find_file(".bf16.srm"), "");
	/* what is mapped stays */
	assert_memory_equal(old->prepared.data, weights, old->prepared.bytes);
	free(weights);
	srm_model_close(old);
}

static const char *
in_directory(const char *name)
{
	static char path[400];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void
touch(const char *name)
{
	FILE	   *file = fopen(in_directory(name), "w");

	assert_non_null(file);
	fclose(file);
}

/* Gives the fixture another place: the model that was there is gone. */
static void
move_fixture(void)
{
	remove_fixture();
	snprintf(fixture, sizeof(fixture), "/tmp/srm-prepared-other.%ld", (long) getpid());
	copy_model("llama");
}

/* files of models that are gone and of crashes go, with their locks; those of others stay */
static void
test_cleaned(void **state)
{
	char		lock[400];

	(void) state;
	check_shared();
	snprintf(lock, sizeof(lock), "%s", find_file(".lock"));
	touch("0123456789abcdef.f32.tmp");
	touch("0123456789abcdef.f32.lock");
	touch("fedcba9876543210.f32.tmp");
	touch("mine.srm");
	touch("mine.lock");
	move_fixture();
	check_shared();
	assert_int_equal(access(in_directory("mine.srm"), F_OK), 0);
	assert_int_equal(access(in_directory("mine.lock"), F_OK), 0);
	unlink(in_directory("mine.srm"));
	unlink(in_directory("mine.lock"));
	assert_string_equal(find_file(".tmp"), "");
	/* one of each, and of the new model */
	assert_string_not_equal(find_file(".srm"), "");
	assert_string_not_equal(find_file(".lock"), lock);
}

/* the same without a new file, as when a model is dropped */
static void
test_cleaned_path(void **state)
{
	(void) state;
	srm_prepared_clean_path("/tmp/srm-nowhere/srm");
	check_shared();
	srm_prepared_clean_path(directory);
	check_shared();
	assert_string_not_equal(find_file(".srm"), "");
	remove_fixture();
	srm_prepared_clean_path(directory);
	assert_string_equal(find_file(".srm"), "");
	assert_string_equal(find_file(".lock"), "");
	assert_string_equal(find_file(".tok"), "");
	copy_model("llama");
}

/* a lock that somebody holds stays; one that goes between opening and locking is made anew */
static void
test_lock_removed(void **state)
{
	char		lock[400];
	pid_t		child;
	int			result;
	int			fd;

	(void) state;
	check_shared();
	snprintf(lock, sizeof(lock), "%s", find_file(".lock"));
	unlink(find_file(".srm"));
	fd = open(lock, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	srm_prepared_clean_path(directory);
	assert_int_equal(access(lock, F_OK), 0);
	child = fork();
	if (child == 0)
	{
		SrmModel   *model;
		bool		is_right;

		close(fd);
		model = srm_model_open(fixture, &options, NULL, &status);
		is_right = model != NULL && !model->prepared.is_private && inode(lock) != 0;
		srm_model_close(model);
		_exit(is_right ? 0 : 1);
	}
	/* It waits by now, for a file that has no name any more */
	usleep(300000);
	unlink(lock);
	close(fd);
	assert_int_equal(waitpid(child, &result, 0), child);
	assert_int_equal(result, 0);
	assert_string_not_equal(find_file(".srm"), "");
	assert_string_not_equal(find_file(".lock"), "");
}

static bool
say_stop(void *arg)
{
	int		   *left = arg;

	return (*left)-- <= 0;
}

/* who waits for another process can be stopped */
static void
test_stopped_while_waiting(void **state)
{
	int			left = 5;
	SrmStop		stop = {.callback = say_stop,.arg = &left};
	char		path[300];
	int			fd;

	(void) state;
	check_shared();
	unlink(find_file(".srm"));
	snprintf(path, sizeof(path), "%s", find_file(".lock"));
	fd = open(path, O_RDWR);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	/* opening asks a few times before it comes to the lock */
	left = 20;
	assert_null(srm_model_open(fixture, &options, &stop, &status));
	assert_int_equal(status.code, SRM_STOPPED);
	close(fd);
	srm_status_init(&status);
	check_shared();
}

/* nothing is left of a file whose making was stopped */
static void
test_stopped_while_making(void **state)
{
	bool		done = false;

	(void) state;
	for (int n = 0; !done; n++)
	{
		int			left = n;
		SrmStop		stop = {.callback = say_stop,.arg = &left};
		SrmModel   *model = srm_model_open(fixture, &options, &stop, &status);

		done = model != NULL;
		if (!done)
			assert_int_equal(status.code, SRM_STOPPED);
		srm_model_close(model);
		srm_status_init(&status);
		if (access(directory, F_OK) == 0)
			assert_string_equal(find_file(".tmp"), "");
	}
	check_shared();
}

/* processes that come at once share one file */
static void
test_race(void **state)
{
	enum {N = 4};
	pid_t		children[N];

	(void) state;
	for (int i = 0; i < N; i++)
	{
		children[i] = fork();
		if (children[i] == 0)
		{
			SrmModel   *model = srm_model_open(fixture, &options, NULL, &status);
			bool		failed = model == NULL || model->prepared.is_private;

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
	check_shared();
	assert_string_not_equal(find_file(".srm"), "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_made_and_reused),
		TEST(test_kinds),
		TEST(test_own_choice),
		TEST(test_private),
		TEST(test_unwritable),
		TEST(test_damaged),
		TEST(test_cut),
		TEST(test_not_a_file),
		TEST(test_full_check),
		TEST(test_cut_model),
		TEST(test_cut_while_opening),
		TEST(test_replaced),
		TEST(test_cleaned),
		TEST(test_cleaned_path),
		TEST(test_lock_removed),
		TEST(test_stopped_while_waiting),
		TEST(test_stopped_while_making),
		TEST(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
