/* A writable file system on top of a read-only one: see README.md. */
#ifndef HULL_OVERLAY_OVERLAY_H
#define HULL_OVERLAY_OVERLAY_H
#include "vfs/vfs.h"
/* Takes both superblocks over; top: the directory of `upper` that has the layer, with its attributes; NULL: its root, which gets those of the lower one. NULL: out of memory (both stay the caller's). */
struct superblock *overlay_create(struct superblock *lower, struct superblock *upper, struct inode *top, uint64_t device);
#endif
