/*
 * The area treap against a bitmap model: random insertions, removals and searches for room, seeded; then ten thousand areas at once.
 * sources: libos/vm/areas.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "vm/areas.h"

enum { PAGES = 512, BASE = 16 };
static unsigned char model[PAGES + BASE]; /* 0 free, else 1 */
static struct vm_areas areas;
static int failures;

#define CHECK(condition) do { if (!(condition)) { fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); failures++; } } while (0)

static uintptr_t model_room(unsigned size, unsigned low, unsigned high) {
    for (unsigned at = high; at >= low + size; at--) {
        unsigned n = 0;
        while (n < size && !model[at - 1 - n]) n++;
        if (n == size) return at - size;
    }
    return 0;
}

static uintptr_t check_node(struct vm_area *n, uintptr_t *low, uintptr_t *high) {
    uintptr_t l, h, largest = 0, got;
    *low = n->start, *high = n->end;
    if (n->left) {
        CHECK(n->left->priority <= n->priority);
        got = check_node(n->left, &l, &h);
        CHECK(h <= n->start);
        largest = got > n->start - h ? got : n->start - h;
        *low = l;
    }
    if (n->right) {
        CHECK(n->right->priority <= n->priority);
        got = check_node(n->right, &l, &h);
        CHECK(l >= n->end);
        if (got > largest) largest = got;
        if (l - n->end > largest) largest = l - n->end;
        *high = h;
    }
    CHECK(n->low == *low && n->high == *high && n->largest == largest);
    return largest;
}

static void fuzz(unsigned seed) {
    srand(seed);
    memset(model, 0, sizeof model);
    areas = (struct vm_areas){.seed = seed};
    for (int step = 0; step < 4000; step++) {
        unsigned at = BASE + (unsigned)rand() % PAGES, size = 1 + (unsigned)rand() % 12;
        if (at + size > BASE + PAGES) continue;
        struct vm_area *found = areas_find(&areas, at);
        unsigned expected = at;
        while (expected < BASE + PAGES && !model[expected]) expected++;
        CHECK(expected == BASE + PAGES ? !found : found && found->end > expected && found->start <= expected);
        if (rand() % 2) {
            int free_here = 1;
            for (unsigned i = at; i < at + size; i++) free_here &= !model[i];
            if (free_here) {
                struct vm_area *area = calloc(1, sizeof *area);
                area->start = at, area->end = at + size;
                areas_insert(&areas, area);
                memset(model + at, 1, size);
            }
        } else if (found) {
            memset(model + found->start, 0, found->end - found->start);
            areas_remove(&areas, found);
            free(found);
        }
        unsigned low = BASE + (unsigned)rand() % PAGES, high = low + (unsigned)rand() % (BASE + PAGES - low + 1);
        CHECK(areas_room(&areas, size, low, high) == model_room(size, low, high));
        uintptr_t l, h;
        if (areas.root) check_node(areas.root, &l, &h);
    }
    for (struct vm_area *area; (area = areas_find(&areas, 0));) {
        areas_remove(&areas, area);
        free(area);
    }
    CHECK(areas.count == 0 && !areas.root);
}

static unsigned depth(const struct vm_area *n) {
    if (!n) return 0;
    unsigned l = depth(n->left), r = depth(n->right);
    return 1 + (l > r ? l : r);
}

int main(void) {
    for (unsigned seed = 1; seed <= 40; seed++) fuzz(seed);
    areas = (struct vm_areas){.seed = 7};
    for (uintptr_t i = 0; i < 10000; i++) { /* ascending: the worst case of an unbalanced tree */
        struct vm_area *area = calloc(1, sizeof *area);
        area->start = 0x10000 + i * 0x3000, area->end = area->start + 0x1000;
        areas_insert(&areas, area);
    }
    CHECK(depth(areas.root) < 60);
    CHECK(areas_room(&areas, 0x2000, 0x10000, 0x10000 + 10000 * 0x3000ul) == 0x10000 + 9999 * 0x3000ul + 0x1000);
    CHECK(areas_room(&areas, 0x3000, 0x10000, 0x10000 + 10000 * 0x3000ul) == 0);
    for (struct vm_area *area; (area = areas_find(&areas, 0));) {
        areas_remove(&areas, area);
        free(area);
    }
    return failures ? 1 : 0;
}
