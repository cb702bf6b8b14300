/* The calls that read and change attributes: stat and its kind, access, chmod, chown, utimensat, truncate, statfs. */
#include "vfs/internal.h"
#include "vfs/notify.h"

/* Finds what a call names, does `action` with it, lets go. AT_EMPTY_PATH with an empty path means the descriptor. */
typedef long (*action)(struct path path, void *argument);
static long with_path(int directory, const char *program_path, int flags, action act, void *argument) {
    char *text = walk_buffer();
    struct path path;
    if (!text) return -ENOMEM;
    unsigned walk = (flags & AT_SYMLINK_NOFOLLOW ? WALK_NO_FOLLOW : 0) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
    long result = walk_user(directory, program_path, walk, text, &path, NULL);
    walk_buffer_free(text);
    if (result) return result;
    result = act(path, argument);
    path_put(path);
    return result;
}

static long with_file(struct file *file, action act, void *argument) {
    const struct path *place = file ? file_place(file) : NULL;
    return !file ? -EBADF : place ? act(*place, argument) : -EINVAL;
}

static long with_descriptor(int descriptor, action act, void *argument) {
    return with_file(file_lookup(descriptor), act, argument);
}

static bool empty_path(const char *program_path, int flags) {
    char first;
    return flags & AT_EMPTY_PATH && (!program_path || (!user_copy_in(&first, program_path, 1) && !first));
}

static int file_stat(struct file *file, struct linux_stat *out) {
    *out = (struct linux_stat){ .nlink = 1, .blksize = 4096 };
    return file->ops->stat ? file->ops->stat(file, out) : 0;
}

/* more: for statx, what struct stat has no field for. */
struct stat_request { struct linux_stat *out; bool follow; struct linux_statx *more; };
static struct linux_statx_timestamp statx_time(struct linux_timespec time) {
    return (struct linux_statx_timestamp){ .seconds = time.seconds, .nanoseconds = (uint32_t)time.nanoseconds };
}

static void fill_more(struct path path, struct linux_statx *out) {
    out->mask |= STATX_BTIME | STATX_MNT_ID;
    out->btime = statx_time(path.dentry->inode->btime);
    out->mount_id = path.mount->id;
    out->attributes_mask |= STATX_ATTR_MOUNT_ROOT;
    if (path.dentry == path.mount->root) out->attributes |= STATX_ATTR_MOUNT_ROOT;
}

static long stat_path(struct path path, void *argument) {
    struct stat_request *request = argument;
    struct inode *inode = path.dentry->inode;
    struct file *target = request->follow && inode->ops->target ? inode->ops->target(inode) : NULL;
    if (target) return file_stat(target, request->out);
    if (request->follow && inode->ops->target) return -ENOENT;
    if (path.dentry == path.mount->root) inode_refresh(inode); /* others were refreshed on the way here */
    inode_fill_stat(inode, request->out);
    if (request->more) fill_more(path, request->more);
    return 0;
}

static long stat_at(int directory, const char *program_path, int flags, struct linux_stat *out, struct linux_statx *more) {
    if (empty_path(program_path, flags) && directory != AT_FDCWD) {
        struct file *file = file_lookup_any(directory);
        if (!file) return -EBADF;
        if (more && file_open_of(file)) fill_more(file_open_of(file)->path, more);
        return file_stat(file, out);
    }
    struct stat_request request = { out, !(flags & AT_SYMLINK_NOFOLLOW), more };
    return with_path(directory, program_path, flags, stat_path, &request);
}

int vfs_stat(const char *text, struct linux_stat *out) {
    struct path path;
    int error = walk_at(AT_FDCWD, text, 0, &path, NULL);
    if (error) return error;
    inode_fill_stat(path.dentry->inode, out);
    path_put(path);
    return 0;
}

SYSCALL_DEFINE(newfstatat, int directory, const char *path, struct linux_stat *out, int flags) {
    struct linux_stat stat;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) return -EINVAL;
    long error = stat_at(directory, path, flags, &stat, NULL);
    return error ? error : user_copy_out(out, &stat, sizeof stat);
}

SYSCALL_DEFINE(stat, const char *path, struct linux_stat *out) {
    return sys_newfstatat(AT_FDCWD, path, out, 0);
}

SYSCALL_DEFINE(lstat, const char *path, struct linux_stat *out) {
    return sys_newfstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}

static uint32_t major_of(uint64_t device) { return (uint32_t)(device >> 8 & 0xfff); }
static uint32_t minor_of(uint64_t device) { return (uint32_t)(device & 0xff); }

SYSCALL_DEFINE(statx, int directory, const char *path, int flags, unsigned mask, struct linux_statx *out) {
    struct linux_stat s;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || mask & 1u << 31) return -EINVAL;
    struct linux_statx more = { 0 };
    long error = stat_at(directory, path, flags, &s, &more);
    if (error) return error;
    struct linux_statx x = {
        .mask = STATX_BASIC_STATS | more.mask, .btime = more.btime, .mount_id = more.mount_id, .attributes = more.attributes,
        .attributes_mask = more.attributes_mask, .blksize = (uint32_t)s.blksize, .nlink = (uint32_t)s.nlink, .uid = s.uid, .gid = s.gid,
        .mode = (uint16_t)s.mode, .ino = s.ino, .size = (uint64_t)s.size, .blocks = (uint64_t)s.blocks, .atime = statx_time(s.atime),
        .ctime = statx_time(s.ctime), .mtime = statx_time(s.mtime), .rdev_major = major_of(s.rdev), .rdev_minor = minor_of(s.rdev),
        .dev_major = major_of(s.dev), .dev_minor = minor_of(s.dev),
    };
    return user_copy_out(out, &x, sizeof x);
}

struct access_request { unsigned may; bool effective; };
static long access_path(struct path path, void *argument) {
    struct access_request *request = argument;
    struct credentials *who = &current_process()->credentials;
    struct inode *inode = path.dentry->inode;
    uint32_t uid = who->euid, gid = who->egid;
    if (inode->ops->target) return 0;
    if (!request->effective) { /* access(2) asks for the real user */
        who->euid = who->uid;
        who->egid = who->gid;
    }
    long error = inode_permission(inode, request->may);
    who->euid = uid;
    who->egid = gid;
    if (!error && request->may & MAY_EXECUTE && is_regular(inode) && path.mount->flags & MOUNT_NO_EXECUTION) error = -EACCES;
    if (!error && request->may & MAY_WRITE && path_read_only(path) && (is_regular(inode) || is_directory(inode)))
        error = -EROFS;
    return error;
}

SYSCALL_DEFINE(faccessat2, int directory, const char *path, unsigned mode, int flags) {
    if (mode & ~7u || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
    struct access_request request = { mode, flags & AT_EACCESS };
    if (empty_path(path, flags) && directory != AT_FDCWD) return with_file(file_lookup_any(directory), access_path, &request);
    return with_path(directory, path, flags, access_path, &request);
}

SYSCALL_DEFINE(faccessat, int directory, const char *path, unsigned mode) {
    return sys_faccessat2(directory, path, mode, 0);
}

SYSCALL_DEFINE(access, const char *path, unsigned mode) {
    return sys_faccessat2(AT_FDCWD, path, mode, 0);
}

/* What every change ends with: new ctime, the file system told, who watches told. */
static long changed(struct path path, uint32_t event) {
    struct inode *inode = path.dentry->inode;
    inode->ctime = vfs_now();
    long error = inode->ops->changed ? inode->ops->changed(inode) : 0;
    if (!error) notify(path.dentry, event);
    return error;
}

static long mode_path(struct path path, void *argument) {
    struct inode *inode = path.dentry->inode;
    if (path_read_only(path)) return -EROFS;
    if (!owner_or_root(inode)) return -EPERM;
    if (is_symlink(inode)) return -EOPNOTSUPP;
    uint32_t mode = *(uint32_t *)argument & 07777;
    if (current_process()->credentials.euid && !in_group(inode->gid)) mode &= ~(uint32_t)S_ISGID; /* chmod(2) */
    if (inode->seals & SEAL_EXEC && (inode->mode ^ mode) & 0111) return -EPERM;
    inode->mode = (inode->mode & S_IFMT) | mode;
    return changed(path, IN_ATTRIB);
}

SYSCALL_DEFINE(fchmodat, int directory, const char *path, uint32_t mode) {
    return with_path(directory, path, 0, mode_path, &mode);
}

SYSCALL_DEFINE(fchmodat2, int directory, const char *path, uint32_t mode, int flags) {
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
    if (empty_path(path, flags) && directory != AT_FDCWD) return with_file(file_lookup_any(directory), mode_path, &mode);
    return with_path(directory, path, flags, mode_path, &mode);
}

SYSCALL_DEFINE(chmod, const char *path, uint32_t mode) {
    return with_path(AT_FDCWD, path, 0, mode_path, &mode);
}

SYSCALL_DEFINE(fchmod, int descriptor, uint32_t mode) {
    return with_descriptor(descriptor, mode_path, &mode);
}

struct owner { uint32_t uid, gid; };
static long owner_path(struct path path, void *argument) {
    struct owner *owner = argument;
    struct inode *inode = path.dentry->inode;
    uint32_t keep = ~0u;
    if (path_read_only(path)) return -EROFS;
    if (current_process()->credentials.euid && (owner->uid != keep || owner->gid != keep)) {
        bool own_group = owner->gid == keep || owner->gid == inode->gid || in_group(owner->gid);
        if (!owner_or_root(inode) || (owner->uid != keep && owner->uid != inode->uid) || !own_group) return -EPERM;
    }
    if (owner->uid != keep) inode->uid = owner->uid;
    if (owner->gid != keep) inode->gid = owner->gid;
    if (is_regular(inode)) inode->mode &= ~(uint32_t)(S_ISUID | (inode->mode & 010 ? S_ISGID : 0));
    return owner->uid == keep && owner->gid == keep ? 0 : changed(path, IN_ATTRIB);
}

SYSCALL_DEFINE(fchownat, int directory, const char *path, uint32_t uid, uint32_t gid, int flags) {
    struct owner owner = { uid, gid };
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
    if (empty_path(path, flags) && directory != AT_FDCWD) return with_file(file_lookup_any(directory), owner_path, &owner);
    return with_path(directory, path, flags, owner_path, &owner);
}

SYSCALL_DEFINE(chown, const char *path, uint32_t uid, uint32_t gid) {
    return sys_fchownat(AT_FDCWD, path, uid, gid, 0);
}

SYSCALL_DEFINE(lchown, const char *path, uint32_t uid, uint32_t gid) {
    return sys_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
}

SYSCALL_DEFINE(fchown, int descriptor, uint32_t uid, uint32_t gid) {
    return with_descriptor(descriptor, owner_path, &(struct owner){ uid, gid });
}

#define UTIME_NOW 0x3fffffff
#define UTIME_OMIT 0x3ffffffe
struct times { struct linux_timespec times[2]; bool now; };
static long times_path(struct path path, void *argument) {
    struct times *request = argument;
    struct inode *inode = path.dentry->inode;
    struct linux_timespec now = vfs_now();
    if (path_read_only(path)) return -EROFS;
    if (!owner_or_root(inode) && (!request->now || inode_permission(inode, MAY_WRITE))) return request->now ? -EACCES : -EPERM;
    struct linux_timespec *fields[2] = { &inode->atime, &inode->mtime };
    for (int i = 0; i < 2; i++) {
        struct linux_timespec time = request->times[i];
        if (request->now || time.nanoseconds == UTIME_NOW) *fields[i] = now;
        else if (time.nanoseconds != UTIME_OMIT) *fields[i] = time;
    }
    bool only = request->times[0].nanoseconds == UTIME_OMIT || request->times[1].nanoseconds == UTIME_OMIT;
    return changed(path, request->now || !only ? IN_ATTRIB : request->times[0].nanoseconds == UTIME_OMIT ? IN_MODIFY : IN_ACCESS);
}

static long set_times(int directory, const char *path, struct times *request, int flags) {
    for (int i = 0; i < 2 && !request->now; i++) {
        int64_t ns = request->times[i].nanoseconds;
        if ((ns < 0 || ns > 999999999) && ns != UTIME_NOW && ns != UTIME_OMIT) return -EINVAL;
    }
    if (!request->now && request->times[0].nanoseconds == UTIME_OMIT && request->times[1].nanoseconds == UTIME_OMIT) return 0; /* whatever the path is */
    if (!path) return with_descriptor(directory, times_path, request);
    if (empty_path(path, flags) && directory != AT_FDCWD) return with_file(file_lookup_any(directory), times_path, request);
    return with_path(directory, path, flags, times_path, request);
}

SYSCALL_DEFINE(utimensat, int directory, const char *path, const struct linux_timespec *times, int flags) {
    struct times request = { .now = !times };
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) return -EINVAL;
    if (times && user_copy_in(request.times, times, sizeof request.times)) return -EFAULT;
    return set_times(directory, path, &request, flags);
}

/* The older forms count microseconds or whole seconds. */
SYSCALL_DEFINE(futimesat, int directory, const char *path, const struct linux_timespec *times) {
    struct times request = { .now = !times };
    if (times && user_copy_in(request.times, times, sizeof request.times)) return -EFAULT;
    for (int i = 0; i < 2; i++) {
        if (request.times[i].nanoseconds < 0 || request.times[i].nanoseconds > 999999) return -EINVAL;
        request.times[i].nanoseconds *= 1000;
    }
    return set_times(directory, path, &request, 0);
}

SYSCALL_DEFINE(utimes, const char *path, const struct linux_timespec *times) {
    return sys_futimesat(AT_FDCWD, path, times);
}

SYSCALL_DEFINE(utime, const char *path, const int64_t *times) {
    struct times request = { .now = !times };
    int64_t seconds[2];
    if (times && user_copy_in(seconds, times, sizeof seconds)) return -EFAULT;
    for (int i = 0; i < 2 && times; i++) request.times[i].seconds = seconds[i];
    return set_times(AT_FDCWD, path, &request, 0);
}

static long truncate_path(struct path path, void *argument) {
    struct inode *inode = path.dentry->inode;
    if (is_directory(inode)) return -EISDIR;
    if (path_read_only(path)) return -EROFS;
    long error = inode_permission(inode, MAY_WRITE);
    if (!error) error = inode_truncate(inode, *(int64_t *)argument);
    if (!error) notify(path.dentry, IN_MODIFY);
    return error;
}

SYSCALL_DEFINE(truncate, const char *path, int64_t size) {
    return with_path(AT_FDCWD, path, 0, truncate_path, &size);
}

SYSCALL_DEFINE(ftruncate, int descriptor, int64_t size) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    struct open_file *open = file_open_of(file);
    if (!open || (file->flags & O_ACCMODE) == O_RDONLY || !is_regular(open->inode)) return -EINVAL;
    long error = inode_truncate(open->inode, size);
    if (!error) notify(open->path.dentry, IN_MODIFY);
    return error;
}

static long statfs_path(struct path path, void *argument) {
    struct superblock *super = path.dentry->inode->super;
    struct linux_statfs *out = argument;
    *out = (struct linux_statfs){ .bsize = 4096, .frsize = 4096, .namelen = NAME_MAX, .flags = 0x20 | (path.mount->flags & (MOUNT_KEPT & ~MOUNT_RELATIVE_TIME)) | path_read_only(path) };
    if (path.mount->flags & MOUNT_RELATIVE_TIME) out->flags |= 0x1000; /* ST_RELATIME */
    if (super && super->ops && super->ops->statfs) super->ops->statfs(super, out);
    return 0;
}

SYSCALL_DEFINE(statfs, const char *path, struct linux_statfs *out) {
    struct linux_statfs result;
    long error = with_path(AT_FDCWD, path, 0, statfs_path, &result);
    return error ? error : user_copy_out(out, &result, sizeof result);
}

SYSCALL_DEFINE(fstatfs, int descriptor, struct linux_statfs *out) {
    struct linux_statfs result;
    long error = with_file(file_lookup_any(descriptor), statfs_path, &result);
    return error ? error : user_copy_out(out, &result, sizeof result);
}
