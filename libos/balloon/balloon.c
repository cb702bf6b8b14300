/*
 * Free page reporting (VIRTIO 1.2, section 5.5.6.7): the host takes back what lies behind free blocks of 2 MiB and more, and gives fresh pages when they
 * are touched again. Owns the reporting queue, and the blocks that are in it.
 *
 * Nothing happens while memory is merely used: the allocator says that a large block was freed, a second later a bottom half reports all that is free then, in
 * batches, and waits for the host at each, so that no page is away when a program wants one. A block is reported once; what is split off it stays so.
 */
#include "arch/arch.h"
#include "clock/clock.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

#define F_STATISTICS (1ull << 1)
#define F_HINT (1ull << 3)
#define F_REPORTING (1ull << 5)

enum { BATCH = 16, DELAY_NS = 1000000000 };

static struct virtqueue queue;
static struct timer timer;
static bool serves, pending;

/* One batch; false when there was nothing left. */
static bool report_batch(void) {
    struct virtio_buffer buffers[BATCH];
    unsigned orders[BATCH], count = 0;
    while (count < BATCH) {
        void *block = memory_take_unreported(&orders[count]);
        if (!block) break;
        buffers[count] = (struct virtio_buffer){ block, (uint32_t)(PAGE_SIZE << orders[count]) };
        count++;
    }
    if (count && !virtqueue_add(&queue, buffers, 0, count, buffers)) {
        uint32_t ignored;
        virtqueue_notify(&queue);
        while (!virtqueue_take(&queue, &ignored)) arch_pause();
    }
    for (unsigned i = 0; i < count; i++) memory_put_reported(buffers[i].data, orders[i]);
    return count == BATCH;
}

static void report(struct timer *expired) {
    (void)expired;
    pending = false;
    while (report_batch()) {}
}

void memory_block_freed(void) {
    if (!serves || pending) return;
    pending = true;
    timer = (struct timer){ .deadline_ns = clock_monotonic_ns() + DELAY_NS, .run = report };
    timer_add(&timer);
}

/* The queues that a device has come one after the other: inflate, deflate, then those of its features. */
static int start(struct virtio_device *device) {
    uint64_t offered = device->transport->features(device);
    if (serves || !(device->features & F_REPORTING)) return -ENODEV;
    return virtqueue_create(device, &queue, 2 + !!(offered & F_STATISTICS) + !!(offered & F_HINT), BATCH);
}

static void ready(struct virtio_device *device) {
    (void)device;
    virtqueue_interrupts(&queue, false);
    serves = true;
}

HULL_VIRTIO_DRIVER(4, virtio_balloon) = { .device_id = VIRTIO_ID_BALLOON, .features = F_REPORTING, .start = start, .ready = ready };
