// variants: glibc pie musl linked
/* AF_UNIX: streams, datagrams, sequenced packets, names, descriptors and credentials, in one thread. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define SHOW(expression) do { errno = 0; long value_ = (long)(expression); printf("%s = %ld %s\n", #expression, value_, value_ < 0 ? strerror(errno) : ""); } while (0)
static char buffer[70000];
static int pipes;
static void on_pipe(int n) { (void)n; pipes++; }
static int ready(int fd) {
    struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDHUP, 0};
    poll(&p, 1, 0);
    return p.revents;
}
static socklen_t address(struct sockaddr_un *a, const char *name) {
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (name[0] == '@') {
        memcpy(a->sun_path + 1, name + 1, strlen(name) - 1);
        return offsetof(struct sockaddr_un, sun_path) + strlen(name);
    }
    strcpy(a->sun_path, name);
    return sizeof *a;
}
static volatile int urgent;
static void on_urgent(int n) { (void)n; urgent++; }
static int at_mark(int fd) { int n = -1; ioctl(fd, SIOCATMARK, &n); return n; }
static int waiting(int fd) { int n = -1; ioctl(fd, FIONREAD, &n); return n; }
static void get(int fd, size_t size, int flags) {
    memset(buffer, 0, 100);
    errno = 0;
    struct iovec v = {buffer, size};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
    struct pollfd p = {fd, POLLPRI, 0};
    long n = recvmsg(fd, &m, flags | MSG_DONTWAIT);
    printf("get %zu %x: %ld \"%s\" %x %s, mark %d, %s\n", size, (unsigned)flags, n, buffer, (unsigned)m.msg_flags, n < 0 ? strerror(errno) : "", at_mark(fd), poll(&p, 1, 0) && p.revents & POLLPRI ? "urgent" : "-");
}

/* MSG_OOB of streams: a byte with a place. */
static void out_of_band(void) {
    int p[2], d[2], on = 1, off = 0, group = 0;
    signal(SIGURG, on_urgent);
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, p)); SHOW(socketpair(AF_UNIX, SOCK_DGRAM, 0, d));
    SHOW(send(d[0], "x", 1, MSG_OOB)); SHOW(recv(d[1], buffer, 1, MSG_OOB | MSG_DONTWAIT)); SHOW(send(p[0], "", 0, MSG_OOB)); SHOW(recv(p[1], buffer, 1, MSG_OOB));
    SHOW(fcntl(p[1], F_GETOWN)); SHOW(fcntl(p[1], F_SETOWN, getpid())); SHOW(fcntl(p[1], F_GETOWN) == getpid()); SHOW(fcntl(p[1], F_SETOWN, 999999)); SHOW(ioctl(p[1], SIOCGPGRP, &group)); SHOW(group == getpid());
    SHOW(send(p[0], "hello!", 6, MSG_OOB)); SHOW(urgent); SHOW(waiting(p[1])); get(p[1], 50, MSG_PEEK); get(p[1], 1, MSG_OOB | MSG_PEEK); get(p[1], 3, 0); get(p[1], 50, 0); get(p[1], 1, MSG_OOB); get(p[1], 1, MSG_OOB); get(p[1], 50, 0);
    /* Nobody asks for it: the next read leaves it out */
    SHOW(send(p[0], "ab", 2, MSG_OOB)); SHOW(send(p[0], "cd", 2, 0)); get(p[1], 50, 0); get(p[1], 50, 0); get(p[1], 50, 0);
    /* Taken as such before what is in front of it */
    SHOW(send(p[0], "ab", 2, MSG_OOB)); SHOW(send(p[0], "cd", 2, 0)); get(p[1], 1, MSG_OOB); get(p[1], 50, MSG_PEEK); get(p[1], 50, 0); get(p[1], 50, 0);
    /* A newer one makes it ordinary */
    SHOW(send(p[0], "ab", 2, MSG_OOB)); SHOW(send(p[0], "cd", 2, MSG_OOB)); SHOW(urgent); get(p[1], 1, MSG_OOB); get(p[1], 50, 0); get(p[1], 50, 0);
    /* In line: a byte as others, but reads end before it */
    SHOW(setsockopt(p[1], SOL_SOCKET, SO_OOBINLINE, &on, sizeof on)); SHOW(send(p[0], "abc", 3, MSG_OOB)); SHOW(send(p[0], "de", 2, 0)); get(p[1], 1, MSG_OOB); get(p[1], 50, MSG_PEEK); get(p[1], 50, 0); get(p[1], 50, MSG_PEEK); get(p[1], 50, 0);
    SHOW(setsockopt(p[1], SOL_SOCKET, SO_OOBINLINE, &off, sizeof off));
    /* With the end of the stream behind it */
    SHOW(send(p[0], "z", 1, MSG_OOB)); close(p[0]); get(p[1], 1, MSG_OOB); get(p[1], 50, 0); SHOW(fcntl(p[1], F_SETOWN, -getpgrp())); SHOW(fcntl(p[1], F_GETOWN) == -getpgrp()); SHOW(urgent);
    close(p[1]); close(d[0]); close(d[1]);
}

static void show_name(int fd, int (*get)(int, struct sockaddr *, socklen_t *)) {
    struct sockaddr_un a = {0};
    socklen_t size = sizeof a;
    errno = 0;
    int result = get(fd, (void *)&a, &size);
    printf("name %d %s: %u family %d '%s'\n", result, result ? strerror(errno) : "", size, a.sun_family, a.sun_path[0] ? a.sun_path : a.sun_path + 1);
}
static long send_descriptors(int to, int *fds, int count, const char *text) {
    union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int) * 8)]; } control = {0};
    struct iovec v = {(void *)text, strlen(text)};
    struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(sizeof(int) * count)};
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(h), fds, sizeof(int) * count);
    return sendmsg(to, &m, 0);
}
static int received[8];
static void receive(int from, int flags, size_t control_size) {
    union { struct cmsghdr h; char space[256]; } control = {0};
    struct iovec v[2] = {{buffer, 3}, {buffer + 3, 20}};
    struct msghdr m = {.msg_iov = v, .msg_iovlen = 2, .msg_control = &control, .msg_controllen = control_size};
    errno = 0;
    long size = recvmsg(from, &m, flags);
    printf("received %ld %s '%.*s' flags %x", size, size < 0 ? strerror(errno) : "", size > 0 ? (int)size : 0, buffer, m.msg_flags & ~MSG_CMSG_CLOEXEC);
    if (size < 0) m.msg_controllen = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
        if (h->cmsg_type == SCM_RIGHTS) {
            int n = (int)((h->cmsg_len - CMSG_LEN(0)) / sizeof(int));
            memcpy(received, CMSG_DATA(h), n * sizeof(int));
            printf(" %d descriptors, cloexec %d", n, fcntl(received[0], F_GETFD));
        } else if (h->cmsg_type == SCM_CREDENTIALS) {
            struct ucred c;
            memcpy(&c, CMSG_DATA(h), sizeof c);
            printf(" credentials %d %d %d", c.pid == getpid(), c.uid == getuid(), c.gid == getgid());
        }
    }
    printf("\n");
}

static void streams(void) {
    int s[2], value;
    socklen_t size = sizeof value;
    struct ucred c;
    SHOW(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s));
    SHOW(fcntl(s[0], F_GETFD)); SHOW(fcntl(s[0], F_GETFL));
    struct stat st;
    SHOW(fstat(s[0], &st)); SHOW(S_ISSOCK(st.st_mode));
    SHOW(ready(s[0])); SHOW(read(s[0], buffer, 10)); SHOW(write(s[0], "hello", 5)); SHOW(send(s[0], " world", 6, 0)); SHOW(ready(s[1]));
    SHOW(ioctl(s[1], FIONREAD, &value)); SHOW(value);
    SHOW(recv(s[1], buffer, 8, MSG_PEEK)); SHOW(recv(s[1], buffer, 8, 0)); printf("%.8s\n", buffer);
    SHOW(recv(s[1], buffer, 8, MSG_WAITALL | MSG_DONTWAIT)); SHOW(recv(s[1], buffer, 8, MSG_DONTWAIT));
    long total = 0, n;
    memset(buffer, 'x', sizeof buffer);
    while ((n = write(s[0], buffer, sizeof buffer)) > 0) total += n;
    SHOW(errno == EAGAIN); SHOW(total > 100000); SHOW(ready(s[0]));
    while ((n = read(s[1], buffer, 12345)) > 0) total -= n;
    SHOW(total); SHOW(ready(s[0]));
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, &size)); SHOW(value); SHOW(getsockopt(s[0], SOL_SOCKET, SO_DOMAIN, &value, &size)); SHOW(value);
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_ERROR, &value, &size)); SHOW(value); SHOW(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &value, &size)); SHOW(value);
    value = 10000;
    SHOW(setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &value, 4)); SHOW(getsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &value, &size)); SHOW(value);
    size = sizeof c;
    SHOW(getsockopt(s[0], SOL_SOCKET, SO_PEERCRED, &c, &size)); SHOW(c.pid == getpid() && c.uid == getuid() && c.gid == getgid());
    SHOW(setsockopt(s[0], SOL_SOCKET, 999, &value, 4)); SHOW(setsockopt(s[0], SOL_SOCKET, SO_TYPE, &value, 4)); SHOW(getsockopt(open("/dev/null", O_WRONLY), SOL_SOCKET, SO_TYPE, &value, &size));
    show_name(s[0], getsockname); show_name(s[0], getpeername);
    SHOW(shutdown(s[0], SHUT_WR)); SHOW(ready(s[1])); SHOW(ready(s[0])); SHOW(read(s[1], buffer, 5)); SHOW(send(s[0], "x", 1, MSG_NOSIGNAL));
    SHOW(write(s[1], "back", 4)); SHOW(read(s[0], buffer, 10)); SHOW(shutdown(s[0], 7));
    SHOW(write(s[1], "unread", 6)); SHOW(close(s[0])); SHOW(ready(s[1])); SHOW(read(s[1], buffer, 5)); SHOW(read(s[1], buffer, 5));
    SHOW(write(s[1], "x", 1)); SHOW(pipes); SHOW(close(s[1]));
    SHOW(socket(AF_UNIX, 77, 0)); SHOW(socket(AF_UNIX, SOCK_STREAM, 5)); SHOW(socket(99, SOCK_STREAM, 0)); SHOW(socketpair(99, SOCK_STREAM, 0, s));
    SHOW(send(open("/dev/null", O_WRONLY), "x", 1, 0)); SHOW(send(99, "x", 1, 0)); SHOW(setsockopt(99, 1, 1, &value, 4));
}

static void names(const char *path) {
    struct sockaddr_un a;
    socklen_t length = address(&a, path), size;
    struct stat st;
    char c;
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0), more[3];
    printf("-- %s\n", path[0] == '@' ? "abstract" : "path");
    SHOW(ready(client)); SHOW(connect(client, (void *)&a, length)); SHOW(listen(listener, 1)); SHOW(read(client, &c, 1)); SHOW(write(client, &c, 1));
    SHOW(bind(listener, (void *)&a, length)); SHOW(bind(client, (void *)&a, length));
    if (path[0] != '@') { SHOW(stat(path, &st)); SHOW(S_ISSOCK(st.st_mode)); SHOW(open(path, O_RDWR)); }
    SHOW(connect(client, (void *)&a, length)); SHOW(accept(listener, NULL, NULL));
    SHOW(listen(listener, 1)); SHOW(listen(other, 1)); SHOW(connect(other, (void *)&a, length)); SHOW(ready(listener));
    SHOW(connect(client, (void *)&a, length)); SHOW(ready(listener)); SHOW(connect(client, (void *)&a, length)); SHOW(write(client, "early", 5));
    size = sizeof a;
    int server = accept4(listener, (void *)&a, &size, SOCK_NONBLOCK);
    SHOW(size); SHOW(server >= 0); SHOW(read(server, buffer, 10));
    length = address(&a, path);
    if (path[0] != '@') show_name(server, getsockname), show_name(client, getpeername), show_name(listener, getsockname);
    show_name(client, getsockname); show_name(listener, getpeername);
    for (int i = 0; i < 3; i++) {
        more[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        SHOW(connect(more[i], (void *)&a, length));
    }
    fcntl(listener, F_SETFL, O_NONBLOCK);
    close(accept(listener, NULL, NULL)); close(accept(listener, NULL, NULL));
    SHOW(accept(listener, NULL, NULL));
    SHOW(read(more[0], &c, 1)); SHOW(close(listener)); SHOW(write(client, "x", 1)); SHOW(connect(more[2], (void *)&a, length));
    if (path[0] != '@') { SHOW(unlink(path)); SHOW(connect(more[2], (void *)&a, length)); }
    a.sun_family = 7;
    SHOW(connect(more[2], (void *)&a, length)); SHOW(bind(more[2], (void *)&a, length)); SHOW(bind(more[2], (void *)&a, 200));
    for (int i = 0; i < 3; i++) close(more[i]);
    close(client); close(server); close(other);
}

static void datagrams(int type) {
    int s[2];
    printf("-- type %d\n", type);
    SHOW(socketpair(AF_UNIX, type, 0, s));
    SHOW(send(s[0], "first message", 13, 0)); SHOW(send(s[0], "", 0, 0)); SHOW(send(s[0], "third", 5, 0));
    SHOW(recv(s[1], buffer, 5, MSG_PEEK | MSG_TRUNC)); receive(s[1], MSG_PEEK, 0);
    SHOW(recv(s[1], buffer, 5, 0)); SHOW(recv(s[1], buffer, 5, 0)); SHOW(recv(s[1], buffer, 3, MSG_TRUNC)); SHOW(recv(s[1], buffer, 3, MSG_DONTWAIT));
    int n = 0;
    while (n < 1000 && send(s[0], "x", 1, MSG_DONTWAIT) == 1) n++;
    SHOW(errno == EAGAIN); SHOW(n > 5);
    SHOW(send(s[0], buffer, 1 << 20, 0));
    for (int i = 0; i < n; i++) recv(s[1], buffer, 5, MSG_DONTWAIT);
    SHOW(ready(s[0]));
    struct mmsghdr many[3] = {0};
    struct iovec v[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}}, in[3] = {{buffer, 10}, {buffer + 10, 10}, {buffer + 20, 10}};
    for (int i = 0; i < 3; i++) many[i].msg_hdr.msg_iov = &v[i], many[i].msg_hdr.msg_iovlen = 1;
    SHOW(sendmmsg(s[0], many, 3, 0)); SHOW(many[2].msg_len);
    for (int i = 0; i < 3; i++) many[i].msg_hdr.msg_iov = &in[i];
    SHOW(recvmmsg(s[1], many, 3, MSG_WAITFORONE, NULL)); SHOW(many[1].msg_len);
    struct timeval soon = {0, 20000};
    SHOW(setsockopt(s[1], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon)); SHOW(recv(s[1], buffer, 5, 0));
    SHOW(close(s[0])); SHOW(recv(s[1], buffer, 5, MSG_DONTWAIT)); SHOW(send(s[1], "x", 1, 0)); SHOW(send(s[1], "x", 1, 0)); SHOW(ready(s[1]));
    close(s[1]);
}

static void addressed(void) {
    struct sockaddr_un a, from;
    socklen_t length = address(&a, "@hull-test-datagrams"), size = sizeof from;
    int one = socket(AF_UNIX, SOCK_DGRAM, 0), two = socket(AF_UNIX, SOCK_DGRAM, 0);
    SHOW(sendto(one, "x", 1, 0, (void *)&a, length)); SHOW(bind(two, (void *)&a, length)); SHOW(sendto(one, "xy", 2, 0, (void *)&a, length));
    SHOW(recvfrom(two, buffer, 9, 0, (void *)&from, &size)); SHOW(size); SHOW(send(one, "x", 1, 0));
    SHOW(bind(one, (void *)&(struct sockaddr_un){.sun_family = AF_UNIX}, 2));
    size = sizeof from;
    SHOW(getsockname(one, (void *)&from, &size)); SHOW(size);
    SHOW(connect(one, (void *)&a, length)); SHOW(send(one, "abc", 3, 0));
    size = sizeof from;
    SHOW(recvfrom(two, buffer, 9, 0, (void *)&from, &size)); SHOW(size); SHOW(sendto(two, "back", 4, 0, (void *)&from, size)); SHOW(recv(one, buffer, 9, 0));
    SHOW(connect(one, &(struct sockaddr){.sa_family = AF_UNSPEC}, 2)); SHOW(send(one, "abc", 3, 0));
    close(one); close(two);
}

static void descriptors(void) {
    int s[2], p[2], other[2], yes = 1;
    char c;
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, s)); SHOW(pipe(p));
    SHOW(send_descriptors(s[0], p, 2, "two")); SHOW(write(s[0], "more", 4));
    SHOW(close(p[0])); SHOW(write(p[1], "q", 1)); SHOW(close(p[1]));
    receive(s[1], 0, 256);
    SHOW(read(received[0], &c, 1)); SHOW(c); SHOW(write(received[1], "r", 1)); SHOW(read(received[0], &c, 1));
    receive(s[1], MSG_DONTWAIT, 256);
    SHOW(send_descriptors(s[0], received, 2, "cut"));
    close(received[0]); close(received[1]);
    receive(s[1], MSG_CMSG_CLOEXEC, CMSG_LEN(sizeof(int)));
    close(received[0]);
    int bad = 99;
    SHOW(send_descriptors(s[0], &bad, 1, "bad"));
    SHOW(setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &yes, 4)); SHOW(write(s[0], "who", 3));
    receive(s[1], 0, 256);
    SHOW(close(s[0])); SHOW(close(s[1]));
    /* In a queue of its own, and in each other's: nothing may stay (many rounds in little memory). */
    for (int i = 0; i < 3000; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, s) || socketpair(AF_UNIX, SOCK_DGRAM, 0, other)) { printf("round %d: %s\n", i, strerror(errno)); break; }
        if (write(s[0], buffer, 30000) != 30000 || send_descriptors(s[0], s, 2, "own") < 0 || send_descriptors(s[1], other, 2, "o") < 0 ||
            send_descriptors(other[0], s, 1, "x") < 0) { printf("round %d: %s\n", i, strerror(errno)); break; }
        close(s[0]); close(s[1]); close(other[0]); close(other[1]);
    }
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
    SHOW(s[0]);
    close(s[0]); close(s[1]);
}

/* SO_TIMESTAMP and SO_TIMESTAMPNS: the last one counts, and what was sent before either was set has a time, too. Streams take the options and tell nothing. */
static void times(int type) {
    int s[2], on = 1, off = 0, value;
    socklen_t size = sizeof value;
    SHOW(socketpair(AF_UNIX, type, 0, s)); SHOW(write(s[1], "1", 1));
    for (int round = 0; round < 4; round++) {
        int option = round & 1 ? SO_TIMESTAMPNS : SO_TIMESTAMP;
        SHOW(setsockopt(s[0], SOL_SOCKET, option, round == 3 ? &off : &on, sizeof on));
        SHOW(getsockopt(s[0], SOL_SOCKET, SO_TIMESTAMP, &value, &size)); SHOW(value); SHOW(getsockopt(s[0], SOL_SOCKET, SO_TIMESTAMPNS, &value, &size)); SHOW(value);
        SHOW(write(s[1], "2", 1)); SHOW(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
        union { struct cmsghdr h; char space[256]; } control;
        struct iovec v = {buffer, 1};
        struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        SHOW(recvmsg(s[0], &m, 0)); SHOW(m.msg_controllen);
        for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
            struct timespec now, told;
            clock_gettime(CLOCK_REALTIME, &now);
            memcpy(&told, CMSG_DATA(h), sizeof told);
            if (h->cmsg_type == SO_TIMESTAMP) told.tv_nsec *= 1000;
            double ago = (double)(now.tv_sec - told.tv_sec) + (double)(now.tv_nsec - told.tv_nsec) / 1e9;
            printf("control %d %zu %s\n", h->cmsg_type, (size_t)h->cmsg_len, h->cmsg_type == SCM_CREDENTIALS ? "" : ago > -1 && ago < 60 ? "a time" : "no time");
        }
    }
    close(s[0]); close(s[1]);
}

static void events(void) {
    int s[2], set = epoll_create1(0);
    struct epoll_event e = {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, {0}};
    SHOW(socketpair(AF_UNIX, SOCK_STREAM, 0, s)); SHOW(epoll_ctl(set, EPOLL_CTL_ADD, s[0], &e));
    SHOW(epoll_wait(set, &e, 1, 0)); SHOW(e.events); SHOW(epoll_wait(set, &e, 1, 0));
    SHOW(write(s[1], "x", 1)); SHOW(epoll_wait(set, &e, 1, 0)); SHOW(e.events); SHOW(epoll_wait(set, &e, 1, 0));
    SHOW(shutdown(s[1], SHUT_WR)); SHOW(epoll_wait(set, &e, 1, 0)); SHOW(e.events);
    SHOW(close(s[1])); SHOW(epoll_wait(set, &e, 1, 0)); SHOW(e.events);
    close(s[0]); SHOW(epoll_wait(set, &e, 1, 0)); close(set);
}

int main(void) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    signal(SIGPIPE, on_pipe);
    streams();
    char path[40];
    snprintf(path, sizeof path, "/tmp/hull-%s", "socket-test");
    unlink(path);
    names(path);
    names("@hull-test-stream");
    datagrams(SOCK_DGRAM);
    datagrams(SOCK_SEQPACKET);
    addressed();
    times(SOCK_DGRAM);
    times(SOCK_SEQPACKET);
    times(SOCK_STREAM);
    descriptors();
    events();
    out_of_band();
    return 0;
}
