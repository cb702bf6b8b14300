// variants: musl
/* What ICMP reports of datagrams (IP_RECVERR, MSG_ERRQUEUE; ip(7), ipv6(7)) and UDP_SEGMENT (udp(7)), over loopback, by IPv4 and IPv6. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); } while (0)
enum { UDP_LEVEL = 17, CORK = 1, SEGMENT = 103, GRO = 104 };
static int family;
static char bytes[70000];
static struct sockaddr_storage at;
static socklen_t length;

static void loopback(int port) {
    memset(&at, 0, sizeof at);
    if (family == AF_INET) {
        *(struct sockaddr_in *)&at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        length = sizeof(struct sockaddr_in);
    } else {
        *(struct sockaddr_in6 *)&at = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        length = sizeof(struct sockaddr_in6);
    }
}
static int bound(int *port) {
    int fd = socket(family, SOCK_DGRAM, 0);
    loopback(0);
    bind(fd, (void *)&at, length);
    getsockname(fd, (void *)&at, &(socklen_t){sizeof at});
    *port = ntohs(((struct sockaddr_in *)&at)->sin_port);
    return fd;
}
static int ready(int fd, int events, int milliseconds) {
    struct pollfd one = {fd, (short)events, 0};
    poll(&one, 1, milliseconds);
    return one.revents;
}
static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }
static int get(int fd, int level, int name) {
    int value = -77;
    return getsockopt(fd, level, name, &value, &(socklen_t){sizeof value}) ? -errno : value;
}
static int ask(int fd, int on) { return family == AF_INET ? set(fd, IPPROTO_IP, IP_RECVERR, on) : set(fd, IPPROTO_IPV6, IPV6_RECVERR, on); }

/* One report; how much came back of the datagram is the sender's of the report to choose (RFC 792: eight bytes at least). */
static void show(int fd, int port, size_t room) {
    char control[512];
    struct sockaddr_storage name = {0};
    struct iovec vector = {bytes, room};
    struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    long size = recvmsg(fd, &message, MSG_ERRQUEUE);
    if (size < 0) {
        printf("no report: %s\n", strerror(errno));
        return;
    }
    printf("report: flags %x, to the port %d, name %u, control %zu\n", message.msg_flags & ~MSG_TRUNC, ntohs(((struct sockaddr_in *)&name)->sin_port) == port, message.msg_namelen,
           (size_t)message.msg_controllen);
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each; each = CMSG_NXTHDR(&message, each)) {
        uint32_t words[4];
        struct sockaddr_storage offender = {0};
        memcpy(words, CMSG_DATA(each), sizeof words);
        memcpy(&offender, CMSG_DATA(each) + sizeof words, each->cmsg_len - CMSG_LEN(sizeof words));
        printf("level %d type %d length %zu: error %u, origin, type, code %x, info %u, offender of family %d\n", each->cmsg_level, each->cmsg_type, (size_t)each->cmsg_len, words[0], words[1],
               words[2], offender.ss_family);
    }
}

static void reports(void) {
    int dead, other, port;
    close(bound(&dead));
    int fd = socket(family, SOCK_DGRAM, 0);
    printf("who does not ask is not told\n");
    loopback(dead);
    FAILS(sendto(fd, "hello", 5, 0, (void *)&at, length));
    FAILS(ready(fd, POLLERR, 100));
    show(fd, dead, 100);
    FAILS(ask(fd, 1));
    FAILS(sendto(fd, "hello", 5, 0, (void *)&at, length));
    FAILS(ready(fd, POLLIN, 2000));
    FAILS(get(fd, SOL_SOCKET, SO_ERROR));
    FAILS(ready(fd, POLLIN, 0));
    show(fd, dead, 100);
    FAILS(ready(fd, POLLIN, 0));
    show(fd, dead, 100);
    printf("two of them, and the next call fails\n");
    FAILS(sendto(fd, "a", 1, 0, (void *)&at, length));
    ready(fd, POLLERR, 2000);
    FAILS(sendto(fd, "b", 1, 0, (void *)&at, length));
    FAILS(sendto(fd, "b", 1, 0, (void *)&at, length));
    usleep(100000);
    FAILS(recv(fd, bytes, 10, MSG_DONTWAIT));
    show(fd, dead, 100);
    FAILS(ready(fd, POLLERR, 0));
    FAILS(recv(fd, bytes, 10, MSG_DONTWAIT));
    show(fd, dead, 0);
    show(fd, dead, 0);
    printf("connected\n");
    FAILS(connect(fd, (void *)&at, length));
    FAILS(send(fd, "c", 1, 0));
    FAILS(ready(fd, POLLERR, 2000));
    FAILS(send(fd, "d", 1, 0));
    show(fd, dead, 100);
    show(fd, dead, 100);
    printf("what works goes on\n");
    other = bound(&port);
    loopback(port);
    FAILS(sendto(fd, "e", 1, 0, (void *)&at, length));
    FAILS(ready(other, POLLIN, 2000));
    FAILS(sendto(fd, "f", 1, 0, (loopback(dead), (void *)&at), length));
    ready(fd, POLLERR, 2000);
    close(fd); /* with a report that nobody reads */
    close(other);
}

static void segments(void) {
    int port, to = bound(&port), fd = socket(family, SOCK_DGRAM, 0);
    loopback(port);
    connect(fd, (void *)&at, length);
    FAILS(get(fd, UDP_LEVEL, SEGMENT));
    FAILS(set(fd, UDP_LEVEL, SEGMENT, -1));
    FAILS(set(fd, UDP_LEVEL, SEGMENT, 65536));
    FAILS(set(fd, UDP_LEVEL, SEGMENT, 4));
    FAILS(get(fd, UDP_LEVEL, SEGMENT));
    FAILS(set(to, UDP_LEVEL, GRO, 0));
    FAILS(get(to, UDP_LEVEL, GRO));
    FAILS(send(fd, "abcdefghij", 10, 0));
    for (int i = 0; i < 4; i++) {
        memset(bytes, 0, 20);
        ready(to, POLLIN, i < 3 ? 2000 : 50);
        FAILS(recv(to, bytes, 20, MSG_DONTWAIT));
        printf("%s\n", bytes);
    }
    FAILS(send(fd, "abcd", 4, 0));
    FAILS(send(fd, "", 0, 0));
    for (int i = 0; i < 2; i++) ready(to, POLLIN, 2000), recv(to, bytes, 20, MSG_DONTWAIT);
    FAILS(set(fd, UDP_LEVEL, SEGMENT, 0));
    union { char bytes[CMSG_SPACE(2)]; struct cmsghdr header; } control = {.header = {CMSG_LEN(2), UDP_LEVEL, SEGMENT}};
    uint16_t size = 1000;
    memcpy(CMSG_DATA(&control.header), &size, 2);
    struct iovec vector = {bytes, 2500};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    FAILS(sendmsg(fd, &message, 0));
    for (int i = 0; i < 3; i++) {
        ready(to, POLLIN, 2000);
        FAILS(recv(to, bytes, 2000, MSG_DONTWAIT));
    }
    size = 10;
    memcpy(CMSG_DATA(&control.header), &size, 2);
    FAILS(sendmsg(fd, &message, 0)); /* more than 128 */
    FAILS(ready(to, POLLIN, 50));
    FAILS(send(fd, bytes, 2500, 0));
    ready(to, POLLIN, 2000);
    FAILS(recv(to, bytes, 3000, MSG_DONTWAIT));
    close(fd);
    close(to);
}

int main(void) {
    for (int i = 0; i < 2; i++) {
        family = i ? AF_INET6 : AF_INET;
        printf("IPv%d\n", i ? 6 : 4);
        reports();
        segments();
    }
    return 0;
}
