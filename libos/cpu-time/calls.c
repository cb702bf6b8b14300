/* getrusage(2), times(2). */
#include "clock/clock.h"
#include "cpu-time/internal.h"
#include "syscall/syscall.h"

enum { SELF = 0, CHILDREN = -1, THREAD = 1 };
#define TICK 10000000ull /* AT_CLKTCK: 100 Hz */

SYSCALL_DEFINE(getrusage, int who, struct rusage *out) {
    struct rusage usage;
    if (who == SELF) cpu_time_usage_process(current_process(), &usage);
    else if (who == CHILDREN) cpu_time_usage_children(current_process(), &usage);
    else if (who == THREAD) cpu_time_usage_thread(current_thread(), &usage);
    else return -EINVAL;
    return user_copy_out(out, &usage, sizeof usage);
}

SYSCALL_DEFINE(times, int64_t *out) {
    const struct usage *children = &current_process()->children;
    struct cpu_split own = cpu_time_split_process(current_process());
    int64_t all[4] = {(int64_t)(own.user / TICK), (int64_t)(own.system / TICK), (int64_t)(children->told_user / TICK), (int64_t)(children->told_system / TICK)};
    return out && user_copy_out(out, all, sizeof all) ? -EFAULT : (int64_t)(clock_monotonic_ns() / TICK);
}
