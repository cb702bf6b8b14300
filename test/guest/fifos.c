// variants: glibc pie musl
// flags: -pthread
/* Named pipes, and the limit of a file's size: prints what a Linux machine prints. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) printf("%s = %ld\n", #expression, (long)(expression))
#define FAILS(expression) (printf("%s: ", #expression), (expression) < 0 ? (void)printf("%s\n", strerror(errno)) : (void)puts("succeeds"))
static void sleep_ms(long n) { nanosleep(&(struct timespec){n / 1000, n % 1000 * 1000000}, NULL); }
static void note(int number) { (void)number; }
static volatile sig_atomic_t got;
static void count(int number) { got += number == SIGXFSZ; }
static char name[64], bytes[65536];

static pid_t start(void (*function)(void)) {
    fflush(stdout);
    pid_t pid = fork();
    if (pid) return pid;
    function();
    _exit(0);
}
static void writes_late(void) {
    sleep_ms(100);
    int fd = open(name, O_WRONLY);
    _exit(write(fd, "late", 4) == 4 ? 0 : 1);
}
static void reads_late(void) {
    sleep_ms(100);
    int fd = open(name, O_RDONLY);
    char buffer[16];
    _exit(read(fd, buffer, sizeof buffer) == 4 && !memcmp(buffer, "abcd", 4) ? 0 : 1);
}
static void comes_and_goes(void) {
    sleep_ms(100);
    close(open(name, O_WRONLY));
}

static void fifos(void) {
    struct stat stat;
    int status, a, b;
    signal(SIGPIPE, SIG_IGN);
    SHOW(mkfifo(name, 0640)); FAILS(mkfifo(name, 0640));
    SHOW(lstat(name, &stat)); SHOW(S_ISFIFO(stat.st_mode)); SHOW(stat.st_mode & 0777);
    FAILS(open(name, O_WRONLY | O_NONBLOCK));
    a = open(name, O_RDONLY | O_NONBLOCK);
    SHOW(a >= 0); SHOW(read(a, bytes, 10));
    struct pollfd entry = {a, POLLIN, 0};
    SHOW(poll(&entry, 1, 0)); /* no hangup before the first writer */
    b = open(name, O_WRONLY | O_NONBLOCK);
    SHOW(b >= 0); FAILS(read(a, bytes, 10)); SHOW(write(b, "xyz", 3)); SHOW(poll(&entry, 1, 0)); SHOW(entry.revents); SHOW(read(a, bytes, 10));
    FAILS(read(b, bytes, 1)); FAILS(write(a, "x", 1)); FAILS(lseek(a, 0, SEEK_SET));
    SHOW(fstat(b, &stat)); SHOW(S_ISFIFO(stat.st_mode)); SHOW(stat.st_mode & 0777);
    close(b);
    SHOW(poll(&entry, 1, 0)); SHOW(entry.revents); SHOW(read(a, bytes, 10));
    close(a);
    /* Each direction waits for the other. */
    pid_t pid = start(writes_late);
    a = open(name, O_RDONLY);
    memset(bytes, 0, 16);
    SHOW(read(a, bytes, 16)); puts(bytes); SHOW(read(a, bytes, 16));
    close(a);
    waitpid(pid, &status, 0);
    SHOW(status);
    pid = start(reads_late);
    a = open(name, O_WRONLY);
    SHOW(write(a, "abcd", 4));
    waitpid(pid, &status, 0);
    SHOW(status); FAILS(write(a, "gone", 4));
    close(a);
    pid = start(comes_and_goes);
    a = open(name, O_RDONLY);
    SHOW(read(a, bytes, 16));
    close(a);
    waitpid(pid, &status, 0);
    /* Both directions at once; what is left in it goes with the last close. */
    a = open(name, O_RDWR);
    SHOW(write(a, "kept", 4)); SHOW(read(a, bytes, 2)); SHOW(fcntl(a, F_GETPIPE_SZ)); SHOW(fcntl(a, F_SETPIPE_SZ, 4096));
    close(a);
    a = open(name, O_RDONLY | O_NONBLOCK);
    SHOW(read(a, bytes, 10));
    /* The name may go; those who have it open stay together. */
    b = open(name, O_WRONLY);
    SHOW(unlink(name)); SHOW(write(b, "still", 5)); SHOW(read(a, bytes, 10)); SHOW(fstat(a, &stat)); SHOW(stat.st_nlink);
    close(a), close(b);
    /* A signal ends the wait. */
    SHOW(mkfifo(name, 0600));
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = note}, NULL);
    alarm(1);
    FAILS(open(name, O_RDONLY));
    SHOW(unlink(name));
    SHOW(mknod(name, S_IFIFO | 0600, 0)); SHOW(truncate(name, 0) < 0 && errno == EINVAL); SHOW(unlink(name));
}

static void sizes(void) {
    struct rlimit limit = {10000, 20000};
    struct iovec pieces[2] = {{bytes, 500}, {bytes, 500}};
    int status, fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);
    pid_t pid = fork();
    if (!pid) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        setrlimit(RLIMIT_FSIZE, &limit);
        for (;;) if (write(fd, bytes, 3000) < 0) _exit(1);
    }
    waitpid(pid, &status, 0);
    SHOW(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ); SHOW(lseek(fd, 0, SEEK_END));
    signal(SIGXFSZ, count);
    SHOW(setrlimit(RLIMIT_FSIZE, &limit));
    SHOW(ftruncate(fd, 9900)); SHOW(lseek(fd, 0, SEEK_END)); SHOW(write(fd, bytes, 1000)); SHOW(got); FAILS(write(fd, bytes, 1)); SHOW(got);
    SHOW(write(fd, bytes, 0)); FAILS(ftruncate(fd, 10001)); SHOW(got); SHOW(ftruncate(fd, 9400)); SHOW(pwritev(fd, pieces, 2, 9400)); SHOW(got);
    FAILS(pwrite(fd, bytes, 1, 30000)); SHOW(got); SHOW(lseek(fd, 0, SEEK_END)); SHOW(ftruncate(fd, 0)); FAILS(fallocate(fd, 0, 0, 20000)); SHOW(got);
    close(fd);
    unlink(name);
}

int main(void) {
    snprintf(name, sizeof name, "/tmp/fifos.%d", (int)getpid());
    mkdir("/tmp", 01777);
    fifos();
    sizes();
    return 0;
}
