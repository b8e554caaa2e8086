/*-------------------------------------------------------------------------
 *
 * gemm.h
 *	  One tile of a product: rows of activations times a panel of weights.
 *
 * A row of activations is packed into lanes like those of the weights (see
 * pack.h): floats, pairs of bfloats, or four unsigned bytes with 128 for zero.
 *
 * The sum of an output element is formed in an order that depends on the
 * number of lanes alone: from the first lane to the last, in blocks of
 * SRM_LANES_BLOCK whose sums are added one after the other (OpenBLAS and AMX have shorter blocks of their
 * own).  Sums of int8 are exact.  So an element has the same bits whatever rows stand beside it,
 * and lanes of zeros behind the others change nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_GEMM_H
#define SRM_GEMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The arithmetic of products. */
typedef enum SrmCompute
{
	SRM_COMPUTE_F32,			/* exact weights, single precision */
	SRM_COMPUTE_BF16,			/* both factors rounded to bfloat16, sums in f32 */
	SRM_COMPUTE_INT8,			/* both factors scaled to 8 bits, sums exact */
	SRM_COMPUTE_W8				/* weights alone scaled to 8 bits, in groups; products are those of f32 */
} SrmCompute;

/* The packed form of weights, see pack.h; each arithmetic has one, of the same value. */
typedef enum SrmPacking
{
	SRM_PACKING_F32,			/* a float a lane */
	SRM_PACKING_BF16,			/* 2 bfloats */
	SRM_PACKING_INT8,			/* 4 bytes, times a scale for each row */
	SRM_PACKING_W8				/* 4 bytes, times a scale for each SRM_SCALE_COLS columns of a row */
} SrmPacking;

#define SRM_N_PRODUCTS		3	/* kinds of arithmetic with products of their own, which come first */
#define SRM_N_COMPUTES		4
#define SRM_N_PACKINGS		4

#define SRM_PANEL			32		/* rows of the weights in a panel */
#define SRM_LANES_UNIT		16		/* lanes come in multiples of this */
#define SRM_TILE_ROWS		12		/* of activations, that tiles of all sets may have */
#define SRM_LANES_BLOCK		512
#define SRM_MAX_OUTLIERS	16

/*
 * What a row in int8 carries behind its lanes.  Values far from all others would
 * take the precision of the rest: they are cut off, and what was cut is
 * added in f32.
 */
typedef struct SrmRowScale
{
	float		scale;			/* not finite where a value is not */
	uint32_t	n_outliers;
	struct
	{
		uint32_t	col;		/* ascending */
		float		rest;		/* value less what its byte stands for */
	}			outliers[SRM_MAX_OUTLIERS];
} SrmRowScale;

typedef struct SrmTile
{
	float	   *out;			/* (m, n) */
	size_t		out_stride;		/* in floats */
	const char *x;				/* (m) packed rows */
	size_t		x_stride;		/* in bytes */
	const void *panel;
	size_t		lanes;
	size_t		m;				/* 1 .. tile_rows of the set and kind */
	size_t		n;				/* 1 .. SRM_PANEL */
	const float *bias;			/* (n) or NULL */
	bool		adds;			/* products of floats: to sums of the lanes before, which are in out */
	bool		is_part;		/* of those: lanes behind are still to come, and so is the bias */
	const char *prefetch;		/* what will be read soon, step bytes of it a lane */
	size_t		prefetch_step;
} SrmTile;

/* out = x * panel^T + bias */
typedef void (*SrmMultiply) (const SrmTile *tile);

/* Packs n floats of x into lanes, filled up with zeros, and what belongs behind. */
typedef void (*SrmPackRow) (void *out, const float *x, size_t n);

/*
 * panel (lanes, SRM_PANEL) of floats = the same weights in another packing, of packed_lanes lanes.
 * lanes is a multiple of SRM_LANES_UNIT, and no more than the other packing has columns.
 */
typedef void (*SrmUnpack) (float *panel, const void *packed, size_t lanes, size_t packed_lanes);

#endif							/* SRM_GEMM_H */
