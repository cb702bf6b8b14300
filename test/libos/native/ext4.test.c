/*
 * ext4 without a machine: volumes that mke2fs makes in several forms, the same random calls on them and on a tmpfs, e2fsck's opinion of what is left; the power
 * failing at any write, with what was not flushed lost or not by chance: consistent after our replay and after e2fsck's, and all that fsync returned for is
 * there; the same with an overlay's upper layer, which never shows half of a change; what nobody asked for, written in time; images damaged in thousands of ways (errors, never a wrong access: the sanitizers watch).
 * sources: libos/block/block.c libos/ext4/checksum.c libos/ext4/buffer.c libos/ext4/groups.c libos/ext4/extents.c libos/ext4/journal.c libos/ext4/commit.c libos/ext4/flusher.c libos/flusher/flusher.c libos/ext4/inode.c libos/ext4/xattr.c libos/ext4/pages.c libos/ext4/file.c libos/ext4/directory.c libos/ext4/super.c libos/wait/turn.c libos/vfs/dentry.c libos/vfs/inode.c libos/vfs/xattr.c libos/vfs/seals.c libos/vfs/walk.c libos/vfs/view.c libos/vfs/mount.c libos/vfs/open.c libos/vfs/attributes.c libos/vfs/names.c libos/vfs/transfer.c libos/tmpfs/content.c libos/tmpfs/file.c libos/tmpfs/directory.c libos/tmpfs/super.c libos/overlay/copy_up.c libos/overlay/file.c libos/overlay/directory.c libos/overlay/redirect.c libos/file/file.c libos/file/table.c libos/file/transfer.c libos/file/read.c libos/file/write.c libos/file/descriptor.c
 * flags: -fno-builtin
 */
#include "stand_ins.h"
#include "vfs/internal.h"
#include "block/block.h"
#include "channel/channel.h"
#include "console/console.h"
#include "ext4/ext4.h"
#include "ext4/internal.h"
#include "file/internal.h"
#include "overlay/overlay.h"
#include "thread/thread.h"
#include "tmpfs/tmpfs.h"

#include "vfs_calls.h"

int system(const char *);
char *getenv(const char *);
int snprintf(char *, size_t, const char *, ...);
struct _IO_FILE;
struct _IO_FILE *fopen(const char *, const char *);
size_t fread(void *, size_t, size_t, struct _IO_FILE *), fwrite(const void *, size_t, size_t, struct _IO_FILE *);
int fclose(struct _IO_FILE *);
long sys_fsync(int), sys_fdatasync(int), sys_pwritev2(int, const struct iovec *, unsigned long, int64_t, long, int), sys_fallocate(int, int, int64_t, int64_t), sys_setxattr(const char *, const char *, const void *, size_t, int);
long sys_getxattr(const char *, const char *, void *, size_t), sys_removexattr(const char *, const char *), sys_lseek(int, int64_t, int);
static bool quiet;
void log_line(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    if (!quiet) printf("log: "), vprintf(format, arguments), printf("\n");
    va_end(arguments);
}

/* ---- Time, and the thread that writes: the test calls it itself. ---- */
static uint64_t monotonic = 1000000000;
uint64_t clock_monotonic_ns(void) { return monotonic; }
void timer_add(struct timer *timer) { timer->link = &timer->next; }
void timer_remove(struct timer *timer) { timer->link = NULL; }
int thread_create_at(struct process *process, void (*entry)(void *), struct thread **out) {
    (void)process, (void)entry, (void)out;
    return -ENOMEM;
}
void sched_ready(struct thread *thread) { (void)thread; }
void sched_resumed(void) {}

/* ---- The device: what was written and not flushed may be lost. ---- */
#define SIZE (24ul << 20)
static uint8_t *image;                 /* as the driver sees it */
static uint8_t *stable;                /* as it would be found after the worst crash */
struct pending { uint64_t at; uint32_t size; uint8_t *bytes; };
static struct pending *pending;
static unsigned pending_count, pending_room;
static long writes_left = -1;          /* the power fails then; -1: never */
static bool dead;

static void settle_pending(bool all) {
    for (unsigned i = 0; i < pending_count; i++) {
        if (all || any(2)) memcpy(stable + pending[i].at, pending[i].bytes, pending[i].size);
        free(pending[i].bytes);
    }
    pending_count = 0;
}
static int transfer(struct block_device *device, bool write, uint64_t sector, const struct block_piece *pieces, unsigned count) {
    uint64_t at = sector * 512;
    CHECK(count >= 1 && count <= BLOCK_PIECES_MOST);
    for (unsigned i = 0; i < count; i++, at += pieces[i - 1].size) {
        CHECK(pieces[i].size && pieces[i].size % 512 == 0 && at + pieces[i].size <= device->sectors * 512);
        if (dead) return -EIO;
        if (!write) {
            memcpy(pieces[i].data, image + at, pieces[i].size);
            continue;
        }
        CHECK(!device->read_only);
        memcpy(image + at, pieces[i].data, pieces[i].size);
        if (pending_count == pending_room) {
            struct pending *larger = calloc(pending_room * 2 + 64, sizeof *larger);
            if (pending_count) memcpy(larger, pending, pending_count * sizeof *larger);
            free(pending);
            pending = larger, pending_room = pending_room * 2 + 64;
        }
        struct pending *one = &pending[pending_count++];
        *one = (struct pending){ at, pieces[i].size, malloc(pieces[i].size) };
        memcpy(one->bytes, pieces[i].data, pieces[i].size);
        if (writes_left > 0 && !--writes_left) dead = true;
    }
    return 0;
}
static int flush(struct block_device *device) {
    (void)device;
    if (dead) return -EIO;
    settle_pending(true);
    return 0;
}
static struct block_device device = { .transfer = transfer, .flush = flush, .sectors = SIZE / 512 };

#ifndef CRASHES
#define CRASHES 6
#endif
#ifndef DAMAGES
#define DAMAGES 100
#endif
static char folder[] = "build/test/native/ext4";
static int shell(const char *format, const char *a) {
    char line[600];
    snprintf(line, sizeof line, format, a, folder, folder, folder);
    return system(line);
}
static void load(void) {
    char path[100];
    snprintf(path, sizeof path, "%s.img", folder);
    struct _IO_FILE *file = fopen(path, "r");
    CHECK(file && fread(image, 1, SIZE, file) == SIZE);
    fclose(file);
    memcpy(stable, image, SIZE);
    pending_count = 0;
    dead = false;
}
static void save(const uint8_t *bytes) {
    char path[100];
    snprintf(path, sizeof path, "%s.img", folder);
    struct _IO_FILE *file = fopen(path, "w");
    CHECK(file && fwrite(bytes, 1, SIZE, file) == SIZE);
    fclose(file);
}
static void make(const char *options) {
    EQUAL(shell("rm -f build/test/native/ext4.img; truncate -s 24M build/test/native/ext4.img; PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -t ext4 %s build/test/native/ext4.img 2>&1", options), 0);
    load();
}
/* e2fsck -n finds nothing. */
static void sound(const uint8_t *bytes, const char *when) {
    save(bytes);
    int status = shell("PATH=$PATH:/sbin:/usr/sbin e2fsck -fn build/test/native/ext4.img >build/test/native/ext4.fsck 2>&1 || { echo '%s'; cat build/test/native/ext4.fsck; false; }", when);
    EQUAL(status, 0);
    if (status) exit(1);
}

static struct superblock *open_it(void) {
    const char *why = NULL;
    struct superblock *super;
    int error = ext4_open(&device, 5, false, &super, &why);
    if (error) printf("open: %d %s\n", error, why);
    EQUAL(error, 0);
    return super;
}
static struct superblock *mount_it(void) {
    struct superblock *super = open_it();
    EQUAL(vfs_mount(super, "/o", false, 0), 0);
    return super;
}
static void unmount(struct superblock *super) {
    for (struct mount *at = first_mount; at; at = at->next)
        if (at->super == super) {
            mount_detach(at);
            return;
        }
}
static void clear_tree(const char *path, unsigned depth) {
    struct seen *names = malloc(sizeof *names);
    read_names(path, names);
    for (unsigned i = 0; i < names->count; i++) {
        char text[2000];
        const char *name = names->names[i];
        if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
        snprintf(text, sizeof text, "%s/%s", path, name);
        if (sys_unlink(text) == -EISDIR) {
            if (depth) clear_tree(text, depth - 1);
            EQUAL(sys_rmdir(text), 0);
        }
    }
    free(names);
}

static unsigned steps(unsigned count) {
    unsigned done = 0;
    for (unsigned step = 0; step < count; step++) {
        unsigned what = any(13), value = any(1000);
        char first[32], second[32];
        memcpy(first, any_path(), 32);
        memcpy(second, any_path(), 32);
        long got = act(what, "/o", first, second, value);
        if (dead) break;
        long wanted = act(what, "/m", first, second, value);
        if (got != wanted) printf("step %u: %u %s %s %u\n", step, what, first, second, value);
        EQUAL(got, wanted);
        if (got >= 0) done++;
        if (failures > 10) exit(1);
        if (any(100) == 0) {
            long descriptor = sys_open(below("/o", first, path_a), O_RDONLY, 0);
            if (descriptor >= 0) sys_fsync((int)descriptor), sys_close((int)descriptor);
        }
        if (any(500) == 0) vfs_forget_idle();
        if (any(300) == 0) memory_reclaim(any(2) ? 5 : 10000);
    }
    return done;
}

static void fill_pattern(uint8_t *bytes, size_t size, unsigned start) {
    for (size_t i = 0; i < size; i++) bytes[i] = (uint8_t)(start + i * 7 + i / 251);
}

/* What the storm does not reach: many names, long links, attributes, extents by the hundred, punched holes, an index of Linux's. */
static void corners(const char *form) {
    static uint8_t bytes[200000], back[200000];
    char path[300], text[900];
    struct superblock *super = mount_it();
    EQUAL(sys_mkdir("/o/many", 0755), 0);
    for (unsigned i = 0; i < 1500; i++) {
        snprintf(path, sizeof path, "/o/many/name-%u-%s", i, i % 3 ? "x" : "a-longer-one-than-the-others-so-that-gaps-differ");
        long descriptor = sys_open(path, O_RDWR | O_CREAT, 0600);
        CHECK(descriptor >= 0);
        sys_close((int)descriptor);
    }
    for (unsigned i = 0; i < 1500; i += 2) {
        snprintf(path, sizeof path, "/o/many/name-%u-%s", i, i % 3 ? "x" : "a-longer-one-than-the-others-so-that-gaps-differ");
        EQUAL(sys_unlink(path), 0);
    }
    memset(text, 't', sizeof text);
    text[600] = 0;
    EQUAL(sys_symlink(text, "/o/long"), 0);
    text[59] = 0;
    EQUAL(sys_symlink(text, "/o/short"), 0);
    /* A block here, a block there: an extent tree of its own. */
    long descriptor = sys_open("/o/holes", O_RDWR | O_CREAT, 0600);
    fill_pattern(bytes, sizeof bytes, 3);
    for (unsigned i = 0; i < 700; i++) EQUAL(sys_pwrite64((int)descriptor, bytes + i, 100, (int64_t)(i * 7919 % 700) * 12288), 100);
    sys_fsync((int)descriptor);
    for (unsigned i = 0; i < 700; i += 3) EQUAL(sys_fallocate((int)descriptor, 3, (int64_t)i * 12288, 12288), 0);
    EQUAL(sys_lseek((int)descriptor, 0, SEEK_DATA), 12288);
    for (unsigned i = 1; i < 700; i += 5) EQUAL(sys_pwrite64((int)descriptor, bytes, 5000, (int64_t)i * 12288 + 5000), 5000);
    sys_close((int)descriptor);
    descriptor = sys_open("/o/room", O_RDWR | O_CREAT, 0600);
    EQUAL(sys_fallocate((int)descriptor, 0, 100, 150000), 0);
    EQUAL(sys_pwrite64((int)descriptor, bytes, 70000, 33333), 70000);
    EQUAL(sys_fallocate((int)descriptor, 3, 40000, 3000), 0);
    EQUAL(sys_fallocate((int)descriptor, 1, 150100, 20000), 0);
    sys_close((int)descriptor);
    for (unsigned i = 0; i < 6; i++) {
        snprintf(path, sizeof path, "user.name%u", i);
        long result = sys_setxattr("/o/room", path, bytes, i * i * 10, 0);
        CHECK(result == 0 || (result == -ENOSPC && i == 5));
    }
    EQUAL(sys_setxattr("/o/many", "trusted.overlay.opaque", "y", 1, 0), 0);
    EQUAL(sys_removexattr("/o/room", "user.name1"), 0);
    for (int again = 0; again < 2; again++) {
        unmount(super);
        sound(image, form);
        super = mount_it();
        struct linux_stat stat;
        struct seen *names = malloc(sizeof *names);
        EQUAL(sys_readlink("/o/long", text, sizeof text), 600);
        EQUAL(sys_readlink("/o/short", text, sizeof text), 59);
        EQUAL(sys_lstat("/o/many/name-1499-x", &stat), 0);
        EQUAL(sys_lstat("/o/many/name-1498-x", &stat), -ENOENT);
        EQUAL(sys_lstat("/o/room", &stat), 0);
        EQUAL(stat.size, 150100);
        descriptor = sys_open("/o/room", O_RDONLY, 0);
        EQUAL(sys_read((int)descriptor, back, sizeof back), 150100);
        sys_close((int)descriptor);
        for (unsigned i = 0; i < 150100; i++) {
            bool shown = i >= 33333 && i < 103333 && !(i >= 40000 && i < 43000);
            if (back[i] != (shown ? bytes[i - 33333] : 0)) {
                EQUAL(i, -1);
                break;
            }
        }
        EQUAL(sys_getxattr("/o/room", "user.name4", back, sizeof back), 160);
        CHECK(!memcmp(back, bytes, 160));
        EQUAL(sys_getxattr("/o/room", "user.name1", back, sizeof back), -ENODATA);
        EQUAL(sys_getxattr("/o/many", "trusted.overlay.opaque", back, sizeof back), 1);
        descriptor = sys_open("/o/holes", O_RDONLY, 0);
        EQUAL(sys_pread64((int)descriptor, back, 100, 7 * 12288), 100);
        for (unsigned i = 0; i < 700; i++)
            if (i * 7919 % 700 == 7) CHECK(!memcmp(back, bytes + i, 100));
        EQUAL(sys_pread64((int)descriptor, back, 100, 6 * 12288), 100);
        for (unsigned i = 0; i < 100; i++) CHECK(!back[i]);
        sys_close((int)descriptor);
        free(names);
    }
    EQUAL(sys_unlink("/o/holes"), 0);
    EQUAL(sys_unlink("/o/room"), 0);
    unmount(super);
    sound(image, form);
}

/* Names as Linux's hash tree has them (debugfs and e2fsck -D make one), changed here. */
static void indexed(void) {
    make("-b 1024 -O dir_index");
    save(image);
    EQUAL(shell("cd build/test/native && rm -rf ext4.d && mkdir -p ext4.d/in && (cd ext4.d/in && for i in $(seq 2000); do : > file-with-a-name-$i; done) && rm -f ext4.img && "
                "truncate -s 24M ext4.img && PATH=$PATH:/sbin:/usr/sbin && mke2fs -q -F -t ext4 -b 1024 -N 4096 %s -d ext4.d ext4.img && e2fsck -fyD ext4.img >/dev/null 2>&1; rm -rf ext4.d", ""), 0);
    load();
    struct superblock *super = mount_it();
    struct linux_stat stat;
    EQUAL(sys_lstat("/o/in/file-with-a-name-2000", &stat), 0);
    EQUAL(sys_unlink("/o/in/file-with-a-name-77"), 0);
    unmount(super);
    sound(image, "a name less in an index");
    super = mount_it();
    EQUAL(sys_link("/o/in/file-with-a-name-2000", "/o/in/another"), 0);
    EQUAL(sys_lstat("/o/in/file-with-a-name-1", &stat), 0);
    unmount(super);
    sound(image, "an index given up");
    super = mount_it();
    EQUAL(sys_lstat("/o/in/another", &stat), 0);
    EQUAL(stat.nlink, 2);
    unmount(super);
}

static const char *const forms[] = { "-b 4096", "-b 1024", "-b 2048 -O ^metadata_csum,uninit_bg", "-b 4096 -O ^has_journal", "-b 1024 -I 128 -O ^64bit,^metadata_csum,^uninit_bg,^flex_bg",
                                     "-b 1024 -O ^resize_inode,metadata_csum_seed -N 4096", "-b 4096 -I 1024 -g 2048" };
static void storms(void) {
    for (unsigned form = 0; form < sizeof forms / sizeof *forms; form++) {
        make(forms[form]);
        struct superblock *super = mount_it();
        EQUAL(sys_rmdir("/o/lost+found"), 0);
        unsigned done = 0;
        for (unsigned round = 0; round < 4; round++) {
            done += steps(1500);
            same_tree("/o", "/m", 3);
            unmount(super);
            sound(image, forms[form]);
            super = mount_it();
            same_tree("/o", "/m", 3);
        }
        CHECK(done > 500);
        clear_tree("/o", 60);
        clear_tree("/m", 60);
        unmount(super);
        sound(image, forms[form]);
        corners(forms[form]);
        settle_pending(true);
    }
}

/* ---- The power fails. ---- */
static unsigned acknowledged[64];       /* size + 1 of the file with that number; 0: it may be there or not */
static void work(void) {
    static uint8_t bytes[30000];
    char path[40], second[40];
    memset(acknowledged, 0, sizeof acknowledged);
    for (unsigned i = 0; !dead; i = (i + 1) % 64) {
        for (unsigned k = any(12); k; k--) {
            memcpy(second, any_path(), 32);
            memcpy(path, any_path(), 32);
            act(any(13), "/o", path, second, any(1000));
        }
        snprintf(path, sizeof path, "/o/file%u", i);
        acknowledged[i] = 0;
        if (any(3) == 0) sys_unlink(path);
        if (dead) return;
        /* By a call of its own, which has the name with it, renamed as it may be; or by the write itself. */
        static const struct { int opened, wrote; } ways[] = { { 0, 0 }, { 0, 0 }, { O_SYNC, 0 }, { O_DSYNC, 0 }, { 0, RWF_SYNC }, { 0, RWF_DSYNC } };
        unsigned size = 1 + (any(2) ? any(3000) : any(30000)), way = any(2) ? 0 : any(6);
        fill_pattern(bytes, size, i + size);
        snprintf(second, sizeof second, "/o/fresh%u", i);
        long descriptor = sys_open(way ? path : second, O_RDWR | O_CREAT | O_TRUNC | ways[way].opened, 0600);
        if (descriptor < 0) continue; /* out of room, or dead */
        struct iovec piece = { bytes, size };
        long wrote = sys_pwritev2((int)descriptor, &piece, 1, 0, 0, ways[way].wrote);
        long renamed = way ? 0 : any(2) ? sys_rename(second, path) : -1;
        long synced = way == 0 ? sys_fsync((int)descriptor) : way == 1 ? sys_fdatasync((int)descriptor) : 0;
        if (!synced && !renamed && wrote == (long)size && !dead) acknowledged[i] = size + 1;
        sys_close((int)descriptor);
        if (any(40) == 0) vfs_forget_idle();
        if (any(60) == 0) vfs_sync();
    }
}

static unsigned survivors;
static void look(void) {
    static uint8_t bytes[30000], back[30001];
    char path[40];
    for (unsigned i = 0; i < 64; i++) {
        if (!acknowledged[i]) continue;
        unsigned size = acknowledged[i] - 1;
        snprintf(path, sizeof path, "/o/file%u", i);
        fill_pattern(bytes, size, i + size);
        EQUAL(content_of(path, back, sizeof back), size);
        CHECK(!memcmp(bytes, back, size));
        survivors++;
    }
}

static void crashes(void) {
    static const char *const journaled[] = { "-b 1024", "-b 4096", "-b 1024 -O ^metadata_csum,uninit_bg,^64bit" };
    uint8_t *found = malloc(SIZE);
    quiet = true;
    for (unsigned round = 0; round < CRASHES; round++) {
        make(journaled[round % 3]);
        struct superblock *super = mount_it();
        writes_left = 20 + any(round % 4 ? 3000 : 300);
        work();
        writes_left = -1;
        unmount(super); /* which can write nothing any more */
        vfs_forget_idle();
        settle_pending(false);
        memcpy(found, stable, SIZE);
        /* Our replay. */
        memcpy(image, stable, SIZE);
        dead = false;
        super = mount_it();
        look();
        unmount(super);
        sound(image, "our replay");
        /* Linux's. */
        save(found);
        int status = shell("PATH=$PATH:/sbin:/usr/sbin e2fsck -fy build/test/native/ext4.img >build/test/native/ext4.fsck 2>&1; test $? -le 1 && PATH=$PATH:/sbin:/usr/sbin e2fsck -fn "
                           "build/test/native/ext4.img >>build/test/native/ext4.fsck 2>&1 && ! grep -Eq 'WRONG|[Bb]itmap differences|count wrong|inode .* is too' build/test/native/ext4.fsck %s", "");
        if (status) shell("cat build/test/native/ext4.fsck %s", "");
        EQUAL(status, 0);
        load();
        super = mount_it();
        look();
        unmount(super);
        settle_pending(true);
        if (failures) {
            printf("round %u of crashes\n", round);
            exit(1);
        }
    }
    CHECK(survivors > 20);
    quiet = false;
    free(found);
}

/* What the power left is what there is. The caller unmounted. */
static void come_back(void) {
    vfs_forget_idle();
    settle_pending(false);
    memcpy(image, stable, SIZE);
    dead = false;
}

/* ---- Nobody asks: what is five seconds old is on the device, what a mapping wrote in thirty. ---- */
static void unasked(void) {
    static uint8_t bytes[9000], back[9001];
    make("-b 4096");
    struct superblock *super = mount_it();
    EQUAL(ext4_flusher_pass(), 0);
    quiet = true;
    for (unsigned round = 0; round < 2; round++) {
        long descriptor = sys_open("/o/quiet", O_RDWR | O_CREAT, 0600);
        fill_pattern(bytes, sizeof bytes, round);
        EQUAL(sys_pwrite64((int)descriptor, bytes, sizeof bytes, 0), (long)sizeof bytes); /* the second time in place */
        uint64_t due = ext4_flusher_pass();
        CHECK(due > monotonic && due <= monotonic + 5000000000);
        unsigned before = pending_count;
        monotonic = due - 1;
        EQUAL(ext4_flusher_pass(), due);
        EQUAL(pending_count, before);
        monotonic = due;
        EQUAL(ext4_flusher_pass(), 0);
        sys_close((int)descriptor);
        dead = true;
        unmount(super);
        come_back();
        super = mount_it();
        EQUAL(content_of("/o/quiet", back, sizeof back), (long)sizeof bytes);
        CHECK(!memcmp(bytes, back, sizeof bytes));
    }
    struct file *file;
    uint64_t page;
    EQUAL(vfs_open("/o/quiet", O_RDWR, 0, &file), 0);
    EQUAL(file->ops->get_page(file, 1, FILE_PAGE_CREATE, &page), 0);
    memset(phys_to_virt(page), 'm', 100);
    monotonic = ext4_flusher_pass();
    CHECK(ext4_flusher_pass() > monotonic); /* it goes on being lent */
    page_put(page);
    file_put(file);
    dead = true;
    unmount(super);
    come_back();
    super = mount_it();
    EQUAL(content_of("/o/quiet", back, sizeof back), (long)sizeof bytes);
    CHECK(back[4096] == 'm' && back[4195] == 'm' && back[4196] == bytes[4196]);
    unmount(super);
    settle_pending(true);
    quiet = false;
}

/* ---- An overlay whose upper layer outlives the machine: a change of a lower file is there as a whole, or not at all. ---- */
#define LOWER_FILES 24u
#define LOWER_SIZE(i) (5000 + (i) * 977)
static void name_of(char *path, const char *kind, unsigned i) { snprintf(path, 40, "/v/%s%u", kind, i); }
static bool change(unsigned i, const char *kind) {
    char path[40];
    name_of(path, kind, i);
    long descriptor = sys_open(path, O_RDWR, 0);
    bool good = descriptor >= 0 && sys_pwrite64((int)descriptor, "X", 1, 0) == 1 && (kind[0] == 'c' || !sys_fsync((int)descriptor));
    if (descriptor >= 0) sys_close((int)descriptor);
    return good && !dead;
}
/* 0: it is not there; 1: as below; 2: changed. All else is wrong. */
static unsigned state_of(const char *kind, unsigned i, unsigned pattern) {
    static uint8_t bytes[40000], back[40001];
    char path[40];
    name_of(path, kind, i);
    long size = content_of(path, back, sizeof back);
    if (size < 0) return 0;
    fill_pattern(bytes, LOWER_SIZE(i), pattern);
    EQUAL(size, LOWER_SIZE(i));
    CHECK(!memcmp(bytes + 1, back + 1, LOWER_SIZE(i) - 1) && (back[0] == 'X' || back[0] == bytes[0]));
    return back[0] == 'X' ? 2 : 1;
}
static struct superblock *lower_layer;
static struct superblock *mount_layers(struct superblock **upper) {
    *upper = open_it();
    struct superblock *over = overlay_create(lower_layer, *upper, (*upper)->root, 9);
    EQUAL(vfs_mount(over, "/v", false, 0), 0);
    return over;
}
static void unmount_layers(struct superblock *over, struct superblock *upper) {
    unmount(over);
    vfs_forget_idle();
    ext4_close(upper);
    kfree(over);
}
/* A name that is in its directory's fsync is there, whatever else is not. */
static void layered_names(void) {
    struct linux_stat stat;
    quiet = true;
    make("-b 4096");
    struct superblock *upper, *over = mount_layers(&upper);
    EQUAL(sys_mkdir("/v/below", 0755), 0);
    EQUAL(sys_mkdir("/v/old", 0755), 0);
    EQUAL(vfs_sync(), 0);
    EQUAL(sys_rename("/v/old", "/v/below/new"), 0);
    long directory = sys_open("/v/below", O_RDONLY | O_DIRECTORY, 0);
    EQUAL(sys_fsync((int)directory), 0);
    EQUAL(sys_mkdir("/v/later", 0755), 0);
    sys_close((int)directory);
    dead = true;
    unmount_layers(over, upper);
    come_back();
    over = mount_layers(&upper);
    EQUAL(sys_lstat("/v/below/new", &stat), 0);
    EQUAL(sys_lstat("/v/old", &stat), -ENOENT);
    EQUAL(sys_lstat("/v/later", &stat), -ENOENT);
    unmount_layers(over, upper);
    settle_pending(true);
    quiet = false;
}
static void layered_crashes(void) {
    static uint8_t bytes[40000];
    char path[40], second[40];
    unsigned seen[3] = { 0 }, moved = 0;
    EQUAL(vfs_mount(lower_layer = tmpfs_create(0755, 8), "/l", false, 0), 0);
    for (unsigned i = 0; i < LOWER_FILES; i++)
        for (const char *kind = "cur"; *kind; kind++) {
            snprintf(path, sizeof path, "/l/%c%u", *kind, i);
            fill_pattern(bytes, LOWER_SIZE(i), i * 3 + (unsigned)*kind);
            EQUAL(vfs_write_file(path, bytes, LOWER_SIZE(i), 0644), 0);
        }
    layered_names();
    quiet = true;
    for (unsigned round = 0; round < CRASHES * 4; round++) {
        bool changed[LOWER_FILES] = { false }, kept[LOWER_FILES] = { false };
        make(round % 2 ? "-b 1024" : "-b 4096");
        struct superblock *upper, *over = mount_layers(&upper);
        writes_left = 20 + any(600);
        for (unsigned i = 0; i < LOWER_FILES && !dead; i++) {
            change(i, "c");
            if ((changed[i] = change(i, "u"))) name_of(path, "u", i), sys_unlink(path);
            if ((kept[i] = change(i, "r"))) name_of(path, "r", i), name_of(second, "s", i), sys_rename(path, second);
            if (any(3) == 0) vfs_sync();
        }
        dead = true;
        writes_left = -1;
        unmount_layers(over, upper); /* which can write nothing any more */
        come_back();
        over = mount_layers(&upper);
        for (unsigned i = 0; i < LOWER_FILES; i++) {
            unsigned copied = state_of("c", i, i * 3 + 'c'), unlinked = state_of("u", i, i * 3 + 'u');
            unsigned old = state_of("r", i, i * 3 + 'r'), now = state_of("s", i, i * 3 + 'r');
            CHECK(copied > 0);
            if (changed[i]) CHECK(unlinked != 1);
            else CHECK(unlinked > 0);
            CHECK((old == 0) != (now == 0));
            if (kept[i]) CHECK(old + now == 2);
            seen[copied]++;
            moved += now > 0;
        }
        unmount_layers(over, upper);
        sound(image, "overlay");
        settle_pending(true);
        if (failures) {
            printf("round %u of overlay crashes\n", round);
            exit(1);
        }
    }
    CHECK(seen[1] > 10 && seen[2] > 10 && moved > 10);
    quiet = false;
}

/* ---- Damage: everything that can be asked of it gives an answer or an error. ---- */
static void explore(const char *path, unsigned depth) {
    static uint8_t bytes[20000];
    struct dirent_sink *none = NULL;
    (void)none;
    long descriptor = sys_open(path, O_RDONLY | O_DIRECTORY, 0), size;
    uint8_t list[1024];
    for (unsigned helpings = 0; descriptor >= 0 && helpings < 20 && (size = sys_getdents64((int)descriptor, list, sizeof list)) > 0; helpings++)
        for (long at = 0; at < size;) {
            struct linux_dirent64 *entry = (void *)(list + at);
            char text[600];
            at += entry->length;
            struct linux_stat stat;
            if (!strcmp(entry->name, ".") || !strcmp(entry->name, "..")) continue;
            snprintf(text, sizeof text, "%s/%s", path, entry->name);
            if (strlen(text) > 500 || sys_lstat(text, &stat)) continue;
            sys_readlink(text, (char *)bytes, 4000);
            sys_getxattr(text, "user.a", bytes, sizeof bytes);
            if ((stat.mode & S_IFMT) == S_IFREG) {
                content_of(text, bytes, sizeof bytes);
                long other = sys_open(text, O_RDWR, 0);
                if (other >= 0) {
                    sys_pwrite64((int)other, bytes, 3000, any(40000));
                    if (any(3) == 0) sys_fallocate((int)other, 3, any(9000), 1 + any(9000));
                    sys_fsync((int)other);
                    sys_close((int)other);
                }
            }
            if ((stat.mode & S_IFMT) == S_IFDIR && depth) explore(text, depth - 1);
            if (any(4) == 0) sys_unlink(text);
            if (any(4) == 0) sys_rename(text, "/o/elsewhere");
        }
    if (descriptor >= 0) sys_close((int)descriptor);
}

static void damage(void) {
    static const char *const damaged[] = { "-b 1024 -O ^metadata_csum,uninit_bg", "-b 1024 -O ^metadata_csum,^uninit_bg,^has_journal -I 128", "-b 4096" };
    static uint64_t places[40000];
    uint8_t *pristine = malloc(SIZE);
    unsigned opened = 0, rounds = 0;
    for (unsigned form = 0; form < 3; form++) {
        make(damaged[form]);
        clear_tree("/m", 60);
        struct superblock *super = mount_it();
        steps(400);
        unmount(super);
        corners("before the damage");
        super = mount_it();
        writes_left = any(3) ? 600 : -1; /* with something in its journal */
        for (unsigned i = 0; i < 300 && !dead; i++) act(any(13), "/o", any_path(), "/sub", any(1000)), i % 9 ? 0 : vfs_sync();
        writes_left = -1, dead = true;
        unmount(super);
        settle_pending(false);
        dead = false;
        memcpy(pristine, stable, SIZE);
        unsigned count = 0; /* worth damaging: where there is something */
        for (uint64_t at = 1024; at < SIZE && count < 40000; at += 64)
            for (unsigned i = 0; i < 64; i++)
                if (pristine[at + i]) {
                    places[count++] = at;
                    break;
                }
        quiet = true;
        for (unsigned round = 0; round < DAMAGES; round++, rounds++) {
            memcpy(image, pristine, SIZE);
            for (unsigned i = 1 + any(6); i; i--) {
                uint64_t at = any(4) ? places[any(any(3) ? count / 4 + 1 : count)] + any(64) : 1024 + any(1024);
                image[at] = any(2) ? (uint8_t)any(256) : any(2) ? 0xff : image[at] ^ (uint8_t)(1u << any(8));
            }
            const char *why = NULL;
            int error = ext4_open(&device, 5, any(8) == 0, &super, &why);
            CHECK(!error || why);
            if (!error) {
                opened++;
                EQUAL(vfs_mount(super, "/o", false, 0), 0);
                explore("/o", 3);
                unmount(super);
            }
            vfs_forget_idle();
            settle_pending(true);
        }
        quiet = false;
    }
    CHECK(opened > rounds / 20);
    free(pristine);
}

int main(void) {
    image = calloc(1, SIZE);
    stable = calloc(1, SIZE);
    first_process.view = NULL;
    EQUAL(vfs_mount(tmpfs_create(0755, 2), "/", true, 0), 0);
    EQUAL(vfs_make_directory("/o", 0755), 0);
    EQUAL(vfs_make_directory("/m", 0755), 0);
    EQUAL(vfs_mount(tmpfs_create(0755, 3), "/m", false, 0), 0);
    EQUAL(vfs_make_directory("/v", 0755), 0);
    EQUAL(vfs_make_directory("/l", 0755), 0);
    if (!getenv("ONLY")) storms(), indexed();
    unasked();
    layered_crashes();
    crashes();
    damage();
    return report("ext4");
}
