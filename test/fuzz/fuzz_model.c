/*-------------------------------------------------------------------------
 *
 * fuzz_model.c
 *	  Damaged files of a model as it is opened: the index of a sharded one,
 *	  and weights that are quantized.
 *
 * The first byte chooses.  An index is the input as it is; of quantized weights it is the
 * changes.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_files.h"

#include "write/quantize.h"
#include "score/scorer.h"

static char sharded[128];
static char quantized[128];
static Bytes whole;				/* quantized weights */

static void
quantize(void)
{
	SrmStatus	status;
	SrmWriter  *writer;

	srm_status_init(&status);
	writer = srm_writer_begin(place, "quantized", false, 0700, &status);
	check_status(writer != NULL && srm_model_quantize(writer, "test/data/models/llama", false, NULL, &status) &&
				 srm_writer_commit(writer, &status), &status);
	srm_writer_close(writer);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	make_place("model");
	snprintf(sharded, sizeof(sharded), "%s/sharded", place);
	snprintf(quantized, sizeof(quantized), "%s/quantized", place);
	copy_files("test/data/models/qwen3-sharded", sharded);
	quantize();
	whole = read_file(in_place("quantized/model.safetensors"));
	return 0;
}

/* Opens the model, and scores a response with it. */
static void
use(const char *directory)
{
	static const SrmMessage messages[] = {{.role = "user",.content = "Hi.",.content_length = 3}, {.role = "assistant",.content = "It is. No.",.content_length = 10}};
	SrmModelOptions options = {.compute = SRM_COMPUTE_AUTO};
	SrmStatus	status;
	SrmArena   *arena;
	SrmScorer  *scorer;
	SrmScoreOptions how;
	SrmScored	scored;

	srm_status_init(&status);
	arena = srm_arena_create(&status);
	scorer = srm_scorer_open(directory, &options, NULL, &status);
	check((scorer == NULL) == (status.code != SRM_OK));
	if (scorer == NULL)
		check(status.message[0] != '\0');
	else
	{
		srm_scorer_defaults(scorer, &how);
		if (!srm_scorer_score(scorer, messages, 2, &how, arena, &scored, NULL, &status))
			check(status.code == SRM_INVALID_MODEL || status.code == SRM_LIMIT_EXCEEDED);
	}
	srm_scorer_close(scorer);
	srm_arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy;

	if (size == 0)
		return 0;
	if (data[0] % 2 == 0)
	{
		write_file(in_place("sharded/model.safetensors.index.json"), data + 1, size - 1);
		use(sharded);
		return 0;
	}
	copy = patch(whole, data + 1, size - 1);
	write_file(in_place("quantized/model.safetensors"), copy, whole.size);
	free(copy);
	use(quantized);
	return 0;
}
