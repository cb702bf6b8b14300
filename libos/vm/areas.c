/*
 * The area treap (areas.h). Invariants after each function: heap order on priority, search order on start, no overlaps, and
 * low/high/largest of each node true for its subtree.
 */
#include "vm/areas.h"

static uintptr_t larger(uintptr_t a, uintptr_t b) {
    return a > b ? a : b;
}

static void pull(struct vm_area *n) {
    n->low = n->start, n->high = n->end, n->largest = 0;
    if (n->left) {
        n->low = n->left->low;
        n->largest = larger(n->left->largest, n->start - n->left->high);
    }
    if (n->right) {
        n->high = n->right->high;
        n->largest = larger(n->largest, larger(n->right->largest, n->right->low - n->end));
    }
}

/* Areas that start below key go left. */
static void split(struct vm_area *n, uintptr_t key, struct vm_area **left, struct vm_area **right) {
    if (!n) {
        *left = *right = NULL;
    } else if (n->start < key) {
        split(n->right, key, &n->right, right);
        pull(*left = n);
    } else {
        split(n->left, key, left, &n->left);
        pull(*right = n);
    }
}

static struct vm_area *join(struct vm_area *a, struct vm_area *b) {
    if (!a || !b) return a ? a : b;
    if (a->priority > b->priority) {
        a->right = join(a->right, b);
        pull(a);
        return a;
    }
    b->left = join(a, b->left);
    pull(b);
    return b;
}

struct vm_area *areas_find(const struct vm_areas *areas, uintptr_t address) {
    struct vm_area *best = NULL;
    for (struct vm_area *n = areas->root; n;) {
        if (n->end > address) best = n, n = n->left;
        else n = n->right;
    }
    return best;
}

void areas_insert(struct vm_areas *areas, struct vm_area *area) {
    struct vm_area *below, *above;
    areas->seed = areas->seed * 1664525u + 1013904223u;
    area->priority = areas->seed ^ areas->seed >> 15;
    area->left = area->right = NULL;
    pull(area);
    split(areas->root, area->start, &below, &above);
    areas->root = join(join(below, area), above);
    areas->count++;
}

void areas_remove(struct vm_areas *areas, struct vm_area *area) {
    struct vm_area *below, *rest, *only, *above;
    split(areas->root, area->start, &below, &rest);
    split(rest, area->start + 1, &only, &above);
    areas->root = join(below, above);
    areas->count--;
}

static uintptr_t room(const struct vm_area *n, size_t size, uintptr_t low, uintptr_t high) {
    if (high <= low || high - low < size) return 0;
    if (!n) return high - size;
    uintptr_t below = n->low > low ? n->low - low : 0;
    uintptr_t above = n->high < high ? high - n->high : 0;
    if (n->largest < size && below < size && above < size) return 0;
    uintptr_t found = room(n->right, size, larger(low, n->end), high);
    return found ? found : room(n->left, size, low, high < n->start ? high : n->start);
}

uintptr_t areas_room(const struct vm_areas *areas, size_t size, uintptr_t low, uintptr_t high) {
    return size ? room(areas->root, size, low, high) : 0;
}
