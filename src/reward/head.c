/*-------------------------------------------------------------------------
 *
 * head.c
 *	  Values from heads that are more than one linear map.
 *
 *-------------------------------------------------------------------------
 */
#include "reward/head.h"

#include <math.h>

bool
srm_gated_head_forward(double *v, const float *hidden, const float *gate_hidden,
					   const SrmStack *objectives, const SrmGate *gate, size_t n,
					   SrmArena *arena, SrmStatus *status)
{
	size_t		k = srm_stack_outputs(objectives);
	size_t		n_gates = gate_hidden == NULL ? n : 1;
	double	   *rewards = srm_arena_array(arena, n * k, sizeof(double), status);
	double	   *weights = srm_arena_array(arena, n_gates * k, sizeof(double), status);

	if (rewards == NULL || weights == NULL ||
		!srm_stack_forward(rewards, hidden, objectives, n, arena, status) ||
		!srm_gate_weights_forward(weights, gate_hidden == NULL ? hidden : gate_hidden, gate,
								  n_gates, arena, status))
		return false;
	for (size_t i = 0; i < n; i++)
	{
		const double *own = weights + (gate_hidden == NULL ? i * k : 0);

		v[i] = 0.0;
		for (size_t j = 0; j < k; j++)
			v[i] += own[j] * rewards[i * k + j];
	}
	return true;
}

bool
srm_step_head_forward(double *p, const float *hidden, const SrmStack *labels, size_t n,
					  SrmArena *arena, SrmStatus *status)
{
	double	   *z = srm_arena_array(arena, 2 * n, sizeof(double), status);

	if (z == NULL || !srm_stack_forward(z, hidden, labels, n, arena, status))
		return false;
	for (size_t i = 0; i < n; i++)
		p[i] = 1.0 / (1.0 + exp(z[2 * i] - z[2 * i + 1]));
	return true;
}
