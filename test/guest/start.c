// variants: glibc pie musl
/* What a program finds when it starts, and plain C: argv, envp, auxv, printf of every type, setjmp, time, random; outputs compared. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include "isa.h"

extern char **environ;
#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))
static _Thread_local int local = 42, local_zero;
static int zeroes[100000], filled[] = {1, 2, 3};
static const char machine[] = MACHINE;
static jmp_buf jump;
static void down(int n) { if (!n) longjmp(jump, 5); down(n - 1); }

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IOFBF, 4096);
    if (argc > 2 && !strcmp(argv[1], "exit")) exit(atoi(argv[2]));
    if (argc > 1 && !strcmp(argv[1], "abort")) abort();
    if (argc > 1 && !strcmp(argv[1], "null")) *(volatile int *)0 = 1;
    if (argc > 1 && !strcmp(argv[1], "kill")) kill(getpid(), atoi(argv[2]));
    for (int i = 1; i < argc; i++) printf("argv[%d] = \"%s\"\n", i, argv[i]);
    SHOW(argv[argc] == NULL);
    for (int i = 0; environ[i]; i++) if (!strncmp(environ[i], "TEST_", 5)) printf("%s\n", environ[i]);
    /* auxv */
    SHOW(getauxval(AT_PAGESZ)); SHOW(getauxval(AT_CLKTCK)); SHOW(getauxval(AT_PHENT) == sizeof(Elf64_Phdr)); SHOW(getauxval(AT_SECURE));
    Elf64_Phdr *headers = (void *)getauxval(AT_PHDR);
    int loads = 0, entry_inside = 0;
    uintptr_t base = 0;
    extern const Elf64_Ehdr __ehdr_start;
    if (__ehdr_start.e_type == ET_DYN) base = (uintptr_t)&__ehdr_start;
    for (unsigned i = 0; i < getauxval(AT_PHNUM); i++) {
        loads += headers[i].p_type == PT_LOAD;
        entry_inside |= headers[i].p_type == PT_LOAD && getauxval(AT_ENTRY) - base - headers[i].p_vaddr < headers[i].p_memsz;
    }
    SHOW(loads > 1); SHOW(entry_inside); SHOW(getauxval(AT_UID) == getuid()); SHOW(getauxval(AT_EGID) == getegid());
    SHOW(getauxval(AT_RANDOM) != 0); SHOW(strcmp((char *)getauxval(AT_PLATFORM), machine)); SHOW(strlen((char *)getauxval(AT_EXECFN)) > 0);
    SHOW(((uintptr_t)__builtin_frame_address(0) & 15) == 0);
    SHOW(local); SHOW(local_zero); SHOW(filled[2]);
    long sum = 0;
    for (int i = 0; i < 100000; i++) sum += zeroes[i]++;
    SHOW(sum); SHOW(zeroes[99999]);
    /* printf */
    printf("%d %i %u %o %x %X %c %s %% %5d|%-5d|%05d|%+d\n", -1, 2, 3u, 8, 255, 255, 'c', "text", 42, 42, 42, 42);
    printf("%ld %lld %hd %hhd %zu %jd %td %" PRIu64 "\n", -1l, 1ll << 40, (short)-2, (signed char)-3, (size_t)9, (intmax_t)-7, (ptrdiff_t)5, UINT64_MAX);
    printf("%f %e %g %a %.3f %10.2f|%-10.1e|%G %Lf\n", 3.14159, 1e-10, 1e20, 1.0, 2.0005, -1.5, 12345.678, 0.0001, 1.25L);
    printf("%s %.3s %10s|%-10s| %p %f %f\n", "abc", "abcdef", "right", "left", (void *)0x1234, 1.0 / 0.0, 0.0 / 0.0 < 0 ? 1.0 : 2.0);
    int length;
    printf("%*d%n", 7, 3, &length);
    printf("|%d %s\n", length, strerror(ENOENT));
    int value = setjmp(jump);
    if (!value) down(10);
    SHOW(value);
    /* allocation */
    unsigned seed = 1;
    char *blocks[200] = {0};
    for (int i = 0; i < 5000; i++) {
        int at = (seed = seed * 1103515245 + 12345) >> 8 & 127, size = seed >> 4 & 0x3fff;
        if (blocks[at] && (blocks[at][0] != (char)at)) printf("block %d broken\n", at);
        blocks[at] = realloc(blocks[at], size + 1);
        memset(blocks[at], at, size + 1);
    }
    for (int i = 0; i < 128; i++) free(blocks[i]);
    /* time, random, limits, names */
    struct timespec a, b;
    clock_gettime(CLOCK_MONOTONIC, &a);
    nanosleep(&(struct timespec){0, 30000000}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    long ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
    SHOW(ms >= 30); SHOW(time(NULL) > 1700000000); SHOW(clock_gettime(99, &a)); SHOW(errno == EINVAL); SHOW(clock_getres(CLOCK_MONOTONIC, &a));
    struct timeval tv;
    SHOW(gettimeofday(&tv, NULL)); SHOW(tv.tv_usec < 1000000);
    unsigned char random[600] = {0};
    SHOW(getrandom(random, sizeof random, 0));
    int differ = 0;
    for (int i = 1; i < 600; i++) differ += random[i] != random[0];
    SHOW(differ > 400);
    struct rlimit limit;
    SHOW(getrlimit(RLIMIT_STACK, &limit)); SHOW(limit.rlim_cur); SHOW(getrlimit(99, &limit));
    struct utsname u;
    SHOW(uname(&u)); SHOW(strcmp(u.sysname, "Linux")); SHOW(strcmp(u.machine, machine));
    char name[16] = {0};
    SHOW(prctl(PR_SET_NAME, "a long name for a thread")); SHOW(prctl(PR_GET_NAME, name)); printf("%s\n", name);
    SHOW(getpid() > 0); SHOW(gettid() == getpid()); SHOW(syscall(9999)); SHOW(errno == ENOSYS);
    SHOW(setpgid(0, -5)); SHOW(nanosleep(&(struct timespec){0, 1000000000}, NULL)); SHOW(errno == EINVAL);
    fprintf(stderr, "done\n");
    return argc;
}
