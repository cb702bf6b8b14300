/*
 * A tmpfs as a whole: its options (tmpfs(5): size, nr_blocks, nr_inodes, mode, uid, gid), what it may hold, statfs. Without a size all memory is
 * its limit: what is free is looked at when a page is wanted.
 */
#include "tmpfs/internal.h"

#define MAGIC 0x01021994

bool tmpfs_inode_allowed(struct superblock *super) {
    struct tmpfs_limits *limits = tmpfs_limits_of(super);
    if (limits->inodes_most && limits->inodes >= limits->inodes_most) return false;
    limits->inodes++;
    return true;
}

void tmpfs_inode_gone(struct superblock *super) {
    struct tmpfs_limits *limits = tmpfs_limits_of(super);
    if (limits->inodes) limits->inodes--;
}

static void statfs(struct superblock *super, struct linux_statfs *out) {
    const struct tmpfs_limits *limits = tmpfs_limits_of(super);
    uint64_t left = memory_free() > TMPFS_LEAVES ? (memory_free() - TMPFS_LEAVES) / PAGE_SIZE : 0;
    out->type = MAGIC;
    out->blocks = limits->pages_most ? limits->pages_most : memory_total() / PAGE_SIZE;
    out->bfree = limits->pages_most ? limits->pages_most - limits->pages : left;
    out->bavail = out->bfree;
    out->files = limits->inodes_most ? limits->inodes_most : memory_total() / PAGE_SIZE;
    out->ffree = out->files > limits->inodes ? out->files - limits->inodes : 0;
}

/* "755", "64k", "50%": false when it is none of these. */
static bool read_number(const char **at, unsigned base, uint64_t *out) {
    uint64_t value = 0;
    const char *start = *at;
    for (; **at >= '0' && **at < (char)('0' + base); ++*at)
        if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, (uint64_t)(**at - '0'), &value)) return false;
    *out = value;
    return *at != start;
}

static bool read_size(const char **at, uint64_t *out) {
    if (!read_number(at, 10, out)) return false;
    unsigned shift = 0;
    switch (**at | 32) {
    case 'k': shift = 10; break;
    case 'm': shift = 20; break;
    case 'g': shift = 30; break;
    }
    if (shift) ++*at;
    if (**at == '%') {
        ++*at;
        *out = memory_total() / 100 * *out;
    }
    if (*out > ~0ull >> shift) return false;
    *out <<= shift;
    return true;
}

static bool option(const char **at, const char *name) {
    size_t length = strlen(name);
    if (strncmp(*at, name, length) || (*at)[length] != '=') return false;
    *at += length + 1;
    return true;
}

struct wanted { struct tmpfs_limits limits; uint64_t mode, uid, gid; };
static int read_options(const char *at, struct wanted *out) {
    while (*at) {
        uint64_t value;
        bool good = true;
        if (option(&at, "size")) {
            good = read_size(&at, &value);
            out->limits.pages_most = good ? (value + PAGE_SIZE - 1) / PAGE_SIZE : 0;
        } else if (option(&at, "nr_blocks")) good = read_size(&at, &out->limits.pages_most);
        else if (option(&at, "nr_inodes")) good = read_size(&at, &out->limits.inodes_most);
        else if (option(&at, "mode")) good = read_number(&at, 8, &out->mode) && out->mode <= 07777;
        else if (option(&at, "uid")) good = read_number(&at, 10, &out->uid);
        else if (option(&at, "gid")) good = read_number(&at, 10, &out->gid);
        else good = !strncmp(at, "huge=", 5) || !strncmp(at, "mpol=", 5) || !strncmp(at, "inode", 5) ? (at += 5, true) : false;
        if (!good) return -EINVAL;
        while (*at && *at != ',') at++;
        while (*at == ',') at++;
    }
    return 0;
}

static char *put(char *to, const char *text, uint64_t value, unsigned base, const char *unit) {
    char digits[24];
    unsigned count = 0;
    while (*text) *to++ = *text++;
    do digits[count++] = (char)('0' + value % base);
    while ((value /= base));
    while (count) *to++ = digits[--count];
    while (*unit) *to++ = *unit++;
    return to;
}

static size_t options(struct superblock *super, char *out, size_t room) {
    const struct tmpfs_limits *limits = tmpfs_limits_of(super);
    char *at = out;
    if (room < 160) return 0;
    if (limits->pages_most) at = put(at, ",size=", limits->pages_most * (PAGE_SIZE / 1024), 10, "k");
    if (limits->inodes_most) at = put(at, ",nr_inodes=", limits->inodes_most, 10, "");
    if (limits->mode && limits->mode != 01777) at = put(at, ",mode=", limits->mode, 8, "");
    return (size_t)(at - out);
}

static int remount(struct superblock *super, const char *text) {
    struct tmpfs_limits *limits = tmpfs_limits_of(super);
    struct wanted wanted = { .limits = *limits };
    int error = read_options(text, &wanted);
    if (error) return error;
    if ((wanted.limits.pages_most && wanted.limits.pages_most < limits->pages) ||
        (wanted.limits.inodes_most && wanted.limits.inodes_most < limits->inodes)) return -EINVAL;
    limits->pages_most = wanted.limits.pages_most;
    limits->inodes_most = wanted.limits.inodes_most;
    return 0;
}

static void release(struct superblock *super) {
    kfree(super->data);
    kfree(super);
}

static const struct super_ops super_ops = { .statfs = statfs, .whiteouts = true, .options = options, .remount = remount, .release = release };

struct superblock *tmpfs_create(uint32_t root_mode, uint64_t device) {
    struct superblock *super = kzalloc(sizeof *super);
    struct tmpfs_limits *limits = super ? kzalloc(sizeof *limits) : NULL;
    if (limits) {
        *super = (struct superblock){ .ops = &super_ops, .kind = "tmpfs", .device = device, .data = limits };
        limits->inodes = 1;
        if ((super->root = tmpfs_root_create(super, root_mode))) return super;
    }
    kfree(limits);
    kfree(super);
    return NULL;
}

static int create(const char *source, const char *text, struct superblock **out) {
    static uint64_t devices = 40;
    struct wanted wanted = { .mode = 01777, .uid = current_process()->credentials.euid, .gid = current_process()->credentials.egid };
    (void)source;
    int error = read_options(text, &wanted);
    if (error) return error;
    if (!(*out = tmpfs_create((uint32_t)wanted.mode, devices++))) return -ENOMEM;
    struct tmpfs_limits *limits = tmpfs_limits_of(*out);
    limits->pages_most = wanted.limits.pages_most;
    limits->inodes_most = wanted.limits.inodes_most;
    limits->mode = (uint32_t)wanted.mode;
    (*out)->root->uid = (uint32_t)wanted.uid;
    (*out)->root->gid = (uint32_t)wanted.gid;
    return 0;
}
HULL_FILESYSTEM(tmpfs_filesystem) = { .name = "tmpfs", .create = create };
