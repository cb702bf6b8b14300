/* Private to ipc-sem: sets, and whether a list of operations can be done. */
#ifndef HULL_IPC_SEM_INTERNAL_H
#define HULL_IPC_SEM_INTERNAL_H
#include "ipc/ipc.h"
#include "wait/wait.h"

enum { SEM_UNDO = 010000, SEM_VALUE_MOST = 32767, SEM_MOST = 32000, SEM_OPERATIONS_MOST = 500 };
enum { SEM_BLOCKS = 1 }; /* not an error number: the operations have to wait */

struct sem_operation { uint16_t number; int16_t operation, flags; };
struct semaphore { int value, pid; };
/* What a process's end gives back to a set: adjustments, one for each semaphore. */
struct sem_undo { struct sem_undo *next; int pid; int16_t adjust[]; };
/* A call that sleeps. Operations are done for it by whoever makes that possible. blocking: which of its operations cannot be done. */
struct sem_waiter {
    struct sem_waiter *next;
    const struct sem_operation *operations;
    unsigned count, blocking;
    struct sem_undo *undo;
    int pid, result;
    bool done;
    struct wait_queue queue;
};
struct sem_set {
    struct ipc_object object; /* first */
    unsigned count;
    int64_t operated, changed;
    struct sem_waiter *waiters; /* oldest first */
    struct sem_undo *undos;
    struct semaphore semaphores[];
};

/* All of the operations or none: 0, SEM_BLOCKS with *blocking, -ERANGE. undo: for those with SEM_UNDO; NULL when none has it. */
int sem_try(struct sem_set *, const struct sem_operation *, unsigned count, int pid, struct sem_undo *undo, unsigned *blocking);
/* Values changed: does what waiting calls ask for, oldest first, as long as one can go on. Sets done and result and wakes them. */
bool sem_settle(struct sem_set *);
/* Takes back what the process's operations with SEM_UNDO did. */
void sem_take_back(struct sem_set *, struct sem_undo *);
void sem_forget_adjustments(struct sem_set *, unsigned number); /* SETVAL */
#endif
