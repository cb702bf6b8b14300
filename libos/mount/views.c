/*
 * pivot_root(2): another mount becomes the root, for every process that had the old one; and what there is of namespaces: one of each kind, which can be neither
 * left nor entered (unshare(2), setns(2), as on a Linux that is built without them).
 */
#include "file/file.h"
#include "mount/internal.h"

static bool is_mount_root(struct path path) { return path.dentry == path.mount->root; }

static void replace(struct path *place, struct path old, struct path new) {
    if (!path_same(*place, old)) return;
    path_get(new);
    path_put(*place);
    *place = new;
}

/* new: the coming root; behind: where the old one goes, below it. */
static long pivot(struct path new, struct path behind) {
    struct path old = view()->root;
    if (!is_directory(new.dentry->inode) || !is_directory(behind.dentry->inode)) return -ENOTDIR;
    if (new.mount == old.mount || behind.mount == old.mount) return -EBUSY;
    if (!is_mount_root(old) || !is_mount_root(new) || !new.mount->parent) return -EINVAL;
    if (behind.mount == new.mount ? !dentry_is_below(behind.dentry, new.dentry) : !mount_is_below(behind.mount, new.mount)) return -EINVAL;
    if (!mount_is_below(new.mount, old.mount)) return -EINVAL;
    struct path above = { old.mount->parent, old.mount->on };
    if (above.dentry) path_get(above);
    path_get(behind);
    mount_place(new.mount, above);
    mount_place(old.mount, behind);
    for (struct process *p = &first_process; p; p = p->next)
        if (p->view) {
            replace(&p->view->root, old, new);
            replace(&p->view->cwd, old, new);
        }
    return 0;
}

SYSCALL_DEFINE(pivot_root, const char *new_root, const char *put_old) {
    struct path new, behind;
    if (current_process()->credentials.euid) return -EPERM;
    char *buffer = walk_buffer();
    if (!buffer) return -ENOMEM;
    long error = walk_user(AT_FDCWD, new_root, WALK_DIRECTORY, buffer, &new, NULL);
    if (!error) {
        error = walk_user(AT_FDCWD, put_old, WALK_DIRECTORY, buffer, &behind, NULL);
        if (!error) {
            struct path held = view()->root;
            path_get(held); /* its places change hands below */
            error = pivot(new, behind);
            path_put(held);
            path_put(behind);
        }
        path_put(new);
    }
    walk_buffer_free(buffer);
    return error;
}

enum { SHARE_MEMORY = 0x100, SHARE_VIEW = 0x200, SHARE_FILES = 0x400, SHARE_SIGNALS = 0x800, SHARE_THREAD = 0x10000, SHARE_SEMAPHORES = 0x40000 };
#define NAMESPACES 0x7e020080ul

SYSCALL_DEFINE(unshare, unsigned long flags) {
    struct process *self = current_process();
    if (flags & NAMESPACES) return self->credentials.euid ? -EPERM : -EINVAL;
    if (flags & ~(unsigned long)(SHARE_MEMORY | SHARE_VIEW | SHARE_FILES | SHARE_SIGNALS | SHARE_THREAD | SHARE_SEMAPHORES)) return -EINVAL;
    bool alone = !self->threads->next;
    if (flags & (SHARE_MEMORY | SHARE_SIGNALS | SHARE_THREAD) && !alone) return -EINVAL;
    if (!alone && flags & (SHARE_VIEW | SHARE_FILES)) return -EINVAL; /* threads have these of their process */
    if (flags & SHARE_VIEW && self->view->references > 1) {
        struct mount_view *own = mount_view_copy(self->view);
        if (!own) return -ENOMEM;
        mount_view_put(self->view);
        self->view = own;
    }
    if (flags & SHARE_FILES && self->files->references > 1) {
        struct file_table *own = file_table_copy(self->files);
        if (!own) return -ENOMEM;
        file_table_put(self->files);
        self->files = own;
    }
    return 0;
}

SYSCALL_DEFINE(setns, int descriptor, int kind) {
    (void)kind;
    return file_lookup(descriptor) ? -EINVAL : -EBADF;
}
