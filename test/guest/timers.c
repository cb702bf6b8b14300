// variants: glibc pie musl
// flags: -pthread -lrt
/* POSIX timers, and clocks that are set. Prints what a Linux machine prints. "set" as argument: also sets the time, which only a guest may. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MS 1000000ll
#define SHOW(expression) do { errno = 0; long shown = (long)(expression); printf("%s = %ld %s\n", #expression, shown, shown < 0 ? strerror(errno) : ""); } while (0)
typedef int kernel_timer;
static int create(clockid_t clock, struct sigevent *event, kernel_timer *out) { return (int)syscall(SYS_timer_create, clock, event, out); }
static int settime(kernel_timer id, int flags, long long value, long long interval, struct itimerspec *old) {
    struct itimerspec in = {{interval / 1000000000, interval % 1000000000}, {value / 1000000000, value % 1000000000}};
    return (int)syscall(SYS_timer_settime, id, flags, &in, old);
}
static long long left(kernel_timer id) {
    struct itimerspec now;
    return syscall(SYS_timer_gettime, id, &now) ? -1 : now.it_value.tv_sec * 1000000000ll + now.it_value.tv_nsec;
}
static int overrun(kernel_timer id) { return (int)syscall(SYS_timer_getoverrun, id); }
static int delete(kernel_timer id) { return (int)syscall(SYS_timer_delete, id); }
static long long now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}
static void sleep_ms(long n) {
    struct timespec t = {n / 1000, n % 1000 * MS};
    while (nanosleep(&t, &t) && errno == EINTR) {}
}
static void check(const char *what, long long value, long long least, long long most) {
    if (value >= least && value <= most) printf("%s good\n", what);
    else printf("%s: %lld not in %lld..%lld\n", what, value, least, most);
}

static volatile sig_atomic_t count, last_code, last_number, last_overrun;
static volatile int last_id;
static volatile void *last_value;
static volatile pid_t last_tid;
static void on_timer(int number, siginfo_t *info, void *context) {
    (void)context;
    count++, last_number = number, last_code = info->si_code, last_value = info->si_value.sival_ptr, last_overrun = info->si_overrun;
    last_id = info->si_timerid, last_tid = (pid_t)syscall(SYS_gettid);
}
static void wait_count(int least) {
    for (int i = 0; i < 2000 && count < least; i++) sleep_ms(1);
}

static pid_t worker_tid;
static volatile int worker_stop;
static void *worker(void *argument) {
    worker_tid = (pid_t)syscall(SYS_gettid);
    while (!worker_stop) sleep_ms(1);
    return argument;
}

/* Only in a guest: the time is set, and what waits for a moment of it follows. */
static volatile int awake;
static void *sleeper(void *argument) {
    struct timespec t = {(now(CLOCK_REALTIME) + 3600000 * MS) / 1000000000, 0};
    int result = clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &t, NULL);
    printf("sleeper %d\n", result);
    awake = 1;
    return argument;
}
static void set_time(void) {
    kernel_timer id, distance;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    pthread_t thread;
    uint64_t ticks = 0;
    long long start = now(CLOCK_MONOTONIC), hour = 3600000 * MS;
    count = 0;
    pthread_create(&thread, NULL, sleeper, NULL);
    create(CLOCK_REALTIME, &event, &id);
    create(CLOCK_REALTIME, &event, &distance);
    settime(id, TIMER_ABSTIME, now(CLOCK_REALTIME) + hour, 0, NULL);
    settime(distance, 0, hour, 0, NULL);
    int plain = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK), canceled = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
    struct itimerspec at = {.it_value = {(now(CLOCK_REALTIME) + hour) / 1000000000, 0}}, far = {.it_value = {(now(CLOCK_REALTIME) + 9 * hour) / 1000000000, 0}};
    timerfd_settime(plain, TFD_TIMER_ABSTIME, &at, NULL);
    timerfd_settime(canceled, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far, NULL);
    sleep_ms(20);
    SHOW(read(plain, &ticks, 8));
    struct timespec t = {(now(CLOCK_REALTIME) + hour) / 1000000000 + 1, 0};
    SHOW(clock_settime(CLOCK_REALTIME, &t));
    check("it is", now(CLOCK_REALTIME) - t.tv_sec * 1000000000ll, 0, 200 * MS);
    check("time(2)", time(NULL) - t.tv_sec, 0, 1);
    wait_count(1);
    pthread_join(thread, NULL);
    SHOW(count);
    check("the distance stays", left(distance), hour - 3000 * MS, hour);
    struct pollfd polled[2] = {{plain, POLLIN, 0}, {canceled, POLLIN, 0}};
    sleep_ms(20);
    SHOW(poll(polled, 2, 0));
    SHOW(read(plain, &ticks, 8));
    SHOW(read(canceled, &ticks, 8));
    SHOW(read(canceled, &ticks, 8));
    SHOW(awake);
    check("monotonic time did not jump", now(CLOCK_MONOTONIC) - start, 0, 5000 * MS);
    struct timeval v = {1000000000, 500000};
    SHOW(settimeofday(&v, NULL));
    check("it is", now(CLOCK_REALTIME) - 1000000000500 * MS, 0, 200 * MS);
    SHOW(clock_settime(CLOCK_MONOTONIC, &t));
    t.tv_nsec = 1000000000;
    SHOW(clock_settime(CLOCK_REALTIME, &t));
    if (setuid(1000)) return;
    SHOW(settimeofday(&v, NULL));
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL), sigaction(SIGALRM, &action, NULL), sigaction(SIGRTMIN + 3, &action, NULL);
    kernel_timer id, second, none;
    sigset_t set, old;
    if (argc > 1 && !strcmp(argv[1], "set")) {
        set_time();
        return 0;
    }
    if (argc > 1) { /* after exec */
        SHOW(left(atoi(argv[2])) < 0);
        sleep_ms(60);
        SHOW(count);
        return 0;
    }

    /* Once, with its value. */
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_ptr = (void *)0x1234567890};
    SHOW(create(CLOCK_MONOTONIC, &event, &id));
    SHOW(left(id));
    struct itimerspec before;
    SHOW(settime(id, 0, 20 * MS, 0, &before));
    check("left", left(id), 1, 20 * MS);
    wait_count(1);
    printf("count %d code %d number %d value %lx id %d overrun %d\n", (int)count, (int)last_code, (int)last_number, (long)last_value, last_id == id, (int)last_overrun);
    SHOW(left(id));
    SHOW(overrun(id));
    /* A moment, also one that has passed. */
    count = 0;
    SHOW(settime(id, TIMER_ABSTIME, now(CLOCK_MONOTONIC) + 20 * MS, 0, NULL));
    check("left", left(id), 1, 20 * MS);
    wait_count(1);
    SHOW(settime(id, TIMER_ABSTIME, 1, 0, NULL));
    wait_count(2);
    SHOW(count);
    /* Periods, then none. */
    count = 0;
    settime(id, 0, 10 * MS, 10 * MS, NULL);
    wait_count(5);
    SHOW(settime(id, 0, 0, 10 * MS, &before));
    check("it was armed", before.it_value.tv_nsec, 1, 10 * MS);
    printf("interval %ld\n", before.it_interval.tv_nsec);
    int counted = count;
    sleep_ms(40);
    SHOW(count - counted);
    /* Blocked: one signal, the rest are overruns. */
    count = 0;
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, &old);
    settime(id, 0, 10 * MS, 10 * MS, NULL);
    sleep_ms(105);
    check("left while it waits", left(id), 1, 10 * MS);
    sigprocmask(SIG_SETMASK, &old, NULL);
    SHOW(count > 0);
    settime(id, 0, 0, 0, NULL);
    count = 0;
    sigprocmask(SIG_BLOCK, &set, &old);
    settime(id, 0, 10 * MS, 1000 * MS, NULL);
    sleep_ms(30);
    siginfo_t info;
    SHOW(sigwaitinfo(&set, &info) == SIGUSR1);
    printf("code %d overrun %d value %lx\n", info.si_code, info.si_overrun, (long)info.si_value.sival_ptr);
    settime(id, 0, 10 * MS, 10 * MS, NULL);
    sleep_ms(105);
    sigwaitinfo(&set, &info);
    check("overruns", info.si_overrun, 8, 500);
    SHOW(overrun(id) == info.si_overrun);
    settime(id, 0, 0, 0, NULL);
    struct timespec nothing = {0, 0};
    while (sigtimedwait(&set, &info, &nothing) > 0) {}
    /* By signalfd. */
    int fd = signalfd(-1, &set, SFD_NONBLOCK);
    struct signalfd_siginfo taken;
    settime(id, 0, 5 * MS, 5 * MS, NULL);
    sleep_ms(60);
    SHOW(read(fd, &taken, sizeof taken) == sizeof taken);
    printf("signalfd: number %d code %d tid %d ptr %lx\n", (int)taken.ssi_signo, taken.ssi_code, (int)taken.ssi_tid == id, (long)taken.ssi_ptr);
    check("its overruns", taken.ssi_overrun, 8, 500);
    settime(id, 0, 0, 0, NULL);
    while (sigtimedwait(&set, &info, &nothing) > 0) {}
    /* Two timers with one signal: both wait. */
    event.sigev_value.sival_ptr = (void *)2;
    create(CLOCK_BOOTTIME, &event, &second);
    settime(id, 0, 5 * MS, 0, NULL), settime(second, 0, 5 * MS, 0, NULL);
    sleep_ms(40);
    int got = 0;
    while (sigtimedwait(&set, &info, &nothing) > 0) got++;
    SHOW(got);
    sigprocmask(SIG_SETMASK, &old, NULL);
    /* Ignored, and not any more. */
    count = 0;
    signal(SIGUSR1, SIG_IGN);
    settime(id, 0, 5 * MS, 5 * MS, NULL);
    sleep_ms(30);
    sigaction(SIGUSR1, &action, NULL);
    wait_count(2);
    SHOW(count >= 2);
    SHOW(delete(id));
    SHOW(delete(id));
    SHOW(left(id));

    /* No event: SIGALRM, the value is the number. None at all: only asked. To one thread. Real-time signals. */
    count = 0;
    SHOW(create(CLOCK_REALTIME, NULL, &id));
    settime(id, TIMER_ABSTIME, now(CLOCK_REALTIME) + 10 * MS, 0, NULL);
    wait_count(1);
    printf("number %d value %d\n", (int)last_number, (int)(long)last_value == id);
    event.sigev_notify = SIGEV_NONE;
    create(CLOCK_MONOTONIC, &event, &none);
    settime(none, 0, 10 * MS, 0, NULL);
    check("left", left(none), 1, 10 * MS);
    sleep_ms(20);
    SHOW(left(none));
    settime(none, 0, 10 * MS, 7 * MS, NULL);
    sleep_ms(25);
    check("left", left(none), 1, 7 * MS);
    pthread_t thread;
    pthread_create(&thread, NULL, worker, NULL);
    while (!worker_tid) sleep_ms(1);
    struct sigevent to_thread = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 3};
    memcpy((char *)&to_thread + 16, &worker_tid, 4); /* each C library has its own name for it */
    kernel_timer threads;
    SHOW(create(CLOCK_MONOTONIC, &to_thread, &threads));
    count = 0;
    settime(threads, 0, 10 * MS, 10 * MS, NULL);
    wait_count(3);
    SHOW(last_tid == worker_tid);
    SHOW(last_number - SIGRTMIN);
    worker_stop = 1;
    pthread_join(thread, NULL);
    sleep_ms(15);
    counted = count;
    sleep_ms(40);
    SHOW(count - counted);
    memset((char *)&to_thread + 16, 0x22, 4);
    SHOW(create(CLOCK_MONOTONIC, &to_thread, &threads));

    /* CPU clocks. */
    event.sigev_notify = SIGEV_SIGNAL;
    kernel_timer cpu;
    for (int i = 0; i < 2; i++) {
        clockid_t clock = i ? CLOCK_THREAD_CPUTIME_ID : CLOCK_PROCESS_CPUTIME_ID;
        SHOW(create(clock, &event, &cpu));
        count = 0;
        settime(cpu, 0, 30 * MS, 0, NULL);
        sleep_ms(60);
        SHOW(count);
        long long start = now(clock);
        while (!count) {}
        check("CPU time", now(clock) - start, MS, 200 * MS);
        count = 0;
        settime(cpu, TIMER_ABSTIME, now(clock) + 20 * MS, 20 * MS, NULL);
        while (count < 3) {}
        SHOW(settime(cpu, 0, 0, 0, NULL));
        SHOW(delete(cpu));
    }

    /* Not by fork, removed by exec. */
    count = 0;
    settime(id, 0, 30 * MS, 0, NULL);
    pid_t pid = fork();
    if (!pid) {
        SHOW(left(id));
        sleep_ms(60);
        SHOW(count);
        create(CLOCK_MONOTONIC, &event, &second);
        settime(second, 0, 20 * MS, 0, NULL);
        char number[20];
        snprintf(number, sizeof number, "%d", second);
        execl("/proc/self/exe", "timers", "again", number, NULL);
        _exit(9);
    }
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    SHOW(status);
    SHOW(count);

    /* What is refused. */
    event.sigev_signo = 0;
    SHOW(create(CLOCK_MONOTONIC, &event, &second));
    event.sigev_signo = SIGUSR1, event.sigev_notify = 9;
    SHOW(create(CLOCK_MONOTONIC, &event, &second));
    event.sigev_notify = SIGEV_SIGNAL;
    SHOW(create(77, &event, &second));
    SHOW(create(CLOCK_MONOTONIC_RAW, &event, &second));
    SHOW(create(CLOCK_MONOTONIC, (void *)8, &second));
    SHOW(create(CLOCK_MONOTONIC, &event, (void *)8));
    SHOW(settime(id, 0, -5, 0, NULL));
    SHOW(settime(9999, 0, 5, 0, NULL));
    SHOW(syscall(SYS_timer_settime, id, 0, NULL, NULL));
    SHOW(syscall(SYS_timer_settime, id, 0, 8, NULL));
    SHOW(overrun(9999));
    for (int i = 0; i < 100; i++) create(CLOCK_MONOTONIC, &event, &second);
    SHOW(delete(second));
    return 0;
}
