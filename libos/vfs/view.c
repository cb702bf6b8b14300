/* What a process sees of the tree: its root, working directory, umask; and paths as texts. */
#include "vfs/internal.h"

static struct mount_view first_view = { .references = 1, .umask = 022 };

void mount_view_start(struct path root) {
    path_get(root);
    path_get(root);
    path_put(first_view.root);
    path_put(first_view.cwd);
    first_view.root = first_view.cwd = root;
    first_process.view = &first_view;
}

struct mount_view *mount_view_copy(const struct mount_view *from) {
    struct mount_view *copy = kmalloc(sizeof *copy);
    if (!copy) return NULL;
    *copy = *from;
    copy->references = 1;
    path_get(copy->root);
    path_get(copy->cwd);
    return copy;
}

void mount_view_put(struct mount_view *view) {
    if (--view->references) return;
    path_put(view->root);
    path_put(view->cwd);
    if (view != &first_view) kfree(view);
}

/* Written from the end of the buffer backwards, then moved to its start. NUL-ended; the length counts the NUL, as getcwd does. */
long path_text(struct path path, char *out, size_t room) {
    struct path root = view()->root;
    size_t at = room;
    if (room < 2) return -ERANGE;
    out[--at] = 0;
    while (!path_same(path, root)) {
        struct dentry *dentry = path.dentry;
        if (dentry == path.mount->root) {
            if (!path.mount->on) break;
            path = (struct path){ path.mount->parent, path.mount->on };
            continue;
        }
        if (dentry->name_length + 1u > at) return -ERANGE;
        at -= dentry->name_length;
        memcpy(out + at, dentry->name, dentry->name_length);
        out[--at] = '/';
        path.dentry = dentry->parent;
    }
    if (at == room - 1) out[--at] = '/';
    memmove(out, out + at, room - at);
    return (long)(room - at);
}

SYSCALL_DEFINE(getcwd, char *out, size_t size) {
    struct path cwd = view()->cwd;
    if (cwd.dentry->deleted) return -ENOENT;
    char *buffer = walk_buffer();
    if (!buffer) return -ENOMEM;
    long length = path_text(cwd, buffer, PATH_MAX);
    if (length > 0 && (size_t)length > size) length = -ERANGE;
    if (length > 0 && user_copy_out(out, buffer, (size_t)length)) length = -EFAULT;
    walk_buffer_free(buffer);
    return length;
}

static long enter(struct path path, struct path *place) {
    int error = is_directory(path.dentry->inode) ? inode_permission(path.dentry->inode, MAY_EXECUTE) : -ENOTDIR;
    if (error) {
        path_put(path);
        return error;
    }
    path_put(*place);
    *place = path;
    return 0;
}

static long enter_text(const char *program_path, struct path *place) {
    char *buffer = walk_buffer();
    struct path path;
    if (!buffer) return -ENOMEM;
    int error = walk_user(AT_FDCWD, program_path, WALK_DIRECTORY, buffer, &path, NULL);
    walk_buffer_free(buffer);
    return error ? error : enter(path, place);
}

int vfs_enter(const char *text) {
    struct path path;
    int error = walk_at(AT_FDCWD, text, WALK_DIRECTORY, &path, NULL);
    return error ? error : (int)enter(path, &view()->cwd);
}

SYSCALL_DEFINE(chdir, const char *path) {
    return enter_text(path, &view()->cwd);
}

SYSCALL_DEFINE(chroot, const char *path) {
    return current_process()->credentials.euid ? -EPERM : enter_text(path, &view()->root);
}

SYSCALL_DEFINE(fchdir, int descriptor) {
    struct file *file = file_lookup_any(descriptor);
    if (!file) return -EBADF;
    struct open_file *open = file_open_of(file);
    if (!open) return -ENOTDIR;
    path_get(open->path);
    return enter(open->path, &view()->cwd);
}

SYSCALL_DEFINE(umask, uint32_t mask) {
    uint32_t old = view()->umask;
    view()->umask = mask & 0777;
    return old;
}
