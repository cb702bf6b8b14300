/* Devices: matching with drivers, and the start-up sequence of VIRTIO 1.2 section 3.1.1. */
#include "virtio/virtio.h"
#include "channel/channel.h"
#include "syscall/errno.h"

enum { ACKNOWLEDGE = 1, DRIVER = 2, DRIVER_OK = 4, FEATURES_OK = 8, FAILED = 128 };

static void run(struct deferred *deferred) {
    struct virtio_device *device =
        (struct virtio_device *)((char *)deferred - offsetof(struct virtio_device, deferred));
    if (device->interrupt) device->interrupt(device);
}

void virtio_interrupt(struct virtio_device *device) {
    deferred_raise(&device->deferred);
}

static void add_status(struct virtio_device *device, uint8_t bits) {
    device->transport->set_status(device, device->transport->status(device) | bits);
}

static int start(struct virtio_device *device, const struct virtio_driver *driver) {
    const struct virtio_transport *transport = device->transport;
    transport->set_status(device, 0);
    add_status(device, ACKNOWLEDGE);
    add_status(device, DRIVER);
    uint64_t offered = transport->features(device);
    if (!(offered & VIRTIO_F_VERSION_1)) return -ENODEV;
    device->features = offered & (driver->features | VIRTIO_F_VERSION_1);
    if (driver->choose) device->features = driver->choose(device->features);
    transport->set_features(device, device->features);
    add_status(device, FEATURES_OK);
    if (!(transport->status(device) & FEATURES_OK)) return -ENODEV;
    int error = driver->start(device);
    if (error) return error;
    add_status(device, DRIVER_OK);
    if (driver->ready) driver->ready(device);
    return 0;
}

int virtio_attach(struct virtio_device *device) {
    extern const struct virtio_driver __hull_virtio_start[], __hull_virtio_end[];
    device->deferred.run = run;
    for (const struct virtio_driver *driver = __hull_virtio_start; driver < __hull_virtio_end; driver++) {
        if (driver->device_id != device->id) continue;
        int error = start(device, driver);
        if (error) {
            add_status(device, FAILED);
            log_line("virtio: device of type %u does not start: error %d", device->id, -error);
        }
        return error;
    }
    return -ENODEV;
}
