/*
 * virtio 1.x devices (OASIS "Virtual I/O Device (VIRTIO) Version 1.2"). Owns the device object, its start-up sequence and the split
 * virtqueue; transports (virtio-mmio, virtio-pci) find devices, drivers serve them.
 *
 * Call order: a transport fills a struct virtio_device and calls virtio_attach, which finds the driver by device id, negotiates
 * features (section 3.1.1) and calls its start: that sets up queues with virtqueue_create; virtio_attach then sets DRIVER_OK and calls its ready.
 * Context: everything from calls and bottom halves; virtio_interrupt from the transport's top half.
 * The device is not trusted with our memory: what it writes is bounds-checked, what it may overwrite is not relied on.
 */
#ifndef HULL_VIRTIO_VIRTIO_H
#define HULL_VIRTIO_VIRTIO_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "init/init.h"
#include "wait/wait.h"

#define VIRTIO_ID_NETWORK 1
#define VIRTIO_ID_BLOCK 2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_ENTROPY 4
#define VIRTIO_ID_BALLOON 5
#define VIRTIO_ID_9P 9
#define VIRTIO_F_EVENT_INDEX (1ull << 29)
#define VIRTIO_F_VERSION_1 (1ull << 32)

struct virtio_device;
struct virtqueue;
struct virtio_transport {
    uint8_t (*status)(struct virtio_device *);
    void (*set_status)(struct virtio_device *, uint8_t status); /* 0 resets and returns when the device has */
    uint64_t (*features)(struct virtio_device *);
    void (*set_features)(struct virtio_device *, uint64_t features);
    unsigned (*queue_room)(struct virtio_device *, unsigned index); /* most entries; 0: no such queue */
    int (*queue_enable)(struct virtio_device *, struct virtqueue *); /* also sets its notify address */
    void (*config_read)(struct virtio_device *, unsigned offset, void *out, size_t size);
    int (*interrupt_enable)(struct virtio_device *); /* from now on the device's interrupts raise its deferred work */
};
struct virtio_driver {
    uint32_t device_id;
    uint64_t features;                    /* those it can use; VIRTIO_F_VERSION_1 is always asked for */
    uint64_t (*choose)(uint64_t features); /* of those that both have: which to use; may be NULL */
    int (*start)(struct virtio_device *); /* 0, or -errno: the device is marked FAILED */
    void (*ready)(struct virtio_device *); /* DRIVER_OK is set, the device serves; may be NULL */
};
#define HULL_VIRTIO_DRIVER(order, name) HULL_REGISTER(virtio, order, struct virtio_driver, name)

struct virtio_device {
    const struct virtio_transport *transport;
    uint32_t id;
    uint64_t features; /* negotiated */
    void *driver_data;
    struct deferred deferred;              /* raised by interrupts; runs `interrupt` */
    void (*interrupt)(struct virtio_device *); /* set by the driver: look at your queues */
};
/* The device was found. 0; -ENODEV without a driver for it; what the driver said. */
int virtio_attach(struct virtio_device *device);
void virtio_interrupt(struct virtio_device *device); /* top half */

struct virtio_buffer { void *data; uint32_t size; }; /* physically contiguous, of the direct map or the image */
struct virtqueue_slot { void *token; uint32_t writable; uint16_t next, count; };
struct virtqueue {
    struct virtio_device *device;
    uint16_t index, size;          /* size: a power of two */
    uint16_t free_head, free_count;
    uint16_t available, used;      /* our own running indices */
    uint16_t notified;             /* `available` when the device was last told, where it has an event index */
    bool event_index;              /* VIRTIO_F_EVENT_INDEX was negotiated (section 2.7.10) */
    uint32_t refused;              /* used entries that made no sense */
    struct virtq_descriptor *descriptors;
    struct virtq_available *available_ring;
    volatile struct virtq_used *used_ring;
    struct virtqueue_slot *slots;  /* private: what the device may do to its rings does not reach it */
    volatile void *notify_address;
    uint16_t notify_size;          /* 2 or 4 bytes are written there */
};
/* Memory for `wanted` entries (fewer when the device has room for fewer), zeroed, enabled. 0, -ENOENT, -ENOMEM. */
int virtqueue_create(struct virtio_device *, struct virtqueue *, unsigned index, unsigned wanted);
/* Rings in memory that the caller gives (virtqueue_bytes(size), page-aligned, zeroed). */
size_t virtqueue_bytes(unsigned size);
void virtqueue_place(struct virtqueue *, unsigned size, void *memory);
/* Offers a chain: the device reads the first `out` buffers and writes the `in` that follow. token: not NULL. 0 or -ENOSPC. */
int virtqueue_add(struct virtqueue *, const struct virtio_buffer *buffers, unsigned out, unsigned in, void *token);
void virtqueue_notify(struct virtqueue *);
/* The next chain that the device is done with: its token and the bytes written (never more than fit); NULL: none. */
void *virtqueue_take(struct virtqueue *, uint32_t *written);
void virtqueue_forget(struct virtqueue *); /* what is out is taken back: the device has lost it, and will not write there */
bool virtqueue_pending(const struct virtqueue *); /* is there something to take? */
/* A hint to the device; after `on`, look once more. With an event index, on is for the next chain only: say it again after taking. */
void virtqueue_interrupts(struct virtqueue *, bool on);
/* Interrupt when `count` more chains than were taken so far are used; 0: not at all. Without an event index: at each, or not at all. */
void virtqueue_interrupt_after(struct virtqueue *, unsigned count);
#endif
