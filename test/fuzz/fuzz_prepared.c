/*-------------------------------------------------------------------------
 *
 * fuzz_prepared.c
 *	  Prepared weights that are damaged behind their checksums: a file that
 *	  is made again, or a score, or an error that says that it is no number.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz_files.h"

#include "base/hash.h"
#include "model/prepared/prepared_format.h"
#include "score/scorer.h"

static char model[128];
static char prepared[128];
static char path[400];
static Bytes whole;

static void
fix_checksums(char *data)
{
	SrmPreparedHeader header;
	SrmPreparedEntry *entries = (SrmPreparedEntry *) (data + sizeof(header));
	size_t		n;

	memcpy(&header, whole.data, sizeof(header));
	n = header.n_matrices;
	for (size_t i = 0; i < n; i++)
	{
		const SrmPreparedEntry *entry = (const SrmPreparedEntry *) (whole.data + sizeof(header)) + i;
		size_t		sample = entry->size < SRM_PREPARED_SAMPLE ? entry->size : SRM_PREPARED_SAMPLE;

		entries[i].sample = srm_hash_bytes(0, data + entry->offset, sample);
		entries[i].checksum = srm_hash_bytes(0, data + entry->offset, entry->size);
	}
	memcpy(&header, data, sizeof(header));
	header.checksum = 0;
	header.checksum = srm_hash_bytes(srm_hash_bytes(0, &header, sizeof(header)), entries,
									 n * sizeof(SrmPreparedEntry));
	memcpy(data, &header, sizeof(header));
}

/* Scores a response with what is in the directory. */
static void
score(SrmStatus *status)
{
	static const SrmMessage messages[] = {{.role = "user",.content = "Hi.",.content_length = 3}, {.role = "assistant",.content = "It is. No.",.content_length = 10}};
	SrmModelOptions options = {.compute_choice = SRM_CHOICE_F32,.prepared = prepared,.mode = 0700};
	SrmArena   *arena = srm_arena_create(status);
	SrmScorer  *scorer = srm_scorer_open(model, &options, NULL, status);
	SrmScoreOptions how;
	SrmScored	scored;

	check_status(scorer != NULL, status);
	srm_scorer_defaults(scorer, &how);
	if (!srm_scorer_score(scorer, messages, 2, &how, arena, &scored, NULL, status))
		check(status->code == SRM_INVALID_MODEL);
	srm_scorer_close(scorer);
	srm_arena_free(arena);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	SrmStatus	status;
	char	   *copy;

	(void) argc;
	(void) argv;
	make_place("prepared");
	snprintf(model, sizeof(model), "%s/model", place);
	snprintf(prepared, sizeof(prepared), "%s/prepared", place);
	copy_files("test/data/models/llama", model);
	srm_status_init(&status);
	score(&status);
	check_status(status.code == SRM_OK, &status);
	snprintf(path, sizeof(path), "%s", find_file(prepared, ".srm"));
	whole = read_file(path);
	copy = patch(whole, NULL, 0);
	fix_checksums(copy);
	/* Else nothing would be seen behind them */
	check(memcmp(copy, whole.data, whole.size) == 0);
	free(copy);
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char	   *copy = patch(whole, data, size);
	SrmStatus	status;

	fix_checksums(copy);
	write_file(path, copy, whole.size);
	free(copy);
	srm_status_init(&status);
	score(&status);
	return 0;
}
