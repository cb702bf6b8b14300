/*
 * PCI configuration space of segment 0, and what else the driver has to know of the machine; libos/arch/<isa>/pci_config.c. Start hooks only;
 * pci_start comes first.
 */
#ifndef HULL_VIRTIO_PCI_PCI_H
#define HULL_VIRTIO_PCI_PCI_H
#include <stdbool.h>
#include <stdint.h>

struct pci_function { uint8_t bus, slot; }; /* slot: device << 3 | function */
/* Addresses for base address registers that nobody set: the same for the CPU and on the bus. */
struct pci_window { uint32_t start, end; };

bool pci_start(struct pci_window *window); /* false: no PCI here */
uint32_t pci_read(struct pci_function f, unsigned offset); /* of the four bytes that hold the offset; all ones: there is no such function */
void pci_write(struct pci_function f, unsigned offset, uint32_t value);
int pci_line(struct pci_function f); /* its interrupt line, as arch_irq_register takes it; -1: none */

static inline uint8_t pci_read8(struct pci_function f, unsigned offset) {
    return (uint8_t)(pci_read(f, offset) >> (offset & 3) * 8);
}
static inline uint16_t pci_read16(struct pci_function f, unsigned offset) {
    return (uint16_t)(pci_read(f, offset) >> (offset & 2) * 8);
}
#endif
