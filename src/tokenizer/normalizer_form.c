/*-------------------------------------------------------------------------
 *
 * normalizer_form.c
 *	  Unicode's normal forms, with the origin of each character.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/normalizer_form.h"

#include <string.h>

#include "base/utf8.h"
#include "tokenizer/unicode_classes.h"

/* Younger code points than those of the tokenizers library's tables are left alone. */
#define UNICODE_RELEASE		9
#define MAX_DECOMPOSITION	32	/* code points; the longest in Unicode is 18 */

/*
 * A code point of a text that is being normalized.  taken tells how many of
 * the characters before normalization it stands for: 0 for the second and
 * further ones of a decomposition.
 */
typedef struct Letter
{
	uint32_t	code;
	uint8_t		class;			/* canonical combining class */
	uint32_t	taken;
} Letter;

/* The code points between two boundaries of normalization. */
typedef struct Cluster
{
	SrmArena   *arena;
	Letter	   *letters;		/* (n), room for capacity */
	size_t		n;
	size_t		capacity;
} Cluster;

bool
srm_normal_form_open(SrmNormalForm *form, const char *name, SrmStatus *status)
{
	UErrorCode	error = U_ZERO_ERROR;
	bool		compatible = strncmp(name, "NFK", 3) == 0;

	form->tables = compatible ? unorm2_getNFKCInstance(&error) : unorm2_getNFCInstance(&error);
	form->composes = name[strlen(name) - 1] == 'C';
	form->itself = form->tables;
	if (!form->composes)
		form->itself = compatible ? unorm2_getNFKDInstance(&error) : unorm2_getNFDInstance(&error);
	form->first_changed = form->composes && !compatible ? 0x300 : 0x80;
	return U_SUCCESS(error) ||
		srm_fail(status, SRM_INTERNAL, "could not open ICU's tables: %s", u_errorName(error));
}

static uint8_t
combining_class(const SrmNormalForm *form, uint32_t code)
{
	uint8_t		class = code < 0x300 ? 0 :
		unorm2_getCombiningClass(form->tables, (UChar32) code);

	return class == 0 || srm_unicode_is_younger(code, UNICODE_RELEASE) ? 0 : class;
}

/* The composite of two code points, or 0. */
static uint32_t
compose(const SrmNormalForm *form, uint32_t first, uint32_t second)
{
	UChar32		code = unorm2_composePair(form->tables, (UChar32) first, (UChar32) second);

	return code < 0 || srm_unicode_is_younger((uint32_t) code, UNICODE_RELEASE) ? 0 : (uint32_t) code;
}

/* ---- clusters ---- */

static bool
add_letter(Cluster *cluster, const SrmNormalForm *form, uint32_t code, uint32_t taken,
		   SrmStatus *status)
{
	Letter	   *letter;

	if (!srm_arena_reserve(cluster->arena, &cluster->letters, &cluster->capacity, cluster->n + 1,
						   sizeof(Letter), status))
		return false;
	letter = &cluster->letters[cluster->n++];
	letter->code = code;
	letter->class = combining_class(form, code);
	letter->taken = taken;
	return true;
}

/* Adds the full decomposition of a code point. */
static bool
decompose(Cluster *cluster, const SrmNormalForm *form, uint32_t code, SrmStatus *status)
{
	UErrorCode	error = U_ZERO_ERROR;
	UChar		units[2 * MAX_DECOMPOSITION];
	int32_t		length = -1;
	int32_t		i = 0;

	if (code >= 0x80)
		length = unorm2_getDecomposition(form->tables, (UChar32) code, units,
										 2 * MAX_DECOMPOSITION, &error);
	if (U_FAILURE(error))
		return srm_fail(status, SRM_INTERNAL, "could not normalize: %s", u_errorName(error));
	if (length < 0 || srm_unicode_is_younger(code, UNICODE_RELEASE))
		return add_letter(cluster, form, code, 1, status);
	while (i < length)
	{
		UChar32		part;
		bool		first = i == 0;

		U16_NEXT(units, i, length, part);
		if (!add_letter(cluster, form, (uint32_t) part, first ? 1 : 0, status))
			return false;
	}
	return true;
}

/*
 * Puts marks into canonical order.  As many marks as the text is long may stand
 * in a row, so they are sorted by counting their classes, which is stable.
 */
static bool
sort_row(Letter *letters, size_t n, SrmArena *arena, SrmStatus *status)
{
	size_t		starts[257] = {0};
	Letter	   *copy;
	bool		sorted = true;

	for (size_t i = 1; i < n; i++)
		sorted &= letters[i - 1].class <= letters[i].class;
	if (sorted)
		return true;
	copy = srm_arena_alloc(arena, n * sizeof(Letter), status);
	if (copy == NULL)
		return false;
	memcpy(copy, letters, n * sizeof(Letter));
	for (size_t i = 0; i < n; i++)
		starts[copy[i].class + 1]++;
	for (int class = 0; class < 256; class++)
		starts[class + 1] += starts[class];
	for (size_t i = 0; i < n; i++)
		letters[starts[copy[i].class]++] = copy[i];
	return true;
}

static bool
sort_marks(Cluster *cluster, SrmStatus *status)
{
	size_t		start = 0;

	while (start < cluster->n)
	{
		size_t		end = start;

		while (end < cluster->n && cluster->letters[end].class != 0)
			end++;
		if (!sort_row(cluster->letters + start, end - start, cluster->arena, status))
			return false;
		start = end + 1;
	}
	return true;
}

/*
 * Composes in place.  A letter composes with the last starter unless one
 * between them has the same or a higher class; the composite stands for all
 * the characters that both stood for.
 */
static void
compose_cluster(Cluster *cluster, const SrmNormalForm *form)
{
	Letter	   *letters = cluster->letters;
	Letter	   *starter = NULL;
	int			last_class = -1;	/* since the starter; -1: nothing */
	size_t		n = 0;

	for (size_t i = 0; i < cluster->n; i++)
	{
		Letter		letter = letters[i];
		uint32_t	code = starter == NULL || last_class >= letter.class ? 0 :
			compose(form, starter->code, letter.code);

		if (code != 0)
		{
			starter->code = code;
			starter->taken += letter.taken;
			continue;
		}
		letters[n] = letter;
		if (letter.class == 0)
		{
			starter = &letters[n];
			last_class = -1;
		}
		else if (starter != NULL)
			last_class = letter.class;
		n++;
	}
	cluster->n = n;
}

/* ---- texts ---- */

/*
 * Writes what became of the characters from an offset on.  Each letter is put
 * down to the character whose turn it is, whichever it was made from: in the
 * tokenizers library marks that change places change their origins too.  The
 * further letters of a decomposition go to the character of the one before.
 */
static bool
write_cluster(SrmNormalWriter *writer, const Cluster *cluster, const SrmNormalText *text,
			  size_t offset, SrmStatus *status)
{
	for (size_t i = 0; i < cluster->n; i++)
		if (!srm_normal_writer_replace(writer, text, &offset, cluster->letters[i].code,
									   cluster->letters[i].taken, status))
			return false;
	return true;
}

/* Whether no character can change; a quick look that may say no in vain. */
static bool
is_unchanged(const SrmNormalForm *form, const SrmNormalText *text)
{
	size_t		offset = 0;

	while (offset < text->length)
	{
		uint32_t	code;

		if ((unsigned char) text->text[offset] < 0x80)
		{
			offset++;
			continue;
		}
		code = srm_utf8_next(text->text, text->length, &offset);
		if (code >= form->first_changed && !unorm2_isInert(form->itself, (UChar32) code))
			return false;
	}
	return true;
}

/* Decomposes the characters from *offset to the next boundary. */
static bool
read_cluster(Cluster *cluster, const SrmNormalForm *form, const SrmNormalText *text,
			 size_t *offset, SrmStatus *status)
{
	cluster->n = 0;
	do
	{
		size_t		next = *offset;
		uint32_t	code = srm_utf8_next(text->text, text->length, &next);

		if (cluster->n > 0 && (code < form->first_changed ||
							   unorm2_hasBoundaryBefore(form->tables, (UChar32) code)))
			return true;
		if (!decompose(cluster, form, code, status))
			return false;
		*offset = next;
	} while (*offset < text->length);
	return true;
}

bool
srm_normal_form_apply(const SrmNormalForm *form, SrmNormalText *text, SrmArena *arena, SrmStatus *status)
{
	SrmNormalWriter writer = {.arena = arena};
	Cluster		cluster = {.arena = arena};
	size_t		offset = 0;

	if (is_unchanged(form, text))
		return true;
	if (!srm_normal_writer_reserve(&writer, text->length, status))
		return false;
	while (offset < text->length)
	{
		size_t		start = offset;

		if (!read_cluster(&cluster, form, text, &offset, status) ||
			!sort_marks(&cluster, status))
			return false;
		if (form->composes)
			compose_cluster(&cluster, form);
		if (!write_cluster(&writer, &cluster, text, start, status))
			return false;
	}
	srm_normal_writer_finish(&writer, text);
	return true;
}
