/*
 * A root file system without a machine: an EROFS image made here by hand, read through block and its cache; the same image damaged in
 * thousands of ways (errors, never a wrong access: the sanitizers watch); an overlay on it against a plain tmpfs, call by call.
 * sources: libos/block/block.c libos/erofs/erofs.c libos/overlay/copy_up.c libos/overlay/file.c libos/overlay/directory.c libos/overlay/redirect.c libos/vfs/dentry.c libos/vfs/inode.c libos/vfs/xattr.c libos/vfs/walk.c libos/vfs/view.c libos/vfs/mount.c libos/vfs/open.c libos/vfs/attributes.c libos/vfs/names.c libos/vfs/transfer.c libos/tmpfs/content.c libos/tmpfs/file.c libos/tmpfs/directory.c libos/tmpfs/super.c libos/file/file.c libos/file/table.c libos/file/transfer.c libos/file/read.c libos/file/write.c libos/file/descriptor.c
 * flags: -fno-builtin
 */
#include "stand_ins.h"
#include "vfs/internal.h"
#include "block/block.h"
#include "console/console.h"
#include "erofs/erofs.h"
#include "overlay/overlay.h"
#include "tmpfs/tmpfs.h"

/* Each page is its own allocation, so that a byte beyond one is seen; "physical" addresses count them. */
#define PAGES (1u << 14)
char *native_arena;
static struct page pages[PAGES];
static uint32_t free_pages[PAGES], free_count, limit = PAGES;
static long pages_out;
uint64_t memory_reclaim(uint64_t wanted);
void *page_alloc(void) {
    if (!native_arena) {
        native_arena = aligned_alloc(4096, PAGES * 4096ul);
        for (uint32_t i = 1; i < PAGES; i++) free_pages[free_count++] = i;
    }
    if (pages_out >= limit || !free_count) return NULL;
    uint32_t index = free_pages[--free_count];
    pages[index] = (struct page){ 1, 0 };
    pages_out++;
    return native_arena + index * 4096ul;
}
void *page_alloc_zeroed(void) {
    void *page = page_alloc();
    return page ? memset(page, 0, 4096) : NULL;
}
struct page *page_of(uint64_t physical) { return physical / 4096 < PAGES ? &pages[physical / 4096] : NULL; }
void page_get(uint64_t physical) { pages[physical / 4096].references++; }
void page_put(uint64_t physical) {
    uint32_t index = (uint32_t)(physical / 4096);
    CHECK(pages[index].references > 0);
    if (--pages[index].references) return;
    free_pages[free_count++] = index;
    pages_out--;
}
void *pages_alloc(unsigned count) { return aligned_alloc(4096, count * 4096ul); }
void pages_free(void *given, unsigned count) { (void)count; free(given); }
uint64_t memory_total(void) { return PAGES * 4096ul; }
uint64_t memory_free(void) { return free_count * 4096ul; }
void *kmalloc(size_t size) { return malloc(size); }
void *kzalloc(size_t size) { return calloc(1, size); }
void kfree(void *p) { free(p); }
uint64_t clock_realtime_ns(void) { return 1000000000; }
static int copy(void *to, const void *from, size_t size, const void *program) {
    if (size && (uintptr_t)program < 4096) return -EFAULT;
    memmove(to, from, size);
    return 0;
}
int user_copy_in(void *to, const void *program, size_t size) { return copy(to, program, size, program); }
int user_copy_out(void *program, const void *from, size_t size) { return copy(program, from, size, program); }
long user_string_in(char *to, const char *program, size_t room) {
    size_t length = strlen(program);
    if (length >= room) return -ENAMETOOLONG;
    memcpy(to, program, length + 1);
    return (long)length;
}
int wait_until(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t deadline, int interruptible) {
    (void)queue, (void)deadline, (void)interruptible;
    CHECK(condition(argument)); /* alone, nobody else can be reading */
    return 0;
}
void wait_queue_wake(struct wait_queue *queue, int count) { (void)queue, (void)count; }
int device_open(struct inode *inode, uint32_t flags, struct file **out) { (void)inode, (void)flags, (void)out; return -ENXIO; }
struct file console_files[3];
uint32_t input_component;
struct process first_process = { .files = &first_file_table };
struct thread first_thread = { .process = &first_process };
struct cpu cpu_zero = { .current = &first_thread };

long sys_open(const char *, int, uint32_t), sys_close(int), sys_read(int, void *, size_t), sys_write(int, const void *, size_t);
long sys_pread64(int, void *, size_t, int64_t), sys_pwrite64(int, const void *, size_t, int64_t), sys_truncate(const char *, int64_t);
long sys_mkdir(const char *, uint32_t), sys_rmdir(const char *), sys_unlink(const char *), sys_rename(const char *, const char *);
long sys_link(const char *, const char *), sys_symlink(const char *, const char *), sys_readlink(const char *, char *, size_t);
long sys_lstat(const char *, struct linux_stat *), sys_getdents64(int, void *, unsigned), sys_chmod(const char *, uint32_t);

/* ---- The image, by hand: the on-disk form is written here a second time, from the specification. ---- */
#define BLOCKS 64
static uint8_t image[BLOCKS * 4096], pristine[sizeof image];
static uint8_t *at_nid(unsigned nid) { return image + nid * 32; }
static void put(uint8_t *to, uint64_t value, unsigned size) {
    for (unsigned i = 0; i < size; i++) to[i] = (uint8_t)(value >> 8 * i);
}
static unsigned next_nid = 64, next_block = 40; /* inodes from block 0's middle on, content at the end */

/* An extended inode with its content; inline: the tail behind it. */
static unsigned add_inode(uint32_t mode, const void *content, size_t size, bool inlined, uint32_t device) {
    size_t tail = inlined ? size % 4096 : 0, whole = (size - tail + 4095) / 4096, need = (64 + tail + 31) / 32;
    if (next_nid / 128 != (next_nid + need - 1) / 128) next_nid = (next_nid / 128 + 1) * 128;
    unsigned nid = next_nid;
    next_nid += (unsigned)need;
    uint8_t *inode = at_nid(nid);
    put(inode, 1 | (inlined ? 2 : 0) << 1, 2);
    put(inode + 4, mode, 2);
    put(inode + 8, size, 8);
    put(inode + 16, device ? device : next_block, 4);
    put(inode + 32, 1234567890, 8);
    put(inode + 44, 1, 4);
    if (content) {
        memcpy(image + next_block * 4096, content, whole * 4096 < size ? whole * 4096 : size);
        memcpy(inode + 64, (const uint8_t *)content + whole * 4096, tail);
    }
    next_block += (unsigned)whole;
    return nid;
}

struct named { char name[24]; unsigned nid, type; };
/* Names are given in order. Returns the size; blocks of at most `room` names. */
static size_t pack(uint8_t *out, const struct named *names, unsigned count, unsigned room) {
    size_t size = 0;
    for (unsigned first = 0; first < count; first += room) {
        unsigned here = count - first < room ? count - first : room;
        uint8_t *block = out + first / room * 4096;
        size_t name = here * 12;
        for (unsigned i = 0; i < here; i++) {
            size_t length = strlen(names[first + i].name);
            put(block + i * 12, names[first + i].nid, 8);
            put(block + i * 12 + 8, name, 2);
            block[i * 12 + 10] = (uint8_t)names[first + i].type;
            memcpy(block + name, names[first + i].name, length);
            name += length;
        }
        size = first / room * 4096 + name;
    }
    return size;
}

#define MANY 300
static uint8_t pattern[3 * 4096 + 100];
static void build(void) {
    static struct named many[MANY + 2];
    static uint8_t packed[8 * 4096];
    for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (uint8_t)(i * 7 + i / 256);
    unsigned small = add_inode(S_IFREG | 0644, "hello\n", 6, true, 0);
    unsigned large = add_inode(S_IFREG | 0755, pattern, sizeof pattern, true, 0), plain = add_inode(S_IFREG | 0600, pattern, 5000, false, 0);
    unsigned link = add_inode(S_IFLNK | 0777, "dir/n007", 8, true, 0), null = add_inode(S_IFCHR | 0666, NULL, 0, false, 0x103);
    unsigned root = 36, directory = next_nid;
    memcpy(many[0].name, ".", 2);
    memcpy(many[1].name, "..", 3);
    for (unsigned i = 0; i < MANY; i++) {
        char *name = many[i + 2].name;
        name[0] = 'n', name[1] = (char)('0' + i / 100), name[2] = (char)('0' + i / 10 % 10), name[3] = (char)('0' + i % 10);
        many[i + 2].nid = i % 2 ? small : large;
        many[i + 2].type = 1;
    }
    many[0].nid = directory, many[1].nid = root, many[0].type = many[1].type = 2;
    directory = add_inode(S_IFDIR | 0755, packed, pack(packed, many, MANY + 2, 100), true, 0); /* its own number was guessed: */
    put(image + (next_block - 3) * 4096, directory, 8);
    struct named top[] = { { ".", root, 2 }, { "..", root, 2 }, { "dir", directory, 2 }, { "large", large, 1 }, { "link", link, 7 },
                           { "null", null, 3 }, { "plain", plain, 1 }, { "small", small, 1 } };
    size_t size = pack(packed, top, 8, 100);
    unsigned keep = next_nid;
    next_nid = root; /* between the superblock and the others */
    EQUAL(add_inode(S_IFDIR | 0755, packed, size, true, 0), root);
    next_nid = keep;
    put(image + 1024, 0xe0f5e1e2, 4);
    image[1036] = 12;
    put(image + 1038, root, 2);
    put(image + 1040, 6, 8);
    put(image + 1060, BLOCKS, 4);
    memcpy(pristine, image, sizeof image);
}

static unsigned reads, failing;
static int read_image(struct block_device *device, uint64_t first, void *const *to, unsigned count) {
    reads++;
    CHECK(count >= 1 && count <= BLOCK_READ_MOST && first + count <= device->pages);
    if (failing) return -EIO;
    for (unsigned i = 0; i < count; i++) memcpy(to[i], image + (first + i) * 4096, 4096);
    return 0;
}
static struct block_device *new_device(void) {
    struct block_device *device = calloc(1, sizeof *device);
    *device = (struct block_device){ .pages = BLOCKS, .read = read_image };
    EQUAL(block_attach(device), 0);
    return device;
}
/* As if it were taken out of the machine: the list of devices has no such call, since machines keep theirs. */
static void drop_cache(struct block_device *device) {
    while (memory_reclaim(BLOCKS)) {}
    EQUAL(device->cached, 0);
    if (device->leaves[0]) page_put(virt_to_phys(device->leaves[0]));
    device->leaves[0] = NULL;
}
static void drop_super(struct superblock *super) {
    inode_put(super->root);
    free(super->data);
    free(super);
}

static struct inode *find(struct inode *directory, const char *name) {
    struct inode *found = NULL;
    return directory->ops->lookup(directory, name, strlen(name), &found) ? NULL : found;
}
struct listing { struct dirent_sink sink; unsigned count, most; int64_t last; };
static bool list_name(struct dirent_sink *sink, const char *name, size_t length, uint64_t ino, uint32_t mode, int64_t offset) {
    struct listing *listing = (struct listing *)sink;
    (void)ino, (void)mode;
    if (listing->count == listing->most) return false;
    CHECK(length >= 1 && length <= NAME_MAX && offset > listing->last);
    for (size_t i = 0; i < length; i++) (void)*(volatile const char *)&name[i];
    listing->last = offset;
    listing->count++;
    return true;
}

static void reading(struct block_device *device) {
    const char *why;
    uint8_t bytes[sizeof pattern + 10];
    struct superblock *super = erofs_open(device, 1, &why);
    CHECK(super);
    struct inode *root = super->root, *directory = find(root, "dir"), *inode;
    EQUAL(root->mtime.seconds, 1234567890);
    CHECK(!find(root, "nothing") && !find(root, "a") && !find(root, "zz") && !find(root, "di") && !find(root, "dirs"));
    inode = find(root, "small");
    EQUAL(inode->ops->read(inode, bytes, 100, 0), 6);
    CHECK(!memcmp(bytes, "hello\n", 6));
    inode_put(inode);
    inode = find(root, "large");
    EQUAL(inode->ops->read(inode, bytes, sizeof bytes, 0), sizeof pattern);
    CHECK(!memcmp(bytes, pattern, sizeof pattern));
    EQUAL(inode->ops->read(inode, bytes, 200, 3 * 4096 - 50), 150);
    CHECK(!memcmp(bytes, pattern + 3 * 4096 - 50, 150));
    EQUAL(inode->ops->read(inode, bytes, 1, sizeof pattern), 0);
    uint64_t page, again;
    EQUAL(inode->ops->get_page(inode, 3, FILE_PAGE_READ, &page), 0);
    EQUAL(inode->ops->get_page(inode, 3, FILE_PAGE_AT_HAND, &again), 0);
    EQUAL(page, again);
    CHECK(!memcmp(phys_to_virt(page), pattern + 3 * 4096, 100));
    for (unsigned i = 100; i < 4096; i++) CHECK(((uint8_t *)phys_to_virt(page))[i] == 0);
    page_put(page);
    page_put(page);
    EQUAL(inode->ops->get_page(inode, 4, FILE_PAGE_READ, &page), -ENXIO);
    inode_put(inode);
    inode = find(root, "plain");
    EQUAL(inode->ops->read(inode, bytes, sizeof bytes, 4000), 1000);
    CHECK(!memcmp(bytes, pattern + 4000, 1000));
    inode_put(inode);
    inode = find(root, "link");
    EQUAL(inode->ops->readlink(inode, (char *)bytes, 100), 8);
    EQUAL(inode->ops->readlink(inode, (char *)bytes, 3), 3);
    inode_put(inode);
    inode = find(root, "null");
    EQUAL(inode->rdev, DEVICE_NUMBER(1, 3));
    inode_put(inode);
    for (unsigned i = 0; i < MANY; i++) {
        char name[5] = { 'n', (char)('0' + i / 100), (char)('0' + i / 10 % 10), (char)('0' + i % 10), 0 };
        inode = find(directory, name);
        CHECK(inode && inode->size == (i % 2 ? 6 : (int64_t)sizeof pattern));
        if (inode) inode_put(inode);
    }
    struct listing listing = { { list_name }, 0, 7, 0 };
    unsigned total = 0;
    do { /* in small helpings, from the position of the last one */
        listing.count = 0;
        EQUAL(directory->ops->iterate(directory, listing.last, &listing.sink), 0);
        total += listing.count;
    } while (listing.count);
    EQUAL(total, MANY + 2);
    inode_put(directory);
    /* A failing device: an error, and the page can be had later. */
    drop_cache(device);
    failing = 1;
    EQUAL(block_get_page(device, 40, FILE_PAGE_READ, &page), -EIO);
    EQUAL(block_get_page(device, 40, FILE_PAGE_AT_HAND, &page), -EAGAIN);
    failing = 0;
    EQUAL(block_get_page(device, 40, FILE_PAGE_READ, &page), 0);
    unsigned before = reads;
    EQUAL(block_get_page(device, 41, FILE_PAGE_AT_HAND, &again), 0); /* came along */
    EQUAL(reads, before);
    page_put(again);
    memory_reclaim(BLOCKS);
    EQUAL(device->cached, 1); /* the one that is held */
    page_put(page);
    EQUAL(block_get_page(device, BLOCKS, FILE_PAGE_READ, &page), -ENXIO);
    drop_super(super);
}

/* Everything that can be asked of a damaged image. */
static void explore(struct inode *directory, unsigned depth) {
    static const char *const names[] = { ".", "dir", "large", "link", "n007", "n150", "n299", "null", "plain", "small" };
    static uint8_t bytes[8192];
    struct listing listing = { { list_name }, 0, 1000, -1 };
    uint64_t page;
    listing.last = -1;
    directory->ops->iterate(directory, 0, &listing.sink);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        struct inode *inode = find(directory, names[i]);
        if (!inode) continue;
        if (inode->ops->read) {
            inode->ops->read(inode, bytes, sizeof bytes, 0);
            inode->ops->read(inode, bytes, 10, inode->size - 5 > 0 ? inode->size - 5 : 0);
            for (unsigned index = 0; index < 5; index++)
                if (!inode->ops->get_page(inode, index, FILE_PAGE_READ, &page)) page_put(page);
        }
        if (inode->ops->readlink) inode->ops->readlink(inode, (char *)bytes, 4095);
        if (inode->ops->lookup && depth) explore(inode, depth - 1);
        inode_put(inode);
    }
}

static void damage(struct block_device *device) {
    unsigned opened = 0;
    for (unsigned round = 0; round < 6000; round++) {
        memcpy(image, pristine, sizeof image);
        for (unsigned i = 1 + any(4); i; i--) {
            unsigned place = any(3) ? 1024 + any(36 * 32) : any(10) ? any(next_nid * 32) : any(sizeof image);
            image[place] = any(2) ? (uint8_t)any(256) : any(2) ? 0xff : image[place] ^ (uint8_t)(1u << any(8));
        }
        const char *why;
        struct superblock *super = erofs_open(device, 1, &why);
        CHECK(super || why);
        if (super) {
            opened++;
            explore(super->root, 2);
            drop_super(super);
        }
        drop_cache(device);
        EQUAL(pages_out, 0);
    }
    CHECK(opened > 1000);
    memcpy(image, pristine, sizeof image);
}

/* ---- The overlay: the same calls below /o and /m, the same answers. ---- */
static char path_a[64], path_b[64];
static const char *below(const char *mount, const char *rest, char *out) {
    size_t length = strlen(mount);
    memcpy(out, mount, length);
    memcpy(out + length, rest, strlen(rest) + 1);
    return out;
}
static const char *any_path(void) {
    static char text[32];
    static const char *const tops[] = { "/dir", "/large", "/plain", "/small", "/link", "/new", "/new2", "/sub" };
    static const char *const subs[] = { "", "/n000", "/n001", "/n123", "/x", "/y", "/sub", "/sub/z" };
    const char *top = tops[any(8)], *sub = any(2) ? subs[any(8)] : "";
    size_t length = strlen(top);
    memcpy(text, top, length);
    memcpy(text + length, sub, strlen(sub) + 1);
    return text;
}
static long content_of(const char *path, uint8_t *out, size_t room) {
    long descriptor = sys_open(path, O_RDONLY | O_NOFOLLOW, 0);
    if (descriptor < 0) return descriptor;
    long size = sys_read((int)descriptor, out, room);
    sys_close((int)descriptor);
    return size;
}
static void copy_file(const char *from, const char *to) {
    static uint8_t bytes[16384];
    long size = content_of(from, bytes, sizeof bytes), descriptor = sys_open(to, O_WRONLY | O_CREAT, 0644);
    EQUAL(sys_write((int)descriptor, bytes, (size_t)size), size);
    sys_close((int)descriptor);
    struct linux_stat stat;
    EQUAL(sys_lstat(from, &stat), 0);
    EQUAL(sys_chmod(to, stat.mode & 07777), 0);
}

struct seen { char names[400][28]; unsigned count; };
static void read_names(const char *path, struct seen *out) {
    static uint8_t bytes[2048];
    long descriptor = sys_open(path, O_RDONLY | O_DIRECTORY, 0), size;
    out->count = 0;
    CHECK(descriptor >= 0);
    while ((size = sys_getdents64((int)descriptor, bytes, sizeof bytes)) > 0)
        for (long at = 0; at < size;) {
            struct linux_dirent64 *entry = (void *)(bytes + at);
            CHECK(out->count < 400 && strlen(entry->name) < 28);
            memcpy(out->names[out->count++], entry->name, strlen(entry->name) + 1);
            at += entry->length;
        }
    EQUAL(size, 0);
    sys_close((int)descriptor);
}
static void same_tree(const char *one, const char *other, unsigned depth) {
    struct seen *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    static uint8_t x[20000], y[20000];
    read_names(one, a);
    read_names(other, b);
    EQUAL(a->count, b->count);
    for (unsigned i = 0; i < a->count && depth; i++) {
        char p[200], q[200];
        struct linux_stat s, t;
        bool there = false;
        for (unsigned j = 0; j < b->count; j++) there |= strcmp(a->names[i], b->names[j]) == 0;
        CHECK(there);
        if (a->names[i][0] == '.') continue;
        size_t length = strlen(one);
        memcpy(p, one, length), p[length] = '/', memcpy(p + length + 1, a->names[i], strlen(a->names[i]) + 1);
        length = strlen(other);
        memcpy(q, other, length), q[length] = '/', memcpy(q + length + 1, a->names[i], strlen(a->names[i]) + 1);
        EQUAL(sys_lstat(p, &s), 0);
        EQUAL(sys_lstat(q, &t), 0);
        EQUAL(s.mode, t.mode);
        if ((s.mode & S_IFMT) == S_IFDIR) same_tree(p, q, depth - 1);
        else EQUAL(s.size, t.size);
        if ((s.mode & S_IFMT) == S_IFREG) {
            long size = content_of(p, x, sizeof x);
            EQUAL(size, content_of(q, y, sizeof y));
            CHECK(size < 0 || !memcmp(x, y, (size_t)size));
        }
    }
    free(a);
    free(b);
}

static long act(unsigned what, const char *mount, const char *first, const char *second, unsigned value) {
    const char *path = below(mount, first, path_a), *other = below(mount, second, path_b);
    uint8_t bytes[64];
    long descriptor, result;
    memset(bytes, (int)value, sizeof bytes);
    switch (what) {
    case 0: case 1: case 2:
        descriptor = sys_open(path, O_RDWR | (value & 1 ? O_CREAT : 0) | (value % 5 == 0 ? O_TRUNC : 0) | (value % 7 == 0 ? O_APPEND : 0), 0640);
        if (descriptor < 0) return descriptor;
        result = sys_pwrite64((int)descriptor, bytes, value % 64, value * 37 % 9000);
        sys_close((int)descriptor);
        return result;
    case 3: return sys_mkdir(path, 0755);
    case 4: return sys_rmdir(path);
    case 5: case 6: return sys_unlink(path);
    case 7: return sys_rename(path, other);
    case 8: return value % 3 ? sys_rename(path, other) : sys_renameat2(AT_FDCWD, path, AT_FDCWD, other, 2 /* exchange */);
    case 9: return sys_symlink("small", path);
    case 10: return sys_chmod(path, 0600 + value % 8);
    case 11: return sys_truncate(path, value * 11 % 6000);
    default: return sys_link(path, other);
    }
}

static void storm(struct block_device *device) {
    const char *why;
    struct superblock *lower = erofs_open(device, 1, &why), *root = tmpfs_create(0755, 2);
    struct superblock *over = overlay_create(lower, tmpfs_create(0755, 3), 4);
    unsigned done = 0;
    CHECK(over);
    first_process.view = NULL;
    EQUAL(vfs_mount(root, "/", true, 0), 0);
    EQUAL(vfs_make_directory("/o", 0755), 0);
    EQUAL(vfs_make_directory("/m", 0755), 0);
    EQUAL(vfs_mount(over, "/o", false, 0), 0);
    EQUAL(sys_mkdir("/m/dir", 0755), 0);
    struct seen *names = malloc(sizeof *names);
    read_names("/o/dir", names);
    EQUAL(names->count, MANY + 2);
    for (unsigned i = 0; i < names->count; i++)
        if (names->names[i][0] == 'n') copy_file(below("/o/dir/", names->names[i], path_a), below("/m/dir/", names->names[i], path_b));
    free(names);
    copy_file("/o/large", "/m/large"), copy_file("/o/plain", "/m/plain"), copy_file("/o/small", "/m/small");
    EQUAL(sys_symlink("dir/n007", "/m/link"), 0);
    EQUAL(sys_unlink("/o/null"), 0); /* the one that the other side has not */
    EQUAL(sys_rmdir("/o/dir"), -ENOTEMPTY);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned what = any(13), value = any(1000);
        char first[32], second[32];
        const char *text = any_path();
        memcpy(first, text, strlen(text) + 1);
        text = any_path();
        memcpy(second, text, strlen(text) + 1);
        if (what == 12 && step % 16) continue; /* few hard links: a copied-up name parts from its others */
        long got = act(what, "/o", first, second, value);
        long wanted = act(what, "/m", first, second, value);
        EQUAL(got, wanted);
        if (got >= 0) done++;
        if (step % 2000 == 0) same_tree("/o", "/m", 0);
        if (failures > 10) return;
    }
    CHECK(done > 2000);
    same_tree("/o", "/m", 3);
}

int main(void) {
    build();
    struct block_device *device = new_device();
    reading(device);
    drop_cache(device);
    EQUAL(pages_out, 0);
    damage(device);
    storm(device);
    return report("rootfs");
}
