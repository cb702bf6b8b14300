/*
 * Shared anonymous memory: a file without a name whose pages are made on first touch and live as long as a mapping does.
 * Owns the pages, in a tree of 512-way nodes (like page tables) as high as the largest index needs. Context: calls and faults.
 */
#include "arch/arch.h"
#include "file/file.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"

enum { BITS = 9, WIDTH = 1 << BITS, HIGHEST = 4 };
struct store { void *root; unsigned height; }; /* height 1: root is a node of pages */

static void **slot(struct store *store, uint64_t index) {
    if (index >> (BITS * HIGHEST)) return NULL;
    while (!store->height || index >> (BITS * store->height)) {
        void **node = page_alloc_zeroed();
        if (!node) return NULL;
        node[0] = store->root;
        store->root = node;
        store->height++;
    }
    void **node = store->root;
    for (unsigned level = store->height; --level;) {
        void **next = &node[index >> (BITS * level) & (WIDTH - 1)];
        if (!*next && !(*next = page_alloc_zeroed())) return NULL;
        node = *next;
    }
    return &node[index & (WIDTH - 1)];
}

static int get_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    void **page = slot(file->data, index);
    if (!page) return -ENOMEM;
    if (!*page) {
        if (how == FILE_PAGE_AT_HAND) return -EAGAIN;
        if (!(*page = page_alloc_zeroed())) return -ENOMEM;
    }
    *physical = virt_to_phys(*page);
    page_get(*physical);
    return 0;
}

/* Which way to the page, without making any. */
static void **slot_there(struct store *store, uint64_t index) {
    void **node = store->root;
    if (!store->height || index >> (BITS * store->height)) return NULL;
    for (unsigned level = store->height; node && --level;) node = node[index >> (BITS * level) & (WIDTH - 1)];
    return node ? &node[index & (WIDTH - 1)] : NULL;
}

/* madvise(2), MADV_REMOVE: pages [first, end) are zeros again, also for those that have them mapped. -EINVAL: not shared memory. */
int shared_memory_punch(struct file *file, uint64_t first, uint64_t end);
static const struct file_ops ops;
int shared_memory_punch(struct file *file, uint64_t first, uint64_t end) {
    if (file->ops != &ops) return -EINVAL;
    for (; first < end; first++) {
        void **page = slot_there(file->data, first);
        if (!page || !*page) continue;
        if (page_of(virt_to_phys(*page))->references > 1) {
            memset(*page, 0, PAGE_SIZE);
            continue;
        }
        page_put(virt_to_phys(*page));
        *page = NULL;
    }
    return 0;
}

static void drop(void **node, unsigned height) {
    for (unsigned i = 0; i < WIDTH; i++) {
        if (!node[i]) continue;
        if (height > 1) drop(node[i], height - 1);
        else page_put(virt_to_phys(node[i]));
    }
    pages_free(node, 1);
}

static void close_store(struct file *file) {
    struct store *store = file->data;
    if (store->root) drop(store->root, store->height);
    kfree(store);
}

static const struct file_ops ops = {.kind = "/dev/zero (deleted)", .close = close_store, .get_page = get_page};

struct file *shared_memory_create(void);
struct file *shared_memory_create(void) {
    struct store *store = kzalloc(sizeof *store);
    struct file *file = store ? file_create(&ops, 2 /* O_RDWR */, store) : NULL;
    if (!file) kfree(store);
    return file;
}
