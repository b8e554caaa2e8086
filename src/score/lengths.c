/*-------------------------------------------------------------------------
 *
 * lengths.c
 *	  Sentences that are neither too short nor too long, in tokens.
 *
 * Each step goes over the tokens once, so that the whole is linear.
 *
 *-------------------------------------------------------------------------
 */
#include "score/lengths.h"

#include <string.h>

#include "base/utf8.h"
#include "segment/chars.h"

/* Marks that are looked through for what they close */
#define MAX_CLOSING	8

/* A sentence and its tokens: those that end within it. */
typedef struct Piece
{
	SrmSentence bytes;
	size_t		first;			/* its tokens are [first, end) */
	size_t		end;
} Piece;

typedef struct Limiter
{
	const char *text;
	const SrmTokens *tokens;
	SrmLengths	lengths;
	Piece	   *pieces;			/* (n) what there is so far */
	size_t		n;
	SrmSentences *sentences;	/* what comes out */
	size_t		capacity;
	SrmArena   *arena;
	SrmStatus  *status;
} Limiter;

/* How good a place is to cut at; what stands before it counts. */
typedef enum Place
{
	PLACE_NONE,					/* within a character, or in white space */
	PLACE_WITHIN,
	PLACE_WORD,
	PLACE_COMMA,
	PLACE_COLON,
	PLACE_TERMINATOR,
	PLACE_LINE
} Place;

static bool
fits(const Limiter *limiter, size_t n_tokens)
{
	return limiter->lengths.max == 0 || n_tokens <= limiter->lengths.max;
}

static size_t
count(const Piece *piece)
{
	return piece->end - piece->first;
}

/* Puts two neighbours together, if they are not too long for that. */
static bool
join(const Limiter *limiter, Piece *piece, const Piece *next)
{
	if (!fits(limiter, next->end - piece->first))
		return false;
	piece->bytes.end = next->bytes.end;
	piece->end = next->end;
	return true;
}

/* A piece to which nothing is added any more; a short one joins the one before it. */
static void
push(Limiter *limiter, const Piece *piece)
{
	if (count(piece) < limiter->lengths.min && limiter->n > 0 &&
		join(limiter, &limiter->pieces[limiter->n - 1], piece))
		return;
	limiter->pieces[limiter->n++] = *piece;
}

/* Pieces that are long enough. */
static bool
join_short(Limiter *limiter, const SrmSentences *sentences)
{
	const SrmTokens *tokens = limiter->tokens;
	Piece		current = {0};

	limiter->pieces = srm_arena_array(limiter->arena, sentences->n, sizeof(Piece), limiter->status);
	if (limiter->pieces == NULL)
		return false;
	for (size_t i = 0; i < sentences->n; i++)
	{
		Piece		next = {sentences->items[i], current.end, current.end};

		while (next.end < tokens->n && tokens->items[next.end].end <= next.bytes.end)
			next.end++;
		if (i > 0 && count(&current) < limiter->lengths.min && join(limiter, &current, &next))
			continue;
		if (i > 0)
			push(limiter, &current);
		current = next;
	}
	if (sentences->n > 0)
		push(limiter, &current);
	return true;
}

/* What stands before a place, from where white space was skipped to; *ends_line is whether it has a line end. */
static size_t
look_back(const Limiter *limiter, size_t start, size_t at, bool *ends_line)
{
	size_t		words = srm_strip_space(limiter->text, start, at);

	*ends_line = false;
	for (size_t i = words; i < at;)
		*ends_line = srm_char_is_newline(srm_char_at(limiter->text, i, at, &i)) || *ends_line;
	return words;
}

/* Brackets and quotes belong to what they close, a few of them. */
static int32_t
last_mark(const Limiter *limiter, size_t start, size_t at)
{
	int32_t		c = SRM_NO_CHAR;

	for (int i = 0; i < MAX_CLOSING && at > start; i++)
	{
		c = srm_char_before(limiter->text, start, at, &at);
		if (!srm_char_is_closing(c) && !srm_char_is_straight_quote(c) && !srm_char_is_emphasis(c))
			break;
	}
	return c;
}

static Place
judge_mark(int32_t c)
{
	static const uint32_t colons[] = {':', ';', 0x2013, 0x2014, 0x037E, 0x061B, 0xFF1A, 0xFF1B};
	static const uint32_t commas[] = {',', 0x060C, 0x3001, 0xFF0C};

	if (srm_char_is_terminator(c))
		return PLACE_TERMINATOR;
	for (size_t i = 0; i < sizeof(colons) / sizeof(colons[0]); i++)
		if ((uint32_t) c == colons[i])
			return PLACE_COLON;
	for (size_t i = 0; i < sizeof(commas) / sizeof(commas[0]); i++)
		if ((uint32_t) c == commas[i])
			return PLACE_COMMA;
	return PLACE_WORD;
}

/*
 * Judges the place before a token, and finds the byte to cut at, behind white
 * space that the token starts with.
 */
static Place
judge(const Limiter *limiter, const Piece *piece, size_t token, size_t *at)
{
	const SrmToken *tokens = limiter->tokens->items;
	uint32_t	start = tokens[token].start;
	bool		ends_line;
	size_t		words;
	int32_t		mark;
	Place		place;

	*at = srm_skip_space(limiter->text, start, tokens[token].end);
	if (token <= piece->first || start < tokens[token - 1].end || *at >= tokens[token].end ||
		*at <= piece->bytes.start || srm_utf8_is_continuation((unsigned char) limiter->text[*at]))
		return PLACE_NONE;
	words = look_back(limiter, piece->bytes.start, *at, &ends_line);
	if (ends_line)
		return PLACE_LINE;
	mark = last_mark(limiter, piece->bytes.start, words);
	place = judge_mark(mark);
	/* Marks within a word, as in 10:30, are none; CJK has no space behind them */
	if (words == *at && (place == PLACE_WORD || !srm_char_is_cjk(mark)))
		return PLACE_WITHIN;
	return place;
}

/*
 * The token before which a piece that is too long is best cut, and the byte;
 * piece->end where it cannot be.
 */
static size_t
find_place(const Limiter *limiter, const Piece *piece, size_t *at)
{
	size_t		max = limiter->lengths.max;
	size_t		least = max / 4 > 0 ? max / 4 : 1;
	size_t		most = count(piece) - least < max ? count(piece) - least : max;
	size_t		best = piece->end;
	Place		best_place = PLACE_NONE;

	for (size_t n = most; n >= least; n--)
	{
		size_t		found;
		Place		place = judge(limiter, piece, piece->first + n, &found);

		if (place <= best_place)
			continue;
		best_place = place;
		best = piece->first + n;
		*at = found;
	}
	for (size_t token = piece->first + most + 1; best_place == PLACE_NONE && token < piece->end; token++)
	{
		best_place = judge(limiter, piece, token, at);
		if (best_place != PLACE_NONE)
			best = token;
	}
	return best;
}

static bool
append(Limiter *limiter, size_t start, size_t end)
{
	SrmSentences *sentences = limiter->sentences;

	if (!srm_arena_reserve(limiter->arena, &sentences->items, &limiter->capacity, sentences->n + 1,
						   sizeof(SrmSentence), limiter->status))
		return false;
	sentences->items[sentences->n++] = (SrmSentence) {(uint32_t) start, (uint32_t) end};
	return true;
}

/* A piece, cut as often as it takes. */
static bool
cut_long(Limiter *limiter, Piece piece, const SrmStop *stop)
{
	while (!fits(limiter, count(&piece)))
	{
		size_t		at = 0;
		size_t		token = find_place(limiter, &piece, &at);

		if (token == piece.end)
			break;
		if (!srm_continue(stop, limiter->status) || !append(limiter, piece.bytes.start, at))
			return false;
		piece.bytes.start = (uint32_t) at;
		piece.first = token;
	}
	return append(limiter, piece.bytes.start, piece.bytes.end);
}

bool
srm_sentences_limit(SrmSentences *sentences, SrmLengths lengths, const char *text, size_t length,
					SrmTokenizer *tokenizer, SrmArena *arena, const SrmStop *stop, SrmStatus *status)
{
	SrmTokens	tokens = {0};
	Limiter		limiter = {.text = text,.tokens = &tokens,.lengths = lengths,
	.sentences = sentences,.capacity = sentences->n,.arena = arena,.status = status};

	if ((lengths.min <= 1 && lengths.max == 0) || sentences->n == 0)
		return true;
	if (!srm_tokenizer_encode(tokenizer, text, length, NULL, 0, arena, &tokens, stop, status) ||
		!join_short(&limiter, sentences))
		return false;
	sentences->n = 0;
	for (size_t i = 0; i < limiter.n; i++)
		if (!cut_long(&limiter, limiter.pieces[i], stop))
			return false;
	return true;
}
