/* Private to signal and its part in arch/<isa>/. */
#ifndef HULL_SIGNAL_INTERNAL_H
#define HULL_SIGNAL_INTERNAL_H
#include "signal/signal.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"

enum { SA_NOCLDSTOP = 1, SA_NOCLDWAIT = 2, SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_RESTART = 0x10000000,
       SA_NODEFER = 0x40000000 };
#define SA_RESETHAND 0x80000000ul
enum { SS_ONSTACK = 1, SS_DISABLE = 2 };
#define SS_AUTODISARM 0x80000000u
#define SIGNAL_DEFAULT 0ul
#define SIGNAL_IGNORE 1ul
#define SIGNALS_UNBLOCKABLE (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

/* As rt_sigaction passes it (x86-64 and AArch64 alike). */
struct signal_action { uint64_t handler, flags, restorer, mask; };
struct signal_stack { uint64_t base; uint32_t flags, padding; uint64_t size; };
struct queued_signal { struct queued_signal *next; struct signal_info info; };

struct signal_state {
    struct signal_action actions[SIGNAL_COUNT];
    struct queued_signal *queue; /* pending ones, oldest first */
    int stopped_by;
    uint32_t queued;             /* here and in the threads' queues */
};
struct signal_thread {
    struct queued_signal *queue;
    struct signal_stack stack;
    uint64_t saved_mask; /* while thread.mask_saved: to be back after a call with a mask of its own */
};
static inline struct signal_state *signal_state(void) { return current_process()->signals; }
static inline struct signal_thread *signal_thread(void) { return current_thread()->signals; }

/* What happens where nobody handles it. */
enum default_action { ACTION_END, ACTION_IGNORE, ACTION_STOP, ACTION_CONTINUE };
enum default_action signal_default(int number);
bool signal_ignored(const struct signal_state *, int number);
void signal_set_mask(uint64_t mask);
void signal_forget_ignored(int number);
void signal_start_first(void);

/* arch/<isa>/signal_frame.c. Makes the frame run the handler; false when the program's stack has no room. mask: to be restored.
 * fault_address: NULL unless the frame is of the exception that this signal stands for. */
bool arch_signal_frame(struct trap_frame *, const struct signal_action *, const struct signal_info *, const struct signal_stack *,
                       bool switch_stack, uint64_t mask, const uintptr_t *fault_address);
/* Back to what the frame at the program's stack pointer says. The signal mask and stack in it, too; false: it cannot be believed. */
bool arch_signal_return(struct trap_frame *, uintptr_t at, uint64_t *mask, struct signal_stack *stack);
/* Whether a call, by its number, ends with EINTR whatever SA_RESTART says (signal(7)): those with timeouts, and those that exist to be interrupted. */
bool arch_signal_never_restarts(uint64_t number);
/* arch/signal_return.c. After a call that a signal interrupted: makes it start anew when it may. Nothing when the frame is of no such call. */
enum restart { RESTART_NONE, RESTART_ASKED, RESTART_UNNOTICED }; /* no; SA_RESTART; no handler ran: any call goes on */
void arch_signal_restart(struct trap_frame *, enum restart how);
#define TRAP_ERROR_POINT (~1ul) /* a frame of arch_signal_point: what is decided is its result */
uintptr_t arch_call_sp(void); /* the program's stack pointer, inside a call */
/* Linked programs call as functions, so no way out of the libOS follows a call: this delivers on the spot, as if an interrupt came. Returns
 * after the handlers; the result: whether the call that was interrupted goes on. */
enum restart arch_signal_point(void);
extern const char exec_binary_program __attribute__((weak));
static inline enum restart signal_point(void) {
    return !&exec_binary_program && signal_waits() ? arch_signal_point() : RESTART_NONE;
}
#endif
