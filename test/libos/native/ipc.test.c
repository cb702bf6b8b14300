/*
 * Semaphore operations against a model: whole or not at all, in order, undone by a process's end; waiting calls go on, oldest first, as soon as
 * they can, and never before.
 * sources: libos/ipc-sem/operations.c
 */
#include "stand_ins.h"
#include "ipc-sem/internal.h"

enum { COUNT = 4, PROCESSES = 3, WAITERS = 6, STEPS = 200000 };
void wait_queue_wake(struct wait_queue *queue, int count) { (void)queue, (void)count; }

static struct sem_set *set;
static struct sem_undo *undos[PROCESSES];
static int values[COUNT], adjusts[PROCESSES][COUNT]; /* the model */

/* The operations on copies; 0, 1 blocked, -1 out of range. */
static int model(const struct sem_operation *ops, unsigned count, int process, bool apply) {
    int v[COUNT], a[COUNT];
    for (int i = 0; i < COUNT; i++) v[i] = values[i], a[i] = adjusts[process][i];
    for (unsigned i = 0; i < count; i++) {
        int n = ops[i].number;
        if (!ops[i].operation && v[n]) return 1;
        v[n] += ops[i].operation;
        if (v[n] < 0) return 1;
        if (v[n] > SEM_VALUE_MOST) return -1;
        if (ops[i].flags & SEM_UNDO) a[n] -= ops[i].operation;
        if (a[n] < -32768 || a[n] > 32767) return -1;
    }
    for (int i = 0; i < COUNT && apply; i++) values[i] = v[i], adjusts[process][i] = a[i];
    return 0;
}

static void same(void) {
    for (int i = 0; i < COUNT; i++) CHECK(set->semaphores[i].value == values[i]);
    for (int p = 0; p < PROCESSES; p++)
        for (int i = 0; i < COUNT; i++) CHECK(undos[p]->adjust[i] == adjusts[p][i]);
}

static unsigned make(struct sem_operation *ops) {
    unsigned count = 1 + any(4);
    for (unsigned i = 0; i < count; i++) {
        int by = any(8) ? (int)any(7) - 3 : (int)any(65535) - 32767;
        ops[i] = (struct sem_operation){(uint16_t)any(COUNT), (int16_t)by, any(3) ? 0 : SEM_UNDO};
    }
    return count;
}

static struct sem_waiter waiters[WAITERS];
static struct sem_operation waiting[WAITERS][4];

int main(void) {
    set = calloc(1, sizeof *set + COUNT * sizeof *set->semaphores);
    set->count = COUNT;
    for (int p = 0; p < PROCESSES; p++) {
        undos[p] = calloc(1, sizeof **undos + COUNT * sizeof(int16_t));
        undos[p]->pid = p + 1;
        undos[p]->next = set->undos;
        set->undos = undos[p];
    }
    long done = 0, blocked = 0, refused = 0, later = 0;
    for (int step = 0; step < STEPS; step++) {
        struct sem_operation ops[4];
        unsigned blocking, count = make(ops);
        int process = (int)any(PROCESSES), wanted = model(ops, count, process, true);
        int result = sem_try(set, ops, count, process + 1, undos[process], &blocking);
        CHECK((result == 0) == (wanted == 0) && (result == SEM_BLOCKS) == (wanted == 1));
        *(wanted ? wanted > 0 ? &blocked : &refused : &done) += 1;
        same();
        if (wanted == 1) { /* it waits, when there is room */
            int slot = 0;
            while (slot < WAITERS && waiters[slot].operations) slot++;
            if (slot < WAITERS) {
                for (unsigned i = 0; i < count; i++) waiting[slot][i] = ops[i];
                waiters[slot] = (struct sem_waiter){.operations = waiting[slot], .count = count, .undo = undos[process], .pid = process + 1};
                struct sem_waiter **link = &set->waiters;
                while (*link) link = &(*link)->next;
                *link = &waiters[slot];
            }
        }
        /* The model's own way: from the oldest on, again from the oldest after each that changed something. */
        for (struct sem_waiter *w = set->waiters, *next; w; w = next) {
            int r = model(w->operations, w->count, w->pid - 1, false);
            bool passed = false;
            for (int i = 0; i < WAITERS; i++)
                if (&waiters[i] == w && waiters[i].queue.first) passed = true; /* used as a mark here */
            next = w->next;
            if (r == 1 || passed) continue;
            if (!r) model(w->operations, w->count, w->pid - 1, true);
            w->queue.first = (struct waiter *)1;
            later++;
            if (!r) next = set->waiters;
        }
        sem_settle(set);
        same();
        for (int i = 0; i < WAITERS; i++) {
            CHECK(waiters[i].done == (waiters[i].queue.first != NULL));
            if (waiters[i].done) waiters[i] = (struct sem_waiter){0};
        }
        if (!any(10) && set->waiters) { /* the oldest gives up */
            struct sem_waiter *oldest = set->waiters;
            set->waiters = oldest->next;
            *oldest = (struct sem_waiter){0};
        }
        if (!any(50)) { /* a process ends */
            int p = (int)any(PROCESSES);
            bool sleeps = false;
            for (struct sem_waiter *w = set->waiters; w; w = w->next) sleeps |= w->pid == p + 1;
            if (sleeps) continue;
            sem_take_back(set, undos[p]);
            for (int i = 0; i < COUNT; i++) {
                int v = values[i] + adjusts[p][i];
                values[i] = v < 0 ? 0 : v > SEM_VALUE_MOST ? SEM_VALUE_MOST : v;
                adjusts[p][i] = undos[p]->adjust[i] = 0;
            }
            same();
        }
        if (!any(100)) { /* SETVAL */
            unsigned n = any(COUNT);
            set->semaphores[n].value = values[n] = (int)any(10);
            sem_forget_adjustments(set, n);
            for (int p = 0; p < PROCESSES; p++) adjusts[p][n] = 0;
        }
    }
    CHECK(done > 1000 && blocked > 1000 && refused > 100 && later > 100);
    for (int p = 0; p < PROCESSES; p++) free(undos[p]);
    free(set);
    return report("ipc");
}
