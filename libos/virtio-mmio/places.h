/*
 * Where the VMM has put virtio devices behind memory-mapped registers; libos/arch/<isa>/mmio_places.c. Start hooks only.
 */
#ifndef HULL_VIRTIO_MMIO_PLACES_H
#define HULL_VIRTIO_MMIO_PLACES_H
#include <stdint.h>

/* Calls `found` for each place, in the VMM's order; there may be no device. irq: as arch_irq_register takes it. */
typedef void (*virtio_mmio_place)(uint64_t base, uint64_t size, unsigned irq);
void virtio_mmio_find(virtio_mmio_place found);
#endif
