/*-------------------------------------------------------------------------
 *
 * kernels_amx.c
 *	  Kernels for x86-64 with AMX: products of bfloats and of bytes in tiles of 16 rows.
 *
 * A panel is what the processor wants as the right-hand side: 16 of its lanes are two tiles, of
 * 16 columns each. 32 rows of activations times a panel are four tiles of sums, which take all lanes; so
 * two loads from each side feed four products.  A bfloat's sum is formed from the first lane to the
 * last, with the first and second values of 16 lanes added up apart; subnormal numbers count as zero.
 *
 * The sizes of tiles are a state of the thread, which costs more than a product to
 * change.  So it stays, and is looked at each time, since other code of the process may use tiles.
 *
 *-------------------------------------------------------------------------
 */
#include "kernel/kernels.h"

#ifdef SRM_HAVE_KERNELS_AMX

#include <immintrin.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel/pack.h"

/* From here on, code is for these processors */
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,amx-tile,amx-bf16,amx-int8"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512dq,avx512vl,amx-tile,amx-bf16,amx-int8,prefer-vector-width=512")
#endif

#include "kernel/gemm_avx512.h"

#define TILE_HEIGHT		16
#define LANE_BYTES		4
#define TILE_BYTES		64		/* of a row: 16 lanes */
#define PANEL_STRIDE	(SRM_PANEL * LANE_BYTES)

/* As ldtilecfg reads it: tiles 0 to 3 have sums, 4 and 5 rows of x, 6 and 7 columns of the panel. */
typedef struct TileSizes
{
	uint8_t		palette;
	uint8_t		start_row;
	uint8_t		reserved[14];
	uint16_t	row_bytes[16];
	uint8_t		rows[16];
} TileSizes;

/* Makes the first tiles m_first rows high, and the second ones m_second, which may be 0. */
INLINE void
set_sizes(size_t m_first, size_t m_second)
{
	TileSizes	wanted = {.palette = 1};
	TileSizes	present;

	for (int i = 0; i < 8; i++)
	{
		bool		is_second = i == 2 || i == 3 || i == 5;

		wanted.rows[i] = (uint8_t) (i >= 6 ? TILE_HEIGHT : is_second ? m_second : m_first);
		wanted.row_bytes[i] = wanted.rows[i] == 0 ? 0 : TILE_BYTES;
	}
	__asm__ volatile("sttilecfg %0" : "=m" (present));
	if (memcmp(&present, &wanted, sizeof(wanted)) != 0)
		__asm__ volatile("ldtilecfg %0" : : "m" (wanted));
}

/* What will be read soon, for 16 lanes. */
INLINE void
fetch_next(const SrmTile *tile, size_t start)
{
	size_t		n = tile->prefetch_step * SRM_LANES_UNIT;
	const char *next = tile->prefetch + start * tile->prefetch_step;

	for (size_t i = 0; i < n; i += 64)
		__builtin_prefetch(next + i);
}

#define ZERO_FIRST		"tilezero %%tmm0\n\ttilezero %%tmm1\n\t"
#define ZERO_SECOND		"tilezero %%tmm2\n\ttilezero %%tmm3\n\t"
#define LOAD_FIRST \
	"tileloadd (%[w],%[w_stride]), %%tmm6\n\ttileloadd 64(%[w],%[w_stride]), %%tmm7\n\ttileloadd (%[x],%[x_stride]), %%tmm4\n\t"
#define LOAD_SECOND		"tileloadd (%[second],%[x_stride]), %%tmm5\n\t"
#define MULTIPLY_FIRST(op)	op " %%tmm6, %%tmm4, %%tmm0\n\t" op " %%tmm7, %%tmm4, %%tmm1\n\t"
#define MULTIPLY_SECOND(op) op " %%tmm6, %%tmm5, %%tmm2\n\t" op " %%tmm7, %%tmm5, %%tmm3\n\t"
#define STORE(at, first, second) \
	__asm__ volatile("tilestored %%tmm" first ", (%0,%1)\n\ttilestored %%tmm" second ", 64(%0,%1)" \
		: : "r" (at), "r" (stride) : "memory")

/* name(), an SrmMultiply; finish() makes the output from sums (m, 2). */
#define DEFINE_AMX(name, op, finish) \
void \
name(const SrmTile *tile) \
{ \
	size_t		m_first = tile->m < TILE_HEIGHT ? tile->m : TILE_HEIGHT; \
	size_t		stride = 2 * sizeof(__m512i); \
	__m512i		sums[2 * TILE_HEIGHT][2]; \
	const char *x = tile->x; \
	const char *second = x + TILE_HEIGHT * tile->x_stride; \
	const char *w = tile->panel; \
\
	set_sizes(m_first, tile->m - m_first); \
	fetch_out(tile); \
	if (tile->m > TILE_HEIGHT) \
		__asm__ volatile(ZERO_FIRST ZERO_SECOND : : : "memory"); \
	else \
		__asm__ volatile(ZERO_FIRST : : : "memory"); \
	for (size_t start = 0; start < tile->lanes; start += SRM_LANES_UNIT) \
	{ \
		fetch_next(tile, start); \
		if (tile->m > TILE_HEIGHT) \
			__asm__ volatile(LOAD_FIRST LOAD_SECOND MULTIPLY_FIRST(op) MULTIPLY_SECOND(op) \
				: : [w] "r" (w), [w_stride] "r" ((size_t) PANEL_STRIDE), [x] "r" (x), [second] "r" (second), \
				[x_stride] "r" (tile->x_stride) : "memory"); \
		else \
			__asm__ volatile(LOAD_FIRST MULTIPLY_FIRST(op) \
				: : [w] "r" (w), [w_stride] "r" ((size_t) PANEL_STRIDE), [x] "r" (x), \
				[x_stride] "r" (tile->x_stride) : "memory"); \
		w += SRM_LANES_UNIT * PANEL_STRIDE; \
		x += TILE_BYTES; \
		second += TILE_BYTES; \
	} \
	STORE(sums, "0", "1"); \
	if (tile->m > TILE_HEIGHT) \
		STORE(sums + TILE_HEIGHT, "2", "3"); \
	finish(tile, sums); \
}

DEFINE_AMX(srm_multiply_bf16_amx, "tdpbf16ps", finish_floats)
DEFINE_AMX(srm_multiply_int8_amx, "tdpbusd", finish_bytes)

#define ARCH_REQ_XCOMP_PERM	0x1023
#define XFEATURE_XTILEDATA	18

bool
srm_amx_is_allowed(void)
{
	return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

#ifdef __clang__
#pragma clang attribute pop
#endif

#endif							/* SRM_HAVE_KERNELS_AMX */
