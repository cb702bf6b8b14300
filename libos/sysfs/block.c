/* /sys/block, /sys/class/block, /sys/dev/block and the devices that these link to. A disk is named as Linux's virtio driver names it, by order. */
#include "sysfs/internal.h"
#include "block/block.h"

#pragma weak block_first
enum { DISK_MAJOR = 254, MINORS = 16 };

static struct block_device *disk(uint64_t number) {
    struct block_device *device = block_first ? block_first() : NULL;
    while (device && number--) device = device->next;
    return device;
}

static bool next_disk(const struct proc_text *about, uint64_t *number) {
    (void)about;
    return disk(*number) != NULL;
}
static size_t disk_name(const struct proc_text *about, uint64_t number, char out[32]) {
    (void)about;
    return format_text(out, 32, "vd%c", (char)('a' + number % 26));
}
static size_t disk_number(const struct proc_text *about, uint64_t number, char out[32]) {
    (void)about;
    return format_text(out, 32, "%u:%u", DISK_MAJOR, (unsigned)number * MINORS);
}
static const struct proc_children disks = { .next = next_disk, .name = disk_name, .scope = PROC_BLOCK };
static const struct proc_children disk_links = { .next = next_disk, .name = disk_name, .scope = PROC_BLOCK_LINK };
static const struct proc_children class_links = { .next = next_disk, .name = disk_name, .scope = PROC_BLOCK_CLASS_LINK };
static const struct proc_children number_links = { .next = next_disk, .name = disk_number, .scope = PROC_BLOCK_NUMBER_LINK };

/* argument: the way up to /sys. */
static void show_link(struct proc_text *out) {
    proc_print(out, "%sdevices/virtual/block/vd%c", (const char *)out->file->argument, (char)('a' + out->number % 26));
}

static void show_device(struct proc_text *out) { proc_print(out, "%u:%u\n", DISK_MAJOR, (unsigned)out->number * MINORS); }
static void show_size(struct proc_text *out) {
    const struct block_device *device = disk(out->number);
    proc_print(out, "%lu\n", device ? (unsigned long)device->pages * 8 : 0ul);
}
static void show_event(struct proc_text *out) {
    proc_print(out, "MAJOR=%u\nMINOR=%u\nDEVNAME=vd%c\nDEVTYPE=disk\n", DISK_MAJOR, (unsigned)out->number * MINORS, (char)('a' + out->number % 26));
}
static void show_counts(struct proc_text *out) {
    const struct block_device *device = disk(out->number);
    if (device) proc_print(out, "%8lu        0 %8lu        0        0        0        0        0        0        0        0\n", (unsigned long)device->reads, (unsigned long)device->pages_read * 8);
}

#define TEXT(name, value) { .path = name, .mode = PROC_READ, .show = proc_show_text, .argument = value "\n" }
static const struct proc_file disk_files[] = {
    { .path = "dev", .mode = PROC_READ, .show = show_device },
    { .path = "size", .mode = PROC_READ, .show = show_size },
    { .path = "stat", .mode = PROC_READ, .show = show_counts },
    { .path = "uevent", .mode = PROC_READ, .show = show_event },
    { .path = "subsystem", .mode = PROC_LINK, .show = proc_show_text, .argument = "../../../../class/block" },
    TEXT("ro", "1"), TEXT("removable", "0"), TEXT("hidden", "0"), TEXT("range", "16"), TEXT("ext_range", "256"), TEXT("alignment_offset", "0"), TEXT("discard_alignment", "0"),
    TEXT("queue/logical_block_size", "512"), TEXT("queue/physical_block_size", "512"), TEXT("queue/hw_sector_size", "512"), TEXT("queue/minimum_io_size", "512"),
    TEXT("queue/optimal_io_size", "0"), TEXT("queue/rotational", "0"), TEXT("queue/scheduler", "[none]"), TEXT("queue/discard_granularity", "0"), TEXT("queue/discard_max_bytes", "0"),
    TEXT("queue/read_ahead_kb", "256"), TEXT("queue/nr_requests", "128"), TEXT("queue/zoned", "none"), TEXT("queue/dax", "0"), TEXT("queue/add_random", "0"),
};
HULL_PROC_FILES(PROC_BLOCK, disk_files);

static const struct proc_file disk_link[] = { { .path = "", .mode = PROC_LINK, .show = show_link, .argument = "../" } };
HULL_PROC_FILES(PROC_BLOCK_LINK, disk_link);
static const struct proc_file class_link[] = { { .path = "", .mode = PROC_LINK, .show = show_link, .argument = "../../" } };
HULL_PROC_FILES(PROC_BLOCK_CLASS_LINK, class_link);
static const struct proc_file number_link[] = { { .path = "", .mode = PROC_LINK, .show = show_link, .argument = "../../" } };
HULL_PROC_FILES(PROC_BLOCK_NUMBER_LINK, number_link);

static const struct proc_file block_files[] = {
    { .path = "devices/virtual/block", .mode = PROC_DIRECTORY, .children = &disks },
    { .path = "block", .mode = PROC_DIRECTORY, .children = &disk_links },
    { .path = "class/block", .mode = PROC_DIRECTORY, .children = &class_links },
    { .path = "dev/block", .mode = PROC_DIRECTORY, .children = &number_links },
};
HULL_PROC_FILES(PROC_SYSFS, block_files);
