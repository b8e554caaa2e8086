/*-------------------------------------------------------------------------
 *
 * bench_peak.c
 *	  What the arithmetic units can do: loops that touch registers only.
 *
 *	  bench_peak THREADS [MILLISECONDS]
 *
 * Prints a line for each loop: its name, which begins with the kind of product, and operations in
 * a second, of all threads together; a multiplication and an addition are two.  What the processor
 * has no instruction for is left out.  The roofline of a kind is the fastest of its loops.
 *
 *-------------------------------------------------------------------------
 */
#include <cpuid.h>
#include <immintrin.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define N_SUMS		16			/* independent, so that latency does not count */
#define N_STEPS		20000
#define MAX_THREADS 256

/* N_STEPS times N_SUMS products; returns something that depends on all. */
typedef float (*Loop) (float x);

typedef enum Feature
{
	HAS_FMA, HAS_AVX2, HAS_AVXVNNI, HAS_AVX512F, HAS_AVX512BF16, HAS_AVX512VNNI, HAS_AMX
} Feature;

typedef struct Kind
{
	const char *name;
	Feature		feature;
	Loop		loop;
	double		per_product;	/* operations */
} Kind;

typedef struct Task
{
	Loop		loop;
	double		seconds;		/* to run for at least */
	double		rate;			/* loops in a second */
	int			cpu;
	pthread_barrier_t *barrier;
} Task;

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

/*
 * The sums are named in the assembly, as a compiler may move an array of them
 * to memory and back.  Each statement is a round over all of them.
 */
#define SUMS_16(instruction) \
	instruction " %%zmm30, %%zmm31, %%zmm0\n\t" instruction " %%zmm30, %%zmm31, %%zmm1\n\t" \
	instruction " %%zmm30, %%zmm31, %%zmm2\n\t" instruction " %%zmm30, %%zmm31, %%zmm3\n\t" \
	instruction " %%zmm30, %%zmm31, %%zmm4\n\t" instruction " %%zmm30, %%zmm31, %%zmm5\n\t" \
	instruction " %%zmm30, %%zmm31, %%zmm6\n\t" instruction " %%zmm30, %%zmm31, %%zmm7\n\t" \
	instruction " %%zmm30, %%zmm31, %%zmm8\n\t" instruction " %%zmm30, %%zmm31, %%zmm9\n\t" \
	instruction " %%zmm30, %%zmm31, %%zmm10\n\t" instruction " %%zmm30, %%zmm31, %%zmm11\n\t" \
	instruction " %%zmm30, %%zmm31, %%zmm12\n\t" instruction " %%zmm30, %%zmm31, %%zmm13\n\t" \
	instruction " %%zmm30, %%zmm31, %%zmm14\n\t" instruction " %%zmm30, %%zmm31, %%zmm15\n\t"

#define SUMS_16_YMM(instruction) \
	instruction " %%ymm0, %%ymm0, %%ymm1\n\t" instruction " %%ymm0, %%ymm0, %%ymm2\n\t" \
	instruction " %%ymm0, %%ymm0, %%ymm3\n\t" instruction " %%ymm0, %%ymm0, %%ymm4\n\t" \
	instruction " %%ymm0, %%ymm0, %%ymm5\n\t" instruction " %%ymm0, %%ymm0, %%ymm6\n\t" \
	instruction " %%ymm0, %%ymm0, %%ymm7\n\t" instruction " %%ymm0, %%ymm0, %%ymm8\n\t" \
	instruction " %%ymm0, %%ymm0, %%ymm9\n\t" instruction " %%ymm0, %%ymm0, %%ymm10\n\t" \
	instruction " %%ymm0, %%ymm0, %%ymm11\n\t" instruction " %%ymm0, %%ymm0, %%ymm12\n\t"

#define N_SUMS_YMM	12

#define DEFINE_LOOP_512(name, instruction) \
__attribute__((target("avx512f"))) static float \
name(float x) \
{ \
	float		out[16]; \
	long		n = N_STEPS; \
	__asm__ volatile("vbroadcastss %2, %%zmm30\n\tvmovaps %%zmm30, %%zmm31\n\t" \
					 "vpxord %%zmm0, %%zmm0, %%zmm0\n\t" \
					 "1:\n\t" SUMS_16(instruction) "decq %0\n\tjnz 1b\n\t" \
					 "vmovups %%zmm0, %1" \
					 : "+r" (n), "=m" (out) : "m" (x) \
					 : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
					 "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", \
					 "xmm30", "xmm31"); \
	return out[0]; \
}

DEFINE_LOOP_512(loop_f32, "vfmadd231ps")
DEFINE_LOOP_512(loop_bf16, "vdpbf16ps")
DEFINE_LOOP_512(loop_int8, "vpdpbusd")

__attribute__((target("avx2,fma"))) static float
loop_f32_ymm(float x)
{
	float		out[8];
	long		n = N_STEPS;

	__asm__ volatile("vbroadcastss %2, %%ymm0\n\t"
					 "1:\n\t" SUMS_16_YMM("vfmadd231ps") "decq %0\n\tjnz 1b\n\t"
					 "vmovups %%ymm1, %1"
					 : "+r" (n), "=m" (out) : "m" (x)
					 : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
					 "xmm8", "xmm9", "xmm10", "xmm11", "xmm12");
	return out[0];
}

/* Bytes without an instruction for them: products of pairs, sums of two of these, added up. */
#define SUM_BYTES(rest, sum) \
	"vpmaddubsw %%ymm0, %%ymm0, %%ymm" rest "\n\t" "vpmaddwd %%ymm0, %%ymm" rest ", %%ymm" rest "\n\t" \
	"vpaddd %%ymm" rest ", %%ymm" sum ", %%ymm" sum "\n\t"

#define N_SUMS_BYTES	7

__attribute__((target("avx2"))) static float
loop_int8_ymm(float x)
{
	float		out[8];
	long		n = N_STEPS;

	__asm__ volatile("vbroadcastss %2, %%ymm0\n\t"
					 "1:\n\t" SUM_BYTES("1", "8") SUM_BYTES("2", "9") SUM_BYTES("3", "10") SUM_BYTES("4", "11")
					 SUM_BYTES("5", "12") SUM_BYTES("6", "13") SUM_BYTES("7", "14") "decq %0\n\tjnz 1b\n\t"
					 "vmovups %%ymm8, %1"
					 : "+r" (n), "=m" (out) : "m" (x)
					 : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
					 "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14");
	return out[0];
}

__attribute__((target("avx2"))) static float
loop_int8_vnni_ymm(float x)
{
	float		out[8];
	long		n = N_STEPS;

	__asm__ volatile("vbroadcastss %2, %%ymm0\n\t"
					 "1:\n\t" SUMS_16_YMM("%{vex%} vpdpbusd") "decq %0\n\tjnz 1b\n\t"
					 "vmovups %%ymm1, %1"
					 : "+r" (n), "=m" (out) : "m" (x)
					 : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
					 "xmm8", "xmm9", "xmm10", "xmm11", "xmm12");
	return out[0];
}

#define TILES_6(op) \
	op " %%tmm6, %%tmm7, %%tmm0\n\t" op " %%tmm6, %%tmm7, %%tmm1\n\t" op " %%tmm6, %%tmm7, %%tmm2\n\t" \
	op " %%tmm6, %%tmm7, %%tmm3\n\t" op " %%tmm6, %%tmm7, %%tmm4\n\t" op " %%tmm6, %%tmm7, %%tmm5\n\t"

#define N_SUMS_TILES	6

/* As ldtilecfg reads it: eight tiles of 16 rows of 64 bytes. */
static const struct
{
	unsigned char palette;
	unsigned char start_row;
	unsigned char reserved[14];
	unsigned short row_bytes[16];
	unsigned char rows[16];
}			tile_sizes = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};

#define DEFINE_LOOP_TILES(name, op) \
static float \
name(float x) \
{ \
	long		n = N_STEPS; \
	__asm__ volatile("ldtilecfg %1\n\ttilezero %%tmm6\n\ttilezero %%tmm7\n\t" \
					 "1:\n\t" TILES_6(op) "decq %0\n\tjnz 1b\n\ttilerelease" \
					 : "+r" (n) : "m" (tile_sizes) : "cc", "memory"); \
	return x; \
}

DEFINE_LOOP_TILES(loop_bf16_tiles, "tdpbf16ps")
DEFINE_LOOP_TILES(loop_int8_tiles, "tdpbusd")

static const Kind kinds[] = {
	{"f32", HAS_AVX512F, loop_f32, N_SUMS * 16 * 2},
	{"bf16", HAS_AVX512BF16, loop_bf16, N_SUMS * 16 * 4},
	{"int8", HAS_AVX512VNNI, loop_int8, N_SUMS * 16 * 8},
	{"bf16-amx", HAS_AMX, loop_bf16_tiles, N_SUMS_TILES * 16 * 16 * 32 * 2},
	{"int8-amx", HAS_AMX, loop_int8_tiles, N_SUMS_TILES * 16 * 16 * 64 * 2},
	{"f32-avx2", HAS_FMA, loop_f32_ymm, N_SUMS_YMM * 8 * 2},
	{"int8-avx2", HAS_AVX2, loop_int8_ymm, N_SUMS_BYTES * 8 * 8},
	{"int8-avx-vnni", HAS_AVXVNNI, loop_int8_vnni_ymm, N_SUMS_YMM * 8 * 8},
};

#define BITS_AMX			(1u << 22 | 1u << 24 | 1u << 25)	/* of leaf 7: bf16, tile, int8 */
#define ARCH_REQ_XCOMP_PERM	0x1023
#define XFEATURE_XTILEDATA	18

/* Asks the system for tiles, too, which it gives to processes that ask. */
static int
has_tiles(void)
{
	unsigned	a,
				b,
				c,
				d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & BITS_AMX) == BITS_AMX &&
		syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

static int
has_feature(Feature feature)
{
	__builtin_cpu_init();
	switch (feature)
	{
		case HAS_FMA:
			return __builtin_cpu_supports("fma");
		case HAS_AVX2:
			return __builtin_cpu_supports("avx2");
		case HAS_AVXVNNI:
			return __builtin_cpu_supports("avxvnni");
		case HAS_AVX512F:
			return __builtin_cpu_supports("avx512f");
		case HAS_AVX512BF16:
			return __builtin_cpu_supports("avx512bf16");
		case HAS_AVX512VNNI:
			return __builtin_cpu_supports("avx512vnni");
		case HAS_AMX:
			return has_tiles();
	}
	return 0;
}

static void *
run_task(void *arg)
{
	Task	   *task = arg;
	volatile float sink = 1.0f;
	cpu_set_t	cpus;
	long		n = 0;
	double		start;

	CPU_ZERO(&cpus);
	CPU_SET(task->cpu, &cpus);
	sched_setaffinity(0, sizeof(cpus), &cpus);	/* where it is refused, unbound */
	sink = task->loop(sink);
	pthread_barrier_wait(task->barrier);
	start = now();
	do
	{
		sink = task->loop(1.0f);
		n++;
	} while (now() - start < task->seconds);
	task->rate = (double) n / (now() - start);
	return NULL;
}

/* Operations in a second of all threads. */
static double
measure(const Kind *kind, int n_threads, double seconds)
{
	Task		tasks[MAX_THREADS];
	pthread_t	threads[MAX_THREADS];
	pthread_barrier_t barrier;
	double		sum = 0;

	pthread_barrier_init(&barrier, NULL, (unsigned) n_threads);
	for (int i = 0; i < n_threads; i++)
	{
		tasks[i] = (Task) {kind->loop, seconds, 0, i, &barrier};
		if (pthread_create(&threads[i], NULL, run_task, &tasks[i]) != 0)
			abort();
	}
	for (int i = 0; i < n_threads; i++)
	{
		pthread_join(threads[i], NULL);
		sum += tasks[i].rate;
	}
	pthread_barrier_destroy(&barrier);
	return sum * N_STEPS * kind->per_product;
}

int
main(int argc, char **argv)
{
	int			n_threads = argc > 1 ? atoi(argv[1]) : 1;
	int			milliseconds = argc > 2 ? atoi(argv[2]) : 200;

	if (n_threads < 1 || n_threads > MAX_THREADS || milliseconds < 1)
	{
		fprintf(stderr, "usage: bench_peak THREADS [MILLISECONDS]\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (has_feature(kinds[i].feature))
			printf("%s %.4g\n", kinds[i].name, measure(&kinds[i], n_threads, 1e-3 * milliseconds));
	return 0;
}
