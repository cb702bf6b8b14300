/* Private to tmpfs: directories and pages. */
#ifndef HULL_TMPFS_INTERNAL_H
#define HULL_TMPFS_INTERNAL_H
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "tmpfs/content.h"
#include "tmpfs/tmpfs.h"

struct entry {
    struct entry *hash_next, *next, *previous; /* next, previous: in the order of cookies */
    struct inode *inode;
    int64_t cookie; /* the position in the directory: never reused, so that readers survive changes */
    uint32_t hash;
    uint16_t length;
    char name[];
};
struct directory {
    struct entry **buckets, *first, *last, *first_buckets[4];
    uint32_t bucket_count, count;
    int64_t cookie;
    struct inode *parent; /* not referenced: a directory with a name is under its parent */
};
extern const struct inode_ops tmpfs_directory_ops, tmpfs_file_ops;
#endif
