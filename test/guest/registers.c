// variants: glibc pie musl
// flags: -pthread
/*
 * x87, SSE and AVX state belongs to its thread: under preemption, in handlers (which may clobber it, and edit what they return to), over fork. Prints what
 * Linux prints; on a CPU without AVX the patterns are in the halves that there are.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifdef SYS_fork
#define FORK SYS_fork, 0, 0
#else
#define FORK SYS_clone, SIGCHLD, 0
#endif
enum { REGISTERS = 16, LANES = 4, THREADS = 4, PROCESSES = 3, ROUNDS = 60 };
struct state { uint64_t lane[REGISTERS][LANES]; uint32_t mxcsr; uint16_t control; double pushed; } __attribute__((aligned(32)));
static int avx;

#define EACH(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#ifdef __aarch64__
/* The rounding mode is MXCSR's, two bits; the control word and the x87 stack are kept nowhere, so that they are as they were. */
#define LOAD(n) "ldr q" #n ", [%[in], #" #n "*32]\n"
#define SAVE(n) "str q" #n ", [%[out], #" #n "*32]\n"
#define PAIR(n, m) "ldr q" #m ", [%[in], #" #n "*32+16]\n"
#define SAVE_PAIR(n, m) "str q" #m ", [%[out], #" #n "*32+16]\n"
#define PAIRS(M) M(0, 16) M(1, 17) M(2, 18) M(3, 19) M(4, 20) M(5, 21) M(6, 22) M(7, 23) M(8, 24) M(9, 25) M(10, 26) M(11, 27) M(12, 28) M(13, 29) M(14, 30) M(15, 31)
#define ALL "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31", "memory", "cc"
static long run(const struct state *in, struct state *out, uint64_t spin, long number, long one, long two) {
    uint64_t mode = (uint64_t)(in->mxcsr >> 13 & 3) << 22;
    register long call __asm__("x8") = number, x0 __asm__("x0") = one, x1 __asm__("x1") = two, x2 __asm__("x2") = 0, x3 __asm__("x3") = 0, x4 __asm__("x4") = 0;
    __asm__ volatile("msr fpcr, %[mode]\n" EACH(LOAD) PAIRS(PAIR) "cbnz %[spin], 1f\n svc #0\n b 2f\n 1: subs %[spin], %[spin], #1\n b.ne 1b\n 2:\n" EACH(SAVE) PAIRS(SAVE_PAIR)
                     "mrs %[mode], fpcr\n msr fpcr, xzr\n"
                     : [spin] "+r"(spin), [mode] "+r"(mode), "+r"(x0) : [in] "r"(in), [out] "r"(out), "r"(call), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : ALL);
    out->mxcsr = (in->mxcsr & ~(3u << 13)) | (uint32_t)(mode >> 22 & 3) << 13;
    out->control = in->control, out->pushed = in->pushed;
    return x0;
}
#else
#define LOAD_AVX(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define SAVE_AVX(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define LOAD_SSE(n) "movdqu " #n "*32(%[in]), %%xmm" #n "\n"
#define SAVE_SSE(n) "movdqu %%xmm" #n ", " #n "*32(%[out])\n"
#define ALL "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc", "rcx", "r11"
enum { OFFSET_MXCSR = REGISTERS * LANES * 8, OFFSET_CONTROL = OFFSET_MXCSR + 4, OFFSET_PUSHED = OFFSET_MXCSR + 8 };

/* Everything from `in`; then counts down, or with 0 makes the system call; everything to `out`. The call's result. */
#define RUN(LOAD, SAVE)                                                                                                                             \
    __asm__ volatile("ldmxcsr %c[m](%[in])\n fninit\n fldcw %c[c](%[in])\n fldl %c[p](%[in])\n" EACH(LOAD)                                           \
                     "test %[spin], %[spin]\n jnz 1f\n syscall\n jmp 2f\n 1: dec %[spin]\n jnz 1b\n 2:\n" EACH(SAVE)                                  \
                     "stmxcsr %c[m](%[out])\n fnstcw %c[c](%[out])\n fstpl %c[p](%[out])\n fninit\n ldmxcsr %[usual]\n"                               \
                     : [spin] "+r"(spin), "+a"(number)                                                                                              \
                     : [in] "r"(in), [out] "r"(out), "D"(one), "S"(two), [m] "i"(OFFSET_MXCSR), [c] "i"(OFFSET_CONTROL), [p] "i"(OFFSET_PUSHED), [usual] "m"(usual) \
                     : ALL)
static long run(const struct state *in, struct state *out, uint64_t spin, long number, long one, long two) {
    static const uint32_t usual = 0x1f80;
    if (avx) RUN(LOAD_AVX, SAVE_AVX);
    else RUN(LOAD_SSE, SAVE_SSE);
    return number;
}
#endif

static void pattern(struct state *s, unsigned seed) {
    memset(s, 0, sizeof *s);
    for (unsigned r = 0; r < REGISTERS; r++)
        for (unsigned lane = 0; lane < (avx ? 4u : 2u); lane++) s->lane[r][lane] = (seed + 1) * 0x9e3779b97f4a7c15u + r * 0x100000001b3u + lane;
    s->mxcsr = 0x1f80 | (seed & 3) << 13;
    s->control = (uint16_t)(0x033f | (seed & 3) << 10 | (0x40 & (seed << 5)));
    s->pushed = seed * 1.5;
}
/* What differs, a bit each: registers, mxcsr, control word, the x87 stack. */
static int differs(const struct state *a, const struct state *b) {
    return (memcmp(a->lane, b->lane, sizeof a->lane) ? 1 : 0) | ((a->mxcsr ^ b->mxcsr) & 0xffc0 ? 2 : 0) | ((a->control ^ b->control) & 0x0f3f ? 4 : 0) | (a->pushed != b->pushed ? 8 : 0);
}

static int wrong_rounds(unsigned seed) {
    int wrong = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct state in, out = {0};
        pattern(&in, seed + 16 * (unsigned)i);
        run(&in, &out, 2000000, 0, 0, 0);
        wrong |= differs(&in, &out);
    }
    return wrong;
}
static void *thread(void *argument) { return (void *)(intptr_t)wrong_rounds((unsigned)(intptr_t)argument); }

static void clobber(void) {
    static struct state in, out;
    pattern(&in, 999);
    run(&in, &out, 1, 0, 0, 0);
}
static volatile int handled;
static void on_signal(int number) { (void)number; clobber(); handled++; }
static void on_edit(int number, siginfo_t *info, void *context) {
#ifdef __aarch64__
    /* The record of the vector registers, the first of the frame's. */
    struct { uint32_t magic, size, status, control; unsigned char v[32][16]; } *fp = (void *)((ucontext_t *)context)->uc_mcontext.__reserved;
    (void)number, (void)info;
    clobber();
    if (fp->magic != 0x46508001 || fp->size != sizeof *fp) return;
    memcpy(fp->v[3], "edited by handler", 16);
    fp->control = 2 << 22;
#else
    struct _libc_fpstate *fp = (void *)((ucontext_t *)context)->uc_mcontext.fpregs;
    (void)number, (void)info;
    clobber();
    memcpy((char *)fp + 160 + 3 * 16, "edited by handler", 16); /* xmm3 */
    memcpy((char *)fp + 24, &(uint32_t){0x1f80 | 2 << 13}, 4);  /* mxcsr */
    memcpy(fp, &(uint16_t){0x077f}, 2);                          /* the control word */
#endif
    handled++;
}

int main(void) {
#ifdef __aarch64__
    avx = 1; /* the second halves are registers 16 to 31 */
#else
    avx = !!__builtin_cpu_supports("avx");
#endif
    struct state in, out;
    pthread_t threads[THREADS];
    pid_t processes[PROCESSES];
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < PROCESSES; i++)
        if (!(processes[i] = fork())) _exit(wrong_rounds(100 + (unsigned)i));
    for (int i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, thread, (void *)(intptr_t)(i + 1));
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        printf("thread %d: %ld differ\n", i, (long)(intptr_t)wrong);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        waitpid(processes[i], &status, 0);
        printf("process %d: %d differ\n", i, status);
    }

    /* Handlers that come in the middle, again and again, and use everything. */
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 2000}, {0, 2000}}, NULL);
    int wrong = 0;
    for (unsigned i = 0; handled < 20; i++) {
        pattern(&in, i);
        run(&in, &out, 1000000, 0, 0, 0);
        wrong |= differs(&in, &out);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
    printf("handlers: %d differ\n", wrong);

    /* A handler at a system call, and one that edits what it returns to. */
    sigaction(SIGUSR1, &(struct sigaction){.sa_handler = on_signal}, NULL);
    pattern(&in, 5);
    long result = run(&in, &out, 0, SYS_kill, getpid(), SIGUSR1);
    printf("kill: %ld, %d differ\n", result, differs(&in, &out));
    sigaction(SIGUSR2, &(struct sigaction){.sa_sigaction = on_edit, .sa_flags = SA_SIGINFO}, NULL);
    pattern(&in, 6);
    result = run(&in, &out, 0, SYS_kill, getpid(), SIGUSR2);
    printf("edited: %ld, xmm3 %d, upper half kept %d, mxcsr %x, control %x, xmm4 kept %d\n", result, !memcmp(out.lane[3], "edited by handler", 16),
           !memcmp(&out.lane[3][2], &in.lane[3][2], 16), out.mxcsr & 0xffc0, out.control & 0xf3f, !memcmp(out.lane[4], in.lane[4], 32));

    /* The child begins with its parent's registers, and neither sees what the other does with them. */
    pattern(&in, 7);
    long child = run(&in, &out, 0, FORK);
    wrong = differs(&in, &out);
    if (!child) {
        clobber();
        syscall(SYS_exit_group, wrong);
    }
    int status = -1;
    waitpid((pid_t)child, &status, 0);
    printf("fork: parent %d, child %d differ\n", wrong, status);
    return 0;
}
