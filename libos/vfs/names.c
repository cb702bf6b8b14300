/*
 * The calls that make, remove and move names. Each walks to the parent, checks that it may change there, asks the file system, and
 * only then changes the dentry tree.
 */
#include "vfs/internal.h"
#include "vfs/notify.h"

/* A parent directory and the last name in it. text: what `last` points into. */
struct place { struct path parent; struct name last; char *text; struct names_lock lock; };

static int find_text(int directory, char *text, struct place *place) {
    place->text = text;
    int error = walk_at(directory, text, WALK_PARENT, &place->parent, &place->last);
    if (error) walk_buffer_free(text);
    place->lock.directory = NULL; /* taken where a call found all its places */
    return error;
}

static int find(int directory, const char *program_path, struct place *place) {
    char *text = walk_buffer();
    if (!text) return -ENOMEM;
    long length = user_string_in(text, program_path, PATH_MAX);
    if (length >= 0) return find_text(directory, text, place);
    walk_buffer_free(text);
    return (int)length;
}

static void lock(struct place *place) { names_lock(&place->lock, place->parent.dentry); }

static void let_go(struct place *place) {
    names_unlock(&place->lock);
    path_put(place->parent);
    walk_buffer_free(place->text);
}

static bool is_dots(struct name name) {
    return name.text[0] == '.' && (name.length == 1 || (name.length == 2 && name.text[1] == '.'));
}

static bool has_slash(const struct place *place) {
    return place->last.text[place->last.length] == '/';
}

/* The name must be free, and the parent changeable. */
static int check_new(struct place *place, bool directory) {
    struct dentry *found;
    lock(place);
    if (is_dots(place->last)) return -EEXIST;
    int error = dentry_lookup(place->parent.dentry, place->last, &found);
    if (!error) {
        dentry_put(found);
        return -EEXIST;
    }
    if (error != -ENOENT) return error;
    if (has_slash(place) && !directory) return -ENOENT;
    return may_change_directory(place->parent);
}

static int made(struct place *place, struct inode *inode) {
    struct dentry *dentry;
    struct inode *directory = place->parent.dentry->inode;
    directory->mtime = directory->ctime = vfs_now();
    bool is_folder = is_directory(inode);
    int error = dentry_add(place->parent.dentry, place->last, inode, &dentry);
    if (!error) dentry_put(dentry);
    if (!error) notify_name(directory, IN_CREATE, place->last.text, place->last.length, is_folder);
    return error;
}

static int make_node(struct place *place, uint32_t mode, uint64_t rdev) {
    struct inode *directory = place->parent.dentry->inode, *inode;
    int error = check_new(place, (mode & S_IFMT) == S_IFDIR);
    if (error) return error;
    if (!directory->ops->create) return -EROFS;
    error = directory->ops->create(directory, place->last.text, place->last.length, mode & ~view()->umask, rdev, &inode);
    return error ? error : made(place, inode);
}

static int make_symlink(struct place *place, const char *target) {
    struct inode *directory = place->parent.dentry->inode, *inode;
    int error = check_new(place, false);
    if (error) return error;
    if (!directory->ops->symlink) return -EROFS;
    error = directory->ops->symlink(directory, place->last.text, place->last.length, target, &inode);
    return error ? error : made(place, inode);
}

long vfs_make_node_at(int directory, const char *path, uint32_t mode, uint64_t device) {
    struct place place;
    uint32_t kind = mode & S_IFMT;
    if (!kind) kind = S_IFREG;
    if (kind == S_IFDIR) return -EPERM;
    if (kind != S_IFREG && kind != S_IFIFO && kind != S_IFSOCK && kind != S_IFCHR && kind != S_IFBLK) return -EINVAL;
    if ((kind == S_IFCHR || kind == S_IFBLK) && current_process()->credentials.euid) return -EPERM;
    long error = find(directory, path, &place);
    if (error) return error;
    error = make_node(&place, kind | (mode & 07777), device);
    let_go(&place);
    return error;
}

SYSCALL_DEFINE(mkdirat, int directory, const char *path, uint32_t mode) {
    struct place place;
    long error = find(directory, path, &place);
    if (error) return error;
    error = make_node(&place, S_IFDIR | (mode & 01777), 0);
    let_go(&place);
    return error;
}

SYSCALL_DEFINE(mkdir, const char *path, uint32_t mode) {
    return sys_mkdirat(AT_FDCWD, path, mode);
}

SYSCALL_DEFINE(symlinkat, const char *target, int directory, const char *path) {
    struct place place;
    char *text = walk_buffer();
    if (!text) return -ENOMEM;
    long error = user_string_in(text, target, PATH_MAX);
    if (error >= 0) error = *text ? find(directory, path, &place) : -ENOENT;
    if (!error) {
        error = make_symlink(&place, text);
        let_go(&place);
    }
    walk_buffer_free(text);
    return error;
}

SYSCALL_DEFINE(symlink, const char *target, const char *path) {
    return sys_symlinkat(target, AT_FDCWD, path);
}

/* As Linux has it with fs.protected_hardlinks, which distributions set (proc_sys_fs(5)): not to others' files that one may not write, or that run as others. */
static bool may_link(const struct inode *inode) {
    if (owner_or_root(inode)) return true;
    bool runs_as_other = inode->mode & S_ISUID || (inode->mode & (S_ISGID | 010)) == (S_ISGID | 010);
    return is_regular(inode) && !runs_as_other && !inode_permission(inode, MAY_READ | MAY_WRITE);
}

SYSCALL_DEFINE(linkat, int from_directory, const char *from, int to_directory, const char *to, int flags) {
    struct path source;
    struct place place;
    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) return -EINVAL;
    char *text = walk_buffer();
    if (!text) return -ENOMEM;
    unsigned walk = (flags & AT_SYMLINK_FOLLOW ? 0 : WALK_NO_FOLLOW) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
    long error = walk_user(from_directory, from, walk, text, &source, NULL);
    walk_buffer_free(text);
    if (error) return error;
    error = find(to_directory, to, &place);
    if (!error) {
        struct inode *inode = source.dentry->inode, *directory = place.parent.dentry->inode;
        error = check_new(&place, false);
        if (!error && (is_directory(inode) || !may_link(inode))) error = -EPERM;
        if (!error && (inode->super != directory->super || source.mount != place.parent.mount)) error = -EXDEV;
        if (!error && inode->nlink == 0 && !inode->linkable) error = -ENOENT;
        if (!error && !directory->ops->link) error = -EPERM;
        if (!error) error = directory->ops->link(directory, place.last.text, place.last.length, inode);
        if (!error) {
            inode->linkable = false;
            inode->ctime = vfs_now();
            inode_get(inode);
            notify_inode(inode, IN_ATTRIB);
            error = made(&place, inode);
        }
        let_go(&place);
    }
    path_put(source);
    return error;
}

SYSCALL_DEFINE(link, const char *from, const char *to) {
    return sys_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static long remove(struct place *place, bool directory_wanted) {
    struct inode *directory = place->parent.dentry->inode;
    struct dentry *victim;
    if (is_dots(place->last)) return directory_wanted ? (place->last.length == 1 ? -EINVAL : -ENOTEMPTY) : -EISDIR;
    lock(place);
    long error = dentry_lookup(place->parent.dentry, place->last, &victim);
    if (error) return error;
    struct inode *inode = victim->inode;
    error = may_change_directory(place->parent);
    if (!error) error = sticky_forbids(directory, inode);
    if (!error && directory_wanted && !is_directory(inode)) error = -ENOTDIR;
    if (!error && !directory_wanted && is_directory(inode)) error = -EISDIR;
    if (!error && !directory_wanted && has_slash(place)) error = -ENOTDIR;
    if (!error && victim->mounts) error = -EBUSY;
    if (!error && !directory->ops->unlink) error = -EROFS;
    if (!error) error = directory->ops->unlink(directory, place->last.text, place->last.length, inode);
    if (!error) {
        directory->mtime = directory->ctime = inode->ctime = vfs_now();
        dentry_delete(victim);
        if (inotify_name_gone) inotify_name_gone(victim);
        if (!directory_wanted) notify_inode(inode, IN_ATTRIB);
    }
    dentry_put(victim);
    if (!error) notify_name(directory, IN_DELETE, place->last.text, place->last.length, directory_wanted);
    return error;
}

SYSCALL_DEFINE(unlinkat, int directory, const char *path, int flags) {
    struct place place;
    if (flags & ~AT_REMOVEDIR) return -EINVAL;
    long error = find(directory, path, &place);
    if (error) return error;
    error = remove(&place, flags & AT_REMOVEDIR);
    let_go(&place);
    return error;
}

SYSCALL_DEFINE(unlink, const char *path) {
    return sys_unlinkat(AT_FDCWD, path, 0);
}

SYSCALL_DEFINE(rmdir, const char *path) {
    return sys_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#define RENAME_WHITEOUT 4
static void tell_moved(struct inode *from, struct name name, struct inode *to, struct name new_name, const struct inode *moved) {
    if (!inotify_tell_name) return;
    uint32_t cookie = inotify_cookie();
    inotify_tell_name(from, IN_MOVED_FROM, cookie, name.text, name.length, is_directory(moved));
    inotify_tell_name(to, IN_MOVED_TO, cookie, new_name.text, new_name.length, is_directory(moved));
}

/* The file system's part. A whiteout, where overlays have one: a device 0:0 that has the old name from the moment when it is free. */
static int rename_inodes(struct place *from, struct place *to, struct inode *inode, struct inode *target, unsigned flags) {
    struct inode *old = from->parent.dentry->inode, *new = to->parent.dentry->inode, *made;
    int error = flags & RENAME_WHITEOUT ? inodes_hold(old->super) : 0;
    if (error) return error;
    error = old->ops->rename(old, from->last.text, from->last.length, inode, new, to->last.text, to->last.length, target, flags & RENAME_EXCHANGE);
    if (!(flags & RENAME_WHITEOUT)) return error;
    if (!error && !(error = old->ops->create(old, from->last.text, from->last.length, S_IFCHR, 0, &made))) inode_put(made);
    inodes_settle(old->super);
    return error;
}

/* Both dentries looked up; `there` NULL when the new name is free. */
static long move(struct place *from, struct place *to, struct dentry *moved, struct dentry *there, unsigned flags) {
    bool exchange = flags & RENAME_EXCHANGE;
    struct inode *old = from->parent.dentry->inode, *new = to->parent.dentry->inode, *inode = moved->inode;
    struct inode *target = there ? there->inode : NULL;
    if (inode == target) return 0; /* two names of one file: nothing happens (rename(2)) */
    if (old->super != new->super || from->parent.mount != to->parent.mount) return -EXDEV;
    if (moved->mounts || (there && there->mounts)) return -EBUSY;
    long error = may_change_directory(from->parent);
    if (!error) error = may_change_directory(to->parent);
    if (!error) error = sticky_forbids(old, inode);
    if (!error && target) error = sticky_forbids(new, target);
    if (error) return error;
    if (is_directory(inode) && dentry_is_below(to->parent.dentry, moved)) return -EINVAL;
    if (there && dentry_is_below(from->parent.dentry, there)) return exchange ? -EINVAL : -ENOTEMPTY;
    if (!is_directory(inode) && (has_slash(from) || (has_slash(to) && !exchange))) return -ENOTDIR;
    if (target && !exchange && is_directory(inode) != is_directory(target)) return is_directory(inode) ? -ENOTDIR : -EISDIR;
    if (!old->ops->rename) return -EROFS;
    if (flags & RENAME_WHITEOUT && !old->super->ops->whiteouts) return -EINVAL;
    if ((error = rename_inodes(from, to, inode, target, flags))) return error;
    old->mtime = old->ctime = new->mtime = new->ctime = inode->ctime = vfs_now();
    if (exchange) { /* the cache forgets both names; the next walk asks the file system */
        error = dentry_move(there, from->parent.dentry, from->last);
    } else if (there) {
        target->ctime = inode->ctime;
        dentry_delete(there);
    }
    long moved_error = dentry_move(moved, to->parent.dentry, to->last);
    tell_moved(old, from->last, new, to->last, moved->inode);
    if (exchange) {
        tell_moved(new, to->last, old, from->last, there->inode);
    } else if (there) {
        if (inotify_name_gone) inotify_name_gone(there);
        if (!is_directory(target)) notify_inode(target, IN_ATTRIB);
    }
    notify_inode(moved->inode, IN_MOVE_SELF);
    if (exchange) notify_inode(there->inode, IN_MOVE_SELF);
    return error ? error : moved_error;
}

SYSCALL_DEFINE(renameat2, int from_directory, const char *from, int to_directory, const char *to, unsigned flags) {
    struct place source, target;
    struct dentry *moved, *there = NULL;
    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT) || (flags & RENAME_EXCHANGE && flags != RENAME_EXCHANGE)) return -EINVAL;
    if (flags & RENAME_WHITEOUT && current_process()->credentials.euid) return -EPERM;
    long error = find(from_directory, from, &source);
    if (error) return error;
    error = find(to_directory, to, &target);
    if (error) {
        let_go(&source);
        return error;
    }
    struct names_lock tree;
    names_lock(&tree, source.parent.mount->root); /* one at a time: two could make a ring */
    bool swapped = source.parent.dentry > target.parent.dentry;
    lock(swapped ? &target : &source);
    lock(swapped ? &source : &target);
    error = is_dots(source.last) || is_dots(target.last) ? -EBUSY : dentry_lookup(source.parent.dentry, source.last, &moved);
    if (!error) {
        error = dentry_lookup(target.parent.dentry, target.last, &there);
        if (error) there = NULL;
        if (error == -ENOENT && !(flags & RENAME_EXCHANGE)) error = 0;
        if (!error && there && flags & RENAME_NOREPLACE) error = -EEXIST;
        if (!error) error = move(&source, &target, moved, there, flags);
        if (there) dentry_put(there);
        dentry_put(moved);
    }
    let_go(&target);
    let_go(&source);
    names_unlock(&tree);
    return error;
}

SYSCALL_DEFINE(renameat, int from_directory, const char *from, int to_directory, const char *to) {
    return sys_renameat2(from_directory, from, to_directory, to, 0);
}

SYSCALL_DEFINE(rename, const char *from, const char *to) {
    return sys_renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

SYSCALL_DEFINE(readlinkat, int directory, const char *program_path, char *out, int size) {
    struct path path;
    if (size <= 0) return -EINVAL;
    char *text = walk_buffer();
    if (!text) return -ENOMEM;
    long result = walk_user(directory, program_path, WALK_NO_FOLLOW | WALK_EMPTY, text, &path, NULL);
    if (!result) {
        struct inode *inode = path.dentry->inode;
        result = !is_symlink(inode) || !inode->ops->readlink ? -EINVAL : inode->ops->readlink(inode, text, PATH_MAX);
        if (result > size) result = size;
        if (result > 0 && user_copy_out(out, text, (size_t)result)) result = -EFAULT;
        path_put(path);
    }
    walk_buffer_free(text);
    return result;
}

SYSCALL_DEFINE(readlink, const char *path, char *out, int size) {
    return sys_readlinkat(AT_FDCWD, path, out, size);
}

/* The same from start code, with paths of the libOS's own. */
static int find_own(const char *path, struct place *place) {
    char *text = walk_buffer();
    if (!text) return -ENOMEM;
    size_t length = strlen(path);
    memcpy(text, path, length < PATH_MAX ? length + 1 : PATH_MAX);
    text[PATH_MAX - 1] = 0;
    return find_text(AT_FDCWD, text, place);
}

int vfs_make_device(const char *path, uint32_t mode, uint64_t number) {
    struct place place;
    int error = find_own(path, &place);
    if (error) return error;
    error = make_node(&place, mode, number);
    let_go(&place);
    return error;
}

int vfs_make_node(const char *path, uint32_t mode) { return vfs_make_device(path, mode, 0); }

int vfs_make_directory(const char *path, uint32_t mode) { return vfs_make_node(path, S_IFDIR | mode); }

int vfs_remove(const char *path) {
    struct place place;
    int error = find_own(path, &place);
    if (error) return error;
    error = (int)remove(&place, false);
    let_go(&place);
    return error;
}

int vfs_make_symlink(const char *target, const char *path) {
    struct place place;
    int error = find_own(path, &place);
    if (error) return error;
    error = make_symlink(&place, target);
    let_go(&place);
    return error;
}

int vfs_attach(const char *path, struct inode *inode) {
    struct place place;
    int error = find_own(path, &place);
    if (error) return error;
    struct inode *directory = place.parent.dentry->inode;
    error = check_new(&place, is_directory(inode));
    if (!error && !directory->ops->link) error = -EROFS;
    if (!error) error = directory->ops->link(directory, place.last.text, place.last.length, inode);
    if (!error) {
        inode->nlink--; /* link counted the name that it came with */
        error = made(&place, inode);
    }
    let_go(&place);
    return error;
}
