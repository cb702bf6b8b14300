/* /proc/meminfo, vmstat, swaps, partitions, diskstats (proc(5)). What this system has not is not listed, or 0 where programs expect a line. */
#include "proc-system/internal.h"
#include "block/block.h"
#include "vm/vm.h"

#pragma weak block_first
#pragma weak vm_commit_limit
#pragma weak vm_commit
uint64_t tmpfs_pages(void) __attribute__((weak)); /* by `tmpfs` */

static uint64_t cached_pages(void) {
    uint64_t pages = 0;
    for (const struct block_device *device = block_first ? block_first() : NULL; device; device = device->next) pages += device->cached;
    return pages;
}

static void put(struct proc_text *out, const char *name, uint64_t kilobytes) {
    size_t line = out->size;
    proc_print(out, "%s:", name);
    while (out->size - line < 16) proc_print(out, " ");
    proc_print(out, "%8lu kB\n", (unsigned long)kilobytes);
}

static void show_meminfo(struct proc_text *out) {
    uint64_t total = memory_total() / 1024, unused = memory_free() / 1024, cached = cached_pages() * 4, shared = tmpfs_pages ? tmpfs_pages() * 4 : 0;
    uint64_t used = total - unused, other = cached + shared < used ? used - cached - shared : 0;
    put(out, "MemTotal", total);
    put(out, "MemFree", unused);
    put(out, "MemAvailable", unused + cached);
    put(out, "Buffers", 0);
    put(out, "Cached", cached + shared);
    put(out, "SwapCached", 0);
    put(out, "Active", other);
    put(out, "Inactive", cached);
    put(out, "Mlocked", 0);
    put(out, "SwapTotal", 0);
    put(out, "SwapFree", 0);
    put(out, "Dirty", 0);
    put(out, "Writeback", 0);
    put(out, "AnonPages", other);
    put(out, "Mapped", cached);
    put(out, "Shmem", shared);
    put(out, "Slab", 0);
    put(out, "SReclaimable", 0);
    put(out, "SUnreclaim", 0);
    put(out, "CommitLimit", vm_commit_limit ? vm_commit_limit() * 4 : total);
    put(out, "Committed_AS", vm_commit_limit ? vm_commit.promised * 4 : other);
    put(out, "VmallocTotal", 34359738367);
    put(out, "VmallocUsed", 0);
    put(out, "VmallocChunk", 0);
    proc_print(out, "HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\nHugePages_Surp:        0\n");
    put(out, "Hugepagesize", 2048);
    put(out, "DirectMap4k", total);
}

static void show_vmstat(struct proc_text *out) {
    uint64_t read = 0;
    for (const struct block_device *device = block_first ? block_first() : NULL; device; device = device->next) read += device->pages_read;
    proc_print(out, "nr_free_pages %lu\nnr_file_pages %lu\nnr_shmem %lu\npgpgin %lu\npgpgout 0\npswpin 0\npswpout 0\n", (unsigned long)(memory_free() / PAGE_SIZE),
               (unsigned long)(cached_pages() + (tmpfs_pages ? tmpfs_pages() : 0)), (unsigned long)(tmpfs_pages ? tmpfs_pages() : 0), (unsigned long)(read * 4));
}

/* One zone, without watermarks: memory is given out to its last page. */
static void show_zoneinfo(struct proc_text *out) {
    unsigned long unused = (unsigned long)(memory_free() / PAGE_SIZE), total = (unsigned long)(memory_total() / PAGE_SIZE);
    proc_print(out, "Node 0, zone   Normal\n  pages free     %lu\n        boost    0\n        min      0\n        low      0\n        high     0\n", unused);
    proc_print(out, "        spanned  %lu\n        present  %lu\n        managed  %lu\n        cma      0\n        protection: (0)\n      nr_free_pages %lu\n", total, total, total, unused);
    proc_print(out, "  node_unreclaimable:  0\n  start_pfn:           0\n");
}

enum { DISK_MAJOR = 254 };
static void show_partitions(struct proc_text *out) {
    unsigned index = 0;
    proc_print(out, "major minor  #blocks  name\n\n");
    for (const struct block_device *device = block_first ? block_first() : NULL; device; device = device->next, index++)
        proc_print(out, "%4u %8u %10lu vd%c\n", DISK_MAJOR, index * 16, (unsigned long)(device->pages * 4), 'a' + index % 26);
}

static void show_diskstats(struct proc_text *out) {
    unsigned index = 0;
    for (const struct block_device *device = block_first ? block_first() : NULL; device; device = device->next, index++)
        proc_print(out, "%4u %7u vd%c %lu 0 %lu 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n", DISK_MAJOR, index * 16, 'a' + index % 26, (unsigned long)device->reads,
                   (unsigned long)(device->pages_read * 8));
}

static const struct proc_file memory_files[] = {
    { .path = "meminfo", .mode = PROC_READ, .show = show_meminfo },
    { .path = "vmstat", .mode = PROC_READ, .show = show_vmstat },
    { .path = "zoneinfo", .mode = PROC_READ, .show = show_zoneinfo },
    { .path = "swaps", .mode = PROC_READ, .show = proc_show_text, .argument = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" },
    { .path = "partitions", .mode = PROC_READ, .show = show_partitions },
    { .path = "diskstats", .mode = PROC_READ, .show = show_diskstats },
};
HULL_PROC_FILES(PROC_SYSTEM, memory_files);
