/*-------------------------------------------------------------------------
 *
 * test_workspace.c
 *	  Tests of what memory is kept between passes.
 *
 *-------------------------------------------------------------------------
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/workspace.h"

#define KB			((size_t) 1024)
#define MB			(1024 * KB)
#define LIMIT		(32 * MB)
#define N_SMALL		12			/* more than are kept */

/* With nothing kept from the test before */
static int
empty(void **state)
{
	(void) state;
	srm_workspace_limit(0);
	srm_workspace_limit(LIMIT);
	return 0;
}

static char *
take(size_t size)
{
	SrmStatus	status;
	char	   *piece;

	srm_status_init(&status);
	piece = srm_workspace_alloc(size, &status);
	assert_non_null(piece);
	assert_int_equal((uintptr_t) piece % 64, 0);
	return piece;
}

/* A piece that is large enough for what smaller ones served takes their place. */
static void
test_growth(void **state)
{
	char	   *small = take(3 * MB);
	char	   *large;

	(void) state;
	srm_workspace_free(small);
	large = take(5 * MB);
	srm_workspace_free(large);
	small = take(3 * MB);
	assert_ptr_equal(small, large);
	srm_workspace_free(small);
}

/* One that is much smaller stays: what it serves would not take so large a piece. */
static void
test_other_sizes(void **state)
{
	char	   *small = take(64 * KB);
	char	   *large;

	(void) state;
	srm_workspace_free(small);
	large = take(5 * MB);
	assert_ptr_equal(take(64 * KB), small);
	srm_workspace_free(small);
	srm_workspace_free(large);
}

/* However many small pieces are kept, a large one, which costs most to make, is, too. */
static void
test_full(void **state)
{
	char	   *small[N_SMALL];
	char	   *large = take(12 * MB);

	(void) state;
	for (int i = 0; i < N_SMALL; i++)
		small[i] = take(64 * KB);
	for (int i = 0; i < N_SMALL; i++)
		srm_workspace_free(small[i]);
	memset(large, 1, 12 * MB);
	srm_workspace_free(large);
	large = take(12 * MB);
	for (size_t i = 0; i < 12 * MB; i += MB)
		assert_int_equal(large[i + MB / 2], 1);
	srm_workspace_free(large);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_growth, empty),
		cmocka_unit_test_setup(test_other_sizes, empty),
		cmocka_unit_test_setup(test_full, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
