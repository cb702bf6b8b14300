/*
 * virtio over memory-mapped registers (VIRTIO 1.2, section 4.2), modern devices (version 2). Where they are, libos/arch/<isa>/mmio_places.c finds.
 */
#include "arch/arch.h"
#include "channel/channel.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio-mmio/places.h"
#include "virtio/virtio.h"

/* Register offsets, section 4.2.2. */
enum {
    MAGIC = 0x00, VERSION = 0x04, DEVICE_ID = 0x08, DEVICE_FEATURES = 0x10, DEVICE_FEATURES_SELECT = 0x14, DRIVER_FEATURES = 0x20,
    DRIVER_FEATURES_SELECT = 0x24, QUEUE_SELECT = 0x30, QUEUE_ROOM = 0x34, QUEUE_SIZE = 0x38, QUEUE_READY = 0x44, QUEUE_NOTIFY = 0x50,
    INTERRUPT_STATUS = 0x60, INTERRUPT_ACKNOWLEDGE = 0x64, STATUS = 0x70, QUEUE_DESCRIPTORS = 0x80, QUEUE_DRIVER = 0x90,
    QUEUE_DEVICE = 0xa0, CONFIG_GENERATION = 0xfc, CONFIG = 0x100,
};
struct mmio_device {
    struct virtio_device device; /* first */
    uint8_t *registers;
    unsigned gsi;
};

static uint32_t get(struct virtio_device *device, unsigned offset) {
    return *(volatile uint32_t *)(((struct mmio_device *)device)->registers + offset);
}

static void set(struct virtio_device *device, unsigned offset, uint32_t value) {
    *(volatile uint32_t *)(((struct mmio_device *)device)->registers + offset) = value;
}

static uint8_t status(struct virtio_device *device) {
    return (uint8_t)get(device, STATUS);
}

static void set_status(struct virtio_device *device, uint8_t value) {
    set(device, STATUS, value);
}

static uint64_t features(struct virtio_device *device) {
    set(device, DEVICE_FEATURES_SELECT, 1);
    uint64_t high = get(device, DEVICE_FEATURES);
    set(device, DEVICE_FEATURES_SELECT, 0);
    return high << 32 | get(device, DEVICE_FEATURES);
}

static void set_features(struct virtio_device *device, uint64_t value) {
    set(device, DRIVER_FEATURES_SELECT, 1);
    set(device, DRIVER_FEATURES, (uint32_t)(value >> 32));
    set(device, DRIVER_FEATURES_SELECT, 0);
    set(device, DRIVER_FEATURES, (uint32_t)value);
}

static unsigned queue_room(struct virtio_device *device, unsigned index) {
    set(device, QUEUE_SELECT, index);
    return get(device, QUEUE_READY) ? 0 : get(device, QUEUE_ROOM);
}

static void set_address(struct virtio_device *device, unsigned offset, volatile void *ring) {
    uint64_t physical = virt_to_phys((const void *)ring);
    set(device, offset, (uint32_t)physical);
    set(device, offset + 4, (uint32_t)(physical >> 32));
}

static int queue_enable(struct virtio_device *device, struct virtqueue *queue) {
    set(device, QUEUE_SELECT, queue->index);
    set(device, QUEUE_SIZE, queue->size);
    set_address(device, QUEUE_DESCRIPTORS, queue->descriptors);
    set_address(device, QUEUE_DRIVER, queue->available_ring);
    set_address(device, QUEUE_DEVICE, queue->used_ring);
    queue->notify_address = ((struct mmio_device *)device)->registers + QUEUE_NOTIFY;
    queue->notify_size = 4;
    set(device, QUEUE_READY, 1);
    return 0;
}

static void config_read(struct virtio_device *device, unsigned offset, void *out, size_t size) {
    volatile uint8_t *config = ((struct mmio_device *)device)->registers + CONFIG + offset;
    uint32_t generation;
    do { /* section 2.5.3: what changed in between is read again */
        generation = get(device, CONFIG_GENERATION);
        for (size_t i = 0; i < size; i++) ((uint8_t *)out)[i] = config[i];
    } while (generation != get(device, CONFIG_GENERATION));
}

static void interrupt(void *argument) {
    struct virtio_device *device = argument;
    set(device, INTERRUPT_ACKNOWLEDGE, 3); /* whatever it was: to read the status first would leave the machine once more */
    virtio_interrupt(device);
}

static int interrupt_enable(struct virtio_device *device) {
    return arch_irq_register(((struct mmio_device *)device)->gsi, interrupt, device);
}

static const struct virtio_transport transport = {
    .status = status, .set_status = set_status, .features = features, .set_features = set_features, .queue_room = queue_room,
    .queue_enable = queue_enable, .config_read = config_read, .interrupt_enable = interrupt_enable,
};

static void probe(uint64_t base, uint64_t size, unsigned gsi) {
    if (size < CONFIG) return;
    struct mmio_device *found = kzalloc(sizeof *found);
    if (!found) return;
    struct virtio_device *device = &found->device;
    device->transport = &transport;
    found->gsi = gsi;
    found->registers = arch_map_device(base, size);
    if (found->registers && get(device, MAGIC) == 0x74726976 && (device->id = get(device, DEVICE_ID)) != 0) {
        if (get(device, VERSION) != 2)
            log_line("virtio-mmio: the device at %llx has the legacy interface (version %u), which is not served; "
                     "QEMU: -global virtio-mmio.force-legacy=false",
                     (unsigned long long)base, get(device, VERSION));
        else if (virtio_attach(device) == 0)
            return;
    }
    kfree(found);
}

static void virtio_mmio_start(void) { virtio_mmio_find(probe); }
HULL_INIT(4, virtio_mmio_start);
