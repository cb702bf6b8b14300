// variants: glibc musl linked
// flags: -pthread
/* FUTEX_WAIT_REQUEUE_PI and FUTEX_CMP_REQUEUE_PI: a condition's waiters come to have, or to wait for, a lock with an owner. Prints what Linux prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAIT = 0, WAKE = 1, REQUEUE = 3, CMP_REQUEUE = 4, LOCK_PI = 6, UNLOCK_PI = 7, WAIT_REQUEUE_PI = 11, CMP_REQUEUE_PI = 12, PRIVATE = 128, MOST = 4 };
#define TID 0x3fffffffu
#define WAITERS 0x80000000u

static volatile uint32_t condition, lock, other;
static volatile int held, count, about_to;
static long futex(volatile uint32_t *word, int op, uint32_t value, long timeout, volatile uint32_t *second, uint32_t third) {
    long result = syscall(SYS_futex, word, op | PRIVATE, value, timeout, second, third);
    return result < 0 ? -errno : result;
}
static void nap(int ms) { nanosleep(&(struct timespec){0, ms * 1000000l}, NULL); }
static uint32_t self(void) { return (uint32_t)syscall(SYS_gettid); }
#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))

static void *waits(void *argument) {
    about_to = 1;
    long result = futex(&condition, WAIT_REQUEUE_PI, 0, 0, &lock, 0);
    int inside = __atomic_add_fetch(&held, 1, __ATOMIC_SEQ_CST);
    if (result || inside != 1 || (lock & TID) != self()) printf("waiter: %ld, %d inside, owner %d\n", result, inside, (lock & TID) == self());
    (void)argument;
    count++;
    nap(1);
    __atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST);
    result = futex(&lock, UNLOCK_PI, 0, 0, NULL, 0);
    if (result) printf("unlock: %ld\n", result);
    return NULL;
}

/* Until a thread sleeps: it says so last before it does. */
static void sleeps(void) {
    while (!about_to) nap(1);
    about_to = 0;
    nap(100);
}
static pthread_t threads[MOST];
static void start(int number) {
    held = count = 0;
    for (int i = 0; i < number; i++) {
        pthread_create(&threads[i], NULL, waits, NULL);
        sleeps();
    }
}
static void all_end(int number) {
    for (int i = 0; i < number; i++) pthread_join(threads[i], NULL);
    printf("%d went through, lock %s\n", count, lock ? "not free" : "free");
}

static void *plain(void *argument) {
    (void)argument;
    about_to = 1;
    long result = futex(&condition, WAIT, 0, 0, NULL, 0);
    if (result) printf("plain: %ld\n", result);
    return NULL;
}

int main(void) {
    struct timespec past = {1, 0};
    SHOW(futex(&condition, WAIT_REQUEUE_PI, 1, 0, &lock, 0) == -EAGAIN);
    SHOW(futex(&condition, WAIT_REQUEUE_PI, 0, 0, &condition, 0) == -EINVAL);
    SHOW(futex(&condition, WAIT_REQUEUE_PI, 0, (long)&past, &lock, 0) == -ETIMEDOUT);
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 1, &lock, 5) == -EAGAIN);
    SHOW(futex(&condition, CMP_REQUEUE_PI, 2, 1, &lock, 0) == -EINVAL);
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 1, &condition, 0) == -EINVAL);
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 10, &lock, 0));

    start(1); /* the lock is free: who waits has it */
    SHOW(futex(&condition, WAKE, 1, 0, NULL, 0) == -EINVAL);
    SHOW(futex(&condition, REQUEUE, 0, 1, &other, 0) == -EINVAL);
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 1, &other, 0) == -EINVAL); /* it waits for another lock */
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 0, &lock, 0));
    all_end(1);

    start(3); /* free, and three wait: one has it, the others wait for it */
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 5, &lock, 0));
    all_end(3);

    futex(&lock, LOCK_PI, 0, 0, NULL, 0); /* the broadcast of a condition, with the lock held */
    start(4);
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 2, &lock, 0));
    SHOW((lock & TID) == self()); SHOW(!!(lock & WAITERS)); SHOW(count);
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 100, &lock, 0));
    SHOW(futex(&lock, UNLOCK_PI, 0, 0, NULL, 0));
    all_end(4);

    pthread_t thread;
    pthread_create(&thread, NULL, plain, NULL);
    sleeps();
    SHOW(futex(&condition, CMP_REQUEUE_PI, 1, 1, &lock, 0) == -EINVAL); /* it does not want a lock */
    SHOW(futex(&condition, WAKE, 1, 0, NULL, 0));
    pthread_join(thread, NULL);
    return 0;
}
