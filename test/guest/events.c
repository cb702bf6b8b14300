// variants: glibc pie musl linked
/* epoll, timerfd, signalfd and eventfd: what they answer, in one thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) do { errno = 0; long value_ = (long)(expression); printf("%s = %ld %s\n", #expression, value_, value_ < 0 ? strerror(errno) : ""); } while (0)
static int set;
static int ctl(int op, int fd, uint32_t events, uint64_t data) {
    struct epoll_event e = {.events = events, .data.u64 = data};
    return epoll_ctl(set, op, fd, &e);
}
static void waits(const char *what, int most, int timeout) {
    struct epoll_event e[64];
    int n = epoll_wait(set, e, most, timeout);
    printf("%s: %d", what, n);
    uint64_t sum = 0;
    uint32_t all = 0;
    for (int i = 0; i < n; i++) sum += e[i].data.u64, all |= e[i].events;
    printf(" data %lu events %x\n", (unsigned long)sum, all);
}
static long ms(struct timespec a) {
    struct timespec b;
    clock_gettime(CLOCK_MONOTONIC, &b);
    return (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
}
static void on_signal(int n) { (void)n; }

static void levels(void) {
    int p[2];
    char c[10];
    set = epoll_create1(EPOLL_CLOEXEC);
    SHOW(fcntl(set, F_GETFD));
    SHOW(pipe2(p, O_NONBLOCK));
    SHOW(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
    SHOW(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
    SHOW(ctl(EPOLL_CTL_ADD, p[1], EPOLLOUT, 2));
    waits("empty pipe", 8, 0);
    SHOW(write(p[1], "ab", 2));
    waits("one at a time", 1, 0);
    waits("the other", 1, 0);
    waits("both", 8, 0);
    SHOW(read(p[0], c, 1));
    waits("still level", 8, 0);
    SHOW(read(p[0], c, 10));
    waits("read", 8, 0);
    SHOW(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 10));
    SHOW(write(p[1], "a", 1));
    waits("edge", 8, 0);
    waits("edge again", 8, 0);
    SHOW(write(p[1], "a", 1));
    waits("edge anew", 8, 0);
    SHOW(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 20));
    waits("oneshot", 8, 0);
    SHOW(write(p[1], "a", 1));
    waits("oneshot is over", 8, 0);
    SHOW(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 20));
    waits("oneshot anew", 8, 0);
    SHOW(ctl(EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLRDHUP, 30));
    SHOW(ctl(EPOLL_CTL_DEL, p[1], 0, 0));
    SHOW(ctl(EPOLL_CTL_DEL, p[1], 0, 0));
    SHOW(ctl(EPOLL_CTL_MOD, p[1], 0, 0));
    SHOW(close(p[1]));
    waits("hung up", 8, 0);
    int d = dup(p[0]);
    SHOW(close(p[0]));
    waits("closed, but a dup is there", 8, 0);
    SHOW(close(d));
    waits("gone", 8, 0);
    SHOW(close(set));
}

static void errors(void) {
    struct epoll_event e;
    sigset_t mask;
    set = epoll_create(1);
    int event = eventfd(0, 0), file = open("/tmp", O_RDONLY);
    SHOW(epoll_create(0)); SHOW(epoll_create1(1));
    SHOW(ctl(EPOLL_CTL_ADD, 99, EPOLLIN, 0)); SHOW(ctl(EPOLL_CTL_ADD, set, EPOLLIN, 0)); SHOW(ctl(EPOLL_CTL_ADD, file, EPOLLIN, 0));
    SHOW(ctl(9, event, EPOLLIN, 0)); SHOW(epoll_ctl(event, EPOLL_CTL_ADD, set, &e)); SHOW(epoll_ctl(set, EPOLL_CTL_ADD, event, NULL));
    SHOW(epoll_wait(set, &e, 0, 0)); SHOW(epoll_wait(99, &e, 1, 0)); SHOW(epoll_wait(event, &e, 1, 0));
    SHOW(ctl(EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE | EPOLLONESHOT, 0)); SHOW(ctl(EPOLL_CTL_ADD, event, EPOLLIN | EPOLLEXCLUSIVE, 0));
    SHOW(ctl(EPOLL_CTL_MOD, event, EPOLLIN, 0));
    SHOW(epoll_wait(set, &e, 1, 0));
    SHOW(eventfd_write(event, 1));
    SHOW(epoll_wait(set, &e, 1, -1));
    sigemptyset(&mask);
    SHOW(syscall(SYS_epoll_pwait, set, &e, 1, 0, &mask, 4L)); SHOW(epoll_pwait(set, &e, 1, 0, &mask));
    struct timespec bad = {0, 2000000000}, some = {0, 5000000};
    SHOW(syscall(SYS_epoll_pwait2, set, &e, 1, &bad, NULL, 8L)); SHOW(syscall(SYS_epoll_pwait2, set, &e, 1, &some, NULL, 8L));
    SHOW(read(set, &e, 1));
    close(file); close(event); close(set);
}

static void nested(void) {
    int sets[8], p[2];
    SHOW(pipe(p));
    for (int i = 0; i < 8; i++) sets[i] = epoll_create1(0);
    for (int i = 0; i < 7; i++) {
        set = sets[i];
        printf("%d ", i);
        SHOW(ctl(EPOLL_CTL_ADD, sets[i + 1], EPOLLIN, i));
    }
    set = sets[2];
    SHOW(ctl(EPOLL_CTL_ADD, sets[0], EPOLLIN, 1));
    set = sets[3];
    SHOW(ctl(EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLET, 1));
    set = sets[0];
    waits("nothing inside", 4, 10);
    SHOW(write(p[1], "x", 1));
    waits("four sets up", 4, 100);
    struct pollfd poll_set = {sets[1], POLLIN, 0};
    SHOW(poll(&poll_set, 1, 100)); SHOW(poll_set.revents);
    set = sets[3];
    waits("innermost", 4, 0);
    set = sets[0];
    waits("edge was taken", 4, 0);
    for (int i = 0; i < 8; i++) close(sets[i]);
    close(p[0]); close(p[1]);
}

static void many(void) {
    int events[300];
    set = epoll_create1(0);
    for (int i = 0; i < 300; i++) {
        events[i] = eventfd(0, EFD_NONBLOCK);
        if (ctl(EPOLL_CTL_ADD, events[i], EPOLLIN, i)) printf("add %d: %s\n", i, strerror(errno));
    }
    for (int i = 0; i < 300; i += 3) eventfd_write(events[i], 1);
    int total = 0;
    uint64_t sum = 0;
    struct epoll_event e[40];
    for (int n, round = 0; round < 100 && (n = epoll_wait(set, e, 40, 0)) > 0; round++)
        for (int i = 0; i < n; i++) {
            eventfd_t value;
            eventfd_read(events[e[i].data.u64], &value);
            total++;
            sum += e[i].data.u64;
        }
    printf("many: %d ready, sum %lu\n", total, (unsigned long)sum);
    for (int i = 0; i < 300; i += 2) close(events[i]);
    for (int i = 0; i < 300; i++) eventfd_write(events[i], 1);
    total = epoll_wait(set, e, 40, 0);
    printf("after closing half: %d\n", total);
    for (int i = 1; i < 300; i += 2) close(events[i]);
    waits("all closed", 8, 0);
    close(set);
}

static void timers(void) {
    struct timespec start, at;
    struct itimerspec it = {{0, 0}, {0, 30000000}}, old;
    uint64_t ticks = 0;
    SHOW(timerfd_create(55, 0)); SHOW(timerfd_create(CLOCK_MONOTONIC, 1));
    int t = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    set = epoll_create1(0);
    SHOW(ctl(EPOLL_CTL_ADD, t, EPOLLIN, 1));
    SHOW(read(t, &ticks, 8)); SHOW(read(t, &ticks, 4));
    clock_gettime(CLOCK_MONOTONIC, &start);
    SHOW(timerfd_settime(t, 0, &it, &old)); SHOW(old.it_value.tv_sec + old.it_value.tv_nsec);
    SHOW(timerfd_gettime(t, &old)); SHOW(old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 30000000);
    waits("timer", 4, 2000);
    SHOW(ms(start) >= 30 && ms(start) < 1000);
    SHOW(read(t, &ticks, 8)); SHOW(ticks); SHOW(read(t, &ticks, 8));
    it.it_interval.tv_nsec = it.it_value.tv_nsec = 10000000;
    SHOW(timerfd_settime(t, 0, &it, NULL));
    usleep(55000);
    SHOW(read(t, &ticks, 8)); SHOW(ticks >= 5 && ticks < 50);
    waits("next period", 4, 1000);
    SHOW(fcntl(t, F_SETFL, 0)); SHOW(read(t, &ticks, 8)); SHOW(ticks >= 1); SHOW(read(t, &ticks, 8)); SHOW(ticks >= 1);
    SHOW(timerfd_gettime(t, &old)); SHOW(old.it_interval.tv_nsec);
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += 20000000;
    if (at.tv_nsec >= 1000000000) at.tv_sec++, at.tv_nsec -= 1000000000;
    it = (struct itimerspec){{0, 0}, at};
    SHOW(timerfd_settime(t, TFD_TIMER_ABSTIME, &it, NULL)); SHOW(read(t, &ticks, 8)); SHOW(ticks); SHOW(ms(at) >= 0);
    int real = timerfd_create(CLOCK_REALTIME, 0);
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_sec -= 1;
    it = (struct itimerspec){{0, 0}, at};
    SHOW(timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &it, NULL)); SHOW(read(real, &ticks, 8)); SHOW(ticks);
    it.it_value.tv_nsec = 1000000000;
    SHOW(timerfd_settime(real, 0, &it, NULL)); SHOW(timerfd_settime(real, 9, &it, NULL)); SHOW(timerfd_settime(1, 0, &old, NULL)); SHOW(timerfd_settime(77, 0, &old, NULL));
    SHOW(write(real, &ticks, 8));
    close(real); close(t); close(set);
}

static void signals(void) {
    sigset_t mask;
    struct signalfd_siginfo info[3];
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR1);
    sigaddset(&mask, SIGRTMIN + 1);
    SHOW(sigprocmask(SIG_BLOCK, &mask, NULL));
    int s = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    SHOW(read(s, info, sizeof info)); SHOW(read(s, info, 4));
    set = epoll_create1(0);
    SHOW(ctl(EPOLL_CTL_ADD, s, EPOLLIN, 1));
    waits("no signal", 4, 0);
    SHOW(raise(SIGUSR1)); SHOW(kill(getpid(), SIGUSR1));
    union sigval value = {.sival_int = 4711};
    SHOW(sigqueue(getpid(), SIGRTMIN + 1, value)); SHOW(sigqueue(getpid(), SIGRTMIN + 1, value));
    waits("signals", 4, 100);
    long size;
    while ((size = read(s, info, sizeof info)) > 0)
        for (unsigned i = 0; i < size / sizeof *info; i++)
            printf("signal %u code %d own %d int %d\n", info[i].ssi_signo, info[i].ssi_code, info[i].ssi_pid == (uint32_t)getpid(), info[i].ssi_int);
    waits("none left", 4, 0);
    sigset_t other;
    sigemptyset(&other);
    sigaddset(&other, SIGUSR2);
    SHOW(signalfd(s, &other, 0) == s); SHOW(signalfd(set, &other, 0)); SHOW(signalfd(99, &other, 0)); SHOW(signalfd(-1, &other, 1));
    SHOW(raise(SIGUSR1));
    waits("not in the set any more", 4, 0);
    /* A signal ends a wait; the p-form lets it in for the call. */
    struct epoll_event e;
    signal(SIGUSR1, on_signal);
    sigemptyset(&other);
    SHOW(epoll_pwait(set, &e, 1, 1000, &other));
    signal(SIGALRM, on_signal);
    ualarm(20000, 0);
    SHOW(epoll_wait(set, &e, 1, 2000));
    close(s); close(set);
}

static void counters(void) {
    eventfd_t value;
    int e = eventfd(3, EFD_SEMAPHORE | EFD_NONBLOCK);
    struct pollfd p = {e, POLLIN | POLLOUT, 0};
    for (int i = 0; i < 4; i++) { value = 0; SHOW(eventfd_read(e, &value)); SHOW(value); }
    SHOW(poll(&p, 1, 0)); SHOW(p.revents);
    SHOW(eventfd_write(e, UINT64_MAX)); SHOW(eventfd_write(e, UINT64_MAX - 1)); SHOW(eventfd_write(e, 1)); SHOW(poll(&p, 1, 0)); SHOW(p.revents);
    close(e);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    levels();
    errors();
    nested();
    many();
    timers();
    signals();
    counters();
    return 0;
}
