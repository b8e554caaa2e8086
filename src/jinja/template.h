/*-------------------------------------------------------------------------
 *
 * template.h
 *	  Chat templates: messages to the text that a model sees.
 *
 * A template is written in Jinja, as transformers' apply_chat_template()
 * runs it (trim_blocks and lstrip_blocks on, immutable sandbox).  Every byte of the rendered
 * text is known by its origin, so that a user's text never passes for the
 * template's special tokens, and so that positions lead back to the text
 * that was passed, also where a template trims it.
 *
 * Rendering is bounded in steps, depth and output, whatever the template.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TEMPLATE_H
#define SRM_TEMPLATE_H

#include <stdint.h>

#include "base/arena.h"
#include "jinja/message.h"
#include "jinja/origin.h"

typedef struct SrmTemplate SrmTemplate;

typedef struct SrmRendered
{
	char	   *text;			/* (length), then a NUL */
	size_t		length;
	SrmFragment *fragments;		/* (n_fragments) */
	size_t		n_fragments;
} SrmRendered;

/* What strftime_now() takes for now unless somebody says otherwise: Llama 3.1's template has this date. */
#define SRM_TEMPLATE_DATE	"2024-07-26"

/* Whether a text is a day, from 1970 on, written like the one above. */
extern bool srm_template_date_valid(const char *date);

/* A special token under the name that a template has for it, such as "bos_token". */
typedef struct SrmTemplateToken
{
	const char *name;
	const char *text;
} SrmTemplateToken;

/* What a template may ask for besides the messages; NULL: undefined. */
typedef struct SrmTemplateVariables
{
	const SrmTemplateToken *tokens; /* (n_tokens) */
	size_t		n_tokens;
	const char *of_model;		/* more of them, a JSON object */
	const char *of_user;		/* the same, which come before the model's */
	bool		add_generation_prompt;
	const char *date;			/* what strftime_now() takes for now */
} SrmTemplateVariables;

/* Whether a text is a JSON object of variables; what is wrong is in the status. */
extern bool srm_template_variables_check(const char *json, SrmArena *arena, SrmStatus *status);

/*
 * Parses a template of UTF-8; errors (SRM_INVALID_MODEL, or SRM_NOT_SUPPORTED
 * for a construct that this evaluator does not know) name the construct and
 * its line.  The template lies in the arena; it keeps no reference to source.
 */
extern SrmTemplate *srm_template_parse(const char *source, size_t length,
									   SrmArena *arena, SrmStatus *status);

/* Whether a template spells out a role, or a key of messages, whatever it does with it. */
extern bool srm_template_has_role(const SrmTemplate *template, const char *role);
extern bool srm_template_has_key(const SrmTemplate *template, const char *key);

/*
 * Renders the messages.  Content that is a list of parts is one for the
 * template, or, where it cannot take that, the text of its only part.  The result lies in the arena.  raise_exception()
 * in a template is an SRM_INVALID_ARGUMENT with the template's words.
 */
extern bool srm_template_render(const SrmTemplate *template,
								const SrmMessage *messages, size_t n_messages,
								const SrmTemplateVariables *variables,
								SrmArena *arena, SrmRendered *rendered,
								const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_TEMPLATE_H */
