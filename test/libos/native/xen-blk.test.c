/*
 * The driver of Xen's disks against a simulated other end: honest, slow, out of order, and lying about all that it can write: numbers of requests, kinds, indices, pages that it does not give back.
 * With it the ring and the grants that all such drivers share.
 */
#include "stand_ins.h"
#define HULL_ARCH_ARCH_H
#define HULL_MEMORY_MEMORY_H
#define HULL_LIB_STRING_H
#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
void *memset(void *, int, size_t);
void *memcpy(void *, const void *, size_t);
int memcmp(const void *, const void *, size_t);
int strcmp(const char *, const char *);
typedef void (*irq_handler)(void *);
static uint64_t virt_to_phys(const void *p) { return (uintptr_t)p; }
static unsigned kept_for_ever;
static void page_get(uint64_t phys) { (void)phys, kept_for_ever++; }
static void *page_alloc(void) { return aligned_alloc(PAGE_SIZE, PAGE_SIZE); }
static void *page_alloc_zeroed(void) { return memset(page_alloc(), 0, PAGE_SIZE); }
static void page_put(uint64_t phys) { free((void *)phys); }
static void *kzalloc(size_t size) { return calloc(1, size); }
#include "../../../libos/xen-device/grant.c"
#undef FIRST
#include "../../../libos/xen-device/ring.c"
#include "../../../libos/xen-blk/xen_blk.c"

/* What Xen keeps: the grant table's frames, which lie where we said. */
int xen_place_frame(void *page, unsigned space, uint64_t index) {
    (void)index;
    memset(page, 0, PAGE_SIZE);
    return space == XEN_SPACE_GRANT_TABLE ? 0 : -1;
}

/* The store says what the test wants; events are answered by the other end when somebody waits. */
enum { SECTORS = 4096, INFO_NONE = 0 };
static uint8_t content[SECTORS * 512];
static void *ring_page;
static struct disk *disk;
void xen_device_each(const char *kind, void (*found)(const char *)) { (void)kind, (void)found; }
int xen_device_open(struct xen_device *device, const char *path) { return device->path = path, device->port = 5, 0; }
int xen_device_share(struct xen_device *device, const char *name, const void *page) { return (void)device, (void)name, ring_page = (void *)page, 0; }
int xen_device_connect(struct xen_device *device, unsigned state) { return (void)device, (void)state, 0; }
int xen_device_tell(const struct xen_device *device, const char *name, const char *value) { return (void)device, (void)name, (void)value, 0; }
int xen_device_set_state(const struct xen_device *device, unsigned state) { return (void)device, (void)state, 0; }
int xen_device_read(const struct xen_device *device, const char *name, char *value, size_t size) { return (void)device, (void)name, (void)size, memcpy(value, "xvda", 5), 4; }
long xen_device_number(const struct xen_device *device, const char *name) { return (void)device, !strcmp(name, "sectors") ? SECTORS : !strcmp(name, "feature-flush-cache"); }
int xen_event_listen(uint32_t port, irq_handler handler, void *arg) { return (void)port, (void)handler, (void)arg, 0; }
static unsigned told;
void xen_event_send(uint32_t port) { told += port == 5; }
void deferred_raise(struct deferred *deferred) { deferred->raised = true; }
int block_attach(struct block_device *block) { return (void)block, 0; }
void log_line(const char *format, ...) { (void)format; }
void wait_queue_wake(struct wait_queue *queue, int count) { (void)queue, (void)count; }

/* The other end. */
static uint32_t served;
static unsigned flushes, segments_seen, lies;
static enum { HONEST, BACKWARDS, LYING, FAILING, KEEPING, RUNAWAY, NO_FLUSH } manner;

static void answer_entry(struct xen_ring_page *page, uint64_t id, uint8_t operation, int16_t status) {
    struct answer answer = {.id = id, .operation = operation, .status = status};
    memcpy(page->entries + (page->answers & 31) * sizeof(struct entry), &answer, sizeof answer);
    __atomic_store_n(&page->answers, page->answers + 1, __ATOMIC_RELEASE);
}

static int16_t serve_entry(const struct entry *entry) {
    uint64_t sector = entry->sector;
    if (entry->operation == OPERATION_FLUSH)
        return flushes++, manner == NO_FLUSH ? STATUS_UNSUPPORTED : 0;
    CHECK(entry->segment_count >= 1 && entry->segment_count <= SEGMENTS_MOST);
    for (unsigned i = 0; i < entry->segment_count; i++) {
        const struct segment *segment = &entry->segments[i];
        struct grant *grant = grant_of(segment->grant);
        unsigned size = (segment->last - segment->first + 1u) * 512;
        /* A frame's number has 32 bits; what an address here has beyond them, all of the allocator's pages have in common. */
        uint8_t *data = (uint8_t *)((uint64_t)grant->frame << PAGE_SHIFT | (uint64_t)(uintptr_t)ring_page >> 44 << 44) + segment->first * 512u;
        segments_seen++;
        CHECK(segment->first <= segment->last && segment->last < 8);
        CHECK(grant->flags & PERMIT_ACCESS);
        CHECK(!(grant->flags & READ_ONLY) == (entry->operation == OPERATION_READ));
        if (sector * 512 + size > sizeof content)
            return -1;
        if (entry->operation == OPERATION_READ)
            memcpy(data, content + sector * 512, size);
        else
            memcpy(content + sector * 512, data, size);
        if (manner == KEEPING)
            grant->flags |= WRITING;
        sector += size / 512;
    }
    return manner == FAILING ? -1 : 0;
}

static void serve(void) {
    struct xen_ring_page *page = ring_page;
    struct entry entries[32];
    unsigned count = 0;
    for (uint32_t requests = __atomic_load_n(&page->requests, __ATOMIC_ACQUIRE); served != requests; served++)
        memcpy(&entries[count++], page->entries + (served & 31) * sizeof(struct entry), sizeof(struct entry));
    page->request_event = served + 1;
    for (unsigned i = 0; i < count; i++) {
        const struct entry *entry = &entries[manner == BACKWARDS ? count - 1 - i : i];
        if (manner == LYING && any(2)) {
            lies++; /* in an answer's place: the request's own never comes */
            answer_entry(page, any(3) ? any(1u << 30) + REQUESTS : entry->id, (uint8_t)(entry->operation + 1), 0);
            continue;
        }
        answer_entry(page, entry->id, entry->operation, serve_entry(entry));
    }
    if (manner == RUNAWAY)
        page->answers += 1 + any(1u << 30);
}

/* Waiting is when the other end gets on. Who would wait for ever finds the ring broken in the end: so ends a liar's test. */
int wait_until(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t deadline, int interruptible) {
    (void)queue, (void)deadline, (void)interruptible;
    for (unsigned rounds = 0; !condition(argument); rounds++) {
        if (rounds)
            __atomic_store_n(&((struct xen_ring_page *)ring_page)->answers, 1u << 31, __ATOMIC_RELEASE);
        serve();
    }
    return 0;
}

static void start_disk(void) {
    manner = HONEST;
    served = 0;
    disk = kzalloc(sizeof *disk);
    CHECK(disk && open_disk(disk, "device/vbd/51712") == 0);
    EQUAL(disk->block.pages, SECTORS / 8);
    EQUAL(disk->block.name[0], 0);
}
static void end_disk(void) {
    page_put((uintptr_t)ring_page);
    free(disk);
}
static uint8_t *pages[BLOCK_READ_MOST];

static void test_honest(void) {
    start_disk();
    for (unsigned round = 0; round < 200; round++) {
        manner = any(2) ? HONEST : BACKWARDS;
        unsigned count = 1 + any(BLOCK_READ_MOST), first = any(SECTORS / 8 - count);
        unsigned before = told;
        EQUAL(disk->block.read(&disk->block, first, (void *const *)pages, count), 0);
        CHECK(told - before <= 2);
        for (unsigned i = 0; i < count; i++)
            CHECK(!memcmp(pages[i], content + (first + i) * PAGE_SIZE, PAGE_SIZE));
    }
    /* Pieces of all lengths, on sectors and across them. */
    uint8_t *piece = aligned_alloc(PAGE_SIZE, 4 * PAGE_SIZE);
    for (unsigned round = 0; round < 400; round++) {
        struct block_piece list[3];
        uint32_t size = 0, sizes[3];
        uint64_t sector = any(SECTORS - 3 * 16);
        bool write = any(2);
        uint8_t *at = piece + any(3) * 16 * any(4);
        for (unsigned i = 0; i < 3; i++) {
            sizes[i] = 512 * (1 + any(9));
            list[i] = (struct block_piece){at + size + (i ? 16 * any(2) : 0), sizes[i]};
            if (i) list[i].data = (uint8_t *)list[i - 1].data + sizes[i - 1];
            size += sizes[i];
        }
        for (unsigned i = 0; write && i < size; i++)
            at[i] = (uint8_t)any(256);
        EQUAL(disk->block.transfer(&disk->block, write, sector, list, 3), 0);
        CHECK(!memcmp(at, content + sector * 512, size));
    }
    free(piece);
    EQUAL(disk->block.flush(&disk->block), 0);
    EQUAL(flushes, 1);
    manner = NO_FLUSH;
    EQUAL(disk->block.flush(&disk->block), 0);
    EQUAL(disk->block.flush(&disk->block), 0); /* is not asked for again */
    EQUAL(flushes, 2);
    manner = HONEST;
    disk->block.read_only = true;
    EQUAL(disk->block.transfer(&disk->block, true, 0, (struct block_piece[]){{pages[0], 512}}, 1), -EROFS);
    EQUAL(disk->ring.refused, 0);
    manner = FAILING;
    EQUAL(disk->block.read(&disk->block, 0, (void *const *)pages, 20), -EIO);
    manner = HONEST;
    EQUAL(disk->block.read(&disk->block, 0, (void *const *)pages, 20), 0);
    for (unsigned i = 0; i < REQUESTS; i++)
        CHECK(!disk->requests[i].transfer && !disk->requests[i].lost);
    end_disk();
}

static void test_lies(void) {
    for (unsigned round = 0; round < 300; round++) {
        start_disk();
        manner = round % 2 ? LYING : RUNAWAY;
        unsigned count = 1 + any(BLOCK_READ_MOST);
        int error = disk->block.read(&disk->block, 0, (void *const *)pages, count);
        EQUAL(error, disk->ring.broken ? -EIO : 0);
        CHECK(disk->ring.broken || manner == LYING);
        if (disk->ring.broken)
            CHECK(disk->ring.refused && disk->block.read(&disk->block, 0, (void *const *)pages, 1) == -EIO);
        for (unsigned i = 0; i < REQUESTS * SEGMENTS_MOST; i++) /* nothing is left to it */
            EQUAL(grant_of(disk->requests[i / SEGMENTS_MOST].grants[i % SEGMENTS_MOST])->flags, 0);
        next = FIRST; /* references are for ever; the test's are not */
        end_disk();
    }
    CHECK(lies > 100);
}

static void test_keeping(void) {
    start_disk();
    manner = KEEPING;
    EQUAL(disk->block.read(&disk->block, 0, (void *const *)pages, 12), -EIO);
    EQUAL(kept_for_ever, 12);
    EQUAL(disk->lost, 2);
    manner = HONEST;
    EQUAL(disk->block.read(&disk->block, 3, (void *const *)pages, 12), 0);
    CHECK(!memcmp(pages[11], content + 14 * PAGE_SIZE, PAGE_SIZE));
    manner = KEEPING;
    for (unsigned i = 2; i < REQUESTS; i++)
        EQUAL(disk->block.read(&disk->block, 0, (void *const *)pages, 1), -EIO);
    manner = HONEST;
    EQUAL(disk->block.read(&disk->block, 0, (void *const *)pages, 1), -EIO); /* no place is left; nobody waits for one */
    end_disk();
}

int main(void) {
    for (unsigned i = 0; i < BLOCK_READ_MOST; i++)
        pages[i] = page_alloc();
    for (unsigned i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)any(256);
    test_honest();
    test_lies();
    test_keeping();
    return report("xen-blk");
}
