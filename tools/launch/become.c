/*
 * hull-become: takes another user's place within a sandbox. Usage: hull-become <uid> <gid> <groups> <program> [argument…]
 * groups: decimal numbers with commas between, or "-" for none. A program without a slash is looked for in PATH, as execvp(3) does. Exit status 126/127
 * when the program cannot be run/found, 125 when the user cannot be taken. Freestanding and static: the root file system that it runs in may
 * have neither a C library nor a shell. x86-64 system calls (Linux): rax number, rdi rsi rdx arguments.
 */
#define SYS_WRITE 1
#define SYS_EXECVE 59
#define SYS_SETUID 105
#define SYS_SETGID 106
#define SYS_SETGROUPS 116
#define SYS_EXIT_GROUP 231
#define ENOENT 2
#define ENOTDIR 20
#define MOST_GROUPS 1024
#define MOST_PATH 4096

static long call(long number, long a, long b, long c)
{
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static long length(const char *text)
{
    long count = 0;
    while (text[count])
        count++;
    return count;
}

static _Noreturn void leave(int status, const char *what, const char *name)
{
    call(SYS_WRITE, 2, (long)name, length(name));
    call(SYS_WRITE, 2, (long)what, length(what));
    for (;;)
        call(SYS_EXIT_GROUP, status, 0, 0);
}

static const char *read_number(const char *text, unsigned *value)
{
    unsigned long number = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && number <= 0xffffffff; at++)
        number = number * 10 + (unsigned long)(*at - '0');
    if (at == text || number >= 0xffffffff)
        leave(125, ": not a number of a user or group\n", text);
    *value = (unsigned)number;
    return at;
}

static unsigned groups[MOST_GROUPS];
static char path[MOST_PATH];

static void take_user(char **argv)
{
    unsigned uid, gid;
    long count = 0;

    read_number(argv[1], &uid);
    read_number(argv[2], &gid);
    for (const char *at = argv[3]; *at >= '0' && *at <= '9' && count < MOST_GROUPS; at += *at == ',')
        at = read_number(at, &groups[count++]);
    /* A namespace with a single id knows no other groups; it has its user already. */
    long refused = call(SYS_SETGROUPS, count, (long)groups, 0);
    if ((refused && count > 0) || call(SYS_SETGID, gid, 0, 0) || call(SYS_SETUID, uid, 0, 0))
        leave(125, ": cannot become this user here\n", argv[1]);
}

static const char *find_path(char **environment)
{
    for (; *environment; environment++) {
        const char *each = *environment;
        if (each[0] == 'P' && each[1] == 'A' && each[2] == 'T' && each[3] == 'H' && each[4] == '=')
            return each + 5;
    }
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* The error of the last try that found a file, or -ENOENT. */
static long search(char **argv, char **environment)
{
    long found = -ENOENT;
    long name = length(argv[0]);

    for (const char *at = find_path(environment);; at++) {
        long size = 0;
        for (; *at && *at != ':'; at++)
            if (size < MOST_PATH)
                path[size++] = *at;
        if (size + name + 2 < MOST_PATH) {
            if (size > 0)
                path[size++] = '/';
            for (long i = 0; i <= name; i++)
                path[size + i] = argv[0][i];
            long error = call(SYS_EXECVE, (long)path, (long)argv, (long)environment);
            if (error != -ENOENT && error != -ENOTDIR)
                found = error;
        }
        if (!*at)
            return found;
    }
}

/* stack: argc, argv[0] … argv[argc - 1], 0, environment */
_Noreturn void become(long *stack)
{
    long argc = stack[0];
    char **argv = (char **)(stack + 1);
    char **environment = argv + argc + 1;
    int has_slash = 0;

    if (argc < 5)
        leave(125, ": expected UID GID GROUPS PROGRAM\n", "hull-become");
    take_user(argv);
    for (const char *at = argv[4]; *at; at++)
        has_slash |= *at == '/';
    long error = has_slash ? call(SYS_EXECVE, (long)argv[4], (long)(argv + 4), (long)environment) : search(argv + 4, environment);
    if (error == -ENOENT)
        leave(127, ": no such program, or its interpreter is not there\n", argv[4]);
    leave(126, ": cannot be executed\n", argv[4]);
}

/* Entry: hands the stack to become(). No registers in, none out. */
__asm__(".global _start\n_start: xor %ebp, %ebp\n mov %rsp, %rdi\n and $-16, %rsp\n call become\n");
