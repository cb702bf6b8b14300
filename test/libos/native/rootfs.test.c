/*
 * A root file system without a machine: an EROFS image made here by hand, read through block and its cache; the same image damaged in
 * thousands of ways (errors, never a wrong access: the sanitizers watch); an overlay on it against a plain tmpfs, call by call.
 * sources: libos/block/block.c libos/erofs/erofs.c libos/overlay/copy_up.c libos/overlay/file.c libos/overlay/directory.c libos/overlay/redirect.c libos/vfs/dentry.c libos/vfs/inode.c libos/vfs/xattr.c libos/vfs/seals.c libos/vfs/walk.c libos/vfs/view.c libos/vfs/mount.c libos/vfs/open.c libos/vfs/attributes.c libos/vfs/names.c libos/vfs/transfer.c libos/tmpfs/content.c libos/tmpfs/file.c libos/tmpfs/directory.c libos/tmpfs/super.c libos/file/file.c libos/file/table.c libos/file/transfer.c libos/file/read.c libos/file/write.c libos/file/descriptor.c
 * Not optimised: what an assignment leaves in a structure's padding shows then (names of directory entries begin in it).
 * flags: -fno-builtin -O0
 */
#include "stand_ins.h"
#include "vfs/internal.h"
#include "block/block.h"
#include "console/console.h"
#include "erofs/erofs.h"
#include "overlay/overlay.h"
#include "tmpfs/tmpfs.h"

#include "vfs_calls.h"

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
static void storm(struct block_device *device) {
    const char *why;
    struct superblock *lower = erofs_open(device, 1, &why), *root = tmpfs_create(0755, 2);
    struct superblock *over = overlay_create(lower, tmpfs_create(0755, 3), NULL, 4);
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

/* Each name's number is the one that stat tells, whichever layer it comes from; returns the names. */
static unsigned numbers(const char *directory) {
    static uint8_t bytes[2048];
    struct linux_stat status;
    unsigned count = 0;
    long descriptor = sys_open(directory, O_RDONLY | O_DIRECTORY, 0), size;
    while ((size = sys_getdents64((int)descriptor, bytes, sizeof bytes)) > 0)
        for (long at = 0; at < size; at += ((struct linux_dirent64 *)(bytes + at))->length) {
            const struct linux_dirent64 *entry = (void *)(bytes + at);
            count++;
            if (entry->name[0] == '.') continue;
            EQUAL(sys_lstat(below(below(directory, "/", path_a), entry->name, path_b), &status), 0);
            EQUAL(entry->ino, status.ino);
        }
    EQUAL(size, 0);
    sys_close((int)descriptor);
    return count;
}

enum { CROWD = 1500 }; /* more than the overlay's tables have buckets at first */
static const char *crowd_name(const char *directory, unsigned i) {
    char *out = path_a;
    memcpy(out, directory, strlen(directory));
    out += strlen(directory);
    for (unsigned place = 1000; place; place /= 10) *out++ = (char)('0' + i / place % 10);
    *out = 0;
    return path_a;
}

static void crowds(void) {
    static uint8_t bytes[512];
    struct linux_stat status;
    numbers("/o");
    if (!sys_lstat("/o/dir", &status) && (status.mode & S_IFMT) == S_IFDIR) numbers("/o/dir"); /* unless the storm renamed it */
    EQUAL(sys_mkdir("/o/crowd", 0755), 0);
    for (unsigned i = 0; i < CROWD; i++) {
        long descriptor = sys_open(crowd_name("/o/crowd/", i), O_WRONLY | O_CREAT, 0644);
        CHECK(descriptor >= 0);
        if (i % 3 == 0) sys_close((int)descriptor), EQUAL(sys_unlink(path_a), 0);
        else sys_close((int)descriptor);
    }
    EQUAL(numbers("/o/crowd"), CROWD - CROWD / 3 + 2);
    /* Whatever goes away between two calls, a reader sees the others once: also when that is the one at which it stopped. */
    EQUAL(sys_mkdir("/m/crowd", 0755), 0);
    for (unsigned i = 0; i < CROWD; i++) sys_close((int)sys_open(crowd_name("/m/crowd/", i), O_WRONLY | O_CREAT, 0644));
    long descriptor = sys_open("/m/crowd", O_RDONLY | O_DIRECTORY, 0), other = sys_open("/m/crowd", O_RDONLY | O_DIRECTORY, 0), size;
    unsigned seen = 0;
    while ((size = sys_getdents64((int)descriptor, bytes, sizeof bytes)) > 0) {
        const struct linux_dirent64 *entry = NULL;
        for (long at = 0; at < size; at += entry->length) {
            entry = (void *)(bytes + at);
            if (entry->name[0] != '.') EQUAL((entry->name[0] - '0') * 1000 + (entry->name[1] - '0') * 100 + (entry->name[2] - '0') * 10 + (entry->name[3] - '0'), seen++);
        }
        if (entry->name[0] != '.') EQUAL(sys_unlink(below("/m/crowd/", entry->name, path_a)), 0);
        if (seen % 2) CHECK(sys_getdents64((int)other, bytes, 64) >= 0); /* another place in it */
    }
    EQUAL(seen, CROWD);
    EQUAL(sys_getdents64((int)descriptor, bytes, 0), 0);
    sys_lseek((int)descriptor, 0, SEEK_SET);
    EQUAL(sys_getdents64((int)descriptor, bytes, 16), -EINVAL);
    EQUAL(sys_getdents64((int)descriptor, bytes, 0), -EINVAL);
    sys_close((int)descriptor);
    sys_close((int)other);
}

/* Files that are changed, and so copied up, between two calls of a listing are in it once all the same: the directory begins below only. */
static void copied_meanwhile(struct block_device *device) {
    static uint8_t bytes[512];
    const char *why;
    struct superblock *over = overlay_create(erofs_open(device, 1, &why), tmpfs_create(0755, 5), NULL, 6);
    unsigned times[MANY] = { 0 }, calls = 0;
    CHECK(over);
    EQUAL(vfs_make_directory("/p", 0755), 0);
    EQUAL(vfs_mount(over, "/p", false, 0), 0);
    long descriptor = sys_open("/p/dir", O_RDONLY | O_DIRECTORY, 0), size;
    while ((size = sys_getdents64((int)descriptor, bytes, sizeof bytes)) > 0) {
        for (long at = 0; at < size; at += ((struct linux_dirent64 *)(bytes + at))->length) {
            const char *name = ((struct linux_dirent64 *)(bytes + at))->name;
            if (name[0] == 'n') times[(name[1] - '0') * 100 + (name[2] - '0') * 10 + (name[3] - '0')]++;
        }
        if (calls++) continue;
        EQUAL(sys_chmod("/p/dir/n001", 0600), 0); /* shown already */
        EQUAL(sys_chmod("/p/dir/n250", 0600), 0);
        EQUAL(sys_unlink("/p/dir/n251"), 0);
        EQUAL(sys_unlink("/p/dir/n252"), 0);
        sys_close((int)sys_open("/p/dir/n252", O_WRONLY | O_CREAT, 0644)); /* another file */
    }
    EQUAL(size, 0);
    CHECK(calls > 3);
    sys_close((int)descriptor);
    for (unsigned i = 0; i < MANY; i++) EQUAL(times[i], i != 251);
    EQUAL(numbers("/p/dir"), MANY + 2 - 1);
}

int main(void) {
    build();
    struct block_device *device = new_device();
    reading(device);
    drop_cache(device);
    EQUAL(pages_out, 0);
    damage(device);
    storm(device);
    crowds();
    copied_meanwhile(device);
    return report("rootfs");
}
