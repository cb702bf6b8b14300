/*
 * Disks (VIRTIO 1.2, section 5.2), read only. One request at a time: its header, up to BLOCK_READ_MOST pages, its status byte. Whoever
 * waits sleeps until the interrupt; where there is none, the ring is polled.
 */
#include "arch/arch.h"
#include "block/block.h"
#include "channel/channel.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

#define SECTOR 512
#define QUEUE_ENTRIES 128
#define REQUEST_READ 0
#define STATUS_OK 0

struct request { struct { uint32_t type, reserved; uint64_t sector; } header; uint8_t status; };
struct disk {
    struct block_device block;
    struct virtio_device *device;
    struct virtqueue queue;
    struct request *request;
    struct wait_queue free, done; /* for the turn; for the answer */
    bool taken, answered, polled;
};

static void collect(struct disk *disk) {
    if (!virtqueue_take(&disk->queue, NULL)) return;
    disk->answered = true;
    wait_queue_wake(&disk->done, -1);
}

static void interrupt(struct virtio_device *device) {
    collect(device->driver_data);
}

static bool is_free(void *disk) { return !((struct disk *)disk)->taken; }
static bool is_answered(void *argument) {
    struct disk *disk = argument;
    if (!disk->answered) collect(disk);
    return disk->answered;
}

static int read(struct block_device *block, uint64_t first, void *const *pages, unsigned count) {
    struct disk *disk = block->data;
    struct virtio_buffer buffers[BLOCK_READ_MOST + 2];
    while (disk->taken) wait_until(&disk->free, is_free, disk, 0, false);
    disk->taken = true;
    disk->answered = false;
    struct request *request = disk->request;
    request->header.type = REQUEST_READ;
    request->header.reserved = 0;
    request->header.sector = first * (PAGE_SIZE / SECTOR);
    request->status = 0xff;
    unsigned used = 0;
    buffers[used++] = (struct virtio_buffer){ &request->header, sizeof request->header };
    for (unsigned i = 0; i < count; i++) {
        struct virtio_buffer *last = &buffers[used - 1];
        if (used > 1 && (uint8_t *)last->data + last->size == pages[i]) last->size += PAGE_SIZE; /* neighbours go as one */
        else buffers[used++] = (struct virtio_buffer){ pages[i], PAGE_SIZE };
    }
    buffers[used++] = (struct virtio_buffer){ &request->status, 1 };
    int error = virtqueue_add(&disk->queue, buffers, 1, used - 1, request) ? -EIO : 0;
    if (!error) {
        virtqueue_notify(&disk->queue);
        if (disk->polled) while (!is_answered(disk)) arch_pause();
        else wait_until(&disk->done, is_answered, disk, 0, false);
        if (request->status != STATUS_OK) error = -EIO;
    }
    disk->taken = false;
    wait_queue_wake(&disk->free, 1);
    return error;
}

static int start(struct virtio_device *device) {
    struct disk *disk = kzalloc(sizeof *disk);
    uint64_t sectors = 0;
    if (!disk || !(disk->request = kzalloc(sizeof *disk->request))) return -ENOMEM;
    int error = virtqueue_create(device, &disk->queue, 0, QUEUE_ENTRIES);
    if (error) return error;
    if (disk->queue.size < BLOCK_READ_MOST + 2) return -ENODEV;
    device->transport->config_read(device, 0, &sectors, sizeof sectors);
    disk->device = device;
    disk->block = (struct block_device){ .pages = sectors / (PAGE_SIZE / SECTOR), .read = read, .data = disk };
    device->driver_data = disk;
    return 0;
}

static void ready(struct virtio_device *device) {
    struct disk *disk = device->driver_data;
    device->interrupt = interrupt;
    disk->polled = device->transport->interrupt_enable(device) != 0;
    if (disk->polled) virtqueue_interrupts(&disk->queue, false);
    if (block_attach(&disk->block)) log_line("virtio-blk: no memory for a disk of %u MiB", (unsigned)(disk->block.pages >> 8));
}

HULL_VIRTIO_DRIVER(4, virtio_blk) = { .device_id = VIRTIO_ID_BLOCK, .start = start, .ready = ready };
