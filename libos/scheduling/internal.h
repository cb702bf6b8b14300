/* Private to scheduling. */
#ifndef HULL_SCHEDULING_INTERNAL_H
#define HULL_SCHEDULING_INTERNAL_H
#include "syscall/syscall.h"
#include "task/task.h"
#include "thread/thread.h"

enum { NICE_LEAST = -20, NICE_MOST = 19 };

/* The thread with this number; 0: the current one; NULL: none. */
struct thread *scheduling_find(int tid);
/* May the current process change this one's? Its own user's, and the superuser. */
bool scheduling_owns(const struct thread *);
/* May it have this nice value (RLIMIT_NICE)? */
bool scheduling_may_be(const struct thread *, int nice);
static inline bool scheduling_superuser(void) { return !current_process()->credentials.euid; }
/* After `scheduling` was written: what its slices cost, and its place in the queues. */
void scheduling_apply(struct thread *);
/* Calls visit for each thread that getpriority(2)'s and ioprio_set(2)'s words mean. which: 0 thread, 1 process group, 2 user; who 0: the caller's. */
void scheduling_visit(int which, int who, void (*visit)(struct thread *, void *), void *argument);
#endif
