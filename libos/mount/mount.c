/*
 * mount(2), umount2(2): what exists can be mounted anywhere, shown a second time, moved, made read-only, taken off. There is one mount namespace, and nothing is
 * shared between mounts: making a mount private or a slave changes nothing, and sharing is refused.
 */
#include "mount/internal.h"

enum { MS_READ_ONLY = 1, MS_REMOUNT = 32, MS_BIND = 4096, MS_MOVE = 8192, MS_RECURSIVE = 16384, MS_SILENT = 32768, MS_UNBINDABLE = 1 << 17,
       MS_PRIVATE = 1 << 18, MS_SLAVE = 1 << 19, MS_SHARED = 1 << 20, MS_LAZY_TIME = 1 << 25 };
#define MS_MAGIC 0xc0ed0000u
enum { EXPIRED = 1 << 30 }; /* in mount.flags: MNT_EXPIRE was asked for once */

/* Relative access times unless something else is asked for, as Linux has it. */
static uint32_t kept_flags(unsigned long flags) {
    uint32_t kept = (uint32_t)flags & MOUNT_KEPT;
    return kept & (MOUNT_NO_ACCESS_TIME | 1 << 24) ? kept & ~(uint32_t)MOUNT_RELATIVE_TIME : kept | MOUNT_RELATIVE_TIME;
}

static bool is_mount_root(struct path path) { return path.dentry == path.mount->root; }
static bool same_kind(struct path a, struct path b) { return is_directory(a.dentry->inode) == is_directory(b.dentry->inode); }

static struct mount *child_of(const struct mount *mount, const struct mount *after) {
    for (struct mount *at = after ? after->next : first_mount; at; at = at->next)
        if (at->parent == mount) return at;
    return NULL;
}

/* A tree of mounts goes, the leaves first. */
static void detach_tree(struct mount *mount) {
    struct mount *child;
    while ((child = child_of(mount, NULL))) detach_tree(child);
    mount_detach(mount);
}

/* Shows `from` at `on` (its reference is given up). */
static int clone(struct path from, struct path on, uint32_t flags, struct mount **out) {
    dentry_get(from.dentry);
    return mount_add(from.mount->super, from.dentry, on, flags, from.mount->source, out);
}

/* What is mounted below `from` in its mount, again below `to`, which shows the same tree. */
static int clone_below(struct path from, struct mount *to, const struct mount *fresh) {
    for (struct mount *at = first_mount; at && at != fresh; at = at->next) { /* not what this makes */
        if (at->parent != from.mount || !dentry_is_below(at->on, from.dentry)) continue;
        struct mount *copy;
        struct path on = { to, at->on };
        path_get(on);
        int error = clone((struct path){ at, at->root }, on, at->flags, &copy);
        if (!error) error = clone_below((struct path){ at, at->root }, copy, fresh);
        if (error) return error;
    }
    return 0;
}

static int bind(struct path from, struct path on, bool recursive) {
    struct mount *made;
    if (!same_kind(from, on)) {
        path_put(on);
        return -ENOTDIR;
    }
    int error = clone(from, on, from.mount->flags & ~(uint32_t)EXPIRED, &made);
    if (error || !recursive || !(error = clone_below(from, made, made))) return error;
    detach_tree(made);
    return error;
}

static int move(struct path from, struct path on) {
    int error = !is_mount_root(from) || !from.mount->parent ? -EINVAL : !same_kind(from, on) ? -ENOTDIR : mount_is_below(on.mount, from.mount) ? -ELOOP : 0;
    if (error) {
        path_put(on);
        return error;
    }
    mount_place(from.mount, on);
    return 0;
}

static int remount(struct path at, unsigned long flags, const char *options) {
    struct superblock *super = at.mount->super;
    if (!is_mount_root(at)) return -EINVAL;
    if (flags & MS_BIND) {
        at.mount->flags = kept_flags(flags);
        return 0;
    }
    if (!(flags & MS_READ_ONLY) && super->ops && super->ops->fixed_read_only) return -EROFS;
    int error = *options && super->ops && super->ops->remount ? super->ops->remount(super, options) : 0;
    if (error) return error;
    super->read_only = flags & MS_READ_ONLY;
    at.mount->flags = kept_flags(flags);
    return 0;
}

static int mount_new(const char *source, const char *kind, struct path on, unsigned long flags, const char *options) {
    const struct filesystem *filesystem = filesystem_find(kind);
    struct superblock *super;
    struct mount *mount;
    int error = !filesystem ? -ENODEV : !is_directory(on.dentry->inode) ? -ENOTDIR : filesystem->create(source, options, &super);
    if (error) {
        path_put(on);
        return error;
    }
    struct dentry *root = dentry_root(super->root);
    if (!root) {
        path_put(on);
        return -ENOMEM;
    }
    if (flags & MS_READ_ONLY) super->read_only = true;
    return mount_add(super, root, on, kept_flags(flags), *source ? source : NULL, &mount);
}

/* The texts of the call, each in a page. NULL pointers are empty texts. */
struct texts { char *source, *kind, *options, *path; };
static long copy_in(char **to, const char *program, bool options) {
    char *page = *to = walk_buffer();
    if (!page) return -ENOMEM;
    *page = 0;
    if (!program) return 0;
    long length = user_string_in(page, program, PATH_MAX);
    if (length != -ENAMETOOLONG || !options) return length < 0 ? length : 0;
    page[PATH_MAX - 1] = 0; /* options may fill their page */
    return 0;
}

static long mount_texts(struct texts *t, const char *target, unsigned long flags) {
    struct path on, from;
    long error = walk_user(AT_FDCWD, target, 0, t->path, &on, NULL);
    if (error) return error;
    if (flags & MS_REMOUNT) {
        error = remount(on, flags, t->options);
        path_put(on);
        return error;
    }
    if (flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE) && !(flags & MS_BIND)) {
        error = !is_mount_root(on) || flags & (MS_SHARED | MS_UNBINDABLE) ? -EINVAL : 0;
        path_put(on);
        return error;
    }
    if (!(flags & (MS_BIND | MS_MOVE))) return mount_new(t->source, t->kind, on, flags, t->options);
    error = *t->source ? walk_at(AT_FDCWD, t->source, 0, &from, NULL) : -EINVAL;
    if (error) {
        path_put(on);
        return error;
    }
    error = flags & MS_BIND ? bind(from, on, flags & MS_RECURSIVE) : move(from, on);
    path_put(from);
    return error;
}

SYSCALL_DEFINE(mount, const char *source, const char *target, const char *kind, unsigned long flags, const char *options) {
    struct texts t = { 0 };
    if ((flags & 0xffff0000u) == MS_MAGIC) flags &= 0xffff;
    if (current_process()->credentials.euid) return -EPERM;
    long error = copy_in(&t.source, source, false);
    if (!error) error = copy_in(&t.kind, kind, false);
    if (!error) error = copy_in(&t.options, options, true);
    if (!error) error = (t.path = walk_buffer()) ? mount_texts(&t, target, flags) : -ENOMEM;
    char *pages[] = { t.source, t.kind, t.options, t.path };
    for (unsigned i = 0; i < sizeof pages / sizeof *pages; i++)
        if (pages[i]) walk_buffer_free(pages[i]);
    return error;
}

enum { MNT_FORCE = 1, MNT_DETACH = 2, MNT_EXPIRE = 4, UMOUNT_NOFOLLOW = 8 };
static long take_off(struct path at, unsigned flags) {
    struct mount *mount = at.mount;
    if (!is_mount_root(at)) return -EINVAL;
    if (!mount->parent) return flags & MNT_DETACH ? -EINVAL : -EBUSY; /* the root stays */
    bool busy = mount->references > 2; /* the list's, and ours */
    if (flags & MNT_EXPIRE) {
        if (busy) return -EBUSY;
        if (!(mount->flags & EXPIRED)) {
            mount->flags |= EXPIRED;
            return -EAGAIN;
        }
    }
    if (flags & MNT_DETACH) {
        detach_tree(mount);
        return 0;
    }
    if (busy) return -EBUSY;
    if (mount->super->ops && mount->super->ops->sync) mount->super->ops->sync(mount->super);
    mount_detach(mount);
    return 0;
}

SYSCALL_DEFINE(umount2, const char *target, unsigned flags) {
    struct path at;
    if (flags & ~(unsigned)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) return -EINVAL;
    if (flags & MNT_EXPIRE && flags & (MNT_FORCE | MNT_DETACH)) return -EINVAL;
    if (current_process()->credentials.euid) return -EPERM;
    char *buffer = walk_buffer();
    if (!buffer) return -ENOMEM;
    long error = walk_user(AT_FDCWD, target, flags & UMOUNT_NOFOLLOW ? WALK_NO_FOLLOW : 0, buffer, &at, NULL);
    walk_buffer_free(buffer);
    if (error) return error;
    error = take_off(at, flags);
    path_put(at);
    return error;
}
