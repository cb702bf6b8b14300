/*
 * What a program may ask about CPUs, answered for one. Yielding is in vain with one
 * thread; the scheduler component, where it is, is asked first.
 */
#include "clock/clock.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

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

SYSCALL_DEFINE(getcpu, unsigned *cpu, unsigned *node) {
    unsigned id = this_cpu()->id, zero = 0;
    return (cpu && user_copy_out(cpu, &id, sizeof id)) || (node && user_copy_out(node, &zero, sizeof zero)) ? -EFAULT : 0;
}

/*
 * One CPU: every access of another thread is ordered already, so a barrier has nothing to do (membarrier(2)). The expedited private ones want to have been
 * registered for. Those of restartable sequences are not there, as rseq(2) is not.
 */
SYSCALL_DEFINE(membarrier, int command, unsigned flags, int cpu) {
    (void)cpu;
    enum { GLOBAL = 1, GLOBAL_EXPEDITED = 2, REGISTER_GLOBAL = 4, PRIVATE = 8, REGISTER_PRIVATE = 16, SYNC_CORE = 32, REGISTER_SYNC_CORE = 64,
           GET_REGISTRATIONS = 512, SUPPORTED = 0x7f | GET_REGISTRATIONS };
    uint16_t *registered = &current_process()->options.barriers;
    if (flags) return -EINVAL;
    switch (command) {
    case 0: return SUPPORTED;
    case GLOBAL: case GLOBAL_EXPEDITED: return 0;
    case REGISTER_GLOBAL: case REGISTER_PRIVATE: case REGISTER_SYNC_CORE: *registered |= (uint16_t)command; return 0;
    case PRIVATE: case SYNC_CORE: return *registered & command << 1 ? 0 : -EPERM;
    case GET_REGISTRATIONS: return *registered;
    default: return -EINVAL;
    }
}

/* What a signal interrupts goes on by itself here; nothing ever waits for this call (restart_syscall(2)). */
SYSCALL_DEFINE(restart_syscall, void) { return -EINTR; }
