/* Private to mounts. */
#ifndef HULL_MOUNTS_INTERNAL_H
#define HULL_MOUNTS_INTERNAL_H
#include "vfs/vfs.h"
/* Copies what is below `from` into the directory `to`, with owners, modes and times; both stay the caller's. What cannot be there (devices, where the
 * file system below `to` refuses them) is left out. 0 or -errno. */
int mounts_fill(struct inode *from, struct inode *to);
/* Whether a directory has no names; negative: -errno. */
int mounts_is_empty(struct inode *directory);
#endif
