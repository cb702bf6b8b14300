/*
 * virtio-pci/pci.h by the enhanced configuration access mechanism (PCI Express Base Specification, section 7.2.2) of the host bridge that the device tree has
 * (Linux, Documentation/devicetree/bindings/pci/host-generic-pci.yaml; Devicetree Specification 0.4, section 2.4.3: "interrupt-map"; IEEE 1275's PCI binding: the
 * cells of "ranges"). No firmware was here: the buses behind bridges have no numbers yet, and only bus 0 is looked at.
 */
#include "arch/arch.h"
#include "device_tree.h"
#include "lib/string.h"
#include "virtio-pci/pci.h"

#define BUS_SIZE (1ul << 20) /* 32 devices of 8 functions of 4 KiB */
#define SPACE_KIND 0x03000000u
#define SPACE_MEMORY 0x02000000u /* of 32-bit addresses */
enum { RANGE_CELLS = 7 };        /* address on the bus: 3; for the CPU: 2; size: 2 */
enum { PIN_CELLS = 4, INTERRUPT_CELLS = 3 }; /* of an entry of interrupt-map: function and pin; what a GIC's interrupt has */

static volatile uint8_t *space;
static struct { const uint32_t *value; unsigned cells; } lines, mask; /* "interrupt-map" and its mask */
static unsigned parent_cells; /* of an address that stands between the phandle and the interrupt */

static uint32_t number(const uint32_t *cell) { return (uint32_t)devicetree_number(cell, 1); }

/* "#address-cells" of the node that is called so; 0 when it has none. */
static unsigned find_address_cells(uint32_t phandle) {
    struct devicetree_property p = {0};
    const char *node = NULL;
    unsigned cells = 0;
    bool is_it = false;
    while (devicetree_next(arch_device_tree(), &p)) {
        if (p.node != node) {
            if (is_it)
                break;
            node = p.node;
            cells = 0;
        }
        if (!strcmp(p.name, "phandle"))
            is_it = number(p.value) == phandle;
        if (!strcmp(p.name, "#address-cells"))
            cells = number(p.value);
    }
    return is_it ? cells : 0;
}

bool pci_start(struct pci_window *window) {
    struct devicetree_property p = {0};
    const char *node = NULL;
    const uint32_t *place = NULL, *ranges = NULL;
    unsigned range_cells = 0;
    bool is_host = false;
    while (devicetree_next(arch_device_tree(), &p)) {
        if (p.node != node) {
            if (is_host)
                break;
            node = p.node;
        }
        if (!strcmp(p.name, "compatible"))
            is_host = !strcmp((const char *)p.value, "pci-host-ecam-generic");
        if (!strcmp(p.name, "reg"))
            place = p.value;
        if (!strcmp(p.name, "ranges"))
            ranges = p.value, range_cells = p.size / 4;
        if (!strcmp(p.name, "interrupt-map"))
            lines.value = p.value, lines.cells = p.size / 4;
        if (!strcmp(p.name, "interrupt-map-mask"))
            mask.value = p.value, mask.cells = p.size / 4;
    }
    if (!is_host || !place)
        return false;
    for (; range_cells >= RANGE_CELLS; range_cells -= RANGE_CELLS, ranges += RANGE_CELLS) {
        uint64_t bus = devicetree_number(ranges + 1, 2), size = devicetree_number(ranges + 5, 2);
        if ((number(ranges) & SPACE_KIND) == SPACE_MEMORY && bus == devicetree_number(ranges + 3, 2) && bus + size <= UINT32_MAX)
            *window = (struct pci_window){ (uint32_t)bus, (uint32_t)(bus + size) };
    }
    if (lines.cells > PIN_CELLS)
        parent_cells = find_address_cells(number(lines.value + PIN_CELLS));
    return (space = arch_map_device(devicetree_number(place, 2), BUS_SIZE));
}

static volatile uint32_t *find_register(struct pci_function f, unsigned offset) { return (volatile uint32_t *)(space + f.slot * 4096ul + (offset & ~3u)); }

uint32_t pci_read(struct pci_function f, unsigned offset) { return f.bus ? UINT32_MAX : *find_register(f, offset); }

void pci_write(struct pci_function f, unsigned offset, uint32_t value) {
    if (!f.bus)
        *find_register(f, offset) = value;
}

int pci_line(struct pci_function f) {
    const uint32_t asked[PIN_CELLS] = { (uint32_t)f.slot << 8, 0, 0, pci_read8(f, 0x3d) };
    const unsigned entry_cells = PIN_CELLS + 1 + parent_cells + INTERRUPT_CELLS;
    const uint32_t *entry = lines.value;
    if (mask.cells != PIN_CELLS)
        return -1;
    for (unsigned left = lines.cells; left >= entry_cells; left -= entry_cells, entry += entry_cells) {
        unsigned same = 0;
        while (same < PIN_CELLS && !((number(entry + same) ^ asked[same]) & number(mask.value + same)))
            same++;
        if (same == PIN_CELLS)
            return (int)devicetree_interrupt(entry + PIN_CELLS + 1 + parent_cells);
    }
    return -1;
}
