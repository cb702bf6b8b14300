/*
 * hull-launch: prepares the process that QEMU becomes. Usage: hull-launch <parent pid>[s] <program> [argument…]
 * Asks the kernel for SIGKILL at the parent's death, makes sure that the parent is still the one that was meant (it may have died
 * before we asked), then becomes the program; a parent of 0 is none, and the program outlives whoever started it. An `s` asks for small
 * pages alone (no transparent huge ones). Exit status 125 when the parent is another, 126/127 when the program cannot be run/found.
 * Freestanding and static, so that it adds next to nothing to a start. x86-64 system calls (Linux): rax number, rdi rsi rdx r10 r8 arguments.
 */
#define SYS_EXECVE 59
#define SYS_EXIT_GROUP 231
#define SYS_PRCTL 157
#define SYS_GETPPID 110
#define PR_SET_PDEATHSIG 1
#define PR_SET_THP_DISABLE 41
#define SIGKILL 9
#define ENOENT 2

static long call(long number, long a, long b, long c)
{
    long result;
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

static _Noreturn void leave(int status)
{
    for (;;)
        call(SYS_EXIT_GROUP, status, 0, 0);
}

/* stack: argc, argv[0] … argv[argc - 1], 0, environment */
_Noreturn void launch(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    long expected = 0;

    if (argc < 3)
        leave(125);
    const char *p = argv[1];
    for (; *p && *p != 's'; p++) {
        if (*p < '0' || *p > '9' || expected > 4194304)
            leave(125);
        expected = expected * 10 + (*p - '0');
    }
    if (*p == 's')
        call(SYS_PRCTL, PR_SET_THP_DISABLE, 1, 0); /* a kernel without them refuses */
    if (expected && (call(SYS_PRCTL, PR_SET_PDEATHSIG, SIGKILL, 0) || call(SYS_GETPPID, 0, 0, 0) != expected))
        leave(125);
    long error = call(SYS_EXECVE, (long)argv[2], (long)(argv + 2), (long)(argv + argc + 1));
    leave(error == -ENOENT ? 127 : 126);
}

/* Entry: hands the stack to launch(). No registers in, none out. */
__asm__(".global _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call launch\n");
