/*
 * The channel over a virtio console (VIRTIO 1.2, section 5.3): port 1 of a device with several ports, port 0 of one without. Owns the queues.
 * QEMU loses what does not fit into the host's end of port 0, a console; it holds back on the others.
 * Sending copies into a buffer of its own (the caller's bytes may lie anywhere), notifies, and waits for the used ring: on return
 * the VMM has the bytes. Receiving begins with start_input, by interrupt and bottom half.
 */
#include "arch/arch.h"
#include "channel/channel.h"
#include "control/control.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

#pragma weak control_start
#pragma weak control_ready
#pragma weak control_look

#define QUEUE_ENTRIES 16
#define CONTROL_ENTRIES 2
#define FEATURE_MULTIPORT (1ull << 1) /* section 5.3.3 */
#define EVENT_PORT_OPEN 6             /* section 5.3.6.2 */
#define PORT 1
/* Queues of a port, and those of the control channel (section 5.3.2): each receives on the first and sends on the second. */
enum { FIRST_PORT_QUEUES = 0, CONTROL_QUEUES = 2, PORT_QUEUES = 4 };
#define SEND_PAGES 2
#define RECEIVE_BUFFERS 4
static struct virtio_device *console;
static struct virtqueue receive_queue, send_queue, control_queue;
static uint8_t *send_buffer;

/* One buffer out, and wait: the device is at most some microseconds away, or its host end is full and this is the backpressure. */
static void send_piece(struct virtqueue *queue, uint32_t size) {
    struct virtio_buffer buffer = { send_buffer, size };
    if (virtqueue_add(queue, &buffer, 1, 0, send_buffer)) return;
    virtqueue_notify(queue);
    while (!virtqueue_take(queue, NULL)) arch_pause();
}

static void send(const void *head, size_t head_size, const void *body, size_t body_size) {
    memcpy(send_buffer, head, head_size);
    size_t used = head_size;
    do {
        size_t piece = SEND_PAGES * PAGE_SIZE - used;
        if (piece > body_size) piece = body_size;
        memcpy(send_buffer + used, body, piece);
        body = (const uint8_t *)body + piece;
        body_size -= piece;
        send_piece(&send_queue, (uint32_t)(used + piece));
        used = 0;
    } while (body_size);
}

static void offer(void *buffer) {
    virtqueue_add(&receive_queue, &(struct virtio_buffer){ buffer, PAGE_SIZE }, 0, 1, buffer);
}

static void received(struct virtio_device *device) {
    (void)device;
    void *buffer;
    uint32_t size;
    bool any = false;
    while ((buffer = virtqueue_take(&receive_queue, &size))) {
        channel_receive(buffer, size);
        offer(buffer);
        any = true;
    }
    if (any) virtqueue_notify(&receive_queue);
    if (control_look) control_look();
}

static void start_input(void) {
    extern uint32_t input_component __attribute__((weak)); /* the most input in flight: this device holds back what has no buffer */
    if (&input_component) input_component = 65536;
    console->interrupt = received;
    if (console->transport->interrupt_enable(console)) {
        log_line("virtio-console: no interrupt for input");
        return;
    }
    for (unsigned i = 0; i < RECEIVE_BUFFERS; i++) {
        void *buffer = page_alloc();
        if (buffer) offer(buffer);
    }
    virtqueue_notify(&receive_queue);
}

static const struct channel_transport channel = { .send = send, .start_input = start_input };

static int start(struct virtio_device *device) {
    if (console) return -EBUSY; /* one channel */
    bool several = device->features & FEATURE_MULTIPORT;
    unsigned first = several ? PORT_QUEUES : FIRST_PORT_QUEUES;
    int error = virtqueue_create(device, &receive_queue, first, QUEUE_ENTRIES);
    if (!error) error = virtqueue_create(device, &send_queue, first + 1, QUEUE_ENTRIES);
    if (!error && several) error = virtqueue_create(device, &control_queue, CONTROL_QUEUES + 1, CONTROL_ENTRIES);
    if (!error && several && control_start) error = control_start(device);
    if (error) return error;
    send_buffer = pages_alloc(SEND_PAGES);
    if (!send_buffer) return -ENOMEM;
    virtqueue_interrupts(&send_queue, false);
    console = device;
    return 0;
}

/* The device hands over what the host sends once the port is open. Nothing that it would say on the control channel is of use here. */
static void open_port(unsigned port) {
    const struct { uint32_t port; uint16_t event, value; } open = { port, EVENT_PORT_OPEN, 1 };
    memcpy(send_buffer, &open, sizeof(open));
    send_piece(&control_queue, sizeof(open));
}

static void ready(struct virtio_device *device) {
    if (device->features & FEATURE_MULTIPORT) {
        open_port(PORT);
        if (control_ready) control_ready(open_port);
    }
    channel_attach(&channel);
}

HULL_VIRTIO_DRIVER(3, virtio_console) = {
    .device_id = VIRTIO_ID_CONSOLE, .features = FEATURE_MULTIPORT, .start = start, .ready = ready,
};
