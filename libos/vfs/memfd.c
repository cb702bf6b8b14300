/*
 * memfd_create(2): files in memory that have no name anywhere. Owns a tmpfs that is mounted nowhere; each file has a deleted name in it, for
 * /proc/self/fd to show.
 */
#include "tmpfs/tmpfs.h"
#include "vfs/internal.h"

enum { MFD_CLOEXEC = 1, MFD_ALLOW_SEALING = 2, MFD_HUGETLB = 4, MFD_NOEXEC_SEAL = 8, MFD_EXEC = 16, NAME_ROOM = 239, DEVICE = 23 };
static struct mount mount = { .references = 1 };

static int prepare(void) {
    if (mount.root) return 0;
    struct superblock *super = tmpfs_create(0700, DEVICE);
    if (!super) return -ENOMEM;
    mount.super = super;
    inode_get(super->root);
    return (mount.root = dentry_root(super->root)) ? 0 : -ENOMEM;
}

SYSCALL_DEFINE(memfd_create, const char *program_name, unsigned flags) {
    char name[6 + NAME_ROOM + 10] = "memfd:";
    struct dentry *dentry;
    struct file *file;
    if (flags & MFD_HUGETLB) return -ENOSYS; /* as a Linux without huge pages */
    if (flags & ~(unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC)) return -EINVAL;
    if (flags & MFD_EXEC && flags & MFD_NOEXEC_SEAL) return -EINVAL;
    long length = user_string_in(name + 6, program_name, NAME_ROOM);
    if (length < 0) return length == -ENAMETOOLONG ? -EINVAL : length;
    memcpy(name + 6 + length, " (deleted)", 10);
    long error = prepare();
    struct inode *inode = error ? NULL : tmpfs_file_create(mount.super, S_IFREG | (flags & MFD_NOEXEC_SEAL ? 0666 : 0777));
    if (!inode) return -ENOMEM;
    inode->nlink = 0;
    inode->seals = SEAL_KIND | (flags & MFD_NOEXEC_SEAL ? SEAL_EXEC : flags & MFD_ALLOW_SEALING ? 0 : SEAL_SEAL);
    if (dentry_add(mount.root, (struct name){name, (size_t)length + 16}, inode, &dentry)) return -ENOMEM;
    dentry_delete(dentry);
    mount_get(&mount);
    error = open_path((struct path){&mount, dentry}, O_RDWR, &file);
    if (error) return error;
    int descriptor = file_install(file, 0, flags & MFD_CLOEXEC);
    if (descriptor < 0) file_put(file);
    return descriptor;
}
