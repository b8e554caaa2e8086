/*-------------------------------------------------------------------------
 *
 * pairs.h
 *	  Preference pairs, or single responses, out of the rows of a query.
 *
 * The query runs as the caller, read-only, and is read through a cursor, so
 * that memory does not grow with its rows.  Columns are known by name:
 *
 *	  prompt		text, a message of the user; or jsonb or json, messages
 *	  messages		jsonb or json, in the place of prompt
 *	  chosen, rejected (or response, where single responses are wanted)
 *					text, or jsonb or json: a conversation that ends with the response;
 *					one of a single message stands behind the prompt
 *	  category		any type
 *	  margin, weight	numbers
 *
 * Rows with NULL in one of the first four, or with an empty response, are counted and left out.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PAIRS_H
#define SRM_PAIRS_H

#include "postgres.h"

#include "jinja/template.h"
#include "utils/elog.h"
#include "utils/portal.h"

typedef enum SrmPairColumn
{
	SRM_COLUMN_PROMPT,
	SRM_COLUMN_MESSAGES,
	SRM_COLUMN_CHOSEN,
	SRM_COLUMN_REJECTED,
	SRM_COLUMN_RESPONSE,
	SRM_COLUMN_CATEGORY,
	SRM_COLUMN_MARGIN,
	SRM_COLUMN_WEIGHT,
	SRM_N_COLUMNS
} SrmPairColumn;

/* Messages of which the last is the response. */
typedef struct SrmConversation
{
	SrmMessage *messages;		/* (n_messages) */
	size_t		n_messages;
} SrmConversation;

/* Where single responses are wanted, rejected is empty. */
typedef struct SrmPairRow
{
	SrmConversation chosen;
	SrmConversation rejected;
	const char *category;		/* NULL where there is none */
	bool		has_margin;
	double		margin;			/* 0 where there is none */
	double		weight;			/* 1 where there is none */
	uint64		number;			/* of the query, left out ones counted */
} SrmPairRow;

#define SRM_PAIRS_AT_ONCE	32		/* rows that are read together, at most */

typedef struct SrmPairCursor
{
	bool		wants_pairs;
	Portal		portal;
	int			columns[SRM_N_COLUMNS]; /* attribute numbers; 0: not in the query */
	Oid			types[SRM_N_COLUMNS];
	uint64		n_read;			/* rows so far, left out ones included */
	uint64		n_null;			/* of them left out for a NULL, */
	uint64		n_empty;		/* and for an empty response */
	struct SPITupleTable *batch;
	uint64		n_batch;		/* rows of the batch */
	uint64		i_batch;		/* next row of the batch */
	MemoryContext context;		/* of the rows that were read last */
	ErrorContextCallback error_context;
	uint64		row_number;		/* that errors are about; 0: none yet */
	SrmPairColumn column;		/* the same; SRM_N_COLUMNS: no certain one */
	const SrmMessage *response; /* of that column, once it was read; or a prompt that is being read */
} SrmPairCursor;

/*
 * Begins, inside an SPI connection; raises an error for a query that does
 * not give the columns.  Until srm_pairs_close() errors name the row.
 */
extern void srm_pairs_open(SrmPairCursor *cursor, const char *query, bool wants_pairs);

/*
 * The next row, or false at the end.  What it points to is good until the
 * next call, or until that of the cursor's context.
 */
extern bool srm_pairs_next(SrmPairCursor *cursor, SrmPairRow *row);

/*
 * The next rows, up to SRM_PAIRS_AT_ONCE and about 1 MB of text; how many, 0 at the end.  What they
 * point to is good as long as that of srm_pairs_next().
 */
extern int	srm_pairs_read(SrmPairCursor *cursor, SrmPairRow *rows);

/* Responses of a row, the chosen one first. */
extern int	srm_pairs_count_responses(const SrmPairCursor *cursor);

/* Errors are about that response of a row, and show its beginning, until the next row is read. */
extern const SrmConversation *srm_pairs_look_at(SrmPairCursor *cursor, const SrmPairRow *row, int response);

/* Characters of the response of a conversation. */
extern double srm_pairs_response_length(const SrmConversation *conversation);

/* Ends the cursor; tells of rows that were left out, in a NOTICE. */
extern void srm_pairs_close(SrmPairCursor *cursor);

#endif							/* SRM_PAIRS_H */
