/*-------------------------------------------------------------------------
 *
 * rope.c
 *	  Rotary position.
 *
 * Frequencies and angles are rounded to float where transformers does so: at
 * position 4000 the rounding of an angle is the fourth digit of its cosine,
 * and a model has learnt with it.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/rope.h"

#include <math.h>

#include "kernel/kernels.h"

/* M_PI is no part of C */
#define PI	3.14159265358979323846

/* theta ^ (2 j / head_dim) */
static float
power_of(double theta, size_t j, size_t head_dim)
{
	float		exponent = (float) (2 * j) / (float) head_dim;

	return (float) pow(theta, (double) exponent);
}

static float
wave_divisor(const SrmRope *rope, size_t j, size_t head_dim)
{
	return power_of(rope->theta, j, head_dim);
}

/*
 * Llama 3: long waves are stretched by the factor, short ones are kept, and
 * those between are mixed.
 */
static float
stretch_llama3(const SrmRope *rope, float frequency)
{
	float		low_wave = (float) (rope->original_max_positions / rope->low_freq_factor);
	float		high_wave = (float) (rope->original_max_positions / rope->high_freq_factor);
	float		wave = 1.0f / frequency * (float) (2 * PI);
	float		factor = (float) rope->factor;
	float		smooth;

	if (wave < high_wave)
		return frequency;
	if (wave > low_wave)
		return frequency / factor;
	smooth = (1.0f / wave * (float) rope->original_max_positions - (float) rope->low_freq_factor) /
		(float) (rope->high_freq_factor - rope->low_freq_factor);
	return (1.0f - smooth) * frequency / factor + smooth * frequency;
}

/* YaRN: the pair that turns this often over the original positions */
static double
find_yarn_pair(const SrmRope *rope, double n_turns, size_t head_dim)
{
	return (double) head_dim * log(rope->original_max_positions / (n_turns * 2 * PI)) /
		(2 * log(rope->theta));
}

/* From pair low on, frequencies are mixed with slower ones; length pairs on, replaced. */
static void
find_yarn_range(const SrmRope *rope, size_t head_dim, float *low, float *length)
{
	double		start = find_yarn_pair(rope, rope->beta_fast, head_dim);
	double		end = find_yarn_pair(rope, rope->beta_slow, head_dim);

	if (rope->truncate)
	{
		start = floor(start);
		end = ceil(end);
	}
	start = fmax(start, 0);
	end = fmin(end, (double) head_dim - 1);
	if (start == end)
		end += 0.001;			/* as transformers avoids dividing by zero */
	*low = (float) start;
	*length = (float) (end - start);
}

static void
find_yarn_frequencies(float *frequencies, const SrmRope *rope, size_t head_dim)
{
	float		low;
	float		length;

	find_yarn_range(rope, head_dim, &low, &length);
	for (size_t j = 0; j < head_dim / 2; j++)
	{
		float		divisor = wave_divisor(rope, j, head_dim);
		float		ramp = ((float) j - low) / length;
		float		kept = 1.0f - fminf(fmaxf(ramp, 0.0f), 1.0f);

		frequencies[j] = 1.0f / ((float) rope->factor * divisor) * (1.0f - kept) +
			1.0f / divisor * kept;
	}
}

static void
find_longrope_frequencies(float *frequencies, const SrmRope *rope, size_t head_dim, bool is_long)
{
	const float *factors = is_long && rope->long_factors != NULL ? rope->long_factors : rope->factors;

	for (size_t j = 0; j < head_dim / 2; j++)
		frequencies[j] = 1.0f / (factors[j] * wave_divisor(rope, j, head_dim));
}

/* The waves of a longer text are stretched by its own length. */
static void
find_dynamic_frequencies(float *frequencies, const SrmRope *rope, size_t head_dim, size_t length)
{
	double		stretch = rope->factor * (double) length / rope->original_max_positions - (rope->factor - 1);
	double		theta = rope->theta * pow(stretch, (double) head_dim / ((double) head_dim - 2));

	for (size_t j = 0; j < head_dim / 2; j++)
		frequencies[j] = 1.0f / power_of(theta, j, head_dim);
}

/* Of the cosines and sines; most types leave the field alone. */
static float
rope_scale(const SrmRope *rope)
{
	bool		has_factor = rope->type == SRM_ROPE_YARN || rope->type == SRM_ROPE_LONGROPE;

	return has_factor ? (float) rope->attention_factor : 1.0f;
}

void
srm_rope_frequencies(float *frequencies, const SrmRope *rope, size_t head_dim, size_t length)
{
	size_t		width = srm_rope_width(rope, head_dim);
	bool		is_long = (double) length > rope->original_max_positions;

	if (rope->type == SRM_ROPE_YARN)
	{
		find_yarn_frequencies(frequencies, rope, width);
		return;
	}
	if (rope->type == SRM_ROPE_LONGROPE)
	{
		find_longrope_frequencies(frequencies, rope, width, is_long);
		return;
	}
	if (rope->type == SRM_ROPE_DYNAMIC && is_long)
	{
		find_dynamic_frequencies(frequencies, rope, width, length);
		return;
	}
	for (size_t j = 0; j < width / 2; j++)
	{
		float		frequency = 1.0f / wave_divisor(rope, j, width);

		if (rope->type == SRM_ROPE_LINEAR)
			frequency /= (float) rope->factor;
		if (rope->type == SRM_ROPE_LLAMA3)
			frequency = stretch_llama3(rope, frequency);
		frequencies[j] = frequency;
	}
}

void
srm_rope_table(float *cosines, float *sines, const float *frequencies,
			   const SrmRope *rope, size_t head_dim, size_t first, size_t n)
{
	size_t		stride = head_dim / 2;
	size_t		half = srm_rope_width(rope, head_dim) / 2;
	float		scale = rope_scale(rope);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < half; j++)
		{
			float		angle = (float) (first + i) * frequencies[j];

			cosines[i * stride + j] = (float) cos((double) angle) * scale;
			sines[i * stride + j] = (float) sin((double) angle) * scale;
		}
}

/* Turns the pairs (half) of a head by the angles, or back. */
static void
turn_pairs(float *head, const float *cosines, const float *sines, const SrmRope *rope, size_t half, bool back)
{
	size_t		next = rope->is_interleaved ? 2 : 1;
	size_t		other = rope->is_interleaved ? 1 : half;

	for (size_t j = 0; j < half; j++)
	{
		float		sine = back ? -sines[j] : sines[j];
		float		x = head[j * next];
		float		y = head[j * next + other];

		head[j * next] = x * cosines[j] - y * sine;
		head[j * next + other] = y * cosines[j] + x * sine;
	}
}

void
srm_rope_forward(float *heads, const float *cosines, const float *sines,
				 const SrmRope *rope, size_t n_heads, size_t head_dim)
{
	size_t		half = srm_rope_width(rope, head_dim) / 2;

	if (!rope->is_interleaved && 2 * half == head_dim)
		srm_kernels->turn(heads, cosines, sines, n_heads, half);
	else
		for (size_t i = 0; i < n_heads; i++)
			turn_pairs(heads + i * head_dim, cosines, sines, rope, half, false);
}

void
srm_rope_backward(float *dheads, const float *cosines, const float *sines,
				  const SrmRope *rope, size_t n_heads, size_t head_dim)
{
	for (size_t i = 0; i < n_heads; i++)
		turn_pairs(dheads + i * head_dim, cosines, sines, rope, srm_rope_width(rope, head_dim) / 2, true);
}
