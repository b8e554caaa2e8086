/*-------------------------------------------------------------------------
 *
 * train_fixture.h
 *	  Training runs of a tiny model, for tests.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TRAIN_FIXTURE_H
#define SRM_TRAIN_FIXTURE_H

#include "testing.h"

#include <unistd.h>

#include "train/train.h"

#define BASE	"test/data/models/attention-marker"

/* Pairs that can be told apart: good answers begin with another word than bad ones. */
static const char *const good[] = {
	"Yes. The answer is here. It helps.", "Yes, of course. Take two steps.", "Yes. This is right.",
	"Yes! We can do that. Here is how. Go on."
};
static const char *const bad[] = {
	"No. The answer is not here. It does not help.", "No, never. Take none.", "No. This is wrong.",
	"No! We cannot do that. Leave. Go away."
};

typedef struct Run
{
	SrmStatus	status;
	SrmTrainOptions options;
	SrmTrainer *trainer;
	SrmTrainPlan plan;
	SrmTrainReport report;
	char		directory[64];
	int			n_asked;		/* by the stop callback */
	int			stop_at;		/* 0: never */
} Run;

static inline bool
ask_stop(void *arg)
{
	Run		   *run = arg;

	return run->stop_at > 0 && ++run->n_asked >= run->stop_at;
}

static inline void
start_options(Run *run)
{
	memset(run, 0, sizeof(Run));
	srm_status_init(&run->status);
	strcpy(run->directory, "/tmp/srm-train-XXXXXX");
	assert_non_null(mkdtemp(run->directory));
	srm_train_defaults(&run->options);
	run->options.base = BASE;
	run->options.output = run->directory;
	run->options.name = "new";
	run->options.replace = true;
	run->options.epochs = 6.0;
	run->options.batch = 5;
	run->options.learning_rate = 3e-3;
	run->options.held_out = 0.2;
	run->options.write_f32 = true;
}

static inline SrmMessage
response_of(const char *text)
{
	return (SrmMessage) {.role = "assistant",.content = text,.content_length = strlen(text)};
}

static inline void
add_pairs(Run *run)
{
	for (int i = 0; i < 40; i++)
	{
		char		question[32];
		SrmMessage	prompt = {"user", question, 0, NULL};
		SrmTrainPair pair = {.prompt = &prompt,.n_prompt = 1,.weight = 1.0,.row = (uint64_t) i + 1};

		snprintf(question, sizeof(question), "Question %d?", i / 2);
		prompt.content_length = strlen(question);
		pair.chosen = response_of(good[i % 4]);
		pair.rejected = response_of(bad[(i / 4 + i) % 4]);
		if (!srm_trainer_add(run->trainer, &pair, NULL, &run->status))
			fail_msg("%s %s", run->status.message, run->status.detail);
	}
}

static inline void
open_run(Run *run)
{
	run->trainer = srm_trainer_open(&run->options, NULL, &run->status);
	if (run->trainer == NULL)
		fail_msg("%s %s", run->status.message, run->status.detail);
	add_pairs(run);
	if (!srm_trainer_begin(run->trainer, &run->plan, NULL, &run->status))
		fail_msg("%s %s", run->status.message, run->status.detail);
}

static inline void
run_steps(Run *run)
{
	do
	{
		if (!srm_trainer_step(run->trainer, &run->report, NULL, &run->status))
			fail_msg("%s %s", run->status.message, run->status.detail);
	} while (!run->report.done);
}

static inline void
finish_run(Run *run)
{
	if (!srm_trainer_finish(run->trainer, NULL, &run->status))
		fail_msg("%s %s", run->status.message, run->status.detail);
	srm_trainer_close(run->trainer);
	run->trainer = NULL;
}

static inline void
remove_run(Run *run)
{
	char		command[128];

	srm_trainer_close(run->trainer);
	snprintf(command, sizeof(command), "rm -rf %s", run->directory);
	assert_int_equal(system(command), 0);
}

#endif							/* SRM_TRAIN_FIXTURE_H */
