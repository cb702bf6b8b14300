/*
 * Opening, and the file_ops of what was opened: regular files, directories, O_PATH. Devices and descriptors bring files of their own.
 * Owns struct open_file: the path (for getcwd-like answers and *at calls) and the inode.
 */
#include "vfs/internal.h"
#include "vfs/notify.h"

void locks_file_gone(struct inode *, const struct file *) __attribute__((weak)); /* by `file-locks` */

static long read_program(struct open_file *open, uint8_t *to, size_t size, int64_t position) {
    struct inode *inode = open->inode;
    if (inode->ops->read_opened) return inode->ops->read_opened(inode, &open->state, to, size, position);
    if (inode->ops->read) return inode->ops->read(inode, to, size, position);
    if (!inode->ops->get_page) return -EINVAL;
    long done = 0;
    while (size && position < inode->size) {
        size_t offset = (size_t)position & (PAGE_SIZE - 1), piece = PAGE_SIZE - offset;
        if (piece > size) piece = size;
        if ((int64_t)piece > inode->size - position) piece = (size_t)(inode->size - position);
        uint64_t physical;
        int error = inode->ops->get_page(inode, (uint64_t)position >> PAGE_SHIFT, FILE_PAGE_READ, &physical);
        if (!error && user_copy_out(to, (uint8_t *)phys_to_virt(physical) + offset, piece)) error = -EFAULT;
        else if (error) return done ? done : error;
        page_put(physical);
        if (error) return done ? done : error;
        to += piece;
        size -= piece;
        position += (int64_t)piece;
        done += (long)piece;
    }
    return done;
}

static long regular_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct inode *inode = file_open_of(file)->inode;
    int64_t at = position < 0 ? file->position : position;
    long done = 0;
    for (int i = 0; i < count; i++) {
        if (!vector[i].length) continue;
        long result = read_program(file_open_of(file), vector[i].base, vector[i].length, at);
        if (result < 0 && !done) return result;
        if (result <= 0) break;
        done += result;
        at += result;
        if ((size_t)result < vector[i].length) break;
    }
    if (position < 0) file->position = at;
    if (done) notify(file_open_of(file)->path.dentry, IN_ACCESS);
    if (done && !(file->flags & O_NOATIME) && !path_read_only(file_open_of(file)->path)) inode->atime = vfs_now();
    return done;
}

static long regular_write(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct inode *inode = file_open_of(file)->inode;
    if (!inode->ops->write && !inode->ops->write_opened) return -EINVAL;
    int64_t at = position < 0 ? file->position : position;
    if (file->flags & O_APPEND) {
        inode_refresh(inode);
        at = inode->size;
    }
    size_t room = 0;
    for (int i = 0; i < count; i++) room += vector[i].length;
    int64_t end;
    if (__builtin_add_overflow(at, room, &end)) end = INT64_MAX;
    long done = room ? inode_check_size(at, &end) : 0;
    if (done) return done;
    if (room && inode->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)) return -EPERM;
    if (room && inode->seals & SEAL_GROW && end > inode->size) { /* as Linux: whole pages that lie within, then no more */
        end = inode->size & ~(int64_t)(PAGE_SIZE - 1);
        if (end <= at) return -EPERM;
    }
    room = (size_t)(end - at);
    for (int i = 0; i < count; i++) {
        if (!vector[i].length) continue;
        size_t length = vector[i].length < room ? vector[i].length : room;
        if (!length) break;
        long result = inode->ops->write_opened ? inode->ops->write_opened(inode, &file_open_of(file)->state, vector[i].base, length, at)
                                               : inode->ops->write(inode, vector[i].base, length, at);
        if (result < 0 && !done) return result;
        if (result <= 0) break;
        done += result;
        at += result;
        room -= (size_t)result;
        if ((size_t)result < vector[i].length) break;
    }
    if (position < 0) file->position = at;
    if (done) {
        inode->mtime = inode->ctime = vfs_now();
        notify(file_open_of(file)->path.dentry, IN_MODIFY);
        if (current_process()->credentials.euid) inode->mode &= ~(uint32_t)(S_ISUID | (inode->mode & 010 ? S_ISGID : 0));
        if (file->flags & O_DSYNC && inode->ops->sync) { /* O_SYNC is this bit and another */
            int error = inode->ops->sync(inode, (file->flags & O_SYNC) != O_SYNC);
            if (error) return error;
        }
    }
    return done;
}

static int64_t regular_seek(struct file *file, int64_t offset, int whence) {
    if (whence != SEEK_SET && whence != SEEK_CUR) inode_refresh(file_open_of(file)->inode);
    struct inode *inode = file_open_of(file)->inode;
    int64_t size = inode->size, base;
    switch (whence) {
    case SEEK_SET: base = 0; break;
    case SEEK_CUR: base = file->position; break;
    case SEEK_END: base = size; break;
    case SEEK_DATA: case SEEK_HOLE:
        if (offset < 0 || offset >= size) return -ENXIO;
        base = inode->ops->seek_data ? inode->ops->seek_data(inode, offset, whence == SEEK_HOLE) : whence == SEEK_DATA ? offset : size;
        return base < 0 ? base : (file->position = base);
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(base, offset, &base)) return -EOVERFLOW;
    return base < 0 ? -EINVAL : (file->position = base);
}

static int any_stat(struct file *file, struct linux_stat *out) {
    inode_refresh(file_open_of(file)->inode);
    inode_fill_stat(file_open_of(file)->inode, out);
    return 0;
}

static const struct file_ops path_ops;
static void any_close(struct file *file) {
    struct open_file *open = file->data;
    if (file->ops != &path_ops) notify(open->path.dentry, (file->flags & O_ACCMODE) == O_RDONLY ? IN_CLOSE_NOWRITE : IN_CLOSE_WRITE);
    if (open->inode->locks && locks_file_gone) locks_file_gone(open->inode, file);
    if (open->state) open->inode->ops->close_opened(open->inode, open->state);
    if (file->ops != &path_ops && open->inode->ops->closed) open->inode->ops->closed(open->inode, file->flags);
    path_put(open->path);
    kfree(open);
}

static int regular_sync(struct file *file) {
    struct inode *inode = file_open_of(file)->inode;
    return inode->ops->sync ? inode->ops->sync(inode, false) : 0;
}

static int regular_get_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    struct inode *inode = file_open_of(file)->inode;
    return inode->ops->get_page ? inode->ops->get_page(inode, index, how, physical) : -ENODEV;
}

static long regular_ioctl(struct file *file, unsigned long request, unsigned long argument) {
    if (request != FIONREAD && request != FIGETBSZ) return -ENOTTY;
    int64_t left = file_open_of(file)->inode->size - file->position;
    int number = request == FIGETBSZ ? PAGE_SIZE : left < 0 ? 0 : left > 0x7fffffff ? 0x7fffffff : (int)left;
    return user_copy_out((void *)argument, &number, sizeof number);
}

static long regular_fcntl(struct file *file, unsigned command, unsigned long argument) {
    return command == F_ADD_SEALS || command == F_GET_SEALS ? inode_seals(file, command, argument) : -EINVAL;
}

static const struct file_ops regular_ops = {
    .kind = "file", .read = regular_read, .write = regular_write, .ioctl = regular_ioctl, .fcntl = regular_fcntl, .seek = regular_seek, .stat = any_stat,
    .close = any_close, .get_page = regular_get_page, .sync = regular_sync,
};

static long directory_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)file, (void)vector, (void)count, (void)position;
    return -EISDIR;
}

static int64_t directory_seek(struct file *file, int64_t offset, int whence) {
    if (whence == SEEK_CUR) offset += file->position;
    if (whence > SEEK_CUR || offset < 0) return -EINVAL;
    return file->position = offset;
}

/* Taking back a notification (fcntl(2), F_NOTIFY without events) does nothing: there is never one to take back. */
static long directory_fcntl(struct file *file, unsigned command, unsigned long argument) {
    (void)file;
    return command == F_NOTIFY && !(argument & 0x7fffffff) ? 0 : -EINVAL;
}

static const struct file_ops directory_ops = {
    .kind = "directory", .fcntl = directory_fcntl, .read = directory_read, .seek = directory_seek, .stat = any_stat, .close = any_close,
};

static const struct file_ops path_ops = { .kind = "path", .stat = any_stat, .close = any_close }; /* what else there is does not find it: file_lookup */

struct open_file *file_open_of(struct file *file) {
    const struct file_ops *ops = file->ops;
    return ops == &regular_ops || ops == &directory_ops || ops == &path_ops || ops == &fifo_ops ? file->data : NULL;
}

struct inode *file_inode(struct file *file) {
    struct open_file *open = file_open_of(file);
    return open ? open->inode : NULL;
}

static int check_open(struct path path, uint32_t flags) {
    struct inode *inode = path.dentry->inode;
    uint32_t access = flags & O_ACCMODE;
    bool writes = access != O_RDONLY || flags & O_TRUNC;
    if (flags & O_DIRECTORY && !is_directory(inode)) return -ENOTDIR;
    if (is_symlink(inode) && (!inode->ops->target || flags & O_NOFOLLOW)) return -ELOOP;
    if (is_directory(inode) && (writes || flags & O_CREAT)) return -EISDIR;
    if (writes && is_regular(inode) && path_read_only(path)) return -EROFS;
    if (flags & O_NOATIME && !owner_or_root(inode)) return -EPERM;
    if (inode->ops->target) return 0;
    return inode_permission(inode, (access != O_WRONLY ? MAY_READ : 0) | (writes ? MAY_WRITE : 0));
}

/* A named pipe: waits for its other end. The reference of `path` is given up. */
static int open_fifo(struct path path, uint32_t flags, struct file **out) {
    struct open_file open = { .path = path, .inode = path.dentry->inode };
    int error = fifo_open ? fifo_open(&open, flags, out) : -ENXIO;
    if (error) path_put(path);
    return error;
}

int open_path(struct path path, uint32_t flags, struct file **out) {
    struct inode *inode = path.dentry->inode;
    const struct file_ops *ops = flags & O_PATH ? &path_ops : is_directory(inode) ? &directory_ops : &regular_ops;
    int error = 0;
    bool made = flags & O_MADE;
    flags &= ~(uint32_t)O_MADE;
    if (!(flags & O_PATH)) {
        error = made ? 0 : check_open(path, flags);
        if (!error && inode->ops->target) {
            struct file *target = inode->ops->target(inode);
            if (target) file_get(*out = target);
            path_put(path);
            return target ? 0 : -ENOENT;
        }
        if (!error && inode->ops->open) {
            error = inode->ops->open(inode, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), out);
            path_put(path);
            return error;
        }
        if (!error && (inode->mode & S_IFMT) == S_IFIFO) return open_fifo(path, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), out);
        if (!error && is_device(inode)) {
            error = path.mount->flags & MOUNT_NO_DEVICES ? -EACCES : device_open(inode, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC), out);
            if (!error && (*out)->references == 1) file_set_place(*out, path);
            path_put(path);
            return error;
        }
        if (!error && !is_directory(inode) && !is_regular(inode)) error = -ENXIO;
        if (!error && ((flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC) && inode->ops->prepare_write)
            error = inode->ops->prepare_write(inode, flags & O_TRUNC);
        if (!error && flags & O_TRUNC) error = inode_truncate(inode, 0);
    } else if (flags & O_DIRECTORY && !is_directory(inode)) {
        error = -ENOTDIR;
    }
    bool tells = !(flags & O_PATH) && inode->ops->opened;
    if (!error && tells) error = inode->ops->opened(inode, flags);
    struct open_file *open = error ? NULL : kzalloc(sizeof *open);
    if (open) {
        open->path = path;
        open->inode = inode; /* the dentry holds it */
        *out = file_create(ops, (flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)) | (flags & O_PATH ? 0 : O_LARGEFILE), open);
        if (*out) {
            if (ops != &path_ops) notify(path.dentry, IN_OPEN);
            if (ops != &path_ops && flags & O_TRUNC) notify(path.dentry, IN_MODIFY);
            return 0;
        }
        kfree(open);
    }
    if (!error && tells && inode->ops->closed) inode->ops->closed(inode, flags);
    path_put(path);
    return error ? error : -ENOMEM;
}

/* A new file `last` in `parent` (its reference and its lock are given up), opened: its mode does not limit this first opening. */
static int create_and_open(struct path parent, struct name last, uint32_t flags, uint32_t mode, struct names_lock *lock, struct file **out) {
    struct inode *directory = parent.dentry->inode, *made;
    struct dentry *dentry;
    int error = may_change_directory(parent);
    if (!error && !directory->ops->create) error = -EROFS;
    if (!error)
        error = directory->ops->create(directory, last.text, last.length, S_IFREG | (mode & 07777 & ~view()->umask), 0, &made);
    if (!error) error = dentry_add(parent.dentry, last, made, &dentry);
    names_unlock(lock);
    if (error) {
        path_put(parent);
        return error;
    }
    struct path path = { parent.mount, dentry };
    mount_get(path.mount);
    notify_name(directory, IN_CREATE, last.text, last.length, false);
    path_put(parent);
    if (dentry->inode->ops->opened && (error = dentry->inode->ops->opened(dentry->inode, flags))) {
        path_put(path);
        return error;
    }
    struct open_file *open = kzalloc(sizeof *open);
    if (open) {
        open->path = path;
        open->inode = dentry->inode;
        *out = file_create(&regular_ops, (flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)) | O_LARGEFILE, open);
        if (*out) {
            notify(dentry, IN_OPEN);
            return 0;
        }
        kfree(open);
    }
    if (dentry->inode->ops->closed) dentry->inode->ops->closed(dentry->inode, flags);
    path_put(path);
    return -ENOMEM;
}

/* O_CREAT: a dangling link's target is made, so the last name is looked at here and not by the walk. start's reference stays. */
static int open_creating(struct path start, const char *text, uint32_t flags, uint32_t mode, unsigned links, const struct walk_limits *limits,
                         struct file **out) {
    struct path parent;
    struct name last;
    struct dentry *found;
    int error = walk_limited(start, text, WALK_PARENT, limits, &parent, &last);
    if (error) return error;
    bool special = last.text[0] == '.' && (last.length == 1 || (last.length == 2 && last.text[1] == '.'));
    if (special || last.text[last.length] == '/') {
        path_put(parent);
        return -EISDIR;
    }
    struct names_lock lock;
    names_lock(&lock, parent.dentry);
    error = dentry_lookup(parent.dentry, last, &found);
    if (error == -ENOENT) return create_and_open(parent, last, flags, mode, &lock, out);
    names_unlock(&lock);
    if (error || flags & O_EXCL) {
        if (!error) dentry_put(found);
        path_put(parent);
        return error ? error : -EEXIST;
    }
    if (limits && limits->resolve & (RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS) && is_symlink(found->inode) &&
        !(flags & O_PATH && flags & O_NOFOLLOW) && (limits->resolve & RESOLVE_NO_SYMLINKS || found->inode->ops->jump || found->inode->ops->target)) {
        dentry_put(found);
        path_put(parent);
        return -ELOOP;
    }
    if (found->inode->ops->jump && !(flags & O_NOFOLLOW)) {
        struct path to;
        error = found->inode->ops->jump(found->inode, &to);
        if (error != -ENXIO) {
            dentry_put(found);
            path_put(parent);
            return error ? error : open_path(to, flags, out);
        }
    }
    if (is_symlink(found->inode) && !found->inode->ops->target && !(flags & O_NOFOLLOW)) {
        char *target = links < 40 ? walk_buffer() : NULL;
        long length = target ? found->inode->ops->readlink(found->inode, target, PATH_MAX - 1) : links < 40 ? -ENOMEM : -ELOOP;
        if (length >= 0) target[length] = 0;
        error = length < 0 ? (int)length : open_creating(parent, target, flags, mode, links + 1, limits, out);
        if (target) walk_buffer_free(target);
        dentry_put(found);
        path_put(parent);
        return error;
    }
    mount_get(parent.mount);
    struct path path = path_mounted((struct path){ parent.mount, found });
    path_put(parent);
    return open_path(path, flags, out);
}

/* A file without a name in the directory that the path leads to; it may get one by linkat unless O_EXCL is given. */
static int open_temporary(struct path path, uint32_t flags, uint32_t mode, struct file **out) {
    struct inode *directory = path.dentry->inode, *made;
    struct dentry *dentry;
    char name[24] = "#";
    int error = !is_directory(directory) ? -ENOTDIR : (flags & O_ACCMODE) == O_RDONLY ? -EINVAL : 0;
    if (!error && path.mount->flags & MOUNT_READ_ONLY) error = -EROFS;
    if (!error) error = may_change_directory(path);
    if (!error && !directory->ops->temporary) error = -EOPNOTSUPP;
    if (!error) error = directory->ops->temporary(directory, S_IFREG | (mode & 07777 & ~view()->umask), &made);
    if (error) return error;
    made->linkable = !(flags & O_EXCL);
    size_t length = 1;
    for (uint64_t unit = 1000000000000, number = made->ino; unit; unit /= 10)
        if (number >= unit || unit == 1) name[length++] = (char)('0' + number / unit % 10);
    error = dentry_add(path.dentry, (struct name){ name, length }, made, &dentry);
    if (error) return error;
    dentry_delete(dentry);
    mount_get(path.mount);
    return open_path((struct path){ path.mount, dentry }, (flags & ~(uint32_t)(O_TMPFILE | O_EXCL | O_CREAT)) | O_MADE, out);
}

/* As openat2(2): limits->top is filled in here. */
static int open_limited(int directory, const char *text, uint32_t flags, uint32_t mode, struct walk_limits *limits, struct file **out) {
    struct path start, path;
    int error;
    bool temporary = (flags & O_TMPFILE) == O_TMPFILE, creates = flags & O_CREAT && !(flags & O_PATH), whole = *text == '/' && !limits;
    if (flags & O_PATH) flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (creates && flags & O_DIRECTORY && !temporary) return -EINVAL;
    if (!*text) return -ENOENT;
    error = walk_at(whole ? AT_FDCWD : directory, "", WALK_EMPTY, &start, NULL);
    if (!error && !whole && !is_directory(start.dentry->inode)) {
        path_put(start);
        error = -ENOTDIR;
    }
    if (error) return error;
    if (limits) limits->top = start;
    if (creates && !temporary) {
        error = open_creating(start, text, flags, mode, 0, limits, out);
    } else {
        error = walk_limited(start, text, flags & O_NOFOLLOW ? WALK_NO_FOLLOW : 0, limits, &path, NULL);
        if (!error && temporary) {
            error = open_temporary(path, flags, mode, out);
            path_put(path);
        } else if (!error) {
            error = open_path(path, flags, out);
        }
    }
    path_put(start);
    return error;
}

int open_at(int directory, const char *text, uint32_t flags, uint32_t mode, struct file **out) {
    return open_limited(directory, text, flags, mode, NULL, out);
}

int vfs_open_program(const char *text, struct file **out, uint64_t *size) {
    struct path path;
    int error = walk_at(AT_FDCWD, text, 0, &path, NULL);
    if (error) return error;
    struct inode *inode = path.dentry->inode;
    error = is_regular(inode) && !inode->ops->open && !inode->ops->target && !(path.mount->flags & MOUNT_NO_EXECUTION)
                ? inode_permission(inode, MAY_EXECUTE)
                : -EACCES;
    if (!error && inode->ops->opened) error = inode->ops->opened(inode, O_RDONLY);
    struct open_file *open = error ? NULL : kzalloc(sizeof *open);
    if (open) {
        *open = (struct open_file){ .path = path, .inode = inode };
        *size = (uint64_t)inode->size;
        *out = file_create(&regular_ops, O_RDONLY | O_LARGEFILE, open);
        if (*out) return 0;
        kfree(open);
    }
    if (!error && inode->ops->closed) inode->ops->closed(inode, O_RDONLY);
    path_put(path);
    return error ? error : -ENOMEM;
}

void vfs_program_ids(struct file *file, uint32_t *user, uint32_t *group) {
    const struct open_file *open = file->data;
    const struct inode *inode = open->inode;
    if (open->path.mount->flags & MOUNT_NO_SETUID) return;
    if (inode->mode & S_ISUID) *user = inode->uid;
    if ((inode->mode & (S_ISGID | 010)) == (S_ISGID | 010)) *group = inode->gid;
}

static long open_call(int directory, const char *program_path, uint32_t flags, uint32_t mode, struct walk_limits *limits) {
    char *text = walk_buffer();
    struct file *file;
    if (!text) return -ENOMEM;
    long result = user_string_in(text, program_path, PATH_MAX);
    if (result >= 0 && flags & (O_CREAT | O_TRUNC)) result = file_room(); /* nothing is made or emptied for who gets no descriptor */
    if (result >= 0) result = open_limited(directory, text, flags, mode, limits, &file);
    walk_buffer_free(text);
    if (result) return result;
    result = file_install(file, 0, flags & O_CLOEXEC);
    if (result < 0) file_put(file);
    return result;
}

SYSCALL_DEFINE(openat, int directory, const char *path, int flags, uint32_t mode) {
    return open_call(directory, path, (uint32_t)flags, mode, NULL);
}

struct open_how { uint64_t flags, mode, resolve; };
#define O_KNOWN (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC | O_DIRECT | O_LARGEFILE | \
                 O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE)
SYSCALL_DEFINE(openat2, int directory, const char *path, const uint8_t *program_how, size_t size) {
    struct open_how how = { 0 };
    if (size < sizeof how) return -EINVAL;
    if (size > PAGE_SIZE) return -E2BIG;
    if (user_copy_in(&how, program_how, sizeof how)) return -EFAULT;
    for (size_t at = sizeof how; at < size; at++) { /* what a newer ABI added must not be asked for */
        uint8_t byte;
        if (user_copy_in(&byte, program_how + at, 1)) return -EFAULT;
        if (byte) return -E2BIG;
    }
    bool makes = how.flags & O_CREAT || (how.flags & O_TMPFILE) == O_TMPFILE;
    if (how.flags & ~(uint64_t)O_KNOWN || how.resolve & ~63ull || how.mode & ~07777ull || (how.mode && !makes)) return -EINVAL;
    if (how.resolve & RESOLVE_BENEATH && how.resolve & RESOLVE_IN_ROOT) return -EINVAL;
    if (how.flags & O_PATH && how.flags & ~(uint64_t)(O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) return -EINVAL;
    if (how.resolve & RESOLVE_CACHED) return -EAGAIN; /* always a true answer: not known without looking */
    struct walk_limits limits = { .resolve = (unsigned)how.resolve };
    return open_call(directory, path, (uint32_t)how.flags, (uint32_t)how.mode, how.resolve ? &limits : NULL);
}

SYSCALL_DEFINE(open, const char *path, int flags, uint32_t mode) {
    return sys_openat(AT_FDCWD, path, flags, mode);
}

SYSCALL_DEFINE(creat, const char *path, uint32_t mode) {
    return sys_openat(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

/* Entries are laid out here and copied at the end: nothing waits for the program's pages while a file system stands in the middle of a directory. */
struct laid_sink { struct dirent_sink sink; uint8_t *laid; size_t room, used; bool refused, old; int64_t position; };
static bool add_entry(struct dirent_sink *sink, const char *name, size_t length, uint64_t ino, uint32_t mode, int64_t offset) {
    struct laid_sink *to = (struct laid_sink *)sink;
    size_t head = offsetof(struct linux_dirent64, name), size = (head + length + 1 + 7) & ~7ul;
    if (length > NAME_MAX) return true;
    if (size > to->room - to->used) {
        to->refused = true;
        return false;
    }
    uint8_t *at = to->laid + to->used, type = DT_OF_MODE(mode);
    struct linux_dirent64 *entry = (struct linux_dirent64 *)at;
    memset(at + size - 16, 0, 16); /* what is behind the name; the fields are not yet there */
    entry->ino = ino, entry->offset = offset, entry->length = (uint16_t)size;
    if (to->old) { /* getdents: the name one byte earlier, the type last */
        head--;
        at[size - 1] = type;
    } else entry->type = type;
    memcpy(at + head, name, length);
    to->used += size;
    to->position = offset;
    return true;
}

enum { LAID_MOST = 32768 }; /* bytes of entries for one call: what C libraries ask for */
static long read_directory(int descriptor, void *out, unsigned size, bool old) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    if (file->ops != &directory_ops) return -ENOTDIR;
    struct open_file *open = file->data;
    if (open->path.dentry->deleted) return -ENOENT;
    if (!open->inode->ops->iterate) return -ENOTDIR;
    struct laid_sink sink = { .sink = { add_entry }, .room = size < LAID_MOST ? size : LAID_MOST, .old = old };
    sink.laid = kmalloc(sink.room | !sink.room);
    if (!sink.laid && sink.room > PAGE_SIZE) sink.laid = kmalloc(sink.room = PAGE_SIZE);
    if (!sink.laid) return -ENOMEM;
    long result = open->inode->ops->iterate(open->inode, file->position, &sink.sink);
    if (!result) notify(open->path.dentry, IN_ACCESS);
    if (sink.used) {
        result = user_copy_out(out, sink.laid, sink.used);
        if (!result) {
            file->position = sink.position;
            result = (long)sink.used;
        }
    } else if (sink.refused) result = -EINVAL;
    kfree(sink.laid);
    return result;
}

SYSCALL_DEFINE(getdents64, int descriptor, void *out, unsigned size) {
    return read_directory(descriptor, out, size, false);
}

SYSCALL_DEFINE(getdents, int descriptor, void *out, unsigned size) {
    return read_directory(descriptor, out, size, true);
}
