/*-------------------------------------------------------------------------
 *
 * safetensors.h
 *	  The tensors of one safetensors file.
 *
 * Eight bytes of header length, a JSON header, and the data.  As in the
 * reference implementation, the tensors' data must fill the rest of the file
 * without overlaps, holes, or bytes left over.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_SAFETENSORS_H
#define SRM_SAFETENSORS_H

#include "base/arena.h"
#include "kernel/matrix.h"

#define SRM_MAX_DIMS	8

typedef struct SrmTensor
{
	const char *name;
	const char *type;			/* as the file writes it: "BF16" */
	bool		is_weight;		/* of a type that the products know, which is dtype */
	SrmDtype	dtype;			/* SRM_INT8 is none without its scales, and no is_weight */
	size_t		n_dims;
	size_t		shape[SRM_MAX_DIMS];
	size_t		n_elements;
	const char *path;			/* of its file, for messages */
	const char *data;			/* (size), of any alignment */
	size_t		start;			/* bytes of the file's data: [start, start + size) */
	size_t		size;
	const struct SrmTensorChange *change;	/* by an adapter; NULL as read from a file */
} SrmTensor;

/* What an adapter adds to a tensor (rows, cols): scale * b * a. */
typedef struct SrmTensorChange
{
	const SrmTensor *a;			/* (rank, cols) */
	const SrmTensor *b;			/* (rows, rank) */
	float		scale;
} SrmTensorChange;

typedef struct SrmSafetensors
{
	SrmTensor  *tensors;		/* (n), in the order of their data */
	size_t		n;
} SrmSafetensors;

/*
 * Reads the header of a file of size bytes at data.
 * The list lies in the arena; the tensors' data stay where they are and are
 * not read, so that any bits, NaN included, pass, and need not be in memory.
 */
extern bool srm_safetensors_read(SrmSafetensors *safetensors, const char *path,
								 const char *data, size_t size,
								 SrmArena *arena, SrmStatus *status);

/* Bytes of a file that tell srm_safetensors_data_start(). */
#define SRM_SAFETENSORS_FIRST	8

/* Where a file with these first bytes has its data, if it is one: behind the header. */
extern size_t srm_safetensors_data_start(const char *first, size_t n_first);

/* The longest header that is read, with what comes before it. */
#define SRM_SAFETENSORS_MAX_START	(SRM_SAFETENSORS_FIRST + (size_t) 16 * 1024 * 1024)

/* Bits of an element of a type of the format, such as "BF16"; 0 for an unknown one. */
extern unsigned srm_safetensors_type_bits(const char *name);

#endif							/* SRM_SAFETENSORS_H */
