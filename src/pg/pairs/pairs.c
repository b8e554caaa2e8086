/*-------------------------------------------------------------------------
 *
 * pairs.c
 *	  Preference pairs, or single responses, out of the rows of a query.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"

#include "pg/pairs/pairs.h"
#include "pg/score/meant.h"
#include "pg/score/request.h"

#define BATCH_ROWS	SRM_PAIRS_AT_ONCE
#define MAX_BYTES	(1024 * 1024)	/* of the responses that are read together, but that it is one at least */

static const char *const column_names[SRM_N_COLUMNS] = {
	[SRM_COLUMN_PROMPT] = "prompt",
	[SRM_COLUMN_MESSAGES] = "messages",
	[SRM_COLUMN_CHOSEN] = "chosen",
	[SRM_COLUMN_REJECTED] = "rejected",
	[SRM_COLUMN_RESPONSE] = "response",
	[SRM_COLUMN_CATEGORY] = "category",
	[SRM_COLUMN_MARGIN] = "margin",
	[SRM_COLUMN_WEIGHT] = "weight"
};

static bool
is_wanted(const SrmPairCursor *cursor, SrmPairColumn column)
{
	bool		is_of_pair = column == SRM_COLUMN_CHOSEN || column == SRM_COLUMN_REJECTED ||
		column == SRM_COLUMN_MARGIN || column == SRM_COLUMN_WEIGHT;

	if (column == SRM_COLUMN_RESPONSE)
		return !cursor->wants_pairs;
	return cursor->wants_pairs || !is_of_pair;
}

static void
fail_missing(const SrmPairCursor *cursor, const char *name)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("query gives no column \"%s\"", name),
			 cursor->wants_pairs ?
			 errdetail("Pairs have columns \"prompt\" or \"messages\", \"chosen\" and \"rejected\".") :
			 errdetail("Responses have columns \"prompt\" or \"messages\", and \"response\"."),
			 errhint("Name the columns of the query with AS.")));
}

static void
fail_type(const char *name, Oid type, const char *types)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of the query has type %s", name, format_type_be(type)),
			 errdetail("It must be of type %s.", types)));
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID;
}

static bool
is_json(Oid type)
{
	return type == JSONBOID || type == JSONOID;
}

static void
check_type(SrmPairColumn column, Oid type)
{
	const char *name = column_names[column];

	switch (column)
	{
		case SRM_COLUMN_MESSAGES:
			if (!is_json(type))
				fail_type(name, type, "jsonb or json");
			break;
		case SRM_COLUMN_CATEGORY:
			break;
		case SRM_COLUMN_MARGIN:
		case SRM_COLUMN_WEIGHT:
			if (TypeCategory(type) != TYPCATEGORY_NUMERIC)
				fail_type(name, type, "double precision");
			break;
		default:
			if (!is_text(type) && !is_json(type))
				fail_type(name, type, "text, jsonb or json");
	}
}

static void
find_column(SrmPairCursor *cursor, SrmPairColumn column)
{
	TupleDesc	descriptor = cursor->portal->tupDesc;
	const char *name = column_names[column];

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (strcmp(NameStr(attribute->attname), name) != 0)
			continue;
		if (cursor->columns[column] != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("query gives more than one column \"%s\"", name)));
		cursor->columns[column] = i + 1;
		cursor->types[column] = getBaseType(attribute->atttypid);
		check_type(column, cursor->types[column]);
	}
}

/* Whether every response comes with its own prompt. */
static bool
is_conversation(const SrmPairCursor *cursor, SrmPairColumn column)
{
	return cursor->columns[column] != 0 && is_json(cursor->types[column]);
}

static void
find_columns(SrmPairCursor *cursor)
{
	bool		has_prompt;

	for (int i = 0; i < SRM_N_COLUMNS; i++)
		if (is_wanted(cursor, i))
			find_column(cursor, i);
	has_prompt = cursor->columns[SRM_COLUMN_PROMPT] != 0 || cursor->columns[SRM_COLUMN_MESSAGES] != 0;
	for (int i = SRM_COLUMN_CHOSEN; i <= SRM_COLUMN_RESPONSE; i++)
	{
		if (!is_wanted(cursor, i))
			continue;
		if (cursor->columns[i] == 0)
			fail_missing(cursor, column_names[i]);
		if (!has_prompt && !is_conversation(cursor, i))
			fail_missing(cursor, "prompt");
	}
	if (cursor->columns[SRM_COLUMN_PROMPT] != 0 && cursor->columns[SRM_COLUMN_MESSAGES] != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_COLUMN),
				 errmsg("query gives both a column \"prompt\" and a column \"messages\"")));
}

static void
name_row(void *arg)
{
	const SrmPairCursor *cursor = arg;

	if (cursor->row_number == 0)
		return;
	if (cursor->column == SRM_N_COLUMNS)
		errcontext("row " UINT64_FORMAT " of the query", cursor->row_number);
	else if (cursor->response == NULL)
		errcontext("column \"%s\" of row " UINT64_FORMAT " of the query", column_names[cursor->column], cursor->row_number);
	else
		errcontext("column \"%s\" of row " UINT64_FORMAT " of the query, \"%s\"", column_names[cursor->column],
				   cursor->row_number, srm_text_beginning(cursor->response->content, cursor->response->content_length));
}

static SrmMessage *
response_of(const SrmConversation *conversation)
{
	return &conversation->messages[conversation->n_messages - 1];
}

int
srm_pairs_count_responses(const SrmPairCursor *cursor)
{
	return cursor->wants_pairs ? 2 : 1;
}

const SrmConversation *
srm_pairs_look_at(SrmPairCursor *cursor, const SrmPairRow *row, int response)
{
	const SrmConversation *conversation = response == 0 ? &row->chosen : &row->rejected;

	cursor->row_number = row->number;
	cursor->column = !cursor->wants_pairs ? SRM_COLUMN_RESPONSE : response == 0 ? SRM_COLUMN_CHOSEN : SRM_COLUMN_REJECTED;
	cursor->response = response_of(conversation);
	return conversation;
}

double
srm_pairs_response_length(const SrmConversation *conversation)
{
	const SrmMessage *response = response_of(conversation);
	SrmPositions positions;

	srm_positions_init(&positions, response->content, response->content_length);
	return srm_positions_before(&positions, response->content_length);
}

static void
fail_query(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("query must only read rows"),
			 errdetail_internal("%s", detail),
			 errhint("Give a SELECT, VALUES or TABLE statement, without FOR UPDATE, and without WITH clauses that write.")));
}

/* What a read-only cursor cannot do, the server would say in terms of cursors. */
static void
check_query(SPIPlanPtr plan)
{
	List	   *sources = SPI_plan_get_plan_sources(plan);
	CachedPlanSource *source;
	ListCell   *cell;

	if (sources == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query is empty")));
	if (list_length(sources) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("query has more than one statement")));
	source = linitial(sources);
	foreach(cell, source->query_list)
	{
		const Query *query = lfirst_node(Query, cell);

		if (query->commandType != CMD_SELECT || query->rowMarks != NIL)
			fail_query(psprintf("Its command is %s.", GetCommandTagName(CreateCommandTag((Node *) query))));
		if (query->hasModifyingCTE)
			fail_query("It has a WITH clause that writes.");
	}
}

static Portal
open_cursor(const char *query)
{
	SPIPlanPtr	plan = SPI_prepare_cursor(query, 0, NULL, CURSOR_OPT_NO_SCROLL);

	if (plan == NULL)
		elog(ERROR, "could not prepare query: %s", SPI_result_code_string(SPI_result));
	check_query(plan);
	return SPI_cursor_open(NULL, plan, NULL, NULL, true);
}

void
srm_pairs_open(SrmPairCursor *cursor, const char *query, bool wants_pairs)
{
	memset(cursor, 0, sizeof(SrmPairCursor));
	cursor->wants_pairs = wants_pairs;
	cursor->context = AllocSetContextCreate(CurrentMemoryContext, "srm pairs", ALLOCSET_DEFAULT_SIZES);
	cursor->column = SRM_N_COLUMNS;
	cursor->portal = open_cursor(query);
	find_columns(cursor);
	cursor->error_context.callback = name_row;
	cursor->error_context.arg = cursor;
	cursor->error_context.previous = error_context_stack;
	error_context_stack = &cursor->error_context;
}

/* False at the end of the query. */
static bool
fetch_batch(SrmPairCursor *cursor)
{
	SPI_freetuptable(cursor->batch);
	SPI_cursor_fetch(cursor->portal, true, BATCH_ROWS);
	cursor->batch = SPI_tuptable;
	cursor->n_batch = SPI_processed;
	cursor->i_batch = 0;
	return cursor->n_batch > 0;
}

static Datum
get_value(const SrmPairCursor *cursor, HeapTuple tuple, SrmPairColumn column, bool *is_null)
{
	if (cursor->columns[column] == 0)
	{
		*is_null = true;
		return (Datum) 0;
	}
	return SPI_getbinval(tuple, cursor->batch->tupdesc, cursor->columns[column], is_null);
}

/* NULL where the query has no such column, or no value. */
static char *
get_string(const SrmPairCursor *cursor, HeapTuple tuple, SrmPairColumn column)
{
	if (cursor->columns[column] == 0)
		return NULL;
	return SPI_getvalue(tuple, cursor->batch->tupdesc, cursor->columns[column]);
}

static double
get_number(const SrmPairCursor *cursor, HeapTuple tuple, SrmPairColumn column,
		   double fallback, double minimum)
{
	char	   *string = get_string(cursor, tuple, column);
	double		number;

	if (string == NULL)
		return fallback;
	number = DatumGetFloat8(DirectFunctionCall1(float8in, CStringGetDatum(string)));
	if (!isfinite(number) || number < minimum)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid %s: %s", column_names[column], string)));
	return number;
}

/* Whether a column of the query that a pair cannot do without is NULL. */
static bool
has_null(const SrmPairCursor *cursor, HeapTuple tuple)
{
	for (int i = SRM_COLUMN_PROMPT; i <= SRM_COLUMN_RESPONSE; i++)
	{
		bool		is_null;

		get_value(cursor, tuple, i, &is_null);
		if (cursor->columns[i] != 0 && is_null)
			return true;
	}
	return false;
}

static SrmMessage *
read_messages(const SrmPairCursor *cursor, SrmPairColumn column, Datum value, size_t *n_messages)
{
	if (cursor->types[column] == JSONOID)
		value = DirectFunctionCall1(jsonb_in, CStringGetDatum(TextDatumGetCString(value)));
	return srm_messages_of_jsonb(DatumGetJsonbP(value), n_messages);
}

static SrmMessage
read_text(SrmPairCursor *cursor, SrmPairColumn column, const char *role, Datum value)
{
	SrmMessage	message = srm_message_of_datum(role, value);

	cursor->response = &message;
	srm_meant_check_text(&message, column_names[column]);
	cursor->response = NULL;
	return message;
}

/* The messages before the response; none where the query has no prompt. */
static SrmConversation
read_prompt(SrmPairCursor *cursor, HeapTuple tuple)
{
	SrmPairColumn column = cursor->columns[SRM_COLUMN_MESSAGES] != 0 ?
		SRM_COLUMN_MESSAGES : SRM_COLUMN_PROMPT;
	SrmConversation prompt = {NULL, 0};
	bool		is_null;
	Datum		value = get_value(cursor, tuple, column, &is_null);

	if (is_null)
		return prompt;
	cursor->column = column;
	if (is_json(cursor->types[column]))
		prompt.messages = read_messages(cursor, column, value, &prompt.n_messages);
	else
	{
		prompt.messages = palloc0(sizeof(SrmMessage));
		prompt.messages[prompt.n_messages++] = read_text(cursor, column, "user", value);
	}
	cursor->column = SRM_N_COLUMNS;
	return prompt;
}

/* A response behind the prompt, or a conversation that has one. */
static SrmConversation
read_conversation(SrmPairCursor *cursor, HeapTuple tuple, SrmPairColumn column,
				  const SrmConversation *prompt)
{
	SrmConversation result = {NULL, 0};
	SrmMessage	response;
	bool		is_null;
	Datum		value = get_value(cursor, tuple, column, &is_null);

	cursor->column = column;
	if (is_conversation(cursor, column))
	{
		result.messages = read_messages(cursor, column, value, &result.n_messages);
		if (result.n_messages > 1 || prompt->n_messages == 0)
			return result;
		response = result.messages[0];
	}
	else
		response = read_text(cursor, column, "assistant", value);
	result.messages = palloc(sizeof(SrmMessage) * (prompt->n_messages + 1));
	if (prompt->n_messages > 0)
		memcpy(result.messages, prompt->messages, sizeof(SrmMessage) * prompt->n_messages);
	result.messages[prompt->n_messages] = response;
	result.n_messages = prompt->n_messages + 1;
	return result;
}

static void
read_row(SrmPairCursor *cursor, HeapTuple tuple, SrmPairRow *row)
{
	SrmConversation prompt;

	cursor->column = SRM_N_COLUMNS;
	cursor->response = NULL;
	prompt = read_prompt(cursor, tuple);
	memset(row, 0, sizeof(SrmPairRow));
	row->category = get_string(cursor, tuple, SRM_COLUMN_CATEGORY);
	row->margin = get_number(cursor, tuple, SRM_COLUMN_MARGIN, NAN, -HUGE_VAL);
	row->has_margin = !isnan(row->margin);
	if (!row->has_margin)
		row->margin = 0.0;
	row->weight = get_number(cursor, tuple, SRM_COLUMN_WEIGHT, 1.0, 0.0);
	if (!cursor->wants_pairs)
		row->chosen = read_conversation(cursor, tuple, SRM_COLUMN_RESPONSE, &prompt);
	else
	{
		row->chosen = read_conversation(cursor, tuple, SRM_COLUMN_CHOSEN, &prompt);
		row->rejected = read_conversation(cursor, tuple, SRM_COLUMN_REJECTED, &prompt);
	}
	cursor->column = SRM_N_COLUMNS;
}

/* Whether a conversation ends with nothing at all, which no model can score. */
static bool
has_empty_response(const SrmConversation *conversation)
{
	const SrmMessage *response = response_of(conversation);

	return response->content_length == 0 && response->json == NULL;
}

static bool
is_empty(const SrmPairCursor *cursor, const SrmPairRow *row)
{
	return has_empty_response(&row->chosen) || (cursor->wants_pairs && has_empty_response(&row->rejected));
}

/* The next row of the batch, in the cursor's context; false where none is left of it. */
static bool
read_next(SrmPairCursor *cursor, SrmPairRow *row)
{
	while (cursor->i_batch < cursor->n_batch)
	{
		HeapTuple	tuple = cursor->batch->vals[cursor->i_batch++];
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		cursor->row_number = ++cursor->n_read;
		if (has_null(cursor, tuple))
		{
			cursor->n_null++;
			continue;
		}
		old = MemoryContextSwitchTo(cursor->context);
		read_row(cursor, tuple, row);
		MemoryContextSwitchTo(old);
		row->number = cursor->n_read;
		if (!is_empty(cursor, row))
			return true;
		cursor->n_empty++;
	}
	return false;
}

/* Frees what was read.  Errors to come, be they the query's own, are not about it. */
static void
forget_rows(SrmPairCursor *cursor)
{
	cursor->row_number = 0;
	cursor->column = SRM_N_COLUMNS;
	cursor->response = NULL;
	MemoryContextReset(cursor->context);
}

bool
srm_pairs_next(SrmPairCursor *cursor, SrmPairRow *row)
{
	do
	{
		forget_rows(cursor);
		if (read_next(cursor, row))
			return true;
	} while (fetch_batch(cursor));
	return false;
}

/* Bytes that the texts of a row take, about. */
static size_t
row_bytes(const SrmPairRow *row)
{
	const SrmConversation *conversations[] = {&row->chosen, &row->rejected};
	size_t		bytes = 0;

	for (int i = 0; i < 2; i++)
		for (size_t j = 0; j < conversations[i]->n_messages; j++)
			bytes += conversations[i]->messages[j].content_length;
	return bytes;
}

int
srm_pairs_read(SrmPairCursor *cursor, SrmPairRow *rows)
{
	size_t		n_bytes = 0;
	int			n = 0;

	if (!srm_pairs_next(cursor, &rows[0]))
		return 0;
	do
		n_bytes += row_bytes(&rows[n++]);
	while (n < SRM_PAIRS_AT_ONCE && n_bytes < MAX_BYTES && read_next(cursor, &rows[n]));
	return n;
}

void
srm_pairs_close(SrmPairCursor *cursor)
{
	error_context_stack = cursor->error_context.previous;
	SPI_cursor_close(cursor->portal);
	MemoryContextDelete(cursor->context);
	if (cursor->n_null > 0)
		ereport(NOTICE,
				(errmsg_plural("left out " UINT64_FORMAT " row with NULL",
							   "left out " UINT64_FORMAT " rows with NULL",
							   (unsigned long) cursor->n_null, cursor->n_null)));
	if (cursor->n_empty > 0)
		ereport(NOTICE,
				(errmsg_plural("left out " UINT64_FORMAT " row with an empty response",
							   "left out " UINT64_FORMAT " rows with an empty response",
							   (unsigned long) cursor->n_empty, cursor->n_empty)));
}
