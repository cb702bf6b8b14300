// variants: glibc pie musl
// flags: -pthread
/*
 * CPU time and use of resources, by thread and process: counts that must be in proportion, not exact times. Prints what a Linux machine prints; what is
 * out of proportion is printed with its value, so that a run tells what was wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long ns_of(clockid_t clock) {
    struct timespec t;
    return clock_gettime(clock, &t) ? -1 : t.tv_sec * 1000000000ll + t.tv_nsec;
}
static long long of_timeval(struct timeval t) { return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll; }
static long long of_usage(int who) {
    struct rusage u;
    getrusage(who, &u);
    return of_timeval(u.ru_utime) + of_timeval(u.ru_stime);
}

/* "good", or the value. A machine that shares its CPU counts what others took, too: times have much room upwards. */
#define MS 1000000ll
static void check(const char *what, long long value, long long least, long long most) {
    if (most >= MS) most = most * 4 + 100 * MS;
    if (value >= least && value <= most) printf("%s good\n", what);
    else printf("%s: %lld not in %lld..%lld\n", what, value, least, most);
}

/* A clock that must be the same as another: between two readings of that, however long a busy machine takes for the three. */
static void same(clockid_t clock, clockid_t as) {
    long long before = ns_of(as), value = ns_of(clock), after = ns_of(as);
    if (value >= before && value <= after) puts(" good");
    else printf(": %lld not in %lld..%lld\n", value, before, after);
}

/* Computes until this thread has used so much more of the CPU. */
static void burn(long long ns) {
    long long end = ns_of(CLOCK_THREAD_CPUTIME_ID) + ns;
    while (ns_of(CLOCK_THREAD_CPUTIME_ID) < end)
        for (volatile int i = 0; i < 20000; i++) {}
}
/* In calls. */
static void call(long long ns) {
    long long end = ns_of(CLOCK_THREAD_CPUTIME_ID) + ns;
    static char buffer[1 << 16];
    int fds[2];
    if (pipe(fds)) return;
    while (ns_of(CLOCK_THREAD_CPUTIME_ID) < end)
        for (int i = 0; i < 20; i++)
            if (write(fds[1], buffer, sizeof buffer) < 0 || read(fds[0], buffer, sizeof buffer) < 0) return;
    close(fds[0]), close(fds[1]);
}
static void sleep_ms(long n) { nanosleep(&(struct timespec){n / 1000, n % 1000 * MS}, NULL); }

static pthread_barrier_t barrier;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* whose turn it is to print */
static void *worker(void *argument) {
    burn(60 * MS);
    pthread_mutex_lock(&turn);
    check("thread's own clock", ns_of(CLOCK_THREAD_CPUTIME_ID), 60 * MS, 75 * MS);
    check("thread's usage", of_usage(RUSAGE_THREAD), 55 * MS, 80 * MS);
    pthread_mutex_unlock(&turn);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    return argument;
}

static volatile sig_atomic_t got;
static void on_signal(int number) { got++, (void)number; }

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct rusage u, v;
    long long start, used;

    start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    sleep_ms(100);
    check("sleeping", ns_of(CLOCK_PROCESS_CPUTIME_ID) - start, 0, 20 * MS);
    start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    getrusage(RUSAGE_SELF, &u);
    burn(200 * MS);
    used = ns_of(CLOCK_PROCESS_CPUTIME_ID) - start;
    check("computing", used, 200 * MS, 230 * MS);
    getrusage(RUSAGE_SELF, &v);
    /* Which part was in calls is sampled: a machine that others keep waiting has few samples, so there are some attempts. */
    for (int i = 0; i < 4 && of_timeval(v.ru_utime) - of_timeval(u.ru_utime) < 90 * MS; i++) {
        getrusage(RUSAGE_SELF, &u);
        burn(200 * MS);
        getrusage(RUSAGE_SELF, &v);
    }
    check("program time", of_timeval(v.ru_utime) - of_timeval(u.ru_utime), 90 * MS, 230 * MS);
    call(200 * MS);
    getrusage(RUSAGE_SELF, &u);
    for (int i = 0; i < 4 && of_timeval(u.ru_stime) - of_timeval(v.ru_stime) < 30 * MS; i++) {
        getrusage(RUSAGE_SELF, &v);
        call(200 * MS);
        getrusage(RUSAGE_SELF, &u);
    }
    check("time in calls", of_timeval(u.ru_stime) - of_timeval(v.ru_stime), 30 * MS, 230 * MS);
    struct tms ticks;
    printf("times %d\n", times(&ticks) > 0);
    check("ticks", ticks.tms_utime + ticks.tms_stime, 36, 300);
    check("children's ticks", ticks.tms_cutime + ticks.tms_cstime, 0, 0);

    clockid_t clock;
    printf("clock_getcpuclockid %d", clock_getcpuclockid(0, &clock));
    same(clock, CLOCK_PROCESS_CPUTIME_ID);
    printf("pthread_getcpuclockid %d", pthread_getcpuclockid(pthread_self(), &clock));
    same(clock, CLOCK_THREAD_CPUTIME_ID);
    printf("none %d\n", clock_getcpuclockid(4000000, &clock));
    printf("bad clocks %lld %lld %lld\n", ns_of(-1), ns_of(~(4000000 << 3 | 5)), ns_of(10));

    /* Threads: each has its own, the process has all of them, also after their end. */
    pthread_t threads[3];
    pthread_barrier_init(&barrier, NULL, 4);
    start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, worker, NULL);
    pthread_barrier_wait(&barrier);
    printf("another's clock %d", pthread_getcpuclockid(threads[1], &clock));
    check("", ns_of(clock), 60 * MS, 75 * MS);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
    check("three threads", ns_of(CLOCK_PROCESS_CPUTIME_ID) - start, 180 * MS, 230 * MS);
    check("own part", of_usage(RUSAGE_SELF) - of_usage(RUSAGE_THREAD), 175 * MS, 240 * MS);

    /* Children count when they have been waited for, with theirs. */
    check("children before", of_usage(RUSAGE_CHILDREN), 0, 0);
    pid_t pid = fork();
    if (!pid) {
        if (!fork()) {
            burn(50 * MS);
            _exit(0);
        }
        burn(50 * MS);
        wait(NULL);
        _exit(0);
    }
    int status;
    wait4(pid, &status, 0, &u);
    check("wait4", of_timeval(u.ru_utime) + of_timeval(u.ru_stime), 95 * MS, 130 * MS);
    check("children", of_usage(RUSAGE_CHILDREN), 95 * MS, 130 * MS);
    check("children's clock", ns_of(CLOCK_PROCESS_CPUTIME_ID) - start, 180 * MS, 240 * MS);
    pid = fork();
    if (!pid) {
        burn(40 * MS);
        _exit(0);
    }
    siginfo_t info;
    memset(&u, 0, sizeof u);
    syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOWAIT, &u);
    check("waitid", of_timeval(u.ru_utime) + of_timeval(u.ru_stime), 38 * MS, 60 * MS);
    check("left to wait for", of_usage(RUSAGE_CHILDREN), 95 * MS, 130 * MS);
    waitpid(pid, NULL, 0);
    check("waited for", of_usage(RUSAGE_CHILDREN), 133 * MS, 190 * MS);

    /* Faults, memory, switches. */
    getrusage(RUSAGE_SELF, &u);
    char *area = mmap(NULL, 400 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(area, 400 * 4096, MADV_NOHUGEPAGE);
    for (int i = 0; i < 400; i++) area[i * 4096] = 1;
    getrusage(RUSAGE_SELF, &v);
    check("minor faults", v.ru_minflt - u.ru_minflt, 400, 440);
    /* Linux counts pages by CPU and adds the counts up now and then: as many pages again, so that 1600 KiB are in the sum. */
    char *more = mmap(NULL, 400 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < 400; i++) more[i * 4096] = 1;
    getrusage(RUSAGE_SELF, &v);
    munmap(more, 400 * 4096);
    check("resident", v.ru_maxrss, 1600, 200000);
    printf("resident %s\n", v.ru_maxrss >= u.ru_maxrss ? "grows" : "shrinks");
    munmap(area, 400 * 4096);
    /* A sleep whose end is there before it begins is none: some more may be needed. */
    for (int i = 0; i < 400 && (i < 20 || u.ru_nvcsw - v.ru_nvcsw < 10); i++) {
        sleep_ms(2);
        getrusage(RUSAGE_SELF, &u);
    }
    check("voluntary switches", u.ru_nvcsw - v.ru_nvcsw, 10, 40);
    printf("bad %d %d\n", getrusage(7, &u), errno == EINVAL);

    /* Timers of CPU time. */
    struct itimerval once = {.it_value = {0, 300000}}, left;
    signal(SIGVTALRM, on_signal), signal(SIGPROF, on_signal), signal(SIGXCPU, on_signal);
    got = 0;
    setitimer(ITIMER_PROF, &once, NULL);
    sleep_ms(100);
    printf("ITIMER_PROF asleep %d\n", got);
    getitimer(ITIMER_PROF, &left);
    check("left", of_timeval(left.it_value), MS, 300 * MS);
    start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    while (!got) {}
    check("ITIMER_PROF", ns_of(CLOCK_PROCESS_CPUTIME_ID) - start, 1 * MS, 330 * MS);
    got = 0;
    struct itimerval period = {{0, 20000}, {0, 20000}}, none = {0};
    setitimer(ITIMER_PROF, &period, NULL);
    start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < 100 && (i < 6 || got < 3); i++) burn(25 * MS); /* of several that wait only one is left */
    setitimer(ITIMER_PROF, &none, NULL);
    check("periods", got, 3, (ns_of(CLOCK_PROCESS_CPUTIME_ID) - start) / (20 * MS) + 1);
    got = 0;
    start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    setitimer(ITIMER_VIRTUAL, &once, NULL);
    while (!got) {}
    check("ITIMER_VIRTUAL", ns_of(CLOCK_PROCESS_CPUTIME_ID) - start, 10 * MS, 500 * MS);
    getitimer(ITIMER_VIRTUAL, &left);
    printf("left %lld\n", of_timeval(left.it_value));

    /* RLIMIT_CPU: one signal at the soft limit, the end at the hard one. */
    pid = fork();
    if (!pid) {
        struct rlimit limit = {1, 2};
        setrlimit(RLIMIT_CPU, &limit);
        got = 0;
        while (!got) {}
        check("SIGXCPU", ns_of(CLOCK_PROCESS_CPUTIME_ID), 700 * MS, 1300 * MS);
        for (;;) {}
    }
    wait4(pid, &status, 0, &u);
    printf("status %d %d\n", WIFSIGNALED(status), WTERMSIG(status));
    check("at the hard limit", of_timeval(u.ru_utime) + of_timeval(u.ru_stime), 1500 * MS, 2400 * MS);

    /* Sleeping until others have used the CPU. */
    pthread_barrier_init(&barrier, NULL, 2);
    start = ns_of(CLOCK_PROCESS_CPUTIME_ID);
    pthread_mutex_lock(&turn);
    pthread_create(&threads[0], NULL, worker, NULL);
    struct timespec t = {0, 30 * MS};
    printf("clock_nanosleep %d\n", clock_nanosleep(CLOCK_PROCESS_CPUTIME_ID, 0, &t, NULL));
    check("slept", ns_of(CLOCK_PROCESS_CPUTIME_ID) - start, 30 * MS, 80 * MS);
    pthread_mutex_unlock(&turn);
    pthread_barrier_wait(&barrier);
    pthread_barrier_wait(&barrier);
    pthread_join(threads[0], NULL);
    printf("own thread %d\n", clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &t, NULL));
    return 0;
}
