/* Bytes between pipes and other files; seals on memory files; mappings of files that are cut; writes that are to be durable. */
// variants: musl glibc
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 16
#endif
enum { SEAL_EXEC_ = 32, NOEXEC_SEAL = 8, EXEC_ = 16 };
#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); fflush(stdout); } while (0)

static char text[1 << 17] __attribute__((aligned(4096)));
static int held(int fd) {
    int n = -1;
    ioctl(fd, 0x541b, &n);
    return n;
}

static void splices(void) {
    int a[2], b[2], s[2];
    char path[] = "/tmp/transfer-XXXXXX";
    int file = mkstemp(path);
    loff_t at = 3;
    pipe(a), pipe(b), socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    write(file, "0123456789", 10), lseek(file, 0, SEEK_SET);
    SHOW(splice(file, NULL, a[1], NULL, 4, 0)); SHOW(lseek(file, 0, SEEK_CUR)); SHOW(splice(file, &at, a[1], NULL, 100, 0)); SHOW(at); SHOW(lseek(file, 0, SEEK_CUR));
    SHOW(held(a[0])); SHOW(tee(a[0], b[1], 6, 0)); SHOW(held(a[0])); SHOW(held(b[0]));
    SHOW(splice(b[0], NULL, s[0], NULL, 100, 0)); memset(text, 0, 20); SHOW(read(s[1], text, 20)); printf("%s\n", text);
    at = 20; SHOW(splice(a[0], NULL, file, &at, 5, 0)); SHOW(at); SHOW(splice(a[0], NULL, file, NULL, 50, 0)); SHOW(lseek(file, 0, SEEK_CUR));
    memset(text, 0, 40); SHOW(pread(file, text, 40, 0)); for (int i = 0; i < 25; i++) putchar(text[i] ? text[i] : '.'); putchar('\n');
    write(s[0], "through a socket", 16); SHOW(splice(s[1], NULL, a[1], NULL, 1000, 0)); SHOW(splice(a[0], NULL, b[1], NULL, 7, 0)); SHOW(held(a[0])); SHOW(held(b[0]));
    /* Errors */
    FAILS(splice(file, NULL, s[0], NULL, 1, 0)); FAILS(splice(a[0], &at, b[1], NULL, 1, 0)); FAILS(splice(a[0], NULL, a[1], NULL, 1, 0)); FAILS(splice(a[1], NULL, b[1], NULL, 1, 0));
    FAILS(splice(99, NULL, b[1], NULL, 1, 0)); FAILS(splice(a[0], NULL, b[1], NULL, 1, 99)); FAILS(splice(a[0], NULL, b[1], NULL, 0, 0)); FAILS(tee(a[0], a[1], 1, 0)); FAILS(tee(file, a[1], 1, 0));
    read(a[0], text, 100), read(b[0], text, 100);
    FAILS(splice(a[0], NULL, b[1], NULL, 1, SPLICE_F_NONBLOCK)); FAILS(tee(a[0], b[1], 1, SPLICE_F_NONBLOCK)); fcntl(a[0], F_SETFL, O_NONBLOCK); FAILS(splice(a[0], NULL, b[1], NULL, 1, 0)); fcntl(a[0], F_SETFL, 0);
    int appending = open(path, O_WRONLY | O_APPEND);
    write(a[1], "x", 1); FAILS(splice(a[0], NULL, appending, NULL, 1, 0)); SHOW(held(a[0])); at = 0; FAILS(splice(file, &at, a[1], NULL, 10, 0)); lseek(file, 0, SEEK_END); SHOW(splice(file, NULL, a[1], NULL, 10, 0));
    close(b[0]); signal(SIGPIPE, SIG_IGN); FAILS(splice(a[0], NULL, b[1], NULL, 1, 0)); SHOW(held(a[0])); close(a[1]); SHOW(read(a[0], text, 100)); SHOW(splice(a[0], NULL, s[0], NULL, 10, 0));
    /* More than a pipe holds, to a child that reads slowly */
    pipe(a); for (unsigned i = 0; i < sizeof text; i++) text[i] = (char)(i * 7 >> 3); pwrite(file, text, sizeof text, 0);
    fflush(stdout);
    int pid = fork();
    if (!pid) {
        close(a[1]); unsigned sum = 0; long n, all = 0;
        while ((n = read(a[0], text, 5000)) > 0) { all += n; for (long i = 0; i < n; i++) sum = sum * 31 + (unsigned char)text[i]; }
        printf("child: %ld %u\n", all, sum); fflush(stdout); _exit(0);
    }
    close(a[0]); at = 0; long sent = 0, n; while (sent < (long)sizeof text && (n = splice(file, &at, a[1], NULL, sizeof text - (size_t)sent, 0)) > 0) sent += n;
    close(a[1]); wait(NULL); SHOW(sent);
    /* vmsplice */
    pipe(a); struct iovec v[2] = {{"gather ", 7}, {"this", 4}}, r = {text, 100}, big = {text, sizeof text};
    SHOW(vmsplice(a[1], v, 2, 0)); memset(text, 0, 100); SHOW(vmsplice(a[0], &r, 1, 0)); printf("%s\n", text); SHOW(vmsplice(a[1], &big, 1, 0)); FAILS(vmsplice(a[1], &big, 1, SPLICE_F_NONBLOCK));
    FAILS(vmsplice(file, v, 2, 0)); FAILS(vmsplice(a[1], NULL, 1, SPLICE_F_NONBLOCK)); SHOW(fcntl(a[0], F_GETPIPE_SZ)); SHOW(fcntl(a[1], F_SETPIPE_SZ, 1 << 18)); SHOW(vmsplice(a[1], &big, 1, 0)); FAILS(fcntl(a[1], F_SETPIPE_SZ, 4096));
    SHOW(sendfile(s[0], file, NULL, 10)); at = 5; SHOW(sendfile(s[0], file, &at, 10)); SHOW(at); SHOW(read(s[1], text, 100)); SHOW(copy_file_range(file, &(loff_t){0}, appending, NULL, 5, 0) < 0);
    unlink(path);
}

/* A read of `size` bytes and what it brought, shortened. */
static void take(int fd, size_t size) {
    memset(text, 0, 64);
    errno = 0;
    long n = read(fd, text, size);
    printf("%zu: %ld %.20s%s\n", size, n, n > 0 ? text : "", n < 0 ? strerror(errno) : ""); fflush(stdout);
}
static long fill_up(int fd, const char *bytes, size_t size) {
    long n = 0;
    while (write(fd, bytes, size) == (long)size) n++;
    return n;
}

/* Pipes in packet mode: pipe(2), O_DIRECT. */
static void packets(void) {
    static char page[10000];
    int p[2], q[2];
    struct iovec v[3] = {{"one", 3}, {"", 0}, {"two", 3}};
    memset(page, 'x', sizeof page);
    FAILS(pipe2(p, O_DIRECT | O_APPEND)); SHOW(pipe2(p, O_DIRECT | O_NONBLOCK)); SHOW(!!(fcntl(p[0], F_GETFL) & O_DIRECT)); SHOW(!!(fcntl(p[1], F_GETFL) & O_DIRECT));
    SHOW(write(p[1], "first", 5)); SHOW(write(p[1], "second", 6)); SHOW(writev(p[1], v, 3)); SHOW(held(p[0]));
    take(p[0], 100); take(p[0], 3); SHOW(held(p[0])); take(p[0], 6); take(p[0], 1); SHOW(write(p[1], "", 0)); take(p[0], 1);
    /* More than a packet holds */
    SHOW(write(p[1], page, sizeof page)); SHOW(held(p[0])); take(p[0], 9000); take(p[0], 9000); take(p[0], 9000); take(p[0], 9000);
    /* Ordinary bytes behind packets: the mode is the writing file's, at that moment */
    SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK)); SHOW(write(p[1], "plain", 5)); SHOW(write(p[1], "bytes", 5)); take(p[0], 3); take(p[0], 100); SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT)); SHOW(write(p[1], "packet", 6));
    SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK)); SHOW(write(p[1], "rest", 4)); SHOW(fcntl(p[1], F_SETFL, O_NONBLOCK | O_DIRECT)); take(p[0], 3); take(p[0], 2); take(p[0], 100); take(p[0], 100);
    /* Each takes a page of the pipe; a pipe's size and how full it is */
    SHOW(fcntl(p[1], F_SETPIPE_SZ, 16384)); SHOW(fill_up(p[1], "y", 1)); SHOW(held(p[0])); FAILS(write(p[1], "y", 1)); take(p[0], 1); SHOW(fill_up(p[1], page, 4096)); SHOW(held(p[0])); FAILS(fcntl(p[1], F_SETPIPE_SZ, 8192));
    for (int i = 0; i < 5; i++) take(p[0], 5000);
    /* Through splice and tee packets stay what they are */
    pipe(q); fcntl(q[0], F_SETFL, O_NONBLOCK); write(p[1], "left", 4), write(p[1], "right", 5);
    SHOW(tee(p[0], q[1], 100, 0)); SHOW(held(q[0])); take(q[0], 2); take(q[0], 100); SHOW(splice(p[0], NULL, q[1], NULL, 100, SPLICE_F_NONBLOCK)); take(q[0], 100); take(q[0], 100); take(p[0], 100);
    write(p[1], "piecewise", 9); SHOW(splice(p[0], NULL, q[1], NULL, 5, 0)); take(q[0], 100); take(p[0], 2); take(p[0], 100);
    close(q[1]); close(q[0]); close(p[1]); take(p[0], 10); close(p[0]);
    /* A reader that waits gets one each; positions go around the ring many times */
    pipe2(p, O_DIRECT); fflush(stdout);
    int pid = fork();
    if (!pid) {
        close(p[1]); unsigned long sum = 0, count = 0; long n;
        while ((n = read(p[0], page, sizeof page)) > 0) { count++; for (long i = 0; i < n; i++) sum = sum * 31 + (unsigned char)page[i]; sum += (unsigned long)n; }
        printf("child: %lu packets, %lu\n", count, sum); fflush(stdout); _exit(0);
    }
    close(p[0]); for (int i = 0; i < 3000; i++) { for (int at = 0; at < 8; at++) page[at] = (char)(i * 7 + at); if (write(p[1], page, 1 + (size_t)(i * 37 % 4096)) < 0) perror("write"); }
    close(p[1]); wait(NULL);
}

/* What has gone through a pipe before must not matter to who looks into it. */
static void around(void) {
    int p[2], q[2], bad = 0, s[2];
    pipe(p), pipe(q), socketpair(AF_UNIX, SOCK_STREAM, 0, s);
    for (int round = 0; round < 3000; round++) {
        char out[7], in[7];
        for (int i = 0; i < 7; i++) out[i] = (char)(round * 7 + i);
        write(p[1], out, 7);
        if (tee(p[0], q[1], 7, 0) != 7 || read(q[0], in, 7) != 7 || memcmp(in, out, 7)) bad++;
        if (splice(p[0], NULL, s[0], NULL, 7, 0) != 7 || read(s[1], in, 7) != 7 || memcmp(in, out, 7)) bad++;
    }
    SHOW(bad);
}

static void seals(void) {
    int fd = memfd_create("sealed", MFD_ALLOW_SEALING), plain = memfd_create("plain", 0);
    struct stat s;
    SHOW(fcntl(fd, F_GET_SEALS)); SHOW(fcntl(plain, F_GET_SEALS)); FAILS(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW)); FAILS(fcntl(0, F_GET_SEALS)); FAILS(fcntl(fd, F_ADD_SEALS, 1 << 10));
    SHOW(ftruncate(fd, 8192)); SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK)); FAILS(ftruncate(fd, 4096)); SHOW(ftruncate(fd, 10000)); SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW)); SHOW(fcntl(fd, F_GET_SEALS));
    FAILS(ftruncate(fd, 20000)); FAILS(pwrite(fd, text, 100, 9950)); SHOW(pwrite(fd, text, 50, 9950)); FAILS(pwrite(fd, text, 10000, 4096)); FAILS(fallocate(fd, 0, 0, 20000)); SHOW(fallocate(fd, 0, 0, 5000));
    char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(at != MAP_FAILED); at[0] = 'x'; FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE)); at[1] = 'y';
    FAILS(pwrite(fd, "z", 1, 0)); FAILS((long)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)); char *ro = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    SHOW(ro != MAP_FAILED); printf("%.2s\n", ro); FAILS(mprotect(ro, 4096, PROT_READ | PROT_WRITE)); munmap(ro, 4096); munmap(at, 8192);
    char *copy = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0); SHOW(copy != MAP_FAILED); copy[0] = 'p'; pread(fd, text, 1, 0); printf("%c\n", text[0]);
    SHOW(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL)); FAILS(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)); SHOW(fcntl(fd, F_GET_SEALS)); FAILS(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096));
    int still = (int)syscall(SYS_memfd_create, "n", NOEXEC_SEAL); fstat(still, &s); SHOW(s.st_mode); SHOW(fcntl(still, F_GET_SEALS)); FAILS(fchmod(still, 0755)); SHOW(fchmod(still, 0600)); FAILS(syscall(SYS_memfd_create, "n", NOEXEC_SEAL | EXEC_));
    int run = memfd_create("x", MFD_ALLOW_SEALING); SHOW(fcntl(run, F_ADD_SEALS, SEAL_EXEC_)); SHOW(fcntl(run, F_GET_SEALS)); FAILS(write(run, "x", 1)); FAILS(memfd_create("x", 1 << 20));
}

static sigjmp_buf back;
static void caught(int number, siginfo_t *info, void *context) {
    (void)context;
    siglongjmp(back, number * 100 + info->si_code);
}
static int peek(const volatile char *at) { /* the byte, or signal and code */
    int how = sigsetjmp(back, 1);
    return how ? how : *at;
}

/* What was cut off or punched out is not in mappings either, also in those of another process; copies of private ones stay over holes only. */
static void cut(void) {
    struct sigaction action = { .sa_sigaction = caught, .sa_flags = SA_SIGINFO };
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL);
    char path[] = "/tmp/cut-XXXXXX";
    int fd = mkstemp(path), pipes[2][2], status;
    unlink(path);
    memset(text, 'a', 5 * 4096);
    SHOW(write(fd, text, 5 * 4096));
    char *shared = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), *own = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    for (int i = 0; i < 5; i++) peek(shared + i * 4096), peek(own + i * 4096);
    own[4096] = own[4 * 4096] = 'p';
    if (pipe(pipes[0]) || pipe(pipes[1])) exit(1);
    pid_t child = fork();
    if (!child) {
        char byte = (char)peek(shared + 4 * 4096);
        if (write(pipes[0][1], &byte, 1) != 1 || read(pipes[1][0], &byte, 1) != 1) _exit(9);
        _exit(peek(shared + 4 * 4096) == SIGBUS * 100 + 2 ? 3 : 4);
    }
    if (read(pipes[0][0], text, 1) != 1) exit(1);
    SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2 * 4096)); SHOW(peek(shared)); SHOW(peek(shared + 4096)); SHOW(peek(own)); SHOW(peek(own + 4096)); SHOW(peek(own + 2 * 4096));
    SHOW(ftruncate(fd, 2 * 4096 + 10)); SHOW(peek(shared + 2 * 4096 + 9)); SHOW(peek(shared + 2 * 4096 + 10)); SHOW(peek(shared + 3 * 4096)); SHOW(peek(own + 3 * 4096)); SHOW(peek(own + 4 * 4096)); SHOW(peek(own + 4096));
    FAILS(write(1, shared + 4 * 4096, 1));
    if (write(pipes[1][1], "x", 1) != 1) exit(1);
    waitpid(child, &status, 0);
    SHOW(WEXITSTATUS(status));
    SHOW(ftruncate(fd, 5 * 4096)); SHOW(peek(shared + 4 * 4096)); shared[4 * 4096] = 'n'; SHOW(pread(fd, text, 1, 4 * 4096)); SHOW(text[0]); SHOW(pwrite(fd, "m", 1, 3 * 4096)); SHOW(peek(shared + 3 * 4096));
}

static long write_with(int fd, const struct iovec *piece, long position, int flags) { return syscall(SYS_pwritev2, fd, piece, 1, position, position < 0 ? -1l : 0l, flags); }

/* It cannot be seen from here that the bytes are on a disk; the calls say what they say. */
static void durable(void) {
    char path[] = "/tmp/durable-XXXXXX";
    int made = mkstemp(path), fd = open(path, O_RDWR | O_DSYNC), both = open(path, O_RDWR | O_SYNC | O_APPEND), folder = open("/tmp", O_RDONLY | O_DIRECTORY);
    struct iovec piece = { "durable", 7 };
    SHOW(write(fd, "one", 3)); SHOW(write(both, "two", 3)); SHOW(write_with(made, &piece, 0, 2)); SHOW(write_with(made, &piece, 0, 4)); SHOW(write_with(made, &piece, -1, 16 | 2)); SHOW((fcntl(fd, F_GETFL) & O_SYNC) == O_DSYNC); SHOW((fcntl(both, F_GETFL) & O_SYNC) == O_SYNC); SHOW((fcntl(made, F_GETFL) & O_SYNC) == 0);
    SHOW(fsync(made)); SHOW(fdatasync(made)); SHOW(fsync(folder)); SHOW(fdatasync(folder)); SHOW(sync_file_range(made, 0, 0, 7)); SHOW(syncfs(folder));
    close(fd); fd = open(path, O_RDONLY); SHOW(fsync(fd)); SHOW(lseek(fd, 0, SEEK_END)); unlink(path); SHOW(fsync(fd));
    FAILS(fsync(-1)); int pipes[2]; if (pipe(pipes)) exit(1); FAILS(fsync(pipes[0])); FAILS(sync_file_range(pipes[0], 0, 0, 1));
}

int main(void) {
    splices();
    packets();
    around();
    seals();
    cut();
    durable();
    return 0;
}
