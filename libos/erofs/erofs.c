/*
 * EROFS without compression (Linux Documentation/filesystems/erofs.rst, "On-disk details"; field names as in fs/erofs/erofs_fs.h).
 *
 * The image is not trusted: each number from it is checked before it is used as a place or a length, and what does not fit is -EIO for whoever
 * asked (Linux says EFSCORRUPTED, which has no name of its own). An inode number ("nid") is its place / 32. Content is whole blocks from
 * raw_blkaddr on (plain), or the last part of a block lies behind the inode, in the same block (inline).
 */
#include "erofs/erofs.h"
#include "arch/arch.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"

#define MAGIC 0xe0f5e1e2u
#define SUPER_OFFSET 1024
#define SLOT_BITS 5
#define INCOMPAT_ZERO_PADDING 1u /* about compressed files, which are refused one by one */
enum { LAYOUT_PLAIN = 0, LAYOUT_INLINE = 2 };

struct disk_super {
    uint32_t magic, checksum, compatible;
    uint8_t block_bits, extra_slots;
    uint16_t root_nid;
    uint64_t inodes, time;
    uint32_t time_ns, blocks, meta_block, xattr_block;
    uint8_t uuid[16], name[16];
    uint32_t incompatible;
    uint8_t reserved[44];
};
struct disk_inode { /* compact; an extended one has 32 bytes more and other fields behind `format` */
    uint16_t format, xattr_count, mode;
    union __attribute__((packed)) {
        struct __attribute__((packed)) { uint16_t links; uint32_t size, reserved, place, number; uint16_t uid, gid; uint32_t reserved2; } compact;
        struct __attribute__((packed)) {
            uint16_t reserved; uint64_t size; uint32_t place, number, uid, gid; uint64_t time; uint32_t time_ns, links; uint8_t reserved2[16];
        } extended;
    };
};
struct disk_name { uint64_t nid; uint16_t offset; uint8_t type, reserved; } __attribute__((packed));
_Static_assert(sizeof(struct disk_super) == 128 && sizeof(struct disk_inode) == 64 && sizeof(struct disk_name) == 12, "EROFS on disk");

struct volume { struct block_device *device; uint64_t meta; struct linux_timespec time; uint64_t blocks, inodes; };
struct content {
    uint64_t first;     /* device page of the first block */
    uint64_t whole;     /* blocks there; what follows is inline */
    uint64_t tail;      /* byte offset of the inline part in the device */
    uint64_t tail_page; /* its copy for mappings, 0: not made */
};

static struct volume *volume_of(const struct inode *inode) { return inode->super->data; }
static struct content *content_of(const struct inode *inode) { return inode->data; }

static int read_bytes(struct volume *volume, uint64_t offset, void *to, size_t size) {
    for (size_t done = 0, piece; done < size; done += piece) {
        uint64_t page, within = (offset + done) & (PAGE_SIZE - 1);
        int error = block_get_page(volume->device, (offset + done) >> PAGE_SHIFT, FILE_PAGE_READ, &page);
        if (error) return error == -ENXIO ? -EIO : error;
        piece = size - done < PAGE_SIZE - within ? size - done : PAGE_SIZE - within;
        memcpy((char *)to + done, (char *)phys_to_virt(page) + within, piece);
        page_put(page);
    }
    return 0;
}

/* Bytes of block `index` of a file, where they are: a page with a reference, and the place in it. index is within the file. */
static int view(const struct inode *inode, uint64_t index, int how, uint64_t *page, const uint8_t **bytes) {
    const struct content *content = content_of(inode);
    uint64_t at = index < content->whole ? (content->first + index) << PAGE_SHIFT : content->tail;
    int error = block_get_page(volume_of(inode)->device, at >> PAGE_SHIFT, how, page);
    if (error) return error == -ENXIO ? -EIO : error;
    *bytes = (uint8_t *)phys_to_virt(*page) + (at & (PAGE_SIZE - 1));
    return 0;
}

static size_t bytes_in_block(const struct inode *inode, uint64_t index) {
    uint64_t left = (uint64_t)inode->size - (index << PAGE_SHIFT);
    return left < PAGE_SIZE ? (size_t)left : PAGE_SIZE;
}

static long read_file(struct inode *inode, void *program, size_t size, int64_t position) {
    if (position >= inode->size) return 0;
    if (size > (uint64_t)(inode->size - position)) size = (size_t)(inode->size - position);
    for (size_t done = 0, piece; done < size; done += piece) {
        uint64_t at = (uint64_t)position + done, page, within = at & (PAGE_SIZE - 1);
        const uint8_t *bytes;
        int error = view(inode, at >> PAGE_SHIFT, FILE_PAGE_READ, &page, &bytes);
        if (error) return done ? (long)done : error;
        piece = size - done < PAGE_SIZE - within ? size - done : PAGE_SIZE - within;
        error = user_copy_out((char *)program + done, bytes + within, piece);
        page_put(page);
        if (error) return done ? (long)done : -EFAULT;
    }
    return (long)size;
}

static int get_page(struct inode *inode, uint64_t index, int how, uint64_t *physical) {
    struct content *content = content_of(inode);
    const uint8_t *bytes;
    uint64_t page;
    if (index >= ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT) return -ENXIO;
    if (index < content->whole) return view(inode, index, how, physical, &bytes);
    if (!content->tail_page) {
        int error = view(inode, index, how, &page, &bytes);
        if (error) return error;
        uint8_t *copy = page_alloc_zeroed();
        if (copy) memcpy(copy, bytes, bytes_in_block(inode, index));
        page_put(page);
        if (!copy) return -ENOMEM;
        content->tail_page = virt_to_phys(copy);
    }
    page_get(*physical = content->tail_page);
    return 0;
}

static long readlink(struct inode *inode, char *out, size_t room) {
    size_t size = (size_t)inode->size < room ? (size_t)inode->size : room;
    for (size_t done = 0, piece; done < size; done += piece) {
        uint64_t page;
        const uint8_t *bytes;
        int error = view(inode, done >> PAGE_SHIFT, FILE_PAGE_READ, &page, &bytes);
        if (error) return error;
        piece = size - done < PAGE_SIZE ? size - done : PAGE_SIZE;
        memcpy(out + done, bytes, piece);
        page_put(page);
    }
    return (long)size;
}

/* One block of a directory: checked so far that its table of names lies inside. */
struct names { uint64_t page; const uint8_t *bytes; unsigned size, count; };
static int names_open(const struct inode *directory, uint64_t block, struct names *out) {
    int error = view(directory, block, FILE_PAGE_READ, &out->page, &out->bytes);
    if (error) return error;
    struct disk_name first;
    out->size = (unsigned)bytes_in_block(directory, block);
    out->count = 0;
    if (out->size >= sizeof first) {
        memcpy(&first, out->bytes, sizeof first);
        if (first.offset >= sizeof first && first.offset < out->size && first.offset % sizeof first == 0) out->count = first.offset / (unsigned)sizeof first;
    }
    if (out->count) return 0;
    page_put(out->page);
    return -EIO;
}

struct found_name { uint64_t nid; const char *text; size_t length; uint8_t type; };
static int name_at(const struct names *names, unsigned index, struct found_name *out) {
    struct disk_name entry, next;
    memcpy(&entry, names->bytes + index * sizeof entry, sizeof entry);
    unsigned end = names->size;
    if (index + 1 < names->count) {
        memcpy(&next, names->bytes + (index + 1) * sizeof next, sizeof next);
        end = next.offset;
    }
    if (entry.offset < names->count * sizeof entry || entry.offset >= end || end > names->size) return -EIO;
    *out = (struct found_name){ entry.nid, (const char *)names->bytes + entry.offset, end - entry.offset, entry.type };
    if (index + 1 == names->count) /* the last one ends at a zero byte or with the block */
        for (size_t i = 0; i < out->length; i++)
            if (!out->text[i]) out->length = i;
    return out->length && out->length <= NAME_MAX ? 0 : -EIO;
}

static int compare(const char *name, size_t length, const struct found_name *with) {
    int order = memcmp(name, with->text, length < with->length ? length : with->length);
    return order ? order : length < with->length ? -1 : length > with->length;
}

static uint64_t block_count(const struct inode *inode) { return ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT; }

static int make_inode(struct superblock *super, uint64_t nid, struct inode **out);

/* Names are sorted over all blocks: first the last block that does not begin behind the name, then within it. */
static int lookup(struct inode *directory, const char *name, size_t length, struct inode **out) {
    uint64_t low = 0, high = block_count(directory);
    struct found_name found;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct names names;
        int error = names_open(directory, middle, &names);
        if (error) return error;
        error = name_at(&names, 0, &found);
        int order = error ? 0 : compare(name, length, &found);
        if (!error && order >= 0) {
            unsigned from = 0, to = names.count;
            while (from + 1 < to && !error) { /* names[from] <= name < names[to] */
                unsigned between = from + (to - from) / 2;
                error = name_at(&names, between, &found);
                if (error) break;
                if (compare(name, length, &found) >= 0) from = between;
                else to = between;
            }
            if (!error) error = name_at(&names, from, &found);
            if (!error && compare(name, length, &found) == 0) {
                page_put(names.page);
                return make_inode(directory->super, found.nid, out);
            }
        }
        bool last_in_block = !error && order >= 0;
        page_put(names.page);
        if (error) return error;
        if (last_in_block) low = middle + 1;
        else high = middle;
    }
    return -ENOENT;
}

static int iterate(struct inode *directory, int64_t position, struct dirent_sink *sink) {
    static const uint32_t kinds[8] = { 0, S_IFREG, S_IFDIR, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK, S_IFLNK };
    uint64_t block = (uint64_t)position >> PAGE_SHIFT, blocks = block_count(directory);
    unsigned index = (unsigned)position & (PAGE_SIZE - 1);
    for (; block < blocks; block++, index = 0) {
        struct names names;
        int error = names_open(directory, block, &names);
        if (error) return error;
        for (; index < names.count; index++) {
            struct found_name found;
            error = name_at(&names, index, &found);
            int64_t next = (int64_t)(index + 1 < names.count ? (block << PAGE_SHIFT) + index + 1 : (block + 1) << PAGE_SHIFT);
            if (error || !sink->add(sink, found.text, found.length, found.nid, kinds[found.type & 7], next)) {
                page_put(names.page);
                return error;
            }
        }
        page_put(names.page);
    }
    return 0;
}

static uint64_t blocks(struct inode *inode) { return block_count(inode) * (PAGE_SIZE / 512); }

static void release(struct inode *inode) {
    struct content *content = inode->data;
    if (content->tail_page) page_put(content->tail_page);
    kfree(content);
    kfree(inode);
}

static const struct inode_ops directory_ops = { .lookup = lookup, .iterate = iterate, .blocks = blocks, .release = release };
static const struct inode_ops file_ops = { .read = read_file, .get_page = get_page, .blocks = blocks, .release = release };
static const struct inode_ops link_ops = { .readlink = readlink, .blocks = blocks, .release = release };
static const struct inode_ops node_ops = { .release = release }; /* devices, FIFOs, sockets: names only */

/* Where the content is: within the device, and the inline part within one block. */
static int place_content(struct volume *volume, struct content *content, unsigned layout, uint64_t size, uint32_t first, uint64_t behind) {
    uint64_t tail = size & (PAGE_SIZE - 1);
    *content = (struct content){ .first = first, .whole = (size + PAGE_SIZE - 1) >> PAGE_SHIFT };
    if (layout == LAYOUT_INLINE && tail) {
        content->whole--;
        content->tail = behind;
        if ((behind & (PAGE_SIZE - 1)) + tail > PAGE_SIZE || behind >> PAGE_SHIFT >= volume->device->pages) return -EIO;
    } else if (layout != LAYOUT_PLAIN && layout != LAYOUT_INLINE) {
        return -EOPNOTSUPP;
    }
    if (content->whole && (first >= volume->device->pages || content->whole > volume->device->pages - first)) return -EIO;
    return 0;
}

static int make_inode(struct superblock *super, uint64_t nid, struct inode **out) {
    struct volume *volume = super->data;
    struct disk_inode disk;
    if (nid >= volume->device->pages << (PAGE_SHIFT - SLOT_BITS)) return -EIO;
    uint64_t at = volume->meta + (nid << SLOT_BITS), size;
    int error = read_bytes(volume, at, &disk, 32);
    bool extended = !error && disk.format & 1;
    if (extended) error = read_bytes(volume, at, &disk, 64);
    if (error) return error;
    uint32_t place;
    struct inode fields = { .mode = disk.mode };
    if (extended) {
        size = disk.extended.size;
        place = disk.extended.place;
        fields.uid = disk.extended.uid, fields.gid = disk.extended.gid, fields.nlink = disk.extended.links;
        fields.mtime = (struct linux_timespec){ (int64_t)disk.extended.time, disk.extended.time_ns };
    } else {
        size = disk.compact.size;
        place = disk.compact.place;
        fields.uid = disk.compact.uid, fields.gid = disk.compact.gid, fields.nlink = disk.compact.links;
        fields.mtime = volume->time;
    }
    if (size > (uint64_t)INT64_MAX - PAGE_SIZE || fields.mtime.nanoseconds >= 1000000000) return -EIO;
    const struct inode_ops *ops = &node_ops;
    switch (disk.mode & S_IFMT) {
    case S_IFREG: ops = &file_ops; break;
    case S_IFDIR: ops = &directory_ops; break;
    case S_IFLNK: ops = &link_ops; break;
    case S_IFCHR: case S_IFBLK: fields.rdev = DEVICE_NUMBER(place >> 8 & 0xfff, (place & 0xff) | (place >> 12 & 0xfff00)); size = 0; break;
    case S_IFIFO: case S_IFSOCK: size = 0; break;
    default: return -EIO;
    }
    uint64_t xattrs = disk.xattr_count ? 12 + 4ul * (disk.xattr_count - 1u) : 0;
    struct content *content = kmalloc(sizeof *content);
    if (!content) return -ENOMEM;
    error = place_content(volume, content, disk.format >> 1 & 7, size, place, at + (extended ? 64 : 32) + xattrs);
    struct inode *inode = error ? NULL : inode_create(ops, super, disk.mode);
    if (!inode) {
        kfree(content);
        return error ? error : -ENOMEM;
    }
    inode->ino = nid;
    inode->rdev = fields.rdev;
    inode->uid = fields.uid;
    inode->gid = fields.gid;
    inode->nlink = fields.nlink;
    inode->size = (int64_t)size;
    inode->atime = inode->mtime = inode->ctime = inode->btime = fields.mtime;
    inode->data = content;
    *out = inode;
    return 0;
}

static void statfs(struct superblock *super, struct linux_statfs *out) {
    struct volume *volume = super->data;
    out->type = MAGIC;
    out->blocks = volume->blocks;
    out->files = volume->inodes;
}
static const struct super_ops super_ops = { .statfs = statfs, .fixed_read_only = true };

static const char *check(const struct disk_super *disk, const struct block_device *device) {
    if (disk->magic != MAGIC) return "it holds no EROFS";
    if (disk->block_bits != PAGE_SHIFT) return "its blocks are not of 4096 bytes";
    if (disk->incompatible & ~INCOMPAT_ZERO_PADDING) return "it uses features of EROFS that this image lacks";
    if (disk->blocks > device->pages) return "it is longer than its device";
    if (disk->meta_block >= device->pages) return "its inodes lie beyond its end";
    if (disk->time_ns >= 1000000000) return "its time is none";
    return NULL;
}

struct superblock *erofs_open(struct block_device *device, uint64_t number, const char **why) {
    struct disk_super disk;
    struct volume probe = { .device = device };
    *why = "it cannot be read";
    if (read_bytes(&probe, SUPER_OFFSET, &disk, sizeof disk) || (*why = check(&disk, device))) return NULL;
    struct superblock *super = kzalloc(sizeof *super);
    struct volume *volume = kzalloc(sizeof *volume);
    *why = "there is no memory for it";
    if (super && volume) {
        *volume = (struct volume){ device, (uint64_t)disk.meta_block << PAGE_SHIFT, { (int64_t)disk.time, disk.time_ns }, disk.blocks, disk.inodes };
        *super = (struct superblock){ .ops = &super_ops, .kind = "erofs", .device = number, .read_only = true, .data = volume };
        int error = make_inode(super, disk.root_nid, &super->root);
        if (!error && (super->root->mode & S_IFMT) == S_IFDIR) return super;
        *why = error ? "its root cannot be read" : "its root is not a directory";
        if (!error) inode_put(super->root);
    }
    kfree(volume);
    kfree(super);
    return NULL;
}
