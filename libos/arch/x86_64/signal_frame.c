/*
 * Signal frames of x86-64 Linux: struct rt_sigframe (return address, ucontext, siginfo) below the FPU state in XSAVE's standard
 * format, whose bytes 464..511 tell a program how large it is (Linux: arch/x86/include/uapi/asm/sigcontext.h). Part of `signal`.
 * What a program hands back is hostile: addresses, flags and the XSAVE header are checked before they are loaded.
 */
#include "signal/internal.h"
#include "channel/channel.h"
#include "init/init.h"
#include "arch/x86_64/internal.h"

enum { RED_ZONE = 128, LEGACY = 512, AREA_MOST = 4096, HEADER = 512, HEADER_SIZE = 64, SOFTWARE = 464 };
#define MAGIC1 0x46505853u
#define MAGIC2 0x46505845u
#define FLAGS_PROGRAM 0x50dd5ul /* AC OF DF TF SF ZF AF PF CF RF: what a handler may change */

struct context {
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, vector, old_mask, cr2, fpu, reserved[8];
};
struct ucontext { uint64_t flags, link; struct signal_stack stack; struct context context; uint64_t mask; };
struct signal_frame { uint64_t return_address; struct ucontext ucontext; uint8_t info[128]; };
struct software_bytes { uint32_t magic, extended_size; uint64_t features; uint32_t size, padding[7]; };

static uint8_t area[AREA_MOST] __attribute__((aligned(64))); /* the FPU state on its way; one CPU, interrupts off */
static uint32_t area_uses; /* a copy that waited for a page of the program, while others used the area, is made anew: the page is there then */
static uint32_t area_size;
static uint64_t area_features; /* XCR0; 0 where the CPU has no XSAVE */

static void measure(void) {
    if (area_size) return;
    area_size = LEGACY;
    if (!(cpuid(1, 0).c & 1u << 27)) return; /* OSXSAVE */
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    area_features = (uint64_t)high << 32 | low;
    area_size = cpuid(0xd, 0).b;
    if (area_size > AREA_MOST) {
        area_size = LEGACY + HEADER_SIZE + 256;
        area_features = 7; /* x87, SSE, AVX */
    }
}

static void save_fpu(void) {
    if (area_features) {
        __builtin_memset(area + HEADER, 0, HEADER_SIZE);
        __asm__ volatile("xsave64 %0" : "+m"(area) : "a"((uint32_t)area_features), "d"((uint32_t)(area_features >> 32)) : "memory");
    } else {
        __asm__ volatile("fxsave64 %0" : "+m"(area) : : "memory");
    }
    struct software_bytes tell = {MAGIC1, area_size + 4, area_features, area_size, {0}};
    if (area_features) __builtin_memcpy(area + SOFTWARE, &tell, sizeof tell);
    else __builtin_memset(area + SOFTWARE, 0, sizeof tell);
}

/* Loads what the program left at `from`; a state that the CPU would refuse is refused. */
static bool restore_fpu(uintptr_t from) {
    struct software_bytes told;
    measure();
    if (!from) {
        __builtin_memset(area, 0, AREA_MOST); /* the initial state */
        *(uint16_t *)area = 0x37f, *(uint32_t *)(area + 24) = 0x1f80;
    } else {
        if (user_copy_in(&told, (void *)(from + SOFTWARE), sizeof told)) return false;
        bool extended = area_features && told.magic == MAGIC1 && told.size == area_size;
        uint32_t use;
        do {
            use = ++area_uses;
            if (user_copy_in(area, (void *)from, extended ? area_size : LEGACY)) return false;
        } while (use != area_uses);
        uint64_t *header = (uint64_t *)(area + HEADER);
        if (!extended) {
            __builtin_memset(header, 0, HEADER_SIZE);
            header[0] = 3;
        }
        header[0] &= area_features & told.features;
        if (!extended) header[0] = 3;
        for (int i = 1; i < 8; i++) header[i] = 0;
    }
    *(uint32_t *)(area + 24) &= 0xffff; /* MXCSR: reserved bits fault */
    if (area_features)
        __asm__ volatile("xrstor64 %0" : : "m"(area), "a"((uint32_t)area_features), "d"((uint32_t)(area_features >> 32)) : "memory");
    else
        __asm__ volatile("fxrstor64 %0" : : "m"(area) : "memory");
    return true;
}

bool arch_signal_frame(struct trap_frame *frame, const struct signal_action *action, const struct signal_info *info,
                       const struct signal_stack *stack, bool switch_stack, uint64_t mask, const uintptr_t *fault_address) {
    uint32_t use, end = MAGIC2;
    measure();
    uintptr_t sp = switch_stack ? stack->base + stack->size : frame->rsp - RED_ZONE;
    uintptr_t lowest = stack->base;
    uintptr_t fpu = (sp - area_size - 4) & ~63ul;
    sp = ((fpu - sizeof(struct signal_frame)) & ~15ul) - 8;
    if ((switch_stack || stack->flags & SS_ONSTACK) && sp - lowest >= stack->size) return false; /* overflow of the alternate stack */

    struct signal_frame out = {.return_address = action->restorer};
    out.ucontext.flags = (area_features ? 1 : 0) | 2 | 4; /* UC_FP_XSTATE, UC_SIGCONTEXT_SS, UC_STRICT_RESTORE_SS */
    out.ucontext.stack = *stack;
    out.ucontext.mask = mask;
    out.ucontext.context = (struct context){
        frame->r8, frame->r9, frame->r10, frame->r11, frame->r12, frame->r13, frame->r14, frame->r15, frame->rdi, frame->rsi,
        frame->rbp, frame->rbx, frame->rdx, frame->rax, frame->rcx, frame->rsp, frame->rip, frame->rflags,
        0x33, 0, 0, 0x2b, /* the selectors of a Linux program */
        fault_address ? frame->error : 0, fault_address ? frame->vector : 0, mask, fault_address ? *fault_address : 0, fpu, {0}};
    __builtin_memcpy(out.info, info, sizeof *info);
    do {
        use = ++area_uses;
        save_fpu();
        if (user_copy_out((void *)fpu, area, area_size)) return false;
    } while (use != area_uses);
    if ((area_features && user_copy_out((void *)(fpu + area_size), &end, 4)) ||
        user_copy_out((void *)sp, &out, sizeof out))
        return false;
    frame->rdi = (uint64_t)info->number;
    frame->rsi = sp + offsetof(struct signal_frame, info);
    frame->rdx = sp + offsetof(struct signal_frame, ucontext);
    frame->rax = 0;
    frame->rip = action->handler;
    frame->rsp = sp;
    frame->rflags &= ~0x10500ul; /* DF, TF, RF */
    return true;
}

bool arch_signal_return(struct trap_frame *frame, uintptr_t at, uint64_t *mask, struct signal_stack *stack) {
    struct ucontext in;
    if (user_copy_in(&in, (void *)at, sizeof in)) return false;
    const struct context *c = &in.context;
    if (c->rip >= PROGRAM_END && c->rip < IMAGE_WINDOW) return false; /* not canonical, or nothing of the program's */
    if (!restore_fpu(c->fpu)) return false;
    frame->r8 = c->r8, frame->r9 = c->r9, frame->r10 = c->r10, frame->r11 = c->r11, frame->r12 = c->r12, frame->r13 = c->r13;
    frame->r14 = c->r14, frame->r15 = c->r15, frame->rdi = c->rdi, frame->rsi = c->rsi, frame->rbp = c->rbp, frame->rbx = c->rbx;
    frame->rdx = c->rdx, frame->rax = c->rax, frame->rcx = c->rcx, frame->rsp = c->rsp, frame->rip = c->rip;
    frame->rflags = (c->rflags & FLAGS_PROGRAM) | 0x202;
    frame->cs = SELECTOR_CODE;
    frame->ss = SELECTOR_DATA;
    frame->vector = frame->error = 0;
    *mask = in.mask;
    *stack = in.stack;
    return true;
}

bool arch_signal_never_restarts(uint64_t number) {
    switch (number) {
    case 7: case 23: case 270: case 271:             /* poll, select, pselect6, ppoll */
    case 34: case 130: case 128:                     /* pause, rt_sigsuspend, rt_sigtimedwait */
    case 35: case 230:                               /* nanosleep, clock_nanosleep */
    case 232: case 281: case 441: case 208: case 333: /* epoll_wait, epoll_pwait, epoll_pwait2, io_getevents, io_pgetevents */
    case 65: case 220: case 69: case 70:             /* semop, semtimedop, msgsnd, msgrcv */
        return true;
    default: return false;
    }
}

/* A trap frame of the caller's state right after this call, then delivery into it. All registers that a call preserves are. */
__asm__(".pushsection .text.arch_signal_point, \"ax\", @progbits\n"
        ".globl arch_signal_point\n.hidden arch_signal_point, arch_trap_return\n"
        "arch_signal_point:\n"
        "    movq (%rsp), %rax\n"          /* where to go on */
        "    leaq 8(%rsp), %rcx\n"         /* its stack pointer */
        "    pushfq\n    popq %rdx\n"
        "    subq $8192, %rsp\n"           /* the handler's frame comes right below the caller's stack; this works below that */
        "    pushq $16\n    pushq %rcx\n    pushq %rdx\n    pushq $8\n    pushq %rax\n" /* ss rsp rflags cs rip */
        "    pushq $-2\n    pushq $0\n"   /* error: TRAP_ERROR_POINT, vector */
        "    pushq $2\n"                   /* rax: RESTART_UNNOTICED */
        "    subq $64, %rsp\n"             /* rcx … r11: the call may change them */
        "    pushq %rbx\n    pushq %rbp\n    pushq %r12\n    pushq %r13\n    pushq %r14\n    pushq %r15\n"
        "    movq %rsp, %rdi\n    call signal_deliver\n    jmp arch_trap_return\n"
        ".popsection");
