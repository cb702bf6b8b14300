/*
 * PCI configuration space of segment 0 by the legacy ports 0xcf8 and 0xcfc (PCI Local Bus Specification 3.0, section 3.2.2.3.2):
 * every PC-like machine has them, with or without firmware. Start hooks only.
 */
#ifndef HULL_VIRTIO_PCI_PCI_H
#define HULL_VIRTIO_PCI_PCI_H
#include "arch/arch.h"

struct pci_function { uint8_t bus, slot; }; /* slot: device << 3 | function */

static inline void pci_select(struct pci_function f, unsigned offset) {
    port_out32(0xcf8, 0x80000000u | (uint32_t)f.bus << 16 | (uint32_t)f.slot << 8 | (offset & 0xfc));
}
static inline uint32_t pci_read(struct pci_function f, unsigned offset) {
    pci_select(f, offset);
    return port_in32(0xcfc);
}
static inline void pci_write(struct pci_function f, unsigned offset, uint32_t value) {
    pci_select(f, offset);
    port_out32(0xcfc, value);
}
static inline uint8_t pci_read8(struct pci_function f, unsigned offset) {
    return (uint8_t)(pci_read(f, offset) >> (offset & 3) * 8);
}
static inline uint16_t pci_read16(struct pci_function f, unsigned offset) {
    return (uint16_t)(pci_read(f, offset) >> (offset & 2) * 8);
}
#endif
