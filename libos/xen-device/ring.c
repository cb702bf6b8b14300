/*
 * Rings of requests and answers (public/io/ring.h). Whoever makes entries moves its index behind them, and tells the other end when that index passes the other's wish. An answer takes the place of a
 * request, and only as many can be there as requests were made: an index that says more is a lie, after which nothing of the ring is believed.
 */
#include "lib/string.h"
#include "memory/memory.h"
#include "xen-device/xen_device.h"

struct xen_ring_page {
    uint32_t requests, request_event, answers, answer_event;
    uint8_t reserved[48];
    uint8_t entries[PAGE_SIZE - XEN_RING_HEAD];
};
_Static_assert(sizeof(struct xen_ring_page) == PAGE_SIZE && offsetof(struct xen_ring_page, entries) == XEN_RING_HEAD, "a ring's page");

static uint8_t *entry_of(struct xen_ring *ring, uint32_t index) { return ring->page->entries + (index & (ring->entries - 1)) * ring->entry_size; }

void xen_ring_place(struct xen_ring *ring, void *page, uint32_t entry_size) {
    uint32_t entries = 1;
    while (entries * 2 * entry_size <= PAGE_SIZE - XEN_RING_HEAD)
        entries *= 2;
    *ring = (struct xen_ring){.page = page, .entries = entries, .entry_size = entry_size};
    ring->page->request_event = ring->page->answer_event = 1;
}

void *xen_ring_next(struct xen_ring *ring) {
    if (ring->requests - ring->answers == ring->entries)
        return NULL;
    return memset(entry_of(ring, ring->requests++), 0, ring->entry_size);
}

bool xen_ring_push(struct xen_ring *ring) {
    uint32_t before = ring->told;
    ring->told = ring->requests;
    __atomic_store_n(&ring->page->requests, ring->told, __ATOMIC_RELEASE);
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the index before the other's wish is read */
    uint32_t wish = *(volatile uint32_t *)&ring->page->request_event;
    return ring->told - wish < ring->told - before;
}

/* Answers that are there and were not taken. */
static uint32_t count_ahead(struct xen_ring *ring) {
    if (ring->broken)
        return 0;
    uint32_t ahead = __atomic_load_n(&ring->page->answers, __ATOMIC_ACQUIRE) - ring->answers;
    if (ahead <= ring->told - ring->answers)
        return ahead;
    ring->refused++;
    ring->broken = true;
    return 0;
}

bool xen_ring_any(struct xen_ring *ring) { return count_ahead(ring); }

bool xen_ring_take(struct xen_ring *ring, void *answer, size_t size) {
    if (!count_ahead(ring))
        return false;
    memcpy(answer, entry_of(ring, ring->answers), size);
    ring->answers++;
    return true;
}

bool xen_ring_want(struct xen_ring *ring, uint32_t count) {
    *(volatile uint32_t *)&ring->page->answer_event = ring->answers + count; /* 0: passed already */
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* the wish before the other's index is read */
    return count && count_ahead(ring) >= count;
}
