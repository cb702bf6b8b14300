/* Files in memory. Owns their pages and directories; see vfs/vfs.h for the contract it implements. */
#ifndef HULL_TMPFS_TMPFS_H
#define HULL_TMPFS_TMPFS_H
#include "vfs/vfs.h"
/* A file system with an empty root directory (mode as given); NULL: out of memory. Mount it with vfs_mount. */
struct superblock *tmpfs_create(uint32_t root_mode, uint64_t device);
uint64_t tmpfs_pages(void); /* of all of them */
/* A file of no directory, for memory that is shared by descriptor (memfd) or mapping. Grows by truncate and write. */
struct inode *tmpfs_file_create(struct superblock *super, uint32_t mode);
#endif
