/*-------------------------------------------------------------------------
 *
 * normalizer_charsmap.c
 *	  The rules of a SentencePiece model: the normalizer "Precompiled".
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/normalizer_charsmap.h"

#include <string.h>
#include <unicode/uchar.h>

#include "base/utf8.h"

/* The tokenizers library looks up clusters that are shorter than this as a whole. */
#define CLUSTER_LIMIT		6
#define CLUSTERS_PER_STOP	65536

/* A text may get so many times longer, and so many bytes. */
#define MAX_GROWTH			16
#define MAX_GROWTH_BYTES	(1024 * 1024)

struct SrmCharsmap
{
	uint32_t   *units;			/* (n_units) of the trie */
	size_t		n_units;
	const char *strings;		/* (n_strings) bytes of UTF-8, then a NUL */
	size_t		n_strings;
};

/*
 * A text that is being normalized.  Which characters a new one stands for is
 * known when the next one comes: what is removed goes to the one before.
 */
typedef struct Draft
{
	const SrmCharsmap *charsmap;
	const SrmNormalText *text;
	SrmNormalWriter writer;
	size_t		limit;			/* bytes of the new text */
	size_t		offset;			/* of the first character that nothing stands for yet */
	uint32_t	code;			/* of the character that waits */
	int64_t		taken;			/* characters it stands for; -1: none waits */
	bool		modified;
	SrmStatus  *status;
} Draft;

/* ---- loading ---- */

static int
base64_value(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *found = c == '\0' ? NULL : strchr(digits, c);

	return found == NULL ? -1 : (int) (found - digits);
}

/* Writes at most length / 4 * 3 bytes and returns how many, or -1. */
static long
decode_base64(const char *text, size_t length, unsigned char *out)
{
	size_t		n = 0;

	if (length % 4 != 0)
		return -1;
	for (size_t i = 0; i < length; i += 4)
	{
		uint32_t	group = 0;
		int			n_digits = 0;

		while (n_digits < 4 && base64_value(text[i + n_digits]) >= 0)
			group = group << 6 | (uint32_t) base64_value(text[i + n_digits++]);
		for (int k = n_digits; k < 4; k++)
			if (text[i + k] != '=' || i + 4 < length || n_digits < 2)
				return -1;
		group <<= 6 * (4 - n_digits);
		for (int k = 0; k < n_digits - 1; k++)
			out[n++] = (unsigned char) (group >> (16 - 8 * k));
	}
	return (long) n;
}

static uint32_t
read_uint32(const unsigned char *bytes)
{
	return (uint32_t) bytes[0] | (uint32_t) bytes[1] << 8 |
		(uint32_t) bytes[2] << 16 | (uint32_t) bytes[3] << 24;
}

static SrmCharsmap *
fail_charsmap(SrmStatus *status)
{
	srm_fail(status, SRM_INVALID_MODEL, "invalid \"precompiled_charsmap\" in tokenizer");
	return NULL;
}

SrmCharsmap *
srm_charsmap_load(const char *base64, size_t length, SrmArena *arena, SrmStatus *status)
{
	SrmCharsmap *charsmap = srm_arena_array(arena, 1, sizeof(SrmCharsmap), status);
	unsigned char *blob = srm_arena_alloc(arena, length / 4 * 3 + 1, status);
	long		n;
	size_t		trie;

	if (charsmap == NULL || blob == NULL)
		return NULL;
	n = decode_base64(base64, length, blob);
	if (n < 8)
		return fail_charsmap(status);
	trie = read_uint32(blob);
	if (trie < 4 || trie % 4 != 0 || trie > (size_t) n - 4)
		return fail_charsmap(status);
	charsmap->n_units = trie / 4;
	charsmap->units = srm_arena_array(arena, charsmap->n_units, sizeof(uint32_t), status);
	if (charsmap->units == NULL)
		return NULL;
	for (size_t i = 0; i < charsmap->n_units; i++)
		charsmap->units[i] = read_uint32(blob + 4 + 4 * i);
	charsmap->strings = (const char *) blob + 4 + trie;
	charsmap->n_strings = (size_t) n - 4 - trie;
	blob[n] = '\0';
	if (!srm_utf8_valid(charsmap->strings, charsmap->n_strings))
		return fail_charsmap(status);
	return charsmap;
}

/* ---- looking up ---- */

static size_t
unit_offset(uint32_t unit)
{
	return (size_t) (unit >> 10) << ((unit & (1u << 9)) >> 6);
}

/*
 * What the shortest beginning of a string that has a rule turns into; NULL
 * where none has.  That it is the shortest, and that all of the string is
 * replaced then, is how the tokenizers library does it.
 */
static const char *
find_rule(const SrmCharsmap *charsmap, const char *text, size_t length, bool *damaged)
{
	size_t		at = unit_offset(charsmap->units[0]);

	for (size_t i = 0; i < length && text[i] != '\0'; i++)
	{
		unsigned char byte = (unsigned char) text[i];
		uint32_t	unit;

		at ^= byte;
		if (at >= charsmap->n_units)
			return NULL;
		unit = charsmap->units[at];
		if ((unit & (1u << 31 | 0xFF)) != byte)
			return NULL;
		at ^= unit_offset(unit);
		if ((unit >> 8 & 1) != 0)
		{
			size_t		value = at < charsmap->n_units ? charsmap->units[at] & 0x7FFFFFFF : SIZE_MAX;

			*damaged = value > charsmap->n_strings ||
				srm_utf8_is_continuation((unsigned char) charsmap->strings[value]);
			return *damaged ? NULL : charsmap->strings + value;
		}
	}
	return NULL;
}

/* ---- writing ---- */

/* Writes the character that waits. */
static bool
flush(Draft *draft)
{
	bool		done;

	if (draft->taken < 0)
		return true;
	if (draft->writer.n + 4 > draft->limit)
		return srm_fail(draft->status, SRM_LIMIT_EXCEEDED,
						"normalizer \"Precompiled\" makes the text too long");
	done = srm_normal_writer_replace(&draft->writer, draft->text, &draft->offset, draft->code,
									 (uint32_t) draft->taken, draft->status);
	draft->taken = -1;
	return done;
}

static bool
put(Draft *draft, uint32_t code, uint32_t taken)
{
	if (!flush(draft))
		return false;
	draft->code = code;
	draft->taken = taken;
	return true;
}

/*
 * Puts a string in the place of some characters.  Those it has no character
 * for go to its last one, or where it is empty to the one before it; at the
 * start of a text there is none, and origins lag behind from then on, as in
 * the tokenizers library.
 */
static bool
put_string(Draft *draft, const char *string, uint32_t n_old)
{
	size_t		length = strlen(string);
	size_t		offset = 0;

	draft->modified = true;
	while (offset < length)
	{
		uint32_t	code = srm_utf8_next(string, length, &offset);
		uint32_t	taken = n_old > 0 ? 1 : 0;

		if (!put(draft, code, taken))
			return false;
		n_old -= taken;
	}
	if (draft->taken >= 0)
		draft->taken += n_old;
	return true;
}

static bool
fail_damaged(Draft *draft)
{
	fail_charsmap(draft->status);
	return srm_fail_detail(draft->status, "A rule leads out of the table.");
}

/* Normalizes bytes [start, end), which hold n characters: as a whole, or each alone. */
static bool
put_cluster(Draft *draft, size_t start, size_t end, uint32_t n)
{
	const char *text = draft->text->text;
	const char *string = NULL;
	bool		damaged = false;
	size_t		at = start;

	if (end - start < CLUSTER_LIMIT)
		string = find_rule(draft->charsmap, text + start, end - start, &damaged);
	if (string != NULL)
		return put_string(draft, string, n);
	while (at < end && !damaged)
	{
		size_t		next = at;
		uint32_t	code = srm_utf8_next(text, end, &next);

		string = find_rule(draft->charsmap, text + at, next - at, &damaged);
		if (!(string == NULL ? put(draft, code, 1) : put_string(draft, string, 1)))
			return false;
		at = next;
	}
	return !damaged || fail_damaged(draft);
}

/* ---- clusters of characters ---- */

/* What is known of the cluster so far, for the rules of Unicode's annex 29. */
typedef struct Cluster
{
	int			last;			/* UGraphemeClusterBreak of the last character */
	bool		odd_flag;		/* an odd number of regional indicators */
	bool		pictograph;		/* a pictograph, and only extenders behind it */
	bool		joined;			/* such, and a joiner at the end */
} Cluster;

static void
extend_cluster(Cluster *cluster, uint32_t code, int class)
{
	cluster->joined = cluster->pictograph && class == U_GCB_ZWJ;
	if (class != U_GCB_EXTEND && class != U_GCB_ZWJ)
		cluster->pictograph = u_hasBinaryProperty((UChar32) code, UCHAR_EXTENDED_PICTOGRAPHIC);
	cluster->odd_flag = class == U_GCB_REGIONAL_INDICATOR && !cluster->odd_flag;
	cluster->last = class;
}

static bool
is_control(int class)
{
	return class == U_GCB_CONTROL || class == U_GCB_CR || class == U_GCB_LF;
}

/* Whether a character goes on with the cluster: rules GB3 to GB13. */
static bool
continues(const Cluster *cluster, uint32_t code, int class)
{
	int			last = cluster->last;

	if (is_control(last) || is_control(class))
		return last == U_GCB_CR && class == U_GCB_LF;
	if (class == U_GCB_EXTEND || class == U_GCB_ZWJ || class == U_GCB_SPACING_MARK ||
		last == U_GCB_PREPEND)
		return true;
	if (last == U_GCB_L)
		return class == U_GCB_L || class == U_GCB_V || class == U_GCB_LV || class == U_GCB_LVT;
	if (last == U_GCB_LV || last == U_GCB_V)
		return class == U_GCB_V || class == U_GCB_T;
	if (last == U_GCB_LVT || last == U_GCB_T)
		return class == U_GCB_T;
	if (class == U_GCB_REGIONAL_INDICATOR)
		return cluster->odd_flag;
	return cluster->joined && u_hasBinaryProperty((UChar32) code, UCHAR_EXTENDED_PICTOGRAPHIC);
}

/* The end of the cluster at an offset, and its number of characters. */
static size_t
find_cluster(const SrmNormalText *text, size_t offset, uint32_t *n)
{
	Cluster		cluster = {U_GCB_CONTROL, false, false, false};
	size_t		end = offset;

	*n = 0;
	while (end < text->length)
	{
		size_t		next = end;
		uint32_t	code = srm_utf8_next(text->text, text->length, &next);
		int			class;

		/* Two of ASCII are two clusters, but for the end of a line */
		if (*n == 1 && code < 0x80 && code != '\n' && (unsigned char) text->text[offset] < 0x80)
			break;
		class = u_getIntPropertyValue((UChar32) code, UCHAR_GRAPHEME_CLUSTER_BREAK);
		if (*n > 0 && !continues(&cluster, code, class))
			break;
		extend_cluster(&cluster, code, class);
		++*n;
		end = next;
	}
	return end;
}

bool
srm_charsmap_apply(const SrmCharsmap *charsmap, SrmNormalText *text,
				   SrmArena *arena, const SrmStop *stop, SrmStatus *status)
{
	Draft		draft = {
		.charsmap = charsmap,
		.text = text,
		.writer = {.arena = arena},
		.limit = text->length * MAX_GROWTH + MAX_GROWTH_BYTES,
		.taken = -1,
		.status = status
	};
	size_t		at = 0;

	if (!srm_normal_writer_reserve(&draft.writer, text->length, status))
		return false;
	for (size_t i = 1; at < text->length; i++)
	{
		uint32_t	n;
		size_t		end = find_cluster(text, at, &n);

		if ((i % CLUSTERS_PER_STOP == 0 && !srm_continue(stop, status)) ||
			!put_cluster(&draft, at, end, n))
			return false;
		at = end;
	}
	if (!flush(&draft))
		return false;
	if (draft.modified)
		srm_normal_writer_finish(&draft.writer, text);
	return true;
}
