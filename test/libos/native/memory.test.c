/*
 * The page allocator and the heap, natively: random allocations and frees against a shadow of who owns which byte.
 * sources: libos/memory/pages.c libos/memory/heap.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "arch/arch.h"
#include "memory/memory.h"

#define PAGES 4096
char *native_arena;
static uint64_t seed = 1;
static unsigned random_below(unsigned n) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % n;
}

static uint8_t owned[PAGES];

static void own(void *p, unsigned count, bool take) {
    uint64_t first = virt_to_phys(p) / PAGE_SIZE;
    CHECK(virt_to_phys(p) % PAGE_SIZE == 0 && first + count <= PAGES);
    for (unsigned i = 0; i < count; i++) {
        CHECK(owned[first + i] == !take);
        owned[first + i] = take;
    }
}

static void test_regions(void) {
    memory_add(0, 100 * PAGE_SIZE + 5);
    memory_add(256 * PAGE_SIZE - 5, PAGES * PAGE_SIZE);
    memory_reserve(300 * PAGE_SIZE + 1, 310 * PAGE_SIZE - 1); /* in the middle */
    memory_reserve(0, PAGE_SIZE);
    memory_reserve((PAGES - 10) * PAGE_SIZE, (PAGES + 5) * PAGE_SIZE); /* over the end */
    memory_ready();
    owned[0] = 1;
    for (unsigned i = 100; i < 256; i++)
        owned[i] = 1;
    for (unsigned i = 300; i < 310; i++)
        owned[i] = 1;
    for (unsigned i = PAGES - 10; i < PAGES; i++)
        owned[i] = 1;
    CHECK(memory_total() == (99 + 44 + (PAGES - 320)) * PAGE_SIZE);
    CHECK(memory_free() < memory_total());
    CHECK(page_of(5 * PAGE_SIZE) == NULL || page_of(5 * PAGE_SIZE)->references == 0);
    CHECK(page_of(305 * PAGE_SIZE) == NULL);
}

static unsigned freed_blocks;
void memory_block_freed(void) { freed_blocks++; }

/* What the host is told of: each large block once, whole blocks only, and nothing is lost by it. */
static void test_reports(void) {
    static struct { void *p; unsigned order; } told[64];
    uint64_t before = memory_free(), pages = 0;
    unsigned count = 0;
    while (count < 64 && (told[count].p = memory_take_unreported(&told[count].order))) {
        CHECK(told[count].order >= 9);
        own(told[count].p, 1u << told[count].order, true);
        pages += 1ul << told[count].order;
        count++;
    }
    CHECK(memory_free() == before - pages * PAGE_SIZE);
    for (unsigned i = 0; i < count; i++) {
        own(told[i].p, 1u << told[i].order, false);
        memory_put_reported(told[i].p, told[i].order);
    }
    CHECK(memory_free() == before);
    unsigned order;
    CHECK(memory_take_unreported(&order) == NULL);
}

static void test_pages(void) {
    static struct { void *p; unsigned count; } held[600];
    uint64_t before = memory_free();
    for (unsigned round = 0; round < 60000; round++) {
        unsigned i = random_below(600);
        if (held[i].p) {
            for (unsigned k = 0; k < held[i].count; k++)
                CHECK(*(unsigned *)((char *)held[i].p + k * PAGE_SIZE) == i * 64 + k);
            own(held[i].p, held[i].count, false);
            pages_free(held[i].p, held[i].count);
            held[i].p = NULL;
        } else {
            unsigned count = random_below(4) ? 1 : 1 + random_below(40);
            void *p = pages_alloc(count);
            if (!p)
                continue;
            own(p, count, true);
            for (unsigned k = 0; k < count; k++) {
                struct page *page = page_of(virt_to_phys(p) + k * PAGE_SIZE);
                CHECK(page && page->references == 1 && page->flags == 0);
                *(unsigned *)((char *)p + k * PAGE_SIZE) = i * 64 + k;
            }
            held[i].p = p;
            held[i].count = count;
        }
    }
    for (unsigned i = 0; i < 600; i++)
        if (held[i].p) {
            own(held[i].p, held[i].count, false);
            pages_free(held[i].p, held[i].count);
        }
    CHECK(memory_free() == before);
}

/* All memory, to the last page, then all of it again as one large block: merging works. */
static void test_exhaustion(void) {
    uint64_t before = memory_free();
    void **list = NULL, **page;
    uint64_t count = 0;
    while ((page = page_alloc())) {
        own(page, 1, true);
        *page = list;
        list = page;
        count++;
    }
    CHECK(count * PAGE_SIZE == before && memory_free() == 0);
    CHECK(kmalloc(16) == NULL && kmalloc(100000) == NULL);
    while (list) {
        void **next = *list;
        own(list, 1, false);
        page_put(virt_to_phys(list));
        list = next;
    }
    CHECK(memory_free() == before);
    void *large = pages_alloc(1024);
    CHECK(large);
    pages_free(large, 1024);
    uint8_t *zeroed = page_alloc_zeroed();
    for (unsigned i = 0; i < PAGE_SIZE; i++)
        CHECK(zeroed[i] == 0);
    page_get(virt_to_phys(zeroed));
    page_put(virt_to_phys(zeroed));
    CHECK(page_of(virt_to_phys(zeroed))->references == 1);
    page_put(virt_to_phys(zeroed));
    page_put(305 * PAGE_SIZE); /* not ours: left alone */
    CHECK(memory_free() == before);
}

static void test_heap(void) {
    static struct { uint8_t *p; size_t size; } held[2000];
    uint64_t before = memory_free();
    for (unsigned round = 0; round < 200000; round++) {
        unsigned i = random_below(2000);
        if (held[i].p) {
            for (size_t k = 0; k < held[i].size; k++)
                CHECK(held[i].p[k] == (uint8_t)i);
            kfree(held[i].p);
            held[i].p = NULL;
        } else {
            held[i].size = random_below(20) ? random_below(600) : random_below(20000);
            held[i].p = kmalloc(held[i].size);
            if (held[i].p) {
                CHECK((uintptr_t)((char *)held[i].p - native_arena) % 16 == 0);
                memset(held[i].p, (uint8_t)i, held[i].size);
            }
        }
    }
    for (unsigned i = 0; i < 2000; i++)
        kfree(held[i].p);
    CHECK(memory_free() <= before && before - memory_free() <= 13 * PAGE_SIZE); /* empty slabs went back, but for one of each class */
    CHECK(kmalloc((size_t)-1) == NULL && kmalloc((size_t)1 << 41) == NULL);
    kfree(NULL);
    uint8_t *zeroed = kzalloc(100);
    for (unsigned i = 0; i < 100; i++)
        CHECK(zeroed[i] == 0);
    kfree(zeroed);
}

int main(void) {
    if (!(native_arena = aligned_alloc(1 << 24, PAGES * PAGE_SIZE)))
        return 1;
    memset(native_arena, 0xa5, PAGES * PAGE_SIZE); /* RAM need not be zero */
    test_regions();
    test_pages();
    test_exhaustion();
    CHECK(freed_blocks > 0);
    test_reports();
    test_exhaustion();
    test_reports();
    test_heap();
    free(native_arena);
    return 0;
}
