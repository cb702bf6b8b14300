/*
 * What the machine says about itself: uname, sysinfo, the host name. Owns the host name.
 */
#include "abi/boot_abi.h"
#include "clock/clock.h"
#include "init/init.h"
#include "linux_abi.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

struct utsname { char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65]; };
static char domain_name[65] = "(none)", host_name[65];
static bool host_name_set;

static void put(char *to, const char *from) {
    while ((*to++ = *from++)) {}
}

static const char *get_host_name(void) {
    if (!host_name_set) {
        size_t size;
        const char *name = boot_module_find(HULL_MODULE_HOSTNAME, &size);
        host_name_set = true;
        if (!name || !size) put(host_name, "hull");
        else
            for (size_t i = 0; i < size && i < 64 && name[i]; i++) host_name[i] = name[i];
    }
    return host_name;
}

SYSCALL_DEFINE(uname, struct utsname *out) {
    struct utsname u;
    __builtin_memset(&u, 0, sizeof u);
    put(u.sysname, "Linux");
    put(u.nodename, get_host_name());
    put(u.release, "6.1.0-hull");
    put(u.version, "#1 hull");
    put(u.machine, LINUX_MACHINE);
    put(u.domainname, domain_name);
    return user_copy_out(out, &u, sizeof u);
}

static long set_name(char *to, const char *name, size_t length) {
    char copy[65] = {0};
    if (current_process()->credentials.euid) return -EPERM;
    if (length > 64) return -EINVAL;
    if (user_copy_in(copy, name, length)) return -EFAULT;
    __builtin_memcpy(to, copy, sizeof copy);
    return 0;
}

SYSCALL_DEFINE(sethostname, const char *name, size_t length) {
    get_host_name();
    return set_name(host_name, name, length);
}
SYSCALL_DEFINE(setdomainname, const char *name, size_t length) { return set_name(domain_name, name, length); }

struct sysinfo {
    int64_t uptime;
    uint64_t loads[3], total, free, shared, buffer, swap_total, swap_free;
    uint16_t processes, padding;
    uint64_t high_total, high_free;
    uint32_t unit;
};

uint64_t tmpfs_pages(void) __attribute__((weak)); /* by `tmpfs` */

/* As /proc/meminfo has it, in bytes: there is no swap, and no buffer that is not a page of a file. Linux counts threads here. */
SYSCALL_DEFINE(sysinfo, struct sysinfo *out) {
    struct sysinfo s = {.uptime = (int64_t)(clock_monotonic_ns() / 1000000000), .total = memory_total(), .free = memory_free(),
                        .shared = tmpfs_pages ? tmpfs_pages() * PAGE_SIZE : 0, .unit = 1};
    for (const struct process *p = &first_process; p; p = p->next)
        for (const struct thread *t = p->threads; t; t = t->next) s.processes++;
    return user_copy_out(out, &s, sizeof s);
}

/*
 * syslog(2). The libOS's own lines go to the host when they are made and are not kept: reading all finds nothing, in a buffer of no bytes, and clearing it is
 * done. Taking the next line, which would wait for ever, and the console's level are refused. dmesg_restrict is 1 (proc-sys).
 */
SYSCALL_DEFINE(syslog, int type, char *buffer, int length) {
    enum { CLOSE, OPEN, READ, READ_ALL, READ_CLEAR, CLEAR, CONSOLE_OFF, CONSOLE_ON, CONSOLE_LEVEL, SIZE_UNREAD, SIZE_BUFFER };
    if (current_process()->credentials.euid) return -EPERM;
    switch (type) {
    case CLOSE: case OPEN: case CLEAR: case SIZE_UNREAD: case SIZE_BUFFER: return 0;
    case READ: case READ_ALL: case READ_CLEAR:
        if (!buffer || length < 0) return -EINVAL;
        return length && type == READ ? -EPERM : 0;
    case CONSOLE_LEVEL: return length < 1 || length > 8 ? -EINVAL : -EPERM;
    case CONSOLE_OFF: case CONSOLE_ON: return -EPERM;
    default: return -EINVAL;
    }
}
