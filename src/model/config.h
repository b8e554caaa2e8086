/*-------------------------------------------------------------------------
 *
 * config.h
 *	  What config.json says.
 *
 * Absent members have the values that transformers gives them; what the
 * decoder cannot do is an error that names it.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CONFIG_H
#define SRM_CONFIG_H

#include "model/architecture.h"
#include "model/model.h"

typedef struct SrmConfig
{
	const SrmArchitecture *architecture;
	SrmDecoder	decoder;		/* its numbers; the weights are NULL */
	bool		steps[SRM_N_STEPS]; /* which of them the layers have */
	size_t		max_tokens;
	size_t		attention_dim;	/* of the aggregator; 0 where it is not given */
	SrmModelSettings settings;
} SrmConfig;

/*
 * Reads the contents of a config.json.  path is for messages; what config
 * points to lies in the arena.
 */
extern bool srm_config_read(SrmConfig *config, const char *path,
							const char *json, size_t length,
							SrmArena *arena, SrmStatus *status);

#endif							/* SRM_CONFIG_H */
