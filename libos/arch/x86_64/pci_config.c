/*
 * virtio-pci/pci.h by the legacy ports 0xcf8 and 0xcfc (PCI Local Bus Specification 3.0, section 3.2.2.3.2): every PC-like machine has them, with or
 * without firmware.
 */
#include "arch/arch.h"
#include "virtio-pci/pci.h"

#define ENABLE 0x80000000u

static void pci_select(struct pci_function f, unsigned offset) {
    port_out32(0xcf8, ENABLE | (uint32_t)f.bus << 16 | (uint32_t)f.slot << 8 | (offset & 0xfc));
}

/* Firmware that leaves base addresses unset (QEMU's qboot) leaves this window free: above the RAM and the configuration space of
 * both PC chipsets, below the IO-APIC. */
bool pci_start(struct pci_window *window) {
    *window = (struct pci_window){ 0xf0000000, 0xfe000000 };
    pci_select((struct pci_function){ 0, 0 }, 0);
    return port_in32(0xcf8) == ENABLE; /* it is no register on a machine without PCI (microvm) */
}

uint32_t pci_read(struct pci_function f, unsigned offset) {
    pci_select(f, offset);
    return port_in32(0xcfc);
}

void pci_write(struct pci_function f, unsigned offset, uint32_t value) {
    pci_select(f, offset);
    port_out32(0xcfc, value);
}

/* The firmware wrote it there: an input of the IO-APIC. */
int pci_line(struct pci_function f) {
    uint8_t line = pci_read8(f, 0x3c);
    return line < 24 ? line : -1;
}
