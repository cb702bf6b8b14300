/*
 * /dev/null, zero, full, random, urandom as files (null(4), random(4)). They keep no state. With a tree of names, file->data is the name's inode;
 * without one it is NULL and stat(2) tells what a fresh device node would.
 */
#include "memory-devices/memory_devices.h"
#include "abi/linux_file.h"
#include "arch/arch.h"
#include "entropy/entropy.h"
#include "memory/memory.h"
#include "syscall/syscall.h"

struct inode;
void inode_fill_stat(struct inode *, struct linux_stat *out);
void inode_put(struct inode *);
#pragma weak inode_fill_stat
#pragma weak inode_put

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

static const struct file_ops null_ops, zero_ops, full_ops, random_ops;
static const struct { uint8_t minor; const struct file_ops *ops; } devices[] = {
    { 3, &null_ops }, { 5, &zero_ops }, { 7, &full_ops }, { 8, &random_ops }, { 9, &random_ops },
};

static int device_stat(struct file *file, struct linux_stat *out) {
    if (file->data && inode_fill_stat) {
        inode_fill_stat(file->data, out);
        return 0;
    }
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++)
        if (devices[i].ops == file->ops) out->rdev = DEVICE_NUMBER(1, devices[i].minor);
    out->ino = out->rdev;
    out->nlink = 1;
    out->mode = S_IFCHR | 0666;
    out->blksize = PAGE_SIZE;
    return 0;
}

static void device_close(struct file *file) {
    if (file->data && inode_put) inode_put(file->data);
}

#define COMMON .seek = seek_nowhere, .stat = device_stat, .close = device_close
static const struct file_ops null_ops = { .kind = "/dev/null", .read = read_none, .write = write_all, COMMON };
static const struct file_ops zero_ops = { .kind = "/dev/zero", .read = read_zero, .write = write_all, .get_page = zero_page, COMMON };
static const struct file_ops full_ops = { .kind = "/dev/full", .read = read_zero, .write = write_full, COMMON };
static const struct file_ops random_ops = { .kind = "/dev/random", .read = read_random, .write = write_random, COMMON };

int memory_device_open(unsigned minor, uint32_t flags, void *inode, struct file **out) {
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++) {
        if (devices[i].minor != minor) continue;
        *out = file_create(devices[i].ops, flags, inode);
        return *out ? 0 : -ENOMEM;
    }
    return -ENXIO;
}
