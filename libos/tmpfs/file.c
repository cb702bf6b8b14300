/* Regular files of tmpfs: content by pages, sparse; and symbolic links, whose text is the inode's data. */
#include "tmpfs/internal.h"
#include "arch/arch.h"

static uint64_t all_pages;
uint64_t tmpfs_pages(void) { return all_pages; }

/* Files do not take the last memory: who writes gets an error, not the next who touches a page of its own an end. */
static bool has_room(void) { return memory_make_free(TMPFS_LEAVES); }

/* The page at `index`, made when the file system may still grow. */
static int page_at(struct inode *inode, uint64_t index, uint64_t *physical) {
    struct content *content = inode->data;
    struct tmpfs_limits *limits = tmpfs_limits_of(inode->super);
    if ((*physical = content_find(content, index))) return 0;
    if (limits->pages_most && limits->pages >= limits->pages_most) return -ENOSPC;
    if (!has_room()) return -ENOSPC;
    int error = content_get(content, index, physical);
    if (!error) {
        limits->pages++;
        all_pages++;
    }
    return error;
}

static void drop(struct inode *inode, uint64_t first, uint64_t end) {
    struct content *content = inode->data;
    uint64_t before = content->pages;
    content_drop(content, first, end);
    tmpfs_limits_of(inode->super)->pages -= before - content->pages;
    all_pages -= before - content->pages;
}

/* Holes in place of pages [first, end). Those that are mapped somewhere become zeros where they are: who mapped them sees the hole. */
static void make_holes(struct inode *inode, uint64_t first, uint64_t end) {
    for (uint64_t at = first; (at = content_next(inode->data, at, false)) < end; at++) {
        uint64_t physical = content_find(inode->data, at);
        if (page_of(physical)->references > 1) memset(phys_to_virt(physical), 0, PAGE_SIZE);
        else drop(inode, at, at + 1);
    }
}

static long file_read(struct inode *inode, void *program, size_t size, int64_t position) {
    static const uint8_t zeros[256];
    uint8_t *to = program;
    if (position >= inode->size) return 0;
    if ((uint64_t)size > (uint64_t)(inode->size - position)) size = (size_t)(inode->size - position);
    for (size_t left = size; left;) {
        size_t offset = (size_t)position & (PAGE_SIZE - 1), piece = PAGE_SIZE - offset;
        uint64_t physical = content_find(inode->data, (uint64_t)position >> PAGE_SHIFT);
        if (!physical && piece > sizeof zeros) piece = sizeof zeros;
        if (piece > left) piece = left;
        if (physical) page_get(physical); /* the copy may sleep, and the file be cut */
        int error = user_copy_out(to, physical ? (uint8_t *)phys_to_virt(physical) + offset : zeros, piece);
        if (physical) page_put(physical);
        if (error) return left == size ? -EFAULT : (long)(size - left);
        to += piece;
        left -= piece;
        position += (int64_t)piece;
    }
    return (long)size;
}

static long file_write(struct inode *inode, const void *program, size_t size, int64_t position) {
    const uint8_t *from = program;
    int64_t end;
    long error = 0, done = 0;
    if (__builtin_add_overflow(position, (int64_t)size, &end)) return -EFBIG;
    while ((size_t)done < size) {
        size_t offset = (size_t)position & (PAGE_SIZE - 1), piece = PAGE_SIZE - offset;
        uint64_t physical;
        if (piece > size - (size_t)done) piece = size - (size_t)done;
        error = page_at(inode, (uint64_t)position >> PAGE_SHIFT, &physical);
        if (error) break;
        page_get(physical);
        error = user_copy_in((uint8_t *)phys_to_virt(physical) + offset, from + done, piece);
        page_put(physical);
        if (error) break;
        done += (long)piece;
        position += (int64_t)piece;
        if (position > inode->size) inode->size = position;
    }
    return done ? done : error;
}

static int file_get_page(struct inode *inode, uint64_t index, int how, uint64_t *physical) {
    (void)how; /* nothing here waits, and a hole that is looked at gets its page: a later shared write must be seen through it */
    if (index >= ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT) return -ENXIO;
    int error = page_at(inode, index, physical);
    if (!error) page_get(*physical);
    return error;
}

static int file_truncate(struct inode *inode, int64_t size) {
    if (size < inode->size) {
        uint64_t keep = ((uint64_t)size + PAGE_SIZE - 1) >> PAGE_SHIFT, tail = (uint64_t)size & (PAGE_SIZE - 1);
        uint64_t last = tail ? content_find(inode->data, (uint64_t)size >> PAGE_SHIFT) : 0;
        drop(inode, keep, ~0ull);
        if (last) memset((uint8_t *)phys_to_virt(last) + tail, 0, PAGE_SIZE - tail); /* growing again shows zeros */
    }
    inode->size = size;
    return 0;
}

static int file_allocate(struct inode *inode, int64_t start, int64_t length, bool punch) {
    uint64_t end = (uint64_t)start + (uint64_t)length, physical;
    if (!punch) {
        for (uint64_t index = (uint64_t)start >> PAGE_SHIFT; index << PAGE_SHIFT < end; index++)
            if (page_at(inode, index, &physical)) return -ENOSPC;
        return 0;
    }
    uint64_t first = ((uint64_t)start + PAGE_SIZE - 1) >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
    make_holes(inode, first, last);
    for (uint64_t at = (uint64_t)start; at < end;) { /* the parts of pages at both ends */
        uint64_t page_end = (at | (PAGE_SIZE - 1)) + 1, stop = page_end < end ? page_end : end, index = at >> PAGE_SHIFT;
        if (index >= first && index < last) {
            at = last << PAGE_SHIFT;
            continue;
        }
        if ((physical = content_find(inode->data, index)))
            memset((uint8_t *)phys_to_virt(physical) + (at & (PAGE_SIZE - 1)), 0, stop - at);
        at = stop;
    }
    return 0;
}

static int64_t file_seek(struct inode *inode, int64_t offset, bool hole) {
    uint64_t index = (uint64_t)offset >> PAGE_SHIFT, found = content_next(inode->data, index, hole);
    if (found == index) return offset;
    if (found >= ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT) return hole ? inode->size : -ENXIO;
    return (int64_t)(found << PAGE_SHIFT);
}

int tmpfs_attribute_holder(struct inode *inode, bool changes, struct inode **out) {
    (void)changes;
    *out = inode;
    return 0;
}

static uint64_t file_blocks(struct inode *inode) {
    return ((struct content *)inode->data)->pages * (PAGE_SIZE / 512);
}

static void file_release(struct inode *inode) {
    drop(inode, 0, ~0ull);
    tmpfs_inode_gone(inode->super);
    kfree(inode->data);
    kfree(inode);
}

const struct inode_ops tmpfs_file_ops = {
    .read = file_read, .write = file_write, .get_page = file_get_page, .truncate = file_truncate, .allocate = file_allocate,
    .seek_data = file_seek, .blocks = file_blocks, .attribute_holder = tmpfs_attribute_holder, .release = file_release,
};

struct inode *tmpfs_file_create(struct superblock *super, uint32_t mode) {
    struct content *content = kzalloc(sizeof *content);
    struct inode *inode = content ? inode_create(&tmpfs_file_ops, super, mode) : NULL;
    if (!inode) {
        kfree(content);
        return NULL;
    }
    inode->data = content;
    inode->seals = SEAL_KIND | SEAL_SEAL; /* memfd_create allows more */
    return inode;
}
