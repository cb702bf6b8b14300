// variants: glibc pie musl linked
/* Linux's asynchronous input and output by its bare calls: files, vectors, fsync, an eventfd, pipes, what is refused, waiting. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* linux/aio_abi.h, which musl's include path has not. */
typedef unsigned long aio_context_t;
enum { IOCB_CMD_PREAD, IOCB_CMD_PWRITE, IOCB_CMD_FSYNC, IOCB_CMD_FDSYNC, IOCB_CMD_NOOP = 6, IOCB_CMD_PREADV, IOCB_CMD_PWRITEV, IOCB_FLAG_RESFD = 1 };
struct io_event { uint64_t data, obj; int64_t res, res2; };
struct iocb {
    uint64_t aio_data;
    uint32_t aio_key, aio_rw_flags;
    uint16_t aio_lio_opcode;
    int16_t aio_reqprio;
    uint32_t aio_fildes;
    uint64_t aio_buf, aio_nbytes;
    int64_t aio_offset;
    uint64_t aio_reserved2;
    uint32_t aio_flags, aio_resfd;
};

#define SHOW(expression) do { errno = 0; long value_ = (long)(expression); printf("%s = %ld %s\n", #expression, value_, value_ < 0 ? strerror(errno) : ""); } while (0)
static aio_context_t set;
static struct io_event events[64];
static int setup(unsigned n, aio_context_t *c) { return (int)syscall(SYS_io_setup, n, c); }
static int destroy(aio_context_t c) { return (int)syscall(SYS_io_destroy, c); }
static int submit(long n, struct iocb **list) { return (int)syscall(SYS_io_submit, set, n, list); }
static int one(struct iocb *b) { return submit(1, &b); }
static int get(long least, long most, long ms) {
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    return (int)syscall(SYS_io_getevents, set, least, most, events, ms < 0 ? NULL : &t);
}
static struct iocb make(int op, int fd, const void *buffer, size_t size, long offset, uint64_t data) {
    return (struct iocb){.aio_lio_opcode = (uint16_t)op, .aio_fildes = (uint32_t)fd, .aio_buf = (uint64_t)(uintptr_t)buffer, .aio_nbytes = size, .aio_offset = offset, .aio_data = data};
}
/* Linux does some requests later: all are waited for, and shown in the order of their data. */
static int by_data(const void *a, const void *b) { return (int)((const struct io_event *)a)->data - (int)((const struct io_event *)b)->data; }
static void show(const char *what, long wanted) {
    int n = 0, more;
    while (n < wanted && (more = (int)syscall(SYS_io_getevents, set, 1, wanted - n, events + n, &(struct timespec){5, 0})) > 0) n += more;
    qsort(events, (size_t)n, sizeof *events, by_data);
    printf("%s: %d", what, n);
    for (int i = 0; i < n; i++) printf(" [%llu: %lld %lld]", (unsigned long long)events[i].data, (long long)events[i].res, (long long)events[i].res2);
    printf("\n");
}

static void files(int fd) {
    static char text[9000], back[9000];
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i % 23);
    struct iocb w[3] = {make(IOCB_CMD_PWRITE, fd, text, 5000, 0, 1), make(IOCB_CMD_PWRITE, fd, text + 5000, 4000, 5000, 2), make(IOCB_CMD_PWRITE, fd, "hole", 4, 20000, 3)};
    struct iocb *list[3] = {&w[0], &w[1], &w[2]};
    SHOW(submit(3, list));
    show("written", 3);
    printf("objects %d\n", (events[0].obj == (uintptr_t)&w[0]) + (events[1].obj == (uintptr_t)&w[1]) + (events[2].obj == (uintptr_t)&w[2]));
    struct iovec parts[3] = {{back, 1000}, {back + 1000, 0}, {back + 1000, 8000}};
    struct iocb r[4] = {make(IOCB_CMD_PREADV, fd, parts, 3, 0, 11), make(IOCB_CMD_PREAD, fd, back, 10, 30000, 12), make(IOCB_CMD_FSYNC, fd, NULL, 0, 0, 13), make(IOCB_CMD_FDSYNC, fd, NULL, 0, 0, 14)};
    struct iocb *reads[4] = {&r[0], &r[1], &r[2], &r[3]};
    SHOW(submit(4, reads));
    show("read", 4);
    SHOW(memcmp(text, back, sizeof text));
    struct iovec gather[2] = {{"one", 3}, {"two", 3}};
    struct iocb v = make(IOCB_CMD_PWRITEV, fd, gather, 2, 100, 21);
    SHOW(one(&v));
    show("gathered", 1);
    SHOW(pread(fd, back, 8, 99));
    printf("%.8s\n", back);
    SHOW(lseek(fd, 0, SEEK_CUR));
    struct iocb append = make(IOCB_CMD_PWRITE, fd, "end", 3, 0, 22);
    append.aio_rw_flags = 16; /* RWF_APPEND */
    SHOW(one(&append));
    show("appended", 1);
    SHOW(lseek(fd, 0, SEEK_END));
}

static void refusals(int fd) {
    char c[8];
    int reader = open("/proc/self/exe", O_RDONLY);
    struct iocb b;
    aio_context_t other = 1;
    SHOW(setup(8, &other));
    other = 0;
    SHOW(setup(0, &other));
    SHOW(setup(8, NULL));
    SHOW(setup(100000000, &other));
    SHOW(destroy(0));
    SHOW(destroy(set + 8));
    SHOW(submit(-1, NULL));
    SHOW(submit(0, NULL));
    SHOW(submit(1, NULL));
    SHOW(one(NULL));
    SHOW((b = make(IOCB_CMD_PREAD, 99, c, 8, 0, 0), one(&b)));
    SHOW((b = make(IOCB_CMD_NOOP, fd, c, 8, 0, 0), one(&b)));
    SHOW((b = make(77, fd, c, 8, 0, 0), one(&b)));
    SHOW((b = make(IOCB_CMD_PWRITE, reader, c, 8, 0, 0), one(&b)));
    SHOW((b = make(IOCB_CMD_PREAD, fd, c, 8, -5, 0), one(&b)));
    SHOW((b = make(IOCB_CMD_PREADV, fd, (void *)8, 2, 0, 0), one(&b)));
    SHOW((b = make(IOCB_CMD_PREADV, fd, c, 2000, 0, 0), one(&b)));
    SHOW((b = make(IOCB_CMD_FSYNC, fd, c, 8, 0, 0), one(&b)));
    SHOW((b = make(IOCB_CMD_PREAD, fd, c, 8, 0, 0), b.aio_rw_flags = 1 << 20, one(&b)));
    SHOW((b = make(IOCB_CMD_PREAD, fd, c, 8, 0, 0), b.aio_reserved2 = 1, one(&b)));
    SHOW((b = make(IOCB_CMD_PREAD, fd, c, 8, 0, 0), b.aio_flags = IOCB_FLAG_RESFD, b.aio_resfd = 99, one(&b)));
    SHOW((b = make(IOCB_CMD_PREAD, fd, c, 8, 0, 0), b.aio_flags = IOCB_FLAG_RESFD, b.aio_resfd = (uint32_t)fd, one(&b)));
    SHOW((b = make(IOCB_CMD_PREAD, fd, (void *)8, 8, 0, 31), one(&b)));
    show("into nothing", 1);
    /* The second is refused: the first was taken. */
    struct iocb good = make(IOCB_CMD_PREAD, fd, c, 4, 0, 32), bad = make(77, fd, c, 4, 0, 33), *two[2] = {&good, &bad};
    SHOW(submit(2, two));
    show("the first", 1);
    SHOW(get(2, 1, 0));
    SHOW(get(-1, 1, 0));
    SHOW(syscall(SYS_io_cancel, set, &good, events));
    SHOW(syscall(SYS_io_getevents, set + 4096, 0, 1, events, NULL));
    close(reader);
}

static void told(int fd) {
    uint64_t count = 0;
    char c[8];
    int event = eventfd(0, EFD_NONBLOCK);
    struct iocb b[3], *list[3];
    for (int i = 0; i < 3; i++) {
        b[i] = make(IOCB_CMD_PREAD, fd, c, 8, i, 40 + (uint64_t)i);
        b[i].aio_flags = IOCB_FLAG_RESFD;
        b[i].aio_resfd = (uint32_t)event;
        list[i] = &b[i];
    }
    SHOW(submit(3, list));
    show("told", 3);
    SHOW(read(event, &count, 8));
    printf("%llu\n", (unsigned long long)count);
    close(event);
}

static void pipes(void) {
    int p[2];
    char c[8] = "";
    SHOW(pipe(p));
    struct iocb w = make(IOCB_CMD_PWRITE, p[1], "piped", 5, 0, 51), r = make(IOCB_CMD_PREAD, p[0], c, 8, 0, 52), *list[2] = {&w, &r};
    SHOW(submit(2, list));
    show("through a pipe", 2);
    printf("%s\n", c);
    close(p[0]), close(p[1]);
}

static void *later(void *fd) {
    static char c[4];
    struct iocb b = make(IOCB_CMD_PREAD, (int)(intptr_t)fd, c, 4, 0, 61);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    one(&b);
    return NULL;
}
static void on_alarm(int n) { (void)n; }

static void waits(int fd) {
    pthread_t thread;
    SHOW(get(0, 8, -1));
    SHOW(get(1, 8, 0));
    SHOW(get(1, 8, 30));
    pthread_create(&thread, NULL, later, (void *)(intptr_t)fd);
    SHOW(get(1, 8, -1));
    pthread_join(thread, NULL);
    pthread_create(&thread, NULL, later, (void *)(intptr_t)fd);
    SHOW(get(2, 8, 300)); /* one comes, two were wanted */
    pthread_join(thread, NULL);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm, .sa_flags = SA_RESTART}, NULL);
    struct timespec soon = {2, 0};
    sigset_t blocked, none;
    sigemptyset(&none), sigemptyset(&blocked), sigaddset(&blocked, SIGALRM);
    sigprocmask(SIG_BLOCK, &blocked, NULL);
    raise(SIGALRM);
    struct { const void *mask; size_t size; } packed = {&none, 8};
    SHOW(syscall(SYS_io_pgetevents, set, 1, 1, events, &soon, &packed));
    SHOW(syscall(SYS_io_pgetevents, set, 0, 1, events, &soon, NULL));
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
}

/* As many as the context was made for fit in any case, and an end of fetching makes room again. */
static void many(int fd) {
    static char c[4];
    static struct iocb b[16], *list[16];
    aio_context_t before = set;
    set = 0;
    SHOW(setup(16, &set));
    for (int i = 0; i < 16; i++) b[i] = make(IOCB_CMD_PREAD, fd, c, 4, 0, (uint64_t)i), list[i] = &b[i];
    for (int round = 0; round < 3; round++) {
        SHOW(submit(16, list));
        show("sixteen", 16);
    }
    SHOW(destroy(set));
    SHOW(destroy(set));
    SHOW(one(&b[0]));
    set = before;
}

static void children(int fd) {
    char c[4];
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        struct iocb b = make(IOCB_CMD_PREAD, fd, c, 4, 0, 71);
        SHOW(one(&b)); /* the context is the parent's */
        aio_context_t own = 0;
        SHOW(setup(4, &own));
        fflush(stdout);
        _exit(own == 0);
    }
    int status;
    waitpid(child, &status, 0);
    printf("child %d\n", status);
}

int main(int count, char **arguments) {
    int fd = memfd_create("aio", 0);
    SHOW(setup(32, &set));
    files(fd);
    refusals(fd);
    told(fd);
    pipes();
    waits(fd);
    many(fd);
    if (count < 2 || strcmp(arguments[1], "alone")) children(fd);
    SHOW(destroy(set));
    return 0;
}
