/* Raw sockets and ping sockets over loopback: echo requests and their answers, filters, headers of the program's own, who may. Run as root. */
// variants: musl glibc
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); fflush(stdout); } while (0)
enum { LEVEL_RAW = 255, FILTER = 1 };
static struct sockaddr_in loop = {.sin_family = AF_INET};
static struct sockaddr_in6 loop6 = {.sin6_family = AF_INET6};
static uint8_t bytes[2048];

static uint16_t sum(const void *data, size_t size) {
    uint32_t total = 0;
    for (size_t i = 0; i < size; i += 2) total += ((const uint8_t *)data)[i] | (i + 1 < size ? ((const uint8_t *)data)[i + 1] << 8 : 0);
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return (uint16_t)~total;
}
static size_t echo(uint8_t *at, int type, uint16_t id, uint16_t sequence, const char *text) {
    size_t size = 8 + strlen(text);
    memset(at, 0, 8), at[0] = (uint8_t)type, memcpy(at + 4, (uint16_t[]){htons(id), htons(sequence)}, 4), memcpy(at + 8, text, strlen(text));
    uint16_t checksum = sum(at, size);
    memcpy(at + 2, &checksum, 2);
    return size;
}
/* What comes within half a second, ordered by kind where several come. */
static void show(int fd, const char *title, bool header) {
    struct pollfd p = {fd, POLLIN, 0};
    int count = 0;
    printf("%s:", title);
    while (count < 4 && poll(&p, 1, count ? 100 : 500) > 0) {
        struct sockaddr_in6 from;
        socklen_t length = sizeof from;
        long size = recvfrom(fd, bytes, sizeof bytes, 0, (void *)&from, &length);
        const uint8_t *icmp = bytes;
        if (size < 0) { printf(" %s", strerror(errno)); break; }
        if (header) {
            const struct ip *ip = (void *)bytes;
            printf(" [ip %d header %d length %d ttl %d protocol %d sum %d]", ip->ip_v, ip->ip_hl * 4, ntohs(ip->ip_len) == size, ip->ip_ttl, ip->ip_p, sum(ip, (size_t)ip->ip_hl * 4));
            icmp += ip->ip_hl * 4, size -= ip->ip_hl * 4;
        }
        printf(" type %d code %d sequence %d text %.*s from %s port %d", icmp[0], icmp[1], icmp[6] << 8 | icmp[7], (int)size - 8, icmp + 8,
               length == sizeof from ? IN6_IS_ADDR_LOOPBACK(&from.sin6_addr) ? "::1" : "another" : inet_ntoa(((struct sockaddr_in *)&from)->sin_addr), ntohs(from.sin6_port));
        count++;
    }
    printf(" (%d)\n", count), fflush(stdout);
}

static void raw4(void) {
    uint8_t out[128];
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), other, number = -1;
    socklen_t length = sizeof number;
    struct sockaddr_in name;
    SHOW(fd >= 0);
    size_t size = echo(out, ICMP_ECHO, 77, 1, "hello");
    SHOW(sendto(fd, out, size, 0, (void *)&loop, sizeof loop));
    show(fd, "request and answer", true);
    uint32_t filter = 1u << ICMP_ECHO;
    SHOW(setsockopt(fd, LEVEL_RAW, FILTER, &filter, sizeof filter));
    filter = 0, length = sizeof filter, SHOW(getsockopt(fd, LEVEL_RAW, FILTER, &filter, &length)); SHOW(filter); SHOW(length);
    size = echo(out, ICMP_ECHO, 77, 2, "filtered"), SHOW(sendto(fd, out, size, 0, (void *)&loop, sizeof loop));
    show(fd, "the answer alone", true);
    FAILS(send(fd, out, size, 0));
    length = sizeof name; FAILS(getpeername(fd, (void *)&name, &length));
    SHOW(connect(fd, (void *)&loop, sizeof loop)); SHOW(send(fd, out, size, 0)); show(fd, "connected", true);
    length = sizeof name; FAILS(getpeername(fd, (void *)&name, &length)); loop.sin_port = htons(5);
    SHOW(connect(fd, (void *)&loop, sizeof loop)); length = sizeof name; SHOW(getpeername(fd, (void *)&name, &length)); printf("%s %d\n", inet_ntoa(name.sin_addr), ntohs(name.sin_port)); loop.sin_port = 0;
    length = sizeof name; SHOW(getsockname(fd, (void *)&name, &length)); printf("%s %d\n", inet_ntoa(name.sin_addr), ntohs(name.sin_port));
    int ttl = 9; SHOW(setsockopt(fd, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl)); filter = 1u << ICMP_ECHOREPLY, setsockopt(fd, LEVEL_RAW, FILTER, &filter, sizeof filter);
    SHOW(send(fd, out, size, 0)); show(fd, "the request alone, with its hops", true);
    /* A header of one's own */
    other = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    length = sizeof number; SHOW(getsockopt(other, IPPROTO_IP, IP_HDRINCL, &number, &length)); SHOW(number);
    length = sizeof number; SHOW(getsockopt(fd, IPPROTO_IP, IP_HDRINCL, &number, &length)); SHOW(number);
    uint8_t whole[128] = {0};
    struct ip *ip = (void *)whole;
    *ip = (struct ip){.ip_v = 4, .ip_hl = 5, .ip_ttl = 33, .ip_p = IPPROTO_ICMP, .ip_dst = loop.sin_addr};
    size = 20 + echo(whole + 20, ICMP_ECHO, 78, 3, "made");
    filter = 0, setsockopt(fd, LEVEL_RAW, FILTER, &filter, sizeof filter);
    SHOW(sendto(other, whole, size, 0, (void *)&loop, sizeof loop)); show(fd, "made by hand", true);
    whole[0] = 0x41; FAILS(sendto(other, whole, size, 0, (void *)&loop, sizeof loop)); FAILS(sendto(other, whole, 10, 0, (void *)&loop, sizeof loop));
    close(other), close(fd);
    /* A protocol that nobody else has */
    fd = socket(AF_INET, SOCK_RAW, 253), other = socket(AF_INET, SOCK_RAW, 253);
    SHOW(bind(other, (void *)&loop, sizeof loop)); SHOW(sendto(fd, "\0\0\0\0\0\0\0\7experiment", 18, 0, (void *)&loop, sizeof loop)); show(fd, "one", true); show(other, "two", true);
    struct sockaddr_in elsewhere = loop;
    elsewhere.sin_addr.s_addr = htonl(0xc6336401); FAILS(bind(other, (void *)&elsewhere, sizeof elsewhere));
    close(fd), close(other);
    FAILS(socket(AF_INET, SOCK_RAW, 0)); FAILS(socket(AF_INET, SOCK_RAW, -1));
}

static void raw6(void) {
    uint8_t out[128];
    int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), number = -2;
    socklen_t length = sizeof number;
    SHOW(fd >= 0);
    SHOW(getsockopt(fd, IPPROTO_IPV6, 7, &number, &length)); SHOW(number); number = 4; FAILS(setsockopt(fd, IPPROTO_IPV6, 7, &number, sizeof number));
    struct icmp6_filter filter;
    ICMP6_FILTER_SETBLOCKALL(&filter);
    ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
    SHOW(setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter));
    size_t size = echo(out, ICMP6_ECHO_REQUEST, 79, 5, "six");
    SHOW(sendto(fd, out, size, 0, (void *)&loop6, sizeof loop6)); show(fd, "answer over IPv6", false);
    close(fd);
}

static void ping(int family, int protocol, int request, int answer, void *to, socklen_t length) {
    uint8_t out[128];
    int fd = socket(family, SOCK_DGRAM, protocol), second = socket(family, SOCK_DGRAM, protocol);
    struct sockaddr_in6 name = {0}, same;
    socklen_t size = sizeof name;
    SHOW(fd >= 0);
    size_t count = echo(out, request, 1, 6, "ping");
    SHOW(sendto(fd, out, count, 0, to, length)); show(fd, "ping", false);
    SHOW(getsockname(fd, (void *)&name, &size)); SHOW(name.sin6_port != 0);
        memcpy(&same, to, length);
    same.sin6_port = 0; SHOW(bind(second, (void *)&same, length)); SHOW(sendto(second, out, count, 0, to, length)); show(second, "from an address", false); show(fd, "the other gets nothing", false);
    out[0] = (uint8_t)answer; FAILS(sendto(fd, out, count, 0, to, length)); out[0] = (uint8_t)request; FAILS(sendto(fd, out, 7, 0, to, length));
    SHOW(connect(fd, to, length)); SHOW(send(fd, out, count, 0)); show(fd, "connected", false);
    close(fd), close(second);
}

int main(void) {
    int s;
    loop.sin_addr.s_addr = htonl(INADDR_LOOPBACK), loop6.sin6_addr = in6addr_loopback;
    raw4();
    raw6();
    ping(AF_INET, IPPROTO_ICMP, ICMP_ECHO, ICMP_ECHOREPLY, &loop, sizeof loop);
    ping(AF_INET6, IPPROTO_ICMPV6, ICMP6_ECHO_REQUEST, ICMP6_ECHO_REPLY, &loop6, sizeof loop6);
    if (!fork()) {
        if (setgid(1000) || setuid(1000)) _exit(1);
        FAILS(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)); FAILS(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
        _exit(0);
    }
    wait(&s);
    return s;
}
