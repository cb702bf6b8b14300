/* The tables of what components give: devices by number, file systems by name. */
#include "vfs/internal.h"

#pragma GCC visibility push(hidden)
extern const struct device_entry __hull_device_start[], __hull_device_end[];
extern const struct filesystem __hull_filesystem_start[], __hull_filesystem_end[];
#pragma GCC visibility pop

int device_open(struct inode *inode, uint32_t flags, struct file **out) {
    unsigned major = (unsigned)(inode->rdev >> 8 & 0xfff), minor = (unsigned)(inode->rdev & 0xff);
    for (const struct device_entry *at = __hull_device_start; at < __hull_device_end; at++) {
        if ((at->mode ^ inode->mode) & S_IFMT || at->major != major) continue;
        if (minor >= at->minor && minor - at->minor < (at->count ? at->count : 1u)) return at->open(inode, flags, out);
    }
    return -ENXIO;
}

const struct filesystem *filesystem_find(const char *name) {
    for (const struct filesystem *at = __hull_filesystem_start; at < __hull_filesystem_end; at++)
        if (!strcmp(at->name, name)) return at;
    return NULL;
}
