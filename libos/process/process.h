/*
 * Processes beyond the first: what fork makes, how they end, who waits for them. A process is a struct process (task.h) with an address
 * space, a descriptor table and signal actions of its own; its family part is here. One that has ended stays in the list, without these,
 * until its parent has waited for it. Orphans become children of the first process. Its end is the machine's.
 * Context: calls. Lock: the process list's (one CPU: nothing; calls are not preempted).
 */
#ifndef HULL_PROCESS_PROCESS_H
#define HULL_PROCESS_PROCESS_H
#include "signal/signal.h"
#include "thread/thread.h"
#include "wait/wait.h"

struct family {
    uint32_t references;      /* the list's, and each pidfd's: both structs live as long */
    uint32_t wait_status;     /* as wait(2) has it */
    int exit_signal, death_signal;
    bool ended;
    bool borrows;             /* a vfork child that still runs in its parent's space */
    int stop_signal;          /* stopped and not yet waited for */
    bool continued;           /* likewise */
    struct wait_queue changes; /* of its children: the parent waits here */
    struct wait_queue end;     /* its own: pidfds, the parent of a vfork */
    struct process *process;
};
extern struct family first_family;

/* clone without CLONE_THREAD. */
long process_clone(const struct trap_frame *frame, const struct clone_request *request);
void process_release_space(struct process *); /* exec and exit: a vfork parent goes on */
/* exec: ends all other threads; the current one goes on under the process's number. Returns false when the process itself is to end. */
bool process_end_other_threads(void);
void process_put(struct family *);
int pidfd_create(struct process *); /* a descriptor or -errno */
struct process *pidfd_process(int descriptor); /* NULL: not a pidfd */
#endif
