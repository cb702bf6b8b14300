/*
 * The split virtqueue against a simulated device: honest, out of order, and lying about everything that it can write.
 * flags: -fno-builtin
 */
#include "stand_ins.h"
#define HULL_ARCH_ARCH_H
#define HULL_MEMORY_MEMORY_H
#define HULL_LIB_STRING_H
#define PAGE_SIZE 4096ul
static uint64_t virt_to_phys(const void *p) { return (uintptr_t)p; }
void *memset(void *, int, size_t);
static void *pages_alloc(unsigned count) { return aligned_alloc(4096, count * 4096ul); }
#include "../../../libos/virtio/queue.c"

#define SIZE 16
static struct virtqueue queue;
static void *memory;
static uint16_t seen; /* the device's place in the available ring */
static uint16_t doorbell;

static unsigned room(struct virtio_device *device, unsigned index) {
    (void)device;
    return index == 0 ? 64 : 0;
}
static int enable(struct virtio_device *device, struct virtqueue *q) {
    (void)device;
    q->notify_address = &doorbell;
    q->notify_size = 2;
    return 0;
}
static const struct virtio_transport transport = { .queue_room = room, .queue_enable = enable };
static struct virtio_device device = { .transport = &transport };

static void start(void) {
    free(memory);
    queue = (struct virtqueue){ 0 };
    EQUAL(virtqueue_create(&device, &queue, 0, SIZE), 0);
    memory = queue.descriptors;
    seen = 0;
}

static bool next_available(uint16_t *head) {
    if (seen == queue.available_ring->index) return false;
    *head = queue.available_ring->ring[seen++ % queue.size];
    return true;
}
static void give_back(uint32_t id, uint32_t length) {
    volatile struct virtq_used *used = queue.used_ring;
    used->ring[used->index % queue.size].id = id;
    used->ring[used->index % queue.size].length = length;
    used->index++;
}

static void honest(void) {
    start();
    char a[8], b[16];
    struct virtio_buffer buffers[2] = { { a, sizeof a }, { b, sizeof b } };
    uint16_t head;
    uint32_t written;
    CHECK(virtqueue_take(&queue, &written) == NULL);
    EQUAL(virtqueue_add(&queue, buffers, 1, 1, a), 0);
    virtqueue_notify(&queue);
    CHECK(next_available(&head));
    struct virtq_descriptor *first = &queue.descriptors[head], *second = &queue.descriptors[first->next];
    EQUAL(first->address, (uintptr_t)a);
    EQUAL(first->flags, DESCRIPTOR_NEXT);
    EQUAL(second->length, sizeof b);
    EQUAL(second->flags, DESCRIPTOR_WRITE);
    give_back(head, 5);
    CHECK(virtqueue_take(&queue, &written) == a);
    EQUAL(written, 5);
    EQUAL(queue.free_count, SIZE);
    EQUAL(virtqueue_create(&device, &(struct virtqueue){ 0 }, 7, SIZE), -ENOENT);
}

static void full(void) {
    start();
    char bytes[1];
    struct virtio_buffer buffer = { bytes, 1 };
    for (int i = 0; i < SIZE; i++) EQUAL(virtqueue_add(&queue, &buffer, 1, 0, bytes), 0);
    EQUAL(virtqueue_add(&queue, &buffer, 1, 0, bytes), -ENOSPC);
    EQUAL(virtqueue_add(&queue, &buffer, 0, 0, bytes), -ENOSPC);
}

static void lies(void) {
    char bytes[64];
    struct virtio_buffer buffers[2] = { { bytes, 32 }, { bytes + 32, 32 } };
    uint32_t written;
    uint16_t head;
    start();
    give_back(3, 1); /* nothing is out */
    CHECK(virtqueue_take(&queue, &written) == NULL);
    give_back(0xffffffff, 1);
    give_back(SIZE, 1);
    CHECK(virtqueue_take(&queue, &written) == NULL);
    EQUAL(queue.refused, 3);
    EQUAL(virtqueue_add(&queue, buffers, 0, 2, bytes), 0);
    CHECK(next_available(&head));
    give_back(queue.descriptors[head].next, 1); /* the middle of a chain */
    give_back(head, 0xffffffff);
    give_back(head, 1); /* twice */
    CHECK(virtqueue_take(&queue, &written) == bytes);
    EQUAL(written, 64); /* never more than was offered */
    CHECK(virtqueue_take(&queue, &written) == NULL);
    EQUAL(queue.refused, 5);
    EQUAL(queue.free_count, SIZE);
    queue.used_ring->index += 1000; /* an index that cannot be */
    CHECK(virtqueue_take(&queue, &written) == NULL);
    EQUAL(queue.refused, 6);
    EQUAL(virtqueue_add(&queue, buffers, 0, 1, bytes), 0);
    CHECK(next_available(&head));
    for (unsigned i = 0; i < SIZE; i++) queue.descriptors[i].next = 0x7777; /* the table is the device's to scribble on */
    give_back(head, 7);
    CHECK(virtqueue_take(&queue, &written) == bytes);
    EQUAL(written, 7);
    for (int i = 0; i < SIZE; i++) EQUAL(virtqueue_add(&queue, buffers, 1, 0, bytes), 0); /* no descriptor was lost */
}

/* Random work with a device that completes out of order and lies now and then: every token comes back once, none is lost. */
static void storm(void) {
    static char tokens[256];
    bool out[256] = { false };
    uint16_t heads[SIZE];
    unsigned pending = 0;
    char bytes[32];
    struct virtio_buffer buffers[4] = { { bytes, 8 }, { bytes + 8, 8 }, { bytes + 16, 8 }, { bytes + 24, 8 } };
    start();
    for (int round = 0; round < 200000; round++) {
        uint32_t token = any(256);
        if (!out[token] && !virtqueue_add(&queue, buffers, any(3), 1 + any(2), &tokens[token])) out[token] = true;
        uint16_t head;
        while (next_available(&head)) heads[pending++] = head;
        if (!any(10)) give_back(any(4) ? any(SIZE * 2) | 0x10000 : any(0x7fffffff) | SIZE, any(100));
        if (!any(30)) queue.descriptors[any(SIZE)].next = (uint16_t)any(65536);
        if (pending && any(2)) {
            unsigned which = any(pending);
            give_back(heads[which], any(1000));
            heads[which] = heads[--pending];
        }
        uint32_t written;
        char *back;
        while ((back = virtqueue_take(&queue, &written))) {
            CHECK(back >= tokens && back < tokens + 256 && out[back - tokens]);
            CHECK(written <= 16);
            out[back - tokens] = false;
        }
    }
    CHECK(queue.refused > 0);
    for (unsigned i = 0; i < pending; i++) give_back(heads[i], 0);
    while (virtqueue_take(&queue, NULL)) {
    }
    EQUAL(queue.free_count, SIZE);
}

/* The event index: a doorbell only when the device waits for that place, a wish for interrupts at a place of ours, and any value from a liar. */
static void events(void) {
    char bytes[8];
    struct virtio_buffer buffer = { bytes, 8 };
    device.features = VIRTIO_F_EVENT_INDEX;
    start();
    volatile uint16_t *device_waits = (volatile uint16_t *)&queue.used_ring->ring[queue.size];
    volatile uint16_t *driver_waits = &queue.available_ring->ring[queue.size];
    doorbell = 0xffff;
    *device_waits = 1;
    EQUAL(virtqueue_add(&queue, &buffer, 0, 1, bytes), 0);
    virtqueue_notify(&queue);
    EQUAL(doorbell, 0xffff); /* it waits for the second */
    EQUAL(virtqueue_add(&queue, &buffer, 0, 1, bytes), 0);
    EQUAL(virtqueue_add(&queue, &buffer, 0, 1, bytes), 0);
    virtqueue_notify(&queue);
    EQUAL(doorbell, 0);
    doorbell = 0xffff;
    virtqueue_notify(&queue); /* nothing new */
    EQUAL(doorbell, 0xffff);
    virtqueue_interrupts(&queue, true);
    EQUAL(*driver_waits, 0);
    virtqueue_interrupt_after(&queue, 3);
    EQUAL(*driver_waits, 2);
    virtqueue_interrupts(&queue, false);
    EQUAL(*driver_waits, 0xffff);
    uint16_t head;
    CHECK(next_available(&head));
    give_back(head, 1);
    CHECK(virtqueue_take(&queue, NULL) == bytes);
    virtqueue_interrupts(&queue, true);
    EQUAL(*driver_waits, 1);
    for (int round = 0; round < 100000; round++) { /* wraps around, and the device names any place */
        *device_waits = (uint16_t)any(65536);
        if (!virtqueue_add(&queue, &buffer, 0, 1, bytes)) virtqueue_notify(&queue);
        while (next_available(&head)) give_back(head, any(20));
        while (virtqueue_take(&queue, NULL)) virtqueue_interrupt_after(&queue, any(5));
    }
    EQUAL(queue.free_count, queue.size);
    device.features = 0;
}

int main(void) {
    honest();
    full();
    lies();
    storm();
    events();
    free(memory);
    return report("virtqueue");
}
