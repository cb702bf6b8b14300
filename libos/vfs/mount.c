/*
 * Mounts: which tree lies on which directory. Owns the list, in the order in which they came. A mount lives while a path is in it or
 * another mount is on it; its superblock goes with its last mount. The calls for it are the component `mount`'s.
 */
#include "vfs/internal.h"
#include "vfs/notify.h"

struct mount *first_mount;

void mount_get(struct mount *mount) { mount->references++; }

static void super_put(struct superblock *super) {
    if (--super->mounts || !super->ops || !super->ops->release) return;
    if (inotify_super_gone) inotify_super_gone(super);
    dentry_forget(super);
    super->ops->release(super);
}

void mount_put(struct mount *mount) {
    if (--mount->references) return;
    struct superblock *super = mount->super;
    dentry_put(mount->root);
    kfree((char *)mount->source);
    kfree(mount);
    super_put(super);
}

void path_get(struct path path) {
    dentry_get(path.dentry);
    mount_get(path.mount);
}

void path_put(struct path path) {
    if (!path.dentry) return;
    dentry_put(path.dentry);
    mount_put(path.mount);
}

bool path_read_only(struct path path) {
    const struct superblock *super = path.dentry->inode->super;
    return path.mount->flags & MOUNT_READ_ONLY || (super && super->read_only);
}

struct path path_mounted(struct path path) {
    while (path.dentry->mounts) {
        struct mount *mount = NULL; /* the youngest lies on top */
        for (struct mount *at = first_mount; at; at = at->next)
            if (at->on == path.dentry && at->parent == path.mount) mount = at;
        if (!mount) break;
        struct path to = { mount, mount->root };
        path_get(to);
        path_put(path);
        path = to;
    }
    return path;
}

bool mount_is_below(const struct mount *mount, const struct mount *ancestor) {
    for (; mount; mount = mount->parent)
        if (mount == ancestor) return true;
    return false;
}

int mount_add(struct superblock *super, struct dentry *root, struct path on, uint32_t flags, const char *source, struct mount **out) {
    static uint32_t last_id = 20;
    struct mount *mount = kzalloc(sizeof *mount), **end = &first_mount;
    size_t size = source ? strlen(source) + 1 : 0;
    char *copy = size ? kmalloc(size) : NULL;
    if (!mount || (size && !copy)) {
        kfree(mount);
        kfree(copy);
        dentry_put(root);
        path_put(on);
        return -ENOMEM;
    }
    if (copy) memcpy(copy, source, size);
    *mount = (struct mount){ .parent = on.mount, .on = on.dentry, .root = root, .super = super, .references = 1, .id = ++last_id,
                             .flags = flags, .source = copy };
    super->mounts++;
    while (*end) end = &(*end)->next;
    *end = mount;
    if (on.dentry) on.dentry->mounts++;
    *out = mount;
    return 0;
}

void mount_place(struct mount *mount, struct path on) {
    struct path before = { mount->parent, mount->on };
    mount->parent = on.mount;
    mount->on = on.dentry;
    if (on.dentry) on.dentry->mounts++;
    if (before.dentry) before.dentry->mounts--;
    path_put(before);
}

void mount_detach(struct mount *mount) {
    struct path on = { mount->parent, mount->on };
    struct mount **at = &first_mount;
    while (*at != mount) at = &(*at)->next;
    *at = mount->next;
    mount->parent = NULL;
    mount->on = NULL;
    if (on.dentry) on.dentry->mounts--;
    path_put(on);
    mount_put(mount);
}

int vfs_mount(struct superblock *super, const char *text, bool as_root, uint32_t flags) {
    struct path on = { NULL, NULL };
    struct mount *mount;
    int error = as_root ? 0 : walk_at(AT_FDCWD, text, WALK_DIRECTORY, &on, NULL);
    if (error) return error;
    struct dentry *root = dentry_root(super->root);
    if (!root) {
        path_put(on);
        return -ENOMEM;
    }
    error = mount_add(super, root, on, flags, NULL, &mount);
    if (!error && as_root) mount_view_start((struct path){ mount, root });
    return error;
}

void vfs_keep_root(void) { first_mount->flags |= MOUNT_READ_ONLY; }

int vfs_mount_inode(struct superblock *super, struct inode *inode, const char *text, uint32_t flags) {
    struct path on;
    struct mount *mount;
    int error = walk_at(AT_FDCWD, text, is_directory(inode) ? WALK_DIRECTORY : 0, &on, NULL);
    if (!error && is_directory(on.dentry->inode) != is_directory(inode)) {
        path_put(on);
        error = -EISDIR;
    }
    struct dentry *root = error ? NULL : dentry_root(inode); /* gives the inode up when it fails */
    if (root) return mount_add(super, root, on, flags, NULL, &mount);
    if (error) inode_put(inode);
    else path_put(on);
    return error ? error : -ENOMEM;
}

int vfs_sync(void) {
    int result = 0;
    for (struct mount *mount = first_mount; mount; mount = mount->next) {
        struct superblock *super = mount->super;
        int error = super->ops && super->ops->sync ? super->ops->sync(super) : 0;
        if (!result) result = error;
    }
    return result;
}
