/* Mutexes with an owner (PTHREAD_PRIO_INHERIT), in one process and between two; owners that die; waiting for several words. */
// variants: musl glibc
// flags: -pthread
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); fflush(stdout); } while (0)
enum { LOCK_PI = 6, UNLOCK_PI, TRYLOCK_PI, LOCK_PI2 = 13, WAKE = 1, U32 = 2, PRIVATE = 128 };
struct shared { pthread_mutex_t mutex, robust; uint32_t word, words[3]; long counter; int ready; };
static struct shared *s;

static void make(pthread_mutex_t *mutex, int robust, int kind) {
    pthread_mutexattr_t a;
    pthread_mutexattr_init(&a);
    pthread_mutexattr_setprotocol(&a, PTHREAD_PRIO_INHERIT), pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED), pthread_mutexattr_settype(&a, kind);
    if (robust) pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
    printf("init %d\n", pthread_mutex_init(mutex, &a));
}
static void *count(void *unused) {
    for (int i = 0; i < 3000; i++) {
        pthread_mutex_lock(&s->mutex);
        long n = s->counter;
        if (i % 50 == 0) usleep(10);
        s->counter = n + 1;
        pthread_mutex_unlock(&s->mutex);
    }
    return unused;
}
static void *hold_and_end(void *unused) {
    printf("lock %d\n", pthread_mutex_lock(&s->robust));
    s->ready = 1;
    usleep(50000);
    return unused;
}
static long futex(uint32_t *word, int op, uint32_t value, const struct timespec *t) { return syscall(SYS_futex, word, op, value, t, NULL, 0); }
static void note(int number) { (void)number; s->ready++; }
static void *wake_later(void *word) {
    usleep(50000);
    __atomic_store_n((uint32_t *)word, 1, __ATOMIC_SEQ_CST);
    futex(word, WAKE | PRIVATE, 1, NULL);
    return NULL;
}

int main(void) {
    pthread_t t[4];
    struct timespec soon;
    int pid, status;
    s = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    make(&s->mutex, 0, PTHREAD_MUTEX_ERRORCHECK);
    for (int i = 0; i < 4; i++) pthread_create(&t[i], NULL, count, NULL);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    SHOW(s->counter);
    SHOW(pthread_mutex_lock(&s->mutex)); SHOW(pthread_mutex_lock(&s->mutex) == EDEADLK); SHOW(pthread_mutex_unlock(&s->mutex)); SHOW(pthread_mutex_unlock(&s->mutex) == EPERM);
    fflush(stdout);
    if (!(pid = fork())) count(NULL), _exit(0);
    count(NULL), waitpid(pid, &status, 0);
    SHOW(s->counter);
    /* A timeout, while a child holds it */
    if (!(pid = fork())) { pthread_mutex_lock(&s->mutex), s->ready = 1; usleep(300000); pthread_mutex_unlock(&s->mutex); _exit(0); }
    while (!*(volatile int *)&s->ready) usleep(1000);
    clock_gettime(CLOCK_REALTIME, &soon), soon.tv_nsec += 50000000, soon.tv_sec += soon.tv_nsec / 1000000000, soon.tv_nsec %= 1000000000;
    SHOW(pthread_mutex_timedlock(&s->mutex, &soon) == ETIMEDOUT); SHOW(pthread_mutex_trylock(&s->mutex) == EBUSY);
    /* A signal while waiting: the handler runs, the wait goes on */
    struct sigaction a = {.sa_handler = note};
    sigaction(SIGALRM, &a, NULL), s->ready = 0, ualarm(30000, 0);
    SHOW(pthread_mutex_lock(&s->mutex)); SHOW(s->ready); SHOW(pthread_mutex_unlock(&s->mutex)); waitpid(pid, &status, 0);
    /* Owners that die */
    make(&s->robust, 1, PTHREAD_MUTEX_NORMAL), s->ready = 0;
    pthread_create(&t[0], NULL, hold_and_end, NULL);
    while (!*(volatile int *)&s->ready) usleep(1000);
    SHOW(pthread_mutex_lock(&s->robust) == EOWNERDEAD); SHOW(pthread_mutex_consistent(&s->robust)); SHOW(pthread_mutex_unlock(&s->robust)); SHOW(pthread_mutex_lock(&s->robust));
    SHOW(pthread_mutex_unlock(&s->robust)); pthread_join(t[0], NULL);
    fflush(stdout);
    if (!(pid = fork())) { pthread_mutex_lock(&s->robust); _exit(0); }
    waitpid(pid, &status, 0); SHOW(pthread_mutex_lock(&s->robust) == EOWNERDEAD); SHOW(pthread_mutex_unlock(&s->robust)); SHOW(pthread_mutex_lock(&s->robust) == ENOTRECOVERABLE);
    /* The calls themselves */
    uint32_t *w = &s->word, me = (uint32_t)syscall(SYS_gettid);
    FAILS(futex(w, UNLOCK_PI, 0, NULL)); FAILS(futex(w, LOCK_PI, 0, NULL)); SHOW(*w == me); FAILS(futex(w, LOCK_PI, 0, NULL)); FAILS(futex(w, TRYLOCK_PI, 0, NULL)); FAILS(futex(w, UNLOCK_PI, 0, NULL)); SHOW(*w);
    *w = 999999; FAILS(futex(w, LOCK_PI, 0, NULL)); *w = 0x40000000; FAILS(futex(w, TRYLOCK_PI, 0, NULL)); SHOW(*w == (me | 0x40000000)); FAILS(futex((uint32_t *)((char *)w + 1), LOCK_PI, 0, NULL));
    *w = 0; FAILS(futex(w, LOCK_PI2 | PRIVATE, 0, NULL)); FAILS(futex(w, UNLOCK_PI | PRIVATE, 0, NULL));
    /* Several words */
    struct { uint64_t value, address; uint32_t flags, reserved; } v[3] = {{0}};
    for (int i = 0; i < 3; i++) v[i].address = (uintptr_t)&s->words[i], v[i].flags = U32 | PRIVATE;
    static uint32_t own[3];
    for (int i = 0; i < 3; i++) v[i].address = (uintptr_t)&own[i];
    pthread_create(&t[0], NULL, wake_later, &own[1]); FAILS(syscall(449, v, 3, 0, NULL, 0)); pthread_join(t[0], NULL);
    FAILS(syscall(449, v, 3, 0, NULL, 0)); own[1] = 0; clock_gettime(CLOCK_MONOTONIC, &soon), soon.tv_nsec = (soon.tv_nsec + 30000000) % 1000000000; struct timespec past = {1, 0};
    FAILS(syscall(449, v, 3, 0, &past, CLOCK_MONOTONIC)); FAILS(syscall(449, v, 0, 0, NULL, 0)); FAILS(syscall(449, v, 129, 0, NULL, 0)); FAILS(syscall(449, v, 3, 1, NULL, 0)); v[1].flags = 3;
    FAILS(syscall(449, v, 3, 0, NULL, 0)); v[1].flags = U32, v[1].reserved = 1; FAILS(syscall(449, v, 3, 0, NULL, 0)); v[1].reserved = 0, v[2].address = 3; FAILS(syscall(449, v, 3, 0, &past, CLOCK_MONOTONIC));
    return 0;
}
