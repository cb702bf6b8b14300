/*
 * What a program may ask about CPUs and scheduling, answered for one CPU and the policy SCHED_OTHER. Yielding is in vain with one
 * thread; the scheduler component, where it is, is asked first.
 */
#include "clock/clock.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { POLICY_OTHER = 0, POLICY_FIFO = 1, POLICY_RR = 2, POLICY_BATCH = 3, POLICY_IDLE = 5, RESET_ON_FORK = 0x40000000 };
void sched_yield_to_others(void) __attribute__((weak));

/* Is there such a thread or process? All of them run alike. */
static bool self(int pid) { return !pid || process_find(pid) || thread_find(pid); }

SYSCALL_DEFINE(sched_yield, void) {
    if (sched_yield_to_others) sched_yield_to_others();
    return 0;
}

SYSCALL_DEFINE(sched_getaffinity, int pid, unsigned size, uint64_t *mask) {
    uint64_t one = 1;
    if (!self(pid)) return -ESRCH;
    if (size < 8 || size & 7) return -EINVAL;
    return user_copy_out(mask, &one, 8) ? -EFAULT : 8;
}

SYSCALL_DEFINE(sched_setaffinity, int pid, unsigned size, const uint8_t *mask) {
    uint8_t first = 0;
    if (!self(pid)) return -ESRCH;
    if (size && user_copy_in(&first, mask, 1)) return -EFAULT;
    return first & 1 ? 0 : -EINVAL;
}

static bool known(int policy) {
    policy &= ~RESET_ON_FORK;
    return (policy >= POLICY_OTHER && policy <= POLICY_BATCH) || policy == POLICY_IDLE;
}

SYSCALL_DEFINE(sched_getscheduler, int pid) { return pid < 0 ? -EINVAL : self(pid) ? POLICY_OTHER : -ESRCH; }

SYSCALL_DEFINE(sched_setscheduler, int pid, int policy, const int *priority) {
    int wanted;
    if (pid < 0 || !known(policy)) return -EINVAL;
    if (!self(pid)) return -ESRCH;
    if (user_copy_in(&wanted, priority, sizeof wanted)) return -EFAULT;
    policy &= ~RESET_ON_FORK;
    if (policy == POLICY_FIFO || policy == POLICY_RR) return wanted < 1 || wanted > 99 ? -EINVAL : -EPERM; /* no real-time scheduling */
    return wanted ? -EINVAL : 0;
}

SYSCALL_DEFINE(sched_getparam, int pid, int *priority) {
    int zero = 0;
    return pid < 0 ? -EINVAL : !self(pid) ? -ESRCH : user_copy_out(priority, &zero, sizeof zero);
}

SYSCALL_DEFINE(sched_setparam, int pid, const int *priority) { return sys_sched_setscheduler(pid, POLICY_OTHER, priority); }

SYSCALL_DEFINE(sched_get_priority_max, int policy) {
    return !known(policy) ? -EINVAL : policy == POLICY_FIFO || policy == POLICY_RR ? 99 : 0;
}
SYSCALL_DEFINE(sched_get_priority_min, int policy) {
    return !known(policy) ? -EINVAL : policy == POLICY_FIFO || policy == POLICY_RR ? 1 : 0;
}

SYSCALL_DEFINE(sched_rr_get_interval, int pid, int64_t *out) {
    int64_t interval[2] = {0, 4000000};
    return pid < 0 ? -EINVAL : !self(pid) ? -ESRCH : user_copy_out(out, interval, sizeof interval);
}

SYSCALL_DEFINE(getcpu, unsigned *cpu, unsigned *node) {
    unsigned id = this_cpu()->id, zero = 0;
    return (cpu && user_copy_out(cpu, &id, sizeof id)) || (node && user_copy_out(node, &zero, sizeof zero)) ? -EFAULT : 0;
}

/* One CPU: every access of another thread is ordered already. Query says that the barriers can be had. */
SYSCALL_DEFINE(membarrier, int command, unsigned flags, int cpu) {
    (void)cpu;
    enum { SUPPORTED = 0x7f };
    if (flags) return -EINVAL;
    if (!command) return SUPPORTED;
    return command & ~SUPPORTED || command & (command - 1) ? -EINVAL : 0;
}
