// variants: glibc pie musl
// flags: -pthread
/* Processes: prints what a Linux machine prints; run natively and in a guest, outputs compared. Numbers of processes are not printed. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
extern char **environ;
static long ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
static void sleep_ms(long n) { nanosleep(&(struct timespec){n / 1000, n % 1000 * 1000000}, NULL); }
static int wait_for(pid_t pid) {
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
    return status;
}
static pid_t start(int (*function)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        int status = function();
        fflush(stdout);
        _exit(status);
    }
    return pid;
}

static int variable = 1, *shared;
static int change(void) {
    variable = 2;
    *shared = 22;
    printf("child: %d\n", variable);
    return 3;
}
static int brief_exit(void) { return 0; }
static int die(void) { return kill(getpid(), SIGTERM); }
static int crash(void) {
    signal(SIGSEGV, SIG_DFL);
    *(volatile int *)0 = 1;
    return 0;
}
static int sleeps(void) { sleep_ms(20000); return 0; }
static int brief(void) { sleep_ms(30); return 4; }

static volatile int children, last_code, last_status, last_pid;
static void on_child(int number, siginfo_t *info, void *context) {
    (void)number, (void)context;
    children++, last_code = info->si_code, last_status = info->si_status, last_pid = info->si_pid;
}
static volatile int got;
static void note(int number) { got += number; }

static void *busy(void *argument) {
    for (;;) *(volatile long *)argument += 1;
}
static int with_threads(void) {
    static long n;
    pthread_t thread;
    pthread_create(&thread, NULL, busy, &n);
    pthread_create(&thread, NULL, busy, &n);
    sleep_ms(15);
    return fork() ? (wait(NULL), 5) : 6;
}
static int exec_with_threads(void) {
    static long n;
    pthread_t thread;
    pthread_create(&thread, NULL, busy, &n);
    sleep_ms(5);
    execl("/proc/self/exe", "processes", "exec", "threads", NULL);
    return 1;
}
static int grandchild(void) {
    if (start(brief) < 0) return 1;
    return 8; /* the orphan is the first process's */
}
static int stops(void) {
    raise(SIGSTOP);
    return 11;
}
static int in_group(void) {
    setpgid(0, 0);
    sleep_ms(20000);
    return 0;
}
static int dies_with_parent(void) {
    pid_t pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        char byte = 1;
        if (write(9, &byte, 1) != 1) _exit(1);
        sleep_ms(20000);
        _exit(0);
    }
    sleep_ms(30);
    return 0;
}
static long free_pages(void) {
    struct sysinfo info;
    sysinfo(&info);
    return (long)(info.freeram * info.mem_unit / 4096);
}

int main(int argc, char **argv) {
    int status, fds[2];
    pid_t pid;
    siginfo_t info;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 1 && !strcmp(argv[1], "exec")) {
        sigset_t pending;
        struct sigaction action;
        sigaction(SIGUSR1, NULL, &action);
        sigprocmask(SIG_BLOCK, NULL, &pending);
        printf("exec: %d arguments, %s, %s, USR1 %s, USR2 %s, descriptor 7 %s\n", argc, argv[2], getenv("MARK") ? getenv("MARK") : "-",
               action.sa_handler == SIG_DFL ? "default" : action.sa_handler == SIG_IGN ? "ignored" : "handled",
               sigismember(&pending, SIGUSR2) ? "blocked" : "free", fcntl(7, F_GETFD) < 0 ? "closed" : "open");
        return 7;
    }
    if (argc > 1 && !strcmp(argv[1], "storm")) { /* fork and wait, many times: no page is left behind */
        for (int i = 0; i < 20; i++) wait_for(start(brief_exit));
        int good = 0;
        long before = free_pages();
        for (int i = 0; i < 2000; i++) {
            pid = fork();
            if (!pid) _exit(i & 127);
            good += WEXITSTATUS(wait_for(pid)) == (i & 127);
        }
        long left = before - free_pages();
        SHOW(good);
        fprintf(stderr, "%ld pages\n", left);
        return argc > 2 && left > 4 ? 1 : 0;
    }
    shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    SHOW(wait_for(start(change))); SHOW(variable); SHOW(*shared);
    SHOW(wait_for(start(die))); SHOW(wait_for(start(crash)) & 0x7f);
    SHOW(waitpid(-1, &status, 0)); SHOW(errno == ECHILD);
    pid = start(sleeps);
    SHOW(waitpid(pid, &status, WNOHANG)); SHOW(kill(pid, 0)); SHOW(kill(pid, SIGKILL)); SHOW(wait_for(pid)); SHOW(kill(pid, 0)); SHOW(errno == ESRCH);

    /* vfork, exec, posix_spawn. */
    setenv("MARK", "kept", 1);
    signal(SIGUSR1, note);
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    dup2(0, 7), fcntl(7, F_SETFD, FD_CLOEXEC);
    if (!(pid = vfork())) {
        execl("/proc/self/exe", "processes", "exec", "vfork", NULL);
        _exit(1);
    }
    SHOW(wait_for(pid));
    variable = 1;
    if (!(pid = vfork())) {
        variable = 9;
        _exit(2);
    }
    SHOW(variable); SHOW(wait_for(pid));
    char *arguments[] = {"processes", "exec", "spawn", NULL};
    int error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ);
    SHOW(wait_for(pid)); SHOW(error);
    SHOW(posix_spawn(&pid, "/nowhere", NULL, NULL, arguments, environ) == ENOENT);
    SHOW(execl("/", "x", NULL)); SHOW(errno == EACCES);
    SHOW(execl("/nowhere", "x", NULL)); SHOW(errno == ENOENT);
    SHOW(wait_for(start(with_threads))); SHOW(wait_for(start(exec_with_threads)));
    sigprocmask(SIG_UNBLOCK, &set, NULL);

    /* SIGCHLD and who waits. */
    struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
    sigaction(SIGCHLD, &action, NULL);
    pid = start(brief);
    SHOW(nanosleep(&(struct timespec){5, 0}, NULL)); SHOW(errno == EINTR);
    SHOW(children); SHOW(last_code == CLD_EXITED); SHOW(last_status); SHOW(last_pid == pid); SHOW(wait_for(pid));
    pid = start(sleeps);
    kill(pid, SIGTERM);
    SHOW(wait_for(pid)); SHOW(last_code == CLD_KILLED); SHOW(last_status);
    signal(SIGCHLD, SIG_IGN);
    pid = start(brief);
    SHOW(waitpid(pid, &status, 0)); SHOW(errno == ECHILD);
    action.sa_flags |= SA_NOCLDWAIT;
    children = 0;
    sigaction(SIGCHLD, &action, NULL);
    pid = start(brief);
    long began = ms();
    do errno = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR);
    SHOW(errno == ECHILD); SHOW(ms() - began >= 20); SHOW(children);
    signal(SIGCHLD, SIG_DFL);

    /* waitid. */
    pid = start(brief);
    memset(&info, 0, sizeof info);
    SHOW(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG)); SHOW(info.si_pid);
    SHOW(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT)); SHOW(info.si_pid == pid); SHOW(info.si_status); SHOW(info.si_code == CLD_EXITED);
    SHOW(waitid(P_ALL, 0, &info, WEXITED)); SHOW(info.si_signo == SIGCHLD);
    SHOW(waitid(P_ALL, 0, &info, WEXITED)); SHOW(errno == ECHILD); SHOW(waitid(P_ALL, 0, &info, 0)); SHOW(errno == EINVAL);

    /* Stop and continue. */
    pid = start(stops);
    SHOW(waitpid(pid, &status, WUNTRACED) == pid); SHOW(status); SHOW(waitpid(pid, &status, WUNTRACED | WNOHANG));
    kill(pid, SIGCONT);
    SHOW(waitpid(pid, &status, WCONTINUED) == pid); SHOW(WIFCONTINUED(status) || WIFEXITED(status));
    if (!WIFEXITED(status)) status = wait_for(pid); /* it may have run to its end before this look */
    SHOW(status);
    pid = start(sleeps);
    kill(pid, SIGSTOP);
    SHOW(waitpid(pid, &status, WUNTRACED) == pid); SHOW(WSTOPSIG(status) == SIGSTOP);
    kill(pid, SIGKILL);
    SHOW(wait_for(pid));

    /* Groups and sessions. */
    pid = start(in_group);
    sleep_ms(30);
    SHOW(getpgid(pid) == pid); SHOW(getsid(pid) == getsid(0)); SHOW(kill(-pid, SIGHUP)); SHOW(wait_for(pid)); SHOW(kill(-pid, 0)); SHOW(errno == ESRCH);
    fflush(stdout);
    if (!(pid = fork())) {
        int ok = setsid() == getpid() && getpgrp() == getpid() && getsid(0) == getpid() && setsid() < 0 && errno == EPERM;
        _exit(ok ? 12 : 13);
    }
    SHOW(wait_for(pid));
    SHOW(wait_for(start(grandchild)));
    if (pipe(fds)) return 1;
    dup2(fds[1], 9), close(fds[1]);
    pid = start(dies_with_parent);
    close(9);
    char bytes[10];
    wait_for(pid);
    began = ms();
    SHOW(read(fds[0], bytes, 1)); SHOW(read(fds[0], bytes, 1)); SHOW(ms() - began < 10000); /* the end of the file: the last writer was killed */
    close(fds[0]);

    /* A pipeline of three, and signals between processes. */
    int first[2], second[2];
    if (pipe(first) || pipe(second)) return 1;
    fflush(stdout);
    if (!fork()) {
        for (int i = 1; i <= 20000; i++)
            if (write(first[1], &i, sizeof i) != sizeof i) _exit(1);
        _exit(0);
    }
    if (!fork()) {
        int i;
        close(first[1]);
        while (read(first[0], &i, sizeof i) == sizeof i) {
            i *= 2;
            if (write(second[1], &i, sizeof i) != sizeof i) _exit(1);
        }
        _exit(0);
    }
    close(first[0]), close(first[1]), close(second[1]);
    long sum = 0;
    for (int i; read(second[0], &i, sizeof i) == sizeof i;) sum += i;
    close(second[0]);
    SHOW(sum); wait_for(-1); wait_for(-1);
    pid_t parent = getpid();
    signal(SIGUSR1, note);
    fflush(stdout);
    if (!(pid = fork())) {
        got = 0;
        for (int i = 0; i < 50; i++) {
            sigset_t wait;
            sigemptyset(&wait);
            kill(parent, SIGUSR1);
            sched_yield();
        }
        _exit(0);
    }
    SHOW(wait_for(pid)); SHOW(got > 0);
    if (pipe(fds)) return 1;
    pid = start(sleeps);
    fflush(stdout);
    pid_t breaker = fork();
    if (!breaker) {
        signal(SIGPIPE, SIG_DFL);
        close(fds[0]);
        _exit(write(fds[1], "x", 1) == 1 ? 0 : 1);
    }
    close(fds[0]);
    SHOW(wait_for(breaker)); close(fds[1]);
    kill(pid, SIGKILL), wait_for(pid);

    /* Process descriptors. */
    pid = start(brief);
    int descriptor = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd entry = {descriptor, POLLIN, 0};
    SHOW(poll(&entry, 1, 0)); SHOW(poll(&entry, 1, 10000)); SHOW(entry.revents == POLLIN);
    SHOW(waitid((idtype_t)P_PIDFD, (id_t)descriptor, &info, WEXITED)); SHOW(info.si_pid == pid);
    SHOW(syscall(SYS_pidfd_send_signal, descriptor, 0, NULL, 0)); SHOW(errno == ESRCH);
    close(descriptor);

    /* Descriptors and positions are shared, tables are not. */
    if (pipe(fds)) return 1;
    fflush(stdout);
    if (!(pid = fork())) {
        close(fds[0]);
        _exit(write(fds[1], "abc", 3) == 3 ? 0 : 1);
    }
    wait_for(pid);
    SHOW(read(fds[0], bytes, sizeof bytes)); SHOW(fcntl(fds[0], F_GETFD));
    struct rlimit limit = {3, 3};
    fflush(stdout);
    if (!(pid = fork())) {
        setrlimit(RLIMIT_CORE, &limit);
        getrlimit(RLIMIT_CORE, &limit);
        _exit((int)limit.rlim_cur);
    }
    wait_for(pid);
    getrlimit(RLIMIT_NPROC, &limit);
    SHOW(limit.rlim_cur > 3);
    alarm(50);
    fflush(stdout);
    if (!(pid = fork())) _exit((int)alarm(0));
    SHOW(wait_for(pid)); SHOW(alarm(0) > 40);
    return 0;
}
