/* Private to file-locks: the locks of one inode. */
#ifndef HULL_FILE_LOCKS_INTERNAL_H
#define HULL_FILE_LOCKS_INTERNAL_H
#include <stdbool.h>
#include <stdint.h>
#include "wait/wait.h"

enum lock_type { LOCK_READ, LOCK_WRITE, LOCK_NONE }; /* = F_RDLCK, F_WRLCK, F_UNLCK */
enum lock_kind { LOCK_RECORD, LOCK_WHOLE };          /* fcntl's and flock's, which never conflict with each other */
#define LOCK_END INT64_MAX                           /* to the end of the file, however far it grows */

/* Bytes start to end, both included. owner: a descriptor table (a process's record locks) or an open file. */
struct file_lock { struct file_lock *next; const void *owner; int64_t start, end; int pid; uint8_t type, kind; };
struct inode_locks { struct file_lock *first; struct wait_queue waiters; uint32_t sleepers; struct inode *inode; struct inode_locks *next; }; /* inode, next: of all that have locks */

/* The first lock of another owner that `wanted` cannot be granted beside; NULL: none. */
struct file_lock *locks_conflict(const struct inode_locks *, const struct file_lock *wanted);
/* The owner's locks of that kind in the range become `wanted->type`: splits, joins, removes. Conflicts have been looked at. 0 or -ENOLCK,
 * nothing changed. */
int locks_set(struct inode_locks *, const struct file_lock *wanted);
#endif
