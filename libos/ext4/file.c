/* Content of regular files and symbolic links, over the pages. Bytes are copied from and to programs without the lock: such a copy may fault. */
#include "ext4/internal.h"

#define SIZE_MOST(fs) ((int64_t)(NO_EXTENT - 1) << (fs)->block_bits)

static long file_read(struct inode *inode, void *program, size_t size, int64_t position) {
    uint8_t *to = program;
    long done = 0;
    while (size && position < inode->size) {
        size_t offset = (size_t)position & (PAGE_SIZE - 1), piece = PAGE_SIZE - offset;
        if (piece > size) piece = size;
        if ((int64_t)piece > inode->size - position) piece = (size_t)(inode->size - position);
        uint64_t physical;
        int error = ext4_get_page(inode, (uint64_t)position >> PAGE_SHIFT, FILE_PAGE_READ, &physical);
        if (error == -ENXIO) break; /* cut off meanwhile */
        if (error) return done ? done : error;
        error = user_copy_out(to, (uint8_t *)phys_to_virt(physical) + offset, piece);
        page_put(physical);
        if (error) return done ? done : -EFAULT;
        to += piece;
        size -= piece;
        position += (int64_t)piece;
        done += (long)piece;
    }
    return done;
}

/* One page's part. A page that is being filled is dirty before, so that its blocks never show what lay there, and after. */
static long write_piece(struct ext4 *fs, struct inode *inode, const uint8_t *from, size_t size, int64_t position) {
    struct node *node = node_of(inode);
    uint64_t index = (uint64_t)position >> PAGE_SHIFT, physical;
    size_t offset = (size_t)position & (PAGE_SIZE - 1);
    int error = ext4_begin(fs);
    if (error) return error;
    error = ext4_page(fs, inode, index, size == PAGE_SIZE, &physical);
    if (!error && !(error = ext4_page_dirty(fs, node, index, physical))) page_get(physical);
    ext4_unlock(fs);
    if (error) return error;
    int failed = user_copy_in((uint8_t *)phys_to_virt(physical) + offset, from, size);
    ext4_lock(fs);
    if (content_find(&node->pages, index) == physical) error = ext4_page_dirty(fs, node, index, physical);
    page_put(physical);
    if (!failed && !error && position + (int64_t)size > inode->size) {
        inode->size = position + (int64_t)size;
        ext4_touch(fs, node, true);
    }
    ext4_unlock(fs);
    return failed ? -EFAULT : error ? error : (long)size;
}

static long file_write(struct inode *inode, const void *program, size_t size, int64_t position) {
    struct ext4 *fs = ext4_of(inode);
    const uint8_t *from = program;
    long done = 0, result = 0;
    if (position >= SIZE_MOST(fs)) return size ? -EFBIG : 0;
    if ((int64_t)size > SIZE_MOST(fs) - position) size = (size_t)(SIZE_MOST(fs) - position);
    while (size) {
        size_t piece = PAGE_SIZE - ((size_t)position & (PAGE_SIZE - 1));
        if (piece > size) piece = size;
        result = write_piece(fs, inode, from, piece, position);
        if (result < 0) break;
        from += piece;
        size -= piece;
        position += (int64_t)piece;
        done += (long)piece;
    }
    return done ? done : result;
}

/* Zeros from `from` to `to`, both in one page: in the cache, and on the device in time. */
static int clear(struct ext4 *fs, struct inode *inode, uint64_t from, uint64_t to) {
    struct node *node = node_of(inode);
    uint64_t index = from >> PAGE_SHIFT, physical = content_find(&node->pages, index);
    uint32_t run, block = (uint32_t)(from >> fs->block_bits);
    bool unwritten;
    if (from >= to) return 0;
    bool there = ext4_map(node, block, &run, &unwritten);
    if (!physical && !there && (uint64_t)(block + run) << fs->block_bits >= to) return 0;
    int error = ext4_page(fs, inode, index, false, &physical);
    if (error) return error;
    memset((uint8_t *)phys_to_virt(physical) + (from & (PAGE_SIZE - 1)), 0, to - from);
    uint32_t flags = page_of(physical)->flags;
    return there || flags & (PAGE_DIRTY | PAGE_RESERVED) ? ext4_page_dirty(fs, node, index, physical) : 0;
}

static uint64_t page_up(uint64_t at) { return (at + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1); }

static int file_truncate(struct inode *inode, int64_t size) {
    struct ext4 *fs = ext4_of(inode);
    struct node *node = node_of(inode);
    if (size > SIZE_MOST(fs)) return -EFBIG;
    int error = ext4_begin(fs);
    if (error) return error;
    if (size < inode->size) {
        error = clear(fs, inode, (uint64_t)size, page_up((uint64_t)size));
        if (error == -ENOSPC) error = 0; /* cutting off needs no room: reading does not show what is behind the end */
        if (!error) {
            ext4_pages_drop(fs, node, page_up((uint64_t)size) >> PAGE_SHIFT, ~0ull);
            inode->size = size;
            error = ext4_map_remove(fs, node, (uint32_t)(((uint64_t)size + fs->block_size - 1) >> fs->block_bits), NO_EXTENT);
        }
    } else {
        ext4_pages_zero(fs, node, (uint64_t)inode->size, page_up((uint64_t)inode->size));
        inode->size = size;
    }
    ext4_touch(fs, node, true);
    ext4_unlock(fs);
    return error;
}

static int fill(struct ext4 *fs, struct inode *inode, uint64_t start, uint64_t end) {
    struct node *node = node_of(inode);
    uint32_t first = (uint32_t)(start >> fs->block_bits), last = (uint32_t)((end + fs->block_size - 1) >> fs->block_bits);
    uint64_t holes = 0;
    for (uint32_t at = first, run; at < last; at += run) {
        bool unwritten;
        uint64_t there = ext4_map(node, at, &run, &unwritten);
        if (run > last - at) run = last - at;
        if (!there) holes += run;
    }
    if (!ext4_room(fs, holes + holes / 256 + 16)) return -ENOSPC;
    return ext4_map_new(fs, node, first, last - first, true);
}

static int punch(struct ext4 *fs, struct inode *inode, uint64_t start, uint64_t end) {
    struct node *node = node_of(inode);
    uint64_t inner = page_up(start), outer = end & ~(PAGE_SIZE - 1), size = (uint64_t)inode->size;
    int error = 0;
    uint64_t shown = end < page_up(size) ? end : page_up(size);
    if (inner > outer) { /* within one page */
        if (start < shown) error = clear(fs, inode, start, shown < end ? shown : end);
    } else {
        if (start < shown) error = clear(fs, inode, start, inner < shown ? inner : shown);
        ext4_pages_drop(fs, node, inner >> PAGE_SHIFT, outer >> PAGE_SHIFT);
        if (!error && outer < shown) error = clear(fs, inode, outer, shown);
    }
    uint32_t first = (uint32_t)((start + fs->block_size - 1) >> fs->block_bits), last = (uint32_t)(end >> fs->block_bits);
    return error ? error : ext4_map_remove(fs, node, first, last);
}

static int file_allocate(struct inode *inode, int64_t start, int64_t length, bool punches) {
    struct ext4 *fs = ext4_of(inode);
    int64_t end = start + length;
    if (end > SIZE_MOST(fs)) {
        if (!punches) return -EFBIG;
        if (start >= SIZE_MOST(fs)) return 0;
        end = SIZE_MOST(fs);
    }
    int error = ext4_begin(fs);
    if (error) return error;
    error = punches ? punch(fs, inode, (uint64_t)start, (uint64_t)end) : fill(fs, inode, (uint64_t)start, (uint64_t)end);
    ext4_touch(fs, node_of(inode), true);
    ext4_unlock(fs);
    return error;
}

static int64_t file_seek(struct inode *inode, int64_t offset, bool hole) {
    struct ext4 *fs = ext4_of(inode);
    struct node *node = node_of(inode);
    for (uint64_t at = (uint64_t)offset, next; at < (uint64_t)inode->size; at = next) {
        uint64_t index = at >> PAGE_SHIFT, physical = content_find(&node->pages, index);
        bool data = physical && page_of(physical)->flags & (PAGE_DIRTY | PAGE_RESERVED), unwritten;
        next = (index + 1) << PAGE_SHIFT;
        if (!data) {
            uint32_t run, block = (uint32_t)(at >> fs->block_bits);
            data = ext4_map(node, block, &run, &unwritten) && !unwritten;
            uint64_t cached = content_next(&node->pages, index + 1, false), stop = (uint64_t)(block + run) << fs->block_bits;
            next = stop;
            if (!data && cached != ~0ull && cached << PAGE_SHIFT < next) next = cached << PAGE_SHIFT;
        }
        if (data != hole) return (int64_t)at;
    }
    return hole ? inode->size : -ENXIO;
}

const struct inode_ops ext4_file_ops = {
    .read = file_read, .write = file_write, .get_page = ext4_get_page, .truncate = file_truncate, .allocate = file_allocate, .seek_data = file_seek,
    .changed = ext4_changed, .sync = ext4_sync, .blocks = ext4_blocks, .attribute_holder = ext4_attribute_holder,
    .attributes_changed = ext4_attributes_changed, .release = ext4_release,
};

static long link_text(struct inode *inode, char *out, size_t room) {
    struct node *node = node_of(inode);
    size_t size = (size_t)inode->size < room ? (size_t)inode->size : room;
    if (!(node->flags & INODE_EXTENTS)) {
        memcpy(out, node->text, size < sizeof node->text ? size : sizeof node->text);
    } else {
        uint64_t physical;
        int error = ext4_get_page(inode, 0, FILE_PAGE_READ, &physical);
        if (error) return error;
        memcpy(out, phys_to_virt(physical), size);
        page_put(physical);
    }
    for (size_t i = 0; i < size; i++)
        if (!out[i]) return -EIO;
    return (long)size;
}

const struct inode_ops ext4_link_ops = {
    .readlink = link_text, .changed = ext4_changed, .sync = ext4_sync, .blocks = ext4_blocks, .attribute_holder = ext4_attribute_holder,
    .attributes_changed = ext4_attributes_changed, .release = ext4_release,
};
