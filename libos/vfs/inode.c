/* Inodes: reference counts, attributes, who may do what (the effective user, as Linux checks: path_resolution(7)). */
#include "vfs/internal.h"
#include "clock/clock.h"
#include "signal/signal.h"
#include "vm/vm.h"
#pragma weak vm_forget_file

uint64_t inode_number_next(void) {
    static uint64_t last = 1;
    return last++;
}

struct linux_timespec vfs_now(void) {
    uint64_t now = clock_realtime_ns();
    return (struct linux_timespec){ (int64_t)(now / 1000000000), (int64_t)(now % 1000000000) };
}

struct inode *inode_create(const struct inode_ops *ops, struct superblock *super, uint32_t mode) {
    struct inode *inode = kzalloc(sizeof *inode);
    if (!inode) return NULL;
    inode->ops = ops;
    inode->super = super;
    inode->ino = inode_number_next();
    inode->mode = mode;
    inode->references = inode->nlink = 1;
    inode->uid = current_process()->credentials.euid;
    inode->gid = current_process()->credentials.egid;
    inode->atime = inode->mtime = inode->ctime = inode->btime = vfs_now();
    return inode;
}

void inode_get(struct inode *inode) {
    inode->references++;
}

void inode_refresh(struct inode *inode) {
    if (inode->ops->refresh) inode->ops->refresh(inode);
}

void inode_put(struct inode *inode) {
    if (--inode->references) return;
    if (inode->xattrs) xattrs_free(inode);
    inode->ops->release(inode);
}

int inode_copy(struct inode *from, struct inode *to, int64_t size) {
    bool before = current_thread()->own_memory;
    int error = 0;
    current_thread()->own_memory = true; /* what write is given is ours */
    for (int64_t at = 0; !error && at < size; at += (int64_t)PAGE_SIZE) {
        size_t piece = size - at < (int64_t)PAGE_SIZE ? (size_t)(size - at) : PAGE_SIZE;
        uint64_t physical;
        if ((error = from->ops->get_page(from, (uint64_t)at >> PAGE_SHIFT, FILE_PAGE_READ, &physical))) break;
        long written = to->ops->write(to, phys_to_virt(physical), piece, at);
        if (written != (long)piece) error = written < 0 ? (int)written : -EIO;
        page_put(physical);
    }
    current_thread()->own_memory = before;
    return error;
}

int inodes_hold(struct superblock *super) {
    return super->ops->hold ? super->ops->hold(super) : 0;
}

void inodes_settle(struct superblock *super) {
    if (super->ops->hold) super->ops->settle(super);
}

bool in_group(uint32_t gid) {
    const struct credentials *who = &current_process()->credentials;
    if (gid == who->egid) return true;
    for (uint32_t i = 0; i < who->group_count; i++)
        if (who->groups[i] == gid) return true;
    return false;
}

int inode_permission(const struct inode *inode, unsigned may) {
    uint32_t uid = current_process()->credentials.euid, mode = inode->mode;
    if (uid == 0) { /* the superuser needs an execute bit somewhere to execute a file */
        if (may & MAY_EXECUTE && !is_directory(inode) && !(mode & 0111)) return -EACCES;
        return 0;
    }
    uint32_t bits = uid == inode->uid ? mode >> 6 : in_group(inode->gid) ? mode >> 3 : mode;
    return (bits & may) == may ? 0 : -EACCES;
}

bool owner_or_root(const struct inode *inode) {
    uint32_t uid = current_process()->credentials.euid;
    return uid == 0 || uid == inode->uid;
}

int may_change_directory(struct path directory) {
    const struct inode *inode = directory.dentry->inode;
    if (directory.dentry->deleted) return -ENOENT;
    if (path_read_only(directory)) return -EROFS;
    return inode_permission(inode, MAY_WRITE | MAY_EXECUTE);
}

int sticky_forbids(const struct inode *directory, const struct inode *victim) {
    return directory->mode & S_ISVTX && !owner_or_root(directory) && !owner_or_root(victim) ? -EPERM : 0;
}

void inode_fill_stat(struct inode *inode, struct linux_stat *out) {
    uint64_t blocks = inode->ops->blocks ? inode->ops->blocks(inode) : ((uint64_t)inode->size + 511) / 512;
    *out = (struct linux_stat){
        .dev = inode->super ? inode->super->device : 0, .ino = inode->ino, .nlink = inode->nlink, .mode = inode->mode, .uid = inode->uid,
        .gid = inode->gid, .rdev = inode->rdev, .size = inode->size, .blksize = 4096, .blocks = (int64_t)blocks,
        .atime = inode->atime, .mtime = inode->mtime, .ctime = inode->ctime,
    };
}

/* By `system` and `signal`, where they are in the image. */
uint64_t limit_file_size(const struct process *) __attribute__((weak));
extern __typeof(signal_raise) signal_raise __attribute__((weak));

int inode_check_size(int64_t start, int64_t *end) {
    const struct process *process = current_process();
    uint64_t most = process->limits && limit_file_size ? limit_file_size(process) : ~0ull;
    if ((uint64_t)*end <= most) return 0;
    if ((uint64_t)start < most) {
        *end = (int64_t)most;
        return 0;
    }
    if (signal_raise) signal_raise(SIGXFSZ);
    return -EFBIG;
}

static bool shows(struct file *file, const void *inode) { return file_inode(file) == inode; }

void inode_forget_mapped(const struct inode *inode, uint64_t first, uint64_t end, bool copies) {
    if (vm_forget_file) vm_forget_file(shows, inode, first, end, copies);
}

int inode_truncate(struct inode *inode, int64_t size) {
    if (size < 0) return -EINVAL;
    if (is_directory(inode)) return -EISDIR;
    if (!is_regular(inode) || !inode->ops->truncate) return -EINVAL;
    if (inode->seals & SEAL_SHRINK && size < inode->size) return -EPERM;
    if (inode->seals & SEAL_GROW && size > inode->size) return -EPERM;
    int64_t end = size;
    int error = size > inode->size ? inode_check_size(size, &end) : 0;
    if (!error && size < inode->size) inode_forget_mapped(inode, ((uint64_t)size + PAGE_SIZE - 1) >> PAGE_SHIFT, ~0ull, true);
    if (!error) error = inode->ops->truncate(inode, size);
    if (!error) inode->mtime = inode->ctime = vfs_now();
    return error;
}
