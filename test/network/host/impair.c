/*
 * A bad link between two network namespaces, in user space: what the kernel's netem does, for kernels that have none. Usage:
 *   impair GUEST_NAMESPACE GUEST_TAP HOST_NAMESPACE HOST_TAP DELAY_MS JITTER_MS LOSS DUPLICATE REORDER SEED
 * GUEST_TAP is there already and has a machine behind it: its frames come and go through a packet socket (packet(7)). HOST_TAP is made here and ends with this process
 * (Linux: Documentation/networking/tuntap.rst). LOSS, DUPLICATE and REORDER are percentages of the frames each way. A frame that is reordered does not wait, so that it
 * overtakes those that do (tc-netem(8)). Prints "ready"; on SIGTERM what it did to how many frames, and how many of the
 * machine's had a wrong checksum, or none that a card could go on from: on the way within one host nobody else looks.
 * Rules: the host's side gives frames of the link's size; a machine's may be segments of up to 64 KiB that share one fate, as with netem on a tap. Room for QUEUE_MOST frames.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MOST 66000
#define QUEUE_MOST 4096

struct frame {
    uint64_t due, order;
    int to;
    uint32_t size;
    unsigned char *bytes;
};

static struct frame queue[QUEUE_MOST]; /* a heap: the next one first */
static int queued;
static uint64_t state, serial;
static struct { uint64_t frames, lost, doubled, reordered, overflowed, wrong; } count;
static volatile sig_atomic_t ended;

static void end(int signal) {
    (void)signal;
    ended = 1;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* splitmix64; 0 to 1. */
static double draw(void) {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return (double)((z ^ (z >> 31)) >> 11) / 9007199254740992.0;
}

static int is_before(const struct frame *a, const struct frame *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void swap(int a, int b) {
    struct frame kept = queue[a];
    queue[a] = queue[b];
    queue[b] = kept;
}

static void push(int to, const unsigned char *bytes, uint32_t size, uint64_t due) {
    if (queued == QUEUE_MOST) {
        count.overflowed++;
        return;
    }
    unsigned char *copy = malloc(size);
    memcpy(copy, bytes, size);
    queue[queued] = (struct frame){ due, serial++, to, size, copy };
    for (int i = queued++; i > 0 && is_before(&queue[i], &queue[(i - 1) / 2]); i = (i - 1) / 2) swap(i, (i - 1) / 2);
}

static struct frame pop(void) {
    struct frame first = queue[0];
    queue[0] = queue[--queued];
    for (int i = 0;;) {
        int least = i;
        for (int child = 2 * i + 1; child <= 2 * i + 2 && child < queued; child++)
            if (is_before(&queue[child], &queue[least])) least = child;
        if (least == i) return first;
        swap(i, least);
        i = least;
    }
}

static void enter(const char *namespace) {
    char path[300];
    snprintf(path, sizeof path, "/run/netns/%s", namespace);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET)) fail(path);
    close(fd);
}

/* Frames behind a virtio_net_hdr of 10 bytes, both here and there. */
static int open_guest(const char *name) {
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL)), on = 1;
    struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name) };
    if (fd < 0 || !address.sll_ifindex) fail(name);
    if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on)) fail("PACKET_VNET_HDR");
    if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on)) fail("PACKET_IGNORE_OUTGOING");
    int room = 8 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    if (bind(fd, (struct sockaddr *)&address, sizeof address)) fail(name);
    return fd;
}

static uint32_t add(uint32_t sum, const unsigned char *bytes, uint32_t size) {
    for (uint32_t i = 0; i < size; i++) sum += (uint32_t)bytes[i] << (i & 1 ? 0 : 8);
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* A frame of TCP or UDP over IPv4 behind its header: NEEDS_CSUM (1) means that the pseudo-header's sum is there (VIRTIO 1.2, 5.1.6.2), else the whole sum is. */
static int has_right_sum(const unsigned char *bytes, uint32_t size) {
    const unsigned char *ip = bytes + 10 + ETH_HLEN, *transport = ip + (ip[0] & 15) * 4;
    if (size < 10 + ETH_HLEN + 28 || bytes[10 + 12] != 8 || bytes[10 + 13] != 0 || (ip[9] != 6 && ip[9] != 17) || (ip[6] & 0x3f) | ip[7]) return 1;
    uint32_t length = (uint32_t)(ip[2] << 8 | ip[3]) - (uint32_t)(transport - ip), pseudo = add(length + ip[9], ip + 12, 8), place = ip[9] == 6 ? 16 : 6;
    if (bytes[0] & 1) return (uint32_t)(transport[place] << 8 | transport[place + 1]) == pseudo;
    return transport + length <= bytes + size && add(pseudo, transport, length) == 0xffff;
}

static int open_host(const char *name) {
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
    snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request)) fail(name);
    if (ioctl(fd, TUNSETOFFLOAD, 0)) fail("TUNSETOFFLOAD");
    return fd;
}

int main(int argc, char **argv) {
    if (argc != 11) return 2;
    enter(argv[3]);
    int fds[2] = { 0, open_host(argv[4]) };
    enter(argv[1]);
    fds[0] = open_guest(argv[2]);
    double delay = atof(argv[5]) * 1e6, jitter = atof(argv[6]) * 1e6, loss = atof(argv[7]) / 100, twice = atof(argv[8]) / 100, reorder = atof(argv[9]) / 100;
    state = strtoull(argv[10], NULL, 10);
    signal(SIGTERM, end);
    puts("ready");
    fflush(stdout);
    static unsigned char bytes[FRAME_MOST];
    while (!ended) {
        struct pollfd polled[2] = { { fds[0], POLLIN, 0 }, { fds[1], POLLIN, 0 } };
        uint64_t time = now(), wait = !queued ? 100000000 : queue[0].due > time ? queue[0].due - time : 0;
        struct timespec timeout = { (time_t)(wait / 1000000000), (long)(wait % 1000000000) };
        if (ppoll(polled, 2, &timeout, NULL) < 0 && errno != EINTR) fail("ppoll");
        for (int from = 0; from < 2; from++) {
            ssize_t size;
            for (int i = 0; i < 64 && (size = read(fds[from], bytes, sizeof bytes)) > 0; i++) {
                count.frames++;
                if (from == 0) count.wrong += !has_right_sum(bytes, (uint32_t)size);
                if (draw() < loss) {
                    count.lost++;
                    continue;
                }
                time = now();
                int isEarly = draw() < reorder;
                uint64_t due = isEarly ? time : time + (uint64_t)(delay + jitter * (2 * draw() - 1));
                count.reordered += (uint64_t)isEarly;
                push(1 - from, bytes, (uint32_t)size, due);
                if (draw() < twice) {
                    count.doubled++;
                    push(1 - from, bytes, (uint32_t)size, due);
                }
            }
        }
        while (queued && queue[0].due <= now()) {
            struct frame next = pop();
            if (write(fds[next.to], next.bytes, next.size) < 0 && (errno == EAGAIN || errno == ENOBUFS)) count.overflowed++;
            free(next.bytes);
        }
    }
    printf("%llu frames, %llu lost, %llu twice, %llu reordered, %llu without room, %llu with a wrong sum\n", (unsigned long long)count.frames, (unsigned long long)count.lost,
           (unsigned long long)count.doubled, (unsigned long long)count.reordered, (unsigned long long)count.overflowed, (unsigned long long)count.wrong);
    return 0;
}
