/* The thread that writes what nobody asks for, and the timer that wakes it. */
#include "flusher/flusher.h"
#include "clock/clock.h"
#include "lib/string.h"
#include "thread/thread.h"
#include "wait/wait.h"

static struct wait_queue sleeping;
static struct flusher *first;
static bool running, woken;
static bool is_woken(void *argument) {
    (void)argument;
    return woken;
}

static void look(struct timer *timer) {
    (void)timer;
    woken = true;
    wait_queue_wake(&sleeping, -1);
}
static struct timer next_look = { .run = look };

void flusher_expect(uint64_t when) {
    if (next_look.link && next_look.deadline_ns <= when) return;
    timer_remove(&next_look);
    next_look.deadline_ns = when;
    timer_add(&next_look);
}

static void begin(void *argument) {
    (void)argument;
    sched_resumed();
    for (;;) {
        wait_until(&sleeping, is_woken, NULL, 0, false);
        woken = false;
        for (struct flusher *at = first; at; at = at->next) {
            uint64_t when = at->pass();
            if (when) flusher_expect(when);
        }
    }
}

void flusher_start(struct flusher *flusher) {
    struct thread *thread;
    if (!flusher->known) {
        flusher->known = true;
        flusher->next = first;
        first = flusher;
    }
    if (running || thread_create_at(&first_process, begin, &thread)) return;
    running = true;
    memcpy(thread->name, "flusher", 8);
    sched_ready(thread);
}
