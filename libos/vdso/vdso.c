/*
 * The two pages of the vDSO and their mapping. Owns both pages, made at the first program's start and shared by all: the clock's numbers,
 * written under a sequence count, and the image from arch/<isa>/. The first is read-only for programs; the libOS writes by the direct map.
 * Specification: vdso(7); Linux Documentation/ABI/stable/vdso. Lock: one CPU, and programs only read: the sequence count.
 */
#include "vdso/vdso.h"
#include "clock/clock.h"
#include "entropy/entropy.h"
#include "file/file.h"
#include "init/init.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "vm/vm.h"

#pragma GCC visibility push(hidden)
extern const char arch_vdso_start[], arch_vdso_end[];
#pragma GCC visibility pop

/* Between what mmap hands out, below, and the stack's place, at the top (vm_space_randomise, exec/stack.c). */
#define PLACE_LOW (VM_HIGHEST - (17ul << 30) + PAGE_SIZE)
#define PLACE_PAGES ((1ul << 30 >> PAGE_SHIFT) - 4)

static struct vdso_data *data;
static void *code;

static int give(void *page, uint64_t index, uint64_t *physical) {
    if (index) return -ENXIO;
    *physical = virt_to_phys(page);
    page_get(*physical);
    return 0;
}
static int data_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    (void)file, (void)how;
    return give(data, index, physical);
}
static int code_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    (void)file, (void)how;
    return give(code, index, physical);
}
/* The kinds are the names that Linux shows in /proc/PID/maps. */
static const struct file_ops data_ops = {.kind = "[vvar]", .get_page = data_page}, code_ops = {.kind = "[vdso]", .get_page = code_page};
static struct file data_file = {.references = 1}, code_file = {.references = 1};

void vdso_clock_changed(const struct clock_state *now) {
    if (!data) return;
    volatile struct vdso_data *to = data;
    to->sequence++;
    to->usable = now->scale && !now->rough;
    to->base_cycles = now->base_cycles;
    to->scale = now->scale;
    to->base_ns = now->base_ns;
    to->realtime_offset = now->realtime_offset;
    to->sequence++;
}

static bool make_pages(void) {
    size_t size = (size_t)(arch_vdso_end - arch_vdso_start);
    if (data) return true;
    if (size > PAGE_SIZE) panic("vdso: one page of code, %u bytes", (unsigned)size);
    if (!(code = page_alloc_zeroed())) return false;
    if (!(data = page_alloc_zeroed())) {
        pages_free(code, 1);
        return false;
    }
    __builtin_memcpy(code, arch_vdso_start, size);
    data_file.ops = &data_ops;
    code_file.ops = &code_ops;
    vdso_clock_changed(clock_state_now());
    return true;
}

uintptr_t vdso_map(struct address_space *space) {
    uint64_t random;
    if (!make_pages()) return 0;
    entropy_fill(&random, sizeof random);
    uintptr_t at = PLACE_LOW + (random % PLACE_PAGES << PAGE_SHIFT);
    const struct vm_area *there = areas_find(&space->areas, at);
    if (there && there->start < at + 2 * PAGE_SIZE && !(at = vm_room(space, 2 * PAGE_SIZE))) return 0; /* an executable of fixed addresses is there */
    if (vm_map(space, at, PAGE_SIZE, PROT_READ, 0, &data_file, 0)) return 0;
    if (vm_map(space, at + PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_EXEC, 0, &code_file, 0)) {
        vm_unmap(space, at, PAGE_SIZE);
        return 0;
    }
    return at + PAGE_SIZE;
}
