/*
 * What the VFS tells of changes, for who watches. Called through weak references (vfs/notify.h): images without inotify pay nothing, others one
 * look while nothing is watched. Context: calls. Nothing here fails: what cannot be kept becomes an overflow event.
 */
#ifndef HULL_INOTIFY_INOTIFY_H
#define HULL_INOTIFY_INOTIFY_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
struct dentry; struct inode; struct superblock;
enum { IN_ACCESS = 1, IN_MODIFY = 2, IN_ATTRIB = 4, IN_CLOSE_WRITE = 8, IN_CLOSE_NOWRITE = 0x10, IN_OPEN = 0x20, IN_MOVED_FROM = 0x40, IN_MOVED_TO = 0x80,
       IN_CREATE = 0x100, IN_DELETE = 0x200, IN_DELETE_SELF = 0x400, IN_MOVE_SELF = 0x800, IN_ALL = 0xfff };
void inotify_tell(struct dentry *, uint32_t event); /* of what has this name: its directory's watches with the name, then its own */
void inotify_tell_inode(struct inode *, uint32_t event); /* its own watches only */
void inotify_tell_name(struct inode *directory, uint32_t event, uint32_t cookie, const char *name, size_t length, bool is_directory);
uint32_t inotify_cookie(void); /* for the two events of a rename */
void inotify_name_gone(struct dentry *); /* a deleted name: watches no longer keep it */
void inotify_inode_gone(struct inode *); /* no name and no user any more */
void inotify_super_gone(const struct superblock *); /* its last mount is gone: its watches end, and with them what they held */
#endif
