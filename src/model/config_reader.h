/*-------------------------------------------------------------------------
 *
 * config_reader.h
 *	  What the parts of a config.json's reader have in common.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_CONFIG_READER_H
#define SRM_CONFIG_READER_H

#include "base/json.h"

/* Beyond all that is published, and small enough that no product overflows. */
#define MAX_DIM				65536
#define MAX_VOCAB_SIZE		(1 << 23)
#define MAX_LAYERS			1024
#define MAX_POSITIONS		(1 << 30)

typedef struct SrmConfigReader
{
	const SrmJson *root;
	struct SrmConfig *config;	/* see config.h */
	SrmArena   *arena;			/* of what config points to */
	SrmStatus  *status;
} SrmConfigReader;

/* A whole number from 1 on; a fallback of 0 means that it must be given. */
extern bool srm_config_get_size(SrmConfigReader *reader, const char *key, size_t maximum,
								size_t fallback, size_t *value);

/* A number above 0; a fallback of 0 means that it must be given. */
extern bool srm_config_get_positive(SrmConfigReader *reader, const SrmJson *object,
									const char *key, double fallback, double *value);

/* Fails with: WHAT "VALUE" is not supported. */
extern bool srm_config_fail_support(SrmConfigReader *reader, const char *what, const char *value);

/* What layers differ in, once the sizes are there. */
extern bool srm_config_read_layers(SrmConfigReader *reader);

/* Relative positions, once the sizes and the longest text are there. */
extern bool srm_config_read_relative(SrmConfigReader *reader);

/* Experts of layers, once these are there. */
extern bool srm_config_read_experts(SrmConfigReader *reader);

/* Rotary position, once the sizes are there; may lower the longest text. */
extern bool srm_config_read_rope(SrmConfigReader *reader);

/* What the outputs of the head stand for, and how its class computes a value. */
extern bool srm_config_read_labels(SrmConfigReader *reader);
extern bool srm_config_read_head(SrmConfigReader *reader);

#endif							/* SRM_CONFIG_READER_H */
