// variants: glibc musl
// flags: -pthread
/*
 * Nice values, policies, I/O priorities, barriers, names of threads: what calls set, give back, refuse and pass on, and that it is felt: on one CPU a nice
 * thread gets little, a real-time one is not interrupted by others.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(call) do { errno = 0; long result_ = (call); printf("%s = %ld%s%s\n", #call, result_, errno ? " " : "", errno ? strerror(errno) : ""); } while (0)
struct attributes { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; uint32_t clamps[2]; };
enum { OTHER, FIFO, RR, BATCH, IDLE = 5, RESET = 0x40000000 };

static long policy_of(int pid) { return syscall(SYS_sched_getscheduler, pid); }
static long set_policy(int pid, int policy, int priority) { return syscall(SYS_sched_setscheduler, pid, policy, &priority); }
static long set_param(int pid, int priority) { return syscall(SYS_sched_setparam, pid, &priority); }
static long param_of(int pid) { int p = -1; return syscall(SYS_sched_getparam, pid, &p) ? -1 : p; }
static long io_set(int which, int who, int value) { return syscall(SYS_ioprio_set, which, who, value); }
static long io_get(int which, int who) { return syscall(SYS_ioprio_get, which, who); }
static long barrier(int command, unsigned flags) { return syscall(SYS_membarrier, command, flags, 0); }
static long priority_of(int which, int who) { return syscall(SYS_getpriority, which, who); }

static void in_child(void (*run)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    int status;
    if (!pid) {
        run();
        fflush(stdout);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (status) printf("child ended with %x\n", status);
}
static void show_all(void) { SHOW(priority_of(0, 0)); SHOW(policy_of(0)); SHOW(param_of(0)); SHOW(io_get(1, 0)); }

static void *show_thread(void *argument) {
    show_all();
    return argument;
}

static void priorities(void) {
    SHOW(priority_of(0, 0)); SHOW(setpriority(PRIO_PROCESS, 0, 5)); SHOW(getpriority(PRIO_PROCESS, 0)); SHOW(getpriority(PRIO_PROCESS, getpid()));
    SHOW(nice(3)); SHOW(nice(-10)); SHOW(setpriority(PRIO_PROCESS, 0, 100)); SHOW(getpriority(PRIO_PROCESS, 0)); SHOW(setpriority(PRIO_PROCESS, 0, -100));
    SHOW(getpriority(PRIO_PROCESS, 0)); SHOW(setpriority(3, 0, 1)); SHOW(getpriority(-1, 0)); SHOW(setpriority(PRIO_PROCESS, 4000000, 1));
    SHOW(getpriority(PRIO_PGRP, 4000000)); SHOW(getpriority(PRIO_USER, 4000000)); SHOW(setpriority(PRIO_USER, 4000000, 1));
    setpgid(0, 0);
    SHOW(setpriority(PRIO_PGRP, 0, 7)); SHOW(getpriority(PRIO_PGRP, getpgrp()));
    /* Another process and thread has it, too; a thread's own is its own. */
    in_child(show_all);
    pthread_t thread;
    pthread_create(&thread, NULL, show_thread, NULL);
    pthread_join(thread, NULL);
    SHOW(setpriority(PRIO_PROCESS, 0, 0));
}

static void drop(void) {
    if (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)) puts("still privileged");
}
static void unprivileged(void) {
    setpriority(PRIO_PROCESS, 0, 4);
    drop();
    SHOW(setpriority(PRIO_PROCESS, 0, 6)); SHOW(setpriority(PRIO_PROCESS, 0, 5)); SHOW(getpriority(PRIO_PROCESS, 0)); SHOW(setpriority(PRIO_PROCESS, getppid(), 10));
    SHOW(set_policy(getppid(), OTHER, 0)); SHOW(set_policy(0, FIFO, 1)); SHOW(set_policy(0, OTHER | RESET, 0)); SHOW(set_policy(0, OTHER, 0));
    SHOW(set_policy(0, IDLE | RESET, 0)); SHOW(set_policy(0, OTHER | RESET, 0)); SHOW(io_set(1, 0, 1 << 13 | 4)); SHOW(io_set(1, 0, 3 << 13)); SHOW(io_set(1, getppid(), 2 << 13 | 1));
}
/* Only as "limits": who makes limits higher needs a privilege that a container's superuser may not have. */
static void limited(void) {
    struct rlimit limit = {25, 25}, realtime = {10, 10};
    setpriority(PRIO_PROCESS, 0, 4);
    SHOW(setrlimit(RLIMIT_NICE, &limit)); SHOW(setrlimit(RLIMIT_RTPRIO, &realtime));
    drop();
    SHOW(setpriority(PRIO_PROCESS, 0, -6)); SHOW(setpriority(PRIO_PROCESS, 0, -5)); SHOW(getpriority(PRIO_PROCESS, 0));
    SHOW(set_policy(0, FIFO, 11)); SHOW(set_policy(0, FIFO, 10)); SHOW(set_policy(0, RR, 3)); SHOW(param_of(0)); SHOW(set_policy(0, IDLE, 0)); SHOW(set_policy(0, OTHER, 0));
}

static void *show_io(void *argument) {
    SHOW(io_get(1, 0));
    return argument;
}

static void policies(void) {
    struct timespec t = {9, 9};
    SHOW(policy_of(0)); SHOW(param_of(0)); SHOW(set_policy(0, FIFO, 0)); SHOW(set_policy(0, FIFO, 100)); SHOW(set_policy(0, OTHER, 1)); SHOW(set_policy(0, 4, 0));
    SHOW(set_policy(0, 77, 0)); SHOW(set_policy(0, -1, 0)); SHOW(set_policy(-1, OTHER, 0)); SHOW(set_policy(4000000, OTHER, 0)); SHOW(policy_of(4000000)); SHOW(policy_of(-1));
    SHOW(syscall(SYS_sched_setscheduler, 0, OTHER, NULL)); SHOW(syscall(SYS_sched_getparam, 0, NULL)); SHOW(syscall(SYS_sched_getparam, 0, 8));
    SHOW(set_policy(0, FIFO, 20)); SHOW(policy_of(0)); SHOW(param_of(0)); SHOW(set_param(0, 30)); SHOW(param_of(0)); SHOW(set_param(0, 0));
    SHOW(sched_rr_get_interval(0, &t)); SHOW(t.tv_sec + t.tv_nsec);
    in_child(show_all);
    SHOW(set_policy(0, RR | RESET, 5)); SHOW(policy_of(0) == (RR | RESET)); SHOW(sched_rr_get_interval(0, &t)); SHOW(!t.tv_sec && t.tv_nsec > 0);
    in_child(show_all);
    SHOW(set_policy(0, BATCH, 0)); SHOW(policy_of(0)); SHOW(set_policy(0, IDLE, 0)); SHOW(policy_of(0)); SHOW(io_get(2, 0));
    SHOW(set_policy(0, OTHER | RESET, 0)); SHOW(setpriority(PRIO_PROCESS, 0, -4));
    in_child(show_all);
    SHOW(set_policy(0, OTHER, 0)); SHOW(setpriority(PRIO_PROCESS, 0, 0));
    for (int policy = -1; policy < 8; policy++)
        if (policy != 6 && policy != 7) printf("%d: %d..%d\n", policy, sched_get_priority_min(policy), sched_get_priority_max(policy));

    struct attributes a = {.size = 48, .policy = RR, .priority = 9, .flags = 1}, found;
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0)); memset(&found, 1, sizeof found); SHOW(syscall(SYS_sched_getattr, 0, &found, 48, 0));
    printf("%u %u %lu %d %u %lu\n", found.size, found.policy, (long)found.flags, found.nice, found.priority, (long)found.runtime);
    a = (struct attributes){.size = 48, .policy = OTHER, .nice = 11};
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0)); SHOW(syscall(SYS_sched_getattr, 0, &found, 48, 0)); SHOW(found.nice); SHOW(getpriority(PRIO_PROCESS, 0));
    a = (struct attributes){.size = 48, .policy = OTHER, .nice = 3, .flags = 8};
    SHOW(syscall(SYS_sched_setattr, 0, &a, 0)); SHOW(getpriority(PRIO_PROCESS, 0)); a.flags = 0x18, a.nice = 9; SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    SHOW(getpriority(PRIO_PROCESS, 0)); a.flags = 0x8000; SHOW(syscall(SYS_sched_setattr, 0, &a, 0)); a.flags = 0, a.policy = 99; SHOW(syscall(SYS_sched_setattr, 0, &a, 0));
    a.size = 20; SHOW(syscall(SYS_sched_setattr, 0, &a, 0)); SHOW(a.size >= 48); SHOW(syscall(SYS_sched_setattr, 0, NULL, 0)); SHOW(syscall(SYS_sched_setattr, 0, &a, 1));
    SHOW(syscall(SYS_sched_getattr, 0, &found, 47, 0)); SHOW(syscall(SYS_sched_getattr, 4000000, &found, 48, 0)); SHOW(setpriority(PRIO_PROCESS, 0, 0));

    SHOW(io_get(1, 0)); SHOW(io_get(2, 0)); SHOW(io_set(1, 0, 2 << 13 | 6)); SHOW(io_get(1, 0)); SHOW(io_get(1, getpid())); SHOW(io_set(1, 0, 2 << 13 | 1)); SHOW(io_get(2, 0));
    SHOW(io_set(1, 0, 1)); SHOW(io_set(1, 0, 4 << 13)); SHOW(io_set(0, 0, 0)); SHOW(io_set(1, 4000000, 0)); SHOW(io_get(4, 0)); SHOW(io_get(1, 4000000));
    pthread_t thread;
    pthread_create(&thread, NULL, show_io, NULL);
    pthread_join(thread, NULL);
    SHOW(io_set(1, 0, 0));
}

static void show_barriers(void) { SHOW(barrier(8, 0)); SHOW(barrier(32, 0)); }
static void barriers(void) {
    SHOW(barrier(0, 0) & 0x7f); SHOW(barrier(1, 0)); SHOW(barrier(2, 0)); SHOW(barrier(8, 0)); SHOW(barrier(16, 0)); SHOW(barrier(8, 0)); SHOW(barrier(32, 0));
    SHOW(barrier(64, 0)); SHOW(barrier(32, 0)); SHOW(barrier(4, 0)); SHOW(barrier(3, 0)); SHOW(barrier(1 << 20, 0)); SHOW(barrier(-1, 0)); SHOW(barrier(0, 4));
    in_child(show_barriers);
    SHOW(syscall(SYS_restart_syscall));
}

static void print_name(const char *what, const char *path) {
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0) strcpy(text, "none\n");
    close(fd);
    printf("%s %s", what, text);
}
static pthread_barrier_t meeting;
static int other;
static void show_name(void) { print_name("forked by a thread", "/proc/self/comm"); }
static void *named(void *argument) {
    char name[16];
    other = (int)syscall(SYS_gettid);
    prctl(PR_GET_NAME, name);
    printf("inherited %s\n", name);
    prctl(PR_SET_NAME, "worker");
    pthread_barrier_wait(&meeting);
    pthread_barrier_wait(&meeting);
    prctl(PR_GET_NAME, name);
    printf("own %s\n", name);
    in_child(show_name);
    return argument;
}
static void names(void) {
    pthread_t thread;
    char path[64], name[32];
    prctl(PR_SET_NAME, "leader of many words");
    pthread_barrier_init(&meeting, NULL, 2);
    pthread_create(&thread, NULL, named, NULL);
    pthread_barrier_wait(&meeting);
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", other);
    print_name("worker", path);
    print_name("process", "/proc/self/comm");
    SHOW(pthread_setname_np(thread, "renamed"));
    SHOW(pthread_getname_np(thread, name, sizeof name));
    puts(name);
    pthread_barrier_wait(&meeting);
    pthread_join(thread, NULL);
}

/* On one CPU. */
static volatile int stop, go;
static long long used(void) {
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}
static void *compute(void *nice_value) {
    static long long results[40];
    int wanted = (int)(intptr_t)nice_value;
    setpriority(PRIO_PROCESS, (int)syscall(SYS_gettid), wanted);
    while (!stop) {}
    results[wanted] = used();
    return &results[wanted];
}
static void felt(void) {
    pthread_t polite, plain;
    long long *little, *much;
    cpu_set_t one;
    sched_getaffinity(0, sizeof one, &one);
    int first = 0;
    while (!CPU_ISSET(first, &one)) first++;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    sched_setaffinity(0, sizeof one, &one);
    set_policy(0, FIFO, 1); /* so that it wakes */
    pthread_attr_t attributes;
    struct sched_param none = {0};
    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_OTHER);
    pthread_attr_setschedparam(&attributes, &none);
    SHOW(pthread_create(&polite, &attributes, compute, (void *)19));
    SHOW(pthread_create(&plain, &attributes, compute, (void *)0));
    usleep(600000);
    /* While this one computes, nobody else does. */
    clockid_t clock;
    struct timespec before, after;
    pthread_getcpuclockid(plain, &clock);
    clock_gettime(clock, &before);
    for (long long end = used() + 100000000; used() < end;) {}
    clock_gettime(clock, &after);
    long long meanwhile = (after.tv_sec - before.tv_sec) * 1000000000ll + after.tv_nsec - before.tv_nsec;
    stop = 1;
    pthread_join(polite, (void **)&little);
    pthread_join(plain, (void **)&much);
    if (*little * 4 < *much) puts("the nice one gets little");
    else printf("the nice one gets %lld, the other %lld\n", *little, *much);
    if (meanwhile < 10000000) puts("real time is not interrupted");
    else printf("real time: another got %lld\n", meanwhile);
}

int main(int argc, char **argv) {
    (void)argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1) {
        in_child(limited);
        return 0;
    }
    in_child(priorities);
    in_child(unprivileged);
    in_child(policies);
    in_child(barriers);
    in_child(names);
    in_child(felt);
    return 0;
}
