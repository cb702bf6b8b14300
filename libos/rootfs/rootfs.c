/*
 * The root file system that the host gave: an EROFS image, in the boot module or on the first disk, under an overlay whose upper layer is a
 * tmpfs. devfs asks for it when it makes the root.
 */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "block/block.h"
#include "channel/channel.h"
#include "erofs/erofs.h"
#include "ext4/ext4.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "overlay/overlay.h"
#include "syscall/errno.h"
#include "tmpfs/tmpfs.h"

#pragma weak ext4_open

#pragma GCC visibility push(hidden)
struct superblock *rootfs_super(void);
extern uint64_t boot_module_phys, boot_module_size;
#pragma GCC visibility pop

/* In the boot module: its pages are used where they are. */
static struct block_device *find_in_module(void) {
    static struct block_device device;
    size_t size;
    const uint64_t *place = boot_module_find(HULL_MODULE_ROOTFS, &size);
    if (!place || size < 16) return NULL;
    if (place[0] & (PAGE_SIZE - 1) || place[0] > boot_module_size || place[1] > boot_module_size - place[0])
        panic("rootfs: an image within the boot module, at %lx of %lx bytes", (unsigned long)place[0], (unsigned long)boot_module_size);
    device.memory = phys_to_virt(boot_module_phys + place[0]);
    device.pages = place[1] >> PAGE_SHIFT;
    return block_attach(&device) ? NULL : &device;
}

/* A directory in the root of the disk's file system, made when it is missing. */
static int have_directory(struct superblock *super, const char *name, const struct inode *like, struct inode **out) {
    int error = super->root->ops->lookup(super->root, name, strlen(name), out);
    if (error != -ENOENT) return error;
    error = super->root->ops->create(super->root, name, strlen(name), S_IFDIR | (like->mode & 07777), 0, out);
    if (error) return error;
    (*out)->uid = like->uid, (*out)->gid = like->gid, (*out)->mtime = like->mtime;
    return (*out)->ops->changed(*out);
}

/* The writable layer on a disk, laid out as Linux's overlayfs wants it: so that Linux can go on with it. */
static struct superblock *open_upper(const char *name, const struct inode *lower_root, struct inode **top) {
    const char *why = "this image has not the component ext4";
    struct block_device *device = block_find(name);
    struct superblock *super = NULL;
    struct inode *work = NULL;
    int error = !ext4_open || !device ? -ENODEV : ext4_open(device, 21, false, &super, &why);
    if (!error) error = have_directory(super, "work", lower_root, &work);
    if (work) inode_put(work);
    if (!error) error = have_directory(super, "upper", lower_root, top);
    if (!error) return super;
    log_line("Cannot mount the root's writable layer: %s (error %d), expected an ext4 file system", super ? "its directories cannot be made" : why, -error);
    machine_exit(125 << 8);
}

struct superblock *rootfs_super(void) {
    const char *why = "no disk and no boot module has it";
    struct block_device *device = find_in_module();
    if (!device) device = block_find(""); /* volumes have names */
    struct superblock *lower = device ? erofs_open(device, 254 << 8, &why) : NULL;
    if (!lower) {
        log_line("Cannot mount the root file system: %s, expected an EROFS image", why);
        machine_exit(125 << 8);
    }
    struct inode *top = NULL;
    size_t size;
    const char *name = boot_module_find(HULL_MODULE_UPPER, &size);
    struct superblock *upper = name ? open_upper(name, lower->root, &top) : tmpfs_create(lower->root->mode & 07777, 21);
    struct superblock *root = upper ? overlay_create(lower, upper, top, 20) : NULL;
    if (!root) panic("rootfs: memory for the overlay, none left");
    return root;
}
