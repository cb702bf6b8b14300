// variants: glibc pie musl linked
/* mmap and its family: prints what a Linux machine prints; run natively and in a guest, outputs compared. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "isa.h"
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

static const unsigned char return_code[] = CODE_RETURN;
static sigjmp_buf back;
static volatile int code;
static void *volatile where;
static void on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    code = number * 100 + info->si_code;
    where = info->si_addr;
    siglongjmp(back, 1);
}
/* Signal * 100 + si_code of touching the address, 0 when it works. */
static int touch(volatile char *p, int write) {
    code = 0;
    if (!sigsetjmp(back, 1)) {
        if (write) *p = 1;
        else (void)*p;
    } else if (where != (void *)p) {
        return -1;
    }
    return code;
}
static const char *name(int e) {
    switch (e) {
    case EINVAL: return "EINVAL"; case ENOMEM: return "ENOMEM"; case EEXIST: return "EEXIST"; case EBADF: return "EBADF";
    case EFAULT: return "EFAULT"; case EPERM: return "EPERM"; case EACCES: return "EACCES"; case ENODEV: return "ENODEV";
    case EOVERFLOW: return "EOVERFLOW"; default: return strerror(e);
    }
}
#define RESULT(call) do { errno = 0; long r_ = (long)(call); printf("%s: %s\n", #call, r_ == -1 ? name(errno) : "ok"); } while (0)
#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))
enum { P = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS };

int main(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);

    char *p = mmap(NULL, 16 * P, RW, ANON, -1, 0);
    int sum = 0;
    for (int i = 0; i < 16 * P; i++) sum |= p[i];
    SHOW(sum);
    memset(p, 7, 16 * P);
    RESULT(mprotect(p + 4 * P, 4 * P, PROT_READ));
    SHOW(touch(p + 4 * P, 0)); SHOW(touch(p + 4 * P, 1)); SHOW(touch(p + 3 * P, 1)); SHOW(touch(p + 8 * P, 1));
    RESULT(mprotect(p + 4 * P, 4 * P, PROT_NONE));
    SHOW(touch(p + 5 * P, 0));
    RESULT(mprotect(p, 16 * P, RW));
    SHOW(p[5 * P]);
    RESULT(munmap(p + 2 * P, 3 * P));
    SHOW(touch(p + 2 * P, 0)); SHOW(touch(p + 4 * P + 100, 1)); SHOW(p[5 * P]);
    RESULT(mprotect(p, 16 * P, PROT_READ));
    RESULT(mprotect(p + 1, P, PROT_READ));
    RESULT(munmap(p + 1, P)); RESULT(munmap(p, 0)); RESULT(munmap(p, 16 * P)); RESULT(munmap(p, 16 * P));
    RESULT(mmap(NULL, 0, RW, ANON, -1, 0)); RESULT(mmap(NULL, P, RW, MAP_ANONYMOUS, -1, 0)); RESULT(mmap(NULL, P, RW, MAP_PRIVATE, 77, 0));
    RESULT(mmap(NULL, P, RW, MAP_PRIVATE, 77, 5)); RESULT(mmap((void *)123, P, RW, ANON | MAP_FIXED, -1, 0));
    RESULT(mmap(NULL, 1ul << 47, PROT_NONE, ANON | MAP_NORESERVE, -1, 0)); RESULT(mmap(NULL, 1ul << 44, RW, ANON, -1, 0));

    /* No huge pages are reserved: what is there stays. A terabyte, which no machine has reserved. */
    p = mmap(NULL, P, RW, ANON, -1, 0);
    *p = 3;
    RESULT(mmap(NULL, 1ul << 40, PROT_READ, ANON | MAP_HUGETLB, -1, 0));
    RESULT(mmap(NULL, 1ul << 40, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | 21 << 26, -1, 0));
    SHOW(*p);
    munmap(p, P);
#ifdef MAP_32BIT /* x86-64 only: what is right is not printed, so that other machines print the same */
    p = mmap(NULL, 64 * P, RW, ANON | MAP_32BIT, -1, 0);
    char *second = mmap((void *)0x7f0000000000, P, RW, MAP_SHARED | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
    if ((uintptr_t)p < 0x40000000 || (uintptr_t)p + 64 * P > 0x80000000) printf("MAP_32BIT: %p\n", (void *)p);
    if ((uintptr_t)second < 0x40000000 || (uintptr_t)second >= 0x80000000 || second == p) printf("MAP_32BIT with another wish: %p\n", (void *)second);
    if (touch(p, 1) || touch(second, 1)) printf("MAP_32BIT: not to be touched\n");
    if (mmap(NULL, 0x40000000, PROT_NONE, ANON | MAP_32BIT | MAP_NORESERVE, -1, 0) != MAP_FAILED) printf("MAP_32BIT: more than there is\n");
    munmap(p, 64 * P), munmap(second, P);
#endif

    p = mmap(NULL, 8 * P, RW, ANON, -1, 0);
    RESULT(mmap(p + P, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
    p[P] = 9;
    SHOW(mmap(p + P, P, RW, ANON | MAP_FIXED, -1, 0) == p + P);
    SHOW(p[P]);
    munmap(p, 8 * P);
    SHOW(mmap(p, 2 * P, RW, ANON, -1, 0) == p); /* a free hint is taken */
    SHOW(mmap(p, P, RW, ANON, -1, 0) != p);
    RESULT(mmap(p + 2 * P, P, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));

    /* Reservations cost nothing; pieces become real. */
    size_t huge = 64ul << 30;
    char *reserve = mmap(NULL, huge, PROT_NONE, ANON | MAP_NORESERVE, -1, 0);
    SHOW(reserve != MAP_FAILED);
    SHOW(touch(reserve + huge / 2, 0));
    RESULT(mprotect(reserve + huge / 2, 4 * P, RW));
    SHOW(touch(reserve + huge / 2, 1)); SHOW(touch(reserve + huge / 2 + 4 * P, 1));
    SHOW(mmap(reserve + P, P, RW, ANON | MAP_FIXED, -1, 0) == reserve + P);
    SHOW(touch(reserve + P, 1));
    RESULT(munmap(reserve, huge));

    /* mremap */
    p = mmap(NULL, 64 * P, PROT_NONE, ANON, -1, 0);
    char *q = mmap(p, 4 * P, RW, ANON | MAP_FIXED, -1, 0);
    for (int i = 0; i < 4; i++) q[i * P] = 10 + i;
    RESULT(mremap(q, 4 * P, 8 * P, 0));
    munmap(p + 4 * P, 60 * P);
    SHOW(mremap(q, 4 * P, 8 * P, 0) == q);
    SHOW(q[3 * P] * 100 + q[7 * P]);
    SHOW(mremap(q, 8 * P, 2 * P, 0) == q);
    SHOW(touch(q + 2 * P, 0));
    mmap(q + 2 * P, P, RW, ANON | MAP_FIXED, -1, 0);
    RESULT(mprotect(q + 2 * P, P, PROT_READ));
    char *r = mremap(q, 2 * P, 300 * P, MREMAP_MAYMOVE);
    SHOW(r != q); SHOW(r[0] * 100 + r[P]); SHOW(touch(q, 0)); SHOW(r[299 * P]);
    q = mmap(NULL, 4 * P, RW, ANON, -1, 0);
    SHOW(mremap(r, 2 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
    SHOW(q[P]);
    RESULT(mremap(q, 4 * P, 2 * P, MREMAP_FIXED, r)); RESULT(mremap(q + 1, P, P, 0)); RESULT(mremap(q, P, 0, 0)); RESULT(mremap((void *)0x70000, P, 2 * P, 0));

    /* madvise, mincore */
    p = mmap(NULL, 8 * P, RW, ANON, -1, 0);
    memset(p, 5, 4 * P);
    unsigned char vector[8];
    RESULT(mincore(p, 8 * P, vector));
    for (int i = 0; i < 8; i++) printf("%d", vector[i] & 1);
    printf("\n");
    RESULT(madvise(p, 2 * P, MADV_DONTNEED));
    SHOW(p[0]); SHOW(p[P]); SHOW(p[2 * P]);
    RESULT(madvise(p, P, 999)); RESULT(madvise(p + 1, P, MADV_DONTNEED)); RESULT(madvise(p, P, MADV_WILLNEED)); RESULT(madvise(p, P, MADV_HUGEPAGE + 0 * 14) + 1 ? 0 : 0);
    munmap(p + 2 * P, P);
    RESULT(madvise(p, 8 * P, MADV_DONTNEED)); RESULT(mincore(p, 8 * P, vector)); RESULT(msync(p, P, MS_SYNC)); RESULT(msync(p, 8 * P, MS_SYNC));
    RESULT(msync(p, P, MS_SYNC | MS_ASYNC)); RESULT(mlock(p, 2 * P)); RESULT(munlock(p, 2 * P)); RESULT(mlock(p + 2 * P, P));

    /* Shared anonymous memory: one set of pages seen through two mappings (mremap of size 0 duplicates). */
    p = mmap(NULL, 600 * P, RW, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    p[0] = 1, p[599 * P] = 2;
    q = mremap(p, 0, 600 * P, MREMAP_MAYMOVE);
    q[0]++, q[300 * P] = 3;
    SHOW(p[0]); SHOW(p[300 * P]); SHOW(q[599 * P]); SHOW(q[1]);
    RESULT(madvise(p, 600 * P, MADV_DONTNEED));
    SHOW(p[0]);
    RESULT(munmap(p, 600 * P));
    SHOW(q[300 * P]);
    RESULT(munmap(q, 600 * P));

    /* Thousands of areas, then one again. */
    size_t count = 3000;
    char *many = mmap(NULL, count * 2 * P, RW, ANON, -1, 0);
    for (size_t i = 0; i < count; i++) if (mprotect(many + i * 2 * P, P, PROT_READ)) printf("mprotect %zu failed\n", i);
    for (size_t i = 0; i < count; i += 97) if (touch(many + i * 2 * P, 1) != 1102 || touch(many + (i * 2 + 1) * P, 1)) printf("area %zu wrong\n", i);
    RESULT(mprotect(many, count * 2 * P, RW));
    SHOW(touch(many + 10 * P, 1));
    RESULT(munmap(many, count * 2 * P));

    /* brk */
    char *start = (char *)syscall(SYS_brk, 0);
    SHOW((char *)syscall(SYS_brk, start + 10 * P + 5) == start + 10 * P + 5);
    start[10 * P + 4] = 3;
    SHOW(start[0]); SHOW(start[10 * P + 4]);
    SHOW((char *)syscall(SYS_brk, start) == start);
    SHOW(touch(start + 2 * P, 0) != 0);
    SHOW((char *)syscall(SYS_brk, start + 11 * P) == start + 11 * P);
    SHOW(start[10 * P + 4]);
    SHOW((char *)syscall(SYS_brk, (char *)1ul) == start + 11 * P);

    /* Bad pointers given to calls. */
    char *bad = mmap(NULL, 2 * P, RW, ANON, -1, 0);
    munmap(bad + P, P);
    RESULT(write(1, bad + P, 1)); RESULT(uname((void *)8)); RESULT(syscall(SYS_uname, (void *)0xffffffff80000000ul));
    RESULT(syscall(SYS_getrandom, bad + P - 4, 8, 0) == 4 ? 0 : -1); RESULT(syscall(SYS_clock_gettime, 0, bad + P - 8));
    mprotect(bad, P, PROT_READ);
    RESULT(syscall(SYS_clock_gettime, 0, bad));
    /* Data is not for running. */
    code = 0;
    p = mmap(NULL, P, RW, ANON, -1, 0);
    memcpy(p, return_code, sizeof return_code);
    if (!sigsetjmp(back, 1)) ((void (*)(void))p)();
    SHOW(code);
    RESULT(mprotect(p, P, PROT_READ | PROT_EXEC));
    ((void (*)(void))p)();
    RESULT(mprotect(p, P, PROT_READ | PROT_WRITE | PROT_EXEC));
    ((void (*)(void))p)();
    SHOW(touch((char *)0, 0)); SHOW(touch((char *)8, 1)); SHOW(touch((char *)main, 1)); SHOW(touch((char *)"read-only", 1));
    return 0;
}
