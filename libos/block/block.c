/*
 * The page cache of block devices. A device's slots are in leaves of one page each, made when first needed, so that a large device
 * costs nothing before it is read. Misses read a run around them: 16 pages, or 64 where a reader goes forward or half of the memory is free.
 * Then pages cost less than requests: the start of Node.js, 552 requests for 41 MB, becomes 200 for 51 MB.
 */
#include "block/block.h"
#include "arch/arch.h"
#include "file/file.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"

#define LEAF 1024u
#define AROUND 16u
#define AROUND_WITH_ROOM 64u /* <= BLOCK_READ_MOST */
enum { ABSENT = 0, READING = 1 };
#define PAGE_USED 1u /* page.flags: handed out since the hand came by */

static struct block_device *first_device;

struct block_device *block_first(void) {
    return first_device;
}

struct block_device *block_find(const char *name) {
    struct block_device *device = first_device;
    while (device && strcmp(device->name, name)) device = device->next;
    return device;
}

static struct block_reclaimer *first_reclaimer;

void block_add_reclaimer(struct block_reclaimer *reclaimer) {
    reclaimer->next = first_reclaimer;
    first_reclaimer = reclaimer;
}

int block_attach(struct block_device *device) {
    if (!device->memory && !(device->leaves = kzalloc((device->pages / LEAF + 1) * sizeof *device->leaves))) return -ENOMEM;
    struct block_device **at = &first_device;
    while (*at) at = &(*at)->next;
    *at = device;
    return 0;
}

static uint32_t *slot_of(struct block_device *device, uint64_t index, bool make) {
    uint32_t **leaf = &device->leaves[index / LEAF];
    if (!*leaf && make) *leaf = page_alloc_zeroed();
    return *leaf ? &(*leaf)[index % LEAF] : NULL;
}

static bool is_absent(struct block_device *device, uint64_t index) {
    uint32_t *slot = slot_of(device, index, true);
    return slot && *slot == ABSENT;
}

static int hand_out(uint32_t slot, uint64_t *physical) {
    *physical = (uint64_t)slot << PAGE_SHIFT;
    page_of(*physical)->flags |= PAGE_USED;
    page_get(*physical);
    return 0;
}

/* Reads the run of absent pages around `index` that is worth a request. 0: `index` is in its slot, or somebody may try again. */
static int read_run(struct block_device *device, uint64_t index) {
    void *pages[BLOCK_READ_MOST];
    bool forward = index == device->next_expected;
    unsigned around = memory_free() > memory_total() / 2 ? AROUND_WITH_ROOM : AROUND;
    uint64_t first = index, low = forward ? index : index & ~(uint64_t)(around - 1), end = low + (forward ? BLOCK_READ_MOST : around);
    if (end > device->pages) end = device->pages;
    while (first > low && is_absent(device, first - 1)) first--;
    unsigned count = 0;
    for (uint64_t at = first; at < end && is_absent(device, at); at++) {
        if (!(pages[count] = page_alloc())) break;
        if (!is_absent(device, at)) { /* making room took the leaf's last page or brought it */
            page_put(virt_to_phys(pages[count]));
            break;
        }
        *slot_of(device, at, false) = READING;
        count++;
    }
    if (count && first + count <= index) { /* memory ended before the page that is wanted: without its neighbours, then */
        while (count) {
            *slot_of(device, first + --count, false) = ABSENT;
            page_put(virt_to_phys(pages[count]));
        }
        first = index;
        if (is_absent(device, index) && (pages[0] = page_alloc())) *slot_of(device, first + count++, false) = READING;
    }
    int error = first + count > index ? device->read(device, first, pages, count) : -ENOMEM;
    device->reads++;
    device->pages_read += count;
    for (unsigned i = 0; i < count; i++) {
        uint64_t physical = virt_to_phys(pages[i]);
        *slot_of(device, first + i, false) = error ? ABSENT : (uint32_t)(physical >> PAGE_SHIFT);
        if (error) page_put(physical);
        else device->cached++, page_of(physical)->flags |= PAGE_CACHED;
    }
    device->next_expected = first + count;
    wait_queue_wake(&device->waiters, -1);
    return error;
}

struct arrival { struct block_device *device; uint64_t index; };
static bool has_arrived(void *argument) {
    struct arrival *arrival = argument;
    return *slot_of(arrival->device, arrival->index, false) != READING;
}

int block_get_page(struct block_device *device, uint64_t index, int how, uint64_t *physical) {
    if (index >= device->pages) return -ENXIO;
    if (device->memory) {
        *physical = virt_to_phys(device->memory + index * PAGE_SIZE); /* not the allocator's: has no count */
        return 0;
    }
    for (;;) {
        uint32_t *slot = slot_of(device, index, how != FILE_PAGE_AT_HAND);
        if (slot && *slot > READING) return hand_out(*slot, physical);
        if (how == FILE_PAGE_AT_HAND) return -EAGAIN;
        if (!slot) return -ENOMEM;
        if (*slot == READING) {
            wait_until(&device->waiters, has_arrived, &(struct arrival){ device, index }, 0, false);
            continue;
        }
        int error = read_run(device, index);
        if (error) return error;
    }
}

/* Looks at one leaf's worth of slots from the hand on: second chance (page.flags). Pages given back. */
static uint64_t sweep(struct block_device *device, uint64_t wanted) {
    uint64_t freed = 0, stop = (device->hand / LEAF + 1) * LEAF;
    uint32_t *leaf = device->leaves[device->hand / LEAF];
    if (stop > device->pages) stop = device->pages;
    for (; leaf && device->hand < stop && freed < wanted; device->hand++) {
        uint32_t *slot = &leaf[device->hand % LEAF];
        if (*slot <= READING) continue;
        struct page *page = page_of((uint64_t)*slot << PAGE_SHIFT);
        if (page->references > 1) continue;
        if (page->flags & PAGE_USED) {
            page->flags &= ~PAGE_USED;
            continue;
        }
        page_put((uint64_t)*slot << PAGE_SHIFT);
        *slot = ABSENT;
        device->cached--;
        freed++;
    }
    if (!leaf || device->hand == stop) device->hand = stop < device->pages ? stop : 0;
    return freed;
}

uint64_t memory_reclaim(uint64_t wanted) {
    uint64_t freed = 0;
    for (struct block_device *device = first_device; device && freed < wanted; device = device->next) {
        if (device->memory) continue;
        for (uint64_t rounds = 2 * (device->pages / LEAF + 1) + 1; rounds && device->cached && freed < wanted; rounds--)
            freed += sweep(device, wanted - freed);
    }
    for (struct block_reclaimer *other = first_reclaimer; other && freed < wanted; other = other->next) freed += other->reclaim(wanted - freed);
    return freed;
}

#pragma weak memory_unmap_cached
uint64_t memory_reclaim_mapped(uint64_t wanted) { return memory_unmap_cached && memory_unmap_cached() ? memory_reclaim(wanted) : 0; }
