/*
 * 9P over virtio (VIRTIO 1.2, device id 9; the configuration is that of Linux's virtio_9p.h: u16 length, then the mount tag). One queue; a chain is a
 * request and the room for its reply. Who asked sleeps until the device is done with its chain; without interrupts the ring is polled.
 */
#include "9p/9p.h"
#include "arch/arch.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

#define FEATURE_MOUNT_TAG 1ull
#define QUEUE_ENTRIES 128
struct port {
    struct p9_transport transport;
    struct virtqueue queue;
    struct wait_queue done, room;
    bool polled;
};
struct request { struct port *port; uint32_t written; bool answered; };

static void collect(struct port *port) {
    uint32_t written;
    bool any = false;
    for (struct request *request; (request = virtqueue_take(&port->queue, &written)); any = true) {
        request->written = written;
        request->answered = true;
    }
    if (!any) return;
    wait_queue_wake(&port->done, -1);
    wait_queue_wake(&port->room, -1);
}

static void interrupt(struct virtio_device *device) {
    collect(device->driver_data);
}

static bool is_answered(void *argument) {
    struct request *request = argument;
    if (!request->answered) collect(request->port);
    return request->answered;
}

#define PIECES 4
static bool has_room(void *argument) { return ((struct port *)argument)->queue.free_count >= PIECES; }

static long exchange(struct p9_transport *transport, const struct p9_exchange *what) {
    struct port *port = (struct port *)transport;
    struct request request = { .port = port };
    struct virtio_buffer buffers[PIECES];
    unsigned out = 0, in = 0;
    buffers[out++] = (struct virtio_buffer){ what->request, what->request_size };
    if (what->data && !what->data_comes) buffers[out++] = (struct virtio_buffer){ what->data, what->data_size };
    buffers[out + in++] = (struct virtio_buffer){ what->reply, what->reply_room };
    if (what->data && what->data_comes) buffers[out + in++] = (struct virtio_buffer){ what->data, what->data_size };
    while (!has_room(port)) {
        if (port->polled) collect(port);
        else wait_until(&port->room, has_room, port, 0, false);
    }
    if (virtqueue_add(&port->queue, buffers, out, in, &request)) return -EIO;
    virtqueue_notify(&port->queue);
    if (port->polled) while (!is_answered(&request)) arch_pause();
    else wait_until(&port->done, is_answered, &request, 0, false);
    return request.written;
}

static int start(struct virtio_device *device) {
    struct port *port = kzalloc(sizeof *port);
    uint16_t length = 0;
    if (!port) return -ENOMEM;
    if (!(device->features & FEATURE_MOUNT_TAG)) return -ENODEV;
    device->transport->config_read(device, 0, &length, sizeof length);
    if (length >= sizeof port->transport.tag) return -ENODEV;
    device->transport->config_read(device, 2, port->transport.tag, length);
    int error = virtqueue_create(device, &port->queue, 0, QUEUE_ENTRIES);
    if (error) return error;
    if (port->queue.size < PIECES) return -ENODEV;
    port->transport.exchange = exchange;
    device->driver_data = port;
    return 0;
}

static void ready(struct virtio_device *device) {
    struct port *port = device->driver_data;
    device->interrupt = interrupt;
    port->polled = device->transport->interrupt_enable(device) != 0;
    if (port->polled) virtqueue_interrupts(&port->queue, false);
    p9_transport_add(&port->transport);
}

HULL_VIRTIO_DRIVER(5, virtio_9p) = { .device_id = VIRTIO_ID_9P, .features = FEATURE_MOUNT_TAG, .start = start, .ready = ready };
