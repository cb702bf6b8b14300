/*
 * /sys (the kernel's Documentation/ABI: sysfs-devices-system-cpu, sysfs-block; admin-guide/mm/transhuge): CPU and node as programs count them, block devices,
 * terminals, huge pages. Tables; procfs does the rest.
 */
#include "sysfs/internal.h"

static int create(const char *source, const char *options, struct superblock **out) {
    (void)source, (void)options;
    return (*out = proc_super_create(PROC_SYSFS, "sysfs", 24, 0x62656572)) ? 0 : -ENOMEM;
}
HULL_FILESYSTEM(sysfs_filesystem) = { .name = "sysfs", .create = create };
enum { READ_ONLY = 1, NO_SETUID = 2, NO_DEVICES = 4, NO_EXECUTION = 8, RELATIVE = 1 << 21 };
HULL_DEFAULT_MOUNT(4, sysfs_mount) = { "/sys", "sysfs", "", 0555, READ_ONLY | NO_SETUID | NO_DEVICES | NO_EXECUTION | RELATIVE };

#define CPU "devices/system/cpu/"
#define TOPOLOGY CPU "cpu0/topology/"
#define NODE "devices/system/node/"
#define TEXT(name, value) { .path = name, .mode = PROC_READ, .show = proc_show_text, .argument = value "\n" }

static void show_node_memory(struct proc_text *out) {
    unsigned long total = memory_total() / 1024, unused = memory_free() / 1024;
    proc_print(out, "Node 0 MemTotal:       %8lu kB\nNode 0 MemFree:        %8lu kB\nNode 0 MemUsed:        %8lu kB\n", total, unused, total - unused);
}

/* Caches, as the CPU tells them: cache/index0 … */
static bool next_cache(const struct proc_text *about, uint64_t *number) {
    struct cpu_cache cache;
    (void)about;
    return *number < 8 && cpu_cache_find((unsigned)*number, &cache);
}
static size_t cache_name(const struct proc_text *about, uint64_t number, char out[32]) {
    (void)about;
    return format_text(out, 32, "index%u", (unsigned)number);
}
static const struct proc_children caches = { .next = next_cache, .name = cache_name, .scope = PROC_CACHE };

static void show_cache(struct proc_text *out) {
    struct cpu_cache cache;
    if (!cpu_cache_find((unsigned)out->number, &cache)) return;
    switch ((uintptr_t)out->file->argument) {
    case 0: proc_print(out, "%u\n", cache.level); break;
    case 1: proc_print(out, "%s\n", cache.kind == CPU_CACHE_DATA ? "Data" : cache.kind == CPU_CACHE_CODE ? "Instruction" : "Unified"); break;
    case 2: proc_print(out, "%uK\n", cache.line * cache.ways * cache.sets / 1024); break;
    case 3: proc_print(out, "%u\n", cache.line); break;
    case 4: proc_print(out, "%u\n", cache.ways); break;
    case 5: proc_print(out, "%u\n", cache.sets); break;
    }
}
#define CACHE(name, which) { .path = name, .mode = PROC_READ, .show = show_cache, .argument = (void *)which }
static const struct proc_file cache_files[] = {
    CACHE("level", 0), CACHE("type", 1), CACHE("size", 2), CACHE("coherency_line_size", 3), CACHE("ways_of_associativity", 4), CACHE("number_of_sets", 5),
    TEXT("id", "0"), TEXT("physical_line_partition", "1"), TEXT("shared_cpu_list", "0"), TEXT("shared_cpu_map", "1"),
};
HULL_PROC_FILES(PROC_CACHE, cache_files);

static const struct proc_file sys_files[] = {
    TEXT(CPU "online", "0"), TEXT(CPU "possible", "0"), TEXT(CPU "present", "0"), TEXT(CPU "offline", ""), TEXT(CPU "isolated", ""), TEXT(CPU "kernel_max", "0"),
    TEXT(TOPOLOGY "core_id", "0"), TEXT(TOPOLOGY "physical_package_id", "0"), TEXT(TOPOLOGY "die_id", "0"), TEXT(TOPOLOGY "cluster_id", "0"),
    TEXT(TOPOLOGY "core_cpus", "1"), TEXT(TOPOLOGY "core_cpus_list", "0"), TEXT(TOPOLOGY "core_siblings", "1"), TEXT(TOPOLOGY "core_siblings_list", "0"),
    TEXT(TOPOLOGY "thread_siblings", "1"), TEXT(TOPOLOGY "thread_siblings_list", "0"), TEXT(TOPOLOGY "package_cpus", "1"), TEXT(TOPOLOGY "package_cpus_list", "0"),
    TEXT(TOPOLOGY "die_cpus", "1"), TEXT(TOPOLOGY "die_cpus_list", "0"),
    { .path = CPU "cpu0/cache", .mode = PROC_DIRECTORY, .children = &caches },
    { .path = CPU "cpu0/node0", .mode = PROC_LINK, .show = proc_show_text, .argument = "../../node/node0" },
    TEXT(NODE "online", "0"), TEXT(NODE "possible", "0"), TEXT(NODE "has_cpu", "0"), TEXT(NODE "has_memory", "0"), TEXT(NODE "has_normal_memory", "0"),
    TEXT(NODE "node0/cpulist", "0"), TEXT(NODE "node0/cpumap", "1"), TEXT(NODE "node0/distance", "10"),
    { .path = NODE "node0/meminfo", .mode = PROC_READ, .show = show_node_memory },
    { .path = NODE "node0/cpu0", .mode = PROC_LINK, .show = proc_show_text, .argument = "../../cpu/cpu0" },
    TEXT("kernel/mm/transparent_hugepage/enabled", "always madvise [never]"), TEXT("kernel/mm/transparent_hugepage/defrag", "always defer defer+madvise madvise [never]"),
    TEXT("kernel/mm/transparent_hugepage/shmem_enabled", "always within_size advise [never] deny force"), TEXT("kernel/mm/transparent_hugepage/hpage_pmd_size", "2097152"),
    TEXT("kernel/mm/transparent_hugepage/use_zero_page", "0"),
    TEXT("class/tty/tty/dev", "5:0"), TEXT("class/tty/console/dev", "5:1"), TEXT("class/tty/console/active", "tty0"),
    TEXT("class/mem/null/dev", "1:3"), TEXT("class/mem/zero/dev", "1:5"), TEXT("class/mem/full/dev", "1:7"), TEXT("class/mem/random/dev", "1:8"), TEXT("class/mem/urandom/dev", "1:9"),
    { .path = "class/net", .mode = PROC_DIRECTORY }, /* by who has devices */
    { .path = "fs/cgroup", .mode = PROC_DIRECTORY },
    { .path = "module", .mode = PROC_DIRECTORY },
};
HULL_PROC_FILES(PROC_SYSFS, sys_files);
