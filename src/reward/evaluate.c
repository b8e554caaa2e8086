/*-------------------------------------------------------------------------
 *
 * evaluate.c
 *	  How well scores agree with preferences.
 *
 *-------------------------------------------------------------------------
 */
#include "reward/evaluate.h"

#include <math.h>

#include "reward/reward.h"

/* The normal distribution has 95 % within this many standard deviations */
#define Z_95	1.959963984540054

double
srm_win(double a, double b)
{
	if (isnan(a) || isnan(b))
		return NAN;
	return a > b ? 1.0 : a < b ? 0.0 : 0.5;
}

double
srm_log_loss(double margin)
{
	return margin >= 0.0 ? log1p(exp(-margin)) : log1p(exp(margin)) - margin;
}

void
srm_wilson_interval(double share, double n, double *low, double *high)
{
	double		z2 = Z_95 * Z_95;
	double		center = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
	double		half = Z_95 * sqrt(share * (1.0 - share) / n + z2 / (4.0 * n * n)) / (1.0 + z2 / n);

	/* Exactly 0 and 1 at the ends, whatever rounding says */
	*low = share <= 0.0 ? 0.0 : center - half;
	*high = share >= 1.0 ? 1.0 : center + half;
}

/*
 * What is calibrated is the probability of the response that the model
 * prefers, from 0.5 to 1, against how often that is the chosen one.
 */
static void
add_to_bin(SrmEvaluation *evaluation, double margin, double win)
{
	double		confidence = srm_preference_forward(fabs(margin));
	int			i = (int) ((confidence - 0.5) * 2.0 * SRM_CALIBRATION_BINS);
	SrmCalibrationBin *bin = &evaluation->bins[i < SRM_CALIBRATION_BINS ? i : SRM_CALIBRATION_BINS - 1];

	bin->n++;
	bin->wins += win;
	bin->confidences += confidence;
}

void
srm_evaluation_add(SrmEvaluation *evaluation, double margin,
				   double chosen_length, double rejected_length)
{
	double		win = srm_win(margin, 0.0);

	evaluation->n++;
	evaluation->wins += win;
	evaluation->longer_wins += srm_win(chosen_length, rejected_length);
	evaluation->margins += margin;
	evaluation->losses += srm_log_loss(margin);
	add_to_bin(evaluation, margin, win);
}

void
srm_evaluation_result(const SrmEvaluation *evaluation, SrmEvaluationResult *result)
{
	double		n = (double) evaluation->n;
	double		distance = 0.0;

	result->accuracy = evaluation->wins / n;
	srm_wilson_interval(result->accuracy, n, &result->accuracy_low, &result->accuracy_high);
	result->mean_margin = evaluation->margins / n;
	result->log_loss = evaluation->losses / n;
	for (int i = 0; i < SRM_CALIBRATION_BINS; i++)
		distance += fabs(evaluation->bins[i].wins - evaluation->bins[i].confidences);
	result->calibration_error = distance / n;
	result->longer_accuracy = evaluation->longer_wins / n;
}
