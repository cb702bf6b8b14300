// variants: musl
/* The urgent byte of TCP (MSG_OOB, SO_OOBINLINE, SIOCATMARK, SIGURG, POLLPRI), over both families' loopback. Each step waits for what it needs. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SIOCATMARK
#define SIOCATMARK 0x8905
#endif
enum { PATIENCE = 60000 };
#define SHOW(expression) do { errno = 0; long value_ = (long)(expression); printf("%s = %ld %s\n", #expression, value_, value_ < 0 ? strerror(errno) : ""); } while (0)
static char buffer[1 << 16];
static volatile int told;
static void on_urgent(int number) { (void)number; told++; }
static int ready(int fd, int wait) {
    struct pollfd p = {fd, POLLIN | POLLPRI, 0};
    return poll(&p, 1, wait) < 0 ? -errno : p.revents;
}
/* Until that much has come, by what FIONREAD and POLLPRI tell. */
static void wait_for(int fd, int bytes, int events) {
    for (int waited = 0, have = 0; waited < PATIENCE; waited += 10) {
        if (!ioctl(fd, FIONREAD, &have) && have >= bytes && (ready(fd, 0) & events) == events) return;
        usleep(10000);
    }
    printf("it did not come\n");
}
static int at_mark(int fd) {
    int mark = -1;
    return ioctl(fd, SIOCATMARK, &mark) ? -errno : mark;
}
static int unread(int fd) {
    int bytes = -1;
    return ioctl(fd, FIONREAD, &bytes) ? -errno : bytes;
}
static void get(int fd, size_t size, int flags) {
    struct iovec vector = {buffer, size};
    struct msghdr header = {.msg_iov = &vector, .msg_iovlen = 1};
    memset(buffer, 0, 64);
    errno = 0;
    long result = recvmsg(fd, &header, flags | MSG_DONTWAIT);
    if (result < 0) printf("read of %zu with %#x: %s\n", size, (unsigned)flags, strerror(errno));
    else printf("read of %zu with %#x: %ld %s%s\n", size, (unsigned)flags, result, buffer, header.msg_flags & MSG_OOB ? ", urgent" : "");
}
static void pair(int family, int *a, int *b) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr *address = family == AF_INET ? (void *)&four : (void *)&six;
    socklen_t size = family == AF_INET ? sizeof four : sizeof six;
    int l = socket(family, SOCK_STREAM, 0);
    if (bind(l, address, size) || listen(l, 1) || getsockname(l, address, &size)) printf("no listener: %s\n", strerror(errno));
    *a = socket(family, SOCK_STREAM, 0);
    if (connect(*a, address, size)) printf("no client: %s\n", strerror(errno));
    *b = accept(l, NULL, NULL);
    close(l);
}

static void left_out(int a, int b) {
    SHOW(ready(b, 0));
    SHOW(at_mark(b));
    get(b, 9, MSG_OOB);
    SHOW(send(a, "abc", 3, 0));
    SHOW(send(a, "X", 1, MSG_OOB));
    SHOW(send(a, "def", 3, 0));
    wait_for(b, 3, POLLIN | POLLPRI);
    SHOW(told);
    SHOW(unread(b));
    SHOW(at_mark(b));
    get(b, 9, MSG_OOB | MSG_PEEK);
    get(b, 9, MSG_OOB);
    get(b, 9, MSG_OOB);
    SHOW(ready(b, 0));
    get(b, 9, MSG_PEEK);
    get(b, 2, 0);
    get(b, 9, 0);
    SHOW(at_mark(b));
    wait_for(b, 0, POLLIN);
    get(b, 9, MSG_PEEK);
    get(b, 9, 0);
    SHOW(at_mark(b));
    get(b, 9, MSG_OOB);
    SHOW(ready(b, 0));
    /* Alone: nothing to read, and a read of the next data does not see it */
    SHOW(send(a, "Y", 1, MSG_OOB));
    wait_for(b, 0, POLLPRI);
    SHOW(told);
    SHOW(ready(b, 0));
    SHOW(at_mark(b));
    SHOW(unread(b));
    get(b, 9, MSG_PEEK);
    get(b, 9, 0);
    SHOW(send(a, "ghi", 3, 0));
    wait_for(b, 0, POLLIN);
    get(b, 9, 0);
    get(b, 9, 0);
}

/* The last of two holds; the earlier one is data. */
static void two(int a, int b) {
    SHOW(send(a, "12", 2, MSG_OOB));
    wait_for(b, 1, POLLIN | POLLPRI);
    SHOW(send(a, "34", 2, MSG_OOB));
    wait_for(b, 3, POLLIN | POLLPRI);
    SHOW(told);
    get(b, 9, MSG_OOB);
    get(b, 9, 0);
    get(b, 9, 0);
}

static void in_line(int a, int b) {
    int one = 1;
    SHOW(setsockopt(b, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one));
    SHOW(send(a, "567", 3, MSG_OOB));
    SHOW(send(a, "89", 2, 0));
    wait_for(b, 5, POLLIN | POLLPRI);
    SHOW(told);
    get(b, 9, MSG_OOB);
    SHOW(unread(b));
    get(b, 9, 0);
    SHOW(at_mark(b));
    SHOW(ready(b, 0));
    get(b, 9, 0);
    SHOW(at_mark(b));
    SHOW(ready(b, 0));
}

/* Behind much that is under way. */
static void behind(int a, int b) {
    size_t sent = 0, got = 0;
    while (sent < 30000) {
        memset(buffer, 'z', 1000);
        long size = send(a, buffer, 1000, 0);
        if (size > 0) sent += (size_t)size;
    }
    SHOW(send(a, "!", 1, MSG_OOB));
    shutdown(a, SHUT_WR);
    for (long size; (size = recv(b, buffer, sizeof buffer, 0)) > 0; got += (size_t)size)
        if (at_mark(b)) printf("the mark after %zu: ", got + (size_t)size);
    printf("%zu bytes\n", got);
}

int main(void) {
    static const int families[] = {AF_INET, AF_INET6};
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGURG, on_urgent);
    for (int i = 0; i < 2; i++) {
        int a, b;
        pair(families[i], &a, &b);
        SHOW(fcntl(b, F_SETOWN, getpid()));
        told = 0;
        left_out(a, b);
        two(a, b);
        in_line(a, b);
        behind(a, b);
        close(a);
        close(b);
    }
    return 0;
}
