/*-------------------------------------------------------------------------
 *
 * text.h
 *	  Text manipulation that filters and string methods share.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_JINJA_TEXT_H
#define SRM_JINJA_TEXT_H

#include "jinja/value.h"

typedef enum JinjaCase
{
	JINJA_UPPER,
	JINJA_LOWER,
	JINJA_CAPITALIZE,			/* the first character upper, the rest lower */
	JINJA_TITLE,				/* the method: after what is no letter */
	JINJA_TITLE_FILTER			/* the filter: after white space, hyphens and brackets */
} JinjaCase;

/* All take flat strings and return one, or NULL with the status set. */

/* Every character in that case; of the origin of the whole. */
extern JinjaString *srm_jinja_change_case(JinjaEval *eval, const JinjaString *string,
										  JinjaCase how);

/* Whether there is a cased character, and all are of this case. */
extern bool srm_jinja_is_case(const JinjaString *string, JinjaCase how);

/* Without the characters of chars at its ends; NULL: without white space. */
extern JinjaString *srm_jinja_strip(JinjaEval *eval, const JinjaString *string,
									const JinjaString *chars, bool left, bool right);

/* At most limit times, or each time where it is negative. */
extern JinjaString *srm_jinja_replace(JinjaEval *eval, const JinjaString *string,
									  const JinjaString *old, const JinjaString *new,
									  int64_t limit);
extern JinjaList *srm_jinja_split(JinjaEval *eval, const JinjaString *string,
								  const JinjaString *separator, int64_t limit);
extern JinjaList *srm_jinja_split_right(JinjaEval *eval, const JinjaString *string,
										const JinjaString *separator, int64_t limit);
extern JinjaList *srm_jinja_split_lines(JinjaEval *eval, const JinjaString *string,
										bool keep_ends);

/*
 * The last place of needle, which is not empty, that ends at or before end, or
 * SIZE_MAX; as many steps as the lengths' product in the worst case.
 */
extern size_t srm_jinja_find_last(const JinjaString *string, const JinjaString *needle,
								  size_t end);

/* The items as text, with separator between them. */
extern JinjaString *srm_jinja_join(JinjaEval *eval, const JinjaList *items,
								   JinjaString *separator);

#endif							/* SRM_JINJA_TEXT_H */
