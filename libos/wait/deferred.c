/* Deferred work: a first-in, first-out list; the only thing that interrupt handlers of the whole libOS change besides their device. */
#include "arch/arch.h"
#include "wait/wait.h"

static struct deferred *first, *last;

void deferred_raise(struct deferred *entry) {
    unsigned long flags = arch_irq_save();
    if (!entry->raised) {
        entry->raised = true;
        entry->next = NULL;
        if (first)
            last->next = entry;
        else
            first = entry;
        last = entry;
        arch_work = 1;
    }
    arch_irq_restore(flags);
}

void run_deferred(void) {
    for (;;) {
        unsigned long flags = arch_irq_save();
        struct deferred *entry = first;
        if (entry) {
            first = entry->next;
            entry->raised = false;
        }
        arch_irq_restore(flags);
        if (!entry)
            return;
        entry->run(entry);
    }
}

bool deferred_waiting(void) { return first != NULL; }
