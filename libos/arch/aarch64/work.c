/* What waits for the way out to the program: in images in which something can wait (component `wait`). */
#include "internal.h"

#pragma GCC visibility push(hidden)
void arch_work_run(struct trap_frame *frame);
void run_deferred(void);
#pragma GCC visibility pop
#pragma weak signal_deliver

/* Runs what waits for the way out to the program. */
void arch_work_run(struct trap_frame *frame) {
    while (arch_work) {
        arch_work = 0;
        run_deferred();
        if (signal_deliver)
            signal_deliver(frame);
    }
}
