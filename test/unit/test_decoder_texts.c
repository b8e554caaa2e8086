/*-------------------------------------------------------------------------
 *
 * test_decoder_texts.c
 *	  Tests of the decoder: texts of one pass, and what they share.
 *
 *-------------------------------------------------------------------------
 */
#include "decoder_fixture.h"

#include "../kernels_environment.h"

#define N_TEXTS		5
#define N_PROMPT	70

/* Texts behind tokens 0 .. N_PROMPT - 1; each starts at another token. */
static const size_t text_lengths[N_TEXTS] = {17, 1, 100, 64, 5};

static void
make_texts(SrmSequence texts[N_TEXTS], size_t dim)
{
	for (size_t i = 0; i < N_TEXTS; i++)
		texts[i] = (SrmSequence) {
			.tokens = tokens + N_PROMPT + 7 * i,.n_tokens = text_lengths[i],
			.wanted = all_tokens,.n_wanted = text_lengths[i],
			.hidden = allocate(text_lengths[i] * dim * sizeof(float))
		};
}

/* Prompt and text in one piece through the plain twin. */
static void
check_text(const SrmDecoder *decoder, const SrmSequence *text)
{
	int32_t		whole[N_PROMPT + 100];
	double	   *expected = allocate((N_PROMPT + 100) * decoder->dim * sizeof(double));

	memcpy(whole, tokens, N_PROMPT * sizeof(int32_t));
	memcpy(whole + N_PROMPT, text->tokens, text->n_tokens * sizeof(int32_t));
	plain_decoder_forward(expected, decoder, whole, N_PROMPT + text->n_tokens);
	assert_true(distance(text->hidden, expected + N_PROMPT * decoder->dim,
						 text->n_tokens * decoder->dim) < 3e-5);
}

/* The same text alone behind the prompt, which is in the cache. */
static void
check_alone(const SrmDecoder *decoder, SrmCache *cache, const SrmSequence *text)
{
	float	   *hidden = allocate(text->n_tokens * decoder->dim * sizeof(float));

	assert_true(forward_text(decoder, cache, false, text->tokens, text->n_tokens, text->wanted, text->n_wanted,
							 hidden, 1, NULL, &status));
	assert_memory_equal(text->hidden, hidden, text->n_tokens * decoder->dim * sizeof(float));
}

/*
 * texts behind one prompt, in one pass, do not see each other, however much
 * of the prompt is there, and get the bits that they have alone
 */
static void
test_decoder_batch(void **state)
{
	static const size_t cached[] = {0, 1, 64, 69, N_PROMPT};

	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		float	   *hidden = allocate(N_PROMPT * decoder->dim * sizeof(float));
		SrmSequence texts[1 + N_TEXTS];

		fill_tokens(decoder->vocab_size);
		for (size_t j = 0; j < sizeof(cached) / sizeof(cached[0]); j++)
		{
			SrmCache   *cache = srm_cache_create(decoder, &status);
			size_t		n_left = N_PROMPT - cached[j];

			texts[0] = (SrmSequence) {.tokens = tokens + cached[j],.n_tokens = n_left,.wanted = all_tokens,
				.n_wanted = n_left,.hidden = hidden,.n_common = cached[j],.is_kept = true};
			make_texts(texts + 1, decoder->dim);
			for (size_t k = 1; k <= N_TEXTS; k++)
				texts[k].past = &texts[0];
			run_block(decoder, cache, 0, cached[j], hidden, 1);
			assert_true(srm_decoder_forward_batch(decoder, cache, texts, N_TEXTS + 1, (int) j % 3 + 1, NULL, &status));
			assert_int_equal(cache->n_tokens, N_PROMPT);
			for (size_t k = 1; k <= N_TEXTS; k++)
			{
				check_text(decoder, &texts[k]);
				check_alone(decoder, cache, &texts[k]);
			}
			srm_cache_free(cache);
		}
	}
}

/* Prompts of which each begins as the one before it does, with so many of its tokens. */
static const size_t prompt_lengths[N_TEXTS] = {70, 40, 33, 90, 257};
static const size_t common_lengths[N_TEXTS] = {0, 17, 33, 16, 89};

typedef struct Texts
{
	int32_t		prompts[N_TEXTS][300];
	SrmSequence sequences[2 * N_TEXTS]; /* each prompt, and a text behind it */
} Texts;

/* The cache has n_cached tokens of the first prompt; the last one is kept. */
static void
make_prompts(Texts *made, const SrmDecoder *decoder, size_t n_cached)
{
	SrmSequence texts[N_TEXTS];

	make_texts(texts, decoder->dim);
	for (size_t i = 0; i < N_TEXTS; i++)
	{
		size_t		n_common = i == 0 ? n_cached : common_lengths[i];
		size_t		n = prompt_lengths[i] - n_common;

		memcpy(made->prompts[i], tokens + 11 * i, prompt_lengths[i] * sizeof(int32_t));
		if (i > 0)
			memcpy(made->prompts[i], made->prompts[i - 1], n_common * sizeof(int32_t));
		made->sequences[2 * i] = (SrmSequence) {
			.tokens = made->prompts[i] + n_common,.n_tokens = n,.wanted = all_tokens,.n_wanted = n,
			.hidden = allocate(n * decoder->dim * sizeof(float)),
			.n_common = n_common,.common = i == 0 ? NULL : &made->sequences[2 * i - 2],.is_kept = i == N_TEXTS - 1
		};
		texts[i].past = &made->sequences[2 * i];
		made->sequences[2 * i + 1] = texts[i];
	}
}

/* Each prompt and text has the bits that it has alone, and the cache those of the last prompt. */
static void
check_prompts(const Texts *made, const SrmDecoder *decoder, SrmCache *last)
{
	for (size_t i = 0; i < N_TEXTS; i++)
	{
		const SrmSequence *prompt = &made->sequences[2 * i];
		SrmCache   *cache = srm_cache_create(decoder, &status);
		float	   *hidden = allocate(prompt_lengths[i] * decoder->dim * sizeof(float));

		assert_true(forward_text(decoder, cache, true, made->prompts[i], prompt_lengths[i], all_tokens,
								 prompt_lengths[i], hidden, 1, NULL, &status));
		assert_memory_equal(prompt->hidden, hidden + prompt->n_common * decoder->dim,
							prompt->n_tokens * decoder->dim * sizeof(float));
		check_alone(decoder, cache, &made->sequences[2 * i + 1]);
		if (i == N_TEXTS - 1)
			check_alone(decoder, last, &made->sequences[2 * i + 1]);
		srm_cache_free(cache);
	}
}

static bool
stop_later(void *arg)
{
	int		   *left = arg;

	return (*left)-- <= 0;
}

/* A pass that was stopped leaves what all prompts begin with, whose states are as good as before. */
static void
check_stopped(const Texts *made, const SrmDecoder *decoder, SrmCache *cache)
{
	for (int n = 0; n < 40; n += 3)
	{
		int			left = n;
		SrmStop		stop = {stop_later, &left, NULL};
		size_t		n_before = cache->n_tokens;

		if (srm_decoder_forward_batch(decoder, cache, made->sequences, 2 * N_TEXTS, 1, &stop, &status))
			return;
		assert_int_equal(status.code, SRM_STOPPED);
		srm_status_init(&status);
		assert_int_equal(cache->n_tokens, n_before < 16 ? n_before : 16);
		assert_true(forward_text(decoder, cache, true, made->prompts[0] + cache->n_tokens, n_before - cache->n_tokens,
								 NULL, 0, NULL, 1, NULL, &status));
	}
}

/*
 * texts behind prompts of their own, which begin alike, get the bits that they have alone in one pass,
 * however much of the first prompt is in the cache
 */
static void
test_decoder_prompts(void **state)
{
	static const size_t cached[] = {0, 5, 32, 70};

	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		float	   *hidden = allocate(70 * decoder->dim * sizeof(float));

		fill_tokens(decoder->vocab_size);
		for (size_t j = 0; j < sizeof(cached) / sizeof(cached[0]); j++)
		{
			SrmCache   *cache = srm_cache_create(decoder, &status);
			Texts	   *made = allocate(sizeof(Texts));

			if (cached[j] > 0)
				run_block(decoder, cache, 0, cached[j], hidden, 1);
			make_prompts(made, decoder, cached[j]);
			check_stopped(made, decoder, cache);
			assert_true(srm_decoder_forward_batch(decoder, cache, made->sequences, 2 * N_TEXTS, (int) j % 3 + 1, NULL, &status));
			assert_int_equal(cache->n_tokens, prompt_lengths[N_TEXTS - 1]);
			check_prompts(made, decoder, cache);
			srm_cache_free(cache);
		}
	}
}

/* What texts behind one prompt have of one before them, which is named; the first has nothing, and some nothing of their own. */
static const struct
{
	size_t		before;
	size_t		n_common;
	size_t		n;
}			alike[] = {
	{0, 0, 300}, {0, 0, 9}, {0, 1, 9}, {0, 15, 1}, {0, 16, 40}, {0, 17, 9}, {0, 100, 290}, {0, 255, 9}, {0, 256, 9}, {0, 257, 9},
	{0, 299, 9}, {0, 300, 9}, {0, 300, 0}, {9, 262, 7}, {12, 280, 3}, {6, 356, 5}
};

#define N_ALIKE		(sizeof(alike) / sizeof(alike[0]))

/* All tokens of such a text behind the prompt. */
static void
write_alike(int32_t *text, size_t number)
{
	size_t		n_common = alike[number].n_common;

	if (number > 0)
		write_alike(text, alike[number].before);
	memcpy(text + n_common, tokens + N_PROMPT + (number == 0 ? 0 : 130 + 7 * number), alike[number].n * sizeof(int32_t));
}

/* Each has the bits that it has alone, from its first token on. */
static void
check_alike(const SrmDecoder *decoder, SrmCache *cache, const SrmSequence *texts)
{
	for (size_t i = 0; i < N_ALIKE; i++)
	{
		size_t		n = alike[i].n_common + alike[i].n;
		int32_t    *text = allocate(400 * sizeof(int32_t));
		float	   *hidden = allocate(n * decoder->dim * sizeof(float));

		write_alike(text, i);
		assert_true(forward_text(decoder, cache, false, text, n, all_tokens, n, hidden, 1, NULL, &status));
		assert_memory_equal(texts[i].hidden, hidden + alike[i].n_common * decoder->dim, alike[i].n * decoder->dim * sizeof(float));
	}
}

/* texts that go on from a prompt with the same tokens get the bits that they have alone, from the first one that is theirs */
static void
test_decoder_alike(void **state)
{
	(void) state;
	for (size_t i = 0; i < N_SHAPES; i++)
	{
		SrmDecoder *decoder = random_decoder(&shapes[i], i, arena);
		SrmCache   *cache = srm_cache_create(decoder, &status);
		SrmSequence texts[1 + N_ALIKE] = {{.tokens = tokens,.n_tokens = N_PROMPT,.is_kept = true}};

		fill_tokens(decoder->vocab_size);
		for (size_t j = 0; j < N_ALIKE; j++)
		{
			int32_t    *text = allocate(400 * sizeof(int32_t));

			write_alike(text, j);
			texts[j + 1] = (SrmSequence) {
				.tokens = text + alike[j].n_common,.n_tokens = alike[j].n,.wanted = all_tokens,.n_wanted = alike[j].n,
				.hidden = allocate(alike[j].n * decoder->dim * sizeof(float)),.past = &texts[0],
				.n_common = alike[j].n_common,.common = j == 0 ? NULL : &texts[1 + alike[j].before]
			};
		}
		assert_true(srm_decoder_forward_batch(decoder, cache, texts, 1 + N_ALIKE, (int) i % 3 + 1, NULL, &status));
		assert_int_equal(cache->n_tokens, N_PROMPT);
		check_alike(decoder, cache, texts + 1);
		srm_cache_free(cache);
	}
}

/* what is in common with a text behind another prompt, or is longer than it, is refused, and so is that of the cache behind a prompt */
static void
test_decoder_alike_refused(void **state)
{
	SrmDecoder *decoder = random_decoder(&shapes[0], 0, arena);
	SrmCache   *cache = srm_cache_create(decoder, &status);
	SrmSequence texts[4] = {
		{.tokens = tokens,.n_tokens = 20},
		{.tokens = tokens,.n_tokens = 30,.is_kept = true},
		{.tokens = tokens,.n_tokens = 10,.past = &texts[0]},
		{.tokens = tokens,.n_tokens = 5,.past = &texts[0],.n_common = 10,.common = &texts[2]}
	};

	(void) state;
	fill_tokens(decoder->vocab_size);
	assert_true(srm_decoder_forward_batch(decoder, cache, texts, 4, 1, NULL, &status));
	for (int i = 0; i < 4; i++)
	{
		texts[3].past = i == 0 ? &texts[1] : i == 3 ? NULL : &texts[0];
		texts[3].common = i == 2 ? NULL : &texts[2];
		texts[3].n_common = i == 1 ? 11 : 10;
		assert_false(srm_decoder_forward_batch(decoder, cache, texts, 4, 1, NULL, &status));
		assert_int_equal(status.code, SRM_INTERNAL);
		assert_string_equal(status.message, "the beginning of a text is not there");
		srm_status_init(&status);
	}
	srm_cache_free(cache);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_decoder_batch),
		TEST(test_decoder_prompts),
		TEST(test_decoder_alike),
		TEST(test_decoder_alike_refused),
	};

	choose_kernels_of_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
