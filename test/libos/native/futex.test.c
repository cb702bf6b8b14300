/*
 * Futex queues against a model: who is woken by WAKE, its bits, WAKE_OP, REQUEUE and CMP_REQUEUE, oldest first; who is moved wakes with those of its new
 * word, behind them; who gave up is in no queue. Words are many, so that buckets are shared.
 * sources: libos/futex/futex.c
 */
#include "stand_ins.h"
#include "arch/arch.h"
#include "futex/internal.h"

enum { WORDS = 200, WAITERS = 48, STEPS = 300000, PRIVATE = 128 };
static struct process self_process;
static struct thread self_thread = {.process = &self_process};
struct cpu cpu_zero = {.current = &self_thread};
bool arch_lookup(arch_root root, uintptr_t address, uint64_t *page, unsigned *protection) { (void)root, (void)address, (void)page, (void)protection; return false; }
int user_copy_in(void *to, const void *from, size_t size) { __builtin_memcpy(to, from, size); return 0; }
int user_copy_out(void *to, const void *from, size_t size) { __builtin_memcpy(to, from, size); return 0; }
uint64_t clock_monotonic_ns(void) { return 1; }
uint64_t clock_realtime_ns(void) { return 1; }
int wait_until(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t deadline, int interruptible) {
    (void)queue, (void)deadline, (void)interruptible;
    return condition(argument) ? 0 : -ETIMEDOUT;
}
static long woken_by_queue;
void wait_queue_wake(struct wait_queue *queue, int count) { (void)queue, (void)count; woken_by_queue++; }
long futex_lock_pi(uint32_t *word, bool shared, uint64_t deadline, bool tries) { (void)word, (void)shared, (void)deadline, (void)tries; return -ENOSYS; }
long futex_unlock_pi(uint32_t *word, bool shared) { (void)word, (void)shared; return -ENOSYS; }
long futex_wait_requeue_pi(const uint32_t *word, bool shared, uint32_t expected, uint64_t deadline, uint32_t *other) {
    (void)word, (void)shared, (void)expected, (void)deadline, (void)other;
    return -ENOSYS;
}
long futex_requeue_pi(struct futex_key from, struct futex_key to, uint32_t *other, int move) { (void)from, (void)to, (void)other, (void)move; return -ENOSYS; }
long sys_futex(uint32_t *word, int operation, uint32_t value, const struct timespec64 *timeout, uint32_t *other, uint32_t value3);

static uint32_t words[WORDS];
static struct { struct futex_waiter *waiter; int word; long order; bool out; } model[WAITERS]; /* out: it was woken, as the model has it */
static struct wait_queue queues[WAITERS];
static long now;

/* The oldest that waits for the word with one of the bits; -1. */
static int oldest(int word, uint32_t bits) {
    int found = -1;
    for (int i = 0; i < WAITERS; i++)
        if (model[i].waiter && !model[i].out && model[i].word == word && model[i].waiter->bits & bits && (found < 0 || model[i].order < model[found].order)) found = i;
    return found;
}
static long model_wake(int word, int count, uint32_t bits) {
    long done = 0;
    for (int i; done < count && (i = oldest(word, bits)) >= 0; done++) model[i].out = true;
    return done;
}
static long model_requeue(int from, int to, int wake, int move) {
    long done = model_wake(from, wake, ~0u);
    if (from == to) return done;
    for (int i; move-- > 0 && (i = oldest(from, ~0u)) >= 0; done++) {
        model[i].word = to;
        model[i].order = now++;
    }
    return done;
}

static void same(void) {
    for (int i = 0; i < WAITERS; i++)
        if (model[i].waiter && model[i].waiter->woken != model[i].out) CHECK(model[i].waiter->woken == model[i].out);
}

static long call(int word, int operation, uint32_t value, long count, int other, uint32_t value3) {
    return sys_futex(&words[word], operation | PRIVATE, value, (void *)(intptr_t)count, &words[other], value3);
}

int main(void) {
    long wakes = 0, moves = 0;
    for (long step = 0; step < STEPS; step++) {
        int slot = (int)any(WAITERS), word = (int)any(any(4) ? 4 : WORDS), other = (int)any(any(4) ? 4 : WORDS), wake = (int)any(3), move = (int)any(4);
        uint32_t bits = any(3) ? ~0u : 1u << any(4);
        switch (any(8)) {
        case 0: case 1: case 2: /* one more waits, or one that waited gives up or goes on */
            if (model[slot].waiter) {
                if (!model[slot].waiter->woken) futex_waiter_remove(model[slot].waiter);
                free(model[slot].waiter);
                model[slot].waiter = NULL;
            } else {
                model[slot].waiter = calloc(1, sizeof *model[slot].waiter);
                *model[slot].waiter = (struct futex_waiter){.bits = bits, .queue = &queues[slot], .key = {NULL, (uintptr_t)&words[word]}};
                model[slot].word = word, model[slot].order = now++, model[slot].out = false;
                futex_waiter_add(model[slot].waiter);
            }
            break;
        case 3: { /* WAKE wakes one at least */
            long got = call(word, 1, (uint32_t)wake, 0, 0, 0), wanted = model_wake(word, wake < 1 ? 1 : wake, ~0u);
            EQUAL(got, wanted);
            wakes += got;
            break;
        }
        case 4: EQUAL(call(word, 10, (uint32_t)wake + 1, 0, 0, bits), model_wake(word, wake + 1, bits)); break;
        case 5: {
            long got = call(word, 3, (uint32_t)wake, move, other, 0), wanted = model_requeue(word, other, wake, move);
            EQUAL(got, wanted);
            moves += got;
            break;
        }
        case 6: /* CMP_REQUEUE, with the word as it should be or not */
            if (any(2)) EQUAL(call(word, 4, (uint32_t)wake, move, other, words[word]), model_requeue(word, other, wake, move));
            else EQUAL(call(word, 4, (uint32_t)wake, move, other, words[word] + 1), -EAGAIN);
            break;
        default: { /* WAKE_OP: other += 1, and its waiters too if it was more than 5 */
            bool second = words[other] > 5;
            uint32_t after = words[other] + 1;
            long wanted = model_wake(word, wake < 1 ? 1 : wake, ~0u);
            if (second) wanted += model_wake(other, move < 1 ? 1 : move, ~0u);
            EQUAL(call(word, 5, (uint32_t)wake, move, other, 1u << 28 | 4u << 24 | 1u << 12 | 5), wanted);
            EQUAL(words[other], after);
            if (words[other] > 10) words[other] = 0;
        }
        }
        same();
    }
    for (int i = 0; i < WAITERS; i++) {
        if (model[i].waiter && !model[i].waiter->woken) futex_waiter_remove(model[i].waiter);
        free(model[i].waiter);
    }
    for (int i = 0; i < WORDS; i++) CHECK(!futex_waiter_first((struct futex_key){NULL, (uintptr_t)&words[i]}));
    CHECK(wakes > 1000 && moves > 1000 && woken_by_queue > 1000);
    words[0] = 7; /* bad calls */
    EQUAL(sys_futex((uint32_t *)((char *)words + 2), 1 | PRIVATE, 1, NULL, NULL, 0), -EINVAL);
    EQUAL(call(0, 10, 1, 0, 0, 0), -EINVAL);
    EQUAL(call(0, 3, (uint32_t)-1, 1, 1, 0), -EINVAL);
    EQUAL(call(0, 3, 1, -1, 1, 0), -EINVAL);
    EQUAL(call(0, 0, 8, 0, 0, 0), -EAGAIN);
    EQUAL(call(0, 0, 7, 0, 0, 0), -ETIMEDOUT);
    EQUAL(call(0, 99, 1, 0, 0, 0), -ENOSYS);
    CHECK(!futex_waiter_first((struct futex_key){NULL, (uintptr_t)&words[0]}));
    return report("futex");
}
