/*
 * The memory devices and the terminal by name: /dev/null, zero, full, random, urandom, tty, console (tty(4)).
 * A device's inode opens a file of its own.
 */
#include "devfs/internal.h"
#include "console/console.h"
#include "memory-devices/memory_devices.h"

static int memory_open(struct inode *inode, uint32_t flags, struct file **out) {
    if (inode->rdev >> 8 != 1) return -ENXIO;
    int error = memory_device_open((unsigned)inode->rdev & 0xff, flags, inode, out);
    if (!error) inode_get(inode);
    return error;
}

static int terminal_open(struct inode *inode, uint32_t flags, struct file **out) {
    bool console = inode->rdev == DEVICE_NUMBER(5, 1);
    if (!console && !console_is_terminal()) return -ENXIO; /* no controlling terminal */
    *out = file_create(&console_ops, flags, (void *)1);
    return *out ? 0 : -ENOMEM;
}

static void device_release(struct inode *inode) {
    kfree(inode);
}

static const struct inode_ops memory_inode_ops = { .open = memory_open, .release = device_release };
static const struct inode_ops terminal_inode_ops = { .open = terminal_open, .release = device_release };

static int attach(const char *path, const struct inode_ops *ops, uint64_t rdev) {
    struct inode *inode = inode_create(ops, first_mount_super(), S_IFCHR | 0666);
    if (!inode) return -ENOMEM;
    inode->rdev = rdev;
    int error = vfs_attach(path, inode);
    if (error) inode_put(inode);
    return error;
}

int devices_attach(void) {
    static const struct { const char *path; uint8_t major, minor; } devices[] = {
        { "/dev/null", 1, 3 }, { "/dev/zero", 1, 5 }, { "/dev/full", 1, 7 }, { "/dev/random", 1, 8 },
        { "/dev/urandom", 1, 9 }, { "/dev/tty", 5, 0 }, { "/dev/console", 5, 1 },
    };
    int error = 0;
    for (unsigned i = 0; i < sizeof devices / sizeof *devices && !error; i++)
        error = attach(devices[i].path, devices[i].major == 1 ? &memory_inode_ops : &terminal_inode_ops,
                       DEVICE_NUMBER(devices[i].major, devices[i].minor));
    return error;
}
