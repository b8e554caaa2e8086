/*-------------------------------------------------------------------------
 *
 * test_segment.c
 *	  Sentences: golden rules, cases decided by reading, and what holds for
 *	  every text.
 *
 *-------------------------------------------------------------------------
 */
#include "testing.h"

#include "base/utf8.h"
#include "segment/segment.h"
#include "segment/languages.h"
#include "segment/tables.h"

#define GOLDEN_RULES	"test/data/segmentation/golden_rules_en.jsonl"
#define CASES			"test/data/segmentation/cases.txt"

/* Of the 48 golden rules; a rule lost is to be looked at. */
#define GOLDEN_PASSED	47

#define RESPONSES		"test/data/segmentation/responses.jsonl"

/* Of the 497 passages; docs/segmentation.md tells the faults of the others. */
#define RESPONSES_PASSED 494

#define MIN_CASES		330

#define BOUNDARY		"\342\200\226"	/* U+2016 */

#define HOSTILE_SIZE	(1 << 20)

static SrmSegmenter *segmenter;
static SrmArena *arena;
static SrmStatus status;

static int
open_segmenter(void **state)
{
	(void) state;
	srm_status_init(&status);
	arena = srm_arena_create(&status);
	segmenter = srm_segmenter_open("icu", "", &status);
	return segmenter == NULL;
}

static int
close_segmenter(void **state)
{
	(void) state;
	srm_segmenter_free(segmenter);
	srm_arena_free(arena);
	return 0;
}

static SrmSentences
segment(const char *text, size_t length)
{
	SrmSentences sentences;

	if (!srm_segment(segmenter, text, length, arena, &sentences, NULL, &status))
		fail_msg("%s", status.message);
	return sentences;
}

/* Sentences tile the text, and are cut between characters. */
static void
check_tiling(const char *text, size_t length, const SrmSentences *sentences)
{
	uint32_t	end = 0;

	for (size_t i = 0; i < sentences->n; i++)
	{
		const SrmSentence *sentence = &sentences->items[i];

		assert_int_equal(sentence->start, end);
		assert_true(sentence->end > sentence->start);
		assert_true(sentence->end <= length);
		assert_false(srm_utf8_is_continuation((unsigned char) text[sentence->start]));
		end = sentence->end;
	}
	assert_int_equal(end, length);
	assert_int_equal(sentences->n == 0, length == 0);
}

/* The sentences with the boundary mark between them. */
static char *
mark_sentences(const char *text)
{
	SrmSentences sentences = segment(text, strlen(text));
	char	   *marked = srm_arena_array(arena, strlen(text) * 4 + 1, 1, &status);
	char	   *out = marked;

	assert_non_null(marked);
	check_tiling(text, strlen(text), &sentences);
	for (size_t i = 0; i < sentences.n; i++)
	{
		SrmSentence sentence = sentences.items[i];

		if (i > 0)
			out = stpcpy(out, BOUNDARY);
		out = mempcpy(out, text + sentence.start, sentence.end - sentence.start);
	}
	return marked;
}

/* Compares what is cut with what is expected, in which the mark stands. */
static bool
check_case(const char *kind, const char *expected)
{
	char	   *text = srm_arena_string(arena, expected, strlen(expected), &status);
	char	   *out = text;
	const char *marked;

	for (const char *p = expected; *p != '\0';)
	{
		if (strncmp(p, BOUNDARY, strlen(BOUNDARY)) == 0)
			p += strlen(BOUNDARY);
		else
			*out++ = *p++;
	}
	*out = '\0';
	marked = mark_sentences(text);
	if (strcmp(marked, expected) == 0)
		return true;
	print_error("%s: expected\n%s\nbut got\n%s\n", kind, expected, marked);
	return false;
}

static char *
read_file(const char *path)
{
	FILE	   *file = fopen(path, "rb");
	long		size;
	char	   *text;

	if (file == NULL)
		fail_msg("cannot open %s", path);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	rewind(file);
	text = srm_arena_array(arena, (size_t) size + 1, 1, &status);
	assert_int_equal(fread(text, 1, (size_t) size, file), size);
	fclose(file);
	return text;
}

/* The sentence without the white space around it is the one of the rule. */
static bool
is_trimmed(const char *text, SrmSentence sentence, const char *expected)
{
	while (sentence.start < sentence.end && text[sentence.start] == ' ')
		sentence.start++;
	while (sentence.end > sentence.start && text[sentence.end - 1] == ' ')
		sentence.end--;
	return strlen(expected) == sentence.end - sentence.start &&
		memcmp(expected, text + sentence.start, strlen(expected)) == 0;
}

static bool
passes_rule(const SrmJson *rule)
{
	const char *text = srm_json_string(srm_json_member(rule, "text"));
	const SrmJson *expected = srm_json_member(rule, "sentences");
	SrmSentences sentences = segment(text, strlen(text));
	const SrmJson *item = expected->child;

	check_tiling(text, strlen(text), &sentences);
	if (sentences.n != expected->n)
		return false;
	for (size_t i = 0; i < sentences.n; i++, item = item->next)
	{
		if (!is_trimmed(text, sentences.items[i], srm_json_string(item)))
			return false;
	}
	return true;
}

static void
test_golden_rules(void **state)
{
	char	   *lines = read_file(GOLDEN_RULES);
	int			n = 0;
	int			passed = 0;

	(void) state;
	for (char *line = strtok(lines, "\n"); line != NULL; line = strtok(NULL, "\n"))
	{
		const SrmJson *rule = srm_json_parse(line, strlen(line), "golden rules", arena, &status);

		assert_non_null(rule);
		n++;
		passed += passes_rule(rule);
	}
	print_message("golden rules: %d of %d\n", passed, n);
	assert_int_equal(n, 48);
	assert_true(passed >= GOLDEN_PASSED);
}

/* A kind may name its locale: "=== ordinals @de". */
static void
use_locale_of(const char *kind)
{
	const char *locale = strstr(kind, " @");

	srm_segmenter_free(segmenter);
	segmenter = srm_segmenter_open("icu", locale == NULL ? "" : locale + 2, &status);
	assert_non_null(segmenter);
}

/* Whether a passage, whose sentences tile it, is cut as it is labelled. */
static bool
is_as_labelled(const SrmJson *passage)
{
	const char *text = srm_json_string(srm_json_member(passage, "text"));
	const SrmJson *labels = srm_json_member(passage, "sentences");
	const SrmJson *label = labels->child;
	SrmSentences sentences;
	size_t		end = 0;

	srm_segmenter_free(segmenter);
	segmenter = srm_segmenter_open("icu", srm_json_string(srm_json_member(passage, "locale")), &status);
	assert_non_null(segmenter);
	sentences = segment(text, strlen(text));
	check_tiling(text, strlen(text), &sentences);
	for (size_t i = 0; i < sentences.n && label != NULL; i++, label = label->next)
	{
		end += strlen(srm_json_string(label));
		if (sentences.items[i].end != end)
			return false;
	}
	return sentences.n == labels->n;
}

static void
test_responses(void **state)
{
	int			n = 0;
	int			passed = 0;

	(void) state;
	for (char *line = strtok(read_file(RESPONSES), "\n"); line != NULL; line = strtok(NULL, "\n"))
	{
		const SrmJson *passage = srm_json_parse(line, strlen(line), "responses", arena, &status);

		assert_non_null(passage);
		n++;
		passed += is_as_labelled(passage);
	}
	use_locale_of("");
	print_message("responses: %d of %d\n", passed, n);
	assert_int_equal(n, 497);
	assert_true(passed >= RESPONSES_PASSED);
}

/* Cases lie between lines "=== kind" and "%%". */
static void
test_cases(void **state)
{
	char	   *at = strstr(read_file(CASES), "\n=== ");
	const char *kind = "";
	int			n = 0;
	int			failed = 0;

	(void) state;
	while (at != NULL)
	{
		char	   *next_kind;
		char	   *end;

		if (strncmp(at, "\n=== ", 5) == 0)
		{
			kind = at + 5;
			at = strchr(kind, '\n');
			*at++ = '\0';
			use_locale_of(kind);
		}
		else
			at += strlen("\n%%\n");
		end = strstr(at, "\n%%\n");
		next_kind = strstr(at, "\n=== ");
		if (end == NULL || (next_kind != NULL && next_kind < end))
			end = next_kind;
		n++;
		if (end == NULL)
		{
			at[strlen(at) - 1] = '\0';
			failed += !check_case(kind, at);
			break;
		}
		*end = '\0';
		failed += !check_case(kind, at);
		*end = '\n';
		at = end;
	}
	use_locale_of("");
	print_message("cases: %d\n", n);
	assert_true(n >= MIN_CASES);
	assert_int_equal(failed, 0);
}

/* Line ends of all kinds, which a file of cases shows badly. */
static void
test_line_ends(void **state)
{
	(void) state;
	assert_true(check_case("CR LF", "One\r\n" BOUNDARY "two\r\n\r\n" BOUNDARY "Three"));
	assert_true(check_case("CR", "One\r" BOUNDARY "Two\r\r" BOUNDARY "Three"));
	assert_true(check_case("NEL", "One\302\205" BOUNDARY "Two"));
	assert_true(check_case("LS", "One\342\200\250" BOUNDARY "Two\342\200\251" BOUNDARY "Three"));
	assert_true(check_case("fence", "```\r\na. B\r\n```\r\n" BOUNDARY "Text"));
	assert_true(check_case("form feed", "One.\f" BOUNDARY "Two.\v" BOUNDARY "Three"));
}

static void
test_empty(void **state)
{
	SrmSentences sentences = segment("", 0);

	(void) state;
	assert_int_equal(sentences.n, 0);
	assert_true(check_case("space", " "));
	assert_true(check_case("blank lines", "\n\n\n"));
	assert_true(check_case("marks", "...\n\n---\n"));
	sentences = segment("A\0. B\0", 6);
	check_tiling("A\0. B\0", 6, &sentences);
}

/* A language's own rules come with its locale, or with its script. */
static void
test_locale(void **state)
{
	static const char text[] = "\316\244\316\271; \316\235\316\261\316\271.";
	static const char *const invalid[] = {"no such locale", "en/../x", "C.UTF-8", "e"};
	SrmSegmenter *greek = srm_segmenter_open("icu", "el", &status);
	SrmSentences sentences;

	(void) state;
	assert_non_null(greek);
	assert_true(srm_segment(greek, text, strlen(text), arena, &sentences, NULL, &status));
	assert_int_equal(sentences.n, 2);
	assert_int_equal(segment(text, strlen(text)).n, 2);
	srm_segmenter_free(greek);

	greek = srm_segmenter_open("icu", "pt_BR", &status);
	assert_non_null(greek);
	srm_segmenter_free(greek);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
	{
		SrmStatus	refused;

		srm_status_init(&refused);
		assert_null(srm_segmenter_open("icu", invalid[i], &refused));
		assert_int_equal(refused.code, SRM_INVALID_ARGUMENT);
	}
}

static bool
stop_at_once(void *arg)
{
	++*(int *) arg;
	return true;
}

/* Cuts a marked text by a segmenter of its own, and compares. */
static bool
check_kind(const char *name, const char *expected)
{
	bool		same;

	srm_segmenter_free(segmenter);
	segmenter = srm_segmenter_open(name, "", &status);
	assert_non_null(segmenter);
	same = check_case(name, expected);
	srm_segmenter_free(segmenter);
	segmenter = srm_segmenter_open("icu", "", &status);
	return same;
}

static void
test_kinds(void **state)
{
	(void) state;
	assert_true(check_kind("lines", "One. Two.\n" BOUNDARY "Three\r\n\r\n" BOUNDARY "Four"));
	assert_true(check_kind("lines", "Code:\n" BOUNDARY "```\na\n\nb\n```\n" BOUNDARY "End."));
	assert_true(check_kind("paragraphs", "One.\nTwo.\n\n" BOUNDARY "Three\n \n" BOUNDARY "Four"));
	assert_true(check_kind("paragraphs", "Code:\n```\na\n\nb\n```\nEnd.\n\n" BOUNDARY "Next"));
	assert_true(check_kind("regex:;\\s*", "One; " BOUNDARY "two. Three;" BOUNDARY "four"));
	assert_true(check_kind("regex:\\n\\n", "A\nB\n\n" BOUNDARY "C"));
	/* Empty matches cut nothing, and characters stay whole */
	assert_true(check_kind("regex:x*", "\343\200\202\343\200\202 ab"));
	assert_true(check_kind("regex:\343\200\202", "\344\275\240\343\200\202" BOUNDARY "\344\275\240"));
}

static void
test_refused_kinds(void **state)
{
	static const char *const names[] = {"", "icu ", "sentences", "regex", "regex:", "regex:(", "regex:[a"};

	(void) state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		SrmStatus	refused;

		srm_status_init(&refused);
		assert_null(srm_segmenter_open(names[i], "", &refused));
		assert_int_equal(refused.code, SRM_INVALID_ARGUMENT);
	}
}

/* What backtracks without end is stopped. */
static void
test_endless_pattern(void **state)
{
	static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
	SrmSegmenter *endless = srm_segmenter_open("regex:(a+)+c", "", &status);
	SrmSentences sentences;
	SrmStatus	refused;
	int			n_asked = 0;
	SrmStop		stop = {stop_at_once, &n_asked, NULL};

	(void) state;
	assert_non_null(endless);
	srm_status_init(&refused);
	assert_false(srm_segment(endless, text, strlen(text), arena, &sentences, NULL, &refused));
	assert_int_equal(refused.code, SRM_LIMIT_EXCEEDED);
	srm_status_init(&refused);
	assert_false(srm_segment(endless, text, strlen(text), arena, &sentences, &stop, &refused));
	assert_int_equal(refused.code, SRM_STOPPED);
	srm_segmenter_free(endless);
}

/* A generator that is the same everywhere. */
static uint32_t
next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t) (*seed >> 33);
}

/* Characters from all planes, the ones that rules look at more often. */
static size_t
write_random_text(char *out, size_t n, uint64_t *seed)
{
	static const char *const fragments[] = {
		".", ". ", "!", "? ", "...", "\342\200\246", "\n", "\n\n", "\r\n", " ", "  ", "\t",
		"\"", "'", "(", ")", "[1]", "*", "**", "_", "`", "```", "```\n", "~~~", "\n```c\n",
		"$$", "\n$$\n", "\\[", "\\]", "\n\\begin{a}", "\\end{a}", "| ", "\n| a. B |", "# ",
		"\n- ", "\n1. ", " 2. ", " 3) ", "\n1) ", "(a) ", "\342\200\242 ", "a", "B", "Dr.",
		"U.S. ", "e.g. ", "etc. ", "The ", "he ", "1", "12", ": 1. ", "Step 1. ", "p.m. ",
		"\343\200\202", "\357\274\201", "\343\200\214", "\343\200\215", "\357\274\210",
		"\357\274\211", "\342\200\234", "\342\200\235", "\344\275\240", "\343\201\250",
		"\340\245\244", "\330\237", "\330\247", "\340\270\201", "\360\237\230\200", "\342\200\215",
		"\357\270\217", "\360\237\207\253", "\360\237\217\275", "\314\201", ":) ", "\302\240",
		"<think>", "</think>", "<br>", "<sup>1</sup>", "^[1]^", "[2, 3]", ".$ ", ".\\) ", " = A. ", "(b) ",
		"\324\261: ", "\341\237\224", "\345\220\215", "{\"a\": \"", "a | b\n--- | ---\n", "is 3. 4 ", "Yahoo! ",
		"\342\200\224 ", "3! \303\227 ", "\342\200\250", "\302\205", "\357\273\277", "\313\231", "http://x.y/?Q=1", "![", "> "
	};
	size_t		length = 0;

	for (size_t i = 0; i < n; i++)
	{
		uint32_t	choice = next_random(seed) % 8;

		if (choice > 0)
		{
			const char *fragment = fragments[next_random(seed) %
											 (sizeof(fragments) / sizeof(fragments[0]))];

			memcpy(out + length, fragment, strlen(fragment));
			length += strlen(fragment);
		}
		else
		{
			uint32_t	code = next_random(seed) % 0x110000;

			if (code >= 0xD800 && code <= 0xDFFF)
				code = '.';
			length += srm_utf8_encode(code, out + length);
		}
	}
	return length;
}

static void
test_random(void **state)
{
	static char text[64 * 20];
	uint64_t	seed = 20;

	(void) state;
	for (int i = 0; i < 20000; i++)
	{
		size_t		length = write_random_text(text, next_random(&seed) % 64, &seed);
		SrmSentences sentences = segment(text, length);

		check_tiling(text, length, &sentences);
		srm_arena_reset(arena);
	}
}

/* Every prefix of a text is a text. */
static void
test_prefixes(void **state)
{
	static char text[64 * 20];
	uint64_t	seed = 21;
	size_t		length = write_random_text(text, 64, &seed);

	(void) state;
	for (size_t end = 0; end <= length; end++)
	{
		SrmSentences sentences;

		if (end < length && srm_utf8_is_continuation((unsigned char) text[end]))
			continue;
		sentences = segment(text, end);
		check_tiling(text, end, &sentences);
	}
}

/* The same text gives the same sentences, whatever was cut in between. */
static void
test_determinism(void **state)
{
	static char text[64 * 20];
	uint64_t	seed = 22;

	(void) state;
	for (int i = 0; i < 200; i++)
	{
		size_t		length = write_random_text(text, 63, &seed);
		SrmSentences first = segment(text, length);
		SrmSentences second;

		segment("Something else. \"Really?", 24);
		second = segment(text, length);
		assert_int_equal(first.n, second.n);
		assert_memory_equal(first.items, second.items, first.n * sizeof(SrmSentence));
		srm_arena_reset(arena);
	}
}

/*
 * A megabyte of what might make a rule look back or ahead too far.  What is
 * not linear takes minutes here.
 */
static void
test_hostile(void **state)
{
	static const char *const patterns[] = {
		"(", "\"", "\n", " ", "a.a.a.", "a. ", "A. B ", "*", "`", "` `` ``` ```` ", "```\n",
		"~~~ ", "\\[\n", "$$\n", "\\begin{\n", "\\begin{a}\n\\end{", ". ", "\342\200\246 ",
		"\342\200\246\"", "1) 2) ", "1. a 2. b 3. c ", "\342\200\242 a ", "| a. B |\n", "!", "! (",
		"? ", ".\"", ". \"", "\343\200\202\342\200\235\342\200\234", "\360\237\230\200",
		"\342\200\215", "\357\270\217", "http://a?b!c?", "Mr. ", "etc. a", "> ", "\r\n", "1.",
		": 1. ", ".*", "a. 1 ", "yes. 1 a", ". ![", "#", "- ", "[1]", ". . ", "Step 1. ", "_a", "**a ",
		"<", "<think>", "</think>", "<br>", ".<sup>1", ".[1,", ". [1]", "a.$ ", "a. (b) ", "x `a ", "= A. B",
		"a | b\n", "--- | ---\n", "{\"a\":\n", "x = 1. 2 ", "a: 1. b ", "a. 1. b ", "B is C. D ", "\343\200\212\343\200\202",
		"\324\261: ", "\341\237\224", "3! 2! ", "a = b\n", "Yahoo! A", "Inc. (", "a. b "
	};
	char	   *text = malloc(HOSTILE_SIZE + 64);

	(void) state;
	assert_non_null(text);
	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
	{
		size_t		length = 0;
		SrmSentences sentences;

		while (length < HOSTILE_SIZE)
		{
			memcpy(text + length, patterns[i], strlen(patterns[i]));
			length += strlen(patterns[i]);
		}
		sentences = segment(text, length);
		check_tiling(text, length, &sentences);
		srm_arena_reset(arena);
	}
	free(text);
}

/*
 * A text longer than one window of ICU's is cut as its parts are: no line ends,
 * sentences of a length that does not divide the window.
 */
static void
test_windows(void **state)
{
	static const char sentence[] = "The cat, which was 3 years old, sat on Dr. Lee's mat. ";
	size_t		size = strlen(sentence);
	size_t		n = ((size_t) 3 << 20) / size;
	char	   *text = malloc(n * size);
	SrmSentences sentences;

	(void) state;
	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * size, sentence, size);
	sentences = segment(text, n * size);
	check_tiling(text, n * size, &sentences);
	assert_int_equal(sentences.n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(sentences.items[i].start, i * size);
	free(text);
}

static void
test_stop(void **state)
{
	int			n_asked = 0;
	SrmStop		stop = {stop_at_once, &n_asked, NULL};
	SrmStatus	stopped;
	SrmSentences sentences;

	(void) state;
	srm_status_init(&stopped);
	assert_false(srm_segment(segmenter, "One. Two.", 9, arena, &sentences, &stop, &stopped));
	assert_int_equal(stopped.code, SRM_STOPPED);
	assert_int_equal(n_asked, 1);
	/* The segmenter serves the next text */
	assert_int_equal(segment("One. Two.", 9).n, 2);
}

/*
 * A text need not end in a NUL: with every abbreviation and mark at its very
 * end, a sanitizer sees whoever reads one byte too far.
 */
static void
test_no_terminator(void **state)
{
	static const char *const ends[] = {".", ". ", ".  ", ".\"", ". (", "?", "? ", ".)", ".*", ".\n"};

	(void) state;
	for (size_t i = 0; i < srm_n_abbreviations * (sizeof(ends) / sizeof(ends[0])); i++)
	{
		const char *word = srm_abbreviations[i % srm_n_abbreviations].word;
		const char *end = ends[i / srm_n_abbreviations];
		size_t		length = strlen("See ") + strlen(word) + strlen(end);
		char	   *text = malloc(length + 1);
		char	   *exact = malloc(length);

		snprintf(text, length + 1, "See %s%s", word, end);
		memcpy(exact, text, length);
		assert_true(segment(exact, length).n > 0);
		free(text);
		free(exact);
	}
}

static void
check_sorted(const SrmWords *words)
{
	for (size_t i = 1; i < words->n; i++)
		assert_true(strcmp(words->words[i - 1], words->words[i]) < 0);
}

static void
test_languages(void **state)
{
	const SrmLanguage *german = srm_language_find("de_AT");

	(void) state;
	for (size_t i = 0; i < srm_n_languages; i++)
	{
		check_sorted(&srm_languages[i].never);
		check_sorted(&srm_languages[i].number);
		check_sorted(&srm_languages[i].capital);
		check_sorted(&srm_languages[i].starter);
		check_sorted(&srm_languages[i].starters);
	}
	assert_string_equal(german->code, "de");
	assert_string_equal(srm_language_find("")->code, "");
	assert_string_equal(srm_language_find("xx")->code, "");
	assert_int_equal(srm_language_abbreviation(german, "Bzgl", 4), SRM_ABBREVIATION_NEVER);
	assert_int_equal(srm_language_abbreviation(srm_languages, "Bzgl", 4), SRM_ABBREVIATION_NONE);
}

/* Binary search needs them sorted. */
static void
test_tables(void **state)
{
	(void) state;
	for (size_t i = 1; i < srm_n_abbreviations; i++)
		assert_true(strcmp(srm_abbreviations[i - 1].word, srm_abbreviations[i].word) < 0);
	for (size_t i = 1; i < srm_n_starters; i++)
		assert_true(strcmp(srm_starters[i - 1], srm_starters[i]) < 0);
	for (size_t i = 1; i < srm_n_labels; i++)
		assert_true(strcmp(srm_labels[i - 1], srm_labels[i]) < 0);
	assert_int_equal(srm_abbreviation("Dr", 2), SRM_ABBREVIATION_NEVER);
	assert_int_equal(srm_abbreviation("D", 1), SRM_ABBREVIATION_NONE);
	assert_int_equal(srm_abbreviation("Drx", 3), SRM_ABBREVIATION_NONE);
	assert_true(srm_is_label("Step", 4) && srm_is_label("step", 4));
	assert_false(srm_is_label("sTep", 4));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_rules),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_locale),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_refused_kinds),
		cmocka_unit_test(test_endless_pattern),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_determinism),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_no_terminator),
		cmocka_unit_test(test_languages),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests_name("segment", tests, open_segmenter, close_segmenter);
}
