/* What is counted and limited: CPU time stands still while a program sleeps; RLIMIT_NOFILE and RLIMIT_AS are kept; nice values and I/O priorities. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))

static long ms(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static long used_ms(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

static long used_ticks(void) {
    struct tms t;
    times(&t);
    return t.tms_utime + t.tms_stime;
}

/* Always the lowest free descriptor, from the one that was named on: what each call of many answers, in one number. */
static unsigned long lowest_free(void) {
    unsigned long digest = 0, state = 1;
    for (int i = 3; i < 64; i++) close(i); /* what a shell left open */
    for (int step = 0; step < 3000; step++) {
        state = state * 6364136223846793005ul + 1442695040888963407ul;
        int which = state >> 33 & 7, at = 3 + (int)(state >> 40) % 60;
        long said = which < 3 ? dup(1) : which < 4 ? fcntl(1, F_DUPFD, at) : which < 5 ? dup2(1, at) : close(at);
        if (said > 80) close((int)said);
        digest = digest * 31 + (unsigned long)said;
    }
    for (int i = 3; i < 128; i++) close(i);
    return digest >> 1;
}

int main(void) {
    /* CPU time */
    long cpu = ms(CLOCK_PROCESS_CPUTIME_ID), thread = ms(CLOCK_THREAD_CPUTIME_ID), wall = ms(CLOCK_MONOTONIC), used = used_ms(), ticks = used_ticks();
    usleep(400000);
    SHOW(ms(CLOCK_MONOTONIC) - wall >= 400);
    SHOW(ms(CLOCK_PROCESS_CPUTIME_ID) - cpu < 200);
    SHOW(ms(CLOCK_THREAD_CPUTIME_ID) - thread < 200);
    SHOW(used_ms() - used < 200);
    SHOW(used_ticks() - ticks < 20);
    cpu = ms(CLOCK_PROCESS_CPUTIME_ID), ticks = used_ticks(), used = used_ms();
    for (volatile unsigned long i = 0; ms(CLOCK_PROCESS_CPUTIME_ID) - cpu < 300; i++) ;
    SHOW(used_ticks() - ticks >= 25);
    SHOW(used_ms() - used >= 250);

    /* Descriptors */
    SHOW(lowest_free());
    struct rlimit limit = {2000, 2000};
    unsigned long many[32] = {0};
    struct timeval none = {0, 0};
    SHOW(setrlimit(RLIMIT_NOFILE, &limit)); SHOW(dup2(1, 1500)); SHOW(dup2(1, 2000)); SHOW(errno == EBADF);
    many[1500 / 64] = 1ul << 1500 % 64;
    SHOW(select(1501, NULL, (fd_set *)many, NULL, &none)); SHOW(many[1500 / 64] == 1ul << 1500 % 64); SHOW(close(1500));
    SHOW(select(1501, NULL, (fd_set *)many, NULL, &none)); SHOW(errno == EBADF);
    static struct pollfd polled[2001];
    for (int i = 0; i < 2001; i++) polled[i].fd = -1;
    SHOW(poll(polled, 2000, 0)); SHOW(poll(polled, 2001, 0)); SHOW(errno == EINVAL);
    limit = (struct rlimit){10, 12};
    SHOW(setrlimit(RLIMIT_NOFILE, &limit));
    int last = -1, count = 0, next;
    while ((next = dup(1)) >= 0 && count < 100) last = next, count++;
    SHOW(errno == EMFILE); SHOW(last); SHOW(dup2(1, 10)); SHOW(errno == EBADF); SHOW(fcntl(1, F_DUPFD, 10)); SHOW(errno == EINVAL);
    limit.rlim_cur = 12;
    SHOW(setrlimit(RLIMIT_NOFILE, &limit)); SHOW(dup(1)); SHOW(dup(1)); SHOW(dup(1)); SHOW(errno == EMFILE);

    /* Address space */
    limit = (struct rlimit){256 << 20, RLIM_INFINITY};
    SHOW(setrlimit(RLIMIT_AS, &limit));
    void *big = mmap(NULL, 512 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SHOW(big == MAP_FAILED); SHOW(errno == ENOMEM);
    void *some = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SHOW(some != MAP_FAILED); SHOW(munmap(some, 64 << 20));
    limit.rlim_cur = RLIM_INFINITY;
    SHOW(setrlimit(RLIMIT_AS, &limit));
    big = mmap(NULL, 512 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    SHOW(big != MAP_FAILED);

    /* Nice values and I/O priorities; only what anybody may do */
    SHOW(getpriority(PRIO_PROCESS, 0)); SHOW(setpriority(PRIO_PROCESS, 0, 4)); SHOW(getpriority(PRIO_PROCESS, getpid())); SHOW(setpriority(PRIO_PROCESS, 0, 100));
    SHOW(getpriority(PRIO_PROCESS, 0)); SHOW(nice(0)); SHOW(setpriority(PRIO_PROCESS, 1 << 21, 1)); SHOW(errno == ESRCH); SHOW(setpriority(3, 0, 1)); SHOW(errno == EINVAL);
    SHOW(getpriority(PRIO_PROCESS, -5)); SHOW(errno == ESRCH);
    SHOW(syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6)); SHOW(syscall(SYS_ioprio_get, 1, 0)); SHOW(syscall(SYS_ioprio_set, 1, getpid(), 3 << 13));
    SHOW(syscall(SYS_ioprio_get, 1, getpid())); SHOW(syscall(SYS_ioprio_set, 1, 0, 0)); SHOW(syscall(SYS_ioprio_get, 1, 0));
    SHOW(syscall(SYS_ioprio_set, 1, 0, 5 << 13)); SHOW(errno == EINVAL); SHOW(syscall(SYS_ioprio_set, 1, 0, 3)); SHOW(errno == EINVAL);
    SHOW(syscall(SYS_ioprio_set, 4, 0, 2 << 13)); SHOW(errno == EINVAL); SHOW(syscall(SYS_ioprio_get, 1, 1 << 21)); SHOW(errno == ESRCH);
    return 0;
}
