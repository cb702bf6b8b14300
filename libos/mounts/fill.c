/* Copies a tree from one file system into another, depth first: a level's directories are held, nothing else grows with the tree. */
#include "mounts/internal.h"
#include "arch/arch.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"

#define DEPTH_MOST 64
struct find { struct dirent_sink sink; char name[NAME_MAX]; size_t length; int64_t next; };

static bool is_dot(const char *name, size_t length) { return name[0] == '.' && (length == 1 || (length == 2 && name[1] == '.')); }

static bool take_first(struct dirent_sink *sink, const char *name, size_t length, uint64_t ino, uint32_t mode, int64_t offset) {
    struct find *find = (struct find *)sink;
    (void)ino, (void)mode;
    if (find->length) return false;
    find->next = offset;
    if (!is_dot(name, length)) memcpy(find->name, name, find->length = length);
    return true;
}

/* The first name at or behind *position; length 0 at the end. */
static int next_name(struct inode *directory, int64_t *position, struct find *find) {
    *find = (struct find){ .sink = { take_first }, .next = *position };
    int error = directory->ops->iterate(directory, *position, &find->sink);
    *position = find->next;
    return error;
}

int mounts_is_empty(struct inode *directory) {
    struct find find;
    int64_t position = 0;
    int error = next_name(directory, &position, &find);
    return error ? error : !find.length;
}

static int copy_link(struct inode *from, struct inode *directory, const struct find *name, struct inode **made) {
    char *text = page_alloc();
    if (!text) return -ENOMEM;
    long length = from->ops->readlink(from, text, PAGE_SIZE - 1);
    if (length >= 0) text[length] = 0;
    int error = length < 0 ? (int)length : directory->ops->symlink(directory, name->name, name->length, text, made);
    page_put(virt_to_phys(text));
    return error;
}

static void copy_attributes(const struct inode *from, struct inode *to) {
    to->uid = from->uid;
    to->gid = from->gid;
    to->mode = from->mode;
    to->atime = from->atime;
    to->mtime = from->mtime;
    if (to->ops->changed) to->ops->changed(to); /* a server without the right to it keeps its own */
}

static int copy_entry(struct inode *from, struct inode *directory, const struct find *name, int depth);
static int copy_below(struct inode *from, struct inode *to, int depth) {
    struct find *find = kmalloc(sizeof *find);
    int64_t position = 0;
    int error = find ? 0 : -ENOMEM;
    while (!error) {
        struct inode *child;
        int64_t before = position;
        error = next_name(from, &position, find);
        if (error || position == before) break;
        if (!find->length) continue;
        error = from->ops->lookup(from, find->name, find->length, &child);
        if (error) break;
        error = copy_entry(child, to, find, depth);
        inode_put(child);
    }
    kfree(find);
    return error;
}

static int copy_entry(struct inode *from, struct inode *directory, const struct find *name, int depth) {
    struct inode *made;
    uint32_t kind = from->mode & S_IFMT;
    if (depth == DEPTH_MOST) return -ELOOP;
    int error = kind == S_IFLNK ? copy_link(from, directory, name, &made)
                                : directory->ops->create(directory, name->name, name->length, from->mode, from->rdev, &made);
    if (error && (kind == S_IFCHR || kind == S_IFBLK)) return 0;
    if (error) return error;
    if (kind == S_IFREG) error = inode_copy(from, made, from->size);
    if (kind == S_IFDIR) error = copy_below(from, made, depth + 1);
    if (!error && kind != S_IFLNK) copy_attributes(from, made);
    inode_put(made);
    return error;
}

int mounts_fill(struct inode *from, struct inode *to) {
    int error = copy_below(from, to, 0);
    if (!error) copy_attributes(from, to);
    return error;
}
