/*-------------------------------------------------------------------------
 *
 * bench_train.c
 *	  A training run without a server: losses, accuracy, tokens per second.
 *
 *	  bench_train BASE PAIRS.jsonl STEPS [NAME=VALUE ...]
 *
 * PAIRS has a pair a line: "prompt" (a string, or a list of messages),
 * "chosen", "rejected".  Names are part, aggregation, boundary, batch, rate,
 * epochs, held_out, seed, threads, rank, decay, every, max_tokens, output.  Prints a line of JSON for each
 * step, with the seconds of all processors since the first one began.  STEPS 0 runs to the end.  tools/train_reference.py does the same in torch.
 *
 *-------------------------------------------------------------------------
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../kernels_environment.h"
#include "base/json.h"
#include "train/train.h"

typedef struct Bench
{
	SrmStatus	status;
	SrmTrainOptions options;
	SrmTrainer *trainer;
	uint64_t	n_steps;
} Bench;

static void
quit(const Bench *bench)
{
	fprintf(stderr, "%s %s %s\n", bench->status.message, bench->status.detail, bench->status.hint);
	exit(1);
}

static void
print_notice(void *arg, const char *message)
{
	(void) arg;
	fprintf(stderr, "%s\n", message);
}

static const char *
text_of(const SrmJson *row, const char *key)
{
	const char *text = srm_json_string(srm_json_member(row, key));

	return text == NULL ? "" : text;
}

/* The messages of a prompt, which is one message of the user where it is a string. */
static size_t
read_prompt(const SrmJson *prompt, SrmMessage *messages, size_t capacity)
{
	const char *text = srm_json_string(prompt);
	size_t		n = 0;

	if (text != NULL || prompt == NULL)
	{
		messages[0] = (SrmMessage) {"user", text == NULL ? "" : text, text == NULL ? 0 : strlen(text), NULL};
		return 1;
	}
	for (const SrmJson *child = prompt->child; child != NULL && n < capacity; child = child->next)
	{
		const char *content = text_of(child, "content");

		messages[n++] = (SrmMessage) {text_of(child, "role"), content, strlen(content), NULL};
	}
	return n;
}

static SrmMessage
response_of(const SrmJson *row, const char *key)
{
	const char *text = text_of(row, key);

	return (SrmMessage) {.role = "assistant",.content = text,.content_length = strlen(text)};
}

static void
add_row(Bench *bench, const char *line, size_t length, uint64_t number, SrmArena *arena)
{
	const SrmJson *row = srm_json_parse(line, length, "pair", arena, &bench->status);
	SrmMessage	messages[256];
	SrmTrainPair pair = {.prompt = messages,.weight = 1.0,.row = number};

	if (row == NULL)
		quit(bench);
	pair.n_prompt = read_prompt(srm_json_member(row, "prompt"), messages, 256);
	pair.chosen = response_of(row, "chosen");
	pair.rejected = response_of(row, "rejected");
	if (!srm_trainer_add(bench->trainer, &pair, NULL, &bench->status))
		quit(bench);
}

static void
read_pairs(Bench *bench, const char *path)
{
	FILE	   *file = fopen(path, "r");
	SrmArena   *arena = srm_arena_create(&bench->status);
	char	   *line = NULL;
	size_t		capacity = 0;
	ssize_t		length;
	uint64_t	number = 0;

	if (file == NULL || arena == NULL)
	{
		fprintf(stderr, "cannot read %s\n", path);
		exit(1);
	}
	while ((length = getline(&line, &capacity, file)) > 0)
	{
		srm_arena_reset(arena);
		add_row(bench, line, (size_t) length, number++, arena);
	}
	free(line);
	srm_arena_free(arena);
	fclose(file);
}

static void
set_option(Bench *bench, const char *name, const char *value)
{
	SrmTrainOptions *options = &bench->options;
	double		number = atof(value);

	if (strcmp(name, "part") == 0)
		srm_train_part_find(value, &options->part);
	else if (strcmp(name, "aggregation") == 0)
		options->has_aggregation = srm_aggregation_find(value, &options->aggregation);
	else if (strcmp(name, "boundary") == 0)
		options->has_boundary = srm_boundary_find(value, &options->boundary);
	else if (strcmp(name, "batch") == 0)
		options->batch = (size_t) number;
	else if (strcmp(name, "rate") == 0)
		options->learning_rate = number;
	else if (strcmp(name, "epochs") == 0)
		options->epochs = number;
	else if (strcmp(name, "held_out") == 0)
		options->held_out = number;
	else if (strcmp(name, "seed") == 0)
		options->seed = (uint64_t) number;
	else if (strcmp(name, "threads") == 0)
		options->n_threads = (int) number;
	else if (strcmp(name, "rank") == 0)
		options->lora_rank = (size_t) number;
	else if (strcmp(name, "decay") == 0)
		options->weight_decay = number;
	else if (strcmp(name, "every") == 0)
		options->evaluate_every = (size_t) number;
	else if (strcmp(name, "max_tokens") == 0)
		options->max_tokens = (size_t) number;
	else if (strcmp(name, "output") == 0)
		options->output = value;
	else
	{
		fprintf(stderr, "unknown option %s\n", name);
		exit(1);
	}
}

static void
print_report(const SrmTrainReport *report, double processor_seconds)
{
	printf("{\"step\": %llu, \"loss\": %.8f, \"accuracy\": %.4f, \"rate\": %.8g, \"norm\": %.6g, \"tokens_per_second\": %.1f, \"processor_seconds\": %.2f",
		   (unsigned long long) report->step, report->loss, report->accuracy, report->learning_rate,
		   report->gradient_norm, report->tokens_per_second, processor_seconds);
	if (report->evaluated)
		printf(", \"held_out_accuracy\": %.4f, \"held_out_loss\": %.5f", report->held_out_accuracy,
			   report->held_out_loss);
	printf("}\n");
	fflush(stdout);
}

static void
run(Bench *bench)
{
	SrmTrainPlan plan;
	SrmTrainReport report;
	clock_t		start;

	if (!srm_trainer_begin(bench->trainer, &plan, NULL, &bench->status))
		quit(bench);
	fprintf(stderr, "%zu pairs to train on, %zu held out, %zu skipped; %llu steps, %zu parameters, %zu MB\n",
			plan.n_train, plan.n_held_out, plan.n_skipped, (unsigned long long) plan.n_steps,
			plan.n_parameters, plan.memory >> 20);
	start = clock();
	do
	{
		if (!srm_trainer_step(bench->trainer, &report, NULL, &bench->status))
			quit(bench);
		print_report(&report, (double) (clock() - start) / CLOCKS_PER_SEC);
	} while (!report.done && (bench->n_steps == 0 || report.step < bench->n_steps));
}

int
main(int argc, char **argv)
{
	Bench		bench = {0};

	if (argc < 4)
	{
		fprintf(stderr, "usage: bench_train BASE PAIRS.jsonl STEPS [NAME=VALUE ...]\n");
		return 2;
	}
	choose_kernels_of_environment();
	srm_status_init(&bench.status);
	srm_train_defaults(&bench.options);
	bench.options.base = argv[1];
	bench.options.name = "trained";
	bench.options.replace = true;
	bench.options.notice.callback = print_notice;
	bench.n_steps = strtoull(argv[3], NULL, 10);
	for (int i = 4; i < argc; i++)
	{
		char	   *value = strchr(argv[i], '=');

		if (value == NULL)
			continue;
		*value = '\0';
		set_option(&bench, argv[i], value + 1);
	}
	bench.trainer = srm_trainer_open(&bench.options, NULL, &bench.status);
	if (bench.trainer == NULL)
		quit(&bench);
	read_pairs(&bench, argv[2]);
	run(&bench);
	if (bench.options.output != NULL && !srm_trainer_finish(bench.trainer, NULL, &bench.status))
		quit(&bench);
	srm_trainer_close(bench.trainer);
	return 0;
}
