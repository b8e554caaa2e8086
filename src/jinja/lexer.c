/*-------------------------------------------------------------------------
 *
 * lexer.c
 *	  The source of a chat template as tokens.
 *
 * White space around tags goes here, as Jinja's own lexer does it: "-" takes
 * all of it, a block's end takes one line break (trim_blocks), a block or
 * comment that starts a line takes the blanks before it (lstrip_blocks), "+"
 * keeps what those two would take, and one line break at the very end of the
 * source is dropped.
 *
 *-------------------------------------------------------------------------
 */
#include "jinja/syntax.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <unicode/uchar.h>

#include "base/utf8.h"

typedef struct Lexer
{
	SrmArena   *arena;
	SrmStatus  *status;
	char	   *source;			/* (length), then a NUL; line breaks are \n */
	size_t		length;
	size_t		at;
	int			line;			/* of at */
	bool		line_starting;	/* the last tag ended with a line break */
	JinjaToken *tokens;
	size_t		n_tokens;
	size_t		capacity;
} Lexer;

bool
srm_jinja_syntax_error(SrmStatus *status, int line, const char *format,...)
{
	char		what[256];
	va_list		args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return srm_fail(status, SRM_INVALID_MODEL, "invalid chat template at line %d: %s", line, what);
}

/* Copies the source with line breaks made \n, less one at its end. */
static bool
take_source(Lexer *lexer, const char *source, size_t length)
{
	size_t		n = 0;

	lexer->source = srm_arena_alloc(lexer->arena, length + 1, lexer->status);
	if (lexer->source == NULL)
		return false;
	for (size_t i = 0; i < length; i++)
	{
		if (source[i] == '\r' && i + 1 < length && source[i + 1] == '\n')
			continue;
		lexer->source[n++] = source[i] == '\r' ? '\n' : source[i];
	}
	if (n > 0 && lexer->source[n - 1] == '\n')
		n--;
	lexer->source[n] = '\0';
	lexer->length = n;
	return true;
}

static bool
add_token(Lexer *lexer, JinjaTokenType type, const char *text, size_t length)
{
	JinjaToken *token;

	if (!srm_arena_reserve(lexer->arena, &lexer->tokens, &lexer->capacity, lexer->n_tokens + 1,
						   sizeof(JinjaToken), lexer->status))
		return false;
	token = &lexer->tokens[lexer->n_tokens++];
	token->type = type;
	token->line = lexer->line;
	token->length = length;
	token->text = srm_arena_string(lexer->arena, text, length, lexer->status);
	return token->text != NULL;
}

static void
move_to(Lexer *lexer, size_t at)
{
	for (size_t i = lexer->at; i < at; i++)
		lexer->line += lexer->source[i] == '\n';
	lexer->at = at;
}

static bool
looking_at(const Lexer *lexer, size_t at, const char *text)
{
	size_t		length = strlen(text);

	return lexer->length - at >= length && memcmp(lexer->source + at, text, length) == 0;
}

static size_t
skip_space(const Lexer *lexer, size_t at)
{
	while (at < lexer->length)
	{
		size_t		next = at;

		if (!srm_jinja_is_space(srm_utf8_next(lexer->source, lexer->length, &next)))
			break;
		at = next;
	}
	return at;
}

/* The start of the white space that ends at end, not before start. */
static size_t
space_before(const Lexer *lexer, size_t start, size_t end)
{
	while (end > start)
	{
		size_t		at = end - 1;
		size_t		next;

		while (at > start && srm_utf8_is_continuation((unsigned char) lexer->source[at]))
			at--;
		next = at;
		if (!srm_jinja_is_space(srm_utf8_next(lexer->source, lexer->length, &next)))
			break;
		end = at;
	}
	return end;
}

/* Emits the text up to a tag at end, less the white space that the tag takes. */
static bool
lex_text(Lexer *lexer, size_t end)
{
	size_t		start = lexer->at;
	size_t		stop = end;
	char		sign = looking_at(lexer, end, "{") ? lexer->source[end + 2] : '\0';

	if (sign == '-')
		stop = space_before(lexer, start, end);
	else if (sign != '+' && end < lexer->length && lexer->source[end + 1] != '{')
	{
		size_t		line = end;

		while (line > start && lexer->source[line - 1] != '\n')
			line--;
		if ((line > start || lexer->line_starting) &&
			space_before(lexer, line, end) == line)
			stop = line;
	}
	if (stop > start &&
		!add_token(lexer, JINJA_TOKEN_TEXT, lexer->source + start, stop - start))
		return false;
	move_to(lexer, end);
	return true;
}

/*
 * Moves behind the end of a tag that starts at at: "-" takes the white space
 * behind it, otherwise a block or comment takes a line break.
 */
static void
end_tag(Lexer *lexer, size_t at, bool variable)
{
	char		sign = lexer->source[at];
	size_t		next = at + (sign == '-' || sign == '+' ? 3 : 2);

	if (sign == '-')
		next = skip_space(lexer, next);
	else if (sign != '+' && !variable && looking_at(lexer, next, "\n"))
		next++;
	move_to(lexer, next);
	lexer->line_starting = lexer->source[next - 1] == '\n';
}

/* Whether a tag of this kind ends at at, with or without a sign. */
static bool
at_end_tag(const Lexer *lexer, size_t at, const char *end)
{
	if (looking_at(lexer, at, end))
		return true;
	return (lexer->source[at] == '-' || (lexer->source[at] == '+' && end[0] != '}')) &&
		looking_at(lexer, at + 1, end);
}

static size_t
skip_sign(const Lexer *lexer, size_t at)
{
	return at + (lexer->source[at] == '-' || lexer->source[at] == '+');
}

static bool
lex_comment(Lexer *lexer)
{
	size_t		at = skip_sign(lexer, lexer->at + 2);

	while (at < lexer->length && !at_end_tag(lexer, at, "#}"))
		at++;
	if (at >= lexer->length)
		return srm_jinja_syntax_error(lexer->status, lexer->line, "comment has no end");
	end_tag(lexer, at, false);
	return true;
}

/* Where a block that holds this word only ends, at its sign; 0: it is another block. */
static size_t
match_word_block(const Lexer *lexer, size_t at, const char *word)
{
	at = skip_space(lexer, skip_sign(lexer, at + 2));
	if (!looking_at(lexer, at, word))
		return 0;
	at = skip_space(lexer, at + strlen(word));
	return at_end_tag(lexer, at, "%}") ? at : 0;
}

/* Text between raw and endraw; end is the end of the first tag. */
static bool
lex_raw(Lexer *lexer, size_t end)
{
	bool		trim = lexer->source[end] == '-';
	int			line = lexer->line;
	size_t		at = end + (lexer->source[end] == '%' ? 2 : 3);

	/* Unlike other blocks', its line break stays */
	move_to(lexer, trim ? skip_space(lexer, at) : at);
	lexer->line_starting = lexer->source[lexer->at - 1] == '\n';
	for (at = lexer->at; at < lexer->length; at++)
	{
		if (!looking_at(lexer, at, "{%"))
			continue;
		end = match_word_block(lexer, at, "endraw");
		if (end == 0)
			continue;
		if (!lex_text(lexer, at))
			return false;
		end_tag(lexer, end, false);
		return true;
	}
	return srm_jinja_syntax_error(lexer->status, line, "block \"raw\" has no end");
}

/* The value of n hexadecimal digits at at, or UINT32_MAX. */
static uint32_t
read_hex(const Lexer *lexer, size_t at, size_t end, int n)
{
	uint32_t	code = 0;

	if (end - at < (size_t) n)
		return UINT32_MAX;
	for (int i = 0; i < n; i++)
	{
		int			digit = u_digit((unsigned char) lexer->source[at + i], 16);

		if (digit < 0)
			return UINT32_MAX;
		code = code << 4 | (uint32_t) digit;
	}
	return code;
}

/* Up to three octal digits; moves *at behind them. */
static uint32_t
read_octal(const Lexer *lexer, size_t *at, size_t end)
{
	uint32_t	code = 0;

	for (int i = 0; i < 3 && *at < end && lexer->source[*at] >= '0' && lexer->source[*at] <= '7'; i++)
		code = code * 8 + (uint32_t) (lexer->source[(*at)++] - '0');
	return code;
}

/*
 * Writes what the escape behind a backslash at *at stands for, and moves *at
 * behind it.  What Python does not know stays as it is.
 */
static bool
read_escape(Lexer *lexer, size_t *at, size_t end, char *out, size_t *n)
{
	static const char letters[] = "n\nt\tr\rb\bf\fv\va\a\\\\''\"\"";
	char		c = lexer->source[*at];
	uint32_t	code = 0;
	int			digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;

	for (size_t i = 0; letters[i] != '\0'; i += 2)
	{
		if (letters[i] != c)
			continue;
		out[(*n)++] = letters[i + 1];
		*at += 1;
		return true;
	}
	if (c == '\n')
	{
		*at += 1;
		return true;
	}
	if (digits > 0)
	{
		code = read_hex(lexer, *at + 1, end, digits);
		*at += 1 + (size_t) digits;
	}
	else if (c >= '0' && c <= '7')
		code = read_octal(lexer, at, end);
	else
	{
		out[(*n)++] = '\\';
		return true;
	}
	if (code == 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
		return srm_jinja_syntax_error(lexer->status, lexer->line, "invalid escape in a string");
	*n += srm_utf8_encode(code, out + *n);
	return true;
}

static bool
lex_string(Lexer *lexer)
{
	char		quote = lexer->source[lexer->at];
	size_t		start = lexer->at + 1;
	size_t		end = start;
	size_t		n = 0;
	char	   *out;

	while (end < lexer->length && lexer->source[end] != quote)
		end += lexer->source[end] == '\\' ? 2 : 1;
	if (end >= lexer->length)
		return srm_jinja_syntax_error(lexer->status, lexer->line, "string has no end");
	out = srm_arena_alloc(lexer->arena, end - start + 1, lexer->status);
	if (out == NULL)
		return false;
	for (size_t at = start; at < end;)
	{
		if (lexer->source[at] != '\\')
			out[n++] = lexer->source[at++];
		else
		{
			at++;
			if (!read_escape(lexer, &at, end, out, &n))
				return false;
		}
	}
	if (!add_token(lexer, JINJA_TOKEN_STRING, out, n))
		return false;
	move_to(lexer, end + 1);
	return true;
}

static size_t
skip_digits(const Lexer *lexer, size_t at)
{
	while (u_isdigit((unsigned char) lexer->source[at]) ||
		   (lexer->source[at] == '_' && u_isdigit((unsigned char) lexer->source[at + 1])))
		at++;
	return at;
}

/* The source ends in NUL, which is no digit: looking ahead stays inside. */
static bool
lex_number(Lexer *lexer)
{
	const char *source = lexer->source;
	size_t		start = lexer->at;
	size_t		end = skip_digits(lexer, start);
	size_t		exponent;
	JinjaTokenType type = JINJA_TOKEN_INTEGER;
	char		digits[64];
	size_t		n = 0;

	if (start > 0 && source[start - 1] == '.')
		exponent = lexer->length;	/* "a.0.1" is an item of an item */
	else
	{
		if (source[end] == '.' && u_isdigit((unsigned char) source[end + 1]))
		{
			type = JINJA_TOKEN_FLOAT;
			end = skip_digits(lexer, end + 1);
		}
		exponent = end + 1;
		if (exponent < lexer->length && (source[exponent] == '+' || source[exponent] == '-'))
			exponent++;
	}
	if ((source[end] == 'e' || source[end] == 'E') && exponent < lexer->length &&
		u_isdigit((unsigned char) source[exponent]))
	{
		type = JINJA_TOKEN_FLOAT;
		end = skip_digits(lexer, exponent);
	}
	for (size_t i = start; i < end; i++)
	{
		if (source[i] == '_')
			continue;
		if (n == sizeof(digits) - 1)
			return srm_jinja_syntax_error(lexer->status, lexer->line, "number has too many digits");
		digits[n++] = source[i];
	}
	if (!add_token(lexer, type, digits, n))
		return false;
	move_to(lexer, end);
	return true;
}

/* The end of the name that starts at at, or at. */
static size_t
skip_name(const Lexer *lexer, size_t at)
{
	while (at < lexer->length)
	{
		size_t		next = at;
		uint32_t	code = srm_utf8_next(lexer->source, lexer->length, &next);

		if (code != '_' && !u_isIDPart((UChar32) code))
			break;
		at = next;
	}
	return at;
}

static bool
lex_operator(Lexer *lexer)
{
	static const char *const longer[] = {"//", "**", "==", "!=", ">=", "<="};
	size_t		length = 0;

	for (size_t i = 0; i < sizeof(longer) / sizeof(longer[0]); i++)
	{
		if (looking_at(lexer, lexer->at, longer[i]))
			length = 2;
	}
	if (length == 0 && strchr("+-/*%~[](){}><=.:|,;", lexer->source[lexer->at]) != NULL)
		length = 1;
	if (length == 0)
		return srm_jinja_syntax_error(lexer->status, lexer->line, "unexpected character \"%.*s\"",
									  (int) srm_utf8_size((unsigned char) lexer->source[lexer->at]),
									  lexer->source + lexer->at);
	if (!add_token(lexer, JINJA_TOKEN_OPERATOR, lexer->source + lexer->at, length))
		return false;
	move_to(lexer, lexer->at + length);
	return true;
}

static bool
lex_token(Lexer *lexer, int *nesting)
{
	char		c = lexer->source[lexer->at];
	size_t		end;

	if (c == '\'' || c == '"')
		return lex_string(lexer);
	if (u_isdigit((unsigned char) c))
		return lex_number(lexer);
	end = skip_name(lexer, lexer->at);
	if (end > lexer->at)
	{
		if (!add_token(lexer, JINJA_TOKEN_NAME, lexer->source + lexer->at, end - lexer->at))
			return false;
		move_to(lexer, end);
		return true;
	}
	if (c == '(' || c == '[' || c == '{')
		*nesting += 1;
	else if ((c == ')' || c == ']' || c == '}') && --*nesting < 0)
		return srm_jinja_syntax_error(lexer->status, lexer->line, "unexpected \"%c\"", c);
	return lex_operator(lexer);
}

/* The inside of {{ }} or {% %}; brackets hide the end, as in {{ {'a': {}} }}. */
static bool
lex_tag(Lexer *lexer, bool variable)
{
	const char *end = variable ? "}}" : "%}";
	int			line = lexer->line;
	int			nesting = 0;

	if (!add_token(lexer, variable ? JINJA_TOKEN_VARIABLE_BEGIN : JINJA_TOKEN_BLOCK_BEGIN,
				   lexer->source + lexer->at, 2))
		return false;
	move_to(lexer, skip_sign(lexer, lexer->at + 2));
	for (;;)
	{
		move_to(lexer, skip_space(lexer, lexer->at));
		if (lexer->at >= lexer->length)
			return srm_jinja_syntax_error(lexer->status, line, "\"%s\" has no end",
										  variable ? "{{" : "{%");
		if (nesting == 0 && at_end_tag(lexer, lexer->at, end))
			break;
		if (!lex_token(lexer, &nesting))
			return false;
	}
	if (!add_token(lexer, variable ? JINJA_TOKEN_VARIABLE_END : JINJA_TOKEN_BLOCK_END, end, 2))
		return false;
	end_tag(lexer, lexer->at, variable);
	return true;
}

/* The next "{{", "{%" or "{#", or the end. */
static size_t
find_tag(const Lexer *lexer)
{
	const char *end = lexer->source + lexer->length;
	const char *at = lexer->source + lexer->at;

	while ((at = memchr(at, '{', end - at)) != NULL)
	{
		if (at[1] == '{' || at[1] == '%' || at[1] == '#')
			return at - lexer->source;
		at++;
	}
	return lexer->length;
}

static bool
lex_next(Lexer *lexer)
{
	size_t		end;

	if (!lex_text(lexer, find_tag(lexer)))
		return false;
	if (lexer->at == lexer->length)
		return true;
	switch (lexer->source[lexer->at + 1])
	{
		case '#':
			return lex_comment(lexer);
		case '{':
			return lex_tag(lexer, true);
		default:
			end = match_word_block(lexer, lexer->at, "raw");
			if (end != 0)
				return lex_raw(lexer, end);
			return lex_tag(lexer, false);
	}
}

JinjaToken *
srm_jinja_lex(const char *source, size_t length, SrmArena *arena, SrmStatus *status)
{
	Lexer		lexer = {.arena = arena, .status = status, .line = 1, .line_starting = true};

	if (!take_source(&lexer, source, length))
		return NULL;
	while (lexer.at < lexer.length)
	{
		if (!lex_next(&lexer))
			return NULL;
	}
	if (!add_token(&lexer, JINJA_TOKEN_EOF, "", 0))
		return NULL;
	return lexer.tokens;
}
