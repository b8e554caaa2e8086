/*-------------------------------------------------------------------------
 *
 * blas.c
 *	  Single-precision products from OpenBLAS.
 *
 *-------------------------------------------------------------------------
 */
#include "nn/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_VARIABLE	"OPENBLAS_NUM_THREADS"

/* Values of the enumerations in cblas.h */
#define CBLAS_ROW_MAJOR		101
#define CBLAS_NO_TRANS		111
#define CBLAS_TRANS			112

typedef void (*Sgemm) (int order, int trans_a, int trans_b, int m, int n, int k,
					   float alpha, const float *a, int lda,
					   const float *b, int ldb, float beta, float *c, int ldc);
typedef void (*SetNumThreads) (int n_threads);

static const char *const library_names[] = {
#ifdef __APPLE__
	"libopenblas.dylib",
#endif
	"libopenblas.so.0", "libopenblas.so"
};

/* Loaded once in a process, and kept until it ends. */
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static Sgemm sgemm = NULL;

/* A handle, or NULL with the reason why the first name failed. */
static void *
open_library(char *reason, size_t reason_size)
{
	reason[0] = '\0';
	for (size_t i = 0; i < sizeof(library_names) / sizeof(library_names[0]); i++)
	{
		void	   *handle = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL);
		const char *error;

		if (handle != NULL)
			return handle;
		error = dlerror();
		if (reason[0] == '\0' && error != NULL)
		{
			strncpy(reason, error, reason_size - 1);
			reason[reason_size - 1] = '\0';
		}
	}
	return NULL;
}

/*
 * The library reads its number of threads from the environment as it is
 * loaded, and starts them right away: with one there is none to start.
 */
static void *
open_with_one_thread(char *reason, size_t reason_size, SrmStatus *status)
{
	const char *value = getenv(THREADS_VARIABLE);
	char	   *kept = value == NULL ? NULL : strdup(value);
	void	   *handle = NULL;

	if ((value != NULL && kept == NULL) || setenv(THREADS_VARIABLE, "1", 1) != 0)
		srm_fail_memory(status, sizeof(THREADS_VARIABLE));
	else
	{
		handle = open_library(reason, reason_size);
		if (kept != NULL)
			setenv(THREADS_VARIABLE, kept, 1);
		else
			unsetenv(THREADS_VARIABLE);
	}
	free(kept);
	return handle;
}

static bool
fail_library(SrmStatus *status, const char *reason)
{
	srm_fail(status, SRM_NOT_SUPPORTED, "could not load OpenBLAS");
	srm_fail_detail(status, "%s.", reason);
	return srm_fail_hint(status, "Install the package \"libopenblas0\", or \"openblas\" where it has that name.");
}

static bool
load_library(SrmStatus *status)
{
	char		reason[256];
	sigset_t	all;
	sigset_t	kept;
	void	   *handle;
	Sgemm		product = NULL;
	SetNumThreads set_num_threads;

	/* Whatever thread the library may start inherits this mask */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &kept);
	handle = open_with_one_thread(reason, sizeof(reason), status);
	if (handle != NULL)
	{
		/* It may have been there before us, with threads of its own */
		set_num_threads = (SetNumThreads) dlsym(handle, "openblas_set_num_threads");
		if (set_num_threads != NULL)
			set_num_threads(1);
		product = (Sgemm) dlsym(handle, "cblas_sgemm");
	}
	pthread_sigmask(SIG_SETMASK, &kept, NULL);

	if (status->code != SRM_OK)
		return false;
	if (handle == NULL)
		return fail_library(status, reason);
	if (product == NULL)
	{
		dlclose(handle);
		return fail_library(status, "The library has no function \"cblas_sgemm\"");
	}
	sgemm = product;
	return true;
}

bool
srm_blas_load(SrmStatus *status)
{
	bool		loaded;

	pthread_mutex_lock(&load_lock);
	loaded = sgemm != NULL || load_library(status);
	pthread_mutex_unlock(&load_lock);
	return loaded;
}

void
srm_blas_product_transposed(float *out, size_t out_stride,
							const float *a, size_t a_stride,
							const float *b, size_t b_stride,
							size_t m, size_t n, size_t k, float scale)
{
	sgemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANS, CBLAS_TRANS, (int) m, (int) n, (int) k,
		  scale, a, (int) a_stride, b, (int) b_stride, 0.0f, out, (int) out_stride);
}

void
srm_blas_product(float *out, size_t out_stride,
				 const float *a, size_t a_stride,
				 const float *b, size_t b_stride,
				 size_t m, size_t n, size_t k, bool add)
{
	sgemm(CBLAS_ROW_MAJOR, CBLAS_NO_TRANS, CBLAS_NO_TRANS, (int) m, (int) n, (int) k,
		  1.0f, a, (int) a_stride, b, (int) b_stride, add ? 1.0f : 0.0f,
		  out, (int) out_stride);
}
