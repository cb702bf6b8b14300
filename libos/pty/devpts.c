/*
 * The file system of the slaves' names (the kernel's filesystems/devpts): a directory with a node for each pseudoterminal whose master is open, and ptmx. One instance, wherever
 * it is mounted. A node's owner is who opened the master, its group tty, as Docker mounts it.
 */
#include "lib/format.h"
#include "pty/internal.h"

enum { DEVICE = 6, GROUP_TTY = 5, MAGIC = 0x1cd1 };
static struct superblock *instance;

static void release(struct inode *inode) { kfree(inode); }
static void release_directory(struct inode *inode) { kfree(inode); }

/* data: NULL once the terminal is gone. */
static int refresh(struct inode *inode) { return inode->data ? 0 : -ENOENT; }
static const struct inode_ops node_ops = { .refresh = refresh, .release = release };
static const struct inode_ops ptmx_ops = { .release = release };

struct inode *devpts_inode(unsigned number) {
    struct inode *inode = inode_create(&node_ops, instance, S_IFCHR | 0620);
    if (!inode) return NULL;
    inode->rdev = DEVICE_NUMBER(136, number);
    inode->ino = number + 3;
    inode->gid = GROUP_TTY;
    inode->data = inode;
    return inode;
}

void devpts_forget(struct inode *inode) {
    inode->data = NULL;
    inode_put(inode);
}

static int lookup(struct inode *directory, const char *name, size_t length, struct inode **out) {
    unsigned number = 0;
    if (length == 4 && !memcmp(name, "ptmx", 4)) {
        if (!(*out = inode_create(&ptmx_ops, directory->super, S_IFCHR | 0666))) return -ENOMEM;
        (*out)->rdev = DEVICE_NUMBER(5, 2);
        (*out)->ino = 2;
        (*out)->uid = (*out)->gid = 0;
        return 0;
    }
    if (!length || length > 3 || (name[0] == '0' && length > 1)) return -ENOENT;
    for (size_t i = 0; i < length; i++) {
        if (name[i] < '0' || name[i] > '9') return -ENOENT;
        number = number * 10 + (unsigned)(name[i] - '0');
    }
    struct pty *pty = pty_find(number);
    if (!pty) return -ENOENT;
    pty->inode->super = directory->super;
    inode_get(*out = pty->inode);
    return 0;
}

static int iterate(struct inode *directory, int64_t position, struct dirent_sink *sink) {
    if (position < 1 && !sink->add(sink, ".", 1, directory->ino, S_IFDIR, 1)) return 0;
    if (position < 2 && !sink->add(sink, "..", 2, directory->ino, S_IFDIR, 2)) return 0;
    if (position < 3 && !sink->add(sink, "ptmx", 4, 2, S_IFCHR, 3)) return 0;
    for (unsigned number = pty_next(position < 3 ? 0 : (unsigned)position - 3); number < PTY_MOST; number = pty_next(number + 1)) {
        char name[12];
        size_t length = format_text(name, sizeof name, "%u", number);
        if (!sink->add(sink, name, length, number + 3, S_IFCHR, number + 4)) return 0;
    }
    return 0;
}
static const struct inode_ops directory_ops = { .lookup = lookup, .iterate = iterate, .release = release_directory };

static void statfs(struct superblock *super, struct linux_statfs *out) {
    (void)super;
    out->type = MAGIC;
}
static size_t options(struct superblock *super, char *out, size_t room) {
    (void)super;
    return format_text(out, room, ",gid=%d,mode=620,ptmxmode=666", GROUP_TTY);
}
static const struct super_ops super_ops = { .statfs = statfs, .options = options };

static int create(const char *source, const char *text, struct superblock **out) {
    (void)source, (void)text;
    if (!instance) {
        if (!(instance = kzalloc(sizeof *instance))) return -ENOMEM;
        *instance = (struct superblock){ .ops = &super_ops, .kind = "devpts", .device = DEVICE };
        if (!(instance->root = inode_create(&directory_ops, instance, S_IFDIR | 0755))) {
            kfree(instance);
            instance = NULL;
            return -ENOMEM;
        }
        instance->root->ino = 1;
        instance->root->nlink = 2;
    }
    inode_get(instance->root); /* the mount's; one stays here */
    *out = instance;
    return 0;
}
HULL_FILESYSTEM(devpts_filesystem) = { .name = "devpts", .create = create };
enum { NO_SETUID = 2, NO_EXECUTION = 8, RELATIVE = 1 << 21 };
HULL_DEFAULT_MOUNT(3, devpts_mount) = { "/dev/pts", "devpts", "", 0755, NO_SETUID | NO_EXECUTION | RELATIVE };
