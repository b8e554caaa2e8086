/*-------------------------------------------------------------------------
 *
 * kernels_portable.c
 *	  Kernels for any processor: plain C.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/kernels.h"

#define N_FLOATS	4
#include "kernel/gemm_loops.h"
#include "kernel/train_loops.h"

const SrmKernels srm_kernels_portable = {
	.name = "portable",
	.tile_rows = {SRM_TILE_ROWS, SRM_TILE_ROWS, SRM_TILE_ROWS},
	.part_lanes = 2 * SRM_LANES_BLOCK,
	.read_f16 = read_f16,
	.read_bf16 = read_bf16,
	.sum_squares = sum_squares,
	.norm = norm,
	.maximum = maximum,
	.exp_sum = exp_sum,
	.silu_multiply = silu_multiply,
	.gelu_multiply = gelu_multiply,
	.gelu_erf_multiply = gelu_erf_multiply,
	.soft_cap = soft_cap,
	.turn = turn,
	.transpose = transpose,
	.pair_rows = pair_rows,
	.pack_row = {pack_row_f32, pack_row_bf16, pack_row_int8},
	.multiply = {multiply_f32, multiply_bf16, multiply_int8},
	.unpack = {NULL, unpack_bf16, unpack_int8, unpack_w8},
	TRAIN_LOOPS
};
