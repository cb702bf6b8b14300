/*
 * Pages of files: the cache, and the way back. A page that is written to has its blocks promised, not chosen: they are found when it goes to the device, for
 * as many neighbours as there are. A page that was lent for writing (a shared mapping) may change at any time without notice: what it hashed to when the
 * device last had it tells whether it has to go (64 bits of a keyless hash: the program that writes is the one that would lose by a collision).
 */
#include "ext4/internal.h"

#define AROUND 16u /* pages that a miss reads; where a reader goes forward: */
#define AHEAD 64u
#define SLACK 16u  /* blocks that extent trees may want */

static uint32_t in_page(const struct ext4 *fs) { return (uint32_t)(PAGE_SIZE / fs->block_size); }
static uint32_t block_of(const struct ext4 *fs, uint64_t index) { return (uint32_t)(index * in_page(fs)); }
static uint32_t *flags_of(uint64_t physical) { return &page_of(physical)->flags; }
static uint64_t pages_in(const struct inode *inode) { return ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT; }

static uint64_t *mark_of(struct ext4 *fs, struct node *node, uint64_t index, bool make) {
    uint64_t physical = content_find(&node->marks, index / 512);
    if (!physical && make) {
        fs->still++;
        if (content_get(&node->marks, index / 512, &physical)) physical = 0;
        fs->still--;
    }
    return physical ? (uint64_t *)phys_to_virt(physical) + index % 512 : NULL;
}

static int place(struct ext4 *fs, struct node *node, uint64_t index, uint64_t physical) {
    fs->still++;
    int error = content_place(&node->pages, index, physical);
    fs->still--;
    if (!error) *flags_of(physical) |= PAGE_CACHED;
    return error ? -ENOMEM : 0;
}

/* Blocks of a page that have content on the device: a bit for each. */
static unsigned written(const struct ext4 *fs, const struct node *node, uint64_t index) {
    unsigned bits = 0;
    for (uint32_t i = 0; i < in_page(fs); i++) {
        uint32_t run;
        bool unwritten;
        if (ext4_map(node, block_of(fs, index) + i, &run, &unwritten) && !unwritten) bits |= 1u << i;
    }
    return bits;
}

static uint64_t first_place(const struct ext4 *fs, const struct node *node, uint64_t index) {
    uint32_t run;
    bool unwritten;
    return ext4_map(node, block_of(fs, index), &run, &unwritten);
}

static int read_pieces(struct ext4 *fs, struct node *node, uint64_t index, uint8_t *page, unsigned bits) {
    for (uint32_t i = 0; i < in_page(fs); i++) {
        uint32_t run;
        bool unwritten;
        uint64_t at = ext4_map(node, block_of(fs, index) + i, &run, &unwritten);
        if (!(bits >> i & 1)) memset(page + i * fs->block_size, 0, fs->block_size);
        else {
            int error = ext4_transfer(fs, false, at, page + i * fs->block_size, 1);
            if (error) return error;
        }
    }
    return 0;
}

/* Reads `index` and what lies behind it in the file and on the device. */
static int read_run(struct ext4 *fs, struct inode *inode, uint64_t index) {
    struct node *node = node_of(inode);
    void *pages[AHEAD];
    struct block_piece pieces[AHEAD];
    unsigned all = (1u << in_page(fs)) - 1, bits = written(fs, node, index), count = 0, most = index == node->expected ? AHEAD : AROUND;
    uint64_t first = first_place(fs, node, index), end = pages_in(inode);
    int error = 0;
    for (; count < most && (!count || (index + count < end && !content_find(&node->pages, index + count) && bits == all && written(fs, node, index + count) == all &&
                                       first_place(fs, node, index + count) == first + count * in_page(fs)));
         count++) {
        if (in_page(fs) > 1 && first_place(fs, node, index + count) + in_page(fs) > fs->blocks) break;
        if (!(pages[count] = page_alloc())) break;
        pieces[count] = (struct block_piece){ pages[count], PAGE_SIZE };
    }
    if (!count) return -ENOMEM;
    bool whole = bits == all;
    for (uint32_t i = 1; i < in_page(fs) && whole; i++) { /* the blocks of the first page in one piece, too? */
        uint32_t run;
        bool unwritten;
        whole = ext4_map(node, block_of(fs, index) + i, &run, &unwritten) == first + i;
    }
    if (!whole)
        while (count > 1) page_put(virt_to_phys(pages[--count]));
    if (whole && in_page(fs) > 1) { /* and those of the others */
        unsigned good = 1;
        for (; good < count; good++)
            for (uint32_t i = 0; i < in_page(fs); i++) {
                uint32_t run;
                bool unwritten;
                if (ext4_map(node, block_of(fs, index + good) + i, &run, &unwritten) != first + good * in_page(fs) + i) goto stop;
            }
    stop:
        while (count > good) page_put(virt_to_phys(pages[--count]));
    }
    if (whole) error = fs->device->transfer(fs->device, false, first * (fs->block_size / 512), pieces, count);
    else error = read_pieces(fs, node, index, pages[0], bits);
    for (unsigned i = 0; i < count; i++) {
        uint64_t physical = virt_to_phys(pages[i]);
        uint64_t start = (index + i) << PAGE_SHIFT;
        if ((uint64_t)inode->size < start + PAGE_SIZE && (uint64_t)inode->size > start) memset((uint8_t *)pages[i] + (inode->size - (int64_t)start), 0, start + PAGE_SIZE - (uint64_t)inode->size);
        int failed = error ? error : place(fs, node, index + i, physical);
        if (failed) page_put(physical);
        if (failed && !i && !error) error = failed;
    }
    node->expected = index + count;
    return error;
}

int ext4_page(struct ext4 *fs, struct inode *inode, uint64_t index, bool whole, uint64_t *physical) {
    struct node *node = node_of(inode);
    if ((*physical = content_find(&node->pages, index))) return 0;
    int error = 0;
    if (!whole && index < pages_in(inode) && written(fs, node, index)) {
        error = read_run(fs, inode, index);
    } else {
        void *page = page_alloc_zeroed();
        if (!page) return -ENOMEM;
        if ((error = place(fs, node, index, virt_to_phys(page)))) page_put(virt_to_phys(page));
    }
    if (error) return error;
    return (*physical = content_find(&node->pages, index)) ? 0 : -ENOMEM;
}

static void widen(uint64_t *first, uint64_t *end, bool any, uint64_t index) {
    if (!any || index < *first) *first = index;
    if (!any || index >= *end) *end = index + 1;
}

/* Its blocks are there, or promised. */
static int promise(struct ext4 *fs, struct node *node, uint64_t index, uint64_t physical) {
    if (*flags_of(physical) & PAGE_RESERVED) return 0;
    for (uint32_t i = 0; i < in_page(fs); i++) {
        uint32_t run;
        bool unwritten;
        if (ext4_map(node, block_of(fs, index) + i, &run, &unwritten)) continue;
        if (!ext4_room(fs, in_page(fs) + SLACK + fs->reserved / 64)) return -ENOSPC;
        fs->reserved += in_page(fs);
        node->reserved_pages++;
        *flags_of(physical) |= PAGE_RESERVED;
        return 0;
    }
    return 0;
}

static void release_promise(struct ext4 *fs, struct node *node, uint64_t physical) {
    if (!(*flags_of(physical) & PAGE_RESERVED)) return;
    *flags_of(physical) &= ~(uint32_t)PAGE_RESERVED;
    fs->reserved -= in_page(fs);
    node->reserved_pages--;
}

static void set_dirty(struct ext4 *fs, struct node *node, uint64_t index, uint64_t physical) {
    uint32_t *flags = flags_of(physical);
    if (*flags & PAGE_DIRTY) return;
    *flags |= PAGE_DIRTY | PAGE_USED;
    widen(&node->dirty_first, &node->dirty_end, node->dirty_count++, index);
    if (fs->dirty_pages++) return;
    fs->dirty_ns = clock_monotonic_ns();
    ext4_flusher_expect();
}

static void set_clean(struct ext4 *fs, struct node *node, uint64_t physical) {
    uint32_t *flags = flags_of(physical);
    if (!(*flags & PAGE_DIRTY)) return;
    *flags &= ~(uint32_t)PAGE_DIRTY;
    node->dirty_count--;
    fs->dirty_pages--;
}

int ext4_page_dirty(struct ext4 *fs, struct node *node, uint64_t index, uint64_t physical) {
    int error = promise(fs, node, index, physical);
    if (error) return error;
    set_dirty(fs, node, index, physical);
    ext4_touch(fs, node, false);
    return 0;
}

static int lend(struct ext4 *fs, struct node *node, uint64_t index, uint64_t physical) {
    if (*flags_of(physical) & PAGE_LENT) return 0;
    int error = promise(fs, node, index, physical);
    uint64_t *mark = error ? NULL : mark_of(fs, node, index, true);
    if (!mark) return error ? error : -ENOMEM;
    *mark = content_hash(phys_to_virt(physical));
    *flags_of(physical) |= PAGE_LENT;
    widen(&node->lent_first, &node->lent_end, node->lent_count++, index);
    if (fs->lent_pages++) return 0;
    fs->lent_ns = clock_monotonic_ns();
    ext4_flusher_expect();
    return 0;
}

int ext4_get_page(struct inode *inode, uint64_t index, int how, uint64_t *physical) {
    struct ext4 *fs = ext4_of(inode);
    struct node *node = node_of(inode);
    bool lends = how == FILE_PAGE_CREATE && !fs->super.read_only;
    uint64_t page = content_find(&node->pages, index);
    if (!page && how == FILE_PAGE_AT_HAND) return -EAGAIN;
    if (index >= pages_in(inode)) return -ENXIO;
    int error = 0;
    if (!page || lends) {
        ext4_lock(fs);
        error = index >= pages_in(inode) ? -ENXIO : ext4_page(fs, inode, index, false, &page);
        if (!error && lends) error = lend(fs, node, index, page);
        if (!error) page_get(page);
        ext4_unlock(fs);
    } else {
        page_get(page);
    }
    if (error) return error;
    *flags_of(page) |= PAGE_USED;
    *physical = page;
    return 0;
}

/* Lent pages that changed are dirty; those that nobody has any more are not lent. */
static void look_at_lent(struct ext4 *fs, struct node *node) {
    for (uint64_t index = content_next(&node->pages, node->lent_first, false); node->lent_count && index < node->lent_end; index = content_next(&node->pages, index + 1, false)) {
        uint64_t physical = content_find(&node->pages, index), *mark = mark_of(fs, node, index, false);
        if (!(*flags_of(physical) & PAGE_LENT) || !mark) continue;
        uint64_t hash = content_hash(phys_to_virt(physical));
        if (hash != *mark) set_dirty(fs, node, index, physical);
        *mark = hash;
        if (page_of(physical)->references > 1) continue;
        *mark = 0;
        *flags_of(physical) &= ~(uint32_t)PAGE_LENT;
        node->lent_count--;
        fs->lent_pages--;
        if (!(*flags_of(physical) & PAGE_DIRTY)) release_promise(fs, node, physical);
    }
}

/* Content of [first, first + count) pages, all dirty, to the blocks that they have by now. */
static int write_run(struct ext4 *fs, struct inode *inode, uint64_t first, uint32_t count) {
    struct node *node = node_of(inode);
    struct block_piece pieces[AHEAD];
    uint32_t blocks = count * in_page(fs), last = (uint32_t)(((uint64_t)inode->size + fs->block_size - 1) >> fs->block_bits), begin = block_of(fs, first);
    if (begin + blocks > last) blocks = last - begin;
    for (uint32_t done = 0; done < blocks;) {
        uint32_t run, used = 0;
        bool unwritten;
        uint64_t start = ext4_map(node, begin + done, &run, &unwritten);
        if (!start) return ext4_damaged(fs, "the extents of inode", node->ino);
        if (run > blocks - done) run = blocks - done;
        for (uint32_t i = 0; i < run;) {
            uint64_t at = (uint64_t)(begin + done + i) * fs->block_size, physical = content_find(&node->pages, at >> PAGE_SHIFT);
            uint32_t within = (uint32_t)(at & (PAGE_SIZE - 1)), size = (uint32_t)PAGE_SIZE - within;
            if (size > (run - i) * fs->block_size) size = (run - i) * fs->block_size;
            pieces[used++] = (struct block_piece){ (uint8_t *)phys_to_virt(physical) + within, size };
            i += size / fs->block_size;
            if (used == AHEAD) run = i;
        }
        fs->wrote = true;
        int error = fs->device->transfer(fs->device, true, start * (fs->block_size / 512), pieces, used);
        if (error) return error;
        done += run;
    }
    return 0;
}

static int settle(struct ext4 *fs, struct inode *inode, uint64_t first, uint32_t count) {
    struct node *node = node_of(inode);
    uint64_t end = pages_in(inode);
    int error = 0;
    uint32_t inside = first >= end ? 0 : first + count > end ? (uint32_t)(end - first) : count;
    if (inside) {
        uint32_t begin = block_of(fs, first), blocks = inside * in_page(fs), last = (uint32_t)(((uint64_t)inode->size + fs->block_size - 1) >> fs->block_bits);
        if (begin + blocks > last) blocks = last - begin;
        uint64_t before = node->disk_blocks;
        bool changed = node->extents_changed;
        node->extents_changed = false;
        error = ext4_map_new(fs, node, begin, blocks, false);
        if (node->extents_changed || node->disk_blocks != before) ext4_touch(fs, node, true);
        node->extents_changed |= changed;
        if (error) return error;
        if (first + inside == end && inode->size & (int64_t)(PAGE_SIZE - 1)) /* what a mapping wrote behind the end stays out of the file */
            ext4_pages_zero(fs, node, (uint64_t)inode->size, end << PAGE_SHIFT);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint64_t physical = content_find(&node->pages, first + i);
        set_clean(fs, node, physical);
        if (!(*flags_of(physical) & PAGE_LENT)) release_promise(fs, node, physical);
        page_get(physical); /* over the sleep */
    }
    if (inside) error = write_run(fs, inode, first, inside);
    for (uint32_t i = 0; i < count; i++) page_put(content_find(&node->pages, first + i));
    return error;
}

int ext4_write_back(struct ext4 *fs, struct inode *inode) {
    struct node *node = node_of(inode);
    if (node->lent_count) look_at_lent(fs, node);
    uint64_t index = node->dirty_first, end = node->dirty_end;
    while (node->dirty_count && index < end) {
        uint32_t count = 0;
        index = content_next(&node->pages, index, false);
        for (uint64_t physical; index + count < end && count < 2048 && (physical = content_find(&node->pages, index + count)) && *flags_of(physical) & PAGE_DIRTY;) count++;
        if (count) {
            int error = settle(fs, inode, index, count);
            if (error) return error;
        }
        index += count ? count : 1;
    }
    return 0;
}

void ext4_pages_drop(struct ext4 *fs, struct node *node, uint64_t first, uint64_t end) {
    for (uint64_t index = content_next(&node->pages, first, false); index < end && index != ~0ull; index = content_next(&node->pages, index + 1, false)) {
        uint64_t physical = content_find(&node->pages, index), *mark;
        set_clean(fs, node, physical);
        release_promise(fs, node, physical);
        if (!(*flags_of(physical) & PAGE_LENT)) continue;
        *flags_of(physical) &= ~(uint32_t)PAGE_LENT;
        node->lent_count--;
        fs->lent_pages--;
        if ((mark = mark_of(fs, node, index, false))) *mark = 0;
    }
    fs->still++;
    content_drop(&node->pages, first, end);
    if (!first && end == ~0ull) content_drop(&node->marks, 0, ~0ull);
    fs->still--;
}

void ext4_pages_zero(struct ext4 *fs, struct node *node, uint64_t from, uint64_t to) {
    uint64_t physical = content_find(&node->pages, from >> PAGE_SHIFT);
    (void)fs;
    if (physical && to > from) memset((uint8_t *)phys_to_virt(physical) + (from & (PAGE_SIZE - 1)), 0, to - from);
}
