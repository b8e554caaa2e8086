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

/* To be changed with the places of parts, with hashes, and with what the loaders make of a file. */
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
typedef struct Places
{
	size_t		settings;
	size_t		slots;
	size_t		offsets;
	size_t		bytes;
	size_t		merges;
	size_t		scores;
	size_t		longest;
	size_t		end;
} Places;

static size_t
place(size_t *end, size_t n, size_t size)
{
	size_t		start = *end;

	*end = (start + n * size + ALIGN - 1) / ALIGN * ALIGN;
	return start;
}

/* No sum of eight products of 32 bits and a small size is beyond 64 bits. */
static Places
find_places(const Header *header)
{
	bool		is_unigram = header->kind == SRM_TOKENIZER_UNIGRAM;
	size_t		n_scores = is_unigram ? header->n_ids : 0;
	Places		places;
	size_t		end = 0;

	(void) place(&end, 1, sizeof(Header));
	places.settings = place(&end, (size_t) header->n_settings + 1, 1);
	places.slots = place(&end, header->n_slots, sizeof(uint32_t));
	places.offsets = place(&end, (size_t) header->n_ids + 1, sizeof(uint32_t));
	places.bytes = place(&end, header->n_bytes, 1);
	places.merges = place(&end, header->n_merges, sizeof(SrmMergeSlot));
	places.scores = place(&end, n_scores, sizeof(double));
	places.longest = place(&end, is_unigram ? SRM_UNIGRAM_PAIRS : 0, sizeof(uint16_t));
	places.end = end;
	return places;
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
copy_tables(char *data, const Places *places, const Header *header, const SrmTokenizerTables *tables)
{
	const SrmVocabulary *vocabulary = &tables->vocabulary;

	memcpy(data + places->settings, tables->settings, header->n_settings);
	memcpy(data + places->slots, vocabulary->slots, header->n_slots * sizeof(uint32_t));
	memcpy(data + places->offsets, vocabulary->offsets, ((size_t) header->n_ids + 1) * sizeof(uint32_t));
	memcpy(data + places->bytes, vocabulary->bytes, header->n_bytes);
	if (tables->kind == SRM_TOKENIZER_BPE)
		memcpy(data + places->merges, tables->merges.slots, header->n_merges * sizeof(SrmMergeSlot));
	else if (tables->kind == SRM_TOKENIZER_UNIGRAM)
	{
		memcpy(data + places->scores, tables->scores, header->n_ids * sizeof(double));
		memcpy(data + places->longest, tables->longest, SRM_UNIGRAM_PAIRS * sizeof(uint16_t));
	}
}

const char *
srm_tokenizer_image_make(const SrmTokenizerTables *tables, SrmArena *arena, size_t *size,
						 SrmStatus *status)
{
	Header		header = make_header(tables);
	Places		places = find_places(&header);
	char	   *data;

	/* Parsing bounds it well below that */
	if (tables->n_settings >= UINT32_MAX)
	{
		srm_fail(status, SRM_LIMIT_EXCEEDED, "tokenizer is too large");
		return NULL;
	}
	data = srm_arena_array(arena, places.end, 1, status);
	if (data == NULL)
		return NULL;
	copy_tables(data, &places, &header, tables);
	header.checksum = checksum(&header, data, places.end);
	memcpy(data, &header, sizeof(Header));
	*size = places.end;
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
		find_places(header).end == size;
}

bool
srm_tokenizer_image_read(const void *image, size_t size, SrmTokenizerTables *tables)
{
	char	   *data = (char *) image;
	Header		header;
	Places		places;

	if (size < sizeof(Header))
		return false;
	memcpy(&header, data, sizeof(Header));
	if (!check_header(&header, size) || checksum(&header, data, size) != header.checksum)
		return false;
	places = find_places(&header);
	*tables = (SrmTokenizerTables) {
		.kind = (SrmTokenizerKind) header.kind,
		.vocabulary = {
			.slots = (uint32_t *) (data + places.slots),
			.offsets = (uint32_t *) (data + places.offsets),
			.bytes = data + places.bytes,
			.n_slots = header.n_slots,
			.n_bytes = header.n_bytes,
			.n_ids = (int32_t) header.n_ids,
			.n_tokens = (int32_t) header.n_tokens,
			.longest = header.longest
		},
		.merges = {
			.slots = (SrmMergeSlot *) (data + places.merges),
			.n_slots = header.n_merges,
			.n_ids = (int32_t) header.n_ids
		},
		.unknown_score = header.unknown_score,
		.scores = (double *) (data + places.scores),
		.longest = (uint16_t *) (data + places.longest),
		.settings = data + places.settings,
		.n_settings = header.n_settings
	};
	return true;
}
