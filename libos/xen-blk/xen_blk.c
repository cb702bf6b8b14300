/*
 * Disks that another domain serves (public/io/blkif.h, the ring's layout for x86-64). A request has up to eleven segments, each within a page; a transfer is as many requests as it needs, which are
 * out together. Nothing is copied: the pages are granted to the other end for the request's time.
 *
 * Trust: an answer counts when it names a request that is out. A page that the other end keeps beyond its answer is nobody's any more, and the transfer failed.
 */
#include "arch/arch.h"
#include "block/block.h"
#include "channel/channel.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "xen-device/xen_device.h"
#include "xen-event/xen_event.h"
#include "xen/xen.h"

#define SECTOR 512u
enum { SEGMENTS_MOST = 11, REQUESTS = 16 };
enum { OPERATION_READ = 0, OPERATION_WRITE = 1, OPERATION_FLUSH = 3 };
enum { STATUS_OK = 0, STATUS_UNSUPPORTED = -2 };
enum { INFO_READ_ONLY = 4 };

struct segment { uint32_t grant; uint8_t first, last; uint16_t pad; }; /* sectors of the page */
struct entry { uint8_t operation, segment_count; uint16_t handle; uint32_t pad; uint64_t id, sector; struct segment segments[SEGMENTS_MOST]; };
struct answer { uint64_t id; uint8_t operation, pad; int16_t status; };
_Static_assert(sizeof(struct entry) == 112 && sizeof(struct answer) == 16, "blkif on x86-64");

struct transfer { struct disk *disk; unsigned out; int error; };
struct request {
    uint32_t grants[SEGMENTS_MOST];
    const void *pages[SEGMENTS_MOST];
    unsigned count;
    uint8_t operation;
    bool lost;                 /* the other end holds one of its pages for ever */
    struct transfer *transfer; /* NULL: free */
};
struct disk {
    struct block_device block;
    struct xen_device device;
    struct xen_ring ring;
    struct request requests[REQUESTS];
    struct deferred answered;
    struct wait_queue free, done;
    unsigned lost;
    bool flushes;
};

static void finish(struct disk *disk, struct request *request, int error) {
    for (unsigned i = 0; i < request->count; i++) {
        if (xen_grant_end(request->grants[i]))
            continue;
        page_get(virt_to_phys(request->pages[i]));
        request->lost = true;
        error = -EIO;
    }
    disk->lost += request->lost;
    if (error)
        request->transfer->error = error;
    request->transfer->out--;
    request->transfer = NULL;
}

static void collect(struct disk *disk) {
    struct answer answer;
    bool any = false;
    do {
        while (xen_ring_take(&disk->ring, &answer, sizeof answer)) {
            struct request *request = answer.id < REQUESTS ? &disk->requests[answer.id] : NULL;
            if (!request || !request->transfer || answer.operation != request->operation) {
                disk->ring.refused++;
                continue;
            }
            bool unsupported = answer.operation == OPERATION_FLUSH && answer.status == STATUS_UNSUPPORTED; /* as it may say at any time */
            if (unsupported)
                disk->flushes = false;
            finish(disk, request, answer.status == STATUS_OK || unsupported ? 0 : -EIO);
            any = true;
        }
    } while (xen_ring_want(&disk->ring, 1));
    for (unsigned i = 0; disk->ring.broken && i < REQUESTS; i++)
        if (disk->requests[i].transfer) {
            finish(disk, &disk->requests[i], -EIO);
            any = true;
        }
    if (any) {
        wait_queue_wake(&disk->done, -1);
        wait_queue_wake(&disk->free, -1);
    }
}

static void run(struct deferred *deferred) { collect((struct disk *)((char *)deferred - offsetof(struct disk, answered))); }
static void interrupt(void *arg) { deferred_raise(&((struct disk *)arg)->answered); }

static struct request *find_free(struct disk *disk) {
    for (unsigned i = 0; i < REQUESTS; i++)
        if (!disk->requests[i].transfer && !disk->requests[i].lost)
            return &disk->requests[i];
    return NULL;
}
static bool is_done_for(const struct disk *disk) { return disk->ring.broken || disk->lost == REQUESTS; }
static bool has_free(void *argument) {
    struct disk *disk = argument;
    return find_free(disk) || is_done_for(disk);
}
static bool is_done(void *argument) {
    struct transfer *transfer = argument;
    if (transfer->out)
        collect(transfer->disk);
    return !transfer->out;
}

static void push(struct disk *disk) {
    if (xen_ring_push(&disk->ring))
        xen_event_send(disk->device.port);
}

/* A request that is filled and pushed before anybody waits; NULL: the disk is done for. */
static struct request *begin(struct transfer *transfer, uint8_t operation, uint64_t sector, struct entry **entry) {
    struct disk *disk = transfer->disk;
    if (!find_free(disk)) {
        push(disk);
        wait_until(&disk->free, has_free, disk, 0, false);
    }
    struct request *request = is_done_for(disk) ? NULL : find_free(disk);
    if (!request || !(*entry = xen_ring_next(&disk->ring)))
        return NULL;
    request->count = 0;
    request->operation = operation;
    request->transfer = transfer;
    transfer->out++;
    (*entry)->operation = operation;
    (*entry)->id = (uint64_t)(request - disk->requests);
    (*entry)->sector = sector;
    return request;
}

static void add_segment(struct disk *disk, struct request *request, struct entry *entry, const void *data, uint32_t size) {
    unsigned i = request->count++, first = (unsigned)((uintptr_t)data % PAGE_SIZE / SECTOR);
    request->pages[i] = data;
    xen_grant_allow(request->grants[i], disk->device.domain, data, request->operation == OPERATION_WRITE);
    entry->segments[i] = (struct segment){.grant = request->grants[i], .first = (uint8_t)first, .last = (uint8_t)(first + size / SECTOR - 1)};
    entry->segment_count = (uint8_t)request->count;
}

static int wait_for(struct transfer *transfer) {
    push(transfer->disk);
    wait_until(&transfer->disk->done, is_done, transfer, 0, false);
    return transfer->error;
}

static int ask(struct disk *disk, uint8_t operation, uint64_t sector, const struct block_piece *pieces, unsigned count) {
    struct transfer transfer = {.disk = disk};
    struct request *request = NULL;
    struct entry *entry = NULL;
    for (unsigned i = 0; i < count && !transfer.error; i++) {
        uint8_t *data = pieces[i].data;
        for (uint32_t left = pieces[i].size, size; left; left -= size, data += size, sector += size / SECTOR) {
            size = PAGE_SIZE - (uint32_t)((uintptr_t)data % PAGE_SIZE);
            if (size > left)
                size = left;
            if ((!request || request->count == SEGMENTS_MOST) && !(request = begin(&transfer, operation, sector, &entry))) {
                transfer.error = -EIO;
                break;
            }
            add_segment(disk, request, entry, data, size);
        }
    }
    return wait_for(&transfer);
}

/* Sectors lie on sectors of a page; what lies across them goes by way of a page. */
static int ask_by_copy(struct disk *disk, bool write, uint64_t sector, const struct block_piece *piece) {
    uint8_t *page = page_alloc(), *data = piece->data;
    int error = page ? 0 : -ENOMEM;
    for (uint32_t left = piece->size, size; left && !error; left -= size, data += size, sector += size / SECTOR) {
        struct block_piece part = {page, size = left < PAGE_SIZE ? left : (uint32_t)PAGE_SIZE};
        if (write)
            memcpy(page, data, size);
        error = ask(disk, write ? OPERATION_WRITE : OPERATION_READ, sector, &part, 1);
        if (!write && !error)
            memcpy(data, page, size);
    }
    if (page)
        page_put(virt_to_phys(page));
    return error;
}

static int transfer(struct block_device *block, bool write, uint64_t sector, const struct block_piece *pieces, unsigned count) {
    if (write && block->read_only)
        return -EROFS;
    unsigned first = 0;
    int error = 0;
    for (unsigned i = 0; i <= count && !error; i++) { /* what lies well goes together */
        bool lies_across = i < count && (uintptr_t)pieces[i].data % SECTOR;
        if (i < count && !lies_across)
            continue;
        if (i > first)
            error = ask(block->data, write ? OPERATION_WRITE : OPERATION_READ, sector, pieces + first, i - first);
        for (; first < i; first++)
            sector += pieces[first].size / SECTOR;
        if (lies_across && !error) {
            error = ask_by_copy(block->data, write, sector, &pieces[i]);
            sector += pieces[first++].size / SECTOR;
        }
    }
    return error;
}

static int read(struct block_device *block, uint64_t first, void *const *pages, unsigned count) {
    struct block_piece pieces[BLOCK_READ_MOST];
    for (unsigned i = 0; i < count; i++)
        pieces[i] = (struct block_piece){pages[i], PAGE_SIZE};
    return ask(block->data, OPERATION_READ, first * (PAGE_SIZE / SECTOR), pieces, count);
}

static int flush(struct block_device *block) {
    struct transfer transfer = {.disk = block->data};
    struct entry *entry;
    if (!transfer.disk->flushes)
        return 0;
    return begin(&transfer, OPERATION_FLUSH, 0, &entry) ? wait_for(&transfer) : -EIO;
}

static int open_disk(struct disk *disk, const char *path) {
    struct xen_device *device = &disk->device;
    void *page = page_alloc_zeroed();
    if (!page)
        return -ENOMEM;
    for (unsigned i = 0; i < REQUESTS * SEGMENTS_MOST; i++)
        if (!(disk->requests[i / SEGMENTS_MOST].grants[i % SEGMENTS_MOST] = xen_grant_reserve()))
            return -ENOSPC;
    int error = xen_device_open(device, path);
    xen_ring_place(&disk->ring, page, sizeof(struct entry));
    if (!error)
        error = xen_device_share(device, "ring-ref", page);
    if (!error)
        error = xen_device_tell(device, "protocol", "x86_64-abi");
    if (!error)
        error = xen_device_connect(device, XEN_STATE_INITIALISED);
    if (error)
        return error;
    long sectors = xen_device_number(device, "sectors"), info = xen_device_number(device, "info");
    if (sectors <= 0)
        return -ENODEV;
    disk->flushes = xen_device_number(device, "feature-flush-cache") == 1;
    disk->answered.run = run;
    disk->block = (struct block_device){.pages = (uint64_t)sectors / (PAGE_SIZE / SECTOR), .read = read, .transfer = transfer, .flush = flush, .sectors = (uint64_t)sectors,
                                        .read_only = info > 0 && info & INFO_READ_ONLY, .data = disk};
    /* The root's disk is the one without a name (rootfs). */
    xen_device_read(device, "dev", disk->block.name, sizeof disk->block.name);
    if (!strcmp(disk->block.name, "xvda"))
        disk->block.name[0] = 0;
    error = xen_event_listen(device->port, interrupt, disk);
    if (!error)
        error = xen_device_set_state(device, XEN_STATE_CONNECTED);
    return error ? error : block_attach(&disk->block);
}

static void found(const char *path) {
    struct disk *disk = kzalloc(sizeof *disk);
    int error = disk ? open_disk(disk, path) : -ENOMEM;
    if (error)
        log_line("xen-blk: %s cannot be used: error %d", path, -error);
}

static void xen_blk_start(void) { xen_device_each("vbd", found); }
HULL_INIT(4, xen_blk_start);
