// variants: glibc pie musl linked
// flags: -pthread
/* Threads: prints what a Linux machine prints; run natively and in a guest, outputs compared. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "isa.h"

#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))
#define WORKERS 8
/* linux/futex.h, which not every C library's headers have beside them */
enum { FUTEX_WAIT, FUTEX_WAKE, FUTEX_CMP_REQUEUE = 4, FUTEX_WAKE_OP, FUTEX_WAIT_BITSET = 9, FUTEX_WAKE_BITSET, FUTEX_WAIT_PRIVATE = 128, FUTEX_CLOCK_REALTIME = 256,
       FUTEX_OP_ADD = 1, FUTEX_OP_CMP_EQ = 0 };
#define FUTEX_OP(op, operand, compare, with) ((uint32_t)((op) << 28 | (compare) << 24 | (operand) << 12 | (with)))
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_barrier_t barrier;
static long counter, rounds, ready;
static _Thread_local long own = 5;
static pthread_key_t key;
static atomic_long destroyed, spins, seen;

static long ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
static void sleep_ms(long n) { nanosleep(&(struct timespec){n / 1000, n % 1000 * 1000000}, NULL); }
static long futex(uint32_t *word, int operation, uint32_t value, void *timeout, uint32_t *other, uint32_t value3) {
    return syscall(SYS_futex, word, operation, value, timeout, other, value3);
}
static void *run(void *(*function)(void *), void *argument) {
    pthread_t thread;
    void *result = (void *)-1;
    if (!pthread_create(&thread, NULL, function, argument)) pthread_join(thread, &result);
    return result;
}
static void run_all(void *(*function)(void *), int count) {
    pthread_t threads[64];
    for (long i = 0; i < count; i++) pthread_create(&threads[i], NULL, function, (void *)i);
    for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
}

static void *count_up(void *argument) {
    for (int i = 0; i < 5000; i++) {
        pthread_mutex_lock(&mutex);
        counter++;
        if (i % 512 == 0) sched_yield();
        pthread_mutex_unlock(&mutex);
    }
    return argument;
}
static void *wait_for_ready(void *argument) {
    pthread_mutex_lock(&mutex);
    while (!ready) pthread_cond_wait(&cond, &mutex);
    counter++;
    pthread_mutex_unlock(&mutex);
    return argument;
}
static void *meet(void *argument) {
    for (int i = 0; i < 100; i++)
        if (pthread_barrier_wait(&barrier) == PTHREAD_BARRIER_SERIAL_THREAD) rounds++;
    return argument;
}
static void *read_or_write(void *argument) {
    for (int i = 0; i < 500; i++) {
        if ((long)argument & 1) {
            pthread_rwlock_wrlock(&rwlock);
            counter++;
            if (i % 50 == 0) sched_yield();
            counter++;
        } else {
            pthread_rwlock_rdlock(&rwlock);
            if (counter & 1) seen++;
        }
        pthread_rwlock_unlock(&rwlock);
    }
    return NULL;
}
static void *nothing(void *argument) { return argument; }
static void destroy(void *value) { destroyed += (long)value; }
static void *use_tls(void *argument) {
    long before = own;
    own += (long)argument;
    pthread_setspecific(key, argument);
    sched_yield();
    return (void *)(before * 1000 + own);
}
static void cleanup(void *argument) { ++*(long *)argument; }
static void *sleep_long(void *argument) {
    pthread_cleanup_push(cleanup, argument);
    for (;;) {
        sleep_ms(10000);
        pthread_testcancel();
    }
    pthread_cleanup_pop(0);
    return NULL;
}
static int ends[2];
static void *produce(void *argument) {
    for (long i = 0; i < 2000; i++)
        if (write(ends[1], &i, sizeof i) != sizeof i) return NULL;
    return argument;
}

static volatile int stop;
static void *spin(void *argument) {
    while (!stop) spins++;
    return argument;
}

/* Floating-point state in registers across preemption: each thread its own pattern. */
static void *hold_vectors(void *argument) {
    double a = (double)(long)argument + 0.5, sum = 0;
    long bad = 0;
    for (int i = 0; i < 60; i++) {
        double x = a, y = a * 2;
        for (int j = 0; j < 20000; j++) {
            __asm__ volatile("" : "+" VECTOR(x), "+" VECTOR(y));
            x += 1, y += 2;
        }
        if (x != a + 20000 || y != a * 2 + 40000) bad++;
        sum += x;
    }
    return (void *)(bad + (sum == 60 * (a + 20000) ? 0 : 1000));
}
/* AVX, or two registers of AArch64. */
static int has_wide(void) {
#ifdef __aarch64__
    return 1;
#else
    return __builtin_cpu_supports("avx");
#endif
}
static void *hold_wide(void *argument) {
    uint64_t in[4] = {(uint64_t)argument * 0x0101010101010101, 1, 2, (uint64_t)argument}, out[4];
    long bad = 0;
    for (int i = 0; i < 40; i++) {
#ifdef __aarch64__
        __asm__ volatile("ldp q7, q29, [%0]\n mov w9, #0x9000\n movk w9, #4, lsl #16\n1: subs w9, w9, #1\n b.ne 1b\n stp q7, q29, [%1]" : : "r"(in), "r"(out) : "x9", "v7", "v29", "cc", "memory");
#else
        __asm__ volatile("vmovdqu (%0), %%ymm7\n mov $300000, %%ecx\n1: dec %%ecx\n jnz 1b\n vmovdqu %%ymm7, (%1)"
                         : : "r"(in), "r"(out) : "ecx", "xmm7", "memory");
#endif
        if (memcmp(in, out, sizeof in)) bad++;
    }
    return (void *)bad;
}

static atomic_long handled_by, handled;
static void handler(int number) {
    (void)number;
    handled_by = syscall(SYS_gettid);
    handled++;
}
static void *take_signals(void *argument) {
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    *(long *)argument = syscall(SYS_gettid);
    sleep_ms(2000); /* EINTR by the signal */
    return (void *)(long)errno;
}
static void *sigwaiter(void *argument) {
    int number = 0;
    sigwait(argument, &number);
    return (void *)(long)number;
}

static uint32_t word, word2;
static void *futex_waiter(void *argument) {
    seen++;
    return (void *)futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, (uint32_t)(long)argument);
}
static void *stay(void *argument) {
    pthread_mutex_lock(&mutex); /* held until all are made */
    pthread_mutex_unlock(&mutex);
    return argument;
}
static void *robust_owner(void *argument) {
    pthread_mutex_lock(argument);
    return NULL;
}
static void *linger(void *argument) {
    sleep_ms(30);
    puts("the last thread");
    fflush(stdout);
    return argument;
}

int main(int argc, char **argv) {
    pthread_t thread, threads[WORKERS];
    void *result;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "leader")) { /* the first thread leaves, the process goes on */
        pthread_create(&thread, NULL, linger, NULL);
        pthread_exit(NULL);
    }
    if (argc > 1 && !strcmp(argv[1], "group")) { /* exit of all while others spin and sleep */
        pthread_create(&thread, NULL, spin, NULL);
        pthread_create(&thread, NULL, sleep_long, &counter);
        sleep_ms(20);
        exit(9);
    }
    if (argc > 1 && !strcmp(argv[1], "bomb")) { /* as many threads as there is room for */
        int error, made = 0;
        pthread_mutex_lock(&mutex);
        while (!(error = pthread_create(&thread, NULL, stay, NULL)) && made < 100000) made++;
        pthread_mutex_unlock(&mutex);
        printf("EAGAIN %d after many %d\n", error == EAGAIN, made > 100);
        return 0;
    }

    run_all(count_up, WORKERS);
    SHOW(counter);
    counter = 0;
    for (long i = 0; i < WORKERS; i++) pthread_create(&threads[i], NULL, wait_for_ready, NULL);
    sleep_ms(5);
    pthread_mutex_lock(&mutex);
    ready = 1;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    for (int i = 0; i < WORKERS; i++) pthread_join(threads[i], NULL);
    SHOW(counter);
    pthread_barrier_init(&barrier, NULL, 4);
    run_all(meet, 4);
    SHOW(rounds);
    counter = 0;
    run_all(read_or_write, WORKERS);
    SHOW(counter); SHOW(seen);

    long created = 0;
    for (long i = 0; i < 10000; i++) created += run(nothing, (void *)i) == (void *)i;
    SHOW(created);

    pthread_key_create(&key, destroy);
    SHOW(run(use_tls, (void *)1)); SHOW(run(use_tls, (void *)2)); SHOW(own); SHOW(destroyed);

    long cleaned = 0;
    pthread_create(&thread, NULL, sleep_long, &cleaned);
    sleep_ms(10);
    long start = ms();
    pthread_cancel(thread);
    pthread_join(thread, &result);
    SHOW(result == PTHREAD_CANCELED); SHOW(cleaned); SHOW(ms() - start < 2000);

    if (pipe(ends)) return 1;
    pthread_create(&thread, NULL, produce, (void *)7);
    long sum = 0, value;
    for (int i = 0; i < 2000; i++)
        if (read(ends[0], &value, sizeof value) == sizeof value) sum += value;
    pthread_join(thread, &result);
    SHOW(sum); SHOW(result);

    /* A busy thread is preempted; sleeping does not depend on it. */
    pthread_create(&thread, NULL, spin, NULL);
    start = ms();
    sleep_ms(50);
    long slept = ms() - start;
    stop = 1;
    pthread_join(thread, NULL);
    SHOW(slept >= 50 && slept < 1000); SHOW(spins > 0);
    stop = 0;

    long bad = 0;
    for (long i = 0; i < WORKERS; i++) pthread_create(&threads[i], NULL, i & 1 && has_wide() ? hold_wide : hold_vectors, (void *)(i + 3));
    for (int i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], &result);
        bad += (long)result;
    }
    SHOW(bad);

    /* Signals: to the process (a thread that does not block it takes it), to one thread, sigwait. */
    sigset_t set;
    sigaction(SIGUSR2, &(struct sigaction){.sa_handler = handler}, NULL);
    sigemptyset(&set), sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    long taker = 0;
    pthread_create(&thread, NULL, take_signals, &taker);
    sleep_ms(20);
    kill(getpid(), SIGUSR2);
    pthread_join(thread, &result);
    SHOW((long)result == EINTR); SHOW(handled); SHOW(handled_by == taker); SHOW(taker != getpid());
    pthread_create(&thread, NULL, take_signals, &taker);
    sleep_ms(20);
    pthread_kill(thread, SIGUSR2);
    pthread_join(thread, &result);
    SHOW(handled); SHOW(handled_by == taker);
    raise(SIGUSR2);
    sigset_t pending;
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGUSR2));
    kill(getpid(), SIGUSR2); /* another one, for whichever thread */
    SHOW(run(sigwaiter, &set) == (void *)SIGUSR2);
    SHOW(sigwaiter(&set) == (void *)SIGUSR2);
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGUSR2));

    /* futex(2) itself. */
    seen = 0;
    SHOW(futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0)); SHOW(errno == EAGAIN);
    start = ms();
    SHOW(futex(&word, FUTEX_WAIT_PRIVATE, 0, &(struct timespec){0, 20000000}, NULL, 0)); SHOW(errno == ETIMEDOUT); SHOW(ms() - start >= 20);
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    if ((at.tv_nsec += 20000000) >= 1000000000) at.tv_sec++, at.tv_nsec -= 1000000000;
    SHOW(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &at, NULL, ~0u)); SHOW(errno == ETIMEDOUT);
    SHOW(futex((uint32_t *)((char *)&word + 1), FUTEX_WAKE, 1, NULL, NULL, 0)); SHOW(errno == EINVAL);
    SHOW(futex(&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0)); SHOW(errno == EINVAL);
    for (long i = 0; i < 6; i++) pthread_create(&threads[i], NULL, futex_waiter, (void *)(i < 3 ? 1l : 2l));
    while (seen < 6) sleep_ms(1);
    sleep_ms(20);
    SHOW(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 4));
    SHOW(futex(&word, FUTEX_WAKE_BITSET, 10, NULL, NULL, 2));
    SHOW(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)10, &word2, 1)); SHOW(errno == EAGAIN);
    SHOW(futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)10, &word2, 0));
    SHOW(futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0));
    word2 = 5;
    SHOW(futex(&word, FUTEX_WAKE_OP, 1, (void *)10, &word2, FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5))); SHOW(word2);
    for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);

    /* The owner of a robust mutex ends. */
    pthread_mutexattr_t attributes;
    pthread_mutex_t robust;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    pthread_mutex_init(&robust, &attributes);
    run(robust_owner, &robust);
    SHOW(pthread_mutex_lock(&robust) == EOWNERDEAD); SHOW(pthread_mutex_consistent(&robust)); SHOW(pthread_mutex_unlock(&robust));

    start = ms();
    clock_gettime(CLOCK_REALTIME, &at);
    if ((at.tv_nsec += 30000000) >= 1000000000) at.tv_sec++, at.tv_nsec -= 1000000000;
    pthread_mutex_lock(&mutex);
    SHOW(pthread_cond_timedwait(&cond, &mutex, &at) == ETIMEDOUT); SHOW(ms() - start >= 29);
    pthread_mutex_unlock(&mutex);
    sem_t semaphore;
    sem_init(&semaphore, 0, 1);
    SHOW(sem_wait(&semaphore)); SHOW(sem_trywait(&semaphore)); SHOW(errno == EAGAIN);
    SHOW(syscall(SYS_gettid) == getpid()); SHOW(syscall(SYS_tgkill, getpid(), 999999, 0)); SHOW(errno == ESRCH);
    return 0;
}
