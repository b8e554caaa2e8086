/*-------------------------------------------------------------------------
 *
 * score_rows.c
 *	  The rows of a batch of srm_score_table(): read, scored together, written.
 *
 * Rows come from a cursor, and go through the model in pieces.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "access/detoast.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "pg/pairs/judge.h"
#include "pg/score/meant.h"
#include "pg/table/score_rows.h"

#define MAX_ROWS	256			/* of a piece, and */
#define MAX_BYTES	(1024 * 1024)	/* of its texts, but that it has one row at least */
#define MAX_ITEMS	2

/* Columns of SRM_SCORE_READ */
enum
{
	COLUMN_PLACE = 1,
	COLUMN_FOUND,
	COLUMN_HASH,
	COLUMN_INPUTS				/* and those behind it */
};

const Oid	srm_score_row_types[SRM_SCORE_N_COLUMNS] = {
	TIDARRAYOID, INT8ARRAYOID, TEXTARRAYOID, INT4ARRAYOID, BOOLARRAYOID, FLOAT4ARRAYOID, FLOAT4ARRAYOID, FLOAT4ARRAYOID
};
const Oid	srm_score_sentence_types[SRM_SCORE_N_COLUMNS] = {
	TIDARRAYOID, TEXTARRAYOID, INT4ARRAYOID, INT4ARRAYOID, INT4ARRAYOID, TEXTARRAYOID, FLOAT4ARRAYOID, FLOAT4ARRAYOID
};

typedef struct Row
{
	Datum		place;
	Datum		hash;
	bool		has_hash;
	const char *problem;		/* NULL: it has its requests */
	size_t		first;			/* of them */
} Row;

typedef struct Piece
{
	const SrmScoreJob *job;
	const SPIPlanPtr *plans;
	SrmScoreCounts *counts;
	SrmJudge	judge;
	MemoryContext context;		/* of all below */
	TupleDesc	columns;		/* of SRM_SCORE_READ */
	bool		has_prompt;		/* the first input is one, and stands before the others; */
	int			n_items;		/* which are so many conversations, or responses */
	Row			rows[MAX_ROWS];
	int			n;
	size_t		n_bytes;
	SrmScoreRequest requests[MAX_ROWS * MAX_ITEMS];
	size_t		n_requests;
} Piece;

/* ---- reading ---- */

static Datum
get_input(const Piece *piece, HeapTuple tuple, int i, bool *is_null)
{
	return SPI_getbinval(tuple, piece->columns, COLUMN_INPUTS + i, is_null);
}

static const char *
input_name(const Piece *piece, int i)
{
	return NameStr(TupleDescAttr(piece->columns, COLUMN_INPUTS - 1 + i)->attname);
}

static bool
is_messages(const Piece *piece, int i)
{
	return TupleDescAttr(piece->columns, COLUMN_INPUTS - 1 + i)->atttypid == JSONBOID;
}

/* What shows before anything is read. */
static char *
find_problem(Piece *piece, HeapTuple tuple)
{
	bool		is_null;

	if (!DatumGetBool(SPI_getbinval(tuple, piece->columns, COLUMN_FOUND, &is_null)))
		return "row is not in the source any more";
	for (int i = 0; i < piece->has_prompt + piece->n_items; i++)
	{
		Datum		value = get_input(piece, tuple, i, &is_null);

		if (is_null)
			return psprintf("%s is null", input_name(piece, i));
		piece->n_bytes += toast_raw_datum_size(value);
	}
	return NULL;
}

/* The scoring functions call a response that. */
static SrmMessage
read_text(const char *role, Datum value, const char *argument)
{
	SrmMessage	message = srm_message_of_datum(role, value);

	srm_meant_check_text(&message, argument);
	return message;
}

/* The prompt, for all items of a row. */
static void
read_prompt(Piece *piece, HeapTuple tuple, SrmScoreRequest *request)
{
	bool		is_null;
	Datum		value = get_input(piece, tuple, 0, &is_null);
	SrmMessage *message;

	if (is_messages(piece, 0))
	{
		request->messages = srm_messages_of_jsonb(DatumGetJsonbP(value), &request->n_messages);
		return;
	}
	message = palloc(sizeof(SrmMessage));
	*message = read_text("user", value, "prompt");
	request->messages = message;
	request->n_messages = 1;
}

static void
read_item(Piece *piece, HeapTuple tuple, int input, SrmScoreRequest *request)
{
	bool		is_null;
	Datum		value = get_input(piece, tuple, input, &is_null);
	SrmMessage *messages;

	if (is_messages(piece, input))
	{
		messages = srm_messages_of_jsonb(DatumGetJsonbP(value), &request->n_messages);
		request->messages = messages;
		request->response = &messages[--request->n_messages];
		return;
	}
	messages = palloc(sizeof(SrmMessage));
	*messages = read_text("assistant", value, "response");
	request->response = messages;
}

/* "message: detail", of the item of a pair. */
static char *
say_problem(const Piece *piece, int item, const char *message, const char *detail)
{
	const char *label = piece->n_items == 1 ? "" : psprintf("%s: ", input_name(piece, piece->has_prompt + item));

	return detail == NULL || *detail == '\0' ? psprintf("%s%s", label, message) :
		psprintf("%s%s: %s", label, message, detail);
}

/*
 * The requests of a row; what is wrong with its messages, or NULL.
 *
 * That is the one error which is caught, without a subtransaction: reading messages holds nothing that an
 * abort would release.
 */
static char *
read_requests(Piece *piece, HeapTuple tuple)
{
	SrmScoreRequest *requests = &piece->requests[piece->n_requests];
	ErrorData  *volatile error = NULL;
	volatile int item = 0;

	memset(requests, 0, sizeof(SrmScoreRequest) * piece->n_items);
	PG_TRY();
	{
		for (; item < piece->n_items; item++)
		{
			if (piece->has_prompt && item == 0)
				read_prompt(piece, tuple, &requests[0]);
			else if (piece->has_prompt)
				requests[item] = (SrmScoreRequest) {.messages = requests[0].messages,.n_messages = requests[0].n_messages};
			read_item(piece, tuple, piece->has_prompt + item, &requests[item]);
		}
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(piece->context);
		error = CopyErrorData();
		if (!srm_messages_is_problem(error))
			PG_RE_THROW();
		FlushErrorState();
	}
	PG_END_TRY();
	return error == NULL ? NULL : say_problem(piece, item, error->message, error->detail);
}

static void
read_row(Piece *piece, HeapTuple tuple)
{
	Row		   *row = &piece->rows[piece->n++];
	bool		is_null;

	row->place = SPI_getbinval(tuple, piece->columns, COLUMN_PLACE, &is_null);
	row->hash = SPI_getbinval(tuple, piece->columns, COLUMN_HASH, &is_null);
	row->has_hash = !is_null;
	row->first = piece->n_requests;
	row->problem = find_problem(piece, tuple);
	if (row->problem == NULL)
		row->problem = read_requests(piece, tuple);
	if (row->problem == NULL)
		piece->n_requests += piece->n_items;
}

/* ---- writing ---- */

/* An argument in the making. */
typedef struct Column
{
	Datum	   *values;
	bool	   *nulls;
} Column;

static void
begin_columns(Column *columns, size_t n)
{
	for (int i = 0; i < SRM_SCORE_N_COLUMNS; i++)
		columns[i] = (Column) {palloc(sizeof(Datum) * n), palloc(sizeof(bool) * n)};
}

static void
put(Column *column, size_t i, Datum value, bool is_null)
{
	column->values[i] = value;
	column->nulls[i] = is_null;
}

/* Runs a statement on columns of n elements; the rows that it wrote. */
static uint64
write_columns(const Piece *piece, SrmScoreStatement statement, const Oid *types, Column *columns, int n, int expected)
{
	Datum		arrays[SRM_SCORE_N_COLUMNS];
	int			lower = 1;
	int			result;

	for (int i = 0; i < SRM_SCORE_N_COLUMNS; i++)
	{
		Oid			element = get_element_type(types[i]);
		int16		length;
		bool		by_value;
		char		align;

		get_typlenbyvalalign(element, &length, &by_value, &align);
		arrays[i] = PointerGetDatum(construct_md_array(columns[i].values, columns[i].nulls, 1, &n, &lower,
													   element, length, by_value, align));
	}
	result = SPI_execute_plan(piece->plans[statement], arrays, NULL, false, 0);
	if (result != expected)
		elog(ERROR, "unexpected result %d of statement \"%s\"", result, piece->job->statements[statement]);
	return SPI_processed;
}

/* Of a row of pairs that has no problem. */
static double
margin_of(const Piece *piece, const Row *row)
{
	const SrmScoreRequest *requests = &piece->requests[row->first];

	return requests[0].scored.score - requests[piece->n_items - 1].scored.score;
}

/* A score that there is, where the row has no problem. */
static void
put_score(Column *column, size_t i, const Row *row, bool exists, double score)
{
	bool		is_null = row->problem != NULL || !exists;

	put(column, i, is_null ? (Datum) 0 : Float4GetDatum((float4) score), is_null);
}

static void
put_row(const Piece *piece, Column *columns, size_t i)
{
	const Row  *row = &piece->rows[i];
	bool		is_bad = row->problem != NULL;
	bool		is_pair = piece->n_items > 1;
	const SrmScored *first = &piece->requests[is_bad ? 0 : row->first].scored;
	const SrmScored *last = &piece->requests[is_bad ? 0 : row->first + piece->n_items - 1].scored;
	size_t		n_tokens = is_bad ? 0 : first->n_tokens + (is_pair ? last->n_tokens : 0);

	put(&columns[0], i, row->place, false);
	put(&columns[1], i, row->hash, !row->has_hash);
	put(&columns[2], i, is_bad ? CStringGetTextDatum(row->problem) : (Datum) 0, !is_bad);
	put(&columns[3], i, Int32GetDatum((int32) n_tokens), is_bad);
	put(&columns[4], i, BoolGetDatum(first->truncated || last->truncated), is_bad);
	put_score(&columns[5], i, row, true, first->score);
	put_score(&columns[6], i, row, is_pair, last->score);
	put_score(&columns[7], i, row, is_pair, is_bad ? 0.0 : margin_of(piece, row));
	piece->counts->n_bad += is_bad;
	piece->counts->n_tokens += n_tokens;
}

static void
write_rows(const Piece *piece)
{
	Column		columns[SRM_SCORE_N_COLUMNS];

	begin_columns(columns, piece->n);
	for (int i = 0; i < piece->n; i++)
		put_row(piece, columns, i);
	piece->counts->n_rows += write_columns(piece, SRM_SCORE_WRITE, srm_score_row_types, columns, piece->n, SPI_OK_UPDATE);
}

/* The sentences of an item from element i on; returns the next one. */
static size_t
put_sentences(const Piece *piece, const Row *row, int item, Column *columns, size_t i)
{
	const SrmScoreRequest *request = &piece->requests[row->first + item];
	const SrmScored *scored = &request->scored;
	Datum		label = CStringGetTextDatum(piece->n_items == 1 ? "response" : input_name(piece, piece->has_prompt + item));
	SrmPositions positions;

	srm_positions_init(&positions, request->response->content, request->response->content_length);
	for (size_t j = 0; j < scored->n_sentences; j++, i++)
	{
		bool		is_read = j < scored->n;
		bool		has_weight = is_read && scored->weights != NULL;
		Datum		values[4];

		srm_positions_sentence(&positions, &scored->sentences[j], j, values);
		put(&columns[0], i, row->place, false);
		put(&columns[1], i, label, false);
		for (int k = 0; k < 4; k++)
			put(&columns[2 + k], i, values[k], false);
		put(&columns[6], i, is_read ? Float4GetDatum((float4) scored->rewards[j + 1]) : (Datum) 0, !is_read);
		put(&columns[7], i, has_weight ? Float4GetDatum((float4) scored->weights[j + 1]) : (Datum) 0, !has_weight);
	}
	return i;
}

/* While the rows are at their places, which change when they are written. */
static void
write_sentences(const Piece *piece)
{
	Column		columns[SRM_SCORE_N_COLUMNS];
	size_t		n = 0;
	size_t		next = 0;

	if (piece->plans[SRM_SCORE_KEEP] == NULL)
		return;
	for (size_t i = 0; i < piece->n_requests; i++)
		n += piece->requests[i].scored.n_sentences;
	begin_columns(columns, n);
	for (int i = 0; i < piece->n; i++)
		for (int item = 0; item < piece->n_items && piece->rows[i].problem == NULL; item++)
			next = put_sentences(piece, &piece->rows[i], item, columns, next);
	if (next > 0)
		(void) write_columns(piece, SRM_SCORE_KEEP, srm_score_sentence_types, columns, (int) next, SPI_OK_INSERT);
}

/* ---- pieces ---- */

/* What the engine has against a row becomes its problem; any other failure is raised. */
static void
judge_rows(Piece *piece)
{
	for (int i = 0; i < piece->n; i++)
	{
		Row		   *row = &piece->rows[i];

		for (int item = 0; item < piece->n_items && row->problem == NULL; item++)
		{
			const SrmScoreRequest *request = &piece->requests[row->first + item];
			const SrmStatus *status = &request->status;

			if (status->code == SRM_OK)
				continue;
			if (status->code != SRM_INVALID_ARGUMENT && status->code != SRM_LIMIT_EXCEEDED &&
				status->code != SRM_NOT_SUPPORTED)
				srm_judge_raise(&piece->judge, request);
			row->problem = say_problem(piece, item, srm_call_text(status->message), srm_call_text(status->detail));
		}
		if (piece->n_items > 1 && row->problem == NULL && !isfinite((float4) margin_of(piece, row)))
			row->problem = "margin is out of range for type real";
	}
}

/* Scores and writes the rows that were read, and makes room for others. */
static void
finish_piece(Piece *piece)
{
	if (piece->n == 0)
		return;
	if (piece->n_requests > 0)
		srm_judge_score_requests(&piece->judge, piece->requests, piece->n_requests);
	judge_rows(piece);
	write_sentences(piece);
	write_rows(piece);
	srm_judge_forget(&piece->judge);
	MemoryContextReset(piece->context);
	piece->n = 0;
	piece->n_bytes = piece->n_requests = 0;
}

static void
read_rows(Piece *piece, SPITupleTable *table, uint64 n)
{
	for (uint64 i = 0; i < n; i++)
	{
		MemoryContext old = MemoryContextSwitchTo(piece->context);

		CHECK_FOR_INTERRUPTS();
		read_row(piece, table->vals[i]);
		if (piece->n_bytes >= MAX_BYTES)
			finish_piece(piece);
		MemoryContextSwitchTo(old);
	}
}

/* The inputs of the statement are known by their names. */
static void
find_inputs(Piece *piece, TupleDesc columns)
{
	piece->columns = columns;
	piece->has_prompt = strcmp(input_name(piece, 0), "prompt") == 0;
	piece->n_items = columns->natts - COLUMN_INPUTS + 1 - piece->has_prompt;
	Assert(piece->n_items >= 1 && piece->n_items <= MAX_ITEMS);
}

void
srm_score_rows(const SrmScoreJob *job, const SPIPlanPtr *plans, ArrayType *places, SrmScoreCounts *counts)
{
	Datum		values[] = {PointerGetDatum(places)};
	Portal		portal = SPI_cursor_open(NULL, plans[SRM_SCORE_READ], values, NULL, false);
	Piece	   *piece = palloc0(sizeof(Piece));
	MemoryContext old;
	uint64		n;

	piece->job = job;
	piece->plans = plans;
	piece->counts = counts;
	piece->context = AllocSetContextCreate(CurrentMemoryContext, "srm score piece", ALLOCSET_DEFAULT_SIZES);
	find_inputs(piece, portal->tupDesc);
	srm_judge_begin_own(&piece->judge, job->model);
	do
	{
		SPITupleTable *table;

		SPI_cursor_fetch(portal, true, MAX_ROWS);
		table = SPI_tuptable;
		n = SPI_processed;
		read_rows(piece, table, n);
		old = MemoryContextSwitchTo(piece->context);
		finish_piece(piece);
		MemoryContextSwitchTo(old);
		SPI_freetuptable(table);
	} while (n > 0);
	srm_judge_end(&piece->judge);
	MemoryContextDelete(piece->context);
	pfree(piece);
	SPI_cursor_close(portal);
}
