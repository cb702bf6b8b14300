// variants: glibc pie musl linked
/* AF_INET and AF_INET6 over loopback, in one thread: every call and option that is told apart by its result. Ports are chosen by the system and not printed. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifndef SIOCOUTQ
#define SIOCOUTQ TIOCOUTQ
#endif
#define SHOW(expression) do { errno = 0; long value_ = (long)(expression); printf("%s = %ld %s\n", #expression, value_, value_ < 0 ? strerror(errno) : ""); } while (0)
static char buffer[300000];
static int pipes, alarms;
static void on_pipe(int n) { (void)n; pipes++; }
static void on_alarm(int n) { (void)n; alarms++; }
static int family = AF_INET;
static socklen_t loopback(struct sockaddr_storage *a, int port) {
    memset(a, 0, sizeof *a);
    if (family == AF_INET) {
        *(struct sockaddr_in *)a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        return sizeof(struct sockaddr_in);
    }
    *(struct sockaddr_in6 *)a = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    return sizeof(struct sockaddr_in6);
}
static int port_of(int fd) {
    struct sockaddr_storage a;
    socklen_t size = sizeof a;
    if (getsockname(fd, (void *)&a, &size)) return -1;
    return ntohs(((struct sockaddr_in *)&a)->sin_port);
}
static void show_name(const char *what, int fd, int (*get)(int, struct sockaddr *, socklen_t *)) {
    struct sockaddr_storage a = {0};
    socklen_t size = sizeof a;
    char text[64] = "";
    errno = 0;
    int result = get(fd, (void *)&a, &size);
    if (result) {
        printf("%s: %s\n", what, strerror(errno));
        return;
    }
    if (a.ss_family == AF_INET) inet_ntop(AF_INET, &((struct sockaddr_in *)&a)->sin_addr, text, sizeof text);
    else inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&a)->sin6_addr, text, sizeof text);
    printf("%s: %u family %d %s %s\n", what, size, a.ss_family, text, ((struct sockaddr_in *)&a)->sin_port ? "port" : "no port");
}
static int ready(int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP | POLLPRI, 0};
    poll(&p, 1, 0);
    return p.revents;
}
static int wait_ready(int fd, int events) {
    struct pollfd p = {fd, events, 0};
    poll(&p, 1, 2000);
    return p.revents;
}
static int get(int fd, int level, int name) {
    int value = -77;
    socklen_t size = sizeof value;
    return getsockopt(fd, level, name, &value, &size) ? -errno : value;
}
static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value) ? -errno : 0; }
static int listener(int backlog) {
    struct sockaddr_storage a;
    int fd = socket(family, SOCK_STREAM, 0);
    socklen_t size = loopback(&a, 0);
    if (bind(fd, (void *)&a, size) || listen(fd, backlog)) printf("no listener: %s\n", strerror(errno));
    return fd;
}
static int client(int port, int flags) {
    struct sockaddr_storage a;
    int fd = socket(family, SOCK_STREAM | flags, 0);
    socklen_t size = loopback(&a, port);
    errno = 0;
    if (connect(fd, (void *)&a, size) && errno != EINPROGRESS) printf("no client: %s\n", strerror(errno));
    return fd;
}
static void pair(int *a, int *b) {
    int l = listener(1);
    *a = client(port_of(l), 0);
    *b = accept(l, NULL, NULL);
    close(l);
}
static void show_wait(const char *what, double least, double most, struct timespec from) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double took = now.tv_sec - from.tv_sec + (now.tv_nsec - from.tv_nsec) / 1e9;
    printf("%s: waited %s\n", what, took < least ? "too short" : took > most ? "too long" : "as asked");
}

static void test_creation(void) {
    SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
    SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP));
    SHOW(socket(AF_INET, SOCK_SEQPACKET, 0));
    SHOW(socket(AF_INET, 77, 0));
    SHOW(socket(77, SOCK_STREAM, 0));
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    SHOW(fcntl(fd, F_GETFD));
    SHOW(fcntl(fd, F_GETFL) & O_NONBLOCK);
    SHOW(get(fd, SOL_SOCKET, SO_TYPE));
    SHOW(get(fd, SOL_SOCKET, SO_DOMAIN));
    SHOW(get(fd, SOL_SOCKET, SO_PROTOCOL));
    SHOW(get(fd, SOL_SOCKET, SO_ACCEPTCONN));
    SHOW(get(fd, SOL_SOCKET, SO_ERROR));
    SHOW(ready(fd));
    show_name("new", fd, getsockname);
    show_name("new peer", fd, getpeername);
    SHOW(read(fd, buffer, 1));
    SHOW(write(fd, "x", 1));
    SHOW(pipes);
    SHOW(send(fd, "x", 1, MSG_NOSIGNAL));
    SHOW(pipes);
    SHOW(shutdown(fd, SHUT_RDWR));
    SHOW(shutdown(fd, 7));
    SHOW(accept(fd, NULL, NULL));
    SHOW(lseek(fd, 0, SEEK_SET));
    close(fd);
    fd = socket(family, SOCK_DGRAM, 0);
    SHOW(get(fd, SOL_SOCKET, SO_TYPE));
    SHOW(get(fd, SOL_SOCKET, SO_PROTOCOL));
    SHOW(ready(fd));
    SHOW(listen(fd, 1));
    SHOW(accept(fd, NULL, NULL));
    SHOW(send(fd, "x", 1, 0));
    SHOW(shutdown(fd, SHUT_RD));
    show_name("datagram", fd, getsockname);
    close(fd);
}

static void test_bind(void) {
    struct sockaddr_storage a;
    socklen_t size = loopback(&a, 0);
    int one = socket(family, SOCK_STREAM, 0), two = socket(family, SOCK_STREAM, 0);
    SHOW(bind(one, (void *)&a, 3));
    SHOW(bind(one, (void *)&a, size - 1) < 0 ? errno : 0);
    a.ss_family = 77;
    SHOW(bind(one, (void *)&a, size));
    size = loopback(&a, 0);
    SHOW(bind(one, (void *)&a, size));
    SHOW(bind(one, (void *)&a, size));
    show_name("bound", one, getsockname);
    size = loopback(&a, port_of(one));
    SHOW(bind(two, (void *)&a, size));
    SHOW(set(one, SOL_SOCKET, SO_REUSEADDR, 1));
    SHOW(bind(two, (void *)&a, size));
    SHOW(set(two, SOL_SOCKET, SO_REUSEADDR, 1));
    SHOW(bind(two, (void *)&a, size));
    SHOW(listen(one, 1));
    SHOW(listen(two, 1));
    int three = socket(family, SOCK_STREAM, 0);
    SHOW(set(three, SOL_SOCKET, SO_REUSEADDR, 1));
    SHOW(bind(three, (void *)&a, size));
    int udp = socket(family, SOCK_DGRAM, 0);
    SHOW(bind(udp, (void *)&a, size));
    close(one); close(two); close(three); close(udp);
    if (family == AF_INET) {
        one = socket(AF_INET, SOCK_STREAM, 0);
        ((struct sockaddr_in *)&a)->sin_port = 0;
        ((struct sockaddr_in *)&a)->sin_addr.s_addr = inet_addr("192.0.2.1");
        SHOW(bind(one, (void *)&a, size));
        ((struct sockaddr_in *)&a)->sin_addr.s_addr = inet_addr("127.1.2.3");
        SHOW(bind(one, (void *)&a, size));
        show_name("127.1.2.3", one, getsockname);
        close(one);
    }
}

static void test_reuseport(void) {
    struct sockaddr_storage a;
    int fds[4], counts[4] = {0}, port = 0;
    for (int i = 0; i < 4; i++) {
        fds[i] = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
        set(fds[i], SOL_SOCKET, SO_REUSEPORT, 1);
        socklen_t size = loopback(&a, port);
        SHOW(bind(fds[i], (void *)&a, size));
        SHOW(listen(fds[i], 100));
        port = port_of(fds[i]);
    }
    for (int i = 0; i < 64; i++) {
        int c = client(port, 0), got = 0;
        for (int k = 0; k < 4 && !got; k++) {
            int s = accept(fds[k], NULL, NULL);
            if (s < 0) continue;
            counts[k]++;
            got = 1;
            close(s);
        }
        if (!got) printf("nobody got connection %d\n", i);
        close(c);
    }
    for (int i = 0; i < 4; i++) {
        if (!counts[i]) printf("listener %d got nothing\n", i);
        close(fds[i]);
    }
}

static void test_connection(void) {
    int l = listener(5), c = client(port_of(l), 0);
    SHOW(get(l, SOL_SOCKET, SO_ACCEPTCONN));
    SHOW(ready(l));
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;
    int s = accept4(l, (void *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    printf("peer %u %d %d\n", size, peer.ss_family, ntohs(((struct sockaddr_in *)&peer)->sin_port) == port_of(c));
    SHOW(fcntl(s, F_GETFD));
    SHOW(fcntl(s, F_GETFL) & O_NONBLOCK);
    SHOW(ready(l));
    show_name("server", s, getsockname);
    show_name("server's peer", s, getpeername);
    show_name("client's peer", c, getpeername);
    SHOW(ready(c));
    SHOW(ready(s));
    SHOW(read(s, buffer, 10));
    SHOW(write(c, "hello world", 11));
    SHOW(ready(s));
    int number = -1;
    SHOW(ioctl(s, FIONREAD, &number));
    SHOW(number);
    SHOW(recv(s, buffer, 5, MSG_PEEK));
    SHOW(recv(s, buffer, 100, MSG_PEEK));
    SHOW(recv(s, buffer, 5, 0));
    printf("%.5s\n", buffer);
    SHOW(recv(s, NULL, 3, MSG_TRUNC));
    SHOW(recv(s, buffer, 100, MSG_DONTWAIT));
    printf("%.3s\n", buffer);
    SHOW(recv(s, buffer, 100, MSG_DONTWAIT));
    SHOW(recv(s, buffer, 0, MSG_DONTWAIT));
    SHOW(send(c, "", 0, 0));
    SHOW(recv(s, buffer, 10, MSG_OOB));
    SHOW(recv(s, buffer, 10, MSG_ERRQUEUE));
    SHOW(recv(s, (void *)8, 10, 0));
    SHOW(write(c, (void *)8, 10));
    write(c, "12345", 5);
    SHOW(recv(s, (void *)8, 10, 0));
    SHOW(recv(s, buffer, 10, 0));
    struct sockaddr_storage a;
    size = loopback(&a, port_of(l));
    SHOW(connect(c, (void *)&a, size));
    SHOW(connect(l, (void *)&a, size));
    SHOW(listen(c, 1));
    SHOW(bind(c, (void *)&a, size));
    SHOW(sendto(c, "abc", 3, 0, (void *)&a, size));
    size = sizeof peer;
    SHOW(recvfrom(s, buffer, 10, 0, (void *)&peer, &size));
    SHOW(size);
    struct iovec v[3] = {{"one", 3}, {"two", 3}, {"", 0}};
    SHOW(writev(c, v, 3));
    char x[4] = "", y[10] = "";
    struct iovec w[2] = {{x, 2}, {y, 9}};
    SHOW(readv(s, w, 2));
    printf("%s %s\n", x, y);
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2};
    SHOW(sendmsg(c, &m, MSG_NOSIGNAL));
    struct msghdr r = {.msg_iov = w, .msg_iovlen = 2, .msg_name = &peer, .msg_namelen = sizeof peer, .msg_control = buffer, .msg_controllen = 100};
    SHOW(recvmsg(s, &r, 0));
    printf("%u %d %d\n", r.msg_namelen, (int)r.msg_controllen, r.msg_flags);
    SHOW(ioctl(c, SIOCOUTQ, &number));
    SHOW(number);
    SHOW(ioctl(c, SIOCATMARK, &number));
    SHOW(ioctl(l, FIONREAD, &number));
    SHOW(ioctl(c, 0x4567, &number));
    SHOW(shutdown(c, SHUT_WR));
    SHOW(ready(s));
    SHOW(ready(c));
    SHOW(read(s, buffer, 10));
    SHOW(read(s, buffer, 10));
    SHOW(write(c, "x", 1));
    SHOW(pipes);
    SHOW(write(s, "back", 4));
    SHOW(ready(c));
    SHOW(read(c, buffer, 10));
    SHOW(shutdown(s, SHUT_WR));
    SHOW(ready(c));
    SHOW(ready(s));
    SHOW(read(c, buffer, 10));
    SHOW(get(c, SOL_SOCKET, SO_ERROR));
    close(c);
    close(s);
    close(l);
}

static void test_reset(void) {
    int a, b;
    pair(&a, &b);
    write(a, "unread", 6);
    close(b); /* with data unread: a reset */
    SHOW(ready(a));
    SHOW(read(a, buffer, 10));
    SHOW(read(a, buffer, 10));
    SHOW(ready(a));
    SHOW(write(a, "x", 1));
    SHOW(pipes);
    close(a);
    pair(&a, &b);
    close(b);
    SHOW(ready(a));
    SHOW(read(a, buffer, 10));
    SHOW(write(a, "x", 1));
    SHOW(ready(a));
    SHOW(write(a, "x", 1));
    SHOW(pipes);
    SHOW(read(a, buffer, 10));
    close(a);
    pair(&a, &b);
    struct linger now = {1, 0};
    SHOW(setsockopt(b, SOL_SOCKET, SO_LINGER, &now, sizeof now));
    write(b, "data", 4);
    close(b);
    SHOW(read(a, buffer, 10));
    SHOW(get(a, SOL_SOCKET, SO_ERROR));
    SHOW(read(a, buffer, 10));
    close(a);
    pair(&a, &b);
    struct linger soon = {1, 2};
    SHOW(setsockopt(b, SOL_SOCKET, SO_LINGER, &soon, sizeof soon));
    write(b, "data", 4);
    close(b);
    SHOW(read(a, buffer, 10));
    SHOW(read(a, buffer, 10));
    close(a);
    pair(&a, &b);
    write(b, "kept", 4);
    setsockopt(b, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    SHOW(connect(b, &none, sizeof none));
    show_name("after AF_UNSPEC", b, getpeername);
    SHOW(read(b, buffer, 10));
    close(b);
    close(a);
    pair(&a, &b); /* shutdown of reading, locally */
    SHOW(shutdown(a, SHUT_RD));
    SHOW(ready(a));
    SHOW(read(a, buffer, 10));
    SHOW(write(b, "x", 1));
    SHOW(read(a, buffer, 10));
    SHOW(shutdown(a, SHUT_RDWR));
    SHOW(ready(a));
    SHOW(shutdown(a, SHUT_RDWR));
    close(a);
    close(b);
}

static void test_refused(void) {
    int l = listener(1), port = port_of(l);
    close(l);
    struct sockaddr_storage a;
    socklen_t size = loopback(&a, port);
    int fd = socket(family, SOCK_STREAM, 0);
    SHOW(connect(fd, (void *)&a, size));
    SHOW(get(fd, SOL_SOCKET, SO_ERROR));
    SHOW(connect(fd, (void *)&a, size));
    SHOW(connect(fd, (void *)&a, 5));
    close(fd);
    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(fd, (void *)&a, size));
    SHOW(wait_ready(fd, POLLIN | POLLOUT | POLLRDHUP));
    SHOW(get(fd, SOL_SOCKET, SO_ERROR));
    SHOW(get(fd, SOL_SOCKET, SO_ERROR));
    close(fd);
    l = listener(10);
    size = loopback(&a, port_of(l));
    fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    SHOW(connect(fd, (void *)&a, size));
    SHOW(wait_ready(fd, POLLOUT));
    SHOW(get(fd, SOL_SOCKET, SO_ERROR));
    SHOW(connect(fd, (void *)&a, size));
    SHOW(connect(fd, (void *)&a, size));
    close(fd);
    if (family == AF_INET) {
        fd = socket(AF_INET, SOCK_STREAM, 0); /* 0.0.0.0 is this machine */
        ((struct sockaddr_in *)&a)->sin_addr.s_addr = 0;
        SHOW(connect(fd, (void *)&a, size));
        show_name("peer", fd, getpeername);
        close(fd);
        fd = socket(AF_INET, SOCK_STREAM, 0);
        ((struct sockaddr_in *)&a)->sin_addr.s_addr = inet_addr("224.0.0.1");
        SHOW(connect(fd, (void *)&a, size));
        a.ss_family = AF_INET6;
        SHOW(connect(fd, (void *)&a, size));
        close(fd);
    }
    int c = client(port_of(l), 0); /* in the backlog when the listener goes */
    close(l);
    SHOW(wait_ready(c, POLLIN));
    SHOW(read(c, buffer, 1));
    close(c);
    l = listener(1); /* shutdown of a listener */
    SHOW(shutdown(l, SHUT_WR));
    SHOW(shutdown(l, SHUT_RD));
    SHOW(accept(l, NULL, NULL));
    SHOW(ready(l));
    SHOW(get(l, SOL_SOCKET, SO_ACCEPTCONN));
    close(l);
    l = socket(family, SOCK_STREAM, 0); /* listen without bind */
    SHOW(listen(l, 1));
    SHOW(port_of(l) > 0);
    SHOW(listen(l, 5));
    close(l);
}

static void test_waiting(void) {
    int a, b;
    struct timespec from;
    struct timeval t = {0, 200000};
    pair(&a, &b);
    SHOW(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
    struct timeval back = {9, 9};
    socklen_t size = sizeof back;
    SHOW(getsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &back, &size));
    printf("%ld.%06ld\n", (long)back.tv_sec, (long)back.tv_usec);
    clock_gettime(CLOCK_MONOTONIC, &from);
    SHOW(read(a, buffer, 1));
    show_wait("SO_RCVTIMEO", 0.19, 3, from);
    SHOW(setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
    long sent = 0, n;
    clock_gettime(CLOCK_MONOTONIC, &from);
    while ((n = write(a, buffer, sizeof buffer)) > 0) sent += n;
    printf("full: %ld %s, %s\n", n, strerror(errno), sent > 60000 ? "much" : "little");
    show_wait("SO_SNDTIMEO", 0.19, 10, from);
    SHOW(ready(a));
    long got = 0;
    while ((n = recv(b, buffer, sizeof buffer, MSG_DONTWAIT)) > 0 || wait_ready(b, 0) || (got < sent && wait_ready(b, POLLIN))) got += n > 0 ? n : 0;
    SHOW(got >= sent);
    SHOW(wait_ready(a, POLLOUT));
    struct itimerval timer = {{0, 0}, {0, 100000}};
    t = (struct timeval){0, 0};
    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(read(a, buffer, 1)); /* the handler has no SA_RESTART */
    SHOW(alarms);
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(poll(&(struct pollfd){a, POLLIN, 0}, 1, 2000));
    int l = listener(1);
    setitimer(ITIMER_REAL, &timer, NULL);
    SHOW(accept(l, NULL, NULL));
    SHOW(alarms);
    setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 50000}, sizeof t);
    SHOW(accept(l, NULL, NULL));
    fcntl(l, F_SETFL, O_NONBLOCK);
    SHOW(accept(l, NULL, NULL));
    close(l);
    write(b, "abc", 3);
    setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){0, 50000}, sizeof t);
    SHOW(recv(a, buffer, 5, MSG_WAITALL)); /* the timeout ends it */
    write(b, "abcdef", 6);
    SHOW(recv(a, buffer, 5, MSG_WAITALL));
    SHOW(recv(a, buffer, 5, MSG_WAITALL | MSG_DONTWAIT));
    close(a);
    close(b);
}

static void test_options(void) {
    int fd = socket(family, SOCK_STREAM, 0), udp = socket(family, SOCK_DGRAM, 0);
    static const int plain[] = {SO_REUSEADDR, SO_KEEPALIVE, SO_BROADCAST, SO_REUSEPORT, SO_OOBINLINE, SO_DONTROUTE, SO_TIMESTAMP};
    for (unsigned i = 0; i < sizeof plain / sizeof *plain; i++) {
        printf("option %d: %d", plain[i], get(fd, SOL_SOCKET, plain[i]));
        printf(" %d", set(fd, SOL_SOCKET, plain[i], 1));
        printf(" %d", get(fd, SOL_SOCKET, plain[i]));
        printf(" %d", set(fd, SOL_SOCKET, plain[i], 0));
        printf(" %d\n", get(fd, SOL_SOCKET, plain[i]));
    }
    static const int tcp[][2] = {{TCP_NODELAY, 1}, {TCP_CORK, 1}, {TCP_KEEPIDLE, 30}, {TCP_KEEPINTVL, 7}, {TCP_KEEPCNT, 4}, {TCP_USER_TIMEOUT, 5000}, {TCP_SYNCNT, 3}};
    for (unsigned i = 0; i < sizeof tcp / sizeof *tcp; i++) {
        printf("tcp option %d: %d", tcp[i][0], get(fd, IPPROTO_TCP, tcp[i][0]));
        printf(" %d", set(fd, IPPROTO_TCP, tcp[i][0], tcp[i][1]));
        printf(" %d\n", get(fd, IPPROTO_TCP, tcp[i][0]));
    }
    SHOW(set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 0));
    SHOW(set(fd, IPPROTO_TCP, TCP_KEEPCNT, 200));
    SHOW(set(fd, IPPROTO_TCP, TCP_MAXSEG, 10));
    SHOW(set(fd, IPPROTO_TCP, TCP_MAXSEG, 1000));
    SHOW(set(fd, IPPROTO_TCP, 999, 1));
    SHOW(get(fd, IPPROTO_TCP, 999));
    SHOW(get(fd, SOL_SOCKET, 999));
    SHOW(set(udp, IPPROTO_TCP, TCP_NODELAY, 1));
    SHOW(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, "x", 1));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){5000}, 4));
    SHOW(get(fd, SOL_SOCKET, SO_RCVBUF));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){5000}, 4));
    SHOW(get(fd, SOL_SOCKET, SO_SNDBUF));
    char name[16] = "";
    socklen_t size = sizeof name;
    SHOW(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
    SHOW(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size));
    printf("%s %u\n", name, size);
    SHOW(setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "nothing", 7));
    size = 2;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, name, &size));
    SHOW(size);
    if (family == AF_INET) {
        SHOW(get(fd, IPPROTO_IP, IP_TTL));
        SHOW(set(fd, IPPROTO_IP, IP_TTL, 33));
        SHOW(get(fd, IPPROTO_IP, IP_TTL));
        SHOW(set(fd, IPPROTO_IP, IP_TTL, 0));
        SHOW(set(fd, IPPROTO_IP, IP_TTL, 256));
        SHOW(set(fd, IPPROTO_IP, IP_TTL, -1));
        SHOW(set(udp, IPPROTO_IP, IP_TOS, 0x10));
        SHOW(get(udp, IPPROTO_IP, IP_TOS));
        SHOW(get(udp, IPPROTO_IP, IP_MTU_DISCOVER));
        SHOW(set(udp, IPPROTO_IP, IP_MTU_DISCOVER, 2));
        SHOW(get(udp, IPPROTO_IP, IP_MTU_DISCOVER));
        SHOW(set(udp, IPPROTO_IP, IP_MTU_DISCOVER, 9));
        SHOW(get(udp, IPPROTO_IP, IP_MTU));
        SHOW(get(udp, IPPROTO_IP, IP_MULTICAST_TTL));
        SHOW(set(udp, IPPROTO_IP, IP_MULTICAST_TTL, 5));
        SHOW(get(udp, IPPROTO_IP, IP_MULTICAST_TTL));
        SHOW(get(udp, IPPROTO_IP, IP_MULTICAST_LOOP));
        SHOW(set(udp, IPPROTO_IP, IP_MULTICAST_LOOP, 0));
        SHOW(get(udp, IPPROTO_IP, IP_MULTICAST_LOOP));
        SHOW(set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    } else {
        SHOW(get(fd, IPPROTO_IPV6, IPV6_V6ONLY));
        SHOW(set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1));
        SHOW(get(fd, IPPROTO_IPV6, IPV6_V6ONLY));
        SHOW(get(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
        SHOW(set(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 12));
        SHOW(get(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS));
        SHOW(get(udp, IPPROTO_IPV6, IPV6_TCLASS));
        SHOW(get(udp, IPPROTO_IPV6, IPV6_MULTICAST_HOPS));
    }
    SHOW(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "nonesuch", 9));
    struct linger l = {3, 7};
    size = sizeof l;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_LINGER, &l, &size));
    printf("%d %d\n", l.l_onoff, l.l_linger);
    close(fd);
    close(udp);
    int a, b;
    pair(&a, &b);
    struct tcp_info info;
    size = sizeof info;
    SHOW(getsockopt(a, IPPROTO_TCP, TCP_INFO, &info, &size));
    SHOW(info.tcpi_state);
    SHOW(info.tcpi_unacked);
    SHOW(get(a, IPPROTO_TCP, TCP_MAXSEG) > 500);
    shutdown(b, SHUT_WR);
    size = sizeof info;
    getsockopt(a, IPPROTO_TCP, TCP_INFO, &info, &size);
    SHOW(info.tcpi_state);
    close(a);
    close(b);
}

/* Small writes put together: the peer sees them at once. */
static void test_cork(void) {
    int a, b;
    pair(&a, &b);
    SHOW(set(a, IPPROTO_TCP, TCP_CORK, 1));
    SHOW(write(a, "one", 3));
    SHOW(write(a, "two", 3));
    SHOW(recv(b, buffer, 100, MSG_DONTWAIT));
    SHOW(set(a, IPPROTO_TCP, TCP_CORK, 0));
    SHOW(recv(b, buffer, 100, 0));
    SHOW(send(a, "three", 5, MSG_MORE));
    SHOW(recv(b, buffer, 100, MSG_DONTWAIT));
    SHOW(send(a, "four", 4, 0));
    SHOW(recv(b, buffer, 9, MSG_WAITALL | MSG_PEEK));
    SHOW(recv(b, buffer, 9, MSG_WAITALL));
    printf("%.9s\n", buffer);
    SHOW(send(a, "five", 4, MSG_MORE));
    SHOW(wait_ready(b, POLLIN)); /* after 200 ms it goes out in any case */
    SHOW(recv(b, buffer, 100, 0));
    SHOW(send(a, "six", 3, MSG_MORE));
    close(a);
    SHOW(recv(b, buffer, 100, 0));
    SHOW(recv(b, buffer, 100, 0));
    close(b);
    pair(&a, &b); /* Nagle: many small ones all arrive, in order */
    for (int i = 0; i < 1000; i++) {
        char c = (char)i;
        if (write(a, &c, 1) != 1) printf("write %d\n", i);
    }
    shutdown(a, SHUT_WR);
    long n, total = 0, wrong = 0;
    while ((n = read(b, buffer, sizeof buffer)) > 0)
        for (long i = 0; i < n; i++, total++) wrong += buffer[i] != (char)total;
    printf("%ld bytes, %ld wrong\n", total, wrong);
    close(a);
    close(b);
}

static void test_bulk(void) {
    int a, b;
    pair(&a, &b);
    fcntl(a, F_SETFL, O_NONBLOCK);
    fcntl(b, F_SETFL, O_NONBLOCK);
    enum { TOTAL = 8 << 20 };
    static char in[65536];
    long sent = 0, got = 0, wrong = 0;
    unsigned seed = 1;
    while (got < TOTAL) {
        seed = seed * 1103515245 + 12345;
        long size = seed >> 8 & 0x1ffff;
        if (size > TOTAL - sent) size = TOTAL - sent;
        for (long i = 0; i < size; i++) buffer[i] = (char)((sent + i) * 31 >> 3);
        long n = size ? write(a, buffer, size) : 0;
        if (n > 0) sent += n;
        size = (seed >> 4 & 0xffff) + 1;
        n = read(b, in, size);
        for (long i = 0; i < n; i++) wrong += in[i] != (char)((got + i) * 31 >> 3);
        if (n > 0) got += n;
        else if (n < 0 && errno == EAGAIN && sent == TOTAL) wait_ready(b, POLLIN);
        else if (n == 0) break;
    }
    printf("bulk: %ld bytes, %ld wrong\n", got, wrong);
    close(a);
    close(b);
}

/* Fills fd: bytes until there is no room, also after a moment. */
static long fill(int fd) {
    long total = 0;
    memset(buffer, 'f', sizeof buffer);
    for (;;) {
        struct pollfd p = {fd, POLLOUT, 0};
        long n = write(fd, buffer, sizeof buffer);
        if (n > 0) total += n;
        else if (poll(&p, 1, 50) <= 0) return total;
    }
}
static long drain(int fd, long most) {
    long total = 0;
    while (total < most) {
        long n = wait_ready(fd, POLLIN) & POLLIN ? read(fd, buffer, sizeof buffer) : 0;
        if (n <= 0) break;
        total += n;
    }
    return total;
}

static void test_windows(void) {
    int a, b, l = listener(1);
    printf("receive room: %d", set(l, SOL_SOCKET, SO_RCVBUF, 4096));
    a = client(port_of(l), SOCK_NONBLOCK);
    b = accept(l, NULL, NULL);
    printf(" %d %d", get(b, SOL_SOCKET, SO_RCVBUF), set(a, SOL_SOCKET, SO_SNDBUF, 4096));
    long sent = fill(a);
    printf(" limits: %d", sent > 1000 && sent < 65536);
    printf(", all there: %d", drain(b, sent) == sent);
    sent = fill(a);
    printf(", again: %d", drain(b, sent) == sent);
    printf(", larger: %d", set(b, SOL_SOCKET, SO_RCVBUF, 60000));
    sent = fill(a);
    printf(" %d\n", drain(b, sent) == sent);
    close(a);
    close(b);
    close(l);

    pair(&a, &b);
    set(a, SOL_SOCKET, SO_SNDBUF, 4096);
    fcntl(a, F_SETFL, O_NONBLOCK);
    printf("later: %d", set(b, SOL_SOCKET, SO_RCVBUF, 4096));
    sent = fill(a); /* up to what was promised before */
    printf(" %d", drain(b, sent) == sent);
    sent = fill(a);
    printf(" limits: %d %d\n", sent < 65536, drain(b, sent) == sent);
    close(a);
    close(b);

    /* Nobody reads: both windows are 0, and both sides have more. */
    pair(&a, &b);
    fcntl(a, F_SETFL, O_NONBLOCK);
    fcntl(b, F_SETFL, O_NONBLOCK);
    long there = fill(a), back = fill(b);
    there += fill(a);
    printf("full both ways: %d %d\n", drain(b, there) == there, drain(a, back) == back);
    close(a);
    close(b);
}

static void test_epoll(void) {
    int e = epoll_create1(0), l = listener(10);
    struct epoll_event events[8], event = {EPOLLIN, {.fd = l}};
    SHOW(epoll_ctl(e, EPOLL_CTL_ADD, l, &event));
    SHOW(epoll_wait(e, events, 8, 0));
    int c = client(port_of(l), 0);
    SHOW(epoll_wait(e, events, 8, 1000));
    SHOW(events[0].events);
    int s = accept(l, NULL, NULL);
    SHOW(epoll_wait(e, events, 8, 0));
    event = (struct epoll_event){EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {.fd = s}};
    SHOW(epoll_ctl(e, EPOLL_CTL_ADD, s, &event));
    SHOW(epoll_wait(e, events, 8, 0));
    SHOW(events[0].events);
    SHOW(epoll_wait(e, events, 8, 0));
    write(c, "ab", 2);
    SHOW(epoll_wait(e, events, 8, 1000));
    SHOW(events[0].events);
    SHOW(epoll_wait(e, events, 8, 0));
    read(s, buffer, 1);
    SHOW(epoll_wait(e, events, 8, 0));
    write(c, "c", 1);
    SHOW(epoll_wait(e, events, 8, 1000));
    read(s, buffer, 10);
    shutdown(c, SHUT_WR);
    SHOW(epoll_wait(e, events, 8, 1000));
    SHOW(events[0].events);
    SHOW(epoll_wait(e, events, 8, 0));
    close(c);
    SHOW(epoll_wait(e, events, 8, 0));
    write(s, "x", 1);
    SHOW(epoll_wait(e, events, 8, 1000));
    SHOW(events[0].events);
    event.events = EPOLLIN;
    SHOW(epoll_ctl(e, EPOLL_CTL_MOD, s, &event));
    SHOW(epoll_wait(e, events, 8, 0));
    SHOW(events[0].events);
    close(s);
    SHOW(epoll_wait(e, events, 8, 0));
    c = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    event = (struct epoll_event){EPOLLIN | EPOLLOUT | EPOLLET, {.fd = c}};
    SHOW(epoll_ctl(e, EPOLL_CTL_ADD, c, &event));
    SHOW(epoll_wait(e, events, 8, 0));
    SHOW(events[0].events);
    struct sockaddr_storage a;
    socklen_t size = loopback(&a, port_of(l));
    SHOW(epoll_ctl(e, EPOLL_CTL_DEL, l, NULL));
    SHOW(connect(c, (void *)&a, size));
    SHOW(epoll_wait(e, events, 8, 1000));
    SHOW(events[0].events);
    close(c);
    close(l);
    close(e);
}

static void test_datagrams(void) {
    struct sockaddr_storage a, from;
    int one = socket(family, SOCK_DGRAM, 0), two = socket(family, SOCK_DGRAM, 0);
    socklen_t size = loopback(&a, 0), length = sizeof from;
    SHOW(bind(one, (void *)&a, size));
    size = loopback(&a, port_of(one));
    SHOW(bind(two, (void *)&a, size));
    SHOW(sendto(two, "first", 5, 0, (void *)&a, size));
    SHOW(sendto(two, "", 0, 0, (void *)&a, size));
    SHOW(sendto(two, "third one", 9, 0, (void *)&a, size));
    show_name("autobound", two, getsockname);
    SHOW(ready(one));
    int number;
    SHOW(ioctl(one, FIONREAD, &number));
    SHOW(number);
    SHOW(recv(one, buffer, 100, MSG_PEEK));
    SHOW(recvfrom(one, buffer, 100, 0, (void *)&from, &length));
    printf("%u %d\n", length, ntohs(((struct sockaddr_in *)&from)->sin_port) == port_of(two));
    SHOW(recv(one, buffer, 100, 0));
    SHOW(recv(one, buffer, 3, MSG_TRUNC));
    SHOW(recv(one, buffer, 3, MSG_DONTWAIT));
    SHOW(sendto(two, buffer, 65536, 0, (void *)&a, size));
    SHOW(sendto(two, buffer, 70000, 0, (void *)&a, size));
    SHOW(sendto(two, buffer, 60000, 0, (void *)&a, size));
    SHOW(recv(one, buffer, sizeof buffer, 0));
    SHOW(sendto(two, "x", 1, 0, (void *)&a, 3));
    SHOW(sendto(two, (void *)8, 1, 0, (void *)&a, size));
    SHOW(sendto(two, "x", 1, MSG_OOB, (void *)&a, size));
    loopback(&from, 0);
    SHOW(sendto(two, "x", 1, 0, (void *)&from, size));
    SHOW(connect(two, (void *)&a, size));
    show_name("connected", two, getsockname);
    show_name("to", two, getpeername);
    SHOW(send(two, "connected", 9, 0));
    SHOW(recv(one, buffer, 100, 0));
    SHOW(sendto(two, "again", 5, 0, (void *)&a, size));
    struct iovec v[2] = {{buffer, 2}, {buffer + 2, 1}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_name = &from, .msg_namelen = sizeof from};
    SHOW(recvmsg(one, &m, 0));
    printf("%u %x\n", m.msg_namelen, m.msg_flags);
    int three = socket(family, SOCK_DGRAM, 0);
    struct sockaddr_storage to_two;
    socklen_t size_two = loopback(&to_two, port_of(two));
    SHOW(sendto(three, "stranger", 8, 0, (void *)&to_two, size_two)); /* two is connected to one */
    SHOW(recv(two, buffer, 10, MSG_DONTWAIT));
    close(three);
    close(one);
    SHOW(send(two, "nobody", 6, 0));
    SHOW(ready(two));
    SHOW(recv(two, buffer, 10, MSG_DONTWAIT));
    SHOW(send(two, "nobody", 6, 0));
    SHOW(get(two, SOL_SOCKET, SO_ERROR));
    SHOW(send(two, "nobody", 6, 0));
    SHOW(send(two, "nobody", 6, 0));
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    SHOW(connect(two, &none, sizeof none));
    show_name("disconnected", two, getpeername);
    SHOW(send(two, "x", 1, 0));
    SHOW(shutdown(two, SHUT_RD));
    close(two);
    one = socket(family, SOCK_DGRAM, 0);
    size = loopback(&a, 0);
    bind(one, (void *)&a, size);
    size = loopback(&a, port_of(one));
    SHOW(connect(one, (void *)&a, size)); /* to itself */
    SHOW(send(one, "self", 4, 0));
    SHOW(recv(one, buffer, 10, 0));
    SHOW(shutdown(one, SHUT_RD));
    SHOW(recv(one, buffer, 10, 0));
    SHOW(ready(one));
    SHOW(shutdown(one, SHUT_WR));
    SHOW(ready(one));
    SHOW(send(one, "x", 1, 0));
    close(one);
}

static void test_many_messages(void) {
    struct sockaddr_storage a;
    int one = socket(family, SOCK_DGRAM, 0), two = socket(family, SOCK_DGRAM, 0);
    socklen_t size = loopback(&a, 0);
    bind(one, (void *)&a, size);
    size = loopback(&a, port_of(one));
    connect(two, (void *)&a, size);
    struct iovec v[5];
    struct mmsghdr m[5] = {0};
    for (int i = 0; i < 5; i++) {
        v[i] = (struct iovec){"abcdefgh", i + 1};
        m[i].msg_hdr = (struct msghdr){.msg_iov = &v[i], .msg_iovlen = 1};
    }
    SHOW(sendmmsg(two, m, 5, 0));
    static char in[8][16];
    struct iovec w[8];
    struct mmsghdr r[8] = {0};
    for (int i = 0; i < 8; i++) {
        w[i] = (struct iovec){in[i], 16};
        r[i].msg_hdr = (struct msghdr){.msg_iov = &w[i], .msg_iovlen = 1};
    }
    SHOW(recvmmsg(one, r, 8, MSG_DONTWAIT, NULL));
    for (int i = 0; i < 5; i++) printf("%u %.*s\n", r[i].msg_len, (int)r[i].msg_len, in[i]);
    SHOW(recvmmsg(one, r, 8, MSG_DONTWAIT, NULL));
    close(one);
    close(two);
}

static void test_control(void) {
    struct sockaddr_storage a;
    int one = socket(family, SOCK_DGRAM, 0), two = socket(family, SOCK_DGRAM, 0);
    socklen_t size = loopback(&a, 0);
    bind(one, (void *)&a, size);
    size = loopback(&a, port_of(one));
    if (family == AF_INET) {
        SHOW(set(one, IPPROTO_IP, IP_PKTINFO, 1));
        SHOW(set(one, IPPROTO_IP, IP_RECVTTL, 1));
        SHOW(set(one, IPPROTO_IP, IP_RECVTOS, 1));
        set(two, IPPROTO_IP, IP_TTL, 17);
        set(two, IPPROTO_IP, IP_TOS, 0x20);
    } else {
        SHOW(set(one, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1));
        SHOW(set(one, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1));
        SHOW(set(one, IPPROTO_IPV6, IPV6_RECVTCLASS, 1));
        set(two, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 17);
    }
    SHOW(set(one, SOL_SOCKET, SO_TIMESTAMP, 1));
    SHOW(sendto(two, "x", 1, 0, (void *)&a, size));
    union { struct cmsghdr h; char space[256]; } control;
    struct iovec v = {buffer, 10};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    SHOW(recvmsg(one, &m, 0));
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        printf("control %d %d %zu:", h->cmsg_level, h->cmsg_type, (size_t)h->cmsg_len);
        if (h->cmsg_level == SOL_SOCKET) {
            struct timeval t;
            memcpy(&t, CMSG_DATA(h), sizeof t);
            printf(" %s", t.tv_sec > 1000000000 ? "a time" : "no time");
        } else {
            for (size_t i = 0; i < h->cmsg_len - CMSG_LEN(0); i++) printf(" %02x", CMSG_DATA(h)[i]);
        }
        printf("\n");
    }
    SHOW(m.msg_flags);
    sendto(two, "x", 1, 0, (void *)&a, size);
    m.msg_controllen = 20;
    SHOW(recvmsg(one, &m, 0));
    SHOW(m.msg_flags);
    close(one);
    close(two);
}

/* An IPv6 socket of datagrams takes an IPv4 address as it is; a stream does not. */
static void test_four_by_six(void) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 name;
    socklen_t size = sizeof to;
    int one = socket(AF_INET, SOCK_DGRAM, 0), two = socket(AF_INET6, SOCK_DGRAM, 0), only = socket(AF_INET6, SOCK_DGRAM, 0), stream = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(bind(one, (void *)&to, sizeof to)); SHOW(getsockname(one, (void *)&to, &size));
    SHOW(connect(two, (void *)&to, sizeof to)); SHOW(send(two, "four", 4, 0)); SHOW(recv(one, buffer, 10, 0));
    size = sizeof name; SHOW(getpeername(two, (void *)&name, &size)); SHOW(name.sin6_family); SHOW(IN6_IS_ADDR_V4MAPPED(&name.sin6_addr)); SHOW(name.sin6_port == to.sin_port);
    size = sizeof name; SHOW(getsockname(two, (void *)&name, &size)); SHOW(name.sin6_family); SHOW(IN6_IS_ADDR_V4MAPPED(&name.sin6_addr));
    SHOW(connect(two, (void *)&to, 8));
    SHOW(set(only, IPPROTO_IPV6, IPV6_V6ONLY, 1)); SHOW(connect(only, (void *)&to, sizeof to)); SHOW(sendto(only, "x", 1, 0, (void *)&to, sizeof to));
    SHOW(connect(stream, (void *)&to, sizeof to)); SHOW(bind(stream, (void *)&to, sizeof to)); SHOW(bind(two, (void *)&to, sizeof to));
    close(one), close(two), close(only), close(stream);
}

static void test_six(void) {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int l = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(bind(l, (void *)&six, sizeof six));
    SHOW(listen(l, 5));
    four.sin_port = htons(port_of(l));
    int c = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(connect(c, (void *)&four, sizeof four)); /* IPv4 to a socket of both */
    int s = accept(l, NULL, NULL);
    show_name("server", s, getsockname);
    show_name("peer", s, getpeername);
    SHOW(write(s, "x", 1));
    SHOW(read(c, buffer, 1));
    close(s);
    close(c);
    int other = socket(AF_INET, SOCK_STREAM, 0);
    four.sin_addr.s_addr = 0;
    SHOW(bind(other, (void *)&four, sizeof four));
    close(other);
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &six.sin6_addr);
    six.sin6_port = four.sin_port;
    c = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(connect(c, (void *)&six, sizeof six));
    show_name("mapped", c, getsockname);
    close(c);
    c = socket(AF_INET6, SOCK_STREAM, 0);
    set(c, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    SHOW(connect(c, (void *)&six, sizeof six));
    close(c);
    close(l);
    l = socket(AF_INET6, SOCK_STREAM, 0);
    SHOW(set(l, IPPROTO_IPV6, IPV6_V6ONLY, 1));
    six = (struct sockaddr_in6){.sin6_family = AF_INET6};
    SHOW(bind(l, (void *)&six, sizeof six));
    SHOW(listen(l, 5));
    SHOW(set(l, IPPROTO_IPV6, IPV6_V6ONLY, 0));
    four.sin_port = htons(port_of(l));
    four.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(connect(c, (void *)&four, sizeof four));
    close(c);
    other = socket(AF_INET, SOCK_STREAM, 0);
    SHOW(bind(other, (void *)&four, sizeof four));
    close(other);
    close(l);
    int u = socket(AF_INET6, SOCK_DGRAM, 0), v = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(bind(u, (void *)&six, sizeof six));
    four.sin_port = htons(port_of(u));
    SHOW(sendto(v, "four", 4, 0, (void *)&four, sizeof four));
    socklen_t size = sizeof six;
    SHOW(recvfrom(u, buffer, 10, 0, (void *)&six, &size));
    char text[64];
    printf("%s %u\n", inet_ntop(AF_INET6, &six.sin6_addr, text, sizeof text), size);
    SHOW(sendto(u, "back", 4, 0, (void *)&six, size));
    SHOW(recv(v, buffer, 10, 0));
    close(u);
    close(v);
}

static void test_backlog(void) {
    int l = listener(2), c[10], got = 0;
    for (int i = 0; i < 3; i++) c[i] = client(port_of(l), SOCK_NONBLOCK);
    for (int i = 0; i < 3; i++) printf("client %d: %x\n", i, wait_ready(c[i], POLLOUT));
    fcntl(l, F_SETFL, O_NONBLOCK);
    for (int s; (s = accept(l, NULL, NULL)) >= 0; got++) close(s);
    printf("accepted %d\n", got);
    for (int i = 0; i < 3; i++) close(c[i]);
    SHOW(set(l, IPPROTO_TCP, TCP_DEFER_ACCEPT, 5));
    int d = client(port_of(l), 0);
    SHOW(accept(l, NULL, NULL));
    write(d, "go", 2);
    SHOW(wait_ready(l, POLLIN));
    int s = accept(l, NULL, NULL);
    SHOW(read(s, buffer, 10));
    close(s);
    close(d);
    close(l);
}

/* The same two ends again and again, while the server's side of the last connection is in TIME_WAIT. */
static void test_again(void) {
    int l = listener(5), port = port_of(l), done = 0;
    for (int i = 0; i < 20; i++) {
        struct sockaddr_storage from, to;
        int c = socket(family, SOCK_STREAM, 0);
        set(c, SOL_SOCKET, SO_REUSEADDR, 1);
        socklen_t size = loopback(&from, port ^ 1);
        loopback(&to, port);
        if (bind(c, (void *)&from, size) || connect(c, (void *)&to, size)) {
            printf("again %d: %s\n", i, strerror(errno));
        } else {
            close(accept(l, NULL, NULL));
            done += read(c, buffer, 1) == 0;
        }
        close(c);
    }
    SHOW(done);
    close(l);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, on_pipe);
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    for (int round = 0; round < 2; round++, family = AF_INET6) {
        printf("== family %d\n", family);
        test_creation();
        test_bind();
        test_reuseport();
        test_connection();
        test_reset();
        test_refused();
        test_waiting();
        test_options();
        test_cork();
        test_bulk();
        test_windows();
        test_epoll();
        test_datagrams();
        test_many_messages();
        test_control();
        test_backlog();
        test_again();
        fflush(stdout);
    }
    test_six();
    test_four_by_six();
    return 0;
}
