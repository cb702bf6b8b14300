/* /proc/PID/maps, smaps, smaps_rollup, pagemap, mem (proc(5)). */
#include "proc-process/internal.h"
#include "arch/arch.h"

/* The executable that the image carries: mapped without a name, but it has one in the root. */
extern const char hull_program_path[] __attribute__((weak));
static bool is_image_program(const struct file *file) { return &hull_program_path[0] && !strcmp(file->ops->kind, "program"); }

static void put_name(struct proc_text *out, const struct address_space *space, const struct vm_area *area, size_t line) {
    enum { NAME_COLUMN = 73 };
    const struct program_place *place = &space->program;
    struct path path;
    const char *text = NULL;
    bool found = area->file && !vfs_path_of(area->file, &path);
    if (area->file && !found) text = is_image_program(area->file) ? hull_program_path : area->file->ops->kind;
    else if (!area->file && area->start <= space->brk_end && area->end > space->brk_start) text = "[heap]";
    else if (!area->file && place->stack >= area->start && place->stack < area->end) text = "[stack]";
    if (text || found)
        while (out->size - line < NAME_COLUMN) proc_print(out, " ");
    if (text) proc_print(out, "%s", text);
    if (found) {
        char *buffer = kmalloc(PATH_MAX + 16);
        if (buffer && vfs_path_text(path, buffer, PATH_MAX + 16) > 0) proc_escaped(out, buffer, "\n");
        kfree(buffer);
        vfs_path_put(path);
    }
    proc_print(out, "\n");
}

static void put_header(struct proc_text *out, const struct address_space *space, const struct vm_area *area) {
    struct linux_stat stat = { 0 };
    size_t line = out->size;
    if (area->file && area->file->ops->stat) area->file->ops->stat(area->file, &stat);
    else if (area->file && is_image_program(area->file)) vfs_stat(hull_program_path, &stat);
    proc_print(out, "%08lx-%08lx %c%c%c%c %08lx %02x:%02x %lu ", (unsigned long)area->start, (unsigned long)area->end,
               area->protection & PROT_READ ? 'r' : '-', area->protection & PROT_WRITE ? 'w' : '-', area->protection & PROT_EXEC ? 'x' : '-',
               area->flags & VM_SHARED ? 's' : 'p', area->file ? (unsigned long)area->offset : 0ul, (unsigned)(stat.dev >> 8 & 0xfff), (unsigned)(stat.dev & 0xff),
               (unsigned long)stat.ino);
    put_name(out, space, area, line);
}

/* The areas as Linux shows them: it has none for the guard below the stack. */
static const struct vm_area *next_area(const struct address_space *space, const struct vm_area *area) {
    do area = areas_find(&space->areas, area ? area->end : 0);
    while (area && area->flags & VM_GUARD);
    return area;
}

static void show_maps(struct proc_text *out) {
    const struct address_space *space = out->process->space;
    for (const struct vm_area *area = NULL; space && (area = next_area(space, area));) put_header(out, space, area);
}

static void put_kilobytes(struct proc_text *out, const char *name, uint64_t value) {
    size_t line = out->size;
    proc_print(out, "%s:", name);
    while (out->size - line < 16) proc_print(out, " ");
    proc_print(out, "%8lu kB\n", (unsigned long)value);
}

static void put_counts(struct proc_text *out, const struct memory_count *c, bool rollup) {
    put_kilobytes(out, "Rss", kilobytes(c->resident));
    put_kilobytes(out, "Pss", c->share / 1024);
    put_kilobytes(out, "Pss_Dirty", c->share_dirty / 1024);
    if (rollup) {
        put_kilobytes(out, "Pss_Anon", kilobytes(c->anonymous));
        put_kilobytes(out, "Pss_File", c->share / 1024 > kilobytes(c->anonymous + c->shared) ? c->share / 1024 - kilobytes(c->anonymous + c->shared) : 0);
        put_kilobytes(out, "Pss_Shmem", kilobytes(c->shared));
    }
    put_kilobytes(out, "Shared_Clean", kilobytes(c->shared_clean));
    put_kilobytes(out, "Shared_Dirty", kilobytes(c->shared_dirty));
    put_kilobytes(out, "Private_Clean", kilobytes(c->private_clean));
    put_kilobytes(out, "Private_Dirty", kilobytes(c->private_dirty));
    put_kilobytes(out, "Referenced", kilobytes(c->resident));
    put_kilobytes(out, "Anonymous", kilobytes(c->anonymous));
    static const char *const none[] = { "LazyFree", "AnonHugePages", "ShmemPmdMapped", "FilePmdMapped", "Shared_Hugetlb", "Private_Hugetlb", "Swap", "SwapPss" };
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++) put_kilobytes(out, none[i], 0);
    put_kilobytes(out, "Locked", kilobytes(c->locked));
}

static void show_smaps(struct proc_text *out) {
    const struct address_space *space = out->process->space;
    for (const struct vm_area *area = NULL; space && (area = next_area(space, area));) {
        struct memory_count count = { 0 };
        unsigned p = area->protection;
        memory_count_area(space, area, &count);
        put_header(out, space, area);
        put_kilobytes(out, "Size", kilobytes(count.size));
        put_kilobytes(out, "KernelPageSize", PAGE_SIZE / 1024);
        put_kilobytes(out, "MMUPageSize", PAGE_SIZE / 1024);
        put_counts(out, &count, false);
        proc_print(out, "THPeligible:    0\nVmFlags: %s%s%s%smr mw me %s%s%s\n", p & PROT_READ ? "rd " : "", p & PROT_WRITE ? "wr " : "", p & PROT_EXEC ? "ex " : "",
                   area->flags & VM_SHARED ? "sh " : "", count.stack ? "gd " : "", area->flags & VM_LOCKED ? "lo " : "",
                   area->flags & VM_NORESERVE ? "nr " : area->flags & VM_CHARGED ? "ac " : "");
    }
}

static void show_rollup(struct proc_text *out) {
    const struct address_space *space = out->process->space;
    const struct vm_area *first = space ? next_area(space, NULL) : NULL, *last = first;
    struct memory_count count;
    if (!first) return;
    for (const struct vm_area *area = first; area; area = next_area(space, area)) last = area;
    memory_count_space(space, &count);
    proc_print(out, "%08lx-%08lx ---p 00000000 00:00 0 %s[rollup]\n", (unsigned long)first->start, (unsigned long)last->end, "                         ");
    put_counts(out, &count, true);
}

/* One 64-bit word a page (the kernel's admin-guide/mm/pagemap): bit 63 present, 61 of a file or shared, 56 mapped once, 0..54 the page, for root. */
static long transfer_pagemap(const struct proc_text *about, bool write, void *program, size_t size, int64_t position) {
    const struct address_space *space = about->process->space;
    if (write) return -EINVAL;
    if ((position | (int64_t)size) & 7) return -EINVAL;
    if (!space) return 0;
    long done = 0;
    for (; (size_t)done < size; done += 8) {
        uint64_t page, word = 0;
        unsigned protection;
        uintptr_t at = (uintptr_t)(position + done) / 8 << PAGE_SHIFT;
        if (at >= VM_HIGHEST + PAGE_SIZE) break;
        if (arch_lookup(space->root, at, &page, &protection)) {
            const struct vm_area *area = areas_find(&space->areas, at);
            const struct page *descriptor = page_of(page);
            word = 1ull << 63 | (area && area->file ? 1ull << 61 : 0) | (descriptor && descriptor->references == 1 ? 1ull << 56 : 0);
            if (!current_process()->credentials.euid) word |= page >> PAGE_SHIFT;
        }
        if (user_copy_out((char *)program + done, &word, 8)) return done ? done : -EFAULT;
    }
    return done;
}

/* The process's memory at the position that is the address: as its own loads and stores would find it. */
static long transfer_mem(const struct proc_text *about, bool write, void *program, size_t size, int64_t position) {
    struct address_space *space = about->process->space;
    size_t done = 0;
    if (!space) return 0;
    while (done < size) {
        uintptr_t at = (uintptr_t)position + done, within = at & (PAGE_SIZE - 1);
        size_t piece = size - done < PAGE_SIZE - within ? size - done : PAGE_SIZE - within;
        const struct vm_area *area = areas_find(&space->areas, at);
        uint64_t page;
        unsigned protection;
        if (!area || area->start > at || !(area->protection & (write ? PROT_WRITE : PROT_READ)) || vm_fault_in(space, at, write ? MAP_WRITE : MAP_READ) ||
            !arch_lookup(space->root, at - within, &page, &protection))
            return done ? (long)done : -EIO;
        char *there = (char *)phys_to_virt(page) + within;
        page_get(page); /* the copy may fault, and memory be given back */
        int error = write ? user_copy_in(there, (char *)program + done, piece) : user_copy_out((char *)program + done, there, piece);
        page_put(page);
        if (error) return done ? (long)done : -EFAULT;
        done += piece;
    }
    return (long)done;
}

static const struct proc_file maps_files[] = {
    { .path = "maps", .mode = PROC_READ, .flags = PROC_PRIVATE, .show = show_maps },
    { .path = "smaps", .mode = PROC_READ, .flags = PROC_PRIVATE, .show = show_smaps },
    { .path = "smaps_rollup", .mode = PROC_READ, .flags = PROC_PRIVATE, .show = show_rollup },
    { .path = "pagemap", .mode = PROC_OWNER_READ, .flags = PROC_PRIVATE, .transfer = transfer_pagemap },
    { .path = "mem", .mode = S_IFREG | 0600, .flags = PROC_PRIVATE, .transfer = transfer_mem },
};
HULL_PROC_FILES(PROC_PROCESS, maps_files);
