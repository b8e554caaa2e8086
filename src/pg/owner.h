/*-------------------------------------------------------------------------
 *
 * owner.h
 *	  Statements on the extension's own tables, with the rights of its owner.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_OWNER_H
#define SRM_OWNER_H

#include "postgres.h"

/*
 * Runs a statement by SPI, which has to be connected.  It is a constant of the
 * source, names the schema of all that it touches and uses no operator that a
 * search path could change; an error resets the user with the transaction.
 */
extern void srm_owner_execute(const char *statement, int n, Oid *types, Datum *values,
							  const char *nulls, int expected);

#endif							/* SRM_OWNER_H */
