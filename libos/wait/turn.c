/* Turns: a lock whose holder may sleep. */
#include "task/task.h"
#include "wait/wait.h"

static bool is_free(void *turn) { return !((struct turn *)turn)->owner; }

void turn_take(struct turn *turn) {
    while (turn->owner)
        wait_until(&turn->others, is_free, turn, 0, false);
    turn->owner = current_thread();
}

void turn_end(struct turn *turn) {
    turn->owner = NULL;
    if (turn->others.first)
        wait_queue_wake(&turn->others, 1);
}
