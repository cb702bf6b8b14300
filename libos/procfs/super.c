/* The file system itself: one superblock for each scope that is mounted somewhere. */
#include "procfs/internal.h"

static void statfs(struct superblock *super, struct linux_statfs *out) {
    out->type = (int64_t)(uintptr_t)super->data;
}
static void release(struct superblock *super) { kfree(super); }
static const struct super_ops super_ops = { .statfs = statfs, .release = release };

struct superblock *proc_super_create(enum proc_scope scope, const char *kind, uint64_t device, int64_t magic) {
    struct superblock *super = kzalloc(sizeof *super);
    if (!super) return NULL;
    *super = (struct superblock){ .ops = &super_ops, .kind = kind, .device = device, .data = (void *)(uintptr_t)magic };
    struct node node = { .path = "", .scope = (uint8_t)scope };
    node.file = node_find(&node);
    if (node_inode(super, &node, &super->root)) {
        kfree(super);
        return NULL;
    }
    super->root->ino = 1;
    return super;
}

static int create(const char *source, const char *options, struct superblock **out) {
    (void)source, (void)options;
    return (*out = proc_super_create(PROC_SYSTEM, "proc", 22, 0x9fa0)) ? 0 : -ENOMEM;
}
HULL_FILESYSTEM(proc_filesystem) = { .name = "proc", .create = create };
