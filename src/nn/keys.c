/*-------------------------------------------------------------------------
 *
 * keys.c
 *	  Keys and values of tokens, in the order in which attention reads them.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/keys.h"

#include <stdint.h>
#include <string.h>

#include "base/words.h"
#include "kernel/kernels.h"

#define LANE_BYTES	4

SrmCompute
srm_keys_compute(SrmCompute weights)
{
	return srm_compute_products(weights) == SRM_COMPUTE_F32 || !srm_kernels->fast_bf16 ? SRM_COMPUTE_F32 : SRM_COMPUTE_BF16;
}

size_t
srm_keys_bytes(const SrmKeys *shape, size_t capacity)
{
	size_t		keys = srm_pack_bytes(srm_packing_of(shape->compute), capacity, shape->head_dim);
	size_t		values = srm_pack_bytes(srm_packing_of(shape->compute), shape->head_dim, capacity);

	if (keys == 0 || values == 0 || keys > SIZE_MAX / 2 - values ||
		keys + values > SIZE_MAX / shape->n_heads)
		return 0;
	return shape->n_heads * (keys + values);
}

void
srm_keys_place(SrmKeys *keys, void *memory, size_t capacity)
{
	keys->capacity = capacity;
	keys->keys = memory;
	keys->values = keys->keys + keys->n_heads * srm_pack_bytes(srm_packing_of(keys->compute), capacity, keys->head_dim);
}

/* lanes (SRM_LANES_UNIT, SRM_PANEL) of a panel get n columns from a column on. */
static void
write_columns(char *lanes, size_t column, size_t n, const char *from)
{
	for (size_t i = 0; i < SRM_LANES_UNIT; i++)
	{
		size_t		start = (i * SRM_PANEL + column) * LANE_BYTES;

		srm_copy_words(lanes + start, from + start, n);
	}
}

/* Each token in lanes, and the tokens of a panel side by side. */
static void
write_keys(const SrmKeys *keys, size_t head, size_t first, size_t n, const float *rows)
{
	size_t		stride = keys->n_heads * keys->head_dim;
	size_t		n_cols = SRM_LANES_UNIT * srm_pack_group(srm_packing_of(keys->compute));
	size_t		column = first % SRM_PANEL;
	char	   *lanes = (char *) srm_keys_panel(keys, head, first);
	_Alignas(64) char packed[SRM_PANEL * SRM_LANES_UNIT * LANE_BYTES] = {0};
	_Alignas(64) char turned[SRM_PANEL * SRM_LANES_UNIT * LANE_BYTES];

	for (size_t col = 0; col < keys->head_dim; col += n_cols)
	{
		for (size_t i = 0; i < n; i++)
			srm_kernels->pack_row[keys->compute] (packed + (column + i) * SRM_LANES_UNIT * LANE_BYTES,
												  rows + i * stride + col,
												  srm_smaller(keys->head_dim - col, n_cols));
		srm_kernels->transpose(turned, packed);
		write_columns(lanes, column, n, turned);
		lanes += sizeof(turned);
	}
}

/*
 * A lane of values (n): one token's, or in bf16 those of two neighbours.  With
 * keep, the first of them is there already.
 */
static void
write_lane(uint32_t *lane, SrmCompute compute, bool keep, const float *a, const float *b, size_t n)
{
	uint32_t	pairs[SRM_PANEL];

	if (compute == SRM_COMPUTE_F32)
		srm_copy_words(lane, a, n);
	else if (!keep)
		srm_kernels->pair_rows(lane, a, b, n);
	else
	{
		srm_kernels->pair_rows(pairs, b, b, n);
		for (size_t i = 0; i < n; i++)
			lane[i] = (lane[i] & 0xFFFF) | (pairs[i] & 0xFFFF0000);
	}
	memset(lane + n, 0, (SRM_PANEL - n) * LANE_BYTES);
}

/* Values turned round, and zeros up to the end of the panel of tokens: 0 * NaN would be NaN. */
static void
write_values(const SrmKeys *keys, size_t head, size_t first, size_t n, const float *rows)
{
	static const float zeros[SRM_PANEL];
	size_t		stride = keys->n_heads * keys->head_dim;
	size_t		group = srm_pack_group(srm_packing_of(keys->compute));
	size_t		panel = first / SRM_PANEL * SRM_PANEL;

	for (size_t number = 0; number < srm_value_panels(keys); number++)
	{
		size_t		col = number * SRM_PANEL;
		size_t		width = srm_smaller(keys->head_dim - col, SRM_PANEL);
		uint32_t   *lanes = (uint32_t *) (void *) srm_value_panel_at(keys, head, number, panel);

		for (size_t token = first / group * group; token < panel + SRM_PANEL; token += group)
		{
			const float *a = token < first || token >= first + n ? zeros : rows + (token - first) * stride + col;
			const float *b = token + 1 >= first + n ? zeros : rows + (token + 1 - first) * stride + col;

			write_lane(lanes + (token - panel) / group * SRM_PANEL, keys->compute, token < first, a, b, width);
		}
	}
}

void
srm_keys_write_keys(SrmKeys *keys, size_t first, size_t n, const float *key_rows)
{
	for (size_t head = 0; head < keys->n_heads; head++)
		write_keys(keys, head, first, n, key_rows + head * keys->head_dim);
}

void
srm_keys_write(SrmKeys *keys, size_t first, size_t n, const float *key_rows, const float *value_rows)
{
	srm_keys_write_keys(keys, first, n, key_rows);
	for (size_t head = 0; head < keys->n_heads; head++)
		write_values(keys, head, first, n, value_rows + head * keys->head_dim);
}

void
srm_keys_truncate(SrmKeys *keys, size_t n)
{
	for (size_t head = 0; n % SRM_PANEL != 0 && head < keys->n_heads; head++)
		write_values(keys, head, n, 0, NULL);
}

/* The first n tokens of a panel of keys, whose lanes have a token beside the other. */
static void
copy_key_columns(char *to, const char *from, size_t n_lanes, size_t n)
{
	for (size_t i = 0; i < n_lanes; i++)
		memcpy(to + i * SRM_PANEL * LANE_BYTES, from + i * SRM_PANEL * LANE_BYTES, n * LANE_BYTES);
}

/* The first n tokens of a panel of values, whose lanes have a token behind the other, or in bf16 two of them. */
static void
copy_value_lanes(char *to, const char *from, size_t group, size_t n)
{
	size_t		bytes = n / group * SRM_PANEL * LANE_BYTES;
	uint32_t   *lane = (uint32_t *) (void *) (to + bytes);
	const uint32_t *other = (const uint32_t *) (const void *) (from + bytes);

	memcpy(to, from, bytes);
	for (size_t i = 0; n % group != 0 && i < SRM_PANEL; i++)
		lane[i] = (lane[i] & 0xFFFF0000) | (other[i] & 0xFFFF);
}

void
srm_keys_copy(SrmKeys *to, size_t to_first, const SrmKeys *from, size_t from_first, size_t n)
{
	size_t		group = srm_pack_group(srm_packing_of(from->compute));
	size_t		n_lanes = srm_pack_lanes(srm_packing_of(from->compute), from->head_dim);
	size_t		n_whole = n / SRM_PANEL * SRM_PANEL;

	for (size_t head = 0; n > 0 && head < from->n_heads; head++)
	{
		memcpy((char *) srm_keys_panel(to, head, to_first), srm_keys_panel(from, head, from_first),
			   n_whole * n_lanes * LANE_BYTES);
		if (n_whole < n)
			copy_key_columns((char *) srm_keys_panel(to, head, to_first + n_whole),
							 srm_keys_panel(from, head, from_first + n_whole), n_lanes, n - n_whole);
		for (size_t number = 0; number < srm_value_panels(from); number++)
			copy_value_lanes((char *) srm_value_panel_at(to, head, number, to_first),
							 srm_value_panel_at(from, head, number, from_first), group, n);
	}
}
