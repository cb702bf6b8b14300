/*
 * What the Linux ABI costs: one line "name nanoseconds" for each operation. Owns: the loops; bench/linux.ts runs the same file in
 * hull and in Linux. Rules: each figure is the median of ROUNDS batches, each long enough for the clock; nothing but libc is needed,
 * so that it also links against hull's own (then without processes). `calls NAME...` measures only these; `calls exit` just ends.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/futex.h>

enum { ROUNDS = 5, BATCH_NS = 20000000, PAGE = 4096 };

typedef void operation(long count);

static const char *self;
static volatile long sink;

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what)
{
    printf("%s failed\n", what);
    fflush(stdout);
    _exit(1);
}

/* ---- one thread ---- */

static void do_getppid(long count)
{
    while (count-- > 0)
        sink = getppid();
}

static void do_clock_gettime(long count)
{
    struct timespec t;
    while (count-- > 0)
        clock_gettime(CLOCK_MONOTONIC, &t);
}

static void touch(size_t pages, long count)
{
    while (count-- > 0) {
        char *memory = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            fail("mmap");
        for (size_t i = 0; i < pages; i++)
            ((volatile char *)memory)[i * PAGE] = 1;
        munmap(memory, pages * PAGE);
    }
}

static void do_mmap_page(long count)
{
    touch(1, count);
}

static void do_mmap_mib(long count)
{
    touch(256, count);
}

/* Faults of one large area: the cost of one page. */
static void do_page_fault(long count)
{
    while (count > 0) {
        long pages = count < 4096 ? count : 4096;
        touch((size_t)pages, 1);
        count -= pages;
    }
}

static void on_signal(int number)
{
    sink = number;
}

static void do_signal(long count)
{
    signal(SIGUSR1, on_signal);
    while (count-- > 0)
        raise(SIGUSR1);
}

/* ---- ping-pong ---- */

static int there[2], back[2];

static void answer_pipe(long count)
{
    char byte;
    while (count-- > 0)
        if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1)
            fail("pipe");
}

static void ask_pipe(long count)
{
    char byte = 'x';
    while (count-- > 0)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            fail("pipe");
}

static _Atomic int *word;

static void futex_turn(int mine, long count)
{
    while (count-- > 0) {
        while (*word != mine)
            syscall(SYS_futex, word, FUTEX_WAIT, !mine, 0, 0, 0);
        *word = !mine;
        syscall(SYS_futex, word, FUTEX_WAKE, 1, 0, 0, 0);
    }
}

static void yield_turns(long count)
{
    while (count-- > 0)
        sched_yield();
}

static long shared_count;

static void *answer_pipe_thread(void *none)
{
    answer_pipe(shared_count);
    return none;
}

static void *futex_thread(void *none)
{
    futex_turn(1, shared_count);
    return none;
}

static void *yield_thread(void *none)
{
    yield_turns(shared_count);
    return none;
}

static void with_thread(void *(*body)(void *), long count, void (*mine)(long))
{
    pthread_t thread;
    shared_count = count;
    if (pthread_create(&thread, 0, body, 0) != 0)
        fail("pthread_create");
    mine(count);
    pthread_join(thread, 0);
}

static void futex_first(long count)
{
    futex_turn(0, count);
}

static void do_pipe_threads(long count)
{
    with_thread(answer_pipe_thread, count, ask_pipe);
}

static void do_futex_threads(long count)
{
    with_thread(futex_thread, count, futex_first);
}

/* Two threads that yield: count rounds are 2 * count switches. */
static void do_switch_threads(long count)
{
    with_thread(yield_thread, count / 2, yield_turns);
}

static void *nothing(void *none)
{
    return none;
}

static void do_thread(long count)
{
    while (count-- > 0) {
        pthread_t thread;
        if (pthread_create(&thread, 0, nothing, 0) != 0)
            fail("pthread_create");
        pthread_join(thread, 0);
    }
}

#ifndef NO_PROCESSES
static void with_process(void (*body)(long), long count, void (*mine)(long))
{
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0) {
        body(count);
        _exit(0);
    }
    mine(count);
    waitpid(child, 0, 0);
}

static void futex_second(long count)
{
    futex_turn(1, count);
}

static void do_pipe_processes(long count)
{
    with_process(answer_pipe, count, ask_pipe);
}

static void do_futex_processes(long count)
{
    with_process(futex_second, count, futex_first);
}

static void do_switch_processes(long count)
{
    with_process(yield_turns, count / 2, yield_turns);
}

static void do_fork(long count)
{
    while (count-- > 0) {
        pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0)
            _exit(0);
        waitpid(child, 0, 0);
    }
}

static void do_exec(long count)
{
    while (count-- > 0) {
        pid_t child = fork();
        if (child < 0)
            fail("fork");
        if (child == 0) {
            execl(self, self, "exit", (char *)0);
            _exit(127);
        }
        int status = -1;
        waitpid(child, &status, 0);
        if (status != 0)
            fail("exec");
    }
}
#endif

static const struct {
    const char *name;
    operation *run;
} operations[] = {
    { "getppid", do_getppid },
    { "clock_gettime", do_clock_gettime },
    { "mmap-touch-munmap-4k", do_mmap_page },
    { "mmap-touch-munmap-1m", do_mmap_mib },
    { "page-fault", do_page_fault },
    { "signal", do_signal },
    { "pipe-threads", do_pipe_threads },
    { "futex-threads", do_futex_threads },
    { "switch-threads", do_switch_threads },
    { "thread-create-join", do_thread },
#ifndef NO_PROCESSES
    { "pipe-processes", do_pipe_processes },
    { "futex-processes", do_futex_processes },
    { "switch-processes", do_switch_processes },
    { "fork-exit-wait", do_fork },
    { "fork-exec-wait", do_exec },
#endif
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(const char *name, operation *run)
{
    long count = 16;
    for (;;) {
        int64_t start = now();
        run(count);
        if (now() - start >= BATCH_NS)
            break;
        count *= 2;
    }
    double rounds[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        int64_t start = now();
        run(count);
        rounds[i] = (double)(now() - start) / (double)count;
    }
    qsort(rounds, ROUNDS, sizeof rounds[0], compare);
    printf("%s %ld\n", name, (long)rounds[ROUNDS / 2]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "exit") == 0)
        return 0;
    self = argv[0];
    if (pipe(there) != 0 || pipe(back) != 0)
        fail("pipe");
    word = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (word == MAP_FAILED)
        fail("mmap");
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        int wanted = argc < 2;
        for (int k = 1; k < argc; k++)
            wanted |= strcmp(argv[k], operations[i].name) == 0;
        if (wanted)
            measure(operations[i].name, operations[i].run);
    }
    puts("done");
    return 0;
}
