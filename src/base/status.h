/*-------------------------------------------------------------------------
 *
 * status.h
 *	  What a call of the engine came to, and why.
 *
 * Every engine function that can fail takes an SrmStatus and returns false
 * (or NULL) after srm_fail().  The first failure is kept: a second call on a
 * status that has failed already changes nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_STATUS_H
#define SRM_STATUS_H

#include <stdbool.h>
#include <stddef.h>

typedef enum SrmCode
{
	SRM_OK = 0,
	SRM_FILE_ACCESS,			/* a file cannot be opened or read; see errnum */
	SRM_INVALID_MODEL,			/* a model file has wrong contents */
	SRM_UNDEFINED_MODEL,		/* no model of that name */
	SRM_DUPLICATE_MODEL,		/* a model of that name is there already */
	SRM_INVALID_ARGUMENT,		/* a bad argument */
	SRM_LIMIT_EXCEEDED,			/* too much of a good one */
	SRM_NOT_SUPPORTED,			/* not in this build */
	SRM_OUT_OF_MEMORY,
	SRM_STOPPED,				/* the stop callback said so */
	SRM_INTERNAL				/* cannot happen */
} SrmCode;

typedef struct SrmStatus
{
	SrmCode		code;
	int			errnum;			/* errno of a SRM_FILE_ACCESS failure */
	char		message[512];
	char		detail[512];	/* "" where there is none */
	char		hint[256];		/* "" where there is none */
} SrmStatus;

#if defined(__GNUC__)
#define SRM_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define SRM_PRINTF(f, a)
#endif

/* No failure. */
extern void srm_status_init(SrmStatus *status);

/*
 * Records a failure and returns false, so that a caller can return its value.
 * A message that does not fit is cut at a character of UTF-8.
 */
extern bool srm_fail(SrmStatus *status, SrmCode code, const char *format,...) SRM_PRINTF(3, 4);

/* Records errno as well, which the caller passes before anything changes it. */
extern bool srm_fail_file(SrmStatus *status, int errnum, const char *format,...) SRM_PRINTF(3, 4);

/* "out of memory", with the size that was asked for. */
extern bool srm_fail_memory(SrmStatus *status, size_t size);

/* Add to the last failure; both are sentences.  Return false. */
extern bool srm_fail_detail(SrmStatus *status, const char *format,...) SRM_PRINTF(2, 3);
extern bool srm_fail_hint(SrmStatus *status, const char *format,...) SRM_PRINTF(2, 3);

/*
 * Name the key of a file that the last refusal is about, behind its detail, and the file, behind its
 * hint, unless they are named already.  Where it names a file without directories, that is told.  Nothing
 * happens to failures of other kinds, such as a stop.  Return false.
 */
extern bool srm_fail_key(SrmStatus *status, const char *key);
extern bool srm_fail_place(SrmStatus *status, const char *path);

/*
 * Asks whether to give up.  Called between layers, tiles, sentences and rows,
 * while no other thread of the engine is at work: it may end the process, but
 * must return rather than jump.
 */
typedef bool (*SrmStopCallback) (void *arg);

typedef struct SrmStop
{
	SrmStopCallback callback;	/* NULL: never stop */
	void	   *arg;
	SrmStopCallback pending;	/* whether the callback has anything to say; cheap.
								 * Threads rest only then; NULL: always */
} SrmStop;

/* Whether srm_continue() may have something to say.  stop may be NULL; of any thread. */
extern bool srm_stop_is_pending(const SrmStop *stop);

/* False, with SRM_STOPPED, once the callback says so.  stop may be NULL. */
extern bool srm_continue(const SrmStop *stop, SrmStatus *status);

#endif							/* SRM_STATUS_H */
