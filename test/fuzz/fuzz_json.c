/*-------------------------------------------------------------------------
 *
 * fuzz_json.c
 *	  Any bytes as JSON: an error that says something, or a tree that is
 *	  written as text which gives the same tree.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/json_write.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends at the first difference; depth is bounded by the parser. */
static void
compare(const SrmJson *a, const SrmJson *b)
{
	const SrmJson *other = b->child;
	size_t		n = 0;

	if (a->type != b->type || a->n != b->n || (a->key == NULL) != (b->key == NULL) ||
		(a->key != NULL && strcmp(a->key, b->key) != 0) || (a->text == NULL) != (b->text == NULL) ||
		(a->text != NULL && (strlen(a->text) != a->n || strcmp(a->text, b->text) != 0)))
		abort();
	for (const SrmJson *child = a->child; child != NULL; child = child->next, other = other->next, n++)
		compare(child, other);
	if (other != NULL || (a->text == NULL && n != a->n))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SrmStatus	status = {0};
	SrmArena   *arena = srm_arena_create(&status);
	SrmJson    *json = srm_json_parse((const char *) data, size, "fuzz", arena, &status);
	SrmJson    *again;
	SrmBuffer	out;

	if (json == NULL)
	{
		if (status.code != SRM_INVALID_MODEL || status.message[0] == '\0')
			abort();
	}
	else
	{
		if (!srm_buffer_init(&out, arena, 64 * 1024 * 1024, &status) || !srm_json_write(&out, json, &status))
			abort();
		again = srm_json_parse(out.data, out.length, "fuzz", arena, &status);
		if (again == NULL)
			abort();
		compare(json, again);
	}
	srm_arena_free(arena);
	return 0;
}
