/* Names of AF_UNIX sockets (unix(7)): inodes without content, to be bound and found by path. Apart, so that only sockets bring it in. */
#include "vfs/internal.h"

int vfs_make_socket(const char *path, struct inode **out) {
    struct path at;
    int error = vfs_make_node(path, S_IFSOCK | 0777);
    if (!error) error = walk_at(AT_FDCWD, path, WALK_NO_FOLLOW, &at, NULL);
    if (error) return error;
    inode_get(*out = at.dentry->inode);
    path_put(at);
    return 0;
}

int vfs_find_socket(const char *path, struct inode **out) {
    struct path at;
    int error = walk_at(AT_FDCWD, path, 0, &at, NULL);
    if (error) return error;
    struct inode *inode = at.dentry->inode;
    error = inode_permission(inode, MAY_WRITE);
    if (!error && (inode->mode & S_IFMT) != S_IFSOCK) error = -ECONNREFUSED;
    if (!error) inode_get(*out = inode);
    path_put(at);
    return error;
}
