/*
 * The cgroup file system, version 2, as a process in a container sees it (the kernel's admin-guide/cgroup-v2): one group, whose limit is the machine. Runtimes
 * size themselves by these files. Nothing can be limited here, so nothing can be written.
 */
#include "arch/arch.h"
#include "block/block.h"
#include "clock/clock.h"
#include "cpu-time/cpu_time.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/errno.h"

#pragma weak block_first
uint64_t tmpfs_pages(void) __attribute__((weak));
#pragma weak cpu_time_split_process

static int create(const char *source, const char *options, struct superblock **out) {
    (void)source, (void)options;
    return (*out = proc_super_create(PROC_CGROUP, "cgroup2", 27, 0x63677270)) ? 0 : -ENOMEM;
}
HULL_FILESYSTEM(cgroup_filesystem) = { .name = "cgroup2", .create = create };
enum { READ_ONLY = 1, NO_SETUID = 2, NO_DEVICES = 4, NO_EXECUTION = 8, RELATIVE = 1 << 21 };
HULL_DEFAULT_MOUNT(5, cgroup_mount) = { "/sys/fs/cgroup", "cgroup2", "", 0555, READ_ONLY | NO_SETUID | NO_DEVICES | NO_EXECUTION | RELATIVE };

static void show_limit(struct proc_text *out) { proc_print(out, "%lu\n", (unsigned long)memory_total()); }
static void show_used(struct proc_text *out) { proc_print(out, "%lu\n", (unsigned long)(memory_total() - memory_free())); }

static void show_memory(struct proc_text *out) {
    uint64_t cached = 0, shared = tmpfs_pages ? tmpfs_pages() * PAGE_SIZE : 0, used = memory_total() - memory_free();
    for (const struct block_device *device = block_first ? block_first() : NULL; device; device = device->next) cached += device->cached * PAGE_SIZE;
    uint64_t other = used > cached + shared ? used - cached - shared : 0;
    proc_print(out, "anon %lu\nfile %lu\nkernel 0\nshmem %lu\nfile_mapped 0\nfile_dirty 0\nfile_writeback 0\n", (unsigned long)other, (unsigned long)(cached + shared),
               (unsigned long)shared);
    proc_print(out, "inactive_anon 0\nactive_anon %lu\ninactive_file %lu\nactive_file 0\nunevictable 0\nslab_reclaimable 0\nslab_unreclaimable 0\nslab 0\n", (unsigned long)other,
               (unsigned long)cached);
}

static void show_cpu(struct proc_text *out) {
    uint64_t user = 0, system = 0;
    for (struct process *p = &first_process; p && cpu_time_split_process; p = p->next) {
        struct cpu_split split = cpu_time_split_process(p);
        user += split.user;
        system += split.system;
    }
    proc_print(out, "usage_usec %lu\nuser_usec %lu\nsystem_usec %lu\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n", (unsigned long)((user + system) / 1000),
               (unsigned long)(user / 1000), (unsigned long)(system / 1000));
}

static void show_processes(struct proc_text *out) {
    for (const struct process *p = &first_process; p; p = p->next) proc_print(out, "%d\n", p->pid);
}
static void show_threads(struct proc_text *out) {
    for (const struct process *p = &first_process; p; p = p->next)
        for (const struct thread *t = p->threads; t; t = t->next) proc_print(out, "%d\n", t->tid);
}
static void show_count(struct proc_text *out) {
    unsigned count = 0;
    for (const struct process *p = &first_process; p; p = p->next)
        for (const struct thread *t = p->threads; t; t = t->next) count++;
    proc_print(out, "%u\n", count);
}

#define TEXT(name, value) { .path = name, .mode = PROC_READ, .show = proc_show_text, .argument = value "\n" }
#define SHOW(name, function) { .path = name, .mode = PROC_READ, .show = function }
static const struct proc_file cgroup_files[] = {
    TEXT("cgroup.controllers", "cpuset cpu memory pids"), TEXT("cgroup.subtree_control", ""), TEXT("cgroup.type", "domain"), TEXT("cgroup.events", "populated 1\nfrozen 0"),
    TEXT("cgroup.max.depth", "0"), TEXT("cgroup.max.descendants", "0"), TEXT("cgroup.stat", "nr_descendants 0\nnr_dying_descendants 0"), TEXT("cgroup.freeze", "0"),
    SHOW("cgroup.procs", show_processes), SHOW("cgroup.threads", show_threads),
    SHOW("memory.max", show_limit), SHOW("memory.current", show_used), SHOW("memory.stat", show_memory), TEXT("memory.high", "max"), TEXT("memory.low", "0"), TEXT("memory.min", "0"),
    TEXT("memory.swap.max", "0"), TEXT("memory.swap.current", "0"), TEXT("memory.swap.high", "max"), TEXT("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0"),
    TEXT("memory.oom.group", "0"),
    TEXT("cpu.max", "max 100000"), TEXT("cpu.weight", "100"), TEXT("cpu.weight.nice", "0"), SHOW("cpu.stat", show_cpu),
    TEXT("cpuset.cpus", ""), TEXT("cpuset.cpus.effective", "0"), TEXT("cpuset.mems", ""), TEXT("cpuset.mems.effective", "0"),
    TEXT("pids.max", "max"), SHOW("pids.current", show_count),
};
HULL_PROC_FILES(PROC_CGROUP, cgroup_files);

static const struct proc_file controllers[] = {
    { .path = "cgroups", .mode = PROC_READ, .show = proc_show_text,
      .argument = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t0\t1\t1\ncpu\t0\t1\t1\ncpuacct\t0\t1\t1\nmemory\t0\t1\t1\npids\t0\t1\t1\n" },
};
HULL_PROC_FILES(PROC_SYSTEM, controllers);
