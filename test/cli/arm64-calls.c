/*
 * An AArch64 program without C library, whose calls are `svc`: what a call keeps, signals and their frames, faults that a handler steps over, a process, a
 * thread, the clock. Prints the same under qemu-aarch64 (arm64.test.ts).
 */
typedef unsigned long u64;
static long call(long number, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = number, x0 __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c, x3 __asm__("x3") = d, x4 __asm__("x4") = e;
    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
static void say(const char *text, long value) {
    char line[64];
    int n = 0, digits = 0;
    char reversed[20];
    while (text[n]) line[n] = text[n], n++;
    u64 left = value < 0 ? -(u64)value : (u64)value;
    line[n++] = ' ';
    if (value < 0) line[n++] = '-';
    do reversed[digits++] = '0' + left % 10; while (left /= 10);
    while (digits) line[n++] = reversed[--digits];
    line[n++] = '\n';
    call(64, 1, (long)line, n, 0, 0);
}
static volatile int handled, seen_record;
static void handler(int number, void *info, char *context) {
    handled += number + *(int *)info;
    const unsigned *record = (const unsigned *)(context + 176 + 288);
    seen_record = record[0] == 0x46508001 && record[1] == 528;
    __asm__ volatile("movi v8.16b, #7\n\tfmov d9, #1.0" ::: "v8", "v9");
}
static void fault(int number, void *info, char *context) {
    handled += number;
    *(u64 *)(context + 176 + 264) += 4; /* behind the instruction */
}
struct action { void *handler; u64 flags; void *restorer; u64 mask; };
static int in_thread;
static char stack[8192] __attribute__((aligned(16)));
/* Everything that a call must keep: nonzero, what it did not. */
long registers(void);
__asm__("registers: stp x29, x30, [sp, #-96]!\n stp x19, x20, [sp, #16]\n stp x21, x22, [sp, #32]\n stp x23, x24, [sp, #48]\n stp x25, x26, [sp, #64]\n stp x27, x28, [sp, #80]\n"
        " mov x8, #172\n mov x1, #1\n mov x7, #7\n mov x9, #9\n mov x15, #15\n mov x16, #16\n mov x17, #17\n mov x18, #18\n mov x19, #19\n mov x28, #28\n mov x30, #30\n"
        " fmov d0, #2.0\n cmp x1, #1\n svc #0\n cset x2, ne\n sub x3, x1, #1\n orr x2, x2, x3\n sub x3, x7, #7\n orr x2, x2, x3\n sub x3, x9, #9\n orr x2, x2, x3\n"
        " sub x3, x15, #15\n orr x2, x2, x3\n sub x3, x16, #16\n orr x2, x2, x3\n sub x3, x17, #17\n orr x2, x2, x3\n sub x3, x18, #18\n orr x2, x2, x3\n sub x3, x19, #19\n orr x2, x2, x3\n"
        " sub x3, x28, #28\n orr x2, x2, x3\n sub x3, x30, #30\n orr x2, x2, x3\n sub x3, x8, #172\n orr x2, x2, x3\n fmov d1, #2.0\n fcmp d0, d1\n cset x3, ne\n orr x0, x2, x3\n"
        " ldp x19, x20, [sp, #16]\n ldp x21, x22, [sp, #32]\n ldp x23, x24, [sp, #48]\n ldp x25, x26, [sp, #64]\n ldp x27, x28, [sp, #80]\n ldp x29, x30, [sp], #96\n ret\n");
long new_thread(char *top, int *word);
__asm__("new_thread: mov x9, x1\n mov x1, x0\n mov x0, #0xf00\n movk x0, #0xd, lsl #16\n mov x2, xzr\n mov x3, #4096\n mov x4, xzr\n mov x8, #220\n svc #0\n cbz x0, 1f\n ret\n"
        "1: mrs x2, tpidr_el0\n str w2, [x9]\n fmov d8, #3.0\n mov x0, #0\n mov x8, #93\n svc #0\n");
static void start(long *stack_pointer) {
    say("arguments", *stack_pointer);
    say("registers", registers());
    say("absent", call(500, 0, 0, 0, 0, 0));
    struct action action = {handler, 4, 0, 0};
    say("sigaction", call(134, 10, (long)&action, 0, 8, 0));
    double eight = 0;
    __asm__ volatile("fmov d8, #5.0" ::: "v8");
    call(129, call(172, 0, 0, 0, 0, 0), 10, 0, 0, 0);
    __asm__ volatile("fmov %x0, d8" : "=r"(eight));
    say("handled", handled);
    say("record", seen_record);
    say("d8", (long)eight);
    action.handler = fault;
    call(134, 11, (long)&action, 0, 8, 0);
    call(134, 5, (long)&action, 0, 8, 0);
    __asm__ volatile("str xzr, [%0]\n\tbrk #1" ::"r"(16l) : "memory");
    say("faults", handled);
    int status = 0;
    long child = call(220, 17, 0, 0, 0, 0);
    if (!child) call(94, 42, 0, 0, 0, 0);
    say("child", call(260, child, (long)&status, 0, 0, 0) == child);
    say("status", status);
    long thread = new_thread(stack + sizeof stack, &in_thread);
    u64 pause[2] = {0, 1000000};
    while (!*(volatile int *)&in_thread) call(101, (long)pause, 0, 0, 0, 0);
    say("thread", thread > 0);
    say("its pointer", in_thread);
    u64 now[2] = {0, 0};
    say("clock", call(113, 1, (long)now, 0, 0, 0));
    say("time", now[0] + now[1] > 0);
    say("efault", call(64, 1, 16, 1, 0, 0));
    int ends[2];
    char stat[128];
    say("directory", call(56, -100, (long)"/", 040000 | 02000000, 0, 0) > 0);
    say("pipe", call(59, (long)ends, 0200000, 0, 0, 0) + call(59, (long)ends, 0, 0, 0, 0));
    say("stat", call(79, -100, (long)"/", (long)stat, 0, 0));
    call(94, 7, 0, 0, 0, 0);
}
__attribute__((used)) static void begin(long *stack_pointer) { start(stack_pointer); }
__asm__(".globl _start\n_start: mov x0, sp\n b begin\n");
