/* Private to vfs: dentries, mounts, the walk. */
#ifndef HULL_VFS_INTERNAL_H
#define HULL_VFS_INTERNAL_H
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vfs/vfs.h"

struct dentry {
    struct dentry *parent, *hash_next, *idle_next, *idle_previous;
    struct inode *inode;
    char *name;
    uint32_t hash, references;
    uint16_t name_length, mounts; /* mounts: how many are on it */
    bool hashed;                  /* false: root of a tree, or deleted */
    bool deleted;
};
struct mount {
    struct mount *next, *parent; /* next: in the order in which they came */
    struct dentry *on, *root; /* on: the dentry in `parent` that it covers; NULL for the first, and for one that was taken off */
    struct superblock *super;
    uint32_t references;      /* of paths in it, of mounts on it, and one of the list */
    uint32_t id, flags;       /* flags: MOUNT_* */
    const char *source;       /* as it was mounted; its own copy, NULL: the superblock's */
};
/* As mount(2) has them. */
enum { MOUNT_READ_ONLY = 1, MOUNT_NO_SETUID = 2, MOUNT_NO_DEVICES = 4, MOUNT_NO_EXECUTION = 8, MOUNT_NO_ACCESS_TIME = 1024,
       MOUNT_NO_DIRECTORY_TIME = 2048, MOUNT_RELATIVE_TIME = 1 << 21, MOUNT_KEPT = 0x200c0f };
struct name { const char *text; size_t length; };

struct dentry *dentry_root(struct inode *); /* takes the inode's reference */
void dentry_get(struct dentry *);
void dentry_put(struct dentry *);
int dentry_lookup(struct dentry *parent, struct name name, struct dentry **out); /* -ENOENT … */
/* A name that has just been made: takes the inode's reference in any case. */
int dentry_add(struct dentry *parent, struct name name, struct inode *inode, struct dentry **out);
void dentry_delete(struct dentry *); /* its name is gone; it lives on while it is used */
int dentry_move(struct dentry *, struct dentry *parent, struct name name);
bool dentry_is_below(const struct dentry *, const struct dentry *ancestor); /* or the same */

/* From looking for a name in a directory to what comes of it in the cache, nobody else changes or looks up a name there that is not cached: file systems sleep. Nests.
 * Several directories: that of the mount's root first, then by address. */
struct names_lock { struct names_lock *next; struct dentry *directory; struct thread *owner; };
void names_lock(struct names_lock *, struct dentry *directory);
void names_unlock(struct names_lock *);

void mount_get(struct mount *);
void mount_put(struct mount *);
void path_get(struct path);
void path_put(struct path); /* nothing for a path of NULLs */
bool path_read_only(struct path); /* the mount or the file system */
void dentry_forget(struct superblock *); /* its idle ones: nothing uses it any more */
int mount_add(struct superblock *, struct dentry *root, struct path on, uint32_t flags, const char *source, struct mount **out); /* takes `on` and `root` over in any case */
void mount_place(struct mount *, struct path on); /* moves it there; takes `on` over (NULLs: it becomes the root) */
void mount_detach(struct mount *); /* out of the tree, with the list's reference; those on it must be gone */
bool mount_is_below(const struct mount *, const struct mount *ancestor); /* or the same */
static inline bool path_same(struct path a, struct path b) { return a.mount == b.mount && a.dentry == b.dentry; }
struct path path_mounted(struct path); /* what is mounted on it, on top; moves the reference */

enum { WALK_NO_FOLLOW = 1, WALK_PARENT = 2, WALK_DIRECTORY = 4, WALK_EMPTY = 8 };
/* Follows `text` from `start`. WALK_PARENT: stops before the last name, which goes to *last (within `text`, or "." at the root). */
int walk_from(struct path start, const char *text, unsigned flags, struct path *out, struct name *last);
/* What openat2's RESOLVE_* flags forbid on the way. top: what the path may not leave; borrowed. */
enum { RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16, RESOLVE_CACHED = 32 };
struct walk_limits { unsigned resolve; struct path top; };
int walk_limited(struct path start, const char *text, unsigned flags, const struct walk_limits *, struct path *out, struct name *last);
/* A call's (directory descriptor, path): copies the path in. buffer: PATH_MAX bytes that *last points into. */
int walk_user(int directory, const char *program_path, unsigned flags, char *buffer, struct path *out, struct name *last);
/* The same with a path that is already here. */
int walk_at(int directory, const char *text, unsigned flags, struct path *out, struct name *last);
char *walk_buffer(void); /* PATH_MAX bytes, or NULL; free with walk_buffer_free */
void walk_buffer_free(char *);

enum { MAY_EXECUTE = 1, MAY_WRITE = 2, MAY_READ = 4 };
int inode_permission(const struct inode *, unsigned may); /* 0 or -EACCES; the effective user */
int may_change_directory(struct path directory); /* write and search permission, not read-only, not deleted */
bool owner_or_root(const struct inode *);
bool in_group(uint32_t gid); /* the effective or a supplementary group */
int sticky_forbids(const struct inode *directory, const struct inode *victim);
static inline bool is_directory(const struct inode *inode) { return (inode->mode & S_IFMT) == S_IFDIR; }
static inline bool is_symlink(const struct inode *inode) { return (inode->mode & S_IFMT) == S_IFLNK; }
static inline bool is_regular(const struct inode *inode) { return (inode->mode & S_IFMT) == S_IFREG; }
static inline bool is_device(const struct inode *inode) { return (inode->mode & S_IFMT) == S_IFCHR || (inode->mode & S_IFMT) == S_IFBLK; }
int device_open(struct inode *, uint32_t flags, struct file **out); /* by its number; -ENXIO: nobody has it */
static inline struct mount_view *view(void) { return current_process()->view; }

/* An open file of the VFS: data of struct file. */
struct open_file { struct path path; struct inode *inode; void *state; };
/* By `fifo`, where the program can make one. */
extern const struct file_ops fifo_ops __attribute__((weak));
extern __typeof(fifo_open) fifo_open __attribute__((weak));
#define O_MADE 0x40000000 /* within: the file was just made, its mode does not limit this opening */
int open_path(struct path path, uint32_t flags, struct file **out); /* takes the path's reference in any case */
bool file_is_vfs(const struct file *);
const struct path *file_place(struct file *); /* where it was opened, also a device; NULL: nowhere */
void file_set_place(struct file *, struct path place); /* a copy, when there is memory for it */
struct open_file *file_open_of(struct file *); /* NULL when it is not a VFS file */
int open_at(int directory, const char *text, uint32_t flags, uint32_t mode, struct file **out);
void inode_refresh(struct inode *); /* where others change it; an error leaves what is known */
void inode_fill_stat(struct inode *, struct linux_stat *out);
int inode_check_size(int64_t start, int64_t *end); /* RLIMIT_FSIZE for [start, *end), shortened to it; else -EFBIG, with SIGXFSZ */
int inode_truncate(struct inode *, int64_t size);
/* Before content goes from it: pages [first, end) go from all mappings (vm_forget_file). */
void inode_forget_mapped(const struct inode *, uint64_t first, uint64_t end, bool copies);
void xattrs_free(struct inode *);
long inode_seals(struct file *, unsigned command, unsigned long seals); /* F_ADD_SEALS, F_GET_SEALS */
long path_text(struct path path, char *out, size_t room);
extern struct mount *first_mount;
void mount_view_start(struct path root); /* the first process's root and working directory */
#endif
