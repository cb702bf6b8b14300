/*
 * What nobody asks for gets to the device, too: changes of a call after five seconds, pages that a mapping changed unseen after thirty.
 * It never waits for a file system's lock: who has it may be about to free it.
 */
#include "ext4/internal.h"
#include "flusher/flusher.h"

#define SOON_NS 200000000ull /* when the lock was taken, or memory short */

static struct flusher flusher = { .pass = ext4_flusher_pass };

/* The earlier of two moments, of which 0 is never. */
static uint64_t earlier(uint64_t a, uint64_t b) { return !a || (b && b < a) ? b : a; }

/* When something of it is too old; 0: it has nothing. */
static uint64_t due(const struct ext4 *fs) {
    if (fs->failed || fs->super.read_only) return 0;
    uint64_t when = fs->opened_ns ? fs->opened_ns + FLUSHER_OLD_NS : 0;
    if (fs->dirty_pages) when = earlier(when, fs->dirty_ns + FLUSHER_OLD_NS);
    return fs->lent_pages ? earlier(when, fs->lent_ns + FLUSHER_MAPPED_NS) : when;
}

static int write_old(struct ext4 *fs, uint64_t now) {
    bool lent = fs->lent_pages && now >= fs->lent_ns + FLUSHER_MAPPED_NS;
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
        if (when && now >= when && !fs->turn.owner) {
            if (write_old(fs, now)) return now + 5 * SOON_NS;
            fs = ext4_first; /* the list may have changed over the sleep; what was written is not due any more */
            continue;
        }
        if (when) next = earlier(next, now >= when ? now + SOON_NS : when);
        fs = fs->next_system;
    }
    return next;
}

void ext4_flusher_start(void) { flusher_start(&flusher); }
void ext4_flusher_expect(void) { flusher_expect(clock_monotonic_ns() + FLUSHER_OLD_NS); }
