/*
 * The root file system that the host gave: an EROFS image, in the boot module or on the first disk, under an overlay whose upper layer is a
 * tmpfs. devfs asks for it when it makes the root.
 */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "block/block.h"
#include "channel/channel.h"
#include "erofs/erofs.h"
#include "init/init.h"
#include "memory/memory.h"
#include "overlay/overlay.h"
#include "tmpfs/tmpfs.h"

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

struct superblock *rootfs_super(void) {
    const char *why = "no disk and no boot module has it";
    struct block_device *device = find_in_module();
    if (!device) device = block_find(""); /* volumes have names */
    struct superblock *lower = device ? erofs_open(device, 254 << 8, &why) : NULL;
    if (!lower) {
        log_line("Cannot mount the root file system: %s, expected an EROFS image", why);
        machine_exit(125 << 8);
    }
    struct superblock *upper = tmpfs_create(lower->root->mode & 07777, 21);
    struct superblock *root = upper ? overlay_create(lower, upper, 20) : NULL;
    if (!root) panic("rootfs: memory for the overlay, none left");
    return root;
}
