/*
 * The page allocator: a binary buddy system over up to MAX_REGIONS ranges of RAM. Owns the page descriptors.
 *
 * Lazy: in each region pages from `fresh` on were never handed out, and neither they nor their descriptors are touched before
 * they are. Freed blocks lie on lists by order, linked through their own first bytes. A region's descriptors fill its start.
 * Lock (for more CPUs): one, around the free lists and `fresh`; the callers' rule "not from interrupt handlers" serves as it today.
 */
#include "memory/memory.h"
#include "arch/arch.h"
#include "lib/string.h"

#define MAX_REGIONS 12
#define ORDERS 20
#define PAGE_FREE 0x80000000u     /* flags of the first page of a free block: PAGE_FREE | order */
#define PAGE_REPORTED 0x40000000u /* and: the host has taken back what lies behind it */
#define REPORT_ORDER 9

struct region {
    uint64_t first, fresh, end; /* page numbers; [first, fresh) was handed out at least once */
    struct page *pages;         /* descriptor of `first` */
};
struct free_block { struct free_block *next, **link; };

static struct region regions[MAX_REGIONS];
static unsigned region_count;
static struct free_block *free_lists[ORDERS];
static uint32_t listed; /* a bit for each order that has a block, and for some that had */
static uint64_t total_pages, free_pages;
/* Set by the first free, so that images that never free contain none of it. Volatile, or the compiler makes it a direct call. */
static void *(*volatile reuse)(unsigned count);

void memory_add(uint64_t start, uint64_t end) {
    start = (start + PAGE_SIZE - 1) >> PAGE_SHIFT;
    end >>= PAGE_SHIFT;
    if (start == 0)
        start = 1; /* physical page 0 means "none" */
    if (start < end && region_count < MAX_REGIONS)
        regions[region_count++] = (struct region){.first = start, .end = end};
}

void memory_reserve(uint64_t start, uint64_t end) {
    start >>= PAGE_SHIFT;
    end = (end + PAGE_SIZE - 1) >> PAGE_SHIFT;
    for (unsigned i = 0; i < region_count; i++) {
        struct region *r = &regions[i];
        if (end <= r->first || start >= r->end)
            continue;
        uint64_t tail = r->end;
        if (start > r->first) {
            r->end = start;
            if (end < tail && region_count < MAX_REGIONS)
                regions[region_count++] = (struct region){.first = end, .end = tail};
        } else {
            r->first = end < tail ? end : tail;
        }
    }
}

void memory_ready(void) {
    for (unsigned i = 0; i < region_count; i++) {
        struct region *r = &regions[i];
        uint64_t size = r->end - r->first;
        uint64_t table = (size * sizeof(struct page) + PAGE_SIZE - 1) >> PAGE_SHIFT;
        if (table >= size)
            r->first = r->end;
        else {
            r->pages = phys_to_virt(r->first << PAGE_SHIFT);
            r->first += table;
        }
        r->fresh = r->first;
        total_pages += size;
        free_pages += r->end - r->first;
    }
}

static struct region *region_of(uint64_t number) {
    for (unsigned i = 0; i < region_count; i++)
        if (number >= regions[i].first && number < regions[i].fresh)
            return &regions[i];
    return NULL;
}

struct page *page_of(uint64_t phys) {
    struct region *r = region_of(phys >> PAGE_SHIFT);
    return r ? r->pages + ((phys >> PAGE_SHIFT) - r->first) : NULL;
}

#pragma weak memory_block_freed

static void push_block(struct region *r, uint64_t number, unsigned order, uint32_t reported) {
    struct free_block *block = phys_to_virt(number << PAGE_SHIFT);
    r->pages[number - r->first] = (struct page){0, PAGE_FREE | reported | order};
    if (memory_block_freed && order >= REPORT_ORDER && !reported)
        memory_block_freed();
    block->next = free_lists[order];
    block->link = &free_lists[order];
    if (block->next)
        block->next->link = &block->next;
    free_lists[order] = block;
    listed |= 1u << order;
}

static void unlink_block(struct free_block *block) {
    *block->link = block->next;
    if (block->next)
        block->next->link = block->link;
}

/* Frees 2^order aligned pages, merging with their buddies; what comes of it was reported when both were. */
static void free_order(struct region *r, uint64_t number, unsigned order, uint32_t reported) {
    for (; order < ORDERS - 1; order++) {
        uint64_t buddy = number ^ 1ul << order;
        if (buddy < r->first || buddy >= r->fresh || (r->pages[buddy - r->first].flags & ~PAGE_REPORTED) != (PAGE_FREE | order))
            break;
        reported &= r->pages[buddy - r->first].flags;
        unlink_block(phys_to_virt(buddy << PAGE_SHIFT));
        r->pages[buddy - r->first].flags = 0;
        number &= ~(1ul << order);
    }
    push_block(r, number, order, reported);
}

/* Frees any run of pages, as the largest aligned blocks that it consists of. */
static void free_run(struct region *r, uint64_t number, uint64_t count, uint32_t reported) {
    while (count) {
        unsigned order = 0;
        while (order < ORDERS - 1 && !(number & 1ul << order) && count >= 2ul << order)
            order++;
        r->pages[number - r->first] = (struct page){0, 0};
        free_order(r, number, order, reported);
        number += 1ul << order;
        count -= 1ul << order;
    }
}

static void *hand_out(struct region *r, uint64_t number, unsigned count) {
    free_pages -= count;
    for (unsigned i = 0; i < count; i++)
        r->pages[number - r->first + i] = (struct page){1, 0};
    return phys_to_virt(number << PAGE_SHIFT);
}

/* From the free lists. */
static void *alloc_freed(unsigned count) {
    unsigned least = 0;
    while (1ul << least < count)
        least++;
    for (uint32_t left = listed >> least << least; left; left &= left - 1) {
        unsigned order = (unsigned)__builtin_ctz(left);
        struct free_block *block = free_lists[order];
        if (!block) {
            listed &= ~(1u << order);
            continue;
        }
        unlink_block(block);
        uint64_t number = virt_to_phys(block) >> PAGE_SHIFT;
        struct region *r = region_of(number);
        free_run(r, number + count, (1ul << order) - count, r->pages[number - r->first].flags & PAGE_REPORTED);
        return hand_out(r, number, count);
    }
    return NULL;
}

#pragma weak memory_reclaim

static void *take(unsigned count) {
    void *(*from_lists)(unsigned) = reuse, *freed = from_lists ? from_lists(count) : NULL;
    if (freed)
        return freed;
    for (struct region *r = regions; r < regions + region_count; r++) {
        if (r->end - r->fresh < count)
            continue;
        r->fresh += count;
        return hand_out(r, r->fresh - count, count);
    }
    return NULL;
}

void *pages_alloc(unsigned count) {
    void *pages = take(count);
    while (!pages && memory_reclaim && memory_reclaim(count > 32 ? count : 32))
        pages = take(count);
    return pages;
}

#pragma weak memory_reclaim_mapped
#define MORE_SHARE 256 /* so much of the memory more than is asked for: the next ones to ask have it without a search */

bool memory_make_free(uint64_t bytes) {
    uint64_t enough = bytes + memory_total() / MORE_SHARE + PAGE_SIZE - 1;
    if (memory_free() >= bytes)
        return true;
    if (!memory_reclaim || !memory_reclaim_mapped)
        return false;
    memory_reclaim((enough - memory_free()) >> PAGE_SHIFT);
    if (memory_free() < bytes)
        memory_reclaim_mapped((enough - memory_free()) >> PAGE_SHIFT);
    return memory_free() >= bytes;
}

void *page_alloc(void) { return pages_alloc(1); }

void *page_alloc_zeroed(void) {
    void *page = pages_alloc(1);
    return page ? memset(page, 0, PAGE_SIZE) : NULL;
}

void pages_free(void *pages, unsigned count) {
    uint64_t number = virt_to_phys(pages) >> PAGE_SHIFT;
    free_pages += count;
    free_run(region_of(number), number, count, 0);
    reuse = alloc_freed;
}

void page_get(uint64_t phys) {
    struct page *page = page_of(phys);
    if (page)
        page->references++;
}

void page_put(uint64_t phys) {
    struct page *page = page_of(phys);
    if (page && --page->references == 0)
        pages_free(phys_to_virt(phys & ~(PAGE_SIZE - 1)), 1);
}

uint64_t memory_total(void) { return total_pages << PAGE_SHIFT; }
uint64_t memory_free(void) { return free_pages << PAGE_SHIFT; }

void *memory_take_unreported(unsigned *order) {
    for (unsigned at = ORDERS; at-- > REPORT_ORDER;)
        for (struct free_block *block = free_lists[at]; block; block = block->next) {
            uint64_t number = virt_to_phys(block) >> PAGE_SHIFT;
            struct region *r = region_of(number);
            if (r->pages[number - r->first].flags & PAGE_REPORTED)
                continue;
            unlink_block(block);
            r->pages[number - r->first] = (struct page){1, 0};
            free_pages -= 1ul << at;
            *order = at;
            return block;
        }
    return NULL;
}

void memory_put_reported(void *block, unsigned order) {
    uint64_t number = virt_to_phys(block) >> PAGE_SHIFT;
    free_pages += 1ul << order;
    push_block(region_of(number), number, order, PAGE_REPORTED);
}
