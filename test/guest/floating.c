// variants: glibc pie musl
/* Floating point, SSE and AVX state across calls and signal handlers; run natively and in a guest, outputs compared. */
#define _GNU_SOURCE
#include <fenv.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

static volatile int count;
static void clobber(int number) {
    (void)number;
    volatile double x = 1.5;
    for (int i = 0; i < 50; i++) x = x * 1.01 + sqrt(x);
#ifdef __aarch64__
    __asm__ volatile("movi v0.2d, #0\n movi v5.2d, #0\n movi v9.2d, #0\n movi v15.2d, #0\n msr fpcr, xzr" ::: "v0", "v5", "v9", "v15");
#else
    __asm__ volatile("pxor %%xmm0,%%xmm0; pxor %%xmm5,%%xmm5; pxor %%xmm7,%%xmm7; pxor %%xmm15,%%xmm15; fninit" ::: "xmm0", "xmm5", "xmm7", "xmm15");
    if (__builtin_cpu_supports("avx")) __asm__ volatile("vxorps %%ymm3,%%ymm3,%%ymm3; vxorps %%ymm9,%%ymm9,%%ymm9" ::: "xmm3", "xmm9");
#endif
    count++;
}

#ifdef __aarch64__
enum { UPWARD = 1 << 22 };
static int keeps(long busy) {
    uint64_t in[4] = {0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc, 0xddddeeeeffff0000}, out[4] = {0}, control;
    register long pid __asm__("x0") = getpid(), number __asm__("x8") = SYS_kill, signal __asm__("x1") = SIGUSR1;
    __asm__ volatile("msr fpcr, %[mode]\n ldp q9, q15, [%[in]]\n cbnz %[busy], 1f\n svc #0\n b 2f\n 1: subs %[busy], %[busy], #1\n b.ne 1b\n"
                     "2: stp q9, q15, [%[out]]\n mrs %[control], fpcr\n msr fpcr, xzr"
                     : [busy] "+r"(busy), [control] "=&r"(control), "+r"(pid)
                     : [in] "r"(in), [out] "r"(out), [mode] "r"((uint64_t)UPWARD), "r"(number), "r"(signal) : "v9", "v15", "memory", "cc");
    return !memcmp(in, out, sizeof in) && control == UPWARD;
}
#else
/* Fills registers, raises a signal by system call or waits for one, reads them back. */
static int keeps(long busy) {
    uint64_t in[4] = {0x1111222233334444, 0x5555666677778888, 0x9999aaaabbbbcccc, 0xddddeeeeffff0000}, out[4] = {0}, sse[2] = {0};
    uint32_t pid = getpid(), mxcsr = 0x3f80, mxcsr_after;
    if (!__builtin_cpu_supports("avx")) return 1;
    __asm__ volatile(
        "ldmxcsr %[m]; vmovdqu %[in], %%ymm9; movdqu %[in], %%xmm15; test %[busy], %[busy]; jnz 1f\n"
        "mov $62, %%eax; mov %[pid], %%edi; mov $10, %%esi; syscall; jmp 2f\n" /* kill(pid, SIGUSR1) */
        "1: dec %[busy]; jnz 1b\n"
        "2: vmovdqu %%ymm9, %[out]; movdqu %%xmm15, %[sse]; stmxcsr %[after]"
        : [out] "=m"(out), [sse] "=m"(sse), [after] "=m"(mxcsr_after), [busy] "+r"(busy)
        : [in] "m"(in), [m] "m"(mxcsr), [pid] "r"(pid) : "rax", "rcx", "rdi", "rsi", "r11", "xmm9", "xmm15", "memory");
    uint32_t normal = 0x1f80;
    __asm__ volatile("ldmxcsr %0" : : "m"(normal));
    return !memcmp(in, out, 32) && !memcmp(in, sse, 16) && mxcsr_after == 0x3f80;
}
#endif

int main(void) {
    struct sigaction action = {.sa_handler = clobber};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    printf("%.17g %.17g %.17g %.15Lf\n", M_PI * 1e100, sin(1e10), pow(2.5, 33.3), (long double)1 / 3);
    int kept = keeps(0);
    printf("%d %d\n", kept, count);
    struct itimerval timer = {{0, 3000}, {0, 3000}};
    setitimer(ITIMER_REAL, &timer, NULL);
    int good = 1;
    for (int i = 0; i < 40; i++) good &= keeps(1000000);
    timer = (struct itimerval){0};
    setitimer(ITIMER_REAL, &timer, NULL);
    printf("%d %d\n", good, count > 3);
    fesetround(FE_UPWARD);
    raise(SIGUSR1);
    printf("%d\n", fegetround() == FE_UPWARD);
    long double x = 1.25L;
    raise(SIGUSR1);
    printf("%Lf\n", x * 3);
    return 0;
}
