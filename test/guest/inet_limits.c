// variants: musl
/* Options of AF_INET sockets that bound what a connection waits for, keeps, or lets in. Only order is looked at, and times that no machine comes near. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { NO_CHECK = 11, MARK = 36, RXQ_OVFL = 40, COOKIE = 57, MEMINFO = 55, BIND_NO_PORT = 24, NOTSENT_LOWAT = 25, OUTQ_NOT_SENT = 0x894b, CORK = 1, FASTOPEN = 0x20000000, PATIENCE = 60000 };
#define SHOW(expression) do { errno = 0; long value_ = (long)(expression); printf("%s = %ld %s\n", #expression, value_, value_ < 0 ? strerror(errno) : ""); } while (0)
static char buffer[1 << 16];
static struct sockaddr_in loopback(int port) {
    return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}
static int port_of(int fd) {
    struct sockaddr_in a;
    socklen_t size = sizeof a;
    return getsockname(fd, (void *)&a, &size) ? -1 : ntohs(a.sin_port);
}
static int get(int fd, int level, int name) {
    int value = -77;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) ? -errno : value;
}
static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value) ? -errno : 0; }
static int ready(int fd, int events, int wait) {
    struct pollfd p = {fd, events, 0};
    return poll(&p, 1, wait) < 0 ? -errno : p.revents;
}
static int listener(int backlog) {
    struct sockaddr_in a = loopback(0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, (void *)&a, sizeof a) || listen(fd, backlog)) printf("no listener: %s\n", strerror(errno));
    return fd;
}
static int join(int fd, int port) {
    struct sockaddr_in a = loopback(port);
    return connect(fd, (void *)&a, sizeof a);
}
static void pair(int *a, int *b) {
    int l = listener(1);
    *a = socket(AF_INET, SOCK_STREAM, 0);
    if (join(*a, port_of(l))) printf("no client: %s\n", strerror(errno));
    *b = accept(l, NULL, NULL);
    close(l);
}
static void fill(int fd) {
    int flags = fcntl(fd, F_GETFL);
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    do while (write(fd, buffer, 4096) > 0) {} while (ready(fd, POLLOUT, 500));
    fcntl(fd, F_SETFL, flags);
}

static void test_kept(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0);
    static const int names[] = {SO_PRIORITY, SO_RCVLOWAT, NO_CHECK, RXQ_OVFL};
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        printf("option %d: %d", names[i], get(udp, SOL_SOCKET, names[i]));
        printf(" %d", set(udp, SOL_SOCKET, names[i], 1));
        printf(" %d\n", get(udp, SOL_SOCKET, names[i]));
    }
    if (!geteuid()) SHOW(set(fd, SOL_SOCKET, MARK, 9) || get(fd, SOL_SOCKET, MARK) != 9);
    SHOW(set(fd, SOL_SOCKET, SO_RCVLOWAT, 0));
    SHOW(get(fd, SOL_SOCKET, SO_RCVLOWAT));
    SHOW(set(fd, SOL_SOCKET, SO_RCVLOWAT, -1));
    SHOW(get(fd, SOL_SOCKET, SO_RCVLOWAT) > 1 << 20);
    static const int seconds[] = {-1, 0, 1, 2, 3, 4, 10, 100, 130};
    for (unsigned i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        printf("TCP_DEFER_ACCEPT of %d s: %d", seconds[i], set(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds[i]));
        printf(" %d\n", get(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT));
    }
    SHOW(set(fd, IPPROTO_TCP, NOTSENT_LOWAT, 4096));
    SHOW(get(fd, IPPROTO_TCP, NOTSENT_LOWAT));
    SHOW(set(fd, IPPROTO_IP, IP_TOS, 0x13));
    SHOW(get(fd, IPPROTO_IP, IP_TOS));
    uint64_t one = 0, two = 0;
    socklen_t size = sizeof one;
    SHOW(getsockopt(fd, SOL_SOCKET, COOKIE, &one, &size));
    SHOW(getsockopt(udp, SOL_SOCKET, COOKIE, &two, &size));
    SHOW(size == 8 && one && two && one != two);
    uint32_t memory[9];
    size = sizeof memory;
    SHOW(getsockopt(udp, SOL_SOCKET, MEMINFO, memory, &size));
    SHOW(size == 36 && !memory[0] && (int)memory[1] == get(udp, SOL_SOCKET, SO_RCVBUF) && (int)memory[3] == get(udp, SOL_SOCKET, SO_SNDBUF));
    close(fd);
    close(udp);
}

static void test_late_port(void) {
    struct sockaddr_in a = loopback(0);
    int l = listener(1), fd = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(set(fd, IPPROTO_IP, BIND_NO_PORT, 1));
    SHOW(get(fd, IPPROTO_IP, BIND_NO_PORT));
    SHOW(bind(fd, (void *)&a, sizeof a));
    SHOW(port_of(fd));
    SHOW(join(fd, port_of(l)));
    SHOW(port_of(fd) > 0);
    close(fd);
    close(l);
}

static void test_fast_open(void) {
    int l = listener(1), fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = loopback(port_of(l));
    errno = 0;
    long sent = sendto(fd, "x", 1, FASTOPEN | MSG_NOSIGNAL, (void *)&a, sizeof a);
    printf("TCP Fast Open: %s\n", sent == 1 || errno == EOPNOTSUPP ? "had or refused" : strerror(errno));
    close(fd);
    close(l);
}

/* A listener whose queue is full answers no further request: how long is asked? */
static void test_requests(int name, int value) {
    struct timespec from, to;
    int l = listener(0), clients[8], error = 0;
    for (int i = 0; i < 3; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        join(clients[i], port_of(l));
        if (!i) ready(clients[i], POLLOUT, PATIENCE);
        else ready(clients[i], POLLOUT, 200);
    }
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(set(fd, IPPROTO_TCP, name, value));
    clock_gettime(CLOCK_MONOTONIC, &from);
    if (join(fd, port_of(l))) error = errno;
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("%s, %s\n", strerror(error), to.tv_sec - from.tv_sec < 15 ? "soon" : "late");
    close(fd);
    for (int i = 0; i < 3; i++) close(clients[i]);
    close(l);
}

/* A peer that reads nothing: what was written is given up. */
static void test_user_timeout(void) {
    int a, b;
    pair(&a, &b);
    SHOW(set(a, IPPROTO_TCP, TCP_USER_TIMEOUT, 1500));
    fill(a);
    SHOW(ready(a, 0, PATIENCE) & POLLERR);
    SHOW(get(a, SOL_SOCKET, SO_ERROR) == ETIMEDOUT);
    close(a);
    close(b);
}

static void test_deferred(void) {
    int l = listener(4), fd = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(set(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 1));
    SHOW(join(fd, port_of(l)));
    SHOW(ready(l, POLLIN, PATIENCE)); /* it says nothing, and is given in the end */
    int b = accept(l, NULL, NULL);
    SHOW(b >= 0);
    SHOW(write(fd, "late", 4));
    SHOW(read(b, buffer, 9));
    close(b);
    close(fd);
    close(l);
}

static void test_low(void) {
    int a, b;
    pair(&a, &b);
    memset(buffer, 'x', sizeof buffer);
    SHOW(set(b, SOL_SOCKET, SO_RCVLOWAT, 100));
    SHOW(write(a, buffer, 50));
    SHOW(ready(b, POLLIN, 100));
    SHOW(recv(b, buffer, 10, 0));
    SHOW(recv(b, buffer, 200, MSG_DONTWAIT));
    SHOW(write(a, buffer, 60));
    SHOW(ready(b, POLLIN, 100));
    SHOW(write(a, buffer, 60));
    SHOW(ready(b, POLLIN, PATIENCE));
    SHOW(recv(b, buffer, 200, 0));
    SHOW(write(a, buffer, 7));
    SHOW(shutdown(a, SHUT_WR));
    SHOW(ready(b, POLLIN, PATIENCE));
    SHOW(recv(b, buffer, 200, 0));
    close(a);
    close(b);
}

static void test_ahead(void) {
    int a, b, unsent = -1;
    pair(&a, &b);
    SHOW(set(a, IPPROTO_TCP, NOTSENT_LOWAT, 8192));
    fill(a);
    SHOW(ioctl(a, OUTQ_NOT_SENT, &unsent));
    printf("%s\n", unsent < 0 ? "unknown" : unsent <= 1 << 17 ? "little lies unsent" : "much lies unsent");
    fcntl(b, F_SETFL, O_NONBLOCK);
    for (int waited = 0; !ready(a, POLLOUT, 0) && waited < PATIENCE; waited += 10) {
        while (read(b, buffer, sizeof buffer) > 0) {}
        usleep(10000);
    }
    SHOW(ready(a, POLLOUT, 0));
    close(a);
    close(b);
}

/* Datagrams of more than one piece. */
static void test_pieces(void) {
    struct sockaddr_in a = loopback(0), other;
    int to = socket(AF_INET, SOCK_DGRAM, 0), third = socket(AF_INET, SOCK_DGRAM, 0), fd = socket(AF_INET, SOCK_DGRAM, 0);
    bind(to, (void *)&a, sizeof a);
    bind(third, (void *)&a, sizeof a);
    a = loopback(port_of(to));
    other = loopback(port_of(third));
    SHOW(sendto(fd, "ab", 2, MSG_MORE, (void *)&a, sizeof a));
    SHOW(ready(to, POLLIN, 100));
    SHOW(sendto(fd, "cd", 2, MSG_MORE, (void *)&other, sizeof other)); /* where it goes was said */
    SHOW(sendto(fd, "", 0, 0, (void *)&a, sizeof a));
    SHOW(ready(to, POLLIN, PATIENCE));
    memset(buffer, 0, 8);
    SHOW(recv(to, buffer, 8, MSG_DONTWAIT));
    printf("%s\n", buffer);
    SHOW(ready(third, POLLIN, 100));
    SHOW(set(fd, IPPROTO_UDP, CORK, 1));
    SHOW(get(fd, IPPROTO_UDP, CORK));
    SHOW(sendto(fd, "12", 2, 0, (void *)&a, sizeof a));
    SHOW(sendto(fd, "345", 3, 0, (void *)&a, sizeof a));
    SHOW(ready(to, POLLIN, 100));
    SHOW(set(fd, IPPROTO_UDP, CORK, 0));
    SHOW(ready(to, POLLIN, PATIENCE));
    memset(buffer, 0, 8);
    SHOW(recv(to, buffer, 8, MSG_DONTWAIT));
    printf("%s\n", buffer);
    SHOW(sendto(fd, buffer, 40000, MSG_MORE, (void *)&a, sizeof a));
    SHOW(sendto(fd, buffer, 40000, 0, (void *)&a, sizeof a)); /* too much: all of it goes */
    SHOW(sendto(fd, "x", 1, 0, (void *)&a, sizeof a));
    SHOW(ready(to, POLLIN, PATIENCE));
    SHOW(recv(to, buffer, sizeof buffer, MSG_DONTWAIT));
    SHOW(sendto(fd, "lost", 4, MSG_MORE, (void *)&a, sizeof a));
    close(fd);
    SHOW(ready(to, POLLIN, 100));
    close(to);
    close(third);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    test_kept();
    test_late_port();
    test_fast_open();
    test_requests(TCP_SYNCNT, 1);
    test_requests(TCP_USER_TIMEOUT, 1500);
    test_user_timeout();
    test_deferred();
    test_low();
    test_ahead();
    test_pieces();
    return 0;
}
