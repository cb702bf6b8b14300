/*
 * Pages of mapped files. They are kept while the file is open (a mapping keeps it open) and given up with its last open file. A page that was lent
 * for writing may be written to at any time without notice: what it hashed to when the server last had it tells whether it has to go back
 * (64 bits of a keyless hash: the program that writes is the one that would lose by a collision). Somebody looks thirty seconds after, too.
 */
#include "9p/internal.h"
#include "flusher/flusher.h"

#define RUN 16u /* pages that one request reads */

static uint64_t *mark_of(struct p9_node *node, uint64_t index, bool make) {
    uint64_t physical = content_find(&node->marks, index / 512);
    if (!physical && (!make || content_get(&node->marks, index / 512, &physical))) return NULL;
    return (uint64_t *)phys_to_virt(physical) + index % 512;
}

static struct flusher flusher = { .pass = p9_flusher_pass };

static void expect(struct p9_session *session) {
    if (session->lent_ns) return;
    session->lent_ns = clock_monotonic_ns();
    flusher_start(&flusher);
    flusher_expect(session->lent_ns + FLUSHER_MAPPED_NS);
}

static int lend(struct inode *inode, uint64_t index, uint64_t page, int how, uint64_t *physical) {
    if (how == FILE_PAGE_CREATE) {
        uint64_t *mark = mark_of(p9_node(inode), index, true);
        if (!mark) return -ENOMEM;
        if (!*mark) *mark = content_hash(phys_to_virt(page));
        expect(p9_session(inode));
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
    return lend(inode, index, page, how, physical);
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

/* What is not lent any more is not looked at again. */
static int write_lent(struct inode *inode, void *copy) {
    struct p9_node *node = p9_node(inode);
    int result = 0;
    uint64_t index = 0, end = ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    for (; next_lent(node, &index, end); index++) {
        uint64_t page = content_find(&node->pages, index), *mark = mark_of(node, index, false);
        memcpy(copy, phys_to_virt(page), PAGE_SIZE); /* the program may go on writing */
        uint64_t hash = content_hash(copy);
        if (hash == *mark) {
            if (page_of(page)->references == 1) *mark = 0;
            continue;
        }
        *mark = hash;
        int64_t left = inode->size - (int64_t)(index << PAGE_SHIFT);
        uint32_t size = left < (int64_t)PAGE_SIZE ? (uint32_t)left : (uint32_t)PAGE_SIZE;
        long written = p9_write_data(inode, copy, size, (int64_t)(index << PAGE_SHIFT));
        if (written == (long)size) continue;
        if (!result) result = written < 0 ? (int)written : -EIO;
        mark = mark_of(node, index, false);
        if (mark) *mark = 1; /* tried again next time */
    }
    return result;
}

static bool is_written_back(void *node) { return !((struct p9_node *)node)->writing_back; }

int p9_write_back(struct inode *inode) {
    struct p9_node *node = p9_node(inode);
    while (node->writing_back) wait_until(&node->written_back, is_written_back, node, 0, false);
    if (!node->marks.root) return 0;
    void *copy = page_alloc();
    if (!copy) return -ENOMEM;
    node->writing_back = true;
    int result = write_lent(inode, copy);
    node->writing_back = false;
    wait_queue_wake(&node->written_back, -1);
    page_put(virt_to_phys(copy));
    return result;
}

/* Written to the server only: a disk that goes to sleep is the host's affair. 1: some are lent still. */
static int write_unasked(struct inode *inode) {
    uint64_t index = 0, end = ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    p9_write_back(inode); /* an error stays with the page: fsync and close meet it again */
    return p9_node(inode)->marks.root && next_lent(p9_node(inode), &index, end);
}

uint64_t p9_flusher_pass(void) {
    uint64_t next = 0;
    for (struct p9_transport *transport = p9_transport_first(); transport; transport = transport->next) {
        struct p9_session *session = transport->super ? transport->super->data : NULL;
        if (!session || !session->lent_ns) continue;
        if (clock_monotonic_ns() >= session->lent_ns + FLUSHER_MAPPED_NS) {
            session->lent_ns = 0; /* what is lent from now on tells so */
            if (p9_each(session, write_unasked)) expect(session);
        }
        uint64_t when = session->lent_ns ? session->lent_ns + FLUSHER_MAPPED_NS : 0;
        if (when && (!next || when < next)) next = when;
    }
    return next;
}

void p9_drop_pages(struct p9_node *node, uint64_t first) {
    content_drop(&node->pages, first, ~0ull);
    if (!first) content_drop(&node->marks, 0, ~0ull);
}
