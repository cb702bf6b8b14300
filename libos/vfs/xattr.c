/*
 * Extended attributes (xattr(7)). File systems whose inodes live in memory keep them in struct inode's list, which is this file's; they say so
 * by inode_ops.attribute_keeper. On others there is what Linux gives on a file system without any: nothing to list, EOPNOTSUPP for the rest.
 * Who may do what follows xattr(7): user.* needs the file's permission bits and a regular file or directory, trusted.* and changes of
 * security.* the superuser. There are no access control lists: system.* is EOPNOTSUPP.
 */
#include "vfs/internal.h"

enum { XATTR_CREATE = 1, XATTR_REPLACE = 2, XATTR_NAME_MAX = 255, XATTR_SIZE_MAX = 65536, XATTR_LIST_MAX = 65536 };
struct xattr { struct xattr *next; size_t size; char name[]; /* NUL-ended; the value follows */ };
static void *value_of(struct xattr *it) { return it->name + strlen(it->name) + 1; }

enum action { GET, SET, LIST, REMOVE };
struct request {
    enum action action;
    const char *program_name;
    void *program; /* value or list */
    size_t size;
    int flags;
    char name[XATTR_NAME_MAX + 1];
};

void xattrs_free(struct inode *inode) {
    for (struct xattr *it = inode->xattrs, *next; it; it = next) {
        next = it->next;
        kfree(it);
    }
    inode->xattrs = NULL;
}

static bool begins(const char *name, const char *prefix) { return !strncmp(name, prefix, strlen(prefix)); }
static bool is_superuser(void) { return current_process()->credentials.euid == 0; }

/* 0, or why the name cannot be used so on this inode. */
static int check(const struct inode *inode, const struct request *request) {
    static const char *const prefixes[] = { "user.", "trusted.", "security." };
    const char *name = request->name, *prefix = NULL;
    bool changes = request->action != GET;
    for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        if (begins(name, prefixes[i])) prefix = prefixes[i];
    if (!prefix) return -EOPNOTSUPP;
    if (!name[strlen(prefix)]) return -EINVAL;
    if (*prefix == 's') return changes && !is_superuser() ? -EPERM : 0;
    if (*prefix == 't') return is_superuser() ? 0 : changes ? -EPERM : -ENODATA;
    if (changes && is_directory(inode) && inode->mode & S_ISVTX && !owner_or_root(inode)) return -EPERM;
    return inode_permission(inode, changes ? MAY_WRITE : MAY_READ);
}

static struct xattr **find(struct inode *keeper, const char *name) {
    struct xattr **at = &keeper->xattrs;
    while (*at && strcmp((*at)->name, name)) at = &(*at)->next;
    return at;
}

static long get(struct inode *keeper, const struct request *request) {
    struct xattr *it = *find(keeper, request->name);
    if (!it) return -ENODATA;
    if (request->size && request->size < it->size) return -ERANGE;
    if (request->size && user_copy_out(request->program, value_of(it), it->size)) return -EFAULT;
    return (long)it->size;
}

static long set(struct inode *keeper, const struct request *request) {
    size_t name_size = strlen(request->name) + 1, total = name_size;
    struct xattr **at = find(keeper, request->name), *old = *at;
    if (old && request->flags & XATTR_CREATE) return -EEXIST;
    if (!old && request->flags & XATTR_REPLACE) return -ENODATA;
    for (struct xattr *it = keeper->xattrs; it; it = it->next) total += strlen(it->name) + 1;
    if (!old && total > XATTR_LIST_MAX) return -ENOSPC;
    struct xattr *made = kmalloc(sizeof *made + name_size + request->size);
    if (!made) return -ENOSPC;
    memcpy(made->name, request->name, name_size);
    made->size = request->size;
    if (request->size && user_copy_in(value_of(made), request->program, request->size)) {
        kfree(made);
        return -EFAULT;
    }
    at = find(keeper, request->name); /* copying may have waited */
    old = *at;
    made->next = old ? old->next : NULL;
    *at = made;
    kfree(old);
    return 0;
}

static long list(struct inode *keeper, const struct request *request) {
    size_t used = 0;
    for (struct xattr *it = keeper->xattrs; it; it = it->next) {
        size_t size = strlen(it->name) + 1;
        if (begins(it->name, "trusted.") && !is_superuser()) continue;
        if (request->size) {
            if (request->size - used < size) return -ERANGE;
            if (user_copy_out((char *)request->program + used, it->name, size)) return -EFAULT;
        }
        used += size;
    }
    return (long)used;
}

static long drop(struct inode *keeper, const struct request *request) {
    struct xattr **at = find(keeper, request->name), *old = *at;
    if (!old) return -ENODATA;
    *at = old->next;
    kfree(old);
    return 0;
}

static long act(struct inode *inode, bool read_only, struct request *request) {
    bool changes = request->action == SET || request->action == REMOVE;
    struct inode *keeper = NULL;
    if (request->action == SET && request->flags & ~(XATTR_CREATE | XATTR_REPLACE)) return -EINVAL;
    if (request->action != LIST) {
        long length = user_string_in(request->name, request->program_name, sizeof request->name);
        if (length == -ENAMETOOLONG || !length) return -ERANGE;
        if (length < 0) return length;
    }
    if (request->action == SET && request->size > XATTR_SIZE_MAX) return -E2BIG;
    if (changes && read_only) return -EROFS;
    bool plain = inode && (is_regular(inode) || is_directory(inode)), kept = inode && inode->ops->attribute_keeper;
    if (request->action != LIST && !plain && begins(request->name, "user.")) return changes ? -EPERM : -ENODATA;
    if (!kept) return request->action == LIST ? 0 : -EOPNOTSUPP;
    int error = request->action == LIST ? 0 : check(inode, request);
    if (!error) error = inode->ops->attribute_keeper(inode, changes, &keeper);
    if (error) return error;
    if (!keeper) return request->action == LIST ? 0 : -ENODATA;
    if (!changes) return request->action == GET ? get(keeper, request) : list(keeper, request);
    long result = request->action == SET ? set(keeper, request) : drop(keeper, request);
    if (!result) inode->ctime = vfs_now();
    return result;
}

static long by_path(const char *program_path, unsigned flags, struct request request) {
    char *buffer = walk_buffer();
    struct path path;
    if (!buffer) return -ENOMEM;
    long result = walk_user(AT_FDCWD, program_path, flags, buffer, &path, NULL);
    walk_buffer_free(buffer);
    if (result) return result;
    result = act(path.dentry->inode, path_read_only(path), &request);
    path_put(path);
    return result;
}

static long by_descriptor(int descriptor, struct request request) {
    struct file *file = file_lookup(descriptor);
    if (!file || file->flags & O_PATH) return -EBADF;
    file_get(file);
    struct open_file *open = file_open_of(file);
    long result = act(open ? open->inode : NULL, open && path_read_only(open->path), &request);
    file_put(file);
    return result;
}

#define GETTING (struct request){ .action = GET, .program_name = name, .program = value, .size = size }
SYSCALL_DEFINE(getxattr, const char *path, const char *name, void *value, size_t size) { return by_path(path, 0, GETTING); }
SYSCALL_DEFINE(lgetxattr, const char *path, const char *name, void *value, size_t size) { return by_path(path, WALK_NO_FOLLOW, GETTING); }
SYSCALL_DEFINE(fgetxattr, int descriptor, const char *name, void *value, size_t size) { return by_descriptor(descriptor, GETTING); }

#define SETTING (struct request){ .action = SET, .program_name = name, .program = value, .size = size, .flags = flags }
SYSCALL_DEFINE(setxattr, const char *path, const char *name, void *value, size_t size, int flags) { return by_path(path, 0, SETTING); }
SYSCALL_DEFINE(lsetxattr, const char *path, const char *name, void *value, size_t size, int flags) {
    return by_path(path, WALK_NO_FOLLOW, SETTING);
}
SYSCALL_DEFINE(fsetxattr, int descriptor, const char *name, void *value, size_t size, int flags) { return by_descriptor(descriptor, SETTING); }

#define LISTING (struct request){ .action = LIST, .program = names, .size = size }
SYSCALL_DEFINE(listxattr, const char *path, char *names, size_t size) { return by_path(path, 0, LISTING); }
SYSCALL_DEFINE(llistxattr, const char *path, char *names, size_t size) { return by_path(path, WALK_NO_FOLLOW, LISTING); }
SYSCALL_DEFINE(flistxattr, int descriptor, char *names, size_t size) { return by_descriptor(descriptor, LISTING); }

#define REMOVING (struct request){ .action = REMOVE, .program_name = name }
SYSCALL_DEFINE(removexattr, const char *path, const char *name) { return by_path(path, 0, REMOVING); }
SYSCALL_DEFINE(lremovexattr, const char *path, const char *name) { return by_path(path, WALK_NO_FOLLOW, REMOVING); }
SYSCALL_DEFINE(fremovexattr, int descriptor, const char *name) { return by_descriptor(descriptor, REMOVING); }
