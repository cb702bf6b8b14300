/*
 * /proc/sys (proc(5), the kernel's admin-guide/sysctl). A value here is one that something in the libOS keeps; what can be written acts, the others refuse
 * writers. Settings of components that may be absent are in their tables.
 */
#include "entropy/entropy.h"
#include "lib/format.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "memory/stacks.h"
#include "procfs/procfs.h"
#include "syscall/syscall.h"
#include "vm/vm.h"

struct utsname { char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65]; };
long sys_uname(struct utsname *) __attribute__((weak)); /* these three by `system` */
long sys_sethostname(const char *, size_t) __attribute__((weak));
long sys_setdomainname(const char *, size_t) __attribute__((weak));
#pragma weak memory_reclaim
void vfs_forget_idle(void) __attribute__((weak)); /* by `vfs` */
#pragma weak stacks_free_kept

static bool own_memory(bool on) {
    bool before = current_thread()->own_memory;
    current_thread()->own_memory = on;
    return before;
}

/* argument: which of uname's fields. */
static void show_name(struct proc_text *out) {
    struct utsname names;
    bool before = own_memory(true);
    if (sys_uname && !sys_uname(&names)) proc_print(out, "%s\n", (const char *)&names + (uintptr_t)out->file->argument * 65);
    own_memory(before);
}

static long store_name(long (*set)(const char *, size_t), const char *text, size_t size) {
    while (size && (text[size - 1] == '\n' || text[size - 1] == 0)) size--;
    bool before = own_memory(true);
    long result = set ? set(text, size < 64 ? size : 64) : -EPERM;
    own_memory(before);
    return result;
}
static long store_host(const struct proc_text *about, const char *text, size_t size) {
    (void)about;
    return store_name(sys_sethostname, text, size);
}
static long store_domain(const struct proc_text *about, const char *text, size_t size) {
    (void)about;
    return store_name(sys_setdomainname, text, size);
}

static void put_uuid(struct proc_text *out, uint8_t bytes[16]) {
    bytes[6] = (bytes[6] & 0x0f) | 0x40; /* RFC 4122: version 4, variant 1 */
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    for (unsigned i = 0; i < 16; i++) proc_print(out, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", bytes[i]);
    proc_print(out, "\n");
}
static void show_uuid(struct proc_text *out) {
    uint8_t bytes[16];
    entropy_fill(bytes, sizeof bytes);
    put_uuid(out, bytes);
}
static void show_boot_id(struct proc_text *out) {
    static uint8_t bytes[16];
    static bool made;
    if (!made) entropy_fill(bytes, sizeof bytes);
    made = true;
    put_uuid(out, bytes);
}

static void show_open_files(struct proc_text *out) {
    uint64_t count = 0;
    for (const struct process *p = &first_process; p; p = p->next)
        for (uint32_t i = 0; p->files && i < p->files->size; i++)
            if (file_lookup_in(p->files, (int)i, NULL)) count++;
    proc_print(out, "%lu\t0\t9223372036854775807\n", (unsigned long)count);
}

/* 1: the page cache, 2: names and inodes that nobody uses, and the stacks kept for threads to come; 3: both. */
static long store_drop_caches(const struct proc_text *about, const char *text, size_t size) {
    uint64_t what;
    (void)about, (void)size;
    if (!proc_number_of(text, &what) || what < 1 || what > 4) return -EINVAL;
    if (what & 1 && memory_reclaim) memory_reclaim(~0ull);
    if (what & 2 && vfs_forget_idle) vfs_forget_idle();
    if (what & 2 && stacks_free_kept) stacks_free_kept();
    return 0;
}

extern struct vm_commit vm_commit __attribute__((weak)); /* by `vm` */
static void show_commit(struct proc_text *out) {
    if (&vm_commit) proc_print(out, "%lu\n", (unsigned long)*(const uint64_t *)out->file->argument);
}
/* One of vm_commit's numbers. */
static long store_commit(const struct proc_text *about, const char *text, size_t size) {
    uint64_t value, *place = (uint64_t *)about->file->argument;
    (void)size;
    if (!proc_number_of(text, &value) || (place == &vm_commit.mode && value > COMMIT_NEVER)) return -EINVAL;
    *place = value;
    if (place == &vm_commit.ratio) vm_commit.kilobytes = 0; /* each rules the other out */
    if (place == &vm_commit.kilobytes) vm_commit.ratio = 0;
    return 0;
}

#define TEXT(name, value) { .path = "sys/" name, .mode = PROC_READ, .show = proc_show_text, .argument = value "\n" }
static const struct proc_file sys_files[] = {
    { .path = "sys/kernel/ostype", .mode = PROC_READ, .show = show_name, .argument = (void *)0 },
    { .path = "sys/kernel/hostname", .mode = PROC_WRITE, .show = show_name, .store = store_host, .argument = (void *)1 },
    { .path = "sys/kernel/osrelease", .mode = PROC_READ, .show = show_name, .argument = (void *)2 },
    { .path = "sys/kernel/version", .mode = PROC_READ, .show = show_name, .argument = (void *)3 },
    { .path = "sys/kernel/arch", .mode = PROC_READ, .show = show_name, .argument = (void *)4 },
    { .path = "sys/kernel/domainname", .mode = PROC_WRITE, .show = show_name, .store = store_domain, .argument = (void *)5 },
    { .path = "sys/kernel/random/uuid", .mode = PROC_READ, .show = show_uuid },
    { .path = "sys/kernel/random/boot_id", .mode = PROC_READ, .show = show_boot_id },
    TEXT("kernel/random/entropy_avail", "256"), TEXT("kernel/random/poolsize", "256"),
    TEXT("kernel/pid_max", "4194304"), TEXT("kernel/threads-max", "4194304"), TEXT("kernel/ngroups_max", "65536"), TEXT("kernel/cap_last_cap", "40"),
    TEXT("kernel/randomize_va_space", "2"), TEXT("kernel/overflowuid", "65534"), TEXT("kernel/overflowgid", "65534"), TEXT("kernel/core_pattern", "core"),
    TEXT("kernel/core_uses_pid", "0"), TEXT("kernel/dmesg_restrict", "1"), TEXT("kernel/kptr_restrict", "2"), TEXT("kernel/panic", "0"),
    TEXT("kernel/printk", "7\t4\t1\t7"), TEXT("kernel/sysrq", "0"), TEXT("kernel/tainted", "0"),
    { .path = "sys/vm/overcommit_memory", .mode = PROC_WRITE, .show = show_commit, .store = store_commit, .argument = &vm_commit.mode },
    { .path = "sys/vm/overcommit_ratio", .mode = PROC_WRITE, .show = show_commit, .store = store_commit, .argument = &vm_commit.ratio },
    { .path = "sys/vm/overcommit_kbytes", .mode = PROC_WRITE, .show = show_commit, .store = store_commit, .argument = &vm_commit.kilobytes },
    TEXT("vm/max_map_count", "2147483647"), /* any number of areas may be */
    TEXT("vm/mmap_min_addr", "65536"), TEXT("vm/swappiness", "0"), TEXT("vm/nr_hugepages", "0"), TEXT("vm/oom_kill_allocating_task", "0"), TEXT("vm/panic_on_oom", "0"),
    { .path = "sys/vm/drop_caches", .mode = S_IFREG | 0200, .store = store_drop_caches },
    { .path = "sys/fs/file-nr", .mode = PROC_READ, .show = show_open_files },
    TEXT("fs/file-max", "9223372036854775807"), TEXT("fs/nr_open", "65536"), TEXT("fs/overflowuid", "65534"), TEXT("fs/overflowgid", "65534"),
    TEXT("fs/protected_hardlinks", "0"), TEXT("fs/protected_symlinks", "0"), TEXT("fs/suid_dumpable", "0"), TEXT("fs/pipe-max-size", "1048576"),
};
HULL_PROC_FILES(PROC_SYSTEM, sys_files);
