/* What a process may see and set of another: its memory, its limits; the stack that a program gets; the one memory node. */
// variants: musl glibc
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); fflush(stdout); } while (0)
static char pages[3 * 4096] __attribute__((aligned(4096)));
static const char constant[] = "cannot be changed";

static int deep(int n) {
    volatile char frame[1024];
    frame[n & 1023] = (char)n;
    return n ? deep(n - 1) + frame[n & 1023] * 0 : 0;
}

int main(int argc, char **argv) {
    int ends[2], s;
    char copy[64] = "";
    struct rlimit limit, old;
    if (argc > 1) { /* with the stack that the limit gave */
        getrlimit(RLIMIT_STACK, &limit);
        printf("%ld: %d\n", (long)limit.rlim_cur, deep(atoi(argv[1])));
        return 0;
    }
    pipe(ends);
    strcpy(pages + 4090, "over two pages");
    int pid = fork();
    if (!pid) {
        strcpy(pages + 4090, "the child's own text");
        write(ends[1], "x", 1);
        pause();
    }
    read(ends[0], copy, 1);
    struct iovec local = {copy, 21}, remote[2] = {{pages + 4090, 10}, {pages + 4100, 11}}, both[2] = {{copy, 5}, {copy + 5, 40}};
    SHOW(process_vm_readv(pid, &local, 1, remote, 2, 0)); printf("%s %s\n", copy, pages + 4090);
    strcpy(copy, "written"); local.iov_len = 8; SHOW(process_vm_writev(pid, &local, 1, remote, 1, 0)); memset(copy, 0, sizeof copy); SHOW(process_vm_readv(pid, both, 2, remote, 2, 0)); printf("%s, %s\n", copy, pages + 4090);
    struct iovec bad = {(void *)8, 10}, fixed = {(void *)constant, 5};
    FAILS(process_vm_readv(pid, &local, 1, &bad, 1, 0)); FAILS(process_vm_writev(pid, &local, 1, &fixed, 1, 0)); FAILS(process_vm_readv(pid, &bad, 1, remote, 1, 0)); FAILS(process_vm_readv(pid, &local, 1, remote, 1, 1));
    FAILS(process_vm_readv(99999, &local, 1, remote, 1, 0)); FAILS(process_vm_readv(pid, &local, 0, remote, 1, 0)); FAILS(process_vm_readv(pid, &local, 2000, remote, 1, 0));
    FAILS(syscall(SYS_kcmp, getpid(), pid, 0, 1, 1)); SHOW(syscall(SYS_kcmp, getpid(), pid, 1, 0, 0) > 0); SHOW(syscall(SYS_kcmp, getpid(), getpid(), 2, 0, 0)); FAILS(syscall(SYS_kcmp, getpid(), pid, 0, 1, 99)); FAILS(syscall(SYS_kcmp, getpid(), pid, 77, 1, 1));
    /* Limits of the child */
    limit = (struct rlimit){100, 200};
    SHOW(prlimit(pid, RLIMIT_NOFILE, &limit, &old)); SHOW(prlimit(pid, RLIMIT_NOFILE, NULL, &old)); SHOW(old.rlim_cur); SHOW(old.rlim_max); FAILS(prlimit(99999, RLIMIT_NOFILE, NULL, &old)); FAILS(prlimit(pid, 99, NULL, &old));
    int asker = fork();
    if (!asker) {
        if (setgid(1000) || setuid(1000)) _exit(1);
        FAILS(process_vm_readv(pid, &local, 1, remote, 1, 0)); FAILS(prlimit(pid, RLIMIT_NOFILE, NULL, &old)); FAILS(prlimit(0, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL)); FAILS(prlimit(0, RLIMIT_CORE, &(struct rlimit){0, 5}, NULL));
        _exit(0);
    }
    waitpid(asker, &s, 0); SHOW(s); kill(pid, SIGKILL); waitpid(pid, &s, 0); SHOW(s);
    /* The stack of the next program */
    for (int i = 0; i < 3; i++) {
        long size = i == 0 ? 1 << 20 : i == 1 ? 64 << 20 : 1 << 20;
        fflush(stdout);
        if (!(pid = fork())) {
            limit = (struct rlimit){(rlim_t)size, RLIM_INFINITY};
            setrlimit(RLIMIT_STACK, &limit);
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            execl("/proc/self/exe", argv[0], i == 0 ? "700" : i == 1 ? "40000" : "1500", NULL);
            _exit(99);
        }
        waitpid(pid, &s, 0); SHOW(s & 0x7f); SHOW(s >> 8 & 0xff);
    }
    /* Writable private memory */
    limit = (struct rlimit){16 << 20, RLIM_INFINITY}; SHOW(setrlimit(RLIMIT_DATA, &limit));
    SHOW(mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED); SHOW(errno == ENOMEM); SHOW(mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
    SHOW(mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED); SHOW(syscall(SYS_brk, (char *)syscall(SYS_brk, 0) + (32 << 20)) == syscall(SYS_brk, 0));
    /* One node */
    int mode = 77; unsigned long mask[16] = {77}, wrong = 2, one = 1;
    FAILS(syscall(SYS_get_mempolicy, &mode, mask, 64 * 16, NULL, 0)); SHOW(mode); SHOW(mask[0]); FAILS(syscall(SYS_get_mempolicy, NULL, mask, 64 * 16, NULL, 4)); SHOW(mask[0]); SHOW(syscall(SYS_set_mempolicy, 2, &one, 64)); FAILS(syscall(SYS_set_mempolicy, 2, &wrong, 64)); FAILS(syscall(SYS_set_mempolicy, 99, NULL, 0));
    SHOW(syscall(SYS_set_mempolicy, 0, NULL, 0)); FAILS(syscall(SYS_mbind, pages, 4096, 2, &one, 64, 0)); FAILS(syscall(SYS_mbind, pages + 1, 4096, 2, &one, 64, 0)); FAILS(syscall(SYS_mbind, pages, 4096, 2, NULL, 0, 0));
    return 0;
}
