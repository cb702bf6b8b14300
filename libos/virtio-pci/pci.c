/*
 * virtio over PCI (VIRTIO 1.2, section 4.1), modern interface. Owns finding the functions on bus 0 and the buses that the firmware
 * numbered, their capabilities, base addresses that nobody set, and one interrupt for each device: an MSI-X vector, or its line (configuration changes are not listened to).
 * How the configuration space is reached, libos/arch/<isa>/pci_config.c knows.
 */
#include "virtio-pci/pci.h"
#include "arch/arch.h"
#include "channel/channel.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "virtio/virtio.h"

enum { CAPABILITY_MSIX = 0x11, CAPABILITY_VENDOR = 0x09 };
enum { PART_COMMON = 1, PART_NOTIFY = 2, PART_ISR = 3, PART_DEVICE = 4 }; /* section 4.1.4 */
#define NO_VECTOR 0xffff

/* Section 4.1.4.3. */
struct common {
    uint32_t device_feature_select, device_feature, driver_feature_select, driver_feature;
    uint16_t config_vector, queue_count;
    uint8_t status, generation;
    uint16_t queue_select, queue_size, queue_vector, queue_enable, queue_notify_offset;
    uint32_t queue_descriptors[2], queue_driver[2], queue_device[2];
};
struct pci_device {
    struct virtio_device device; /* first */
    struct pci_function function;
    volatile struct common *common;
    volatile uint8_t *notify, *isr, *config;
    uint32_t notify_size, config_size, notify_multiplier;
    uint8_t msix; /* the capability's offset, 0 when there is none */
};
#define pci_of(device) ((struct pci_device *)(device))

static uint8_t status(struct virtio_device *device) {
    return pci_of(device)->common->status;
}

static void set_status(struct virtio_device *device, uint8_t value) {
    volatile struct common *common = pci_of(device)->common;
    common->status = value;
    while (value == 0 && common->status != 0) { /* section 4.1.4.3.2: the reset is done when it reads 0 */
    }
}

static uint64_t features(struct virtio_device *device) {
    volatile struct common *common = pci_of(device)->common;
    common->device_feature_select = 1;
    uint64_t high = common->device_feature;
    common->device_feature_select = 0;
    return high << 32 | common->device_feature;
}

static void set_features(struct virtio_device *device, uint64_t value) {
    volatile struct common *common = pci_of(device)->common;
    common->driver_feature_select = 1;
    common->driver_feature = (uint32_t)(value >> 32);
    common->driver_feature_select = 0;
    common->driver_feature = (uint32_t)value;
}

static unsigned queue_room(struct virtio_device *device, unsigned index) {
    volatile struct common *common = pci_of(device)->common;
    if (index >= common->queue_count) return 0;
    common->queue_select = (uint16_t)index;
    return common->queue_size;
}

static void set_address(volatile uint32_t *field, volatile void *ring) {
    uint64_t physical = virt_to_phys((const void *)ring);
    field[0] = (uint32_t)physical;
    field[1] = (uint32_t)(physical >> 32);
}

static int queue_enable(struct virtio_device *device, struct virtqueue *queue) {
    struct pci_device *pci = pci_of(device);
    volatile struct common *common = pci->common;
    common->queue_select = queue->index;
    common->queue_size = queue->size;
    uint64_t at = (uint64_t)common->queue_notify_offset * pci->notify_multiplier;
    if (at + 2 > pci->notify_size) return -EIO;
    set_address(common->queue_descriptors, queue->descriptors);
    set_address(common->queue_driver, queue->available_ring);
    set_address(common->queue_device, queue->used_ring);
    queue->notify_address = pci->notify + at;
    queue->notify_size = 2;
    common->queue_vector = pci->msix ? 0 : NO_VECTOR;
    common->queue_enable = 1;
    return 0;
}

static void config_read(struct virtio_device *device, unsigned offset, void *out, size_t size) {
    struct pci_device *pci = pci_of(device);
    memset(out, 0, size);
    if (!pci->config || offset + size > pci->config_size) return;
    uint8_t generation;
    do {
        generation = pci->common->generation;
        for (size_t i = 0; i < size; i++) ((uint8_t *)out)[i] = pci->config[offset + i];
    } while (generation != pci->common->generation);
}

static struct pci_window window; /* what is left of it; a base address register that reads 0 gets its place here */

static uint64_t assign(struct pci_function function, unsigned bar, bool wide) {
    unsigned offset = 0x10 + bar * 4;
    pci_write(function, offset, 0xffffffff); /* PCI 3.0, section 6.2.5.1: the bits that stay 0 tell the size */
    uint32_t size = ~(pci_read(function, offset) & ~15u) + 1;
    uint32_t base = size ? (window.start + size - 1) & ~(size - 1) : 0;
    if (!size || size > window.end - window.start || base < window.start || base > window.end - size) base = 0;
    else window.start = base + size;
    pci_write(function, offset, base);
    if (wide) pci_write(function, offset + 4, 0);
    return base;
}

/* The memory that `size` bytes at `offset` of a base address register name; NULL when it is a port range or unset. */
static void *map_bar(struct pci_function function, unsigned bar, uint64_t offset, uint64_t size) {
    if (bar > 5) return NULL;
    uint32_t low = pci_read(function, 0x10 + bar * 4);
    if (low & 1) return NULL;
    uint64_t base = low & ~15u;
    if ((low & 6) == 4 && bar < 5) base |= (uint64_t)pci_read(function, 0x14 + bar * 4) << 32;
    if (!base) base = assign(function, bar, (low & 6) == 4);
    return base ? arch_map_device(base + offset, size) : NULL;
}

static void message_interrupt(void *argument) {
    virtio_interrupt(argument);
}

static void line_interrupt(void *argument) {
    if (*pci_of(argument)->isr) virtio_interrupt(argument); /* reading acknowledges (section 4.1.4.5) */
}

/* MSI-X table entry 0 (PCI 3.0, section 6.8.2), then function-wide enable. */
static int message_enable(struct pci_device *pci) {
    uint32_t place = pci_read(pci->function, pci->msix + 4u), data;
    uint64_t address;
    volatile uint32_t *entry = map_bar(pci->function, place & 7, place & ~7u, 16);
    if (!entry) return -ENXIO;
    int error = arch_irq_register_message(message_interrupt, &pci->device, &address, &data);
    if (error) return error;
    entry[0] = (uint32_t)address;
    entry[1] = (uint32_t)(address >> 32);
    entry[2] = data;
    entry[3] = 0; /* unmasked */
    pci_write(pci->function, pci->msix, (pci_read(pci->function, pci->msix) | 1u << 31) & ~(1u << 30));
    return 0;
}

/* Command register (PCI 3.0, section 6.2.2). Its other half has bits that a 1 clears. Devices share lines: one that is not listened to yet must not
 * hold a line that another one has enabled. */
enum { COMMAND_MEMORY = 0x2, COMMAND_MASTER = 0x4, COMMAND_NO_LINE = 0x400 };
static void set_command(struct pci_function function, uint16_t bits) {
    pci_write(function, 0x04, (pci_read(function, 0x04) & (0xffffu & ~COMMAND_NO_LINE)) | bits);
}

static int interrupt_enable(struct virtio_device *device) {
    struct pci_device *pci = pci_of(device);
    if (pci->msix && message_enable(pci) == 0) return 0; /* what a queue's vector is does not matter without */
    int line = pci_line(pci->function);
    if (line < 0 || !pci->isr) return -ENXIO;
    int error = arch_irq_register((unsigned)line, line_interrupt, device);
    if (error == 0) set_command(pci->function, COMMAND_MEMORY | COMMAND_MASTER);
    return error;
}

static const struct virtio_transport transport = {
    .status = status, .set_status = set_status, .features = features, .set_features = set_features, .queue_room = queue_room,
    .queue_enable = queue_enable, .config_read = config_read, .interrupt_enable = interrupt_enable,
};

/* Walks the capability list; 48 is as many as fit, so a circle ends, too. */
static void read_capabilities(struct pci_device *pci) {
    struct pci_function f = pci->function;
    if (!(pci_read16(f, 0x06) & 0x10)) return;
    uint8_t at = pci_read8(f, 0x34) & 0xfc;
    for (unsigned left = 48; at >= 0x40 && left; left--, at = pci_read8(f, at + 1u) & 0xfc) {
        uint8_t kind = pci_read8(f, at);
        if (kind == CAPABILITY_MSIX) pci->msix = at;
        if (kind != CAPABILITY_VENDOR) continue;
        uint8_t part = pci_read8(f, at + 3u), bar = pci_read8(f, at + 4u);
        uint32_t offset = pci_read(f, at + 8u), size = pci_read(f, at + 12u);
        if (part == PART_COMMON && !pci->common && size >= sizeof(struct common)) pci->common = map_bar(f, bar, offset, size);
        if (part == PART_ISR && !pci->isr && size) pci->isr = map_bar(f, bar, offset, 1);
        if (part == PART_DEVICE && !pci->config && size) pci->config = map_bar(f, bar, offset, pci->config_size = size);
        if (part == PART_NOTIFY && !pci->notify && size >= 2) {
            pci->notify = map_bar(f, bar, offset, pci->notify_size = size);
            pci->notify_multiplier = pci_read(f, at + 16u);
        }
    }
}

static void probe(struct pci_function function, uint16_t device_id) {
    struct pci_device *pci = kzalloc(sizeof *pci);
    if (!pci) return;
    pci->function = function;
    /* 0x1040 + type; transitional devices, which have the modern interface as well, name it as their subsystem. */
    pci->device.id = device_id >= 0x1040 ? device_id - 0x1040u : pci_read16(function, 0x2e);
    pci->device.transport = &transport;
    set_command(function, COMMAND_MEMORY | COMMAND_MASTER | COMMAND_NO_LINE);
    read_capabilities(pci);
    if (!pci->common || !pci->notify)
        log_line("virtio-pci: %x:%x has no modern interface; QEMU: disable-legacy=on", function.bus, function.slot);
    else if (virtio_attach(&pci->device) == 0)
        return;
    kfree(pci);
}

static void scan_bus(uint8_t bus) {
    for (unsigned slot = 0; slot < 256; slot++) {
        struct pci_function function = { bus, (uint8_t)slot };
        uint32_t id = pci_read(function, 0);
        if (id == 0xffffffff) {
            if ((slot & 7) == 0) slot |= 7; /* no function 0: no device */
            continue;
        }
        uint8_t header = pci_read8(function, 0x0e);
        if ((header & 0x7f) == 1) {
            uint8_t behind = pci_read8(function, 0x19);
            if (behind > bus) scan_bus(behind);
        } else if ((id & 0xffff) == 0x1af4 && id >> 16 >= 0x1000 && id >> 16 < 0x1080) {
            probe(function, (uint16_t)(id >> 16));
        }
        if ((slot & 7) == 0 && !(header & 0x80)) slot |= 7;
    }
}

static void virtio_pci_start(void) {
    if (pci_start(&window)) scan_bus(0);
}
HULL_INIT(4, virtio_pci_start);
