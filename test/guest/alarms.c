/*
 * Signals that come at any moment: each alarm runs its handler soon, also where one falls on the way out of a system call, and also when the
 * program makes no further call. The bit of EFLAGS that is set here sends each call out by the long way.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 1500
#define LATE_NS 300000000ll

static volatile sig_atomic_t fired;
static void on_alarm(int number) { (void)number; fired++; }

#define FLAG_ID 0x200000ul
static void set_flags(unsigned long change) {
#ifdef __x86_64__
    __asm__ volatile("leaq -128(%%rsp), %%rsp; pushfq; xorq %0, (%%rsp); popfq; leaq 128(%%rsp), %%rsp" ::"r"(change) : "cc", "memory");
#else
    (void)change; /* there is one way out of calls */
#endif
}

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

/* How long a turn of the loop without calls takes, so that a wait has an end. */
static void turn(unsigned count) {
    for (volatile unsigned i = 0; i < count && !fired; i++) ;
}

int main(void) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    fired = 0;
    long long start = now();
    turn(2000000);
    long long per_turn = (now() - start) / 2000;
    unsigned limit = (unsigned)(LATE_NS / (per_turn ? per_turn : 1) * 1000);

    int lost = 0;
    unsigned seed = 7;
    set_flags(FLAG_ID);
    for (int round = 0; round < ROUNDS; round++) {
        seed = seed * 1103515245 + 12345;
        struct itimerval once = {.it_value = {0, 20 + (seed >> 16) % 60}};
        fired = 0;
        setitimer(ITIMER_REAL, &once, NULL);
        for (int i = 0; i < 300 && !fired; i++) syscall(SYS_getppid);
        turn(limit);
        lost += !fired;
        if (!fired) while (!fired) syscall(SYS_getppid);
    }
    set_flags(FLAG_ID);
    printf("late %d\n", lost);

    /* A period: at most one waits, so there are at most as many as periods, and many of them; a busy machine needs longer for as many. */
    struct itimerval storm = {{0, 1000}, {0, 1000}}, none = {0};
    fired = 0;
    setitimer(ITIMER_REAL, &storm, NULL);
    for (start = now(); now() - start < 300000000ll || (fired <= 100 && now() - start < 20000000000ll);) syscall(SYS_getppid);
    setitimer(ITIMER_REAL, &none, NULL);
    int periods = (int)((now() - start) / 1000000), good = fired > 100 && fired <= periods + 1;
    printf("periods %s\n", good ? "about as many" : "wrong");
    if (!good) fprintf(stderr, "%d alarms in %d periods\n", (int)fired, periods);
    return 0;
}
