/* Private to tmpfs: directories and pages. */
#ifndef HULL_TMPFS_INTERNAL_H
#define HULL_TMPFS_INTERNAL_H
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"
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
    struct entry *told; /* the last one that a reader took, while it is there: the next call goes on behind it */
    uint32_t bucket_count, count;
    int64_t cookie;
    struct inode *parent; /* not referenced: a directory with a name is under its parent */
};
extern const struct inode_ops tmpfs_directory_ops, tmpfs_file_ops;
/* What one of them may hold, and holds; super->data. A most of 0 is none. */
struct tmpfs_limits { uint64_t pages_most, pages, inodes_most, inodes; uint32_t mode; };
static inline struct tmpfs_limits *tmpfs_limits_of(const struct superblock *super) { return super->data; }
int tmpfs_attribute_holder(struct inode *, bool changes, struct inode **out);
bool tmpfs_inode_allowed(struct superblock *); /* and counts it */
void tmpfs_inode_gone(struct superblock *);
struct inode *tmpfs_root_create(struct superblock *, uint32_t mode);
#define TMPFS_LEAVES (memory_total() >> 5) /* bytes of memory that files leave to programs */
#endif
