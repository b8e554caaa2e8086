/*-------------------------------------------------------------------------
 *
 * kernels_loops.h
 *	  The loops of kernels.h, in plain C.
 *
 * Each set of kernels includes this once, and has it compiled for the
 * processors that it is for: the loops run over blocks of LANES floats, which a
 * compiler turns into vectors of whatever length it has.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_KERNELS_LOOPS_H
#define SRM_KERNELS_LOOPS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES	16

#define INLINE	static inline __attribute__((always_inline))

INLINE float
float_of_bits(uint32_t bits)
{
	float		value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

INLINE uint32_t
bits_of_float(float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

/*
 * exp(x) within 2 units in the last place, for x in [-87, 88] and clamped to
 * that: 2^n * exp(r) with n an integer and |r| <= log(2) / 2, exp(r) by the
 * polynomial of Cephes' expf().  No branch, so that it can run in lanes.
 */
INLINE float
exp_clamped(float x)
{
	const float shift = 12582912.0f;	/* 1.5 * 2^23: adding it rounds */
	float		y = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
	float		shifted = y * 1.44269504088896341f + shift;
	float		n = shifted - shift;
	float		r = (y - n * 0.693359375f) + n * 2.12194440e-4f;
	float		p = 1.9875691500e-4f;

	p = p * r + 1.3981999507e-3f;
	p = p * r + 8.3334519073e-3f;
	p = p * r + 4.1665795894e-2f;
	p = p * r + 1.6666665459e-1f;
	p = p * r + 5.0000001201e-1f;
	p = p * r * r + r + 1.0f;

	/* The low bits of shifted are those of n */
	p = float_of_bits(bits_of_float(p) + (bits_of_float(shifted) << 23));
	return x == x ? p : x;
}

/*
 * tanh(x) within some units in the last place: near zero by the polynomial of
 * Cephes' tanhf(), elsewhere by exp(), which is clamped where tanh is 1.
 */
INLINE float
tanh_lane(float x)
{
	float		magnitude = __builtin_fabsf(x);
	float		z = x * x;
	float		far = __builtin_copysignf(1.0f - 2.0f / (exp_clamped(2.0f * magnitude) + 1.0f), x);
	float		near = -5.70498872745e-3f;

	near = near * z + 2.06390887954e-2f;
	near = near * z - 5.37397155531e-2f;
	near = near * z + 1.33314422036e-1f;
	near = near * z - 3.33332819422e-1f;
	near = near * z * x + x;
	return magnitude < 0.625f ? near : far;
}

/* Halves the lanes again and again, so that the order suits any register. */
INLINE float
add_lanes(float *lanes)
{
	for (int width = LANES / 2; width > 0; width /= 2)
		for (int i = 0; i < width; i++)
			lanes[i] += lanes[i + width];
	return lanes[0];
}

/*
 * Everything of a half is shifted into place; multiplying by 2^112 then
 * corrects the exponent, and makes subnormals normal.
 */
INLINE float
float_of_half(uint16_t half)
{
	uint32_t	magnitude = (uint32_t) (half & 0x7FFF) << 13;
	uint32_t	bits = bits_of_float(float_of_bits(magnitude) * 0x1p112f);
	uint32_t	special = magnitude | 0x7F800000 | (magnitude > 0x0F800000 ? 0x00400000 : 0);

	bits = magnitude >= 0x0F800000 ? special : bits;
	return float_of_bits(bits | (uint32_t) (half & 0x8000) << 16);
}

static inline void
read_f16(float *out, const uint16_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = float_of_half(values[i]);
}

static inline void
read_bf16(float *out, const uint16_t *values, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = float_of_bits((uint32_t) values[i] << 16);
}

static inline float
sum_squares(const float *x, size_t n)
{
	float		lanes[LANES] = {0};
	size_t		i = 0;

	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			lanes[j] += x[i + j] * x[i + j];
	for (int j = 0; i + j < n; j++)
		lanes[j] += x[i + j] * x[i + j];
	return add_lanes(lanes);
}

INLINE float
norm_scale(float sum_of_squares, float eps, size_t n)
{
	return 1.0f / sqrtf(sum_of_squares / (float) n + eps);
}

static inline void
norm(float *out, const float *x, const float *weight, float eps, size_t n)
{
	float		scale = norm_scale(sum_squares(x, n), eps, n);

	for (size_t i = 0; i < n; i++)
		out[i] = x[i] * scale * weight[i];
}

static inline float
maximum(const float *x, size_t n)
{
	float		lanes[LANES];
	float		result;
	size_t		i = 0;

	for (int j = 0; j < LANES; j++)
		lanes[j] = x[0];
	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
			lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
	for (int j = 0; i + j < n; j++)
		lanes[j] = x[i + j] > lanes[j] ? x[i + j] : lanes[j];
	result = lanes[0];
	for (int j = 1; j < LANES; j++)
		result = lanes[j] > result ? lanes[j] : result;
	return result;
}

static inline float
exp_sum(float *x, size_t n, float shift)
{
	float		lanes[LANES] = {0};
	float		rest[LANES] = {0};
	size_t		i = 0;
	size_t		n_rest;

	for (; i + LANES <= n; i += LANES)
		for (int j = 0; j < LANES; j++)
		{
			x[i + j] = exp_clamped(x[i + j] - shift);
			lanes[j] += x[i + j];
		}

	/* The rest in a block of its own, computed in the same way */
	n_rest = n - i;
	for (size_t j = 0; j < n_rest; j++)
		rest[j] = x[i + j];
	for (int j = 0; j < LANES; j++)
		rest[j] = exp_clamped(rest[j] - shift);
	for (size_t j = 0; j < n_rest; j++)
	{
		x[i + j] = rest[j];
		lanes[j] += rest[j];
	}
	return add_lanes(lanes);
}

static inline void
silu_multiply(float *out, const float *x, const float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = x[i] / (1.0f + exp_clamped(-x[i])) * y[i];
}

/* Without restrict, the loop asks for each head whether its halves overlap. */
static inline void
turn(float *heads, const float *restrict cosines, const float *restrict sines, size_t n_heads, size_t half)
{
	for (size_t i = 0; i < n_heads; i++)
	{
		float	   *restrict first = heads + 2 * i * half;
		float	   *restrict second = first + half;

		for (size_t j = 0; j < half; j++)
		{
			float		x = first[j];
			float		y = second[j];

			first[j] = x * cosines[j] - y * sines[j];
			second[j] = y * cosines[j] + x * sines[j];
		}
	}
}

static inline void
gelu_multiply(float *out, const float *x, const float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		float		inner = 0.79788456080286536f * (x[i] + 0.044715f * x[i] * x[i] * x[i]);

		out[i] = 0.5f * x[i] * (1.0f + tanh_lane(inner)) * y[i];
	}
}

/* erf(x) within 1.5e-7: Abramowitz and Stegun, 7.1.26 */
INLINE float
erf_lane(float x)
{
	float		magnitude = __builtin_fabsf(x);
	float		t = 1.0f / (1.0f + 0.3275911f * magnitude);
	float		p = 1.061405429f;

	p = p * t - 1.453152027f;
	p = p * t + 1.421413741f;
	p = p * t - 0.284496736f;
	p = p * t + 0.254829592f;
	return __builtin_copysignf(1.0f - p * t * exp_clamped(-magnitude * magnitude), x);
}

static inline void
gelu_erf_multiply(float *out, const float *x, const float *y, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = 0.5f * x[i] * (1.0f + erf_lane(0.70710678118654752f * x[i])) * y[i];
}

static inline void
soft_cap(float *x, size_t n, float cap)
{
	for (size_t i = 0; i < n; i++)
		x[i] = cap * tanh_lane(x[i] / cap);
}

#endif							/* SRM_KERNELS_LOOPS_H */
