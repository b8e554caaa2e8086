/*-------------------------------------------------------------------------
 *
 * matrix.h
 *	  Weights as a checkpoint stores them.
 *
 * Matrices are row-major and contiguous; shapes are written (rows, cols).
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_MATRIX_H
#define SRM_MATRIX_H

#include <stddef.h>
#include <stdint.h>

#include "kernel/gemm.h"

typedef enum SrmDtype
{
	SRM_F32,
	SRM_F16,
	SRM_BF16,
	SRM_INT8,					/* times a scale for each row */
	SRM_W8						/* 8 bits, times a scale for each SRM_SCALE_COLS columns of a row */
} SrmDtype;

#define SRM_SCALE_COLS		64	/* the last ones of a row may be fewer */

/*
 * A matrix that lies in memory as in its file, aligned to its element's size at least.
 *
 * Checkpoints fuse several maps into one tensor: data then points to the first
 * row of this one, and of each stride rows of the tensor the first band are its own.
 */
typedef struct SrmMatrix
{
	const void *data;			/* (rows, cols), or rows of a fused tensor */
	SrmDtype	dtype;
	size_t		rows;
	size_t		cols;
	size_t		band;			/* rows that lie together; 0 or rows: all of them */
	size_t		stride;			/* rows from the start of a band to the next */
	const float *scales;		/* of 8 bits, (rows behind data, srm_scales_count()); else NULL */
	const struct SrmLowRank *change;	/* added to what is stored as it is read; NULL: nothing */
	const void *packed;			/* the same for products in compute, or NULL */
	SrmCompute	compute;		/* looked at with packed alone, like the next */
	SrmPacking	packing;		/* of packed: that of compute, or the one that srm_packing_for() gives */
	float	   *moments;		/* (cols, cols): products of inputs in f32 add the outer products of the rows they read; NULL: they do not */
} SrmMatrix;

/* What an adapter adds to a matrix (rows, cols): scale * b * a. */
typedef struct SrmLowRank
{
	SrmMatrix	a;				/* (rank, cols) */
	SrmMatrix	b;				/* (rows, rank), with the band and stride of the matrix */
	float		scale;
} SrmLowRank;

/* Bytes of an element, and what "torch_dtype" calls it. */
extern size_t srm_dtype_size(SrmDtype dtype);
extern const char *srm_dtype_name(SrmDtype dtype);	/* "float32", "float16", "bfloat16", "int8"; of w8 "int8", too */

/* Scales of a row of so many columns: none but for 8 bits. */
static inline size_t
srm_scales_count(size_t cols, SrmDtype dtype)
{
	if (dtype != SRM_W8)
		return dtype == SRM_INT8;
	return cols / SRM_SCALE_COLS + (cols % SRM_SCALE_COLS != 0);
}

/* Where row r of the matrix lies: so many rows behind data. */
static inline size_t
srm_matrix_row(const SrmMatrix *matrix, size_t r)
{
	return matrix->band == 0 ? r : r / matrix->band * matrix->stride + r % matrix->band;
}

/* Rows from row r on that lie together, at least 1 where r is below rows. */
static inline size_t
srm_matrix_band(const SrmMatrix *matrix, size_t r)
{
	size_t		n = matrix->band == 0 ? matrix->rows - r : matrix->band - r % matrix->band;

	return n < matrix->rows - r ? n : matrix->rows - r;
}

/*
 * out (n) = n elements of the matrix from element start on, exactly, as f32.  With a
 * change, which is added in f32, they are rounded, in the same way wherever they are read.
 */
extern void srm_matrix_read(const SrmMatrix *matrix, size_t start, size_t n, float *out);

#endif							/* SRM_MATRIX_H */
