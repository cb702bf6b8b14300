// variants: glibc pie musl linked
/* Signal behaviour: prints what a Linux machine prints; run natively and in a guest, outputs compared. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>
#include "isa.h"
#ifndef REG_RIP
#define REG_RIP 16
#endif
#ifndef REG_RAX
#define REG_RAX 13
#endif

#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))
static volatile int count, last, nested, depth, deepest, code, value, on_stack, masked;
static char alternate[65536];
static sigjmp_buf back;

static void counter(int number) { count++, last = number; }
static void details(int number, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    last = number, code = info->si_code, value = info->si_value.sival_int;
    char here;
    on_stack = &here >= alternate && &here < alternate + sizeof alternate;
    sigset_t now;
    sigprocmask(SIG_BLOCK, NULL, &now);
    masked = sigismember(&now, number) * 10 + sigismember(&u->uc_sigmask, number);
}
static int ends[2];
static void second_writes(int number) {
    (void)number;
    if (++count == 2 && write(ends[1], "x", 1) != 1) abort();
}
static void recurse(int number) {
    if (++depth > deepest) deepest = depth;
    if (nested++ < 3) raise(number);
    depth--;
}
static void skip_load(int number, siginfo_t *info, void *context) { /* steps over the load and gives it a value */
    ucontext_t *u = context;
    (void)number, (void)info;
    CONTEXT_PC(u) += LOAD_SIZE;
    CONTEXT_RESULT(u) = 4711;
}
static void skip_trap(int number, siginfo_t *info, void *context) {
    ucontext_t *u = context;
    (void)info;
    CONTEXT_PC(u) += TRAP_SIZE;
    counter(number);
}
static void jump(int number) { last = number; siglongjmp(back, number); }

static void install(int number, void (*handler)(int), int flags) {
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigaction(number, &action, NULL);
}
static long ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int main(void) {
    sigset_t set, old, pending;
    setvbuf(stdout, NULL, _IOLBF, 0);
    install(SIGUSR1, counter, 0);
    raise(SIGUSR1);
    kill(getpid(), SIGUSR1);
    SHOW(count); SHOW(last == SIGUSR1);

    /* Blocking: pending once, delivered on unblocking. */
    sigemptyset(&set), sigaddset(&set, SIGUSR1), sigaddset(&set, SIGKILL);
    sigprocmask(SIG_BLOCK, &set, &old);
    count = 0;
    raise(SIGUSR1), raise(SIGUSR1);
    sigpending(&pending);
    SHOW(count); SHOW(sigismember(&pending, SIGUSR1)); SHOW(sigismember(&pending, SIGUSR2));
    sigprocmask(SIG_SETMASK, &old, NULL);
    SHOW(count);
    sigprocmask(SIG_BLOCK, NULL, &pending);
    SHOW(sigismember(&pending, SIGKILL));

    /* Real-time signals queue, with values, in order. */
    struct sigaction rt = {.sa_sigaction = details, .sa_flags = SA_SIGINFO};
    sigaction(SIGRTMIN, &rt, NULL);
    sigemptyset(&set), sigaddset(&set, SIGRTMIN);
    sigprocmask(SIG_BLOCK, &set, NULL);
    for (int i = 1; i <= 3; i++) sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i * 11});
    siginfo_t info;
    SHOW(sigwaitinfo(&set, &info) == SIGRTMIN); SHOW(info.si_value.sival_int); SHOW(info.si_code == SI_QUEUE); SHOW(info.si_pid == getpid());
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    SHOW(value); SHOW(code == SI_QUEUE); SHOW(masked);
    struct timespec short_time = {0, 20000000};
    sigprocmask(SIG_BLOCK, &set, NULL);
    SHOW(sigtimedwait(&set, NULL, &short_time)); SHOW(errno == EAGAIN);
    sigprocmask(SIG_UNBLOCK, &set, NULL);

    /* SA_NODEFER, SA_RESETHAND */
    install(SIGUSR2, recurse, 0);
    raise(SIGUSR2);
    SHOW(nested); SHOW(deepest);
    nested = deepest = 0;
    install(SIGUSR2, recurse, SA_NODEFER);
    raise(SIGUSR2);
    SHOW(nested); SHOW(deepest);
    install(SIGUSR2, counter, SA_RESETHAND);
    raise(SIGUSR2);
    struct sigaction now;
    sigaction(SIGUSR2, NULL, &now);
    SHOW(now.sa_handler == SIG_DFL);

    /* Alternate stack */
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, before;
    SHOW(sigaltstack(&stack, &before)); SHOW(before.ss_flags == SS_DISABLE);
    struct sigaction alt = {.sa_sigaction = details, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGUSR1, &alt, NULL);
    raise(SIGUSR1);
    SHOW(on_stack); SHOW(code == SI_TKILL); SHOW(masked);
    stack.ss_size = 100;
    SHOW(sigaltstack(&stack, NULL)); SHOW(errno == ENOMEM);

    /* Ignored, and ignored while blocked */
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    sigemptyset(&set), sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGUSR1));
    signal(SIGUSR1, SIG_IGN);
    sigpending(&pending);
    SHOW(sigismember(&pending, SIGUSR1));
    sigprocmask(SIG_UNBLOCK, &set, NULL);

    /* Faults: edited context, jump out */
    struct sigaction edit = {.sa_sigaction = skip_load, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &edit, NULL);
    int got;
    LOAD_FROM_16(got);
    SHOW(got);
    install(SIGSEGV, jump, 0);
    for (int i = 0; i < 3; i++)
        if (!sigsetjmp(back, 1)) *(volatile int *)8 = 1;
    SHOW(last == SIGSEGV);
    install(SIGFPE, jump, 0), install(SIGILL, jump, 0), install(SIGBUS, jump, 0);
    sigaction(SIGTRAP, &(struct sigaction){.sa_sigaction = skip_trap, .sa_flags = SA_SIGINFO}, NULL);
    volatile int zero = 0;
    if (!sigsetjmp(back, 1)) {
        zero = 1 / zero;
        if (!zero) raise(SIGFPE); /* AArch64 knows no such fault */
    }
    SHOW(last == SIGFPE);
    if (!sigsetjmp(back, 1)) ILLEGAL();
    SHOW(last == SIGILL);
    TRAP();
    SHOW(last == SIGTRAP);
    if (!sigsetjmp(back, 1)) *(volatile char *)0x8000000000000000ul = 1;
    SHOW(last == SIGSEGV);
    /* A stack overflow, seen on the alternate stack */
    install(SIGSEGV, jump, SA_ONSTACK);
    struct { void (*f)(void *); } f;
    extern void overflow(void *);
    f.f = overflow;
    last = 0;
    if (!sigsetjmp(back, 1)) f.f(&f);
    SHOW(last == SIGSEGV);

    /* Sleeping calls */
    install(SIGALRM, counter, 0);
    long t = ms();
    struct itimerval timer = {.it_value = {0, 50000}}, left;
    setitimer(ITIMER_REAL, &timer, NULL);
    struct timespec long_time = {2, 0}, rest;
    SHOW(nanosleep(&long_time, &rest)); SHOW(errno == EINTR); SHOW(rest.tv_sec == 1); SHOW(ms() - t >= 49 && ms() - t < 1500);
    timer.it_value.tv_usec = 50000;
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(pause()); SHOW(errno == EINTR);
    getitimer(ITIMER_REAL, &left);
    SHOW(left.it_value.tv_sec + left.it_value.tv_usec);
    /* A busy loop is interrupted, too; periods come again */
    count = 0;
    timer = (struct itimerval){.it_interval = {0, 20000}, .it_value = {0, 20000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    while (count < 3) {}
    timer = (struct itimerval){0};
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(count >= 3);
    SHOW(alarm(100)); SHOW(alarm(0));
    /* sigsuspend waits with its own mask and gives the old one back */
    sigemptyset(&set), sigaddset(&set, SIGALRM);
    sigprocmask(SIG_BLOCK, &set, &old);
    timer.it_value.tv_usec = 30000;
    setitimer(ITIMER_REAL, &timer, NULL);
    t = ms(), count = 0;
    while (ms() - t < 100) {}
    SHOW(count);
    sigemptyset(&pending);
    SHOW(sigsuspend(&pending)); SHOW(count);
    sigprocmask(SIG_SETMASK, &old, &pending);
    SHOW(sigismember(&pending, SIGALRM));
    /* SA_RESTART: a read goes on; a sleep does not; without it, a read does not either */
    char byte;
    struct sigaction restarts = {.sa_handler = second_writes, .sa_flags = SA_RESTART}, breaks = {.sa_handler = second_writes}, ignores = {.sa_handler = SIG_IGN};
    struct itimerval twice = {{0, 20000}, {0, 20000}}, never = {{0, 0}, {0, 0}};
    SHOW(pipe(ends));
    sigaction(SIGALRM, &restarts, NULL);
    count = 0;
    setitimer(ITIMER_REAL, &twice, NULL);
    SHOW(read(ends[0], &byte, 1)); SHOW(count);
    SHOW(nanosleep(&(struct timespec){2, 0}, NULL)); SHOW(errno == EINTR);
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &breaks, NULL);
    count = 0;
    setitimer(ITIMER_REAL, &twice, NULL);
    got = (int)read(ends[0], &byte, 1);
    int seen = count, broken = errno == EINTR; /* now, not when the lines are written: the timer goes on */
    setitimer(ITIMER_REAL, &never, NULL);
    SHOW(got); SHOW(broken); SHOW(seen);
    sigaction(SIGALRM, &ignores, NULL); /* nobody notices: a sleep lasts */
    setitimer(ITIMER_REAL, &twice, NULL);
    SHOW(nanosleep(&(struct timespec){0, 100000000}, NULL));
    setitimer(ITIMER_REAL, &never, NULL);
    /* A mask for a call: gone when it returns, also before the next call; what only it let through waits when nothing was interrupted. */
    sigset_t usr1, none, mask;
    sigemptyset(&none), sigemptyset(&usr1), sigaddset(&usr1, SIGUSR1);
    install(SIGUSR1, counter, 0);
    struct pollfd ready[1] = {{ends[1], POLLOUT, 0}};
    int odd = 0;
    for (int i = 0; i < 300; i++) {
        sigprocmask(SIG_SETMASK, &none, NULL);
        int polled = ppoll(NULL, 0, &(struct timespec){0, i % 3 * 100000}, &none);
        sigprocmask(SIG_SETMASK, &usr1, NULL);
        for (volatile int n = 0; n < i * 50; n++) {} /* an interrupt may come */
        count = 0;
        raise(SIGUSR1);
        odd += polled != 0 || count != 0;
        odd += ppoll(ready, 1, NULL, &none) != 1 || count != 0;
        odd += ppoll(NULL, 0, &(struct timespec){5, 0}, &none) != -1 || errno != EINTR || count != 1;
        sigprocmask(SIG_SETMASK, NULL, &mask);
        odd += !sigismember(&mask, SIGUSR1);
    }
    SHOW(odd);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Bad arguments */
    SHOW(kill(getpid(), 0)); SHOW(kill(getpid(), 65)); SHOW(sigaction(SIGKILL, &rt, NULL)); SHOW(raise(0));
    SHOW(syscall(SYS_rt_sigaction, 1, NULL, NULL, 4)); SHOW(syscall(SYS_tgkill, getpid(), 99999, 0)); SHOW(errno == ESRCH);
    return 0;
}
__attribute__((noinline)) void overflow(void *f) {
    volatile char room[4096];
    room[0] = 1;
    (*(void (**)(void *))f)(f);
    room[1] = room[0];
}
