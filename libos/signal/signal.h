/*
 * Signals: actions, masks, queues, delivery. Specification: POSIX.1-2017 (XSH 2.4), Linux signal(7), the x86-64 psABI's red zone.
 * A signal is generated (signal_send), waits in a queue while it is blocked, and is delivered on the way back to program text:
 * its default action ends the machine or nothing, its handler gets a frame on the program's stack that rt_sigreturn undoes.
 * Context: calls, bottom halves and fault handling; never interrupt handlers.
 */
#ifndef HULL_SIGNAL_SIGNAL_H
#define HULL_SIGNAL_SIGNAL_H
#include <stdbool.h>
#include <stdint.h>
#include "task/task.h"

enum { SIGHUP = 1, SIGINT, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM,
       SIGTERM, SIGSTKFLT, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF,
       SIGWINCH, SIGIO, SIGPWR, SIGSYS, SIGNAL_COUNT = 64 };
enum { SI_USER = 0, SI_KERNEL = 0x80, SI_QUEUE = -1, SI_TIMER = -2, SI_TKILL = -6 };
#define SIGNAL_BIT(n) (1ull << ((n) - 1))

/* The first bytes of siginfo_t; the rest of its 128 is zero. Which of the union counts says `code`. */
struct signal_info {
    int number, error, code, padding;
    union {
        struct { int pid; uint32_t uid; uint64_t value; };
        uint64_t address;
    };
};

/* Generates a signal for a process. 0; -EAGAIN when the queue for real-time signals is full; signals that would be ignored vanish. */
int signal_send(struct process *, const struct signal_info *);
void signal_raise(int number); /* for the current thread, from the kernel (SIGPIPE …) */
/* For ppoll, pselect, epoll_pwait, sigsuspend: this mask until the call's signals have been delivered. */
void signal_mask_for_call(uint64_t mask);
void signal_interrupted(void); /* by wait_until, when it gives up for a signal */
static inline bool signal_waits(void) { return current_thread()->signal_pending & ~current_thread()->signal_mask; }
#endif
