/* Operations on a set's semaphores, whole or not at all (semop(2)); hardware-free. */
#include "ipc-sem/internal.h"
#include "syscall/errno.h"

static void restore(struct sem_set *set, const struct sem_operation *operations, unsigned count, struct sem_undo *undo) {
    while (count--) {
        set->semaphores[operations[count].number].value -= operations[count].operation;
        if (operations[count].flags & SEM_UNDO) undo->adjust[operations[count].number] += operations[count].operation;
    }
}

int sem_try(struct sem_set *set, const struct sem_operation *operations, unsigned count, int pid, struct sem_undo *undo, unsigned *blocking) {
    for (unsigned i = 0; i < count; i++) {
        const struct sem_operation *op = &operations[i];
        int value = set->semaphores[op->number].value, result = value + op->operation, error = 0;
        if ((!op->operation && value) || result < 0) error = SEM_BLOCKS;
        else if (result > SEM_VALUE_MOST) error = -ERANGE;
        int adjust = op->flags & SEM_UNDO ? undo->adjust[op->number] - op->operation : 0;
        if (!error && (adjust > SEM_VALUE_MOST || adjust < -SEM_VALUE_MOST - 1)) error = -ERANGE;
        if (error) {
            *blocking = i;
            restore(set, operations, i, undo);
            return error;
        }
        set->semaphores[op->number].value = result;
        if (op->flags & SEM_UNDO) undo->adjust[op->number] = (int16_t)adjust;
    }
    for (unsigned i = 0; i < count; i++) set->semaphores[operations[i].number].pid = pid;
    return 0;
}

bool sem_settle(struct sem_set *set) {
    bool any = false;
    for (struct sem_waiter **link = &set->waiters, *waiter; (waiter = *link);) {
        int result = sem_try(set, waiter->operations, waiter->count, waiter->pid, waiter->undo, &waiter->blocking);
        if (result == SEM_BLOCKS) {
            link = &waiter->next;
            continue;
        }
        *link = waiter->next;
        waiter->result = result;
        waiter->done = any = true;
        wait_queue_wake(&waiter->queue, -1);
        if (!result) link = &set->waiters; /* what it changed may let an older one go on */
    }
    return any;
}

void sem_take_back(struct sem_set *set, struct sem_undo *undo) {
    for (unsigned i = 0; i < set->count; i++) {
        if (!undo->adjust[i]) continue;
        int value = set->semaphores[i].value + undo->adjust[i];
        set->semaphores[i].value = value < 0 ? 0 : value > SEM_VALUE_MOST ? SEM_VALUE_MOST : value;
        set->semaphores[i].pid = undo->pid;
    }
}

void sem_forget_adjustments(struct sem_set *set, unsigned number) {
    for (struct sem_undo *undo = set->undos; undo; undo = undo->next) undo->adjust[number] = 0;
}
