/*
 * The signal calls.
 */
#include "signal/internal.h"
#include "clock/clock.h"
#include "init/init.h"
#include "wait/wait.h"

enum { SIGNAL_BLOCK = 0, SIGNAL_UNBLOCK = 1, SIGNAL_SETMASK = 2, SET_SIZE = 8, LEAST_STACK = 2048 };

static bool valid(int number) { return number >= 1 && number <= SIGNAL_COUNT; }

SYSCALL_DEFINE(rt_sigaction, int number, const struct signal_action *wanted, struct signal_action *old, size_t set_size) {
    struct signal_action action, before;
    if (set_size != SET_SIZE || !valid(number)) return -EINVAL;
    if (wanted && (number == SIGKILL || number == SIGSTOP)) return -EINVAL;
    if (wanted && user_copy_in(&action, wanted, sizeof action)) return -EFAULT;
    before = signal_state()->actions[number - 1];
    if (old && user_copy_out(old, &before, sizeof before)) return -EFAULT;
    if (wanted) {
        action.mask &= ~SIGNALS_UNBLOCKABLE;
        signal_state()->actions[number - 1] = action;
        signal_forget_ignored(number);
    }
    return 0;
}

SYSCALL_DEFINE(rt_sigprocmask, int how, const uint64_t *wanted, uint64_t *old, size_t set_size) {
    uint64_t mask = current_thread()->signal_mask, set;
    if (set_size != SET_SIZE) return -EINVAL;
    if (wanted) {
        if (user_copy_in(&set, wanted, sizeof set)) return -EFAULT;
        if (how < SIGNAL_BLOCK || how > SIGNAL_SETMASK) return -EINVAL;
        signal_set_mask(how == SIGNAL_BLOCK ? mask | set : how == SIGNAL_UNBLOCK ? mask & ~set : set);
    }
    signal_point();
    return old ? user_copy_out(old, &mask, sizeof mask) : 0;
}

SYSCALL_DEFINE(rt_sigpending, uint64_t *out, size_t set_size) {
    uint64_t pending = (current_thread()->signal_pending | current_process()->signal_pending) & current_thread()->signal_mask;
    return set_size > SET_SIZE ? -EINVAL : user_copy_out(out, &pending, set_size);
}

static bool never(void *argument) {
    (void)argument;
    return false;
}

static long sleep_until_signal(void) {
    struct wait_queue nobody = {0};
    return wait_until(&nobody, never, NULL, 0, WAIT_BREAKS);
}

SYSCALL_DEFINE(pause, void) {
    return sleep_until_signal();
}

SYSCALL_DEFINE(rt_sigsuspend, const uint64_t *mask, size_t set_size) {
    uint64_t set;
    if (set_size != SET_SIZE) return -EINVAL;
    if (user_copy_in(&set, mask, sizeof set)) return -EFAULT;
    signal_mask_for_call(set);
    return sleep_until_signal();
}

static bool is_pending(void *argument) {
    return (current_thread()->signal_pending | current_process()->signal_pending) & *(uint64_t *)argument;
}

SYSCALL_DEFINE(rt_sigtimedwait, const uint64_t *mask, void *out, const int64_t *timeout, size_t set_size) {
    uint64_t set, deadline = 0;
    int64_t t[2];
    struct signal_info info;
    if (set_size != SET_SIZE) return -EINVAL;
    if (user_copy_in(&set, mask, sizeof set)) return -EFAULT;
    if (timeout) {
        if (user_copy_in(t, timeout, sizeof t)) return -EFAULT;
        if (t[0] < 0 || (uint64_t)t[1] > 999999999) return -EINVAL;
        deadline = clock_monotonic_ns() + (t[0] > 4000000000 ? 4000000000000000000ull : (uint64_t)t[0] * 1000000000 + (uint64_t)t[1]);
    }
    set &= ~SIGNALS_UNBLOCKABLE;
    uint64_t before = current_thread()->signal_mask;
    current_thread()->signal_mask |= set; /* what is waited for shall not also be delivered */
    int result = timeout && !t[0] && !t[1] ? (is_pending(&set) ? 0 : -ETIMEDOUT) : wait_until(&signal_arrivals, is_pending, &set, deadline, WAIT_BREAKS);
    signal_set_mask(before);
    if (result == -ETIMEDOUT) return -EAGAIN;
    if (result) return result;
    signal_take(set, &info);
    uint8_t whole[128] = {0};
    __builtin_memcpy(whole, &info, sizeof info);
    return out && user_copy_out(out, whole, sizeof whole) ? -EFAULT : info.number;
}

SYSCALL_DEFINE(sigaltstack, const struct signal_stack *wanted, struct signal_stack *old) {
    struct signal_thread *state = signal_thread();
    struct signal_stack now = state->stack, next;
    uintptr_t sp = arch_call_sp();
    bool on_stack = !(now.flags & (SS_DISABLE | SS_AUTODISARM)) && sp - now.base < now.size;
    if (wanted) {
        if (user_copy_in(&next, wanted, sizeof next)) return -EFAULT;
        if (on_stack) return -EPERM;
        uint32_t mode = next.flags & ~SS_AUTODISARM;
        if (mode != SS_DISABLE && mode != SS_ONSTACK && mode) return -EINVAL;
        if (mode == SS_DISABLE) next.base = next.size = 0;
        else if (next.size < LEAST_STACK) return -ENOMEM;
        next.flags = mode == SS_DISABLE ? SS_DISABLE : next.flags & SS_AUTODISARM;
        state->stack = next;
    }
    if (on_stack) now.flags |= SS_ONSTACK;
    return old ? user_copy_out(old, &now, sizeof now) : 0;
}

/* Linux's kill(2): root, or the same user. */
static bool may_send(const struct process *to, int number) {
    const struct credentials *own = &current_process()->credentials, *other = &to->credentials;
    return !own->euid || own->euid == other->suid || own->euid == other->uid || own->uid == other->suid || own->uid == other->uid ||
           (number == SIGCONT && current_process()->session == to->session);
}

static long send_one(struct process *to, int number, const struct signal_info *info) {
    if (!may_send(to, number)) return -EPERM;
    return number ? signal_send(to, info) : 0;
}

/* The group, or with 0 all but the first process and the own one. One that could be reached is success. */
static long send_many(int group, int number, const struct signal_info *info) {
    long result = -ESRCH;
    for (struct process *to = &first_process; to; to = to->next) {
        if (group ? to->group != group : to == &first_process || to == current_process()) continue;
        long one = send_one(to, number, info);
        if (!one || result == -ESRCH) result = one;
    }
    return result;
}

int process_signal_group(int group, const struct signal_info *info) {
    int result = -ESRCH;
    for (struct process *to = &first_process; to; to = to->next)
        if (to->group == group) result = signal_send(to, info);
    return result;
}

static long send(int pid, int number, const struct signal_info *info) {
    long result;
    if (number < 0 || number > SIGNAL_COUNT) return -EINVAL;
    if (pid == -1 || pid <= 0) {
        result = pid == (int)0x80000000 ? -ESRCH : send_many(pid == -1 ? 0 : pid ? -pid : current_process()->group, number, info);
    } else {
        struct process *to = process_find(pid);
        struct thread *thread = to ? NULL : thread_find(pid); /* a thread's number names its process, too */
        if (thread) to = thread->process;
        result = to ? send_one(to, number, info) : -ESRCH;
    }
    signal_point();
    return result;
}

static long send_to_thread(int process, int tid, int number, const struct signal_info *info) {
    if ((process <= 0 && process != -1) || tid <= 0) return -EINVAL;
    struct thread *thread = thread_find(tid);
    if (!thread || (process != -1 && thread->process->pid != process)) return -ESRCH;
    if (number < 0 || number > SIGNAL_COUNT) return -EINVAL;
    if (!may_send(thread->process, number)) return -EPERM;
    int error = number ? signal_send_thread(thread, info) : 0;
    signal_point();
    return error;
}

static struct signal_info from_self(int number, int code) {
    struct process *self = current_process();
    struct signal_info info = {.number = number, .code = code};
    info.pid = self->pid;
    info.uid = self->credentials.uid;
    return info;
}

SYSCALL_DEFINE(kill, int pid, int number) {
    struct signal_info info = from_self(number, SI_USER);
    return send(pid, number, &info);
}
SYSCALL_DEFINE(tgkill, int process, int thread, int number) {
    struct signal_info info = from_self(number, SI_TKILL);
    return process <= 0 ? -EINVAL : send_to_thread(process, thread, number, &info);
}
SYSCALL_DEFINE(tkill, int thread, int number) {
    struct signal_info info = from_self(number, SI_TKILL);
    return send_to_thread(-1, thread, number, &info);
}

SYSCALL_DEFINE(rt_sigqueueinfo, int pid, int number, const struct signal_info *info) {
    struct signal_info in;
    if (user_copy_in(&in, info, sizeof in)) return -EFAULT;
    if ((in.code >= 0 || in.code == SI_TKILL) && pid != current_process()->pid) return -EPERM;
    in.number = number;
    return pid <= 0 ? -ESRCH : send(pid, number, &in);
}
SYSCALL_DEFINE(rt_tgsigqueueinfo, int process, int thread, int number, const struct signal_info *info) {
    if (process <= 0 || thread <= 0) return -EINVAL;
    struct signal_info in;
    if (user_copy_in(&in, info, sizeof in)) return -EFAULT;
    if ((in.code >= 0 || in.code == SI_TKILL) && process != current_process()->pid) return -EPERM;
    in.number = number;
    return send_to_thread(process, thread, number, &in);
}
