/* What waits for the way out to the program: deferred work, then signals. For all instruction sets, whose entries call this by a weak reference. */
#include "arch/arch.h"
#include "wait/wait.h"

#pragma weak signal_deliver

void arch_work_run(struct trap_frame *frame) {
    while (arch_work) {
        arch_work = 0;
        run_deferred();
        if (signal_deliver)
            signal_deliver(frame);
    }
}
