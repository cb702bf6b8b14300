/* A file's pages. The tree holds one reference on each page; tables are pages of their own. */
#include "tmpfs/internal.h"
#include "arch/arch.h"

#define FANOUT_SHIFT 9
#define FANOUT 512u

static uint64_t *table_of(uint64_t physical) {
    return phys_to_virt(physical);
}

/* Pages that a tree of this height covers. */
static uint64_t span(unsigned height) {
    return height * FANOUT_SHIFT >= 60 ? ~0ull : 1ull << height * FANOUT_SHIFT;
}

uint64_t content_find(const struct content *content, uint64_t index) {
    if (index >= span(content->height)) return 0;
    uint64_t at = content->root;
    for (unsigned height = content->height; height && at; height--)
        at = table_of(at)[index >> (height - 1) * FANOUT_SHIFT & (FANOUT - 1)];
    return at;
}

static uint64_t fresh_page(void) {
    void *page = page_alloc_zeroed();
    return page ? virt_to_phys(page) : 0;
}

/* The slot of a page, with the tables that lead there. */
static int slot_at(struct content *content, uint64_t index, uint64_t **out) {
    while (index >= span(content->height)) {
        if (content->root) {
            uint64_t table = fresh_page();
            if (!table) return -ENOSPC;
            table_of(table)[0] = content->root;
            content->root = table;
        }
        content->height++;
    }
    uint64_t *slot = &content->root;
    for (unsigned height = content->height; height; height--) {
        if (!*slot && !(*slot = fresh_page())) return -ENOSPC;
        slot = &table_of(*slot)[index >> (height - 1) * FANOUT_SHIFT & (FANOUT - 1)];
    }
    *out = slot;
    return 0;
}

int content_get(struct content *content, uint64_t index, uint64_t *physical) {
    uint64_t *slot;
    int error = slot_at(content, index, &slot);
    if (error) return error;
    if (!*slot) {
        if (!(*slot = fresh_page())) return -ENOSPC;
        content->pages++;
    }
    *physical = *slot;
    return 0;
}

int content_place(struct content *content, uint64_t index, uint64_t physical) {
    uint64_t *slot;
    int error = slot_at(content, index, &slot);
    if (error) return error;
    if (*slot) return -EEXIST;
    *slot = physical;
    content->pages++;
    return 0;
}

/* From page `index` of the subtree on: skips what is absent, or what is there, whole subtrees at a time where it can. */
static uint64_t next(uint64_t at, unsigned height, uint64_t index, bool hole) {
    if (!at) return hole ? index : span(height);
    if (!height) return hole ? 1 : index;
    uint64_t step = span(height - 1);
    for (uint64_t i = index / step, within = index % step; i < FANOUT; i++, within = 0) {
        uint64_t found = next(table_of(at)[i], height - 1, within, hole);
        if (found < step) return i * step + found;
    }
    return span(height);
}

uint64_t content_next(const struct content *content, uint64_t index, bool hole) {
    uint64_t found = index >= span(content->height) ? index : next(content->root, content->height, index, hole);
    if (hole) return found;
    return found >= span(content->height) ? ~0ull : found;
}

/* Empties [first, end) of the subtree in *slot, which covers pages from `base` on; frees tables that become empty. */
static void drop(struct content *content, uint64_t *slot, unsigned height, uint64_t base, uint64_t first, uint64_t end) {
    if (!*slot || base >= end || base + (span(height) - 1) < first) return;
    if (height) {
        uint64_t *table = table_of(*slot), step = span(height - 1);
        bool empty = true;
        for (unsigned i = 0; i < FANOUT; i++) {
            if (table[i]) drop(content, &table[i], height - 1, base + i * step, first, end);
            if (table[i]) empty = false;
        }
        if (!empty) return;
    } else {
        content->pages--;
    }
    page_put(*slot);
    *slot = 0;
}

void content_drop(struct content *content, uint64_t first, uint64_t end) {
    if (first < end) drop(content, &content->root, content->height, 0, first, end);
    if (!content->root) content->height = 0;
}

uint64_t content_hash(const void *page) {
    const uint64_t *words = page;
    uint64_t a = 0x9e3779b97f4a7c15ull, b = 0xc2b2ae3d27d4eb4full;
    for (unsigned i = 0; i < PAGE_SIZE / 8; i += 2) {
        a = (a ^ words[i]) * 0xff51afd7ed558ccdull;
        b = (b ^ words[i + 1]) * 0xc4ceb9fe1a85ec53ull;
        a ^= b >> 29;
        b ^= a >> 31;
    }
    a ^= b * 0x9fb21c651e98df25ull;
    return a ^ a >> 32 ? a ^ a >> 32 : 1;
}
