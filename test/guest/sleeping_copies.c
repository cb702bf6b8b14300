/*
 * Copies to and from pages that come from a disk first: while one process waits for its page, another uses the same socket, terminal, stdout or the FPU. `sleeping_copies FILE MODE`: FILE has 8 MiB
 * that nobody has read; each of its PLACES begins with PIECE bytes of which `stdout` makes a line. Says whether all came through.
 * variants: musl
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { SIZE = 8 << 20, STEP = 64 << 10, PLACES = SIZE / STEP, PIECE = 4000 };
static uint8_t *cold;
struct sum { uint64_t bytes, values; };

static uint8_t *place(int number) { return cold + (uint32_t)(number % PLACES) * STEP; }

static void *shared(size_t size) { return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0); }

static int report(const char *what, int is_good) {
    printf("%s: %s\n", what, is_good ? "as it was sent" : "not as it was sent");
    return !is_good;
}

/* Two processes read what a third one writes, large pieces and small ones, each to another cold place: no byte is lost, none comes twice. */
static int read_by_two(const char *what, int in, int out) {
    struct sum *sums = shared(4096), wanted = {(uint64_t)2 * PLACES * PIECE, 0};
    uint8_t piece[PIECE];
    for (int each = 0; each < 2; each++)
        if (!fork()) {
            close(in);
            for (int i = 0; sums[each].bytes < 2 * wanted.bytes; i++) {
                uint8_t *to = place(2 * i + each);
                ssize_t got = read(out, to, each ? PIECE / 5 : PIECE);
                if (got <= 0) break;
                sums[each].bytes += (uint64_t)got;
                while (got) sums[each].values += to[--got];
            }
            _exit(0);
        }
    for (int i = 0; i < 2 * PLACES; i++) {
        for (int at = 0; at < PIECE; at++) wanted.values += piece[at] = (uint8_t)(i * 7 + at);
        for (ssize_t done = 0, now; done < PIECE; done += now)
            if ((now = write(in, piece + done, (size_t)(PIECE - done))) <= 0) return report(what, 0);
    }
    close(in);
    while (wait(NULL) > 0);
    return report(what, sums[0].bytes + sums[1].bytes == wanted.bytes && sums[0].values + sums[1].values == wanted.values);
}

static int try_socket(void) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) return 2;
    return read_by_two("a socket", ends[0], ends[1]);
}

static int try_loopback(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), from = socket(AF_INET, SOCK_STREAM, 0), to;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 1) || getsockname(listener, (struct sockaddr *)&address, &length) ||
        connect(from, (struct sockaddr *)&address, length) || (to = accept(listener, NULL, NULL)) < 0)
        return 2;
    return read_by_two("a connection", from, to);
}

/* Each one that is added to a counter is taken by one of two. */
static int try_counter(void) {
    volatile uint64_t *taken = shared(4096);
    uint64_t one = 1, added = 0;
    pid_t readers[2];
    int counter = eventfd(0, 0);
    for (int each = 0; each < 2; each++)
        if (!(readers[each] = fork()))
            for (int i = each;; i += 2) {
                if (read(counter, place(i), sizeof one) != sizeof one) _exit(1);
                taken[each] += *(uint64_t *)place(i);
            }
    while (added < PLACES / 2 && taken[0] + taken[1] == added) {
        if (write(counter, &one, sizeof one) != sizeof one) return 2;
        for (added++; taken[0] + taken[1] < added;) sched_yield();
    }
    for (int each = 0; each < 2; each++) kill(readers[each], SIGKILL);
    while (wait(NULL) > 0);
    return report("a counter", taken[0] + taken[1] == added);
}

/* A file is cut while someone writes to it from cold places: what was its page, and is another's memory now, stays that. */
static int try_cut(void) {
    int file = open("/dev/shm/cut", O_RDWR | O_CREAT | O_TRUNC, 0600), bad = 0;
    int *is_over = shared(4096);
    uint8_t *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (file < 0 || memory == MAP_FAILED) return 2;
    if (!fork()) {
        for (int i = 0; i < PLACES; i++)
            if (pwrite(file, place(i), PIECE, 0) != PIECE) _exit(1);
        *is_over = 1;
        _exit(0);
    }
    size_t used = 0;
    while (!*is_over) {
        struct stat stat;
        if (!fstat(file, &stat) && !stat.st_blocks) {
            sched_yield();
            continue;
        }
        if (ftruncate(file, 0)) return 2;
        for (int i = 0; i < 4 && used < SIZE; i++, used += 4096) memory[used] = 0;
    }
    while (wait(NULL) > 0);
    for (size_t at = 0; at < used; at++) bad += memory[at] != 0;
    unlink("/dev/shm/cut");
    return report("memory", !bad);
}

static int open_terminal(int *slave) {
    struct termios modes;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || unlockpt(master) || (*slave = open(ptsname(master), O_RDWR | O_NOCTTY)) < 0 || tcgetattr(*slave, &modes)) exit(2);
    cfmakeraw(&modes);
    tcsetattr(*slave, TCSANOW, &modes);
    return master;
}

static int try_terminal(void) {
    int slave, master = open_terminal(&slave);
    return read_by_two("a terminal", slave, master);
}

/* Two processes write from cold places to one terminal: neither takes the other's room. */
static int try_typing(void) {
    int slave, master = open_terminal(&slave);
    struct sum *sums = shared(4096), found = {0, 0};
    for (int each = 0; each < 2; each++)
        if (!fork()) {
            close(master);
            for (int i = each; i < PLACES; i += 2) {
                const uint8_t *from = place(i);
                if (write(slave, from, PIECE) != PIECE) _exit(1);
                sums[each].bytes += PIECE;
                for (int at = 0; at < PIECE; at++) sums[each].values += from[at];
            }
            _exit(0);
        }
    close(slave);
    uint8_t piece[PIECE];
    for (ssize_t got; (got = read(master, piece, sizeof piece)) > 0;) {
        found.bytes += (uint64_t)got;
        while (got) found.values += piece[--got];
    }
    while (wait(NULL) > 0);
    return report("two at a terminal", found.bytes == sums[0].bytes + sums[1].bytes && found.values == sums[0].values + sums[1].values);
}

static void handle(int number) { (void)number; }

/* A signal that is handled on a cold stack leaves the FPU's registers as they were, whatever others do meanwhile. */
static int try_signals(void) {
    int *bad = shared(4096);
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, NULL);
    for (int each = 0; each < 2; each++)
        if (!fork()) {
            for (int i = each; i < PLACES; i += 2) {
                stack_t stack = {.ss_sp = place(i), .ss_size = STEP / 2};
                uint64_t pattern = 0x1111111111111111u * (uint64_t)(each + 1) + (uint64_t)i, found;
                sigaltstack(&stack, NULL);
#ifdef __aarch64__
                register long result __asm__("x0") = (long)getpid(), number __asm__("x8") = SYS_kill, signal __asm__("x1") = SIGUSR1;
                __asm__ volatile("fmov d9, %[pattern]\n\tsvc #0\n\tfmov %[found], d9" : "+r"(result), [found] "=&r"(found) : [pattern] "r"(pattern), "r"(number), "r"(signal) : "memory", "v9");
#else
                long result = SYS_kill;
                __asm__ volatile("movq %[pattern], %%xmm9\n\tsyscall\n\tmovq %%xmm9, %[found]" : "+a"(result), [found] "=&r"(found)
                                 : [pattern] "r"(pattern), "D"((long)getpid()), "S"((long)SIGUSR1) : "rcx", "r11", "memory", "xmm9");
#endif
                bad[each] += found != pattern;
            }
            _exit(0);
        }
    while (wait(NULL) > 0);
    return report("registers", !bad[0] && !bad[1]);
}

/* Lines out of cold places, and others between them. */
static int say(void) {
    pid_t other = fork();
    if (!other)
        for (;;)
            if (write(1, "warm\n", 5) != 5) _exit(1);
    for (int i = 0; i < PLACES; i++)
        if (write(1, place(i), PIECE) != PIECE) return 1;
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
    return 0;
}

int main(int count, char **args) {
    int file = count == 3 ? open(args[1], O_RDONLY) : -1;
    if (file < 0) return 2;
    cold = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    if (cold == MAP_FAILED) return 2;
    madvise(cold, SIZE, MADV_RANDOM);
    static const struct { const char *name; int (*run)(void); } modes[] = {{"socket", try_socket}, {"loopback", try_loopback}, {"counter", try_counter}, {"cut", try_cut}, {"terminal", try_terminal}, {"typing", try_typing}, {"signals", try_signals}, {"stdout", say}};
    for (unsigned i = 0; i < sizeof modes / sizeof *modes; i++)
        if (!strcmp(args[2], modes[i].name)) return modes[i].run();
    return 2;
}
