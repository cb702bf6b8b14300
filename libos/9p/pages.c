/*
 * Pages of mapped files. They are kept while the file is open (a mapping keeps it open) and given up with its last open file. A page that was lent
 * for writing may be written to at any time without notice: what it hashed to when the server last had it tells whether it has to go back
 * (64 bits of a keyless hash: the program that writes is the one that would lose by a collision).
 */
#include "9p/internal.h"

#define RUN 16u /* pages that one request reads */

static uint64_t *mark_of(struct p9_node *node, uint64_t index, bool make) {
    uint64_t physical = content_find(&node->marks, index / 512);
    if (!physical && (!make || content_get(&node->marks, index / 512, &physical))) return NULL;
    return (uint64_t *)phys_to_virt(physical) + index % 512;
}

static int lend(struct p9_node *node, uint64_t index, uint64_t page, int how, uint64_t *physical) {
    if (how == FILE_PAGE_CREATE) {
        uint64_t *mark = mark_of(node, index, true);
        if (!mark) return -ENOMEM;
        if (!*mark) *mark = content_hash(phys_to_virt(page));
    }
    page_get(*physical = page);
    return 0;
}

/* Reads the pages from `index` on that are not there, as many as one run has. */
static int fetch(struct inode *inode, uint64_t index) {
    struct p9_node *node = p9_node(inode);
    uint64_t end = ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    unsigned count = 1, room = RUN;
    uint8_t *buffer = NULL;
    while (room && !(buffer = pages_alloc(room))) room /= 2;
    if (!buffer) return -ENOMEM;
    while (count < room && index + count < end && !content_find(&node->pages, index + count)) count++;
    long got = p9_read_data(inode, buffer, (uint32_t)(count * PAGE_SIZE), (int64_t)(index << PAGE_SHIFT));
    int error = got < 0 ? (int)got : 0;
    for (unsigned i = 0; i < count && !error; i++) {
        uint64_t physical;
        if (content_find(&node->pages, index + i)) continue; /* another thread's came first, and may have been written to */
        error = content_get(&node->pages, index + i, &physical);
        size_t there = got > (long)(i * PAGE_SIZE) ? (size_t)got - i * PAGE_SIZE : 0;
        if (there > PAGE_SIZE) there = PAGE_SIZE;
        if (!error) memcpy(phys_to_virt(physical), buffer + i * PAGE_SIZE, there);
        if (error && i) error = 0, count = i; /* the wanted one is there */
    }
    pages_free(buffer, room);
    return error == -ENOSPC ? -ENOMEM : error;
}

int p9_get_page(struct inode *inode, uint64_t index, int how, uint64_t *physical) {
    struct p9_node *node = p9_node(inode);
    uint64_t page = content_find(&node->pages, index);
    if (!page && how == FILE_PAGE_AT_HAND) return -EAGAIN;
    if ((int64_t)index > (inode->size - 1) >> PAGE_SHIFT) p9_refresh(inode);
    if (!inode->size || (int64_t)index > (inode->size - 1) >> PAGE_SHIFT) return -ENXIO;
    if (!page) {
        int error = fetch(inode, index);
        if (error) return error;
        page = content_find(&node->pages, index);
        if (!page) return -EIO; /* truncated meanwhile */
    }
    return lend(node, index, page, how, physical);
}

/* The next page from *index on that was lent for writing; false: none. */
static bool next_lent(struct p9_node *node, uint64_t *index, uint64_t end) {
    for (; *index < end; ++*index) {
        if (!content_find(&node->marks, *index / 512)) {
            *index |= 511;
            continue;
        }
        uint64_t *mark = mark_of(node, *index, false);
        if (mark && *mark && content_find(&node->pages, *index)) return true;
    }
    return false;
}

int p9_write_back(struct inode *inode) {
    struct p9_node *node = p9_node(inode);
    int result = 0;
    if (!node->marks.root) return 0;
    void *copy = page_alloc();
    if (!copy) return -ENOMEM;
    uint64_t index = 0, end = ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    for (; next_lent(node, &index, end); index++) {
        memcpy(copy, phys_to_virt(content_find(&node->pages, index)), PAGE_SIZE); /* the program may go on writing */
        uint64_t hash = content_hash(copy), *mark = mark_of(node, index, false);
        if (hash == *mark) continue;
        *mark = hash;
        int64_t left = inode->size - (int64_t)(index << PAGE_SHIFT);
        uint32_t size = left < (int64_t)PAGE_SIZE ? (uint32_t)left : (uint32_t)PAGE_SIZE;
        long written = p9_write_data(inode, copy, size, (int64_t)(index << PAGE_SHIFT));
        if (written == (long)size) continue;
        if (!result) result = written < 0 ? (int)written : -EIO;
        mark = mark_of(node, index, false);
        if (mark) *mark = 1; /* tried again next time */
    }
    page_put(virt_to_phys(copy));
    return result;
}

void p9_drop_pages(struct p9_node *node, uint64_t first) {
    content_drop(&node->pages, first, ~0ull);
    if (!first) content_drop(&node->marks, 0, ~0ull);
}
