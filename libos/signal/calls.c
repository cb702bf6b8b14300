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
    uint64_t pending = current_thread()->signal_pending & current_thread()->signal_mask;
    return set_size > SET_SIZE ? -EINVAL : user_copy_out(out, &pending, set_size);
}

static bool never(void *argument) {
    (void)argument;
    return false;
}

static long sleep_until_signal(void) {
    struct wait_queue nobody = {0};
    return wait_until(&nobody, never, NULL, 0, true);
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

static bool is_pending(void *argument) { return current_thread()->signal_pending & *(uint64_t *)argument; }

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
    struct wait_queue nobody = {0};
    uint64_t before = current_thread()->signal_mask;
    current_thread()->signal_mask |= set; /* what is waited for shall not also be delivered */
    int result = timeout && !t[0] && !t[1] ? (is_pending(&set) ? 0 : -ETIMEDOUT) : wait_until(&nobody, is_pending, &set, deadline, true);
    signal_set_mask(before);
    if (result == -ETIMEDOUT) return -EAGAIN;
    if (result) return result;
    signal_take(set, &info);
    uint8_t whole[128] = {0};
    __builtin_memcpy(whole, &info, sizeof info);
    return out && user_copy_out(out, whole, sizeof whole) ? -EFAULT : info.number;
}

SYSCALL_DEFINE(sigaltstack, const struct signal_stack *wanted, struct signal_stack *old) {
    struct signal_state *state = signal_state();
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

static long send(int pid, int number, const struct signal_info *info) {
    struct process *self = current_process();
    /* 0, -1 and the own group name everybody there is: this process. */
    if (pid && pid != -1 && pid != self->pid && pid != -self->group) return -ESRCH;
    if (number < 0 || number > SIGNAL_COUNT) return -EINVAL;
    int error = number ? signal_send(self, info) : 0;
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
    return pid == -1 ? -ESRCH : send(pid, number, &info);
}
SYSCALL_DEFINE(tgkill, int process, int thread, int number) {
    struct signal_info info = from_self(number, SI_TKILL);
    if (process <= 0 || thread <= 0) return -EINVAL;
    if (process != current_process()->pid || thread != current_thread()->tid) return -ESRCH;
    return send(process, number, &info);
}
SYSCALL_DEFINE(tkill, int thread, int number) { return sys_tgkill(thread > 0 ? current_process()->pid : 0, thread, number); }

SYSCALL_DEFINE(rt_sigqueueinfo, int pid, int number, const struct signal_info *info) {
    struct signal_info in;
    if (user_copy_in(&in, info, sizeof in)) return -EFAULT;
    if ((in.code >= 0 || in.code == SI_TKILL) && pid != current_process()->pid) return -EPERM;
    in.number = number;
    return pid <= 0 ? -ESRCH : send(pid, number, &in);
}
SYSCALL_DEFINE(rt_tgsigqueueinfo, int process, int thread, int number, const struct signal_info *info) {
    if (process <= 0 || thread <= 0) return -EINVAL;
    if (thread != current_thread()->tid) return -ESRCH;
    return sys_rt_sigqueueinfo(process, number, info);
}
