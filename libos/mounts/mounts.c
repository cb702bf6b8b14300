/*
 * The mounts that the boot module names (HULL_MODULE_MOUNTS), in its order, once the root is there. Targets are made where they are missing. A mount
 * that fails ends the machine: a program that writes into the void below a missing volume would lose what it writes.
 */
#include "9p/9p.h"
#include "abi/boot_abi.h"
#include "ext4/ext4.h"
#include "channel/channel.h"
#include "clock/clock.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "mounts/internal.h"
#include "syscall/errno.h"
#include "task/task.h"
#include "vfs/vfs.h"
#include "wait/wait.h"

#pragma weak block_find
#pragma weak ext4_open
#pragma weak p9_open
#pragma weak p9_transport_find

#define MS_RDONLY 1 /* mount(2) */
#define DEVICE_FIRST 64 /* st_dev of the first of them */
/* In a volume from before its first file is copied until after the last: what a machine that was killed left is known by it, and the host takes that away
 * before the next start (engine/volumes/unfinished.ts). */
#define FILLING ".hull-filling"
#define FILLING_MOST_NS 60000000000ull /* for another machine to be done */
#define FILLING_LOOK_NS 20000000ull

/* With the directories that lead there. */
static int make_target(const char *path, bool is_file) {
    char *text = page_alloc();
    if (!text) return -ENOMEM;
    int error = 0;
    uint32_t umask = current_process()->view->umask;
    current_process()->view->umask = 0;
    for (size_t i = 0; i < 4095 && (i == 0 || text[i - 1]) && (!error || error == -EEXIST); i++) {
        text[i] = path[i];
        if (!i || (path[i] != '/' && path[i])) continue;
        text[i] = 0;
        error = is_file && !path[i] ? vfs_make_node(text, S_IFREG | 0644) : vfs_make_directory(text, 0755);
        text[i] = path[i];
    }
    current_process()->view->umask = umask;
    page_put(virt_to_phys(text));
    return error == -EEXIST ? 0 : error;
}

static bool never(void *argument) { return argument != NULL; }

/* Another machine that is about to fill it has done so. */
static int await_filled(struct inode *root) {
    struct wait_queue nobody = { 0 };
    uint64_t limit = clock_monotonic_ns() + FILLING_MOST_NS;
    struct inode *marker;
    int error;
    while (!(error = root->ops->lookup(root, FILLING, sizeof FILLING - 1, &marker))) {
        inode_put(marker);
        uint64_t now = clock_monotonic_ns();
        if (now > limit) return -EBUSY;
        wait_until(&nobody, never, NULL, now + FILLING_LOOK_NS, false);
    }
    return error == -ENOENT ? 0 : error;
}

/* All of it, or the marker stays. */
static int fill_marked(struct superblock *super, struct inode *from) {
    struct inode *root = super->root, *marker;
    int error = root->ops->create(root, FILLING, sizeof FILLING - 1, S_IFREG | 0600, 0, &marker);
    if (error) return error == -EEXIST ? await_filled(root) : error;
    error = mounts_fill(from, root);
    if (!error && super->ops->sync) error = super->ops->sync(super);
    if (!error) error = root->ops->unlink(root, FILLING, sizeof FILLING - 1, marker);
    inode_put(marker);
    return error;
}

/* A new volume begins with what the image has at that place. */
static int fill_new(struct superblock *super, const char *target) {
    int empty = mounts_is_empty(super->root);
    struct file *below;
    if (empty <= 0) return empty ? empty : await_filled(super->root);
    int error = vfs_open(target, O_RDONLY | O_DIRECTORY, 0, &below);
    if (error) return error;
    int nothing = mounts_is_empty(file_inode(below));
    error = nothing ? mounts_fill(file_inode(below), super->root) : fill_marked(super, file_inode(below));
    file_put(below);
    return error;
}

/* The one file of a share that stands for a directory of such files. */
static int mount_file(struct superblock *super, const char *name, const char *target, uint32_t flags) {
    struct inode *inode;
    int error = make_target(target, true);
    if (!error) error = super->root->ops->lookup(super->root, name, strlen(name), &inode);
    return error ? error : vfs_mount_inode(super, inode, target, flags);
}

static int open_share(const struct hull_mount *what, const char *tag, uint64_t device, struct superblock **out) {
    struct p9_transport *transport = p9_transport_find ? p9_transport_find(tag) : NULL;
    uint32_t flags = (what->flags & HULL_MOUNT_READ_ONLY ? P9_READ_ONLY : 0) | (what->flags & HULL_MOUNT_OWN ? P9_OWN : 0);
    return transport ? p9_open(transport, &(struct p9_options){ flags, what->uid, what->gid, device }, out) : -ENODEV;
}

static const char *why; /* of the last failure, where there are words for it */

static int open_disk(const struct hull_mount *what, const char *name, uint64_t number, struct superblock **out) {
    struct block_device *device = ext4_open ? block_find(name) : NULL;
    if (!device) return -ENODEV;
    if ((*out = device->super)) { /* mounted a second time */
        inode_get((*out)->root);
        return 0;
    }
    int error = ext4_open(device, number, what->flags & HULL_MOUNT_READ_ONLY, out, &why);
    if (!error) device->super = *out;
    return error;
}

static int mount(const struct hull_mount *what, const char *source, const char *target, uint64_t device) {
    struct superblock *super = NULL;
    uint32_t flags = what->flags & HULL_MOUNT_READ_ONLY ? MS_RDONLY : 0;
    char tag[256] = "";
    const char *slash = what->kind == HULL_MOUNT_9P ? strchr(source, '/') : NULL;
    if (slash && slash - source < (long)sizeof tag) {
        memcpy(tag, source, (size_t)(slash - source));
        int error = open_share(what, tag, device, &super);
        return error ? error : mount_file(super, slash + 1, target, flags);
    }
    int error = make_target(target, false);
    if (error) return error;
    if (what->kind == HULL_MOUNT_TMPFS) {
        const struct filesystem *tmpfs = filesystem_find("tmpfs");
        error = tmpfs ? tmpfs->create("tmpfs", source, &super) : -ENODEV;
        if (error) return error;
    } else {
        error = what->kind == HULL_MOUNT_EXT4 ? open_disk(what, source, device, &super) : open_share(what, source, device, &super);
        if (error) return error;
        if (what->flags & HULL_MOUNT_FILL && (error = fill_new(super, target))) return error;
    }
    return vfs_mount(super, target, false, flags);
}

static void mounts_start(void) {
    size_t size, at = 0;
    const uint8_t *bytes = boot_module_find(HULL_MODULE_MOUNTS, &size);
    for (uint64_t device = DEVICE_FIRST; bytes && size - at > sizeof(struct hull_mount); device++) {
        const struct hull_mount *what = (const struct hull_mount *)(bytes + at);
        const char *source = (const char *)(what + 1), *target = source + strlen(source) + 1;
        int error = mount(what, source, target, device);
        if (error) {
            if (why) log_line("Cannot mount a volume at \"%s\": %s (error %d), expected an ext4 file system", target, why, -error);
            else log_line("Cannot mount a volume at \"%s\": error %d, expected a directory that can be one", target, -error);
            machine_exit(125 << 8);
        }
        at = ((size_t)(target + strlen(target) + 1 - (const char *)bytes) + 7) & ~7ul;
    }
    if (boot_flags() & HULL_FLAG_READ_ONLY) vfs_keep_root();
}

HULL_INIT(7, mounts_start);
