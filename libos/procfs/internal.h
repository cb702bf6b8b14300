/* Private to procfs: what an inode of it stands for. */
#ifndef HULL_PROCFS_INTERNAL_H
#define HULL_PROCFS_INTERNAL_H
#include "abi/linux_file.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/syscall.h"

/* A place: the first `length` bytes of `path` within the tables of `scope`; of which process, thread, child. Zero where there is none. */
struct node {
    const char *path;
    const struct proc_file *file; /* NULL: a directory that only files in it make */
    uint64_t started_ns, number;
    int pid, tid;
    uint16_t length;
    uint8_t scope;
};
static inline struct node *node_of(const struct inode *inode) { return inode->data; }
/* Who it is about, with no text yet; false when that process or thread has ended. */
bool node_subject(const struct node *, struct proc_text *out);
const struct proc_file *node_find(const struct node *); /* the entry for exactly its path; NULL: none */
/* Is there something below this place in the tables? */
bool node_has_children(const struct node *);
extern const struct inode_ops proc_directory_ops, proc_file_ops, proc_link_ops, proc_file_link_ops;
/* An inode for it: which kind, its entry says. 0 or -errno. */
int node_inode(struct superblock *, const struct node *, struct inode **out);
void node_owner(struct inode *); /* uid and gid as they are now */
#pragma GCC visibility push(hidden)
extern const struct proc_files __hull_proc_start[], __hull_proc_end[];
#pragma GCC visibility pop
#endif
