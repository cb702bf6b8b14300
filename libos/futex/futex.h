/*
 * Futexes: threads that wait for a word of program memory. A word is known by the physical page that a shared mapping shows at it, or by its
 * address space and address. Context: calls.
 */
#ifndef HULL_FUTEX_FUTEX_H
#define HULL_FUTEX_FUTEX_H
#include "task/task.h"
/* What the end of a thread means for those that wait: its robust list (set_robust_list(2)), its clear_child_tid. */
void futex_thread_end(struct thread *thread);
#endif
