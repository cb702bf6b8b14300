/*
 * Frames that no honest host sends, on an interface of this host (packet(7)). Usage: flood syn|junk INTERFACE COUNT PER_SECOND SEED. They are for the machine 10.0.2.15, whose hardware address
 * is learned by asking (RFC 826).
 * syn: requests for TCP connections to port 9000, each from another address and port, so that none is ever completed. junk: frames of ARP, IPv4 (TCP, UDP, ICMP, IGMP, fragments) and IPv6
 * with fields changed, lengths that lie, overlapping fragments, cut anywhere. Prints how many were sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t state;
static unsigned char own[6], theirs[6];
static const unsigned char guest[4] = {10, 0, 2, 15}, host[4] = {10, 0, 2, 2};

static uint32_t draw(uint32_t below) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (uint32_t)(((z ^ (z >> 31)) >> 32) * below >> 32);
}

static void put16(unsigned char *at, unsigned value) {
    at[0] = (unsigned char)(value >> 8);
    at[1] = (unsigned char)value;
}

static uint32_t add(const unsigned char *at, unsigned size, uint32_t sum) {
    for (unsigned i = 0; i + 1 < size; i += 2) sum += (uint32_t)at[i] << 8 | at[i + 1];
    return size & 1 ? sum + ((uint32_t)at[size - 1] << 8) : sum;
}

static unsigned fold(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

/* An IPv4 packet from `from` with right sums. */
static unsigned make_ip(unsigned char *frame, const unsigned char *from, unsigned protocol, unsigned fragment, const unsigned char *payload, unsigned size) {
    memcpy(frame, theirs, 6);
    memcpy(frame + 6, own, 6);
    put16(frame + 12, ETH_P_IP);
    unsigned char *ip = frame + 14;
    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, 20 + size);
    put16(ip + 4, fragment ? 77 : draw(65536));
    put16(ip + 6, fragment);
    ip[8] = 64;
    ip[9] = (unsigned char)protocol;
    memcpy(ip + 12, from, 4);
    memcpy(ip + 16, guest, 4);
    put16(ip + 10, fold(add(ip, 20, 0)));
    memcpy(ip + 20, payload, size);
    unsigned at = protocol == 6 ? 16 : protocol == 17 ? 6 : 2;
    if (size > at + 1 && !fragment) {
        uint32_t sum = protocol == 6 || protocol == 17 ? add(ip + 12, 8, protocol + size) : 0;
        put16(ip + 20 + at, 0);
        put16(ip + 20 + at, fold(add(ip + 20, size, sum)));
    }
    return 34 + size;
}

static unsigned make_syn(unsigned char *frame) {
    unsigned char from[4] = {10, (unsigned char)(16 + draw(200)), (unsigned char)draw(256), (unsigned char)(1 + draw(250))}, tcp[24] = {0};
    put16(tcp, 1024 + draw(60000));
    put16(tcp + 2, 9000);
    put16(tcp + 4, draw(65536));
    put16(tcp + 6, draw(65536));
    tcp[12] = 6 << 4;
    tcp[13] = 2;
    put16(tcp + 14, 65535);
    tcp[20] = 2, tcp[21] = 4;
    put16(tcp + 22, 1460);
    return make_ip(frame, from, 6, 0, tcp, sizeof tcp);
}

static unsigned make_junk(unsigned char *frame) {
    unsigned char payload[1400];
    unsigned size = draw(3) ? draw(120) : draw(sizeof payload), length, kind = draw(8);
    for (unsigned i = 0; i < size; i++) payload[i] = (unsigned char)draw(256);
    if (kind == 0) { /* ARP, IPv6 or anything */
        memcpy(frame, draw(2) ? theirs : (const unsigned char *)"\xff\xff\xff\xff\xff\xff", 6);
        memcpy(frame + 6, own, 6);
        put16(frame + 12, draw(3) == 0 ? ETH_P_ARP : draw(2) ? ETH_P_IPV6 : draw(65536));
        memcpy(frame + 14, payload, size);
        if (size > 40 && frame[12] == 0x86) frame[14] = 0x60, frame[20] = (unsigned char)(draw(2) ? 58 : draw(61)), put16(frame + 18, draw(2) ? size - 40 : draw(65536));
        length = 14 + size;
    } else if (kind == 1) { /* fragments that overlap, some of them past the end */
        length = make_ip(frame, host, draw(2) ? 17 : 1, draw(2) << 13 | draw(draw(4) ? 64 : 8192), payload, size & ~7u);
    } else {
        if (size > 20) {
            put16(payload, 1024 + draw(60000));
            put16(payload + 2, draw(2) ? 9000 : draw(65536));
            if (draw(3)) payload[12] = (unsigned char)(draw(16) << 4), payload[13] = (unsigned char)(1u << draw(6));
        }
        length = make_ip(frame, host, kind < 5 ? 6 : kind == 5 ? 17 : kind == 6 ? 1 : draw(256), 0, payload, size);
    }
    for (unsigned n = draw(3); n; n--) frame[12 + draw(length - 12)] = (unsigned char)draw(256);
    return draw(5) ? length : 14 + draw(length - 13);
}

static int ask_address(int fd) {
    unsigned char frame[2048] = "\xff\xff\xff\xff\xff\xff";
    memcpy(frame + 6, own, 6);
    memcpy(frame + 12, "\x08\x06\0\1\x08\0\6\4\0\1", 10);
    memcpy(frame + 22, own, 6);
    memcpy(frame + 28, host, 4);
    memcpy(frame + 38, guest, 4);
    for (int i = 0; i < 50; i++) {
        unsigned char answer[2048];
        struct pollfd polled = {fd, POLLIN, 0};
        if (write(fd, frame, 42) < 0) return 0;
        while (poll(&polled, 1, 100) > 0) {
            ssize_t size = read(fd, answer, sizeof answer);
            if (size < 42 || memcmp(answer + 12, "\x08\x06", 2) || answer[21] != 2 || memcmp(answer + 28, guest, 4)) continue;
            memcpy(theirs, answer + 22, 6);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
    struct ifreq request = {0};
    snprintf(request.ifr_name, IFNAMSIZ, "%s", argv[2]);
    if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request)) return perror(argv[2]), 1;
    memcpy(own, request.ifr_hwaddr.sa_data, 6);
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(argv[2])};
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) return perror(argv[2]), 1;
    if (!ask_address(fd)) return fprintf(stderr, "nobody has 10.0.2.15\n"), 1;
    unsigned long count = strtoul(argv[3], NULL, 10), rate = strtoul(argv[4], NULL, 10), sent = 0;
    state = strtoull(argv[5], NULL, 10);
    for (unsigned long i = 0; i < count; i++) {
        unsigned char frame[2048];
        unsigned size = argv[1][0] == 's' ? make_syn(frame) : make_junk(frame);
        if (write(fd, frame, size) == (ssize_t)size) sent++;
        if (i % 100 == 99) nanosleep(&(struct timespec){0, (long)(100 * 1000000000ul / rate) % 1000000000}, NULL);
    }
    printf("%lu frames sent\n", sent);
    return 0;
}
