/*-------------------------------------------------------------------------
 *
 * fuzz_model.c
 *	  Damaged files of a model as it is opened: the index of a sharded one,
 *	  weights that are quantized, and both files of an adapter.
 *
 * The first byte chooses.  An index, or an adapter's configuration, is the input as it is; of
 * weights it is the changes.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_files.h"

#include "write/quantize.h"
#include "score/scorer.h"

static char sharded[128];
static char quantized[128];
static char adapter[128];
static Bytes whole;				/* quantized weights */
static Bytes factors;			/* weights of the adapter */
static Bytes adapter_config;

static void
quantize(void)
{
	SrmStatus	status;
	SrmWriter  *writer;

	srm_status_init(&status);
	writer = srm_writer_begin(place, "quantized", false, 0700, &status);
	check_status(writer != NULL && srm_model_quantize(writer, "test/data/models/llama", NULL, &(SrmQuantizeOptions) {.dtype = SRM_INT8}, NULL, &status) &&
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
	snprintf(adapter, sizeof(adapter), "%s/adapter", place);
	copy_files("test/data/models/llama", in_place("llama"));
	copy_files("test/data/models/adapter-llama", adapter);
	factors = read_file(in_place("adapter/adapter_model.safetensors"));
	adapter_config = read_file(in_place("adapter/adapter_config.json"));
	quantize();
	whole = read_file(in_place("quantized/model.safetensors"));
	return 0;
}

/* Opens the model, and scores a response with it. */
static void
use(const char *directory)
{
	static const SrmMessage messages[] = {{.role = "user",.content = "Hi.",.content_length = 3}, {.role = "assistant",.content = "It is. No.",.content_length = 10}};
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_AUTO};
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

/* Opens a model with changes in a file of weights, given whole. */
static void
use_patched(const char *directory, const char *name, Bytes weights, const uint8_t *data, size_t size)
{
	char	   *copy = patch(weights, data, size);

	write_file(in_place(name), copy, weights.size);
	free(copy);
	use(directory);
	write_file(in_place(name), weights.data, weights.size);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % 4)
	{
		case 0:
			write_file(in_place("sharded/model.safetensors.index.json"), data + 1, size - 1);
			use(sharded);
			break;
		case 1:
			use_patched(quantized, "quantized/model.safetensors", whole, data + 1, size - 1);
			break;
		case 2:
			write_file(in_place("adapter/adapter_config.json"), data + 1, size - 1);
			use(adapter);
			write_file(in_place("adapter/adapter_config.json"), adapter_config.data, adapter_config.size);
			break;
		default:
			use_patched(adapter, "adapter/adapter_model.safetensors", factors, data + 1, size - 1);
			break;
	}
	return 0;
}
