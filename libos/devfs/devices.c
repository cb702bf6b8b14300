/*
 * The memory devices and the terminal: /dev/null, zero, full, random, urandom, tty, console (null(4), random(4), tty(4)); and a node in /dev for each
 * device that has a name.
 */
#include "devfs/internal.h"
#include "console/console.h"
#include "lib/format.h"
#include "memory-devices/memory_devices.h"
#include "task/task.h"

#pragma GCC visibility push(hidden)
extern const struct device_entry __hull_device_start[], __hull_device_end[];
#pragma GCC visibility pop

/* By `pty`: its terminal of this control; -ENXIO: it has none such. */
int pty_open_controlling(struct terminal_control *, uint32_t flags, struct file **out) __attribute__((weak));

static int memory_open(struct inode *inode, uint32_t flags, struct file **out) {
    int error = memory_device_open((unsigned)inode->rdev & 0xff, flags, inode, out);
    if (!error) inode_get(inode);
    return error;
}

static int terminal_open(struct inode *inode, uint32_t flags, struct file **out) {
    bool console = inode->rdev == DEVICE_NUMBER(5, 1);
    if (!console) {
        struct terminal_control *own = current_process()->terminal;
        if (!own) return -ENXIO; /* no controlling terminal */
        int error = pty_open_controlling ? pty_open_controlling(own, flags, out) : -ENXIO;
        if (error != -ENXIO) return error; /* else it is the console */
    }
    *out = file_create(&console_ops, flags, (void *)1);
    return *out ? 0 : -ENOMEM;
}

#define MEMORY_DEVICE(device, number) \
    HULL_DEVICE(device_##device) = { .name = #device, .mode = S_IFCHR | 0666, .major = 1, .minor = number, .open = memory_open }
MEMORY_DEVICE(null, 3);
MEMORY_DEVICE(zero, 5);
MEMORY_DEVICE(full, 7);
MEMORY_DEVICE(random, 8);
MEMORY_DEVICE(urandom, 9);
HULL_DEVICE(device_tty) = { .name = "tty", .mode = S_IFCHR | 0666, .major = 5, .minor = 0, .open = terminal_open };
HULL_DEVICE(device_console) = { .name = "console", .mode = S_IFCHR | 0620, .major = 5, .minor = 1, .open = terminal_open };

int devices_attach(void) {
    static const struct { const char *path, *target; } links[] = {
        { "/dev/fd", "/proc/self/fd" }, { "/dev/stdin", "/proc/self/fd/0" }, { "/dev/stdout", "/proc/self/fd/1" },
        { "/dev/stderr", "/proc/self/fd/2" },
    };
    int error = 0;
    for (const struct device_entry *at = __hull_device_start; at < __hull_device_end && !error; at++) {
        char path[64];
        if (!at->name) continue;
        format_text(path, sizeof path, "/dev/%s", at->name);
        error = vfs_make_device(path, at->mode, DEVICE_NUMBER(at->major, at->minor));
    }
    for (unsigned i = 0; i < sizeof links / sizeof *links && !error; i++) error = vfs_make_symlink(links[i].target, links[i].path);
    return error;
}
