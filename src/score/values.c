/*-------------------------------------------------------------------------
 *
 * values.c
 *	  Values from hidden states, by whatever head a model has.
 *
 *-------------------------------------------------------------------------
 */
#include "score/values.h"

#include "reward/head.h"
#include "reward/reward.h"

bool
srm_model_values(double *v, const float *hidden, const float *gate_hidden,
				 const SrmModel *model, size_t n, SrmArena *arena, SrmStatus *status)
{
	const SrmModelHead *head = &model->head;
	const SrmValueHead linear = {model->decoder.dim, model->value_weight, model->value_bias};

	if (head->value.n == 0)
	{
		srm_values_forward(v, hidden, &linear, n);
		return true;
	}
	if (head->is_of_steps)
		return srm_step_head_forward(v, hidden, &head->value, n, arena, status);
	if (head->gate.stack.n > 0)
		return srm_gated_head_forward(v, hidden, gate_hidden, &head->value, &head->gate, n,
									  arena, status);
	return srm_stack_forward(v, hidden, &head->value, n, arena, status);
}
