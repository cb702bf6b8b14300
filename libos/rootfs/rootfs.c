/*
 * The root file system that the host gave: an EROFS image, in the boot module, behind it on the disk that was booted, or on the first disk, under an overlay whose upper
 * layer is a tmpfs. devfs asks for it when it makes the root.
 */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "block/block.h"
#include "channel/channel.h"
#include "erofs/erofs.h"
#include "ext4/ext4.h"
#include "file/file.h"
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

struct place { uint64_t offset, size; }; /* HULL_MODULE_ROOTFS */

static const struct place *find_place(void) {
    size_t size;
    const struct place *place = boot_module_find(HULL_MODULE_ROOTFS, &size);
    if (!place || size < sizeof *place) return NULL;
    if (place->offset & (PAGE_SIZE - 1)) panic("rootfs: an image at a page of the boot module, at %lx", (unsigned long)place->offset);
    return place;
}

/* Its pages are used where they are. */
static struct block_device *find_in_module(const struct place *place) {
    static struct block_device device;
    if (place->offset > boot_module_size || place->size > boot_module_size - place->offset) return NULL;
    device.memory = phys_to_virt(boot_module_phys + place->offset);
    device.pages = place->size >> PAGE_SHIFT;
    return block_attach(&device) ? NULL : &device;
}

/* Pages of a disk from part_first on. */
static uint64_t part_first;
static int read_part(struct block_device *part, uint64_t first, void *const *pages, unsigned count) {
    struct block_device *disk = part->data;
    return disk->read(disk, part_first + first, pages, count);
}

static bool has_image(struct block_device *disk, uint64_t pages) {
    uint64_t physical;
    if (disk->memory || disk->pages < part_first + pages || block_get_page(disk, part_first, FILE_PAGE_READ, &physical)) return false;
    bool found = ((const uint32_t *)phys_to_virt(physical))[1024 / 4] == 0xe0f5e1e2; /* EROFS' magic number, where its superblock is */
    page_put(physical);
    return found;
}

/* On the disk that the machine was booted from, behind the module: the first disk that has an image there. */
static struct block_device *find_on_disk(const struct place *place) {
    static struct block_device part;
    size_t size;
    const uint64_t *start = boot_module_find(HULL_MODULE_DISK, &size);
    if (!start || size < sizeof *start) return NULL;
    part_first = (*start + place->offset) >> PAGE_SHIFT;
    struct block_device *disk = block_first();
    while (disk && !has_image(disk, place->size >> PAGE_SHIFT)) disk = disk->next;
    part = (struct block_device){ .pages = place->size >> PAGE_SHIFT, .read = read_part, .read_only = true, .data = disk };
    return disk && !block_attach(&part) ? &part : NULL;
}

static struct block_device *find_lower(void) {
    const struct place *place = find_place();
    if (!place) return block_find(""); /* volumes have names */
    struct block_device *device = find_in_module(place);
    return device ? device : find_on_disk(place);
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
    struct block_device *device = find_lower();
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
