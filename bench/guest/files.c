/*
 * What files cost: one line "name nanoseconds" for each thing that is asked for; bench/files.ts runs the same static file in hull and in Linux. Owns: the loops.
 * Usage: files make DIRECTORY COUNT SIZE | opens NAME DIRECTORY COUNT | list NAME DIRECTORY COUNT | write NAME FILE MIB | read NAME FILE | start NAME PROGRAM ARGUMENT... |
 * run NAME PROGRAM ARGUMENT...
 * opens: one file opened, read, closed, of COUNT. list: all entries, of which there must be COUNT. write, read: a mebibyte; writing ends with fsync; read and start: the first time
 * (NAME-cold) and later ones. start: until a program's first byte; run: until its end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROUNDS = 5, BLOCK = 65536, MIB = 1 << 20 };
static char buffer[BLOCK];

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void tell(const char *name, const char *kind, int64_t ns)
{
    printf("%s%s %lld\n", name, kind, (long long)ns);
    fflush(stdout);
}

static int compare(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static int64_t median(int64_t *times, int count)
{
    qsort(times, count, sizeof *times, compare);
    return times[count / 2];
}

static void make(const char *directory, int count, int size)
{
    char path[300];
    mkdir(directory, 0755);
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/n%05d", directory, i);
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (fd < 0 || write(fd, buffer, size) != size) fail(path);
        close(fd);
    }
}

static void opens(const char *name, const char *directory, int count)
{
    char path[300];
    int64_t times[ROUNDS];
    for (int round = -1; round < ROUNDS; round++) { /* the first fills caches */
        int64_t start = now();
        for (int i = 0; i < count; i++) {
            snprintf(path, sizeof path, "%s/n%05d", directory, i);
            int fd = open(path, O_RDONLY);
            if (fd < 0 || read(fd, buffer, BLOCK) <= 0) fail(path);
            close(fd);
        }
        if (round >= 0) times[round] = (now() - start) / count;
    }
    tell(name, "", median(times, ROUNDS));
}

struct entry { uint64_t ino; int64_t offset; unsigned short length; unsigned char type; char name[]; };
static void list(const char *name, const char *directory, int wanted)
{
    int64_t times[ROUNDS];
    for (int round = -1; round < ROUNDS; round++) {
        int64_t start = now();
        int fd = open(directory, O_RDONLY | O_DIRECTORY), count = 0;
        long size;
        while ((size = syscall(SYS_getdents64, fd, buffer, 32768)) > 0)
            for (long at = 0; at < size; at += ((struct entry *)(buffer + at))->length) count++;
        close(fd);
        if (size < 0 || count != wanted + 2) {
            fprintf(stderr, "%s: %d entries\n", directory, count);
            exit(1);
        }
        if (round >= 0) times[round] = now() - start;
    }
    tell(name, "", median(times, ROUNDS));
}

static void write_file(const char *name, const char *path, int mib)
{
    int64_t times[3];
    memset(buffer, 'x', BLOCK);
    for (int round = 0; round < 3; round++) {
        unlink(path);
        int64_t start = now();
        int fd = open(path, O_WRONLY | O_CREAT, 0644);
        for (int i = 0; i < mib * (MIB / BLOCK); i++)
            if (write(fd, buffer, BLOCK) != BLOCK) fail(path);
        if (fsync(fd)) fail(path);
        close(fd);
        times[round] = (now() - start) / mib;
    }
    tell(name, "", median(times, 3));
}

static int64_t read_once(const char *path)
{
    int64_t start = now(), total = 0;
    int fd = open(path, O_RDONLY);
    long size;
    while ((size = read(fd, buffer, BLOCK)) > 0) total += size;
    close(fd);
    if (size < 0 || total < MIB) fail(path);
    return (now() - start) * MIB / total;
}

static void read_file(const char *name, const char *path)
{
    int64_t times[ROUNDS];
    tell(name, "-cold", read_once(path));
    for (int round = 0; round < ROUNDS; round++) times[round] = read_once(path);
    tell(name, "", median(times, ROUNDS));
}

static int64_t start_once(char **command, int whole)
{
    int ends[2], status;
    if (pipe(ends)) fail("pipe");
    int64_t start = now(), first = 0;
    pid_t pid = fork();
    if (!pid) {
        dup2(ends[1], 1);
        close(ends[0]), close(ends[1]);
        execv(command[0], command);
        _exit(127);
    }
    close(ends[1]);
    for (long size; (size = read(ends[0], buffer, BLOCK)) > 0;)
        if (!first) first = now() - start;
    close(ends[0]);
    waitpid(pid, &status, 0);
    if (status || (!whole && !first)) {
        fprintf(stderr, "%s: status %x\n", command[0], status);
        exit(1);
    }
    return whole ? now() - start : first;
}

int main(int argc, char **argv)
{
    if (argc < 4) return 2;
    const char *what = argv[1], *name = argv[2], *path = argv[3];
    int number = argc > 4 ? atoi(argv[4]) : 0;
    if (!strcmp(what, "make")) make(name, atoi(path), number);
    else if (!strcmp(what, "opens")) opens(name, path, number);
    else if (!strcmp(what, "list")) list(name, path, number);
    else if (!strcmp(what, "write")) write_file(name, path, number);
    else if (!strcmp(what, "read")) read_file(name, path);
    else if (!strcmp(what, "run")) tell(name, "", start_once(argv + 3, 1));
    else if (!strcmp(what, "start")) {
        int64_t times[3];
        tell(name, "-cold", start_once(argv + 3, 0));
        for (int round = 0; round < 3; round++) times[round] = start_once(argv + 3, 0);
        tell(name, "", median(times, 3));
    } else return 2;
    return 0;
}
