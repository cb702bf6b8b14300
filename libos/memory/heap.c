/*
 * kmalloc: size classes in one-page slabs, whole pages above them. A slab page begins with its header; its descriptor's flags
 * say SLAB. Larger blocks are page-aligned runs whose descriptor holds the page count; a slab's are never at the start of a page.
 * Empty slabs go back to the page allocator, but for the last one of its class with free objects: one block that comes and goes would make a slab each time.
 */
#include "memory/memory.h"
#include "arch/arch.h"
#include "lib/string.h"

#define HEAP_SLAB 0x40000000u
#define HEAP_RUN 0x20000000u /* | page count */
#define LARGEST 2016

struct object { struct object *next; };
struct slab {
    struct slab *next, **link; /* in its class's list while it has free objects */
    struct object *free;
    uint16_t used, capacity;
    uint8_t class;
};
#define SLAB_HEADER 48

static const uint16_t class_sizes[] = {16, 32, 48, 64, 96, 128, 192, 256, 368, 496, 672, 1008, LARGEST};
#define CLASSES (sizeof(class_sizes) / sizeof(class_sizes[0]))
static struct slab *partial[CLASSES];
_Static_assert(sizeof(struct slab) <= SLAB_HEADER && SLAB_HEADER % 16 == 0, "slab header");

static void slab_link(struct slab *slab) {
    struct slab **head = &partial[slab->class];
    slab->next = *head;
    slab->link = head;
    if (*head)
        (*head)->link = &slab->next;
    *head = slab;
}

static void slab_unlink(struct slab *slab) {
    *slab->link = slab->next;
    if (slab->next)
        slab->next->link = slab->link;
}

static struct slab *slab_create(unsigned class) {
    struct slab *slab = page_alloc();
    if (!slab)
        return NULL;
    page_of(virt_to_phys(slab))->flags = HEAP_SLAB;
    *slab = (struct slab){.class = class, .capacity = (PAGE_SIZE - SLAB_HEADER) / class_sizes[class]};
    for (unsigned i = slab->capacity; i-- > 0;) {
        struct object *object = (void *)((char *)slab + SLAB_HEADER + i * class_sizes[class]);
        object->next = slab->free;
        slab->free = object;
    }
    slab_link(slab);
    return slab;
}

/* The class for `size`, which is at most the largest one's; found once for each multiple of 16. */
static unsigned class_of(size_t size) {
    static uint8_t known[LARGEST / 16 + 1]; /* class + 1 */
    uint8_t *slot = &known[(size + 15) / 16];
    while (!*slot || class_sizes[*slot - 1] < size) ++*slot;
    return *slot - 1u;
}

void *kmalloc(size_t size) {
    if (size <= LARGEST) {
        unsigned class = class_of(size);
        struct slab *slab = partial[class];
        if (!slab && !(slab = slab_create(class)))
            return NULL;
        struct object *object = slab->free;
        slab->free = object->next;
        if (++slab->used == slab->capacity)
            slab_unlink(slab);
        return object;
    }
    uint64_t count = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if (size > (1ul << 40) || count >= HEAP_RUN)
        return NULL;
    void *run = pages_alloc(count);
    if (run)
        page_of(virt_to_phys(run))->flags = HEAP_RUN | count;
    return run;
}

void *kzalloc(size_t size) {
    void *p = kmalloc(size);
    return p ? memset(p, 0, size) : NULL;
}

void kfree(void *p) {
    if (!p)
        return;
    if (!((uintptr_t)p & (PAGE_SIZE - 1))) {
        pages_free(p, page_of(virt_to_phys(p))->flags & (HEAP_RUN - 1));
        return;
    }
    struct slab *slab = (void *)((uintptr_t)p & ~(PAGE_SIZE - 1));
    struct object *object = p;
    object->next = slab->free;
    slab->free = object;
    if (slab->used-- == slab->capacity)
        slab_link(slab);
    if (slab->used == 0 && (slab->next || slab->link != &partial[slab->class])) {
        slab_unlink(slab);
        page_of(virt_to_phys(slab))->flags = 0;
        pages_free(slab, 1);
    }
}
