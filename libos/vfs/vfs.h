/*
 * The virtual file system: names, mounts, inodes, open regular files. File systems (tmpfs, devfs; read-only images, overlays and 9P to
 * come) give inode_ops; everything that a path call does is here, once.
 *
 * Objects: an inode is a file's identity; a dentry is a name in a directory (cached, a tree); a mount puts a tree on a dentry; a path
 * is a dentry in a mount. All are reference-counted; functions that return one give a reference unless they say "borrowed".
 * Context: calls, may sleep. Locks: one for each superblock's tree and one for the dentry cache when there is more than one CPU; today the
 * only points where a call can be interrupted are inside user_copy_* and file-system operations that sleep.
 */
#ifndef HULL_VFS_VFS_H
#define HULL_VFS_VFS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "abi/linux_file.h"
#include "file/file.h"
#include "init/init.h"

struct inode; struct inode_locks; struct inotify_watch; struct extended; struct dentry; struct mount; struct superblock;
struct path { struct mount *mount; struct dentry *dentry; };

/* Receives directory entries; false: full, the entry was not taken. offset: the position after this entry. */
struct dirent_sink { bool (*add)(struct dirent_sink *, const char *name, size_t length, uint64_t ino, uint32_t mode, int64_t offset); };

/* Absent operations: -EROFS for what changes a directory, -EINVAL for the rest unless said. Names are not NUL-ended. */
struct inode_ops {
    /* Directories. lookup: -ENOENT when there is no such name. */
    int (*lookup)(struct inode *directory, const char *name, size_t length, struct inode **out);
    int (*create)(struct inode *directory, const char *name, size_t length, uint32_t mode, uint64_t rdev, struct inode **out);
    int (*symlink)(struct inode *directory, const char *name, size_t length, const char *target, struct inode **out);
    int (*link)(struct inode *directory, const char *name, size_t length, struct inode *target);
    int (*unlink)(struct inode *directory, const char *name, size_t length, struct inode *victim); /* also empty directories: else -ENOTEMPTY */
    int (*rename)(struct inode *from, const char *name, size_t length, struct inode *moved, struct inode *to, const char *new_name,
                  size_t new_length, struct inode *replaced, bool exchange); /* replaced: NULL or what is there */
    int (*iterate)(struct inode *directory, int64_t position, struct dirent_sink *sink); /* "." and ".." included */
    /* Symbolic links: the text, not NUL-ended; its length. */
    long (*readlink)(struct inode *, char *out, size_t room);
    /* Regular files: pages, as file_ops.get_page; a file system without pages has read and write (program memory) instead. */
    int (*get_page)(struct inode *, uint64_t index, int how, uint64_t *physical);
    int64_t (*seek_data)(struct inode *, int64_t offset, bool hole); /* next data or hole from offset, which is below the size; -ENXIO: only a hole left. Absent: all is data */
    long (*read)(struct inode *, void *program, size_t size, int64_t position);
    long (*write)(struct inode *, const void *program, size_t size, int64_t position);
    int (*truncate)(struct inode *, int64_t size); /* shrinks or grows; sets inode->size */
    int (*allocate)(struct inode *, int64_t start, int64_t length, bool punch); /* absent: -EOPNOTSUPP */
    int (*temporary)(struct inode *directory, uint32_t mode, struct inode **out); /* a regular file without a name (O_TMPFILE); absent: -EOPNOTSUPP */
    /* Which inode keeps the extended attributes (`xattrs`): itself, or what it stands for. *out NULL: there are none. Absent: -EOPNOTSUPP */
    int (*attribute_holder)(struct inode *, bool changes, struct inode **out);
    int (*attributes_changed)(struct inode *); /* extended ones, of the holder; an error takes the change back. Absent: they live in the inode only */
    /* Instead of both, for a file system that others change behind our back. get: a copy of the value, or for the name "" of all names, each with its NUL,
     * for kfree; its size or -errno; a NUL is behind it. set: value NULL takes it away; flags as setxattr(2)'s. */
    long (*get_attribute)(struct inode *, const char *name, uint8_t **out);
    int (*set_attribute)(struct inode *, const char *name, const void *value, size_t size, int flags);
    int (*changed)(struct inode *); /* mode, owner or times were set; absent: they live in the inode only */
    int (*sync)(struct inode *, bool data_only); /* data_only: what reading the content back does not need may wait; absent: nothing to do */
    /* For file systems that others change behind our back. refresh: fetches the attributes anew; -ENOENT, -ESTALE: the name by which it was found
     * leads elsewhere now. opened, closed: an open file of it (directory or regular) begins and ends; an error refuses the opening. */
    int (*refresh)(struct inode *);
    int (*opened)(struct inode *, uint32_t flags);
    void (*closed)(struct inode *, uint32_t flags);
    int (*prepare_write)(struct inode *, bool truncates); /* it is about to be opened for writing; absent: nothing to do */
    uint64_t (*blocks)(struct inode *); /* of 512 bytes; absent: from the size */
    /* Devices, descriptors: a file of their own, flags as in open. */
    int (*open)(struct inode *, uint32_t flags, struct file **out);
    /* A link that is not a text but a place (/proc/self/cwd): 0 with a referenced path, at which the walk goes on; -ENXIO: it has none, `target` or the
     * text counts; another error ends the walk. */
    int (*jump)(struct inode *, struct path *out);
    /* A link that leads to a file without a place (a pipe in /proc/self/fd): borrowed. Walks end there; stat and open use the file. */
    struct file *(*target)(struct inode *);
    /* Content that is made for each opening, instead of read and write. *state is the opening's own, NULL at first. */
    long (*read_opened)(struct inode *, void **state, void *program, size_t size, int64_t position);
    long (*write_opened)(struct inode *, void **state, const void *program, size_t size, int64_t position);
    void (*close_opened)(struct inode *, void *state);
    void (*release)(struct inode *); /* last reference gone; frees it */
};
struct inode {
    const struct inode_ops *ops;
    struct superblock *super;
    uint64_t ino, rdev;
    uint32_t mode, uid, gid, nlink, references;
    int64_t size;
    struct linux_timespec atime, mtime, ctime, btime;
    void *data; /* the file system's */
    struct inode_locks *locks; /* of the component `file-locks`; NULL: none */
    struct inotify_watch *watches; /* of the component `inotify`; NULL: none */
    struct extended *xattrs;   /* vfs's; NULL: none */
    uint8_t seals;             /* SEAL_*; only files that live in memory have some */
    bool linkable;             /* has no name, and may get one (O_TMPFILE) */
};
/* fcntl(2)'s F_SEAL_*. SEAL_KIND: seals can be asked for at all. */
enum { SEAL_SEAL = 1, SEAL_SHRINK = 2, SEAL_GROW = 4, SEAL_WRITE = 8, SEAL_FUTURE_WRITE = 16, SEAL_EXEC = 32, SEAL_ALL = 63, SEAL_KIND = 128 };
struct super_ops {
    void (*statfs)(struct superblock *, struct linux_statfs *out);
    size_t (*options)(struct superblock *, char *out, size_t room); /* ",size=1024k": what it adds in /proc/mounts; absent: nothing */
    int (*remount)(struct superblock *, const char *options);       /* new options (mount(2)'s text); absent: none are taken */
    bool fixed_read_only;                                           /* cannot be made writable */
    bool whiteouts;                                                 /* may be an overlay's upper layer: renameat2 leaves whiteouts */
    void (*release)(struct superblock *);                           /* its last mount is gone, and so is its root; frees it. Absent: it stays */
    int (*sync)(struct superblock *); /* what is not written yet; absent: nothing is kept back */
    int (*hold)(struct superblock *); /* inodes_hold and inodes_settle; both absent: nothing of it outlives the machine, or it cannot */
    void (*settle)(struct superblock *);
};
struct superblock {
    const struct super_ops *ops;
    const char *kind;  /* "tmpfs", as /proc/mounts shows it */
    uint64_t device;   /* st_dev */
    struct inode *root;
    bool read_only;
    void *data;
    const char *source; /* as /proc/mounts shows it; NULL: the kind */
    uint32_t mounts;    /* vfs's: how many show it */
};

/* What a process sees: its root, its working directory, its umask. Shared by reference (CLONE_FS) or copied (fork). */
struct mount_view { uint32_t references; uint32_t umask; struct path root, cwd; };
struct mount_view *mount_view_copy(const struct mount_view *); /* NULL: out of memory */
void mount_view_put(struct mount_view *);

/* For start code and other components; paths in libOS memory, relative to the current process's working directory. */
int vfs_open(const char *path, uint32_t flags, uint32_t mode, struct file **out); /* as open(2) */
/* A regular file that the process may execute, for exec: also where it may not read it. -EACCES otherwise, as execve. */
void vfs_forget_idle(void); /* names that nobody uses, and their inodes, leave the cache */
int vfs_open_program(const char *path, struct file **out, uint64_t *size);
/* Ids that such a file's set-user-ID and set-group-ID bits (execve(2)) name; those that it does not name, or that its mount does not let it, stay as they are. */
void vfs_program_ids(struct file *, uint32_t *user, uint32_t *group);
int vfs_enter(const char *path); /* chdir */
int vfs_stat(const char *path, struct linux_stat *out);
int vfs_make_directory(const char *path, uint32_t mode);
int vfs_make_node(const char *path, uint32_t mode); /* of any kind */
long vfs_make_node_at(int directory, const char *program_path, uint32_t mode, uint64_t device); /* mknodat(2) */
int vfs_make_device(const char *path, uint32_t mode, uint64_t number);
int vfs_make_symlink(const char *target, const char *path);
int vfs_remove(const char *path); /* as unlink(2): the name itself, also when it is a link */
int vfs_write_file(const char *path, const void *content, size_t size, uint32_t mode); /* creates or replaces */
int vfs_attach(const char *path, struct inode *inode); /* gives a ready inode (of any kind) a name; takes the reference on success */
/* A socket's name, for AF_UNIX: makes it (-EEXIST), finds it (-ECONNREFUSED: not a socket; -EACCES: not writable). *out is referenced. */
int vfs_make_socket(const char *path, struct inode **out);
int vfs_find_socket(const char *path, struct inode **out);
/* By `fifo`: opens one, may sleep; its file's data begins with a struct open_file, which takes the path's reference on success. */
struct open_file;
int fifo_open(struct open_file *, uint32_t flags, struct file **out);
/* One file or directory of it over another of the same kind; takes over the inode's reference in any case. */
int vfs_mount_inode(struct superblock *, struct inode *, const char *path, uint32_t flags);
void vfs_keep_root(void); /* from now on nothing is written to the root mount; what is mounted on it has flags of its own */
int vfs_mount(struct superblock *, const char *path, bool as_root, uint32_t flags); /* takes over super->root's reference; flags as mount(2) */
int vfs_sync(void); /* all file systems; the first error */
struct inode *file_inode(struct file *); /* borrowed; NULL when the file has none (pipe, console) */
/* Into libOS memory: what exec and its like read with. Bytes (short at the end) or -errno. */
long vfs_read_at(struct file *, void *to, size_t size, int64_t position);
/* The path by which a file was opened, as getcwd gives it: length or -errno. -EINVAL for files without one. */
long vfs_file_path(struct file *, char *out, size_t room);
int vfs_path_of(struct file *, struct path *out); /* referenced; -ENXIO for files without one */
int vfs_stat_of(struct file *, struct linux_stat *out); /* of the place where it was opened, also a device's; -ENXIO: none */
bool vfs_may_map_code(struct file *); /* false: it was opened on a mount with noexec */
void vfs_path_get(struct path);
void vfs_path_put(struct path);
unsigned vfs_mount_id(struct file *); /* as in mountinfo; 0 for files without a path */
/* As /proc/PID/cwd shows it, " (deleted)" where that is so; NUL-ended. Length without the NUL, or -ERANGE. */
long vfs_path_text(struct path, char *out, size_t room);

/* Kinds of file systems, for mount(2) and /proc/filesystems. create: options is mount(2)'s text, "" without one. */
struct filesystem { const char *name; bool needs_device; int (*create)(const char *source, const char *options, struct superblock **out); };
#define HULL_FILESYSTEM(name) HULL_REGISTER(filesystem, 5, struct filesystem, name)
const struct filesystem *filesystem_find(const char *name); /* NULL: none */
/* What is mounted at the start, by devfs, in the order of the table (0..9: 1 /proc, 2 /dev, 3 below it, 4 /sys, 5 below it). */
struct default_mount { const char *path, *filesystem, *options; uint32_t mode, flags; }; /* mode: of the mount point, when it has to be made */
#define HULL_DEFAULT_MOUNT(order, name) HULL_REGISTER(default_mount, order, struct default_mount, name)
/* Device numbers: what opening a node of that number does, wherever the node is. A name is one in /dev, made at the start. */
struct device_entry {
    const char *name; /* NULL: none */
    uint32_t mode;    /* S_IFCHR or S_IFBLK, and permissions */
    uint16_t major, minor, count; /* count: how many minor numbers; 0 is 1 */
    int (*open)(struct inode *, uint32_t flags, struct file **out);
};
#define HULL_DEVICE(name) HULL_REGISTER(device, 5, struct device_entry, name)

/* For file systems. */
struct inode *inode_create(const struct inode_ops *ops, struct superblock *super, uint32_t mode); /* times and owner now; NULL: out of memory */
void inode_get(struct inode *);
void inode_put(struct inode *);
uint64_t inode_number_next(void);
/* Extended attributes as the inode has them, in memory. set: takes a copy; 0 or -ENOMEM. next: after `previous` (NULL: the first); NULL: no more. */
struct xattr_view { const char *name; size_t length; const void *value; size_t size; };
int inode_xattr_set(struct inode *, const char *name, size_t length, const void *value, size_t size);
const struct extended *inode_xattr_next(const struct inode *, const struct extended *previous, struct xattr_view *out);
struct linux_timespec vfs_now(void);
int inode_copy(struct inode *from, struct inode *to, int64_t size); /* the first `size` bytes of a regular file; `from` has pages. 0 or -errno */
/* Changes until inodes_settle that a sudden end of the machine finds all or none of, where the file system outlives it. Short: nobody else changes it meanwhile. */
int inodes_hold(struct superblock *);
void inodes_settle(struct superblock *);
#endif
