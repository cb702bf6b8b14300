/*
 * poll and select. Owns nothing that outlives a call: a waiter for each queue that the files name, all waking one queue of the call's own.
 * Files say what is ready now and add their queues in the same step, so no wake between the two is lost.
 */
#include "abi/linux_file.h"
#include "clock/clock.h"
#include "file/file.h"
#include "init/init.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "signal/signal.h"
#include "syscall/syscall.h"
#include "task/task.h"

/* Absent where the signal component is. */
extern __typeof(signal_mask_for_call) signal_mask_for_call __attribute__((weak));
extern __typeof(signal_mask_call_end) signal_mask_call_end __attribute__((weak));
#pragma weak limit_descriptors /* by `system` */
#define SIGNAL_MASK_SIZE 8

/* The mask of a p-form, until the call's signals have been delivered. 0, -EINVAL, -EFAULT. */
static long use_mask(const void *program, size_t size) {
    uint64_t mask;
    if (!program || !signal_mask_for_call) return 0;
    if (size != SIGNAL_MASK_SIZE) return -EINVAL;
    if (user_copy_in(&mask, program, sizeof mask)) return -EFAULT;
    signal_mask_for_call(mask);
    return 0;
}

static long end_mask(long result) { return signal_mask_call_end ? signal_mask_call_end(result) : result; }

#define WAITERS_A_BLOCK 16
struct entry { struct waiter waiter; struct wait_queue *queue; struct poller *poller; };
struct block { struct block *next; unsigned used; struct entry entries[WAITERS_A_BLOCK]; };
struct poller {
    struct poll_wait wait; /* first */
    struct wait_queue own;
    bool woken, out_of_memory;
    struct block *blocks;
    struct block first;
};

static void wake(struct waiter *waiter) {
    struct poller *poller = ((struct entry *)waiter)->poller;
    poller->woken = true;
    wait_queue_wake(&poller->own, -1);
}

static void add(struct poll_wait *wait, struct wait_queue *queue) {
    struct poller *poller = (struct poller *)wait;
    struct block *block = poller->blocks;
    if (block->used == WAITERS_A_BLOCK) {
        block = kmalloc(sizeof *block);
        if (!block) {
            poller->out_of_memory = true;
            return;
        }
        block->used = 0;
        block->next = poller->blocks;
        poller->blocks = block;
    }
    struct entry *entry = &block->entries[block->used++];
    *entry = (struct entry){ .waiter = { .thread = current_thread(), .wake = wake }, .queue = queue, .poller = poller };
    wait_queue_add(queue, &entry->waiter);
}

static void poller_start(struct poller *poller) {
    poller->wait.add = add;
    poller->own.first = NULL;
    poller->woken = poller->out_of_memory = false;
    poller->blocks = &poller->first;
    poller->first.used = 0;
    poller->first.next = NULL;
}

static void poller_end(struct poller *poller) {
    for (struct block *block = poller->blocks, *next; block; block = next) {
        next = block->next;
        for (unsigned i = 0; i < block->used; i++) wait_queue_remove(block->entries[i].queue, &block->entries[i].waiter);
        if (block != &poller->first) kfree(block);
    }
}

static bool was_woken(void *argument) {
    return ((struct poller *)argument)->woken;
}

/* One look at all files: how many have events. wait: NULL for a look only. */
typedef int (*look)(void *set, struct poll_wait *wait);

/* deadline: UINT64_MAX waits for ever, 0 does not wait. Ready files, 0, -EINTR or -ENOMEM. */
static long poll_until(look look_at, void *set, uint64_t deadline) {
    struct poller poller;
    poller_start(&poller);
    run_deferred(); /* what interrupts brought, also for who only looks */
    int ready = look_at(set, deadline ? &poller.wait : NULL);
    long error = poller.out_of_memory ? -ENOMEM : 0;
    while (!ready && deadline && !error) {
        error = wait_until(&poller.own, was_woken, &poller, deadline == UINT64_MAX ? 0 : deadline, WAIT_BREAKS);
        poller.woken = false;
        ready = look_at(set, NULL);
    }
    poller_end(&poller);
    return ready ? ready : error == -ETIMEDOUT ? 0 : error;
}

static unsigned events_of(int descriptor, unsigned wanted, struct poll_wait *wait) {
    struct file *file = file_lookup(descriptor);
    if (!file) return POLLNVAL;
    unsigned events = file->ops->poll ? file->ops->poll(file, wait) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    return events & (wanted | POLLERR | POLLHUP);
}

struct poll_set { struct linux_pollfd *entries; unsigned count; };
static int look_poll(void *argument, struct poll_wait *wait) {
    struct poll_set *set = argument;
    int ready = 0;
    for (unsigned i = 0; i < set->count; i++) {
        struct linux_pollfd *entry = &set->entries[i];
        entry->revents = entry->fd < 0 ? 0 : (int16_t)events_of(entry->fd, (uint16_t)entry->events, wait);
        if (entry->revents) ready++;
    }
    return ready;
}

#define ENTRIES_ON_STACK 16
static long poll_common(struct linux_pollfd *program, unsigned count, uint64_t deadline) {
    struct linux_pollfd few[ENTRIES_ON_STACK];
    struct poll_set set = { few, count };
    size_t size = count * sizeof *program;
    if (count > (limit_descriptors ? limit_descriptors(current_process()) : FILE_FIRST_DESCRIPTORS)) return -EINVAL;
    if (count > ENTRIES_ON_STACK && !(set.entries = kmalloc(size))) return -ENOMEM;
    long result = user_copy_in(set.entries, program, size);
    if (!result) result = poll_until(look_poll, &set, deadline);
    if (result >= 0)
        for (unsigned i = 0; i < count; i++)
            if (user_copy_out(&program[i].revents, &set.entries[i].revents, sizeof(int16_t))) {
                result = -EFAULT;
                break;
            }
    if (set.entries != few) kfree(set.entries);
    return result;
}

SYSCALL_DEFINE(poll, struct linux_pollfd *entries, unsigned count, int timeout_ms) {
    uint64_t deadline = timeout_ms < 0 ? UINT64_MAX : timeout_ms == 0 ? 0 : clock_monotonic_ns() + (uint64_t)timeout_ms * 1000000;
    return poll_common(entries, count, deadline);
}

/* A relative time as seconds and a fraction in units of `unit` nanoseconds; NULL waits for ever. 0, -EFAULT, -EINVAL. */
static int read_timeout(const struct linux_timespec *program, uint64_t unit, uint64_t *deadline) {
    struct linux_timespec time;
    *deadline = UINT64_MAX;
    if (!program) return 0;
    if (user_copy_in(&time, program, sizeof time)) return -EFAULT;
    if (time.seconds < 0 || time.nanoseconds < 0) return -EINVAL;
    if (unit == 1 && time.nanoseconds > 999999999) return -EINVAL;
    if (time.seconds > 9000000000) return 0;
    uint64_t span = (uint64_t)time.seconds * 1000000000 + (uint64_t)time.nanoseconds * unit;
    *deadline = span ? clock_monotonic_ns() + span : 0;
    return 0;
}

/* Linux writes the time that was left back. */
static void write_left(struct linux_timespec *program, uint64_t unit, uint64_t deadline) {
    if (!program || deadline == UINT64_MAX) return;
    uint64_t now = deadline ? clock_monotonic_ns() : 0, left = deadline > now ? deadline - now : 0;
    struct linux_timespec time = { (int64_t)(left / 1000000000), (int64_t)(left % 1000000000 / unit) };
    user_copy_out(program, &time, sizeof time);
}

SYSCALL_DEFINE(ppoll, struct linux_pollfd *entries, unsigned count, struct linux_timespec *timeout, const void *mask, size_t mask_size) {
    uint64_t deadline;
    long result = read_timeout(timeout, 1, &deadline);
    if (result) return result;
    if ((result = use_mask(mask, mask_size))) return result;
    result = poll_common(entries, count, deadline);
    write_left(timeout, 1, deadline);
    return end_mask(result);
}

enum { SELECT_COUNT = 1024 }; /* an fd_set's; programs with more descriptors pass larger ones */
struct select_set { int count; unsigned words; uint64_t *in[3], *out[3], bits[]; };
static const unsigned select_wanted[3] = { POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM, POLLPRI };
static const unsigned select_means[3] = { POLLIN | POLLRDNORM | POLLHUP | POLLERR, POLLOUT | POLLWRNORM | POLLERR, POLLPRI };

static int look_select(void *argument, struct poll_wait *wait) {
    struct select_set *set = argument;
    int ready = 0;
    memset(set->out[0], 0, 3ul * set->words * sizeof(uint64_t));
    for (int descriptor = 0; descriptor < set->count; descriptor++) {
        unsigned word = (unsigned)descriptor / 64, wanted = 0;
        uint64_t bit = 1ull << (descriptor & 63);
        for (int kind = 0; kind < 3; kind++)
            if (set->in[kind][word] & bit) wanted |= select_wanted[kind];
        if (!wanted) continue;
        unsigned events = events_of(descriptor, wanted, wait);
        for (int kind = 0; kind < 3; kind++)
            if (set->in[kind][word] & bit && events & select_means[kind]) {
                set->out[kind][word] |= bit;
                ready++;
            }
    }
    return ready;
}

/* Every descriptor that is asked about must be open (select(2)). */
static bool all_open(const struct select_set *set) {
    for (int descriptor = 0; descriptor < set->count; descriptor++) {
        unsigned word = (unsigned)descriptor / 64;
        uint64_t any = set->in[0][word] | set->in[1][word] | set->in[2][word];
        if (any >> (descriptor & 63) & 1 && !file_lookup(descriptor)) return false;
    }
    return true;
}

static long select_common(int count, void *const program[3], uint64_t deadline) {
    if (count < 0) return -EINVAL;
    int most = current_process()->files->size > SELECT_COUNT ? (int)current_process()->files->size : SELECT_COUNT;
    if (count > most) count = most;
    unsigned words = ((unsigned)count + 63) / 64;
    size_t size = words * sizeof(uint64_t);
    struct select_set *set = kzalloc(sizeof *set + 6 * size);
    if (!set) return -ENOMEM;
    set->words = words;
    for (unsigned kind = 0; kind < 3; kind++) {
        set->in[kind] = set->bits + kind * words;
        set->out[kind] = set->bits + (3 + kind) * words;
    }
    long result = 0;
    set->count = count;
    for (int kind = 0; kind < 3; kind++)
        if (program[kind] && user_copy_in(set->in[kind], program[kind], size)) result = -EFAULT;
    if (count & 63)
        for (int kind = 0; kind < 3; kind++) set->in[kind][count / 64] &= (1ull << (count & 63)) - 1;
    if (!result && !all_open(set)) result = -EBADF;
    if (!result) result = poll_until(look_select, set, deadline);
    for (int kind = 0; kind < 3 && result >= 0; kind++)
        if (program[kind] && user_copy_out(program[kind], set->out[kind], size)) result = -EFAULT;
    kfree(set);
    return result;
}

SYSCALL_DEFINE(select, int count, void *in, void *out, void *exceptional, struct linux_timespec *timeout) {
    uint64_t deadline;
    long result = read_timeout(timeout, 1000, &deadline);
    if (result) return result;
    result = select_common(count, (void *const[]){ in, out, exceptional }, deadline);
    write_left(timeout, 1000, deadline);
    return result;
}

SYSCALL_DEFINE(pselect6, int count, void *in, void *out, void *exceptional, struct linux_timespec *timeout, const void *packed_mask) {
    struct { const void *mask; size_t size; } packed = { NULL, 0 };
    uint64_t deadline;
    long result = read_timeout(timeout, 1, &deadline);
    if (result) return result;
    if (packed_mask && user_copy_in(&packed, packed_mask, sizeof packed)) return -EFAULT;
    if ((result = use_mask(packed.mask, packed.size))) return result;
    result = select_common(count, (void *const[]){ in, out, exceptional }, deadline);
    write_left(timeout, 1, deadline);
    return end_mask(result);
}
