/*
 * Scheduling policies by sched_setscheduler(2), sched_setattr(2) and their kin: SCHED_OTHER, BATCH (the same here), IDLE, FIFO and RR, with the permissions
 * of sched(7). SCHED_DEADLINE is not there: EINVAL.
 */
#include "scheduling/internal.h"

enum { KEEP = -1, REALTIME_MOST = 99, RESET_BIT = 0x40000000 };
enum { RESET_ON_FORK = 1, KEEP_POLICY = 8, KEEP_PARAMETERS = 0x10, FLAGS_KNOWN = RESET_ON_FORK | KEEP_POLICY | KEEP_PARAMETERS };
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t clamp_least, clamp_most; /* there are no utilization clamps: 0 */
};
enum { ATTRIBUTES_LEAST = 48 }; /* SCHED_ATTR_SIZE_VER0 */
_Static_assert(sizeof(struct attributes) == 56, "SCHED_ATTR_SIZE_VER1");

uint64_t limit_realtime(const struct process *process); /* by `system` */

static bool realtime(int policy) { return policy == POLICY_FIFO || policy == POLICY_RR; }
static bool known(int policy) { return (policy >= POLICY_OTHER && policy <= POLICY_BATCH) || policy == POLICY_IDLE; }

struct wish { int policy, priority, nice; bool reset; };

/* What sched(7) allows who has no privilege. */
static bool allowed(const struct thread *thread, const struct wish *wish) {
    const struct scheduling *now = &thread->scheduling;
    if (scheduling_superuser()) return true;
    if (!realtime(wish->policy) && wish->nice < now->nice && !scheduling_may_be(thread, wish->nice)) return false;
    if (realtime(wish->policy)) {
        uint64_t most = limit_realtime(thread->process);
        if (wish->policy != now->policy && !most) return false;
        if (wish->priority > now->realtime && (uint64_t)wish->priority > most) return false;
    }
    if (now->policy == POLICY_IDLE && wish->policy != POLICY_IDLE && !scheduling_may_be(thread, now->nice)) return false;
    return scheduling_owns(thread) && (!now->reset_on_fork || wish->reset);
}

static long set(struct thread *thread, struct wish wish) {
    struct scheduling *s = &thread->scheduling;
    if (wish.policy == KEEP) {
        wish.policy = s->policy;
        wish.reset = s->reset_on_fork;
    }
    if (!known(wish.policy) || wish.priority < 0 || wish.priority > REALTIME_MOST || realtime(wish.policy) != (wish.priority != 0)) return -EINVAL;
    if (!allowed(thread, &wish)) return -EPERM;
    s->policy = (uint8_t)wish.policy;
    s->realtime = (uint8_t)wish.priority;
    s->reset_on_fork = wish.reset;
    if (!realtime(wish.policy)) s->nice = (int8_t)wish.nice;
    scheduling_apply(thread);
    return 0;
}

static long set_priority(int pid, int policy, const int *priority) {
    int wanted;
    if (pid < 0 || !priority) return -EINVAL;
    if (user_copy_in(&wanted, priority, sizeof wanted)) return -EFAULT;
    struct thread *thread = scheduling_find(pid);
    if (!thread) return -ESRCH;
    bool reset = policy != KEEP && policy & RESET_BIT;
    return set(thread, (struct wish){policy == KEEP ? KEEP : policy & ~RESET_BIT, wanted, thread->scheduling.nice, reset});
}

SYSCALL_DEFINE(sched_setscheduler, int pid, int policy, const int *priority) { return policy < 0 ? -EINVAL : set_priority(pid, policy, priority); }
SYSCALL_DEFINE(sched_setparam, int pid, const int *priority) { return set_priority(pid, KEEP, priority); }

SYSCALL_DEFINE(sched_getscheduler, int pid) {
    const struct thread *thread = scheduling_find(pid);
    if (pid < 0) return -EINVAL;
    return !thread ? -ESRCH : thread->scheduling.policy | (thread->scheduling.reset_on_fork ? RESET_BIT : 0);
}

SYSCALL_DEFINE(sched_getparam, int pid, int *priority) {
    if (pid < 0 || !priority) return -EINVAL;
    const struct thread *thread = scheduling_find(pid);
    if (!thread) return -ESRCH;
    int value = thread->scheduling.realtime;
    return user_copy_out(priority, &value, sizeof value);
}

/* Larger ones than ours are good as long as what we do not know is zero: else the program is told our size. */
static long read_attributes(struct attributes *to, const uint8_t *from) {
    uint32_t size, own = sizeof *to;
    if (user_copy_in(&size, from, sizeof size)) return -EFAULT;
    if (!size) size = own;
    bool bad = size < ATTRIBUTES_LEAST || size > 4096;
    for (uint32_t at = own; !bad && at < size; at++) {
        uint8_t byte;
        if (user_copy_in(&byte, from + at, 1)) return -EFAULT;
        bad = byte;
    }
    if (bad) return user_copy_out((uint8_t *)from, &own, sizeof own) ? -EFAULT : -E2BIG;
    *to = (struct attributes){0};
    return user_copy_in(to, from, size < own ? size : own) ? -EFAULT : 0;
}

SYSCALL_DEFINE(sched_setattr, int pid, const uint8_t *from, unsigned flags) {
    struct attributes a;
    if (!from || pid < 0 || flags) return -EINVAL;
    long error = read_attributes(&a, from);
    if (error) return error;
    if ((int)a.policy < 0) return -EINVAL;
    struct thread *thread = scheduling_find(pid);
    if (!thread) return -ESRCH;
    if (a.flags & ~(uint64_t)FLAGS_KNOWN || a.priority > REALTIME_MOST) return -EINVAL;
    struct wish wish = {(int)a.policy, (int)a.priority, a.nice < NICE_LEAST ? NICE_LEAST : a.nice > NICE_MOST ? NICE_MOST : a.nice, a.flags & RESET_ON_FORK};
    if (a.flags & KEEP_POLICY) wish.policy = KEEP;
    if (a.flags & KEEP_PARAMETERS) wish.priority = thread->scheduling.realtime, wish.nice = thread->scheduling.nice;
    return set(thread, wish);
}

SYSCALL_DEFINE(sched_getattr, int pid, void *to, unsigned size, unsigned flags) {
    if (!to || pid < 0 || size < ATTRIBUTES_LEAST || size > 4096 || flags) return -EINVAL;
    const struct thread *thread = scheduling_find(pid);
    if (!thread) return -ESRCH;
    const struct scheduling *s = &thread->scheduling;
    struct attributes a = {.size = size < sizeof a ? size : sizeof a, .policy = s->policy, .flags = s->reset_on_fork ? RESET_ON_FORK : 0, .priority = s->realtime};
    if (!s->realtime) a.nice = s->nice;
    return user_copy_out(to, &a, a.size);
}

SYSCALL_DEFINE(sched_get_priority_max, int policy) { return !known(policy) ? -EINVAL : realtime(policy) ? REALTIME_MOST : 0; }
SYSCALL_DEFINE(sched_get_priority_min, int policy) { return !known(policy) ? -EINVAL : realtime(policy) ? 1 : 0; }

SYSCALL_DEFINE(sched_rr_get_interval, int pid, int64_t *out) {
    if (pid < 0) return -EINVAL;
    const struct thread *thread = scheduling_find(pid);
    if (!thread) return -ESRCH;
    int64_t interval[2] = {0, thread->scheduling.fifo ? 0 : SCHED_SLICE_NS};
    return user_copy_out(out, interval, sizeof interval);
}
