/* device_tree.h. */
#include "device_tree.h"
#include "internal.h"
#include "lib/string.h"

const void *arch_device_tree(void) { return phys_to_virt(arch_tree_phys); }

enum { NODE = 1, NODE_END = 2, PROPERTY = 3, NOTHING = 4 };
struct header { uint32_t magic, size, structure, strings; };

static uint32_t swap(uint32_t value) { return __builtin_bswap32(value); }

uint32_t devicetree_size(const void *tree) {
    const struct header *header = tree;
    return header && swap(header->magic) == 0xd00dfeed ? swap(header->size) : 0;
}

bool devicetree_next(const void *tree, struct devicetree_property *property) {
    const struct header *header = tree;
    const uint32_t *at = property->next;
    if (!devicetree_size(tree))
        return false;
    if (!at)
        at = (const uint32_t *)((const char *)tree + swap(header->structure));
    for (;;) {
        switch (swap(*at++)) {
        case NODE:
            property->node = (const char *)at;
            property->depth++;
            at += strlen(property->node) / 4 + 1;
            break;
        case NODE_END:
            property->depth--;
            break;
        case PROPERTY:
            property->size = swap(at[0]);
            property->name = (const char *)tree + swap(header->strings) + swap(at[1]);
            property->value = at + 2;
            property->next = at + 2 + (property->size + 3) / 4;
            return true;
        case NOTHING:
            break;
        default:
            return false;
        }
    }
}

uint64_t devicetree_number(const uint32_t *cells, unsigned count) {
    uint64_t value = 0;
    while (count--)
        value = value << 32 | swap(*cells++);
    return value;
}
