/*-------------------------------------------------------------------------
 *
 * prepared_format.h
 *	  The file that holds a model's weights as the products read them.
 *
 * A header, a table with an entry for each matrix, and at multiples of 64
 * bytes the packed matrices (see kernel/pack.h), and those that are read as they are:
 * the embedding, and the maps of some heads.  Places and sizes follow from the
 * model, so that nothing in a file is trusted: a file either says exactly what
 * the model asks for, or it is not used.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_PREPARED_FORMAT_H
#define SRM_PREPARED_FORMAT_H

#include "model/contents.h"
#include "model/digest.h"

#define SRM_PREPARED_SAMPLE		4096	/* bytes of each matrix that every opening checks */
#define SRM_PREPARED_PIECE		((size_t) 1024 * 1024)	/* by which checksums are formed */
#define SRM_PREPARED_DIRECTORY	1024	/* longest path of a model, with its NUL */
#define SRM_PREPARED_NAME		64	/* of a file, with its NUL */

/* What a prepared file is of: which model, by its files and not by their contents. */
typedef struct SrmPreparedIdentity
{
	uint64_t	files[2];		/* paths and stamps of all files that were asked for */
	const char *directory;
} SrmPreparedIdentity;

/* A matrix of the model, and where its packed form, or a copy, goes. */
typedef struct SrmPreparedMatrix
{
	SrmMatrix  *matrix;
	bool		is_copy;		/* of the rows from data on as they are */
	SrmCompute	compute;		/* of products with a packed form */
	SrmPacking	packing;
	size_t		offset;			/* in the file */
	size_t		size;			/* bytes */
} SrmPreparedMatrix;

typedef struct SrmPreparedPlan
{
	SrmPreparedMatrix *matrices;	/* (n), the packed ones first */
	size_t		n;
	size_t		n_packed;
	size_t		data_offset;	/* of the first matrix */
	size_t		size;			/* of the file */
	SrmPreparedIdentity identity;
} SrmPreparedPlan;

/* The start of a file, as far as it is of a fixed size. */
typedef struct SrmPreparedHeader
{
	char		magic[8];
	uint32_t	byte_order;
	uint32_t	n_matrices;
	uint64_t	size;
	uint64_t	files[2];
	char		packings[128];	/* their names */
	char		digest[72];		/* of the model's directory, as hexadecimal text */
	char		directory[SRM_PREPARED_DIRECTORY];
	uint64_t	file_digests[SRM_DIGEST_FILES]; /* see srm_prepared_file_digest(); then 0 */
	uint64_t	checksum;		/* of header and table, with this as 0 */
} SrmPreparedHeader;

/* An entry of the table. */
typedef struct SrmPreparedEntry
{
	uint64_t	rows;
	uint64_t	cols;
	uint64_t	packing;		/* or that it is a copy, with its dtype */
	uint64_t	offset;
	uint64_t	size;
	uint64_t	sample;			/* checksum of the first SRM_PREPARED_SAMPLE bytes */
	uint64_t	checksum;		/* of all bytes, a piece seeding the next */
} SrmPreparedEntry;

/*
 * Lists the matrices of all layers in the arena, with the arithmetic that
 * a choice means for each, and those that are read as they lie
 * in the model's files, and lays out the file.
 */
extern bool srm_prepared_plan(SrmPreparedPlan *plan, SrmModel *model, SrmComputeChoice choice,
							  SrmArena *arena, SrmStatus *status);

/* Header and table of a plan, whose entries have their checksums already. */
extern void srm_prepared_write_header(SrmPreparedHeader *header, SrmPreparedEntry *entries,
									  const SrmPreparedPlan *plan, const SrmDigests *digests);

/* What a header keeps of the digest of a file: enough to tell which one has changed. */
extern uint64_t srm_prepared_file_digest(const SrmFileDigest *file);

/*
 * The name of the file of a model's directory, without its end, for a kind of arithmetic as
 * model->prepared.compute_name has it: models by their paths, so that a replaced one replaces its file.
 */
extern void srm_prepared_key(char key[SRM_PREPARED_NAME], const char *directory, const char *compute_name);

/* Bytes of a matrix from data on, as its file has it. */
extern size_t srm_prepared_source_bytes(const SrmMatrix *matrix);

/*
 * Whether size bytes at data are the file of a plan: header, table, and a
 * sample of each matrix, or with all every byte.  Any bytes are safe.
 */
extern bool srm_prepared_check(const SrmPreparedPlan *plan, const void *data, size_t size,
							   bool all);

/* The checksum of a header and its table; what stands in header->checksum does not count. */
extern uint64_t srm_prepared_header_checksum(const SrmPreparedHeader *header,
											 const SrmPreparedEntry *entries, size_t n);

/* The checksum of a piece, seeded with that of the pieces before. */
extern uint64_t srm_prepared_sum(uint64_t sum, const char *data, size_t size);

/* Whether a header, of any bytes, is one of this build's format. */
extern bool srm_prepared_is_current(const SrmPreparedHeader *header);

#endif							/* SRM_PREPARED_FORMAT_H */
