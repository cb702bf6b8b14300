/*
 * The list of network devices, their buffers, and when they are served. A round takes frames off the device and lets the stack answer; answers go out in one batch at its end.
 */
#include "memory/memory.h"
#include "net-device/net_device.h"

enum { ROUND = 64, ROUNDS = 8 }; /* frames a round; rounds before others get their turn */
struct net_device *net_devices;
static uint64_t buffers_out; /* that are not in the heap */
_Static_assert(sizeof(struct net_buffer) % 16 == 0 && sizeof(struct net_buffer) + NET_BUFFER_ROOM <= 2016, "two buffers a page (memory/heap.c)");

void net_device_add(struct net_device *device) {
    struct net_device **link = &net_devices;
    while (*link) link = &(*link)->next;
    device->next = NULL;
    *link = device;
}

/* Frames that nobody has read yet may take a quarter of the memory. */
struct net_buffer *net_buffer_take(void) {
    static uint64_t most;
    if (!most) most = memory_total() / 4 / (sizeof(struct net_buffer) + NET_BUFFER_ROOM);
    if (buffers_out >= most) return NULL;
    struct net_buffer *buffer = kmalloc(sizeof *buffer + NET_BUFFER_ROOM);
    if (!buffer) return NULL;
    buffers_out++;
    buffer->next = NULL;
    buffer->data = buffer->room;
    buffer->length = buffer->flags = 0;
    return buffer;
}

void net_buffer_put(struct net_buffer *buffer) {
    buffers_out--;
    kfree(buffer);
}

static void go_on(struct deferred *deferred) {
    net_device_serve((struct net_device *)((char *)deferred - offsetof(struct net_device, again)));
}

/* Served once more: only then the device is asked to interrupt when there is room. */
void net_device_want_room(struct net_device *device) {
    device->room_wanted = true;
    if (device->serving) return;
    device->again.run = go_on;
    deferred_raise(&device->again);
}

void net_device_collect_all(void) {
    for (struct net_device *device = net_devices; device; device = device->next)
        if (device->stack && device->ops->collect) device->ops->collect(device);
}

static void flush_all(struct net_device *device) {
    if (device->stack->flush) device->stack->flush(device);
    device->ops->flush(device);
}

void net_device_serve(struct net_device *device) {
    if (!device->stack || device->serving) return;
    device->serving = true;
    device->ops->interrupts(device, false);
    unsigned rounds = 0;
    do {
        unsigned frames;
        do {
            frames = device->ops->poll(device, ROUND);
            if (device->stack->end_of_batch) device->stack->end_of_batch(device);
            flush_all(device);
        } while (frames == ROUND && ++rounds < ROUNDS);
        if (rounds >= ROUNDS) {
            device->again.run = go_on;
            deferred_raise(&device->again);
            break;
        }
    } while (device->ops->interrupts(device, true));
    device->serving = false;
}

static void flush_deferred(struct deferred *deferred) {
    struct net_device *device = (struct net_device *)((char *)deferred - offsetof(struct net_device, flushing));
    flush_all(device);
}

void net_device_flush_soon(struct net_device *device) {
    if (device->serving) return;
    device->flushing.run = flush_deferred;
    deferred_raise(&device->flushing);
}
