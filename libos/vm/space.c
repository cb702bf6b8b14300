/*
 * Address spaces and their areas: making, cutting, joining, mapping and unmapping them, and what fork copies.
 * Every change first makes what may fail (area descriptors), then does what cannot.
 */
#include "vm/internal.h"
#include "entropy/entropy.h"

static struct address_space first_space;
struct address_space *vm_spaces = &first_space;

struct vm_commit vm_commit = {.mode = COMMIT_GUESS, .ratio = 50};

uint64_t vm_commit_limit(void) {
    return vm_commit.kilobytes ? vm_commit.kilobytes >> (PAGE_SHIFT - 10) : (memory_total() >> PAGE_SHIFT) * vm_commit.ratio / 100;
}

/*
 * A linked program is one process that knows its machine: it is promised what there is, so that malloc says no before the memory is gone. A part stays for page tables and the libOS.
 */
extern const char exec_binary_program __attribute__((weak));
static void promise_start(void) {
    if (&exec_binary_program) return;
    uint64_t kilobytes = memory_free() >> 10;
    vm_commit = (struct vm_commit){.mode = COMMIT_NEVER, .kilobytes = kilobytes - kilobytes / 16, .promised = vm_commit.promised};
}
HULL_INIT(9, promise_start);

int vm_charge(size_t size, bool fresh) {
    uint64_t pages = size >> PAGE_SHIFT;
    if (fresh && vm_commit.mode == COMMIT_GUESS && pages > memory_total() >> PAGE_SHIFT) return -ENOMEM;
    if (vm_commit.mode == COMMIT_NEVER && vm_commit.promised + pages > vm_commit_limit()) return -ENOMEM;
    vm_commit.promised += pages;
    return 0;
}

void vm_recharge(size_t size) { vm_commit.promised += size >> PAGE_SHIFT; }
void vm_uncharge(size_t size) { vm_commit.promised -= size >> PAGE_SHIFT; }

static bool continues(const struct vm_area *a, const struct vm_area *b) {
    return a->end == b->start && a->protection == b->protection && a->flags == b->flags && a->file == b->file &&
           (!a->file || a->offset + (a->end - a->start) == b->offset);
}

struct vm_area *vm_area_add(struct address_space *space, struct vm_area like, uintptr_t start, uintptr_t end) {
    struct vm_area *area = kmalloc(sizeof *area);
    if (!area) return NULL;
    *area = like;
    if (like.file) {
        area->offset = like.offset + (start - like.start);
        file_get(like.file);
    }
    area->start = start;
    area->end = end;
    areas_insert(&space->areas, area);
    return area;
}

static void area_free(struct vm_area *area) {
    if (area->file) {
        if (area->file->ops->unmapped) area->file->ops->unmapped(area->file);
        file_put(area->file);
    }
    kfree(area);
}

static void area_resize(struct address_space *space, struct vm_area *area, uintptr_t end) {
    areas_remove(&space->areas, area);
    area->end = end;
    areas_insert(&space->areas, area);
}

static int cut_at(struct address_space *space, uintptr_t at) {
    struct vm_area *area = areas_find(&space->areas, at);
    if (!area || area->start >= at) return 0;
    uintptr_t end = area->end;
    area_resize(space, area, at);
    if (vm_area_add(space, *area, at, end)) return 0;
    area_resize(space, area, end);
    return -ENOMEM;
}

int vm_cut(struct address_space *space, uintptr_t start, uintptr_t end) {
    int error = cut_at(space, start);
    return error ? error : cut_at(space, end);
}

void vm_join_around(struct address_space *space, uintptr_t start, uintptr_t end) {
    struct vm_area *area = areas_find(&space->areas, start - 1), *next;
    for (; area && area->start <= end; area = next) {
        next = areas_find(&space->areas, area->end);
        if (!next) break;
        if (!continues(area, next)) continue;
        uintptr_t joined = next->end;
        areas_remove(&space->areas, next);
        area_free(next);
        area_resize(space, area, joined);
        next = area;
    }
}

/* The page table around `at`, when all that it covers lies in the range: else freed memory stays in pieces, each with a table in it. */
static void drop_table(struct address_space *space, uintptr_t at, uintptr_t start, uintptr_t end) {
    uintptr_t first = at & -ARCH_TABLE_SPAN;
    if (first >= start && first + ARCH_TABLE_SPAN <= end) arch_drop_tables(space->root, first, first + ARCH_TABLE_SPAN);
}

void vm_drop_pages(struct address_space *space, uintptr_t start, uintptr_t end) {
    struct arch_stale stale = arch_stale_begin(space->root);
    struct vm_walk walk = {.root = space->root, .next = start, .end = end};
    uintptr_t last = 0;
    while (vm_walk_next(&walk)) {
        if (last && (last ^ walk.at) & -ARCH_TABLE_SPAN) drop_table(space, last, start, end);
        last = walk.at;
        uint64_t page = arch_entry_page(*walk.entry);
        *walk.entry = 0;
        arch_stale_note(&stale, walk.at);
        if (vm_is_counted(page)) space->resident--;
        page_put(page);
    }
    if (last) drop_table(space, last, start, end);
    arch_stale_end(&stale);
}

int vm_unmap(struct address_space *space, uintptr_t start, size_t size) {
    uintptr_t end = start + size;
    struct vm_area *area = areas_find(&space->areas, start);
    if (!area || area->start >= end) return 0;
    if (vm_cut(space, start, end)) return -ENOMEM;
    while ((area = areas_find(&space->areas, start)) && area->start < end) {
        vm_drop_pages(space, area->start, area->end);
        if (area->flags & VM_CHARGED) vm_uncharge(area->end - area->start);
        if (area->flags & VM_LOCKED) space->locked -= (area->end - area->start) >> PAGE_SHIFT;
        areas_remove(&space->areas, area);
        area_free(area);
    }
    return 0;
}

int vm_map(struct address_space *space, uintptr_t start, size_t size, unsigned protection, unsigned flags, struct file *file,
           uint64_t offset) {
    int error = vm_unmap(space, start, size);
    if (error) return error;
    struct vm_area like = {.start = start, .protection = (uint8_t)protection, .flags = (uint8_t)flags, .file = file, .offset = offset};
    if (!vm_area_add(space, like, start, start + size)) return -ENOMEM;
    vm_join_around(space, start, start + size);
    return 0;
}

uintptr_t vm_room(struct address_space *space, size_t size) {
    uintptr_t found = areas_room(&space->areas, size, VM_LOWEST, space->mmap_top);
    return found ? found : areas_room(&space->areas, size, VM_LOWEST, VM_HIGHEST);
}

bool vm_covered(struct address_space *space, uintptr_t start, uintptr_t end) {
    while (start < end) {
        struct vm_area *area = areas_find(&space->areas, start);
        if (!area || area->start > start) return false;
        start = area->end;
    }
    return true;
}

/*
 * Where a space's files lie: drawn anew for each, but once a boot where code is translated (QEMU's TCG). There translations belong to addresses:
 * with others at each exec, each exec translates its loader and its libraries again, which takes four fifths of its time.
 */
uint64_t vm_layout_random(void) {
    static uint64_t of_boot;
    uint64_t random;
    entropy_fill(&random, sizeof random);
    if (!arch_translates_code()) return random;
    if (!of_boot) of_boot = random | 1ull << 63;
    return of_boot;
}

void vm_space_randomise(struct address_space *space) {
    uint64_t random[2];
    entropy_fill(random, sizeof random);
    random[0] = vm_layout_random();
    space->areas.seed = (uint32_t)(random[1] >> 32);
    /* As Linux: 28 bits of pages. The stack has its own place above. */
    space->mmap_top = VM_HIGHEST - (17ul << 30) - ((random[0] & 0xfffffff) << PAGE_SHIFT);
    space->brk_start = space->brk_end = 0x100000000ul + ((random[1] & 0xfffffff) << PAGE_SHIFT);
}

struct address_space *vm_space_first(void) {
    return &first_space;
}

static void vm_start(void) {
    first_space.references = 1;
    first_space.linked = true; /* exec says otherwise */
    first_space.root = arch_root_current();
    vm_space_randomise(&first_space);
    first_process.space = &first_space;
}
HULL_INIT(6, vm_start);

struct address_space *vm_space_create(void) {
    struct address_space *space = kzalloc(sizeof *space);
    if (!space) return NULL;
    space->references = 1;
    if (!(space->root = arch_root_create())) {
        kfree(space);
        return NULL;
    }
    space->next = vm_spaces;
    vm_spaces = space;
    vm_space_randomise(space);
    return space;
}

void vm_space_put(struct address_space *space) {
    if (--space->references) return;
    vm_unmap(space, 0, VM_HIGHEST);
    if (space->program.file) file_put(space->program.file);
    space->program.file = NULL;
    if (space == &first_space) return;
    struct address_space **at = &vm_spaces;
    while (*at != space) at = &(*at)->next;
    *at = space->next;
    arch_root_destroy(space->root);
    kfree(space);
}

/* Private pages become read-only in both spaces and are copied by whoever writes first; shared ones are simply shared. */
static int copy_pages(struct address_space *from, struct address_space *to, const struct vm_area *area, struct arch_stale *stale) {
    struct vm_walk walk = {.root = from->root, .next = area->start, .end = area->end};
    uintptr_t span = 1;
    arch_entry *table = NULL; /* of `to`, for the addresses from `span` on */
    while (vm_walk_next(&walk)) {
        arch_entry entry = *walk.entry;
        uint64_t page = arch_entry_page(entry);
        unsigned protection = arch_entry_protection(entry);
        if (!(area->flags & VM_SHARED) && protection & MAP_WRITE) {
            *walk.entry = entry = arch_entry_make(page, protection & ~(unsigned)MAP_WRITE);
            arch_stale_note(stale, walk.at);
        }
        if (span != (walk.at & -ARCH_TABLE_SPAN)) {
            span = walk.at & -ARCH_TABLE_SPAN;
            if (!(table = arch_entry_of(to->root, span, true))) return -ENOMEM;
        }
        table[(walk.at - span) >> PAGE_SHIFT] = entry;
        page_get(page);
        if (vm_is_counted(page)) vm_mapped(to);
    }
    return 0;
}

struct address_space *vm_space_copy(struct address_space *from) {
    struct address_space *to = vm_space_create();
    if (!to) return NULL;
    struct arch_stale stale = arch_stale_begin(from->root);
    to->linked = from->linked;
    to->mmap_top = from->mmap_top;
    to->brk_start = from->brk_start;
    to->brk_end = from->brk_end;
    to->program = from->program;
    if (to->program.file) file_get(to->program.file);
    for (struct vm_area *area = areas_find(&from->areas, 0); area; area = areas_find(&from->areas, area->end)) {
        size_t size = area->end - area->start;
        struct vm_area like = *area;
        if (like.flags & VM_DONTFORK) continue;
        like.flags &= ~VM_LOCKED;
        if (like.flags & VM_CHARGED && vm_charge(size, false)) goto failed;
        if (!vm_area_add(to, like, area->start, area->end)) {
            if (like.flags & VM_CHARGED) vm_uncharge(size);
            goto failed;
        }
        if (!(like.flags & VM_WIPEONFORK) && copy_pages(from, to, area, &stale)) goto failed;
    }
    arch_stale_end(&stale);
    return to;
failed:
    arch_stale_end(&stale);
    vm_space_put(to);
    return NULL;
}
