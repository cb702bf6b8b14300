/*
 * Resource limits. Owns the first process's. What nothing here exceeds is not enforced; descriptors and the stack's size are fixed.
 */
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { LIMIT_COUNT = 16, STACK = 3, CORE = 4, NPROC = 6, NOFILE = 7, MEMLOCK = 8, SIGPENDING = 11, MSGQUEUE = 12, NICE = 13, RTPRIO = 14 };
#define INFINITE (~0ull)
struct rlimit64 { uint64_t current, most; };

/* Index 0..15: cpu, fsize, data, stack, core, rss, nproc, nofile, memlock, as, locks, sigpending, msgqueue, nice, rtprio, rttime. */
static struct rlimit64 limits[LIMIT_COUNT];
static bool ready;

static struct rlimit64 *limit(unsigned resource) {
    if (!ready) {
        for (unsigned i = 0; i < LIMIT_COUNT; i++) limits[i] = (struct rlimit64){INFINITE, INFINITE};
        limits[STACK].current = 8ul << 20;
        limits[CORE].current = 0;
        limits[NOFILE] = (struct rlimit64){1024, 1024};
        limits[NPROC] = limits[SIGPENDING] = (struct rlimit64){4096, 4096};
        limits[MEMLOCK] = (struct rlimit64){8ul << 20, 8ul << 20};
        limits[MSGQUEUE] = (struct rlimit64){819200, 819200};
        limits[NICE] = limits[RTPRIO] = (struct rlimit64){0, 0};
        ready = true;
    }
    return resource < LIMIT_COUNT ? &limits[resource] : NULL;
}

SYSCALL_DEFINE(prlimit64, int pid, unsigned resource, const struct rlimit64 *wanted, struct rlimit64 *old) {
    struct rlimit64 *l = limit(resource), before, now;
    if (!l) return -EINVAL;
    if (pid && pid != current_process()->pid) return -ESRCH;
    before = *l;
    if (wanted) {
        if (user_copy_in(&now, wanted, sizeof now)) return -EFAULT;
        if (now.current > now.most) return -EINVAL;
        if (now.most > before.most && (current_process()->credentials.euid || resource == NOFILE)) return -EPERM;
    }
    if (old && user_copy_out(old, &before, sizeof before)) return -EFAULT;
    if (wanted) *l = now;
    return 0;
}

SYSCALL_DEFINE(getrlimit, unsigned resource, struct rlimit64 *out) {
    return sys_prlimit64(0, resource, NULL, out);
}
SYSCALL_DEFINE(setrlimit, unsigned resource, const struct rlimit64 *wanted) {
    return sys_prlimit64(0, resource, wanted, NULL);
}
