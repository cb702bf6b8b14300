// variants: musl
/* Job control as a session's leader sees it at its terminal: what the background may not do, orphaned groups, losing the terminal. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) do { errno = 0; long shown = (long)(expression); printf("%s = %ld %s\n", #expression, shown, shown < 0 ? strerror(errno) : ""); } while (0)
static void sleep_ms(long n) {
    struct timespec t = {n / 1000, n % 1000 * 1000000};
    while (nanosleep(&t, &t) && errno == EINTR) {}
}
static int leader;
static volatile sig_atomic_t hung_up, continued, got;
static void note(int number) {
    if (number == SIGHUP) hung_up++;
    else if (number == SIGCONT) continued++;
    else got = number;
}
static char byte;
static void reads(void) { SHOW(read(0, &byte, 1)); }
static void reads_ignoring(void) { signal(SIGTTIN, SIG_IGN), reads(); }
static void reads_handling(void) {
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGTTIN, &action, NULL);
    reads();
    printf("handled %d\n", got == SIGTTIN);
}
static void takes(void) { SHOW(tcsetpgrp(0, getpgrp())); }
static void takes_ignoring(void) {
    signal(SIGTTOU, SIG_IGN), takes();
    SHOW(tcgetpgrp(0) == getpgrp());
    SHOW(tcsetpgrp(0, leader));
}
static void changes(void) {
    struct termios modes;
    SHOW(tcgetattr(0, &modes));
    SHOW(tcsetattr(0, TCSANOW, &modes));
}
static void flushes(void) { SHOW(tcflush(0, TCIFLUSH)); }
static void writes(void) { SHOW(write(1, "text\n", 5)); }
static void foreign(void) { SHOW(tcsetpgrp(0, 1 << 21)); }

/* In a group of its own, in the background; says how it stopped, lets it go on in the foreground, and how it ended. */
static void run(const char *what, void (*function)(void), int own_group) {
    int status;
    pid_t pid = fork();
    if (!pid) {
        if (own_group) setpgid(0, 0);
        function();
        _exit(0);
    }
    if (own_group) setpgid(pid, pid);
    waitpid(pid, &status, WUNTRACED);
    if (WIFSTOPPED(status)) {
        printf("%s: stopped by %d\n", what, WSTOPSIG(status));
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
    } else {
        printf("%s: status %d\n", what, status);
    }
}

static void background(const char *what, void (*function)(void)) { run(what, function, 1); }

static int ends[2], told[2]; /* told: the orphan speaks after its grandparent did */
/* The middle one ends while the last, in another group of its session, is stopped: that one gets SIGHUP and SIGCONT. */
static void orphan(void) {
    pid_t last = fork();
    if (!last) {
        setpgid(0, 0);
        signal(SIGHUP, note), signal(SIGCONT, note);
        raise(SIGSTOP);
        for (int i = 0; i < 500 && !(hung_up && continued); i++) sleep_ms(2);
        if (read(told[0], &byte, 1) != 1) printf("not told\n");
        printf("orphan: hung up %d continued %d, read %ld", hung_up, continued, (long)read(0, &byte, 1));
        printf(" %s\n", strerror(errno));
        kill(getpid(), SIGTSTP); /* means nothing to an orphan */
        printf("orphan goes on\n");
        if (write(ends[1], "x", 1)) _exit(0);
    }
    int status;
    waitpid(last, &status, WUNTRACED);
    _exit(0);
}

static void new_session(void) {
    SHOW(setsid() == getpid());
    SHOW(tcgetpgrp(0));
    SHOW(tcgetsid(0));
    SHOW(open("/dev/tty", O_RDWR));
    SHOW(ioctl(0, TIOCSCTTY, 0));
    SHOW(ioctl(0, TIOCNOTTY, 0));
    SHOW(read(0, &byte, 0));
}
static void lets_go(void) {
    SHOW(ioctl(0, TIOCNOTTY, 0));
    SHOW(tcgetpgrp(0));
    SHOW(open("/dev/tty", O_RDWR));
}
/* A new session takes the terminal away from the first; its leader ends, and its foreground group hears of it. */
static void steals(void) {
    setsid();
    SHOW(ioctl(0, TIOCSCTTY, 1));
    SHOW(tcgetsid(0) == getsid(0));
    SHOW(tcgetpgrp(0) == getpgrp());
    int ready[2];
    if (pipe(ready)) _exit(1);
    pid_t pid = fork();
    if (!pid) {
        setpgid(0, 0);
        signal(SIGTTOU, SIG_IGN), signal(SIGHUP, note), signal(SIGCONT, note);
        SHOW(tcsetpgrp(0, getpgrp()));
        if (write(ready[1], "x", 1) < 0) _exit(1);
        for (int i = 0; i < 500 && !(hung_up && continued); i++) sleep_ms(2);
        printf("leader ended: hung up %d continued %d\n", hung_up, continued);
        SHOW(tcgetpgrp(0));
        if (write(ends[1], "x", 1)) _exit(0);
    }
    if (read(ready[0], &byte, 1) < 0) _exit(1);
    _exit(0);
}
static void wait_end(void) {
    if (read(ends[0], &byte, 1) < 0) printf("no end\n");
}

int main(void) {
    setvbuf(stdout, NULL, _IONBF, 0);
    /* The first session gives the terminal up; a second one, whose orphans go to another session, takes it. */
    signal(SIGHUP, note), signal(SIGCONT, note);
    SHOW(ioctl(0, TIOCNOTTY, 0));
    printf("hung up %d continued %d\n", hung_up, continued);
    SHOW(tcgetpgrp(0));
    fflush(stdout);
    pid_t pid = fork();
    if (pid) {
        int status;
        waitpid(pid, &status, 0);
        return WEXITSTATUS(status);
    }
    hung_up = continued = 0;
    SHOW(ioctl(0, TIOCSCTTY, 0));
    SHOW(setsid() == getpid());
    SHOW(ioctl(0, TIOCSCTTY, 0));
    leader = getpgrp();
    SHOW(tcgetsid(0) == getsid(0));
    SHOW(tcgetpgrp(0) == leader);
    SHOW(close(open("/dev/tty", O_RDWR)));
    background("read", reads);
    background("read, SIGTTIN ignored", reads_ignoring);
    background("read, SIGTTIN handled", reads_handling);
    background("tcsetpgrp", takes);
    background("tcsetpgrp, SIGTTOU ignored", takes_ignoring);
    background("tcsetattr", changes);
    background("tcflush", flushes);
    background("write", writes);
    struct termios modes, stops;
    tcgetattr(0, &modes);
    stops = modes;
    stops.c_lflag |= TOSTOP;
    tcsetattr(0, TCSANOW, &stops);
    background("write, tostop", writes);
    tcsetattr(0, TCSANOW, &modes);
    foreign();
    SHOW(tcsetpgrp(0, -5));
    SHOW(ioctl(0, TIOCSCTTY, 0));
    kill(getpid(), SIGTSTP);
    printf("the first group is nobody's job\n");
    if (pipe(ends) || pipe(told)) return 1;
    background("orphan", orphan);
    if (write(told[1], "x", 1) != 1) return 1;
    wait_end();
    run("setsid", new_session, 0);
    background("TIOCNOTTY", lets_go);
    SHOW(tcgetpgrp(0) == leader);
    run("steal", steals, 0);
    wait_end();
    SHOW(tcgetpgrp(0));
    return 0;
}
