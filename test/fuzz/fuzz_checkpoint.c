/*-------------------------------------------------------------------------
 *
 * fuzz_checkpoint.c
 *	  The state of a training run, damaged behind its checksum: an error, or
 *	  a run that goes on and ends.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_files.h"

#include "train/random.h"
#include "train/train.h"

#define N_PAIRS		6
#define N_ARRAYS	4
#define MAX_STEPS	100

static SrmTrainOptions options;
static char checkpoint[128];
static char path[256];
static Bytes whole;
static size_t sum_at;			/* where the hash of the file stands, the last of its header */

static SrmMessage
message(const char *role, const char *content)
{
	return (SrmMessage) {.role = role,.content = content,.content_length = strlen(content)};
}

static SrmTrainer *
open_run(SrmStatus *status)
{
	SrmTrainer *trainer = srm_trainer_open(&options, NULL, status);
	SrmMessage	prompt = message("user", "Is it?");

	check_status(trainer != NULL, status);
	for (uint64_t i = 0; i < N_PAIRS; i++)
	{
		SrmTrainPair pair = {.prompt = &prompt,.n_prompt = 1,.weight = 1.0,.row = i + 1};

		pair.chosen = message("assistant", i % 2 == 0 ? "Yes. It is." : "Yes, of course.");
		pair.rejected = message("assistant", "No. It is not.");
		check_status(srm_trainer_add(trainer, &pair, NULL, status), status);
	}
	return trainer;
}

/* The hash of a file whose header is followed by arrays of one size. */
static uint64_t
sum_file(const char *data, size_t at)
{
	size_t		start = at + sizeof(uint64_t);
	size_t		size = (whole.size - start) / N_ARRAYS;
	uint64_t	sum = srm_hash_words(0, data, at);

	for (size_t i = 0; i < N_ARRAYS; i++)
		sum = srm_hash_words(sum, data + start + i * size, size);
	return sum;
}

static void
find_sum(void)
{
	for (sum_at = 8; sum_at < 1024; sum_at += 8)
	{
		uint64_t	sum = sum_file(whole.data, sum_at);

		if (memcmp(whole.data + sum_at, &sum, sizeof(sum)) == 0)
			return;
	}
	/* Nothing would be seen behind it */
	abort();
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	SrmStatus	status;
	SrmTrainer *trainer;
	SrmTrainPlan plan;
	SrmTrainReport report;

	(void) argc;
	(void) argv;
	make_place("checkpoint");
	snprintf(checkpoint, sizeof(checkpoint), "%s/run", place);
	snprintf(path, sizeof(path), "%s/training.state", checkpoint);
	srm_train_defaults(&options);
	options.base = "test/data/models/attention-offset";
	options.output = place;
	options.name = "new";
	options.part = SRM_TRAIN_HEAD;
	options.checkpoint = checkpoint;
	options.checkpoint_seconds = 0;
	options.epochs = 2.0;
	options.batch = 2;
	options.held_out = 0.3;
	options.patience = 2;
	srm_status_init(&status);
	trainer = open_run(&status);
	check_status(srm_trainer_begin(trainer, &plan, NULL, &status) &&
				 srm_trainer_step(trainer, &report, NULL, &status), &status);
	srm_trainer_close(trainer);
	whole = read_file(path);
	find_sum();
	options.resume = true;
	return 0;
}

static void
resume(SrmStatus *status)
{
	SrmTrainer *trainer = open_run(status);
	SrmTrainPlan plan;
	SrmTrainReport report = {0};
	bool		going = srm_trainer_begin(trainer, &plan, NULL, status);

	for (int i = 0; going && !report.done; i++)
	{
		check(i < MAX_STEPS);
		going = srm_trainer_step(trainer, &report, NULL, status);
	}
	check(going || status->message[0] != '\0');
	srm_trainer_close(trainer);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy = patch(whole, data, size);
	SrmStatus	status;
	uint64_t	sum = sum_file(copy, sum_at);

	memcpy(copy + sum_at, &sum, sizeof(sum));
	(void) mkdir(checkpoint, 0700);
	write_file(path, copy, whole.size);
	free(copy);
	srm_status_init(&status);
	resume(&status);
	return 0;
}
