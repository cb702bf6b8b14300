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

/* Generates a signal for a process, for one thread. 0; -EAGAIN when the queue for real-time signals is full; what would be ignored vanishes. */
int signal_send(struct process *, const struct signal_info *);
int signal_send_thread(struct thread *, const struct signal_info *);
/* A POSIX timer's: waits besides others of its number. False when it does not wait: ignored, no memory. When it is taken, `posix-timers` is told. */
bool signal_send_timer(struct process *, struct thread *, const struct signal_info *);
void posix_timer_taken(struct signal_info *);
void signal_raise(int number); /* for the current thread, from the kernel (SIGPIPE …) */
/* For ppoll, pselect, epoll_pwait, sigsuspend: this mask until the call's signals have been delivered. */
void signal_mask_for_call(uint64_t mask);
/* ... and at the end of such a call, with its result, which it returns: unless a signal interrupted the call, the old mask is back at once. */
long signal_mask_call_end(long result);
int signal_interrupted(void); /* by wait_until, when it gives up for a signal; not 0: the call goes on */
/* Woken by each signal that comes to wait in a queue: for who waits for blocked ones (sigtimedwait, signalfd). */
extern struct wait_queue signal_arrivals;
/* Takes the oldest pending signal of the set out of the queue; false when there is none. */
bool signal_take(uint64_t set, struct signal_info *out);
static inline bool signal_waits(void) { return signals_waiting(); }

/* For whoever makes threads and processes. create, copy: NULL when out of memory. */
struct signal_thread *signal_thread_create(void);
void signal_thread_end(struct thread *);
struct signal_state *signal_state_copy(const struct signal_state *); /* actions; nothing pending */
struct signal_state *signal_state_create(void); /* every action the default */
void signal_state_end(struct process *);
void signal_exec(void); /* handlers become the default, as exec has it */
void signal_reset(struct signal_state *); /* actions to the default, but for those that ignore */
void signal_thread_inherit(struct thread *); /* the current thread's alternate stack */
int signal_stopped_by(const struct process *);
void signal_sets(const struct process *, uint64_t *ignored, uint64_t *caught); /* for /proc */
bool signal_action_is_ignore(const struct process *, int number);
bool signal_no_child_wait(const struct process *); /* SIGCHLD ignored, or SA_NOCLDWAIT */
bool signal_no_child_stop(const struct process *); /* SA_NOCLDSTOP */

/* By `process`: tells the parent. */
enum process_change { PROCESS_STOPPED = 5, PROCESS_CONTINUED = 6 }; /* = CLD_STOPPED, CLD_CONTINUED */
void process_changed(struct process *, enum process_change);
/* To all of a group: 0 or -ESRCH. */
int process_signal_group(int group, const struct signal_info *);
#endif
