/*
 * What the machine says about itself: uname, sysinfo, the host name. Owns the host name.
 */
#include "abi/boot_abi.h"
#include "clock/clock.h"
#include "init/init.h"
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
    put(u.machine, "x86_64");
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

SYSCALL_DEFINE(sysinfo, struct sysinfo *out) {
    struct sysinfo s = {.uptime = (int64_t)(clock_monotonic_ns() / 1000000000), .total = memory_total(), .free = memory_free(),
                        .processes = 1, .unit = 1};
    return user_copy_out(out, &s, sizeof s);
}

SYSCALL_DEFINE(syslog, int type, char *buffer, int length) {
    (void)type, (void)buffer, (void)length;
    return -EPERM; /* the log is the host's */
}
