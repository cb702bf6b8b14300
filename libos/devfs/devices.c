/*
 * The memory devices and the terminal by name: /dev/null, zero, full, random, urandom, tty, console (null(4), random(4), tty(4)).
 * A device's inode opens a file of its own; these keep no state.
 */
#include "devfs/internal.h"
#include "console/console.h"
#include "entropy/entropy.h"

static const uint8_t zeros[256];

static long read_none(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)file, (void)vector, (void)count, (void)position;
    return 0;
}

static long write_all(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)file, (void)position;
    long size = 0;
    for (int i = 0; i < count; i++) size += (long)vector[i].length;
    return size;
}

static long write_full(struct file *file, const struct iovec *vector, int count, int64_t position) {
    return write_all(file, vector, count, position) ? -ENOSPC : 0;
}

/* Fills the vector piece by piece from `source`, which makes `size` <= 256 bytes. */
static long fill(const struct iovec *vector, int count, void (*source)(void *to, size_t size)) {
    long done = 0;
    for (int i = 0; i < count; i++) {
        for (size_t at = 0; at < vector[i].length;) {
            uint8_t bytes[256];
            size_t piece = vector[i].length - at < sizeof bytes ? vector[i].length - at : sizeof bytes;
            if (source) source(bytes, piece);
            if (user_copy_out((uint8_t *)vector[i].base + at, source ? bytes : zeros, piece)) return done ? done : -EFAULT;
            at += piece;
            done += (long)piece;
        }
    }
    return done;
}

static long read_zero(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)file, (void)position;
    return fill(vector, count, NULL);
}

static long read_random(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)file, (void)position;
    return fill(vector, count, entropy_fill);
}

static long write_random(struct file *file, const struct iovec *vector, int count, int64_t position) {
    (void)file, (void)position;
    long done = 0;
    for (int i = 0; i < count; i++) {
        for (size_t at = 0; at < vector[i].length;) {
            uint8_t bytes[256];
            size_t piece = vector[i].length - at < sizeof bytes ? vector[i].length - at : sizeof bytes;
            if (user_copy_in(bytes, (const uint8_t *)vector[i].base + at, piece)) return done ? done : -EFAULT;
            entropy_add(bytes, piece);
            at += piece;
            done += (long)piece;
        }
    }
    return done;
}

static int64_t seek_nowhere(struct file *file, int64_t offset, int whence) {
    (void)file, (void)offset;
    return whence > SEEK_END ? -EINVAL : 0;
}

/* For shared mappings of /dev/zero and its like: a fresh page. */
static int zero_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    (void)file, (void)index, (void)how;
    void *page = page_alloc_zeroed();
    if (!page) return -ENOMEM;
    *physical = virt_to_phys(page);
    return 0;
}

static int device_stat(struct file *file, struct linux_stat *out) {
    inode_fill_stat(file->data, out);
    return 0;
}

static void device_close(struct file *file) {
    inode_put(file->data);
}

#define COMMON .seek = seek_nowhere, .stat = device_stat, .close = device_close
static const struct file_ops null_ops = { .kind = "/dev/null", .read = read_none, .write = write_all, COMMON };
static const struct file_ops zero_ops = { .kind = "/dev/zero", .read = read_zero, .write = write_all, .get_page = zero_page, COMMON };
static const struct file_ops full_ops = { .kind = "/dev/full", .read = read_zero, .write = write_full, COMMON };
static const struct file_ops random_ops = { .kind = "/dev/random", .read = read_random, .write = write_random, COMMON };

static int memory_open(struct inode *inode, uint32_t flags, struct file **out) {
    static const struct { uint64_t minor; const struct file_ops *ops; } known[] = {
        { 3, &null_ops }, { 5, &zero_ops }, { 7, &full_ops }, { 8, &random_ops }, { 9, &random_ops },
    };
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++) {
        if (inode->rdev != DEVICE_NUMBER(1, known[i].minor)) continue;
        *out = file_create(known[i].ops, flags, inode);
        if (!*out) return -ENOMEM;
        inode_get(inode);
        return 0;
    }
    return -ENXIO;
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
