// variants: glibc pie musl
/* madvise, mlock, mremap, growing stacks, remapped pages, protection keys: prints what a Linux machine without such keys prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { P = 4096, RW = PROT_READ | PROT_WRITE, ANON = MAP_PRIVATE | MAP_ANONYMOUS, SHARED = MAP_SHARED | MAP_ANONYMOUS };
enum { DONTUNMAP = 4, WIPE = 18, KEEP = 19, COLD = 20, PAGEOUT = 21, POPULATE_READ = 22, POPULATE_WRITE = 23, DONTNEED_LOCKED = 24 };

static sigjmp_buf back;
static volatile int code;
static void on_fault(int number, siginfo_t *info, void *context) {
    (void)context;
    code = number * 100 + info->si_code;
    siglongjmp(back, 1);
}
static int touch(volatile char *p, int write) {
    code = 0;
    if (!sigsetjmp(back, 1)) {
        if (write) *p = 1;
        else (void)*p;
    }
    return code;
}
static const char *name(int e) {
    switch (e) {
    case EINVAL: return "EINVAL"; case ENOMEM: return "ENOMEM"; case EBADF: return "EBADF"; case EFAULT: return "EFAULT"; case EPERM: return "EPERM";
    case EACCES: return "EACCES"; case EAGAIN: return "EAGAIN"; case ENOSPC: return "ENOSPC"; case ENOSYS: return "ENOSYS"; case EBUSY: return "EBUSY";
    default: return strerror(e);
    }
}
#define RESULT(call) do { errno = 0; long r_ = (long)(call); printf("%s: %s\n", #call, r_ == -1 ? name(errno) : "ok"); } while (0)
#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))
#define FRESH(size) mmap(NULL, (size), RW, ANON, -1, 0)

/* What a child finds at each address: its character, '-' when nothing is mapped. */
static void seen_by_child(const char *what, char *one, char *other) {
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        int a = touch(one, 0), b = touch(other, 0);
        printf("%s: %c%c\n", what, a ? '-' : '0' + *one, b ? '-' : '0' + *other);
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void advice(void) {
    char *p = FRESH(8 * P), *s = mmap(NULL, 8 * P, RW, SHARED, -1, 0), *f;
    memset(p, 5, 8 * P);
    memset(s, 6, 8 * P);
    RESULT(madvise(p + P, P, MADV_DONTFORK)); RESULT(madvise(p + 2 * P, P, WIPE)); RESULT(madvise(s, P, WIPE)); RESULT(madvise(s, P, MADV_DONTFORK));
    seen_by_child("kept, not forked", p, p + P);
    seen_by_child("wiped, shared but not forked", p + 2 * P, s);
    SHOW(p[2 * P]);
    RESULT(madvise(p, 8 * P, MADV_DOFORK)); RESULT(madvise(p, 8 * P, KEEP)); RESULT(madvise(s, P, MADV_DOFORK));
    seen_by_child("forked again, kept again", p + P, p + 2 * P);

    RESULT(madvise(p, P, MADV_REMOVE)); RESULT(madvise(s + P, 2 * P, MADV_REMOVE));
    SHOW(s[0]); SHOW(s[P]); SHOW(s[2 * P]); SHOW(s[3 * P]);
    int fd = memfd_create("x", 0);
    ftruncate(fd, 4 * P);
    f = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0);
    char *again = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0), byte;
    memset(f, 7, 4 * P);
    SHOW(again[P]);
    RESULT(madvise(f + P, P, MADV_REMOVE));
    SHOW(f[P]); SHOW(again[P]); SHOW(f[2 * P]);
    f[P] = 9;
    SHOW(again[P]); SHOW(pread(fd, &byte, 1, P)); SHOW(byte);
    RESULT(madvise(f, P, MADV_FREE)); RESULT(madvise(s, P, MADV_FREE)); RESULT(madvise(p, P, MADV_FREE));
    RESULT(madvise(f, P, MADV_DONTFORK)); RESULT(madvise(f, P, WIPE)); RESULT(madvise(p, P, COLD)); RESULT(madvise(p, P, PAGEOUT));
    SHOW(p[3 * P]);
    RESULT(madvise(p, P, MADV_DONTDUMP)); RESULT(madvise(p, P, MADV_DODUMP));
    RESULT(madvise(p, P, 5)); RESULT(madvise(p, P, 7)); RESULT(madvise(p, P, -1)); RESULT(madvise(p, P, 99));
    RESULT(madvise(p, 0, MADV_DONTNEED)); RESULT(madvise(p, -1ul, MADV_DONTNEED));

    unsigned char vector[4] = {0};
    p = FRESH(4 * P);
    RESULT(madvise(p, 2 * P, POPULATE_WRITE)); RESULT(mincore(p, 4 * P, vector));
    printf("there: %d%d%d%d\n", vector[0] & 1, vector[1] & 1, vector[2] & 1, vector[3] & 1);
    mprotect(p, 2 * P, PROT_READ);
    RESULT(madvise(p, 2 * P, POPULATE_READ)); RESULT(madvise(p, 2 * P, POPULATE_WRITE));
    mprotect(p, P, PROT_NONE);
    RESULT(madvise(p, P, POPULATE_READ));
    munmap(p + 3 * P, P);
    RESULT(madvise(p + 2 * P, 2 * P, POPULATE_READ));
    f = mmap(NULL, 8 * P, RW, MAP_SHARED, fd, 0);
    RESULT(madvise(f, 8 * P, POPULATE_READ));
    RESULT(madvise(f, 4 * P, POPULATE_WRITE));

    struct iovec pieces[2] = {{p + 2 * P, P}, {s, 2 * P}};
    int self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    SHOW(syscall(SYS_process_madvise, self, pieces, 2, COLD, 0));
    RESULT(syscall(SYS_process_madvise, self, pieces, 2, COLD, 1)); RESULT(syscall(SYS_process_madvise, -1, pieces, 2, COLD, 0));
    RESULT(syscall(SYS_process_madvise, self, pieces, 2, 5, 0));
}

static void locks(void) {
    char *p = FRESH(16 * P), *q;
    RESULT(mlock(p, 2 * P)); RESULT(madvise(p, P, MADV_DONTNEED)); RESULT(madvise(p, P, MADV_FREE)); RESULT(madvise(p, P, DONTNEED_LOCKED)); RESULT(madvise(p, P, COLD));
    RESULT(msync(p, P, MS_INVALIDATE));
    RESULT(munlock(p, 2 * P)); RESULT(madvise(p, P, MADV_DONTNEED)); RESULT(msync(p, P, MS_INVALIDATE));
    fflush(stdout);
    pid_t child = fork();
    if (!child) { /* unprivileged, with room for 64 KiB */
        if (!geteuid() && setresuid(65534, 65534, 65534)) _exit(1);
        setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){16 * P, 16 * P});
        munlockall();
        p = FRESH(40 * P);
        RESULT(mlock(p, 17 * P)); RESULT(mlock(p, 16 * P)); RESULT(mlock(p, 16 * P)); RESULT(mlock(p + 15 * P, 2 * P)); RESULT(mlock(p + 16 * P, 1));
        RESULT(munlock(p, P)); RESULT(mlock(p + 16 * P + 5, 1)); RESULT(mlock(p, P));
        RESULT(mmap(NULL, P, RW, ANON | MAP_LOCKED, -1, 0));
        RESULT(munlock(p, 40 * P)); RESULT(mlock2(p, 8 * P, 1)); RESULT(mlock2(p, P, 2));
        RESULT(mlock(p + 4 * P, 12 * P)); /* four of them are locked already */
        munlock(p, 40 * P);
        q = mmap(NULL, 8 * P, RW, ANON | MAP_LOCKED, -1, 0);
        SHOW(q != MAP_FAILED);
        RESULT(mremap(q, 8 * P, 17 * P, MREMAP_MAYMOVE)); RESULT(mlockall(MCL_CURRENT)); RESULT(mlockall(0)); RESULT(mlockall(8)); RESULT(mlockall(4));
        RESULT(mlockall(MCL_FUTURE)); RESULT(mmap(NULL, 9 * P, RW, ANON, -1, 0)); RESULT(mmap(NULL, 8 * P, RW, ANON, -1, 0)); RESULT(munlockall());
        RESULT(mmap(NULL, 9 * P, RW, ANON, -1, 0));
        mprotect(p, P, PROT_NONE);
        RESULT(mlock(p, P)); RESULT(munlock(p, P)); munmap(p + P, P);
        RESULT(mlock(p + P, P)); RESULT(munlock(p, 4 * P)); RESULT(mlock(p + 2 * P, 0)); RESULT(mlock(p, -1ul - 8 * P));
        setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 0});
        RESULT(mlock(p + 2 * P, P)); RESULT(mlockall(MCL_CURRENT)); RESULT(munlock(p + 2 * P, P)); RESULT(mmap(NULL, P, RW, ANON | MAP_LOCKED, -1, 0));
        fflush(stdout);
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    SHOW(status);
}

static void moves(void) {
    char *p = FRESH(8 * P), *q, *hole = FRESH(8 * P);
    memset(p, 3, 8 * P);
    q = mremap(p, 4 * P, 4 * P, MREMAP_MAYMOVE | DONTUNMAP, NULL);
    SHOW(q != p && q != MAP_FAILED); SHOW(q[3 * P]); SHOW(p[0]); SHOW(p[3 * P]); SHOW(p[4 * P]);
    p[0] = 4;
    SHOW(q[0]);
    memset(hole, 9, 8 * P);
    SHOW(mremap(q, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED | DONTUNMAP, hole) == hole);
    SHOW(hole[0]); SHOW(hole[4 * P]); SHOW(q[0]);
    RESULT(mremap(q, 4 * P, 5 * P, MREMAP_MAYMOVE | DONTUNMAP, NULL)); RESULT(mremap(q, 4 * P, 4 * P, DONTUNMAP, NULL)); RESULT(mremap(q, 4 * P, 4 * P, 8, NULL));
    RESULT(mremap(q, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, q + P)); RESULT(mremap(q, 4 * P, 4 * P, MREMAP_MAYMOVE | MREMAP_FIXED, hole + 1));
    /* Fixed, smaller: the rest of the old goes. */
    q = FRESH(8 * P);
    memset(q, 8, 8 * P);
    SHOW(mremap(q, 8 * P, 2 * P, MREMAP_MAYMOVE | MREMAP_FIXED, hole) == hole);
    SHOW(hole[P]); SHOW(touch(q + 4 * P, 0)); SHOW(touch(q, 0)); SHOW(hole[2 * P]);
    /* Fixed, larger. */
    char *room = FRESH(16 * P);
    SHOW(mremap(hole, 2 * P, 16 * P, MREMAP_MAYMOVE | MREMAP_FIXED, room) == room);
    SHOW(room[P]); SHOW(room[15 * P]); SHOW(touch(hole, 0));
    /* Across two areas only to shrink or to stay. */
    mprotect(room + 8 * P, P, PROT_READ);
    RESULT(mremap(room, 16 * P, 20 * P, MREMAP_MAYMOVE)); SHOW(mremap(room, 16 * P, 16 * P, 0) == room);
    char *s = mmap(NULL, 4 * P, RW, SHARED, -1, 0);
    s[P] = 5;
    q = mremap(s, 4 * P, 4 * P, MREMAP_MAYMOVE | DONTUNMAP, NULL);
    SHOW(q != MAP_FAILED); SHOW(q[P]); SHOW(s[P]); /* both show the same pages */
    s[P]++;
    SHOW(q[P]);
}

static void stacks(void) {
    size_t size = 4 << 20;
    char *room = FRESH(size), *top = room + size;
    munmap(room, size);
    char *p = mmap(top - P, P, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
    SHOW(p == top - P);
    SHOW(touch(p - P, 1)); SHOW(touch(p - 100 * P, 1)); SHOW(touch(p - 50 * P, 0));
    RESULT(mmap(p - 500 * P, P, RW, ANON | MAP_FIXED, -1, 0));
    SHOW(touch(p - 200 * P, 1)); SHOW(touch(p - 300 * P, 1)); /* 200 pages are left, less than the gap */
    RESULT(mprotect(p, P, PROT_READ | PROT_GROWSDOWN));
    SHOW(touch(p - 30 * P, 1)); SHOW(touch(p - 30 * P, 0));
    char *plain = FRESH(4 * P);
    RESULT(mprotect(plain, P, PROT_READ | PROT_GROWSDOWN)); RESULT(mprotect(plain, P, PROT_READ | PROT_GROWSUP));
    fflush(stdout);
    pid_t child = fork();
    if (!child) { /* RLIMIT_STACK counts for these, too */
        setrlimit(RLIMIT_STACK, &(struct rlimit){64 * P, 64 * P});
        munmap(room, size);
        p = mmap(top - P, P, RW, ANON | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
        SHOW(touch(p - 62 * P, 1)); SHOW(touch(p - 64 * P, 1));
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, NULL, 0);
}

static void pages_of_a_file(void) {
    int fd = memfd_create("y", 0);
    ftruncate(fd, 4 * P);
    for (int i = 0; i < 4; i++) pwrite(fd, &(char){(char)('a' + i)}, 1, i * P);
    char *p = mmap(NULL, 4 * P, RW, MAP_SHARED, fd, 0), *own = FRESH(P);
    RESULT(syscall(SYS_remap_file_pages, p, P, 0, 3, 0)); RESULT(syscall(SYS_remap_file_pages, p + 3 * P, P, 0, 0, 0));
    printf("%c%c%c%c\n", p[0], p[P], p[2 * P], p[3 * P]);
    p[3 * P] = 'z';
    char byte = 0;
    pread(fd, &byte, 1, 0);
    printf("%c\n", byte);
    RESULT(syscall(SYS_remap_file_pages, p, P, PROT_READ, 3, 0)); RESULT(syscall(SYS_remap_file_pages, own, P, 0, 0, 0));
    RESULT(syscall(SYS_remap_file_pages, p, 0, 0, 0, 0));
    RESULT(syscall(SYS_pkey_alloc, 1, 0)); RESULT(syscall(SYS_pkey_alloc, 0, 8)); RESULT(syscall(SYS_pkey_free, 77));
    RESULT(syscall(SYS_pkey_mprotect, own, P, PROT_READ, -1)); SHOW(touch(own, 1)); RESULT(syscall(SYS_pkey_mprotect, own, P, PROT_READ, 77));
}

/* By what alone is too much: four times what any machine that runs this has. */
static void promises(void) {
    RESULT(mmap(NULL, 1ul << 46, RW, ANON, -1, 0)); RESULT(mmap(NULL, 1ul << 45, RW, ANON | MAP_NORESERVE, -1, 0)); RESULT(mmap(NULL, 1ul << 45, PROT_READ, ANON, -1, 0));
    int all = 1;
    for (int i = 0; i < 64; i++) all &= mmap(NULL, 16 << 20, RW, ANON, -1, 0) != MAP_FAILED;
    printf("64 times 16 MiB: %d\n", all);
    char *own = mmap(NULL, 1 << 30, PROT_NONE, ANON | MAP_NORESERVE, -1, 0); /* as Go does, also where there is less than that */
    SHOW(mmap(own, 64 << 20, RW, ANON | MAP_FIXED, -1, 0) == own); RESULT(mprotect(own + (128 << 20), 64 << 20, RW));
    SHOW(touch(own + (63 << 20), 1)); SHOW(touch(own + (191 << 20), 1));
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    advice();
    locks();
    moves();
    stacks();
    pages_of_a_file();
    promises();
    return 0;
}
