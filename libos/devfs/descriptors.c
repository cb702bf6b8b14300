/*
 * /proc/self/fd: a directory of the open descriptors, each a link that leads to the file itself (proc(5)); /dev/fd, stdin, stdout and stderr
 * point there. Opening one gives the same open file: for what a program does with these names, that is a dup.
 */
#include "devfs/internal.h"
#include "lib/format.h"

static struct file *target(struct inode *inode) {
    return file_lookup((int)(intptr_t)inode->data);
}

static long readlink(struct inode *inode, char *out, size_t room) {
    struct file *file = target(inode);
    if (!file) return -ENOENT;
    long length = vfs_file_path(file, out, room);
    if (length != -EINVAL) return length;
    struct linux_stat stat = { 0 };
    if (file->ops->stat) file->ops->stat(file, &stat);
    const char *kind = file->ops->kind;
    if (kind[0] == '/') return (long)format_text(out, room, "%s", kind);
    if (kind[0] == '[') return (long)format_text(out, room, "anon_inode:%s", kind);
    if ((stat.mode & S_IFMT) == S_IFCHR) return (long)format_text(out, room, "/dev/%s", kind);
    return (long)format_text(out, room, "%s:[%lu]", (stat.mode & S_IFMT) == S_IFIFO ? "pipe" : kind, (unsigned long)stat.ino);
}

static void release(struct inode *inode) {
    kfree(inode);
}

static const struct inode_ops link_ops = { .target = target, .readlink = readlink, .release = release };

static int lookup(struct inode *directory, const char *name, size_t length, struct inode **out) {
    unsigned number = 0;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned)(uint8_t)name[i] - '0';
        if (digit > 9 || i > 5) return -ENOENT;
        number = number * 10 + digit;
    }
    if (!length || (length > 1 && name[0] == '0') || !file_lookup((int)number)) return -ENOENT;
    struct inode *inode = inode_create(&link_ops, directory->super, S_IFLNK | 0700);
    if (!inode) return -ENOMEM;
    inode->data = (void *)(uintptr_t)number;
    *out = inode;
    return 0;
}

static int iterate(struct inode *directory, int64_t position, struct dirent_sink *sink) {
    if (position < 1 && !sink->add(sink, ".", 1, directory->ino, S_IFDIR, 1)) return 0;
    if (position < 2 && !sink->add(sink, "..", 2, directory->ino, S_IFDIR, 2)) return 0;
    for (int64_t number = position < 2 ? 0 : position - 2; number < FILE_MAX_DESCRIPTORS; number++) {
        char name[12];
        if (!file_lookup((int)number)) continue;
        size_t length = format_text(name, sizeof name, "%d", (int)number);
        if (!sink->add(sink, name, length, 1000 + (uint64_t)number, S_IFLNK, number + 3)) return 0;
    }
    return 0;
}

static const struct inode_ops directory_ops = { .lookup = lookup, .iterate = iterate, .release = release };

int descriptors_attach(void) {
    static const struct { const char *path, *target; } links[] = {
        { "/dev/fd", "/proc/self/fd" }, { "/dev/stdin", "/proc/self/fd/0" }, { "/dev/stdout", "/proc/self/fd/1" },
        { "/dev/stderr", "/proc/self/fd/2" },
    };
    struct inode *directory = inode_create(&directory_ops, first_mount_super(), S_IFDIR | 0500);
    if (!directory) return -ENOMEM;
    directory->nlink = 2;
    int error = vfs_attach("/proc/self/fd", directory);
    if (error) inode_put(directory);
    for (unsigned i = 0; i < sizeof links / sizeof *links && !error; i++) error = vfs_make_symlink(links[i].target, links[i].path);
    return error;
}
