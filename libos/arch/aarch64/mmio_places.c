/* virtio-mmio/places.h: nodes of the device tree with the name "virtio,mmio" (Linux, Documentation/devicetree/bindings/virtio/mmio.yaml). */
#include "arch/arch.h"
#include "device_tree.h"
#include "lib/string.h"
#include "virtio-mmio/places.h"

void virtio_mmio_find(virtio_mmio_place found) {
    struct devicetree_property p = {0};
    const char *node = NULL;
    const uint32_t *place = NULL, *line = NULL;
    bool is_virtio = false;
    while (devicetree_next(arch_device_tree(), &p)) {
        if (p.node != node) {
            node = p.node;
            place = line = NULL;
            is_virtio = false;
        }
        if (!strcmp(p.name, "compatible")) is_virtio = !strcmp((const char *)p.value, "virtio,mmio");
        if (!strcmp(p.name, "reg") && p.size == 16) place = p.value;
        if (!strcmp(p.name, "interrupts") && p.size == 12) line = p.value;
        if (!is_virtio || !place || !line) continue;
        found(devicetree_number(place, 2), devicetree_number(place + 2, 2), devicetree_interrupt(line));
        is_virtio = false;
    }
}
