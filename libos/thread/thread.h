/*
 * Threads beyond the first, and the scheduler that all of them share: a thread runs until it waits or, while others are
 * ready, until its time is over. Real-time threads go before all others; these take turns, the more often the less nice they are. The libOS itself is never preempted: a thread is changed only where it waits or on its way back to
 * program text. Nothing ticks while at most one thread is ready.
 * Context: calls, and bottom halves for sched_ready. Lock: the run queue's, on one CPU interrupts off or nothing at all.
 */
#ifndef HULL_THREAD_THREAD_H
#define HULL_THREAD_THREAD_H
#include "task/task.h"

/* Linux's clone(2). */
enum { CLONE_VM = 0x100, CLONE_FS = 0x200, CLONE_FILES = 0x400, CLONE_SIGHAND = 0x800, CLONE_PIDFD = 0x1000, CLONE_PTRACE = 0x2000,
       CLONE_VFORK = 0x4000, CLONE_PARENT = 0x8000, CLONE_THREAD = 0x10000, CLONE_NEWNS = 0x20000, CLONE_SYSVSEM = 0x40000,
       CLONE_SETTLS = 0x80000, CLONE_PARENT_SETTID = 0x100000, CLONE_CHILD_CLEARTID = 0x200000, CLONE_DETACHED = 0x400000,
       CLONE_UNTRACED = 0x800000, CLONE_CHILD_SETTID = 0x1000000 };
#define CLONE_NEW 0x7e020080ul /* namespaces: NEWTIME, NEWNS, NEWCGROUP … NEWNET */
struct clone_request { uint64_t flags; uintptr_t stack, tls; int *parent_tid, *child_tid, *pidfd; int exit_signal, wanted_tid; };

/* A thread of `process` (the current one, or one that is being made) that goes on as the frame says, on the request's stack when it has one.
 * Not in the process's list and not ready yet. 0 or -errno. */
int thread_create(struct process *process, const struct trap_frame *frame, const struct clone_request *request, struct thread **out);
/* A thread that begins in the libOS: entry(thread), interrupts off, which first calls sched_resumed() and never returns. As for the rest, like thread_create. */
int thread_create_at(struct process *process, void (*entry)(void *), struct thread **out);
void sched_resumed(void);
void thread_start(struct thread *thread); /* puts it in its process's list and makes it ready */
void thread_discard(struct thread *thread); /* instead of thread_start */
/* clone with CLONE_THREAD: the new thread's number or -errno. */
long thread_clone(const struct trap_frame *frame, const struct clone_request *request);
int thread_number(void); /* a number that no process and no thread has */

/* Ends the current thread as its process's exit or exec wants it: robust futexes, clear_child_tid. It is in no list afterwards. */
void thread_release(void);
_Noreturn void thread_gone(void); /* after thread_release: never runs again, its memory is freed */

/* The scheduler. */
void sched_block(void); /* interrupts off; returns when the thread was made ready */
void sched_ready(struct thread *thread);
void sched_hurry(struct thread *thread); /* and it is the next to run: whose end gives others what they wait for */
void sched_yield_to_others(void);
void sched_changed(struct thread *thread); /* its `scheduling` was written: takes the place that it has now */
#define SCHED_SLICE_NS 10000000
#define SCHED_STRIDE 65536 /* of nice 0; each step of nice is a factor of 1.25 */
#endif
