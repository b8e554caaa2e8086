/*-------------------------------------------------------------------------
 *
 * categories.h
 *	  Evaluations by category.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CATEGORIES_H
#define SRM_CATEGORIES_H

#include "postgres.h"

#include "nodes/pg_list.h"
#include "utils/hsearch.h"

#include "reward/evaluate.h"

typedef struct SrmCategory
{
	char	   *name;
	SrmEvaluation evaluation;
	struct SrmCategory *next;	/* of the same hash */
} SrmCategory;

/* They lie in the memory context that was current when they began. */
typedef struct SrmCategories
{
	HTAB	   *slots;
	List	   *list;			/* of SrmCategory */
	MemoryContext context;
} SrmCategories;

/* None yet, in the current memory context. */
extern void srm_categories_init(SrmCategories *categories);

/* The category of a name, of any length; a new one is empty. */
extern SrmCategory *srm_categories_find(SrmCategories *categories, const char *name);

/* Sorts the list by name. */
extern void srm_categories_sort(SrmCategories *categories);

#endif							/* SRM_CATEGORIES_H */
