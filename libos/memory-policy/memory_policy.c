/*
 * Memory policies (numa(7)) of a machine with one node, node 0: get_mempolicy(2), set_mempolicy(2), mbind(2). Owns nothing: a policy that names node 0
 * is checked and changes nothing, since every page comes from there.
 */
#include "arch/arch.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vm/vm.h"

enum { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY, MPOL_MOST };
enum { F_NODE = 1, F_ADDR = 2, F_MEMS_ALLOWED = 4 };
#define MODE_FLAGS 0xe000 /* MPOL_F_STATIC_NODES, RELATIVE_NODES, NUMA_BALANCING */

/* Which nodes a mask names: bit 0 and no other. 0: none, 1: node 0; -EINVAL, -EFAULT. */
static long mask_in(const uint64_t *program, unsigned long most) {
    uint64_t first = 0;
    if (!program || most <= 1) return 0;
    most--; /* as Linux counts */
    if (most > 1ul << 15) return -EINVAL;
    for (unsigned long at = 0; at < most; at += 64) {
        uint64_t word;
        if (user_copy_in(&word, program + at / 64, sizeof word)) return -EFAULT;
        if (most - at < 64) word &= (1ull << (most - at)) - 1;
        if (at ? word : word & ~1ull) return -EINVAL;
        if (!at) first = word;
    }
    return (long)first;
}

static long check(int mode, const uint64_t *nodes, unsigned long most) {
    int kind = mode & ~MODE_FLAGS;
    long named = mask_in(nodes, most);
    if (named < 0) return named;
    if (kind < 0 || kind >= MPOL_MOST) return -EINVAL;
    if ((kind == MPOL_DEFAULT || kind == MPOL_LOCAL) && named) return -EINVAL;
    if ((kind == MPOL_BIND || kind == MPOL_INTERLEAVE || kind == MPOL_PREFERRED_MANY) && !named) return -EINVAL;
    return 0;
}

SYSCALL_DEFINE(set_mempolicy, int mode, const uint64_t *nodes, unsigned long most) { return check(mode, nodes, most); }

SYSCALL_DEFINE(mbind, uintptr_t start, size_t length, int mode, const uint64_t *nodes, unsigned long most, unsigned flags) {
    if (flags & ~7u || start & (PAGE_SIZE - 1)) return -EINVAL;
    long error = check(mode, nodes, most);
    if (error || !length) return error;
    struct vm_area *area = areas_find(&current_process()->space->areas, start);
    return area && area->start <= start ? 0 : -EFAULT;
}

SYSCALL_DEFINE(get_mempolicy, int *mode, uint64_t *nodes, unsigned long most, uintptr_t address, unsigned long flags) {
    int policy = MPOL_DEFAULT; /* also the node's number */
    uint64_t mask = flags & F_MEMS_ALLOWED;
    if (flags & ~7ul || (flags & F_MEMS_ALLOWED && flags & (F_NODE | F_ADDR))) return -EINVAL;
    if (!(flags & F_ADDR) && (address || flags & F_NODE)) return -EINVAL;
    if (flags & F_ADDR) {
        struct vm_area *area = areas_find(&current_process()->space->areas, address);
        if (!area || area->start > address) return -EFAULT;
    }
    if (nodes && most < 2) return -EINVAL;
    if (mode && user_copy_out(mode, &policy, sizeof policy)) return -EFAULT;
    if (mask) mask = 1;
    for (unsigned long at = 0; nodes && at < most; at += 64, mask = 0)
        if (user_copy_out(nodes + at / 64, &mask, sizeof mask)) return -EFAULT;
    return 0;
}
