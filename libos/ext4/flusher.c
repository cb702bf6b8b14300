/*
 * What nobody asks for gets to the device, too. Owns the thread that writes: changes of a call after five seconds, pages that a mapping changed unseen after thirty (they have to be
 * hashed to be found). It is in no process's list, and sleeps while nothing changed.
 * It never waits for a file system's lock: who has it may be about to free it.
 */
#include "ext4/internal.h"
#include "thread/thread.h"

#define OLD_NS 5000000000ull
#define LENT_OLD_NS 30000000000ull
#define SOON_NS 200000000ull /* when the lock was taken, or memory short */

static struct wait_queue flusher;
static bool running, woken;
static bool is_woken(void *argument) {
    (void)argument;
    return woken;
}

static void look(struct timer *timer) {
    (void)timer;
    woken = true;
    wait_queue_wake(&flusher, -1);
}
static struct timer next_look = { .run = look };

static void look_at(uint64_t when) {
    timer_remove(&next_look);
    next_look.deadline_ns = when;
    timer_add(&next_look);
}

/* The earlier of two moments, of which 0 is never. */
static uint64_t earlier(uint64_t a, uint64_t b) { return !a || (b && b < a) ? b : a; }

/* When something of it is too old; 0: it has nothing. */
static uint64_t due(const struct ext4 *fs) {
    if (fs->failed || fs->super.read_only) return 0;
    uint64_t when = fs->opened_ns ? fs->opened_ns + OLD_NS : 0;
    if (fs->dirty_pages) when = earlier(when, fs->dirty_ns + OLD_NS);
    return fs->lent_pages ? earlier(when, fs->lent_ns + LENT_OLD_NS) : when;
}

static int write_old(struct ext4 *fs, uint64_t now) {
    bool lent = fs->lent_pages && now >= fs->lent_ns + LENT_OLD_NS;
    ext4_lock(fs);
    int error = ext4_write_dirty(fs, lent);
    if (lent) fs->lent_ns = now;
    if (!error) error = ext4_commit(fs);
    ext4_unlock(fs);
    return error;
}

uint64_t ext4_flusher_pass(void) {
    uint64_t now = clock_monotonic_ns(), next = 0;
    for (struct ext4 *fs = ext4_first; fs;) {
        uint64_t when = due(fs);
        if (when && now >= when && !fs->owner) {
            if (write_old(fs, now)) return now + 5 * SOON_NS;
            fs = ext4_first; /* the list may have changed over the sleep; what was written is not due any more */
            continue;
        }
        if (when) next = earlier(next, now >= when ? now + SOON_NS : when);
        fs = fs->next_system;
    }
    return next;
}

static void begin(void *argument) {
    (void)argument;
    sched_resumed();
    for (;;) {
        wait_until(&flusher, is_woken, NULL, 0, false);
        woken = false;
        uint64_t when = ext4_flusher_pass();
        if (when) look_at(when);
    }
}

void ext4_flusher_start(void) {
    struct thread *thread;
    if (running || thread_create_at(&first_process, begin, &thread)) return;
    running = true;
    memcpy(thread->name, "ext4", 5);
    sched_ready(thread);
}

void ext4_flusher_expect(void) {
    uint64_t when = clock_monotonic_ns() + OLD_NS;
    if (!next_look.link || next_look.deadline_ns > when) look_at(when);
}
