/*
 * Extended attributes (xattr(7)). Owns the list that hangs on an inode; which inode keeps it says the file system (attribute_holder), unless a
 * server keeps it all (get_attribute, set_attribute). Rules by name:
 * user.* for files and directories, by their permissions; trusted.* for the superuser alone; security.* changed by the superuser, read by all;
 * system.* (access control lists) nowhere.
 */
#include "vfs/internal.h"
#include "vfs/notify.h"

enum { NAME_MOST = 255, VALUE_MOST = 65536, XATTR_CREATE = 1, XATTR_REPLACE = 2 };
struct extended { struct extended *next; size_t size; uint16_t name_size; char bytes[]; }; /* the name with its NUL, the value */
struct xattr_name { char text[NAME_MOST + 1]; size_t length; };

void xattrs_free(struct inode *inode) {
    for (struct extended *at = inode->xattrs, *next; at; at = next) {
        next = at->next;
        kfree(at);
    }
    inode->xattrs = NULL;
}

int inode_xattr_set(struct inode *inode, const char *name, size_t length, const void *value, size_t size) {
    struct extended *made = kmalloc(sizeof *made + length + 1 + size), **link = &inode->xattrs;
    if (!made) return -ENOMEM;
    made->size = size;
    made->name_size = (uint16_t)(length + 1);
    memcpy(made->bytes, name, length);
    made->bytes[length] = 0;
    memcpy(made->bytes + length + 1, value, size);
    while (*link && ((*link)->name_size != length + 1 || memcmp((*link)->bytes, name, length))) link = &(*link)->next;
    struct extended *old = *link;
    made->next = old ? old->next : NULL;
    *link = made;
    kfree(old);
    return 0;
}

const struct extended *inode_xattr_next(const struct inode *inode, const struct extended *previous, struct xattr_view *out) {
    const struct extended *at = previous ? previous->next : inode->xattrs;
    if (at) *out = (struct xattr_view){ at->bytes, at->name_size - 1u, at->bytes + at->name_size, at->size };
    return at;
}

static bool starts(const struct xattr_name *name, const char *prefix) {
    size_t length = strlen(prefix);
    return name->length >= length && !memcmp(name->text, prefix, length);
}

static bool is_root(void) { return !current_process()->credentials.euid; }

static long name_in(struct xattr_name *name, const char *program) {
    long length = user_string_in(name->text, program, sizeof name->text);
    if (length == -ENAMETOOLONG || !length) return -ERANGE;
    name->length = (size_t)length;
    return length < 0 ? length : 0;
}

/* May it be read or changed? */
static long check(struct path path, const struct xattr_name *name, bool changes) {
    struct inode *inode = path.dentry->inode;
    bool user = starts(name, "user."), trusted = starts(name, "trusted."), security = starts(name, "security.");
    if (changes && ((inode->super && inode->super->read_only) || path.mount->flags & MOUNT_READ_ONLY)) return -EROFS;
    if (!user && !trusted && !security) return -EOPNOTSUPP;
    if (name->text[name->length - 1] == '.' && name->length <= 9) return -EINVAL; /* the prefix alone */
    if (trusted && !is_root()) return changes ? -EPERM : -ENODATA;
    if (security && changes && !is_root()) return -EPERM;
    if (user && !is_regular(inode) && !is_directory(inode)) return changes ? -EPERM : -ENODATA;
    if (user && changes && is_directory(inode) && inode->mode & S_ISVTX && !owner_or_root(inode)) return -EPERM;
    return user ? inode_permission(inode, changes ? MAY_WRITE : MAY_READ) : 0;
}

/* Which inode has it? */
static long find_holder(struct inode *inode, bool changes, struct inode **holder) {
    return inode->ops->attribute_holder ? inode->ops->attribute_holder(inode, changes, holder) : -EOPNOTSUPP;
}

static struct extended **find(struct inode *holder, const struct xattr_name *name) {
    struct extended **link = &holder->xattrs;
    while (*link && ((*link)->name_size != name->length + 1 || memcmp((*link)->bytes, name->text, name->length))) link = &(*link)->next;
    return link;
}

/* What a call does once its path is found. */
struct request { struct xattr_name name; void *value; size_t size; int flags; };
typedef long (*xattr_action)(struct path, struct request *);

/* A copy of what was found, which it frees: the copy to the program may sleep, and the value be another. */
static long give(struct request *r, uint8_t *copy, size_t size) {
    long result = (long)size;
    if (r->size && r->size < size) result = -ERANGE;
    else if (r->size && user_copy_out(r->value, copy, size)) result = -EFAULT;
    kfree(copy);
    return result;
}

static long get(struct path path, struct request *r) {
    struct inode *inode = path.dentry->inode, *holder;
    uint8_t *copy;
    long error = check(path, &r->name, false);
    if (!error && inode->ops->get_attribute) {
        long size = inode->ops->get_attribute(inode, r->name.text, &copy);
        return size < 0 ? size : give(r, copy, (size_t)size);
    }
    if (!error) error = find_holder(inode, false, &holder);
    if (error) return error;
    struct extended *found = holder ? *find(holder, &r->name) : NULL;
    if (!found) return -ENODATA;
    if (r->size && r->size < found->size) return -ERANGE;
    if (!r->size) return (long)found->size;
    copy = kmalloc(found->size + 1);
    if (!copy) return -ENOMEM;
    memcpy(copy, found->bytes + found->name_size, found->size);
    return give(r, copy, found->size);
}

static long changed(struct path path) {
    path.dentry->inode->ctime = vfs_now();
    notify(path.dentry, IN_ATTRIB);
    return 0;
}

static long set(struct path path, struct request *r) {
    struct inode *inode = path.dentry->inode, *holder;
    if (r->flags & ~(XATTR_CREATE | XATTR_REPLACE)) return -EINVAL;
    if (r->size > VALUE_MOST) return -E2BIG;
    struct extended *made = kmalloc(sizeof *made + r->name.length + 1 + r->size);
    if (!made) return -ENOMEM;
    made->size = r->size;
    made->name_size = (uint16_t)(r->name.length + 1);
    memcpy(made->bytes, r->name.text, made->name_size);
    long error = r->size && user_copy_in(made->bytes + made->name_size, r->value, r->size) ? -EFAULT : 0;
    if (!error) error = check(path, &r->name, true);
    if (inode->ops->set_attribute) {
        if (!error) error = inode->ops->set_attribute(inode, r->name.text, made->bytes + made->name_size, r->size, r->flags);
        kfree(made);
        return error ? error : changed(path);
    }
    if (!error) error = find_holder(inode, true, &holder);
    struct extended **link = error ? NULL : find(holder, &r->name);
    if (!error && *link && r->flags & XATTR_CREATE) error = -EEXIST;
    if (!error && !*link && r->flags & XATTR_REPLACE) error = -ENODATA;
    if (error) {
        kfree(made);
        return error;
    }
    struct extended *old = *link;
    made->next = old ? old->next : NULL;
    *link = made;
    if (holder->ops->attributes_changed && (error = holder->ops->attributes_changed(holder))) {
        *link = old ? old : made->next;
        kfree(made);
        return error;
    }
    kfree(old);
    return changed(path);
}

static long take_away(struct path path, struct request *r) {
    struct inode *inode = path.dentry->inode, *holder;
    long error = check(path, &r->name, true);
    if (!error && inode->ops->set_attribute) {
        error = inode->ops->set_attribute(inode, r->name.text, NULL, 0, 0);
        return error ? error : changed(path);
    }
    if (!error) error = find_holder(inode, true, &holder);
    if (error) return error;
    struct extended **link = find(holder, &r->name), *old = *link;
    if (!old) return -ENODATA;
    *link = old->next;
    if (holder->ops->attributes_changed && (error = holder->ops->attributes_changed(holder))) {
        *link = old;
        return error;
    }
    kfree(old);
    return changed(path);
}

static bool is_listed(const char *name) { return is_root() || strncmp(name, "trusted.", 8); }

/* A server's names, some of which are only for the superuser. */
static long list_served(struct inode *inode, struct request *r) {
    uint8_t *names;
    long size = inode->ops->get_attribute(inode, "", &names);
    size_t used = 0, length;
    if (size < 0) return size == -EOPNOTSUPP ? 0 : size;
    for (size_t at = 0; at < (size_t)size; at += length) {
        length = strlen((const char *)names + at) + 1;
        if (!is_listed((const char *)names + at)) continue;
        memmove(names + used, names + at, length);
        used += length;
    }
    return give(r, names, used);
}

static long list(struct path path, struct request *r) {
    struct inode *inode = path.dentry->inode, *holder = NULL;
    if (inode->ops->get_attribute) return list_served(inode, r);
    long used = 0, error = inode->ops->attribute_holder ? inode->ops->attribute_holder(inode, false, &holder) : 0;
    if (error && error != -EOPNOTSUPP) return error;
    const struct extended *first = holder && !error ? holder->xattrs : NULL;
    for (const struct extended *at = first; at; at = at->next)
        if (is_listed(at->bytes)) used += at->name_size;
    if (!r->size || !used) return used;
    if ((size_t)used > r->size) return -ERANGE;
    uint8_t *names = kmalloc((size_t)used), *to = names;
    if (!names) return -ENOMEM;
    for (const struct extended *at = first; at; at = at->next)
        if (is_listed(at->bytes)) to = (uint8_t *)memcpy(to, at->bytes, at->name_size) + at->name_size;
    return give(r, names, (size_t)used);
}

static long by_path(const char *program_path, unsigned flags, xattr_action act, struct request *request) {
    char *buffer = walk_buffer();
    struct path path;
    if (!buffer) return -ENOMEM;
    long result = walk_user(AT_FDCWD, program_path, flags, buffer, &path, NULL);
    walk_buffer_free(buffer);
    if (result) return result;
    result = act(path, request);
    path_put(path);
    return result;
}

static long by_descriptor(int descriptor, xattr_action act, struct request *request, long otherwise) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    struct open_file *open = file_open_of(file);
    return open ? act(open->path, request) : otherwise;
}

static long with_name(struct request *request, const char *name, const void *value, size_t size, int flags) {
    request->value = (void *)value;
    request->size = size;
    request->flags = flags;
    return name_in(&request->name, name);
}

SYSCALL_DEFINE(getxattr, const char *path, const char *name, void *value, size_t size) {
    struct request request;
    long error = with_name(&request, name, value, size, 0);
    return error ? error : by_path(path, 0, get, &request);
}
SYSCALL_DEFINE(lgetxattr, const char *path, const char *name, void *value, size_t size) {
    struct request request;
    long error = with_name(&request, name, value, size, 0);
    return error ? error : by_path(path, WALK_NO_FOLLOW, get, &request);
}
SYSCALL_DEFINE(fgetxattr, int descriptor, const char *name, void *value, size_t size) {
    struct request request;
    long error = with_name(&request, name, value, size, 0);
    return error ? error : by_descriptor(descriptor, get, &request, -EOPNOTSUPP);
}

SYSCALL_DEFINE(setxattr, const char *path, const char *name, const void *value, size_t size, int flags) {
    struct request request;
    long error = with_name(&request, name, value, size, flags);
    return error ? error : by_path(path, 0, set, &request);
}
SYSCALL_DEFINE(lsetxattr, const char *path, const char *name, const void *value, size_t size, int flags) {
    struct request request;
    long error = with_name(&request, name, value, size, flags);
    return error ? error : by_path(path, WALK_NO_FOLLOW, set, &request);
}
SYSCALL_DEFINE(fsetxattr, int descriptor, const char *name, const void *value, size_t size, int flags) {
    struct request request;
    long error = with_name(&request, name, value, size, flags);
    return error ? error : by_descriptor(descriptor, set, &request, -EOPNOTSUPP);
}

SYSCALL_DEFINE(listxattr, const char *path, char *names, size_t size) {
    return by_path(path, 0, list, &(struct request){ .value = names, .size = size });
}
SYSCALL_DEFINE(llistxattr, const char *path, char *names, size_t size) {
    return by_path(path, WALK_NO_FOLLOW, list, &(struct request){ .value = names, .size = size });
}
SYSCALL_DEFINE(flistxattr, int descriptor, char *names, size_t size) {
    return by_descriptor(descriptor, list, &(struct request){ .value = names, .size = size }, 0);
}

SYSCALL_DEFINE(removexattr, const char *path, const char *name) {
    struct request request;
    long error = with_name(&request, name, NULL, 0, 0);
    return error ? error : by_path(path, 0, take_away, &request);
}
SYSCALL_DEFINE(lremovexattr, const char *path, const char *name) {
    struct request request;
    long error = with_name(&request, name, NULL, 0, 0);
    return error ? error : by_path(path, WALK_NO_FOLLOW, take_away, &request);
}
SYSCALL_DEFINE(fremovexattr, int descriptor, const char *name) {
    struct request request;
    long error = with_name(&request, name, NULL, 0, 0);
    return error ? error : by_descriptor(descriptor, take_away, &request, -EOPNOTSUPP);
}
