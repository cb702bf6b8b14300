/* EROFS, read only, from a block device. See vfs/vfs.h for the contract that it implements. */
#ifndef HULL_EROFS_EROFS_H
#define HULL_EROFS_EROFS_H
#include "block/block.h"
#include "vfs/vfs.h"
/* Reads and checks the superblock. The result: mount it with vfs_mount, or use its root. NULL: *why says what is wrong, as a sentence's end. */
struct superblock *erofs_open(struct block_device *, uint64_t device_number, const char **why);
#endif
