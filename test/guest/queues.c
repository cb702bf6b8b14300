/* POSIX message queues: order, limits, who waits, who is told, what an exec and a fork do to descriptors. */
// variants: musl glibc
// flags: -lrt
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); fflush(stdout); } while (0)
static char name[32], text[8200];
static volatile int told, told_value, told_code;
static void note(int number, siginfo_t *info, void *context) { (void)number, (void)context; told++, told_value = info->si_value.sival_int, told_code = info->si_code; }
static void receive(mqd_t q) {
    unsigned priority = 99;
    memset(text, 0, sizeof text);
    long n = mq_receive(q, text, sizeof text, &priority);
    printf("%ld: %u %s\n", n, priority, n < 0 ? strerror(errno) : text);
    fflush(stdout);
}

/* Its limits in /proc/sys: one number at least in each. */
static void show_limits(void) {
    static const char *const names[] = { "/proc/sys/fs/mqueue/msg_default", "/proc/sys/fs/mqueue/msg_max", "/proc/sys/fs/mqueue/msgsize_default", "/proc/sys/fs/mqueue/msgsize_max", "/proc/sys/fs/mqueue/queues_max" };
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        unsigned long value = 0;
        FILE *file = fopen(names[i], "r");
        printf("%s: %s\n", names[i], file && fscanf(file, "%lu", &value) == 1 && value ? "a number" : "none");
        if (file) fclose(file);
    }
}

int main(void) {
    struct mq_attr a = {.mq_maxmsg = 4, .mq_msgsize = 100}, b;
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
    int s;
    for (int i = 3; i < 64; i++) close(i); /* what a shell left open */
    snprintf(name, sizeof name, "/queue-%d", getpid());
    sigaction(SIGUSR1, &action, NULL);
    FAILS(mq_open(name, O_RDWR)); FAILS(mq_open("/", O_RDWR)); FAILS(mq_open("/a/b", O_RDWR | O_CREAT, 0600, NULL)); FAILS(mq_unlink(name));
    mqd_t q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, &a), other = mq_open(name, O_RDONLY | O_NONBLOCK);
    SHOW(q); SHOW(other); FAILS(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, NULL)); SHOW(fcntl(q, F_GETFD)); SHOW(mq_getattr(q, &b));
    SHOW(b.mq_maxmsg); SHOW(b.mq_msgsize); SHOW(b.mq_curmsgs); SHOW(b.mq_flags); SHOW(mq_getattr(other, &b)); SHOW(b.mq_flags == O_NONBLOCK);
    SHOW(mq_send(q, "low", 4, 1)); SHOW(mq_send(q, "high", 5, 9)); SHOW(mq_send(q, "low again", 10, 1)); SHOW(mq_send(q, "", 0, 5)); SHOW(mq_getattr(q, &b)); SHOW(b.mq_curmsgs);
    struct timespec past = {1, 0}, wrong = {0, 2000000000};
    FAILS(mq_timedsend(q, "x", 1, 1, &past)); FAILS(mq_timedsend(q, "x", 1, 1, &wrong)); FAILS(mq_send(q, text, 101, 1)); FAILS(mq_send(q, text, 1, 40000)); FAILS(mq_send(other, "x", 1, 1)); FAILS(mq_receive(q, text, 99, NULL));
    struct pollfd p[2] = {{q, POLLIN | POLLOUT, 0}, {other, POLLIN, 0}};
    SHOW(poll(p, 2, 0)); SHOW(p[0].revents); receive(q); SHOW(poll(p, 2, 0)); SHOW(p[0].revents); receive(other); receive(q); receive(q); receive(other); SHOW(poll(p, 2, 0)); SHOW(p[0].revents);
    FAILS(mq_timedreceive(q, text, 100, NULL, &past));
    /* Told once, unless somebody waits */
    SHOW(mq_notify(q, &event)); FAILS(mq_notify(other, &event)); SHOW(mq_send(q, "1", 2, 0)); SHOW(told); SHOW(told_value); SHOW(told_code == SI_MESGQ); SHOW(mq_send(q, "2", 2, 0)); SHOW(told);
    receive(q); receive(q); SHOW(mq_send(q, "3", 2, 0)); SHOW(told); SHOW(mq_notify(q, &event)); SHOW(mq_send(q, "4", 2, 0)); SHOW(told); receive(q); receive(q);
    SHOW(mq_send(q, "5", 2, 0)); SHOW(told); receive(q); SHOW(mq_notify(q, &event)); SHOW(mq_notify(q, NULL)); SHOW(mq_send(q, "6", 2, 0)); SHOW(told); receive(q);
    event.sigev_notify = 77; FAILS(mq_notify(q, &event)); event.sigev_notify = SIGEV_NONE; SHOW(mq_notify(q, &event)); FAILS(mq_notify(q, &event)); SHOW(mq_notify(q, NULL));
    fflush(stdout);
    if (!fork()) { usleep(50000); _exit(mq_send(q, "from the child", 15, 3) ? 1 : 0); } /* the parent alone prints: either may run first after the send */
    receive(q); wait(&s); SHOW(s);
    fflush(stdout);
    if (!fork()) { for (int i = 0; i < 20; i++) { char m[8]; snprintf(m, sizeof m, "m%d", i); mq_send(q, m, 8, 0); } _exit(0); }
    usleep(50000); for (int i = 0; i < 20; i++) { mq_receive(q, text, 100, NULL); printf("%s ", text); } puts(""); wait(&s);
    b.mq_flags = O_NONBLOCK; struct mq_attr old; SHOW(mq_setattr(q, &b, &old)); SHOW(old.mq_flags); receive(q); b.mq_flags = 1; FAILS(mq_setattr(q, &b, NULL));
    struct stat st; SHOW(fstat(q, &st)); SHOW(st.st_mode); SHOW(st.st_uid); mq_send(q, "abc", 3, 0); memset(text, 0, 200); SHOW(pread(q, text, 200, 0)); printf("%s", text);
    /* Names and permissions */
    SHOW(mq_unlink(name)); FAILS(mq_open(name, O_RDWR)); receive(q); SHOW(mq_close(q)); SHOW(mq_close(other)); FAILS(mq_send(q, "x", 1, 1));
    q = mq_open(name, O_RDWR | O_CREAT, 0644, NULL); SHOW(mq_getattr(q, &b)); SHOW(b.mq_maxmsg); SHOW(b.mq_msgsize);
    fflush(stdout);
    if (!fork()) {
        if (setgid(1000) || setuid(1000)) _exit(1);
        FAILS(mq_open(name, O_RDWR)); FAILS(mq_open(name, O_RDONLY)); FAILS(mq_unlink(name)); a.mq_maxmsg = 100; FAILS(mq_open("/mine", O_RDWR | O_CREAT, 0600, &a));
        a.mq_maxmsg = 5, a.mq_msgsize = 100000; FAILS(mq_open("/mine", O_RDWR | O_CREAT, 0600, &a)); a.mq_msgsize = 0; FAILS(mq_open("/mine", O_RDWR | O_CREAT, 0600, &a));
        struct rlimit none = {0, 0}; setrlimit(RLIMIT_MSGQUEUE, &none); FAILS(mq_open("/mine", O_RDWR | O_CREAT, 0600, NULL)); _exit(0);
    }
    wait(&s); SHOW(s); SHOW(mq_unlink(name));
    show_limits();
    return 0;
}
