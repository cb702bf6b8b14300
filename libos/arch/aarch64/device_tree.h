/*
 * A reader of flattened device trees (Devicetree Specification 0.4, chapter 5). Owns no state; the tree is the VMM's, which the guest trusts.
 * Context: any. `devicetree_next` gives one property after another, in the order of the tree; false at the end, or when there is no tree.
 */
#ifndef HULL_ARCH_DEVICE_TREE_H
#define HULL_ARCH_DEVICE_TREE_H
#include <stdbool.h>
#include <stdint.h>

struct devicetree_property {
    const char *node; /* the last component of its path, with the unit address */
    unsigned depth;   /* of the node; the root's is 1 */
    const char *name;
    const uint32_t *value; /* big-endian cells */
    uint32_t size;
    const uint32_t *next; /* the reader's */
};
/* property: zeroed before the first call. */
bool devicetree_next(const void *tree, struct devicetree_property *property);
uint32_t devicetree_size(const void *tree); /* bytes; 0: no tree */
/* The tree that the machine was entered with. */
const void *arch_device_tree(void);
/* The INTID, as arch_irq_register takes it, of an entry of "interrupts" with three cells, as GICs have it (Linux, Documentation/devicetree/bindings/interrupt-controller/arm,gic-v3.yaml):
 * kind (0: SPI, 1: PPI), number, flags. */
static inline unsigned devicetree_interrupt(const uint32_t *cells) { return __builtin_bswap32(cells[1]) + (cells[0] ? 16 : 32); }
/* A number of one or two cells, by the value's size. */
uint64_t devicetree_number(const uint32_t *cells, unsigned count);
#endif
