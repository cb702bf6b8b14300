/*
 * Signal frames of AArch64 Linux: struct rt_sigframe (siginfo, ucontext with struct sigcontext), above it a frame record for backtraces
 * (Linux: arch/arm64/kernel/signal.c, arch/arm64/include/uapi/asm/sigcontext.h). sigcontext's room for records has the registers of floating point and
 * vectors, and for an exception its syndrome. Part of `signal`.
 * What a program hands back is hostile: addresses, flags and records are checked before they are loaded.
 */
#include "signal/internal.h"
#include "channel/channel.h"
#include "init/init.h"
#include "arch/aarch64/internal.h"

enum { RECORDS = 4096 };
#define FPSIMD_MAGIC 0x46508001u
#define ESR_MAGIC 0x45535201u
#define PSTATE_FLAGS 0xf0000000ul /* N Z C V: what a handler may change */

struct sigcontext { uint64_t fault_address, regs[31], stack, counter, state, padding; };
struct ucontext { uint64_t flags, link; struct signal_stack stack; uint64_t mask; uint8_t unused[120]; uint64_t padding; struct sigcontext context; };
struct esr_record { uint32_t magic, size; uint64_t syndrome; };
/* As much of the frame as is written; the rest of the records' room stays as it is. */
struct signal_frame {
    uint8_t info[128];
    struct ucontext ucontext;
    struct arch_fpu fpu;
    union { struct esr_record record; uint64_t end; } esr;
    uint64_t end[2];
};
struct frame_record { uint64_t fp, lr; };
enum { FRAME_BYTES = offsetof(struct signal_frame, fpu) + RECORDS };
_Static_assert(offsetof(struct ucontext, context) == 176 && FRAME_BYTES == 4688, "Linux's layout");

/* Where handlers return to that brought no address of their own: Linux has these two instructions in its vDSO; debuggers and unwinders know a frame by them. */
extern const char arch_signal_return_code[];
__asm__(".pushsection .text.arch_signal_return_code, \"ax\"\n.hidden arch_signal_return_code\n.globl arch_signal_return_code\n"
        "nop\narch_signal_return_code: mov x8, #139\n    svc #0\n.popsection");

static struct signal_frame out; /* one CPU, and made anew where a copy waited: see below */
static uint32_t out_uses;

bool arch_signal_frame(struct trap_frame *frame, const struct signal_action *action, const struct signal_info *info,
                       const struct signal_stack *stack, bool switch_stack, uint64_t mask, const uintptr_t *fault_address) {
    uintptr_t sp = switch_stack ? stack->base + stack->size : frame->sp;
    uintptr_t record = (sp & ~15ul) - sizeof(struct frame_record), at = record - FRAME_BYTES;
    if ((switch_stack || stack->flags & SS_ONSTACK) && at - stack->base >= stack->size) return false; /* overflow of the alternate stack */
    struct frame_record link = {frame->x[29], frame->x[30]};
    uint32_t use;
    do { /* while the copy waited for a page of the program, others may have used `out` */
        use = ++out_uses;
        __builtin_memset(&out, 0, sizeof out);
        __builtin_memcpy(out.info, info, sizeof *info);
        out.ucontext.stack = *stack;
        out.ucontext.mask = mask;
        struct sigcontext *to = &out.ucontext.context;
        to->fault_address = fault_address ? *fault_address : 0;
        __builtin_memcpy(to->regs, frame->x, sizeof to->regs);
        to->stack = frame->sp;
        to->counter = frame->pc;
        to->state = frame->pstate & PSTATE_FLAGS;
        arch_fpu_save(&out.fpu);
        out.fpu.magic = FPSIMD_MAGIC;
        out.fpu.size = sizeof out.fpu;
        if (fault_address) out.esr.record = (struct esr_record){ESR_MAGIC, sizeof out.esr.record, frame->syndrome};
        if (user_copy_out((void *)at, &out, sizeof out)) return false;
    } while (use != out_uses);
    if (user_copy_out((void *)record, &link, sizeof link)) return false;
    frame->x[0] = (uint64_t)info->number;
    frame->x[1] = at;
    frame->x[2] = at + offsetof(struct signal_frame, ucontext);
    frame->x[29] = record;
    frame->x[30] = action->flags & SA_RESTORER ? action->restorer : (uintptr_t)arch_signal_return_code;
    frame->pc = action->handler;
    frame->sp = at;
    frame->pstate = PSTATE_PROGRAM;
    frame->syndrome = 0;
    return true;
}

/* Loads the registers of floating point and vectors that the records hold; false: there are none, or they are broken. */
static bool restore_records(uintptr_t from) {
    struct arch_fpu fpu;
    bool found = false;
    for (unsigned offset = 0; offset + 16 <= RECORDS;) {
        uint32_t head[2];
        if (user_copy_in(head, (void *)(from + offset), sizeof head)) return false;
        if (!head[0]) break;
        if (head[1] < 16 || head[1] % 16 || head[1] > RECORDS - offset) return false;
        if (head[0] == FPSIMD_MAGIC) {
            if (found || head[1] != sizeof fpu || user_copy_in(&fpu, (void *)(from + offset), sizeof fpu)) return false;
            found = true;
        }
        offset += head[1];
    }
    if (found) arch_fpu_load(&fpu);
    return found;
}

bool arch_signal_return(struct trap_frame *frame, uintptr_t at, uint64_t *mask, struct signal_stack *stack) {
    struct ucontext in;
    const uintptr_t place = at + offsetof(struct signal_frame, ucontext);
    if (at & 15 || user_copy_in(&in, (void *)place, sizeof in)) return false;
    if (!restore_records(at + offsetof(struct signal_frame, fpu))) return false;
    __builtin_memcpy(frame->x, in.context.regs, sizeof frame->x);
    frame->sp = in.context.stack;
    frame->pc = in.context.counter;
    frame->pstate = (in.context.state & PSTATE_FLAGS) | PSTATE_PROGRAM;
    frame->syndrome = 0;
    *mask = in.mask;
    *stack = in.stack;
    return true;
}

bool arch_signal_never_restarts(uint64_t number) {
    switch (number) {
    case 72: case 73:                                /* pselect6, ppoll */
    case 133: case 137:                              /* rt_sigsuspend, rt_sigtimedwait */
    case 101: case 115:                              /* nanosleep, clock_nanosleep */
    case 22: case 441: case 4: case 292:             /* epoll_pwait, epoll_pwait2, io_getevents, io_pgetevents */
    case 193: case 192: case 189: case 188:          /* semop, semtimedop, msgsnd, msgrcv */
        return true;
    default: return false;
    }
}

/* A trap frame of the caller's state right after this call, then delivery into it. All registers that a call preserves are. */
__asm__(".pushsection .text.arch_signal_point, \"ax\", @progbits\n"
        ".globl arch_signal_point\n.hidden arch_signal_point, arch_return_to_program\n"
        "arch_signal_point:\n"
        "    mov x1, sp\n"
        "    mrs x2, daif\n    add x2, x2, #5\n" /* on SP_EL1 */
        "    sub sp, sp, #8192\n"               /* the handler's frame comes right below the caller's stack; this works below that */
        "    sub sp, sp, #288\n"
        "    mov x0, #2\n    str x0, [sp]\n"    /* RESTART_UNNOTICED */
        "    stp x19, x20, [sp, #152]\n    stp x21, x22, [sp, #168]\n    stp x23, x24, [sp, #184]\n"
        "    stp x25, x26, [sp, #200]\n    stp x27, x28, [sp, #216]\n    str x29, [sp, #232]\n"
        "    stp x30, x1, [sp, #240]\n    stp x30, x2, [sp, #256]\n"
        "    mov x0, #-2\n    str x0, [sp, #272]\n" /* TRAP_ERROR_POINT */
        "    mov x0, sp\n    bl signal_deliver\n    mov x0, sp\n    b arch_return_to_program\n"
        ".popsection");
_Static_assert(sizeof(struct trap_frame) == 288, "as arch_signal_point lays it out");
