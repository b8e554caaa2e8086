/*-------------------------------------------------------------------------
 *
 * tokenizer_image.c
 *	  The large tables of a tokenizer as one piece of memory, for a file that
 *	  all processes map.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer_image.h"

#include <string.h>

#include "base/hash.h"
#include "tokenizer/unigram.h"

/* To be changed with the layout, with hashes, and with what the loaders make of a file. */
#define MAGIC			"SRMTOKN1"
#define BYTE_ORDER_MARK	UINT32_C(0x01020304)
#define ALIGN			((size_t) 64)

/* All sizes follow from it. */
typedef struct Header
{
	char		magic[8];
	uint32_t	byte_order;
	uint32_t	kind;			/* SrmTokenizerKind */
	uint32_t	n_ids;
	uint32_t	n_tokens;
	uint32_t	n_slots;
	uint32_t	n_bytes;
	uint32_t	longest;
	uint32_t	n_merges;		/* slots of them */
	uint32_t	n_settings;
	uint32_t	unused;
	double		unknown_score;
	uint64_t	checksum;		/* of all bytes, with this as 0 */
} Header;

/* Where the parts begin, from the header on. */
typedef struct Layout
{
	size_t		settings;
	size_t		slots;
	size_t		offsets;
	size_t		bytes;
	size_t		merges;
	size_t		scores;
	size_t		longest;
	size_t		end;
} Layout;

static size_t
place(size_t *end, size_t n, size_t size)
{
	size_t		start = *end;

	*end = (start + n * size + ALIGN - 1) / ALIGN * ALIGN;
	return start;
}

/* No sum of eight products of 32 bits and a small size is beyond 64 bits. */
static Layout
make_layout(const Header *header)
{
	bool		is_unigram = header->kind == SRM_TOKENIZER_UNIGRAM;
	size_t		n_scores = is_unigram ? header->n_ids : 0;
	Layout		layout;
	size_t		end = 0;

	(void) place(&end, 1, sizeof(Header));
	layout.settings = place(&end, (size_t) header->n_settings + 1, 1);
	layout.slots = place(&end, header->n_slots, sizeof(uint32_t));
	layout.offsets = place(&end, (size_t) header->n_ids + 1, sizeof(uint32_t));
	layout.bytes = place(&end, header->n_bytes, 1);
	layout.merges = place(&end, header->n_merges, sizeof(SrmMergeSlot));
	layout.scores = place(&end, n_scores, sizeof(double));
	layout.longest = place(&end, is_unigram ? SRM_UNIGRAM_PAIRS : 0, sizeof(uint16_t));
	layout.end = end;
	return layout;
}

static Header
make_header(const SrmTokenizerTables *tables)
{
	const SrmVocabulary *vocabulary = &tables->vocabulary;
	Header		header = {
		.magic = MAGIC,
		.byte_order = BYTE_ORDER_MARK,
		.kind = (uint32_t) tables->kind,
		.n_ids = (uint32_t) vocabulary->n_ids,
		.n_tokens = (uint32_t) vocabulary->n_tokens,
		.n_slots = vocabulary->n_slots,
		.n_bytes = vocabulary->n_bytes,
		.longest = (uint32_t) vocabulary->longest,
		.n_merges = tables->kind == SRM_TOKENIZER_BPE ? tables->merges.n_slots : 0,
		.n_settings = (uint32_t) tables->n_settings,
		.unknown_score = tables->kind == SRM_TOKENIZER_UNIGRAM ? tables->unknown_score : 0.0
	};

	return header;
}

static uint64_t
checksum(const Header *header, const char *data, size_t size)
{
	Header		copy = *header;

	copy.checksum = 0;
	return srm_hash_bytes(srm_hash_bytes(0, &copy, sizeof(Header)), data + sizeof(Header),
						  size - sizeof(Header));
}

static void
copy_tables(char *data, const Layout *layout, const Header *header, const SrmTokenizerTables *tables)
{
	const SrmVocabulary *vocabulary = &tables->vocabulary;

	memcpy(data + layout->settings, tables->settings, header->n_settings);
	memcpy(data + layout->slots, vocabulary->slots, header->n_slots * sizeof(uint32_t));
	memcpy(data + layout->offsets, vocabulary->offsets, ((size_t) header->n_ids + 1) * sizeof(uint32_t));
	memcpy(data + layout->bytes, vocabulary->bytes, header->n_bytes);
	if (tables->kind == SRM_TOKENIZER_BPE)
		memcpy(data + layout->merges, tables->merges.slots, header->n_merges * sizeof(SrmMergeSlot));
	else if (tables->kind == SRM_TOKENIZER_UNIGRAM)
	{
		memcpy(data + layout->scores, tables->scores, header->n_ids * sizeof(double));
		memcpy(data + layout->longest, tables->longest, SRM_UNIGRAM_PAIRS * sizeof(uint16_t));
	}
}

const char *
srm_tokenizer_image_make(const SrmTokenizerTables *tables, SrmArena *arena, size_t *size,
						 SrmStatus *status)
{
	Header		header = make_header(tables);
	Layout		layout = make_layout(&header);
	char	   *data;

	/* Parsing bounds it well below that */
	if (tables->n_settings >= UINT32_MAX)
	{
		srm_fail(status, SRM_LIMIT_EXCEEDED, "tokenizer is too large");
		return NULL;
	}
	data = srm_arena_array(arena, layout.end, 1, status);
	if (data == NULL)
		return NULL;
	copy_tables(data, &layout, &header, tables);
	header.checksum = checksum(&header, data, layout.end);
	memcpy(data, &header, sizeof(Header));
	*size = layout.end;
	return data;
}

/* Whether the numbers are such that the tables can be used, whatever stands in them. */
static bool
check_header(const Header *header, size_t size)
{
	return memcmp(header->magic, MAGIC, sizeof(header->magic)) == 0 &&
		header->byte_order == BYTE_ORDER_MARK &&
		header->kind <= SRM_TOKENIZER_WORDPIECE &&
		header->n_ids >= 1 && header->n_ids <= SRM_MAX_TOKEN_ID + 1 &&
		header->n_tokens <= header->n_ids && header->longest <= header->n_bytes &&
		make_layout(header).end == size;
}

bool
srm_tokenizer_image_read(const void *image, size_t size, SrmTokenizerTables *tables)
{
	char	   *data = (char *) image;
	Header		header;
	Layout		layout;

	if (size < sizeof(Header))
		return false;
	memcpy(&header, data, sizeof(Header));
	if (!check_header(&header, size) || checksum(&header, data, size) != header.checksum)
		return false;
	layout = make_layout(&header);
	*tables = (SrmTokenizerTables) {
		.kind = (SrmTokenizerKind) header.kind,
		.vocabulary = {
			.slots = (uint32_t *) (data + layout.slots),
			.offsets = (uint32_t *) (data + layout.offsets),
			.bytes = data + layout.bytes,
			.n_slots = header.n_slots,
			.n_bytes = header.n_bytes,
			.n_ids = (int32_t) header.n_ids,
			.n_tokens = (int32_t) header.n_tokens,
			.longest = header.longest
		},
		.merges = {
			.slots = (SrmMergeSlot *) (data + layout.merges),
			.n_slots = header.n_merges,
			.n_ids = (int32_t) header.n_ids
		},
		.unknown_score = header.unknown_score,
		.scores = (double *) (data + layout.scores),
		.longest = (uint16_t *) (data + layout.longest),
		.settings = data + layout.settings,
		.n_settings = header.n_settings
	};
	return true;
}
