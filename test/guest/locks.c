/* Locks on files: whose they are, what they conflict with, when they go; who waits, and who would wait for ever. */
// variants: musl glibc
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, strerror(errno)); fflush(stdout); } while (0)

static char path[] = "/tmp/locks-XXXXXX";

static int lock(int fd, int command, int type, long start, long length) {
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    return fcntl(fd, command, &l);
}
/* What another process would find there. */
static void look(int fd, int type, long start, long length) {
    fflush(stdout);
    int pid = fork(), s, parent = getppid();
    if (pid) { waitpid(pid, &s, 0); return; }
    parent = getppid();
    struct flock l = {.l_type = (short)type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
    int r = fcntl(fd, F_GETLK, &l);
    printf("%d at %ld+%ld: %d type %d whence %d start %ld length %ld %s\n", type, start, length, r, l.l_type, l.l_whence, (long)l.l_start, (long)l.l_len,
           l.l_type == F_UNLCK ? "" : l.l_pid == parent ? "parent's" : l.l_pid == -1 ? "open file's" : "?");
    fflush(stdout);
    _exit(0);
}
static int status(int pid) {
    int s;
    waitpid(pid, &s, 0);
    return WIFEXITED(s) ? WEXITSTATUS(s) : -WTERMSIG(s);
}
#define CHILD(...) ({ fflush(stdout); int pid_ = fork(); if (!pid_) { __VA_ARGS__; _exit(0); } pid_; })
static void nothing(int number) { (void)number; }

static void records(int fd) {
    SHOW(lock(fd, F_SETLK, F_WRLCK, 100, 100));
    look(fd, F_RDLCK, 0, 0); look(fd, F_WRLCK, 0, 100); look(fd, F_RDLCK, 199, 1); look(fd, F_RDLCK, 200, 0);
    SHOW(lock(fd, F_SETLK, F_RDLCK, 140, 20)); look(fd, F_RDLCK, 140, 20); look(fd, F_WRLCK, 140, 20); look(fd, F_RDLCK, 150, 100);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 120, 10)); look(fd, F_RDLCK, 110, 0); look(fd, F_RDLCK, 120, 10);
    SHOW(lock(fd, F_SETLK, F_WRLCK, 200, 0)); look(fd, F_WRLCK, 1000000, 1);
    SHOW(status(CHILD(_exit(lock(fd, F_SETLK, F_RDLCK, 0, 50) ? errno : 0)))); /* taken, and gone with the child */
    SHOW(status(CHILD(_exit(lock(fd, F_SETLK, F_RDLCK, 100, 1) ? errno : 0))) == EAGAIN);
    SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 0)); /* nothing of the child's is in the way */
    look(fd, F_RDLCK, 5, 5);
    close(dup(fd)); /* any descriptor of the file takes all the process's locks along */
    look(fd, F_WRLCK, 0, 0);
    int again = open(path, O_RDONLY);
    FAILS(lock(again, F_SETLK, F_WRLCK, 0, 1)); SHOW(lock(again, F_SETLK, F_RDLCK, 0, 1)); look(fd, F_WRLCK, 0, 0);
    close(again); look(fd, F_WRLCK, 0, 0);
    FAILS(lock(fd, F_SETLK, 7, 0, 0)); FAILS(lock(fd, F_GETLK, F_UNLCK, 0, 0)); FAILS(lock(fd, F_SETLK, F_WRLCK, -5, 0));
    FAILS(lock(fd, F_SETLK, F_WRLCK, 10, -20)); SHOW(lock(fd, F_SETLK, F_WRLCK, 10, -5)); look(fd, F_WRLCK, 0, 0);
    FAILS(lock(99, F_SETLK, F_WRLCK, 0, 0));
    struct flock end = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -10, .l_len = 4};
    SHOW(ftruncate(fd, 1000)); SHOW(fcntl(fd, F_SETLK, &end)); look(fd, F_WRLCK, 100, 0);
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0)); look(fd, F_WRLCK, 0, 0);
    FAILS(fcntl(fd, F_SETLK, NULL));
}

static void waiting(int fd) {
    int pipes[2];
    char c;
    pipe(pipes);
    int pid = CHILD(lock(fd, F_SETLKW, F_WRLCK, 0, 10); write(pipes[1], "x", 1); usleep(100000); lock(fd, F_SETLK, F_UNLCK, 0, 10); usleep(50000));
    read(pipes[0], &c, 1);
    FAILS(lock(fd, F_SETLK, F_RDLCK, 5, 1)); SHOW(lock(fd, F_SETLKW, F_RDLCK, 5, 1)); SHOW(status(pid)); SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0));
    /* Released by death */
    pid = CHILD(lock(fd, F_SETLKW, F_WRLCK, 0, 10); write(pipes[1], "x", 1); pause());
    read(pipes[0], &c, 1); kill(pid, SIGKILL); SHOW(lock(fd, F_SETLKW, F_WRLCK, 0, 10)); SHOW(status(pid));
    /* Interrupted */
    pid = CHILD(struct sigaction a = {.sa_handler = nothing}; sigaction(SIGALRM, &a, NULL); alarm(1);
                _exit(lock(fd, F_SETLKW, F_WRLCK, 0, 10) ? errno : 0));
    SHOW(status(pid) == EINTR);
    /* Each has what the other wants */
    SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0)); SHOW(lock(fd, F_SETLK, F_WRLCK, 0, 1));
    pid = CHILD(lock(fd, F_SETLK, F_WRLCK, 1, 1); write(pipes[1], "x", 1); _exit(lock(fd, F_SETLKW, F_WRLCK, 0, 1) ? errno : 0));
    read(pipes[0], &c, 1); usleep(100000);
    FAILS(lock(fd, F_SETLKW, F_WRLCK, 1, 1)); SHOW(lock(fd, F_SETLK, F_UNLCK, 0, 0)); SHOW(status(pid));
    /* lockf */
    lseek(fd, 50, SEEK_SET);
    SHOW(lockf(fd, F_TLOCK, 10)); look(fd, F_WRLCK, 0, 0); SHOW(lockf(fd, F_TEST, 10)); SHOW(lockf(fd, F_ULOCK, 0));
}

static void open_files(int fd) {
    int other = open(path, O_RDWR), copy = dup(fd);
    SHOW(lock(fd, F_OFD_SETLK, F_WRLCK, 0, 10)); FAILS(lock(other, F_OFD_SETLK, F_RDLCK, 5, 10)); FAILS(lock(other, F_SETLK, F_RDLCK, 5, 10));
    SHOW(lock(copy, F_OFD_SETLK, F_WRLCK, 8, 10)); look(other, F_RDLCK, 0, 0); close(copy); look(other, F_RDLCK, 0, 0);
    struct flock l = {.l_type = F_WRLCK, .l_pid = 1};
    FAILS(fcntl(fd, F_OFD_SETLK, &l));
    SHOW(status(CHILD(lock(fd, F_OFD_SETLK, F_UNLCK, 0, 0)))); look(other, F_RDLCK, 0, 0); /* the child has the same open file */
    SHOW(lock(other, F_OFD_SETLK, F_RDLCK, 0, 0)); close(other); look(fd, F_WRLCK, 0, 0);
}

static void whole(int fd) {
    int other = open(path, O_RDONLY), copy = dup(fd);
    SHOW(flock(fd, LOCK_EX)); FAILS(flock(other, LOCK_SH | LOCK_NB)); SHOW(flock(copy, LOCK_EX | LOCK_NB)); SHOW(flock(copy, LOCK_SH));
    SHOW(flock(other, LOCK_SH | LOCK_NB)); FAILS(flock(fd, LOCK_EX | LOCK_NB)); SHOW(flock(other, LOCK_EX | LOCK_NB)); /* the failed one let go */
    look(fd, F_WRLCK, 0, 0); FAILS(flock(fd, 3)); FAILS(flock(99, LOCK_EX));
    SHOW(status(CHILD(_exit(flock(other, LOCK_UN) ? errno : 0)))); SHOW(flock(fd, LOCK_EX | LOCK_NB));
    int pid = CHILD(_exit(flock(open(path, O_RDONLY), LOCK_SH) ? errno : 7));
    usleep(50000); SHOW(flock(copy, LOCK_UN)); SHOW(status(pid));
    SHOW(flock(fd, LOCK_EX)); close(fd); FAILS(flock(other, LOCK_EX | LOCK_NB)); close(copy); SHOW(flock(other, LOCK_EX | LOCK_NB));
}

int main(void) {
    int fd = mkstemp(path);
    records(fd);
    waiting(fd);
    open_files(fd);
    whole(fd);
    unlink(path);
    int memory = memfd_create("locks", 0);
    SHOW(lock(memory, F_SETLK, F_WRLCK, 0, 0)); look(memory, F_WRLCK, 0, 0);
    for (int i = 0; i < 3; i++) SHOW(close(memory)), memory = memfd_create("more", 0); /* what they share outlives each */
    return 0;
}
