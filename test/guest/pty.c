/* Pseudoterminals: both sides, modes, keys that signal, window size, packet mode, hang-ups. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

static int master, slave;
static bool gathers; /* echoes: Linux may hand one over in pieces, as its worker comes to them */

static void show(const char *what, int fd) {
    char text[256];
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    poll(&wait, 1, 300);
    ssize_t got = wait.revents ? read(fd, text, sizeof text) : -2, more;
    while (gathers && fd == master && got > 0 && poll(&wait, 1, 50) > 0 && (more = read(fd, text + got, sizeof text - (size_t)got)) > 0) got += more;
    printf("%s: ", what);
    if (got == -2) printf("nothing");
    if (got == -1) printf("%s", strerror(errno));
    for (ssize_t i = 0; i < got; i++) {
        if (text[i] >= ' ' && text[i] < 127) putchar(text[i]);
        else printf("\\x%02x", (unsigned char)text[i]);
    }
    if (got >= 0) printf(" (%zd)", got);
    printf("\n");
}

static void type(const char *keys) {
    if (write(master, keys, strlen(keys)) < 0) printf("write: %s\n", strerror(errno));
}

static void mode(int on, int canonical, int signals, int least, int tenths) {
    struct termios t;
    tcgetattr(slave, &t);
    t.c_lflag = (on ? ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE : 0) | (canonical ? ICANON | IEXTEN : 0) | (signals ? ISIG : 0);
    t.c_cc[VMIN] = (cc_t)least;
    t.c_cc[VTIME] = (cc_t)tenths;
    tcsetattr(slave, TCSANOW, &t);
}

static void lines(void) {
    type("hello\n");
    show("echo", master);
    show("line", slave);
    type("abc\x7f\x7f" "d\n");
    show("echo of erasing", master);
    show("line", slave);
    type("one two\x17three\x15" "four\n");
    show("echo of words", master);
    show("line", slave);
    type("x\xc3\xa4\x7fy\n");
    show("echo of a character of two bytes", master);
    show("line", slave);
    type("first\nsecond\n");
    show("echo", master);
    show("one line", slave);
    show("another", slave);
    type("part\x04");
    show("echo", master);
    show("what was there", slave);
    type("\x04");
    show("end of file", slave);
    type("\x16\x03\n");
    show("echo of a literal key", master);
    show("literal", slave);
    type("cr\r");
    show("echo", master);
    show("return is a new line", slave);
    write(slave, "a\nb\r\n", 5);
    show("output", master);
    mode(0, 0, 1, 1, 0);
    type("r");
    show("raw", slave);
    show("no echo", master);
    mode(0, 0, 1, 3, 0);
    type("ab");
    type("c");
    show("three", slave);
    mode(0, 0, 1, 0, 1);
    char none[4];
    printf("VTIME ends: %zd\n", read(slave, none, 4));
    mode(1, 1, 1, 1, 0);
    int number = -1;
    type("12345\n");
    show("echo", master);
    ioctl(slave, FIONREAD, &number);
    printf("readable %d\n", number);
    tcflush(slave, TCIFLUSH);
    show("flushed", slave);
}

static volatile sig_atomic_t caught;
static void note(int number) { caught = number; }

/* A child whose controlling terminal it is. */
static void session(void) {
    int gate[2], status;
    char byte;
    if (pipe(gate)) return;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        char path[64];
        snprintf(path, sizeof path, "%s", ptsname(master));
        close(slave);
        close(master);
        setsid();
        int before = open("/dev/tty", O_RDWR);
        printf("no terminal: %s\n", before < 0 ? strerror(errno) : "opened");
        slave = open(path, O_RDWR);
        int own = open("/dev/tty", O_RDWR);
        struct stat a, b;
        fstat(slave, &a);
        fstat(own, &b);
        printf("terminal: %d, group %d, session %d, %d\n", isatty(own), tcgetpgrp(own) == getpid(), tcgetsid(slave) == getpid(), S_ISCHR(b.st_mode) && major(a.st_rdev) == 136);
        int fields[2] = { 0, 0 };
        char text[512], *at;
        FILE *stat = fopen("/proc/self/stat", "r");
        if (stat && fgets(text, sizeof text, stat) && (at = strrchr(text, ')'))) sscanf(at + 4, "%*d %*d %*d %d %d", &fields[0], &fields[1]);
        printf("stat: %d %d\n", fields[0] == (int)a.st_rdev, fields[1] == getpid());
        fclose(stat);
        fflush(stdout);
        struct sigaction act = { .sa_handler = note };
        int wanted[] = { SIGINT, SIGQUIT, SIGTSTP, SIGWINCH, SIGHUP };
        for (int i = 0; i < 5; i++) sigaction(wanted[i], &act, NULL);
        sigset_t all, old;
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, &old);
        write(gate[1], "r", 1);
        for (int i = 0; i < 5; i++) {
            caught = 0;
            while (!caught) sigsuspend(&old);
            printf("signal %d\n", (int)caught);
            fflush(stdout);
            if (i < 4) write(gate[1], "n", 1);
        }
        char end[4];
        ssize_t got = read(slave, end, 4);
        printf("after the hang-up: read %zd", got);
        got = write(slave, "x", 1);
        printf(", write %s\n", got < 0 ? strerror(errno) : "?");
        struct pollfd wait = { .fd = slave, .events = POLLIN | POLLOUT };
        poll(&wait, 1, 0);
        printf("poll %x\n", (unsigned)wait.revents & (POLLIN | POLLOUT | POLLHUP | POLLERR));
        int tty = open("/dev/tty", O_RDWR);
        printf("terminal is gone: %s\n", tty < 0 ? strerror(errno) : "opened");
        fflush(stdout);
        _exit(0);
    }
    close(slave);
    const char *keys[] = { "\x03", "\x1c", "\x1a" };
    read(gate[0], &byte, 1);
    for (int i = 0; i < 3; i++) {
        type(keys[i]);
        show("echo of a key", master);
        read(gate[0], &byte, 1);
    }
    struct winsize size = { .ws_row = 40, .ws_col = 100 }, seen = { 0 };
    ioctl(master, TIOCSWINSZ, &size);
    read(gate[0], &byte, 1);
    ioctl(master, TIOCGWINSZ, &seen);
    printf("size %d %d\n", seen.ws_row, seen.ws_col);
    fflush(stdout);
    close(master);
    waitpid(child, &status, 0);
    printf("child %d\n", status);
}

int main(void) {
    struct stat st;
    int number = -1, lock = -1;
    master = posix_openpt(O_RDWR | O_NOCTTY);
    printf("number %d\n", ioctl(master, TIOCGPTN, &number) == 0 && number >= 0);
    char path[64];
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    printf("name %d\n", ptsname(master) && !strcmp(ptsname(master), path));
    slave = open(path, O_RDWR | O_NOCTTY);
    printf("locked: %s\n", slave < 0 ? strerror(errno) : "opened");
    printf("grant %d unlock %d\n", grantpt(master), unlockpt(master));
    slave = open(path, O_RDWR | O_NOCTTY);
    printf("slave %d, terminal %d, named %d\n", slave >= 0, isatty(slave), ttyname(slave) && !strcmp(ttyname(slave), path));
    int found = stat(path, &st);
    printf("found %d, kind %d, number %d\n", found, S_ISCHR(st.st_mode), (int)minor(st.st_rdev) == number);
    ioctl(master, 0x80045439, &lock);
    printf("lock %d\n", lock);
    mode(1, 1, 1, 1, 0);
    struct termios t;
    tcgetattr(slave, &t);
    t.c_iflag |= IUTF8;
    tcsetattr(slave, TCSANOW, &t);
    gathers = true;
    lines();
    gathers = false;

    int on = 1;
    ioctl(master, TIOCPKT, &on);
    write(slave, "data", 4);
    show("packet", master);
    tcflush(slave, TCIOFLUSH);
    struct pollfd wait = { .fd = master, .events = POLLPRI };
    poll(&wait, 1, 0);
    printf("control waits: %d\n", (wait.revents & POLLPRI) != 0);
    show("control", master);
    on = 0;
    ioctl(master, TIOCPKT, &on);

    int peer = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    printf("peer %d\n", peer >= 0 && isatty(peer));
    write(peer, "p", 1);
    show("from the peer", master);
    close(peer);
    int again = dup(slave);
    close(slave);
    write(again, "last", 4);
    close(again);
    show("before the end", master);
    show("no slave", master);
    wait.events = POLLIN;
    poll(&wait, 1, 0);
    printf("hung up: %d\n", (wait.revents & POLLHUP) != 0);
    slave = open(path, O_RDWR | O_NOCTTY);
    write(slave, "new", 3);
    show("opened again", master);
    fcntl(master, F_SETFL, O_NONBLOCK);
    char byte;
    ssize_t got = read(master, &byte, 1);
    printf("nothing: %s\n", got < 0 ? strerror(errno) : "?");
    fcntl(master, F_SETFL, 0);
    session();
    printf("name is gone: %d\n", stat(path, &st) < 0 && errno == ENOENT);
    return 0;
}
