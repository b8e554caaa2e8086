/*-------------------------------------------------------------------------
 *
 * evaluate.h
 *	  How well scores agree with preferences.
 *
 * A pair counts by its margin R_chosen - R_rejected alone.  Sums are formed
 * in double, in the order of the pairs.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_EVALUATE_H
#define SRM_EVALUATE_H

#include <stdint.h>

#define SRM_CALIBRATION_BINS	10

/* Pairs that the model was about as sure of. */
typedef struct SrmCalibrationBin
{
	uint64_t	n;
	double		wins;
	double		confidences;	/* sum of the probability of the preferred response */
} SrmCalibrationBin;

/* Sums over pairs; all zero to begin with. */
typedef struct SrmEvaluation
{
	uint64_t	n;
	double		wins;			/* chosen scored higher; a tie is one half */
	double		longer_wins;	/* chosen is longer; a tie is one half */
	double		margins;
	double		losses;
	SrmCalibrationBin bins[SRM_CALIBRATION_BINS];	/* of equal width over 0.5 .. 1 */
} SrmEvaluation;

typedef struct SrmEvaluationResult
{
	double		accuracy;
	double		accuracy_low;	/* Wilson's 95 % interval */
	double		accuracy_high;
	double		mean_margin;
	double		log_loss;		/* mean of -log sigmoid(margin) */
	double		calibration_error;	/* mean over pairs of |accuracy - confidence| of their bin */
	double		longer_accuracy;	/* of preferring the longer response */
} SrmEvaluationResult;

/* 1 where a is greater than b, 0 where it is less, 0.5 for a tie, NaN where one is NaN. */
extern double srm_win(double a, double b);

/* -log sigmoid(margin), without overflow. */
extern double srm_log_loss(double margin);

/* Wilson's 95 % interval of a share of n > 0. */
extern void srm_wilson_interval(double share, double n, double *low, double *high);

/* Adds a pair: its finite margin, and the lengths of both responses. */
extern void srm_evaluation_add(SrmEvaluation *evaluation, double margin,
							   double chosen_length, double rejected_length);

/* Of n > 0 pairs. */
extern void srm_evaluation_result(const SrmEvaluation *evaluation, SrmEvaluationResult *result);

#endif							/* SRM_EVALUATE_H */
