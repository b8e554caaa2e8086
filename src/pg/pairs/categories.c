/*-------------------------------------------------------------------------
 *
 * categories.c
 *	  Evaluations by category.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"

#include "pg/pairs/categories.h"

/* Names of categories may be of any length, so the key is their hash. */
typedef struct Slot
{
	uint64		hash;
	SrmCategory *first;
} Slot;

void
srm_categories_init(SrmCategories *categories)
{
	HASHCTL		control = {
		.keysize = sizeof(uint64),.entrysize = sizeof(Slot),.hcxt = CurrentMemoryContext
	};

	categories->slots = hash_create("srm categories", 16, &control,
									HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	categories->list = NIL;
	categories->context = CurrentMemoryContext;
}

SrmCategory *
srm_categories_find(SrmCategories *categories, const char *name)
{
	uint64		hash = hash_bytes_extended((const unsigned char *) name, (int) strlen(name), 0);
	bool		found;
	Slot	   *slot = hash_search(categories->slots, &hash, HASH_ENTER, &found);
	SrmCategory *category;
	MemoryContext old;

	if (!found)
		slot->first = NULL;
	for (category = slot->first; category != NULL; category = category->next)
		if (strcmp(category->name, name) == 0)
			return category;
	old = MemoryContextSwitchTo(categories->context);
	category = palloc0(sizeof(SrmCategory));
	category->name = pstrdup(name);
	category->next = slot->first;
	slot->first = category;
	categories->list = lappend(categories->list, category);
	MemoryContextSwitchTo(old);
	return category;
}

static int
compare_categories(const ListCell *a, const ListCell *b)
{
	return strcmp(((const SrmCategory *) lfirst(a))->name, ((const SrmCategory *) lfirst(b))->name);
}

void
srm_categories_sort(SrmCategories *categories)
{
	list_sort(categories->list, compare_categories);
}
