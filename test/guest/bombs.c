// variants: glibc musl
// flags: -pthread
/*
 * Takes all there is of something. Only in guests: what a machine without limits does is the point. Says how it ended; never hangs.
 * forks: processes that stay, until fork fails; storm: processes that fork on, while the first sleeps; threads; pipes; files: in /tmp;
 * memory: a child that touches more than there is, beside one that holds much.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static long forks(void) {
    long count = 0;
    pid_t pid, first = 0;
    while ((pid = fork()) > 0) {
        if (!first) first = pid;
        count++;
    }
    if (!pid) for (;;) pause();
    int error = errno;
    for (pid = first; pid < first + 2 * count + 100; pid++) kill(pid, SIGKILL);
    long gone = 0;
    while (wait(NULL) > 0) gone++;
    printf("fork: %s, all waited for: %d\n", error == EAGAIN || error == ENOMEM ? "refused" : strerror(error), gone == count);
    return count;
}

static long storm(void) {
    pid_t pid = fork();
    if (!pid) for (;;) fork();
    sleep(3);
    pid = fork(); /* may be refused; the machine answers */
    if (!pid) _exit(0);
    puts("storm: the first process goes on");
    return 0;
}

static void *rests(void *argument) {
    for (;;) pause();
    return argument;
}
static long threads(void) {
    long count = 0;
    pthread_t thread;
    int error;
    while (!(error = pthread_create(&thread, NULL, rests, NULL))) count++;
    printf("threads: %s\n", error == EAGAIN || error == ENOMEM ? "refused" : strerror(error));
    return count;
}

static long small_threads(void) {
    long count = 0;
    pthread_t thread;
    pthread_attr_t attributes;
    int error;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 16384);
    while (!(error = pthread_create(&thread, &attributes, rests, NULL))) count++;
    printf("small threads: %s\n", error == EAGAIN || error == ENOMEM ? "refused" : strerror(error));
    return count;
}

static long pipes(void) {
    long count = 0;
    int ends[2];
    char byte[65536] = {0};
    while (pipe2(ends, O_NONBLOCK) == 0) {
        count++;
        while (write(ends[1], byte, sizeof byte) > 0) ;
    }
    printf("pipes: %s\n", errno == EMFILE || errno == ENOMEM ? "refused" : strerror(errno));
    return count;
}

static long files(void) {
    static char block[65536];
    long count = 0;
    mkdir("/tmp", 01777);
    int fd = open("/tmp/all", O_CREAT | O_WRONLY, 0600);
    while (write(fd, block, sizeof block) > 0) count++;
    printf("files: %s\n", errno == ENOSPC || errno == ENOMEM ? "full" : strerror(errno));
    unlink("/tmp/all");
    close(fd);
    void *again = malloc(1 << 20);
    printf("files: memory is there again: %d\n", again && memset(again, 1, 1 << 20));
    return count;
}

static void take(long megabytes) {
    while (megabytes--) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED) _exit(9);
        memset(p, 1, 1 << 20);
    }
}
/* The one that has most ends, not the one that asks last. */
static long memory(void) {
    int status;
    pid_t large = fork();
    if (!large) {
        take(40);
        for (;;) pause();
    }
    pid_t small = fork();
    if (!small) {
        sleep(1);
        take(24);
        _exit(7);
    }
    waitpid(small, &status, 0);
    printf("memory: the small one exits with %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    waitpid(large, &status, 0);
    printf("memory: the large one was killed by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    return 0;
}

int main(int count, char **arguments) {
    static const struct { const char *name; long (*run)(void); } kinds[] = {
        {"forks", forks}, {"storm", storm}, {"threads", threads}, {"small-threads", small_threads}, {"pipes", pipes}, {"files", files}, {"memory", memory}};
    for (unsigned i = 0; count > 1 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(arguments[1], kinds[i].name)) continue;
        long number = kinds[i].run();
        fprintf(stderr, "%s: %ld\n", kinds[i].name, number);
        fflush(stdout);
        _exit(0);
    }
    return 2;
}
