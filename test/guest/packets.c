/* Packet sockets over loopback, and with an argument over that interface: who sees which frames, filters, the ring, options, who may. Run as root. */
// variants: glibc
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SHOW(expression) (printf("%s = %ld\n", #expression, (long)(expression)), fflush(stdout))
#define FAILS(expression) do { errno = 0; long r_ = (long)(expression); printf("%s = %ld, %s\n", #expression, r_, r_ < 0 ? strerror(errno) : "-"); fflush(stdout); } while (0)
enum { ALL = 3, IP = 0x0800, OWN = 0x88b5 }; /* OWN: for experiments (IEEE 802) */
static uint8_t bytes[4096];
static struct sockaddr_ll on(const char *name, int protocol) {
    return (struct sockaddr_ll){.sll_family = AF_PACKET, .sll_protocol = htons((uint16_t)protocol), .sll_ifindex = (int)if_nametoindex(name)};
}
static int opened(int type, const char *name, int protocol) {
    int fd = socket(AF_PACKET, type, 0);
    struct sockaddr_ll at = on(name, protocol);
    if (fd < 0 || bind(fd, (void *)&at, sizeof at)) printf("cannot: %s\n", strerror(errno));
    return fd;
}
static const char *kind(int number) { return (const char *[]){"to us", "to all", "to a group", "to another", "from us", "?"}[number < 5 ? number : 5]; }
static void show(int fd, const char *title) {
    struct pollfd p = {fd, POLLIN, 0};
    int count = 0;
    printf("%s:", title);
    for (; count < 6 && poll(&p, 1, count ? 100 : 300) > 0; count++) {
        struct sockaddr_ll from = {0};
        socklen_t length = sizeof from;
        long size = recvfrom(fd, bytes, sizeof bytes, MSG_TRUNC, (void *)&from, &length);
        if (size < 0) { printf(" %s", strerror(errno)); break; }
        printf(" [%ld bytes, name %d, protocol %#x, on %d, hardware %d, %s, address of %d, begins %02x, ends %02x]", size, (int)length, ntohs(from.sll_protocol), from.sll_ifindex != 0, from.sll_hatype, kind(from.sll_pkttype),
               from.sll_halen, bytes[0], size > 0 && size <= (long)sizeof bytes ? bytes[size - 1] : 0);
    }
    printf(" (%d)\n", count), fflush(stdout);
}
static void datagram(const char *text) { /* one UDP packet over loopback */
    static int to = -1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(9999), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (to < 0) {
        int sink = socket(AF_INET, SOCK_DGRAM, 0);
        bind(sink, (void *)&at, sizeof at);
        to = socket(AF_INET, SOCK_DGRAM, 0);
    }
    sendto(to, text, strlen(text), 0, (void *)&at, sizeof at);
}

static void seen(void) {
    int all = opened(SOCK_RAW, "lo", ALL), ip = opened(SOCK_DGRAM, "lo", IP), six = opened(SOCK_RAW, "lo", 0x86dd), none = socket(AF_PACKET, SOCK_RAW, 0);
    datagram("hello");
    show(all, "everything"), show(ip, "IPv4 behind its header"), show(six, "IPv6"), show(none, "of no protocol");
    struct sockaddr_ll name;
    socklen_t length = sizeof name;
    SHOW(getsockname(ip, (void *)&name, &length)); printf("%d %d %#x %d %d %d\n", (int)length, name.sll_family, ntohs(name.sll_protocol), name.sll_ifindex == (int)if_nametoindex("lo"), name.sll_hatype, name.sll_halen);
    length = sizeof name; FAILS(getpeername(ip, (void *)&name, &length)); FAILS(connect(ip, (void *)&name, sizeof name)); FAILS(listen(ip, 1)); FAILS(shutdown(ip, SHUT_RD));
    int number = 1;
    SHOW(setsockopt(all, SOL_PACKET, PACKET_IGNORE_OUTGOING, &number, sizeof number)); datagram("once"); show(all, "what comes alone");
    datagram("a longer one"); uint8_t few[8]; struct pollfd p = {ip, POLLIN, 0}; poll(&p, 1, 300);
    SHOW(ioctl(ip, FIONREAD, &number)); SHOW(number); SHOW(recv(ip, few, sizeof few, MSG_PEEK)); SHOW(few[0]); show(ip, "still there"); FAILS(recv(ip, few, 8, MSG_DONTWAIT)); FAILS(recv(ip, few, 8, MSG_OOB));
    struct tpacket_stats stats; length = sizeof stats;
    SHOW(getsockopt(ip, SOL_PACKET, PACKET_STATISTICS, &stats, &length)); SHOW(stats.tp_packets); SHOW(stats.tp_drops); SHOW(length);
    SHOW(getsockopt(ip, SOL_PACKET, PACKET_STATISTICS, &stats, &length)); SHOW(stats.tp_packets);
    close(all), close(ip), close(six), close(none);
}

/* Frames of a protocol that nobody has. */
static void sent(void) {
    int out = opened(SOCK_RAW, "lo", 0), in = opened(SOCK_RAW, "lo", OWN), body = opened(SOCK_DGRAM, "lo", OWN), all = opened(SOCK_DGRAM, "lo", ALL);
    uint8_t frame[60] = {[12] = OWN >> 8, [13] = OWN & 255, [14] = 'x', [59] = 'y'};
    FAILS(send(out, frame, sizeof frame, 0)); show(in, "frame"), show(body, "its body"), show(all, "gone and come");
    struct sockaddr_ll to = on("lo", OWN);
    to.sll_halen = 6;
    FAILS(sendto(body, "body", 4, 0, (void *)&to, sizeof to)); show(in, "with a header of the kernel's"); show(all, "gone and come"); show(body, "also its own");
    to.sll_addr[5] = 7; FAILS(sendto(body, "body", 4, 0, (void *)&to, sizeof to)); show(in, "to another"); to.sll_addr[5] = 0;
    memset(frame, 255, 6); FAILS(send(out, frame, sizeof frame, 0)); show(in, "to all"); frame[0] = 1; FAILS(send(out, frame, sizeof frame, 0)); show(in, "to a group");
    FAILS(send(out, frame, 13, 0)); to.sll_ifindex = 77; FAILS(sendto(out, frame, 60, 0, (void *)&to, sizeof to)); FAILS(sendto(out, frame, 60, 0, (void *)&to, 10));
    close(out), close(in), close(body), close(all);
    struct sockaddr_ll wrong = on("lo", ALL);
    int fd = socket(AF_PACKET, SOCK_RAW, htons(ALL));
    wrong.sll_ifindex = 4711; FAILS(bind(fd, (void *)&wrong, sizeof wrong)); wrong = on("lo", ALL), wrong.sll_family = AF_INET; FAILS(bind(fd, (void *)&wrong, sizeof wrong)); FAILS(bind(fd, (void *)&wrong, 8));
    close(fd);
    FAILS(socket(AF_PACKET, SOCK_STREAM, 0)); FAILS(socket(AF_PACKET, SOCK_SEQPACKET, 0));
}

static int attach(int fd, struct sock_filter *program, unsigned short count) {
    struct sock_fprog all = {count, program};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &all, sizeof all);
}
#define ATTACH(fd, ...) attach(fd, (struct sock_filter[]){__VA_ARGS__}, sizeof((struct sock_filter[]){__VA_ARGS__}) / sizeof(struct sock_filter))
static void filtered(void) {
    int fd = opened(SOCK_RAW, "lo", ALL), zero = 0, one = 1;
    /* UDP packets whose first byte is 'y', 44 bytes of them */
    SHOW(ATTACH(fd, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IP, 0, 6), BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 23), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 4),
                BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 14), BPF_STMT(BPF_LD | BPF_B | BPF_IND, 22), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 'y', 0, 1), BPF_STMT(BPF_RET | BPF_K, 44), BPF_STMT(BPF_RET | BPF_K, 0)));
    datagram("no"), datagram("yes, this is wanted"), datagram("nor this"); show(fd, "filtered");
    SHOW(ATTACH(fd, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1), BPF_STMT(BPF_RET | BPF_K, 65535), BPF_STMT(BPF_RET | BPF_K, 0)));
    datagram("go"); show(fd, "what goes alone");
    SHOW(ATTACH(fd, BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (uint32_t)(SKF_NET_OFF + 9)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 1), BPF_STMT(BPF_RET | BPF_K, 18), BPF_STMT(BPF_RET | BPF_K, 0)));
    datagram("net"); show(fd, "by the network header");
    SHOW(ATTACH(fd, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 5000), BPF_STMT(BPF_RET | BPF_K, 65535))); datagram("short"); show(fd, "a load from outside");
    FAILS(ATTACH(fd, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12))); FAILS(ATTACH(fd, BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), BPF_STMT(BPF_RET | BPF_K, 1))); FAILS(ATTACH(fd, BPF_STMT(BPF_LD | BPF_MEM, 3), BPF_STMT(BPF_RET | BPF_A, 0)));
    FAILS(ATTACH(fd, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_A, 0))); FAILS(ATTACH(fd, BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_A, 0))); FAILS(ATTACH(fd, {0xffff, 0, 0, 0}, BPF_STMT(BPF_RET | BPF_A, 0)));
    FAILS(ATTACH(fd, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), BPF_STMT(BPF_RET | BPF_A, 0))); FAILS(attach(fd, (void *)8, 1)); FAILS(attach(fd, NULL, 0));
    SHOW(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof zero)); FAILS(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &zero, sizeof zero)); datagram("all"); show(fd, "without");
    SHOW(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &one, sizeof one)); FAILS(ATTACH(fd, BPF_STMT(BPF_RET | BPF_K, 0))); FAILS(setsockopt(fd, SOL_SOCKET, SO_LOCK_FILTER, &zero, sizeof zero));
    close(fd);
}

static void ring(int version, size_t word) {
    int fd = opened(SOCK_RAW, "lo", IP), length_of = version, first = TPACKET_V1, seven = 7;
    socklen_t length = sizeof length_of;
    SHOW(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &length_of, &length)); SHOW(length_of);
    length_of = 99, length = sizeof length_of; FAILS(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &length_of, &length));
    FAILS(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &seven, sizeof seven));
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version));
    struct tpacket_req wanted = {.tp_block_size = 4096, .tp_block_nr = 2, .tp_frame_size = 2048, .tp_frame_nr = 4}, wrong = wanted;
    wrong.tp_frame_nr = 5; FAILS(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &wrong, sizeof wrong)); wrong = wanted, wrong.tp_block_size = 4000; FAILS(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &wrong, sizeof wrong));
    wrong = wanted, wrong.tp_frame_size = 16; FAILS(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &wrong, sizeof wrong)); wrong = (struct tpacket_req){.tp_frame_nr = 1}; FAILS(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &wrong, sizeof wrong));
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &wanted, sizeof wanted)); FAILS(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &first, sizeof first)); FAILS(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &wanted, sizeof wanted));
    uint8_t *map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    SHOW(map != MAP_FAILED);
    struct pollfd p = {fd, POLLIN, 0};
    SHOW(poll(&p, 1, 0));
    for (int i = 0; i < 6; i++) datagram((char[]){(char)('a' + i), '.', 0});
    SHOW(poll(&p, 1, 500)); SHOW(p.revents);
    for (int i = 0; i < 4; i++) {
        uint8_t *at = map + 2048 * i;
        unsigned size, kept, state = *(volatile unsigned *)at;
        uint16_t link, network;
        memcpy(&size, at + word, 4), memcpy(&kept, at + word + 4, 4), memcpy(&link, at + word + 8, 2), memcpy(&network, at + word + 10, 2);
        const struct sockaddr_ll *from = (void *)(at + 32);
        printf("frame %d: %s, %u bytes, %u kept, link at %u, network at %u, IP version %d, text %c, protocol %#x, %s\n", i, state & 1 ? "ours" : "the kernel's", size, kept, link, network, at[network] >> 4, at[network + 28],
               ntohs(from->sll_protocol), kind(from->sll_pkttype));
        *(volatile unsigned *)at = 0;
    }
    SHOW(poll(&p, 1, 0));
    struct tpacket_stats stats; length = sizeof stats; SHOW(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length)); SHOW(stats.tp_packets); SHOW(stats.tp_drops);
    datagram("again"); poll(&p, 1, 500); SHOW(*(volatile unsigned *)map & 1);
    SHOW(munmap(map, 8192)); wanted = (struct tpacket_req){0}; SHOW(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &wanted, sizeof wanted)); datagram("read"); show(fd, "without a ring");
    close(fd);
}

static void options(void) {
    int fd = opened(SOCK_RAW, "lo", ALL), number = 1;
    struct packet_mreq many = {.mr_ifindex = (int)if_nametoindex("lo"), .mr_type = PACKET_MR_PROMISC}, bad = many;
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &many, sizeof many)); SHOW(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &many, sizeof many)); SHOW(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &many, sizeof many));
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &many, sizeof many)); FAILS(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &many, sizeof many));
    bad.mr_ifindex = 4711; FAILS(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &bad, sizeof bad)); FAILS(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &bad, 4)); FAILS(setsockopt(fd, SOL_PACKET, 4711, &number, sizeof number));
    SHOW(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &number, sizeof number));
    int other = 1;
    SHOW(setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &other, sizeof other)); SHOW(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &number, sizeof number)); datagram("told");
    char control[256];
    struct iovec vector = {bytes, 20};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    SHOW(recvmsg(fd, &message, 0)); SHOW(message.msg_flags & MSG_TRUNC);
    for (struct cmsghdr *it = CMSG_FIRSTHDR(&message); it; it = CMSG_NXTHDR(&message, it)) {
        printf("control level %d type %d length %zu", it->cmsg_level, it->cmsg_type, it->cmsg_len);
        struct tpacket_auxdata data;
        if (it->cmsg_level == SOL_PACKET) memcpy(&data, CMSG_DATA(it), sizeof data), printf(": %d, %u bytes, %u kept, link at %u, network at %u", data.tp_status & 1, data.tp_len, data.tp_snaplen, data.tp_mac, data.tp_net);
        puts("");
    }
    socklen_t length = sizeof number;
    SHOW(getsockopt(fd, SOL_SOCKET, SO_TYPE, &number, &length)); SHOW(number); SHOW(getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &number, &length)); SHOW(number);
    struct ifreq request = {.ifr_name = "lo"};
    SHOW(ioctl(fd, SIOCGIFHWADDR, &request)); SHOW(request.ifr_hwaddr.sa_family); SHOW(ioctl(fd, SIOCGIFMTU, &request)); SHOW(ioctl(fd, SIOCGIFADDR, &request));
    close(fd);
}

/* An address probe (RFC 5227) over a real interface, and what comes back: from whoever has 10.0.2.2. */
static void probe(const char *name) {
    int fd = opened(SOCK_DGRAM, name, 0x0806), all = opened(SOCK_RAW, name, ALL);
    struct ifreq request = {0};
    strcpy(request.ifr_name, name);
    SHOW(ioctl(fd, SIOCGIFHWADDR, &request)); SHOW(request.ifr_hwaddr.sa_family);
    uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 1, [24] = 10, 0, 2, 2};
    memcpy(arp + 8, request.ifr_hwaddr.sa_data, 6);
    struct sockaddr_ll to = on(name, 0x0806);
    to.sll_halen = 6, memset(to.sll_addr, 255, 6);
    SHOW(sendto(fd, arp, sizeof arp, 0, (void *)&to, sizeof to));
    struct pollfd p = {fd, POLLIN, 0};
    struct sockaddr_ll from;
    socklen_t length = sizeof from;
    while (poll(&p, 1, 3000) > 0 && recvfrom(fd, bytes, sizeof bytes, 0, (void *)&from, &length) >= 28)
        if (bytes[7] == 2) {
            printf("answer from %d.%d.%d.%d, %s, hardware %d, its address is the frame's %d\n", bytes[14], bytes[15], bytes[16], bytes[17], kind(from.sll_pkttype), from.sll_hatype, !memcmp(bytes + 8, from.sll_addr, 6));
            break;
        }
    bool gone = false, come = false;
    for (p.fd = all; !(gone && come) && poll(&p, 1, 1000) > 0;) {
        long size = recvfrom(all, bytes, sizeof bytes, 0, (void *)&from, &length);
        if (size < 42 || from.sll_protocol != htons(0x0806)) continue;
        gone |= from.sll_pkttype == PACKET_OUTGOING && bytes[21] == 1 && bytes[0] == 255;
        come |= from.sll_pkttype == PACKET_HOST && bytes[21] == 2;
    }
    SHOW(gone); SHOW(come);
    uint8_t big[1600] = {0}; FAILS(sendto(fd, big, 1501, 0, (void *)&to, sizeof to)); to.sll_halen = 9; FAILS(sendto(fd, arp, 28, 0, (void *)&to, sizeof to));
    close(fd), close(all);
}

int main(int count, char **arguments) {
    int s;
    seen();
    sent();
    filtered();
    ring(TPACKET_V1, 8);
    ring(TPACKET_V2, 4);
    options();
    if (count > 1) probe(arguments[1]);
    if (!fork()) {
        if (setgid(1000) || setuid(1000)) _exit(1);
        FAILS(socket(AF_PACKET, SOCK_RAW, 0)); FAILS(socket(AF_PACKET, SOCK_STREAM, 0));
        _exit(0);
    }
    wait(&s);
    return s;
}
