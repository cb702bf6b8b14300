/* Private to thread. */
#ifndef HULL_THREAD_INTERNAL_H
#define HULL_THREAD_INTERNAL_H
#include "syscall/syscall.h"
#include "thread/thread.h"
/* What each thread does first when it has been switched to. */
void sched_resumed(void);
void thread_free(struct thread *thread);
#endif
