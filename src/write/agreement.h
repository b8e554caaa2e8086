/*-------------------------------------------------------------------------
 *
 * agreement.h
 *	  How far two forms of a model agree in their scores.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_AGREEMENT_H
#define SRM_AGREEMENT_H

#include "model/contents.h"

/*
 * Compares scores of pairs, (2 * n_pairs): that of the one response, then that of
 * the other.  n_pairs is positive, and all scores are finite.
 */
extern bool srm_agreement_measure(SrmAgreement *agreement, const double *scores, const double *others,
								  size_t n_pairs, SrmStatus *status);

/* The object "agreement" of "srm" in a configuration; NULL takes away what is there. */
extern bool srm_agreement_set(SrmJson *config, const SrmAgreement *agreement, SrmArena *arena, SrmStatus *status);

#endif							/* SRM_AGREEMENT_H */
