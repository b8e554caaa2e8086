/*-------------------------------------------------------------------------
 *
 * room.h
 *	  Whether the disk has room for what a run will write.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SRM_ROOM_H
#define SRM_ROOM_H

#include "train/train.h"

/*
 * A checkpoint is written beside the one before, and the model beside the last of
 * them; held are the bytes of the one that is there already, which goes.
 * Where there is less than that, SRM_FILE_ACCESS with ENOSPC.  A file system
 * that does not say what it has is taken to have enough.
 */
extern bool srm_room_check(const SrmTrainOptions *options, size_t checkpoint_bytes, size_t model_bytes,
						   size_t held, SrmStatus *status);

#endif							/* SRM_ROOM_H */
