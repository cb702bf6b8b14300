/* Private to vfs: telling who watches, where the component `inotify` is in the image. */
#ifndef HULL_VFS_NOTIFY_H
#define HULL_VFS_NOTIFY_H
#include "inotify/inotify.h"
#pragma weak inotify_tell
#pragma weak inotify_tell_inode
#pragma weak inotify_tell_name
#pragma weak inotify_cookie
#pragma weak inotify_name_gone
#pragma weak inotify_inode_gone
#pragma weak inotify_super_gone

static inline void notify(struct dentry *dentry, uint32_t event) {
    if (inotify_tell) inotify_tell(dentry, event);
}
static inline void notify_inode(struct inode *inode, uint32_t event) {
    if (inotify_tell_inode) inotify_tell_inode(inode, event);
}
static inline void notify_name(struct inode *directory, uint32_t event, const char *name, size_t length, bool is_directory) {
    if (inotify_tell_name) inotify_tell_name(directory, event, 0, name, length, is_directory);
}
#endif
