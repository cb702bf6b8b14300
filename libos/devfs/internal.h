/* Private to devfs: what the start puts into the tree. */
#ifndef HULL_DEVFS_INTERNAL_H
#define HULL_DEVFS_INTERNAL_H
#include "arch/arch.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vfs/vfs.h"
int devices_attach(void);
void host_files_attach(void); /* HULL_MODULE_FILES; a file that cannot be written is logged */
int program_attach(void);
struct superblock *first_mount_super(void); /* the root file system */
void inode_fill_stat(struct inode *, struct linux_stat *out);
#endif
