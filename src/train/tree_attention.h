/*-------------------------------------------------------------------------
 *
 * tree_attention.h
 *	  The way back through causal attention in trees: several continuations of
 *	  one beginning.
 *
 * A tree is a list of segments, the first of which is the beginning of all
 * others.  Rows of all trees lie one behind the other.  Gradients
 * of what a beginning's keys and values gave to its continuations add up in
 * the order of the segments.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_TREE_ATTENTION_H
#define SRM_TREE_ATTENTION_H

#include <stdint.h>

#include "kernel/threads.h"

/* Rows that follow each other, and those of them that ask. */
typedef struct SrmBranch
{
	size_t		first;			/* row */
	size_t		n;
	size_t		n_past;			/* rows of the tree's first segment; 0 for that itself */
	size_t		first_query;
	size_t		n_queries;
} SrmBranch;

typedef struct SrmTree
{
	const SrmBranch *segments;	/* (n_segments) */
	size_t		n_segments;
} SrmTree;

typedef struct SrmTreeAttention
{
	size_t		n_heads;
	size_t		n_kv_heads;
	size_t		head_dim;
	float		scale;			/* of the products */
	float		softcap;		/* 0: none */
	size_t		window;			/* 0: none */
	const SrmTree *trees;		/* (n_trees) */
	size_t		n_trees;
	const float *queries;		/* (n_queries, n_heads * head_dim), after rope */
	const float *keys;			/* (n_rows, n_kv_heads * head_dim) */
	const float *values;
	const uint32_t *index;		/* (n_queries) the row that a query stands at; NULL: query i at row i */
} SrmTreeAttention;

/*
 * dqueries, dkeys and dvalues are overwritten, shaped as what they belong to.
 * out (n_queries, n_heads * head_dim) and logs (n_queries, n_heads) are what nn/attention.h
 * made of the same.
 */
extern bool srm_tree_attention_backward(float *dqueries, float *dkeys, float *dvalues,
										const float *dout, const float *out, const float *logs,
										const SrmTreeAttention *attention,
										SrmThreads *threads, const SrmStop *stop,
										SrmStatus *status);

/* Scratch of each thread for trees of at most n_rows rows. */
extern size_t srm_tree_attention_scratch(size_t n_rows, size_t head_dim);

#endif							/* SRM_TREE_ATTENTION_H */
