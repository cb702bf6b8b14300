/*
 * Disks (VIRTIO 1.2, section 5.2). A request is a header, its data, a status byte; several are out at a time, each with a header of its own. Whoever waits sleeps
 * until the interrupt; where there is none, the ring is polled. A disk that the VMM does not let us write to is one that only reads.
 */
#include "arch/arch.h"
#include "block/block.h"
#include "channel/channel.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

#define SECTOR 512
#define QUEUE_ENTRIES 128
#define REQUESTS 8
#define FEATURE_READ_ONLY (1ull << 5)
#define FEATURE_FLUSH (1ull << 9)
enum { REQUEST_READ = 0, REQUEST_WRITE = 1, REQUEST_FLUSH = 4, REQUEST_NAME = 8 };
#define STATUS_OK 0

struct request { struct { uint32_t type, reserved; uint64_t sector; } header; uint8_t status, name[20]; bool taken, answered; struct disk *disk; };
struct disk {
    struct block_device block;
    struct virtio_device *device;
    struct virtqueue queue;
    struct request *requests;
    struct wait_queue free, done; /* for a request and room in the ring; for answers */
    bool polled;
};

static void collect(struct disk *disk) {
    bool any = false;
    for (struct request *request; (request = virtqueue_take(&disk->queue, NULL)); any = true) request->answered = true;
    if (any) wait_queue_wake(&disk->done, -1);
}

static void interrupt(struct virtio_device *device) {
    collect(device->driver_data);
}

static struct request *find_free(struct disk *disk) {
    for (unsigned i = 0; i < REQUESTS; i++)
        if (!disk->requests[i].taken) return &disk->requests[i];
    return NULL;
}
static bool has_room(void *argument) {
    struct disk *disk = argument;
    return find_free(disk) && disk->queue.free_count >= BLOCK_PIECES_MOST + 2;
}
static bool is_answered(void *argument) {
    struct request *request = argument;
    if (!request->answered) collect(request->disk);
    return request->answered;
}

/* buffers[0] and the last one are left for the header and the status. */
static int ask(struct disk *disk, uint32_t type, uint64_t sector, struct virtio_buffer *buffers, unsigned count, bool comes) {
    while (!has_room(disk)) {
        if (disk->polled) collect(disk);
        else wait_until(&disk->free, has_room, disk, 0, false);
    }
    struct request *request = find_free(disk);
    *request = (struct request){ .header = { type, 0, sector }, .status = 0xff, .taken = true, .disk = disk };
    if (type == REQUEST_NAME) buffers[1] = (struct virtio_buffer){ request->name, sizeof request->name };
    buffers[0] = (struct virtio_buffer){ &request->header, sizeof request->header };
    buffers[count + 1] = (struct virtio_buffer){ &request->status, 1 };
    int error = virtqueue_add(&disk->queue, buffers, comes ? 1 : count + 1, comes ? count + 1 : 1, request) ? -EIO : 0;
    if (!error) {
        virtqueue_notify(&disk->queue);
        if (disk->polled) while (!is_answered(request)) arch_pause();
        else wait_until(&disk->done, is_answered, request, 0, false);
        if (request->status != STATUS_OK) error = -EIO;
        if (type == REQUEST_NAME && !error) __builtin_memcpy(disk->block.name, request->name, sizeof request->name);
    }
    request->taken = false;
    wait_queue_wake(&disk->free, -1);
    return error;
}

static void put_piece(struct virtio_buffer *buffers, unsigned *used, void *data, uint32_t size) {
    struct virtio_buffer *last = &buffers[*used];
    if (*used && (uint8_t *)last->data + last->size == data) last->size += size; /* neighbours go as one */
    else buffers[++*used] = (struct virtio_buffer){ data, size };
}

static int read(struct block_device *block, uint64_t first, void *const *pages, unsigned count) {
    struct virtio_buffer buffers[BLOCK_READ_MOST + 2];
    unsigned used = 0;
    for (unsigned i = 0; i < count; i++) put_piece(buffers, &used, pages[i], PAGE_SIZE);
    return ask(block->data, REQUEST_READ, first * (PAGE_SIZE / SECTOR), buffers, used, true);
}

static int transfer(struct block_device *block, bool write, uint64_t sector, const struct block_piece *pieces, unsigned count) {
    struct virtio_buffer buffers[BLOCK_PIECES_MOST + 2];
    unsigned used = 0;
    if (write && block->read_only) return -EROFS;
    for (unsigned i = 0; i < count; i++) put_piece(buffers, &used, pieces[i].data, pieces[i].size);
    return ask(block->data, write ? REQUEST_WRITE : REQUEST_READ, sector, buffers, used, !write);
}

static int flush(struct block_device *block) {
    struct disk *disk = block->data;
    struct virtio_buffer buffers[2];
    return disk->device->features & FEATURE_FLUSH ? ask(disk, REQUEST_FLUSH, 0, buffers, 0, true) : 0;
}

static int start(struct virtio_device *device) {
    struct disk *disk = kzalloc(sizeof *disk);
    uint64_t sectors = 0;
    if (!disk || !(disk->requests = kzalloc(REQUESTS * sizeof *disk->requests))) return -ENOMEM;
    int error = virtqueue_create(device, &disk->queue, 0, QUEUE_ENTRIES);
    if (error) return error;
    if (disk->queue.size < BLOCK_READ_MOST + 2) return -ENODEV;
    device->transport->config_read(device, 0, &sectors, sizeof sectors);
    disk->device = device;
    disk->block = (struct block_device){ .pages = sectors / (PAGE_SIZE / SECTOR), .read = read, .transfer = transfer, .flush = flush, .sectors = sectors,
                                         .read_only = device->features & FEATURE_READ_ONLY, .data = disk };
    device->driver_data = disk;
    return 0;
}

static void ready(struct virtio_device *device) {
    struct disk *disk = device->driver_data;
    struct virtio_buffer buffers[3];
    device->interrupt = interrupt;
    disk->polled = true; /* its name is asked for before interrupts are on */
    virtqueue_interrupts(&disk->queue, false);
    ask(disk, REQUEST_NAME, 0, buffers, 1, true); /* a device without one says so, or gives an empty one */
    disk->polled = device->transport->interrupt_enable(device) != 0;
    if (!disk->polled) virtqueue_interrupts(&disk->queue, true);
    if (block_attach(&disk->block)) log_line("virtio-blk: no memory for a disk of %u MiB", (unsigned)(disk->block.pages >> 8));
}

HULL_VIRTIO_DRIVER(4, virtio_blk) = { .device_id = VIRTIO_ID_BLOCK, .features = FEATURE_READ_ONLY | FEATURE_FLUSH, .start = start, .ready = ready };
