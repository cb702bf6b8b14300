/*
 * What a device does for TCP and UDP (VIRTIO 1.2, 5.1.6.2): the checksum over the bytes of a frame, and segments of a connection that leave as one frame, which the device cuts up again or
 * hands over whole (TSO). Owns the run of segments that an interface holds for more of it to come: until the batch ends, or something else is sent.
 *
 * A run takes over the segments as lwIP made them: its header is a copy of the first one's, with the last one's acknowledgment and window; the bytes stay where they are.
 * Context: calls and bottom halves.
 */
#include "inet/internal.h"
#include "lib/string.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/tcp.h"
#include "memory/memory.h"
#include "syscall/errno.h"

enum {
    ETHERNET = 14, IPV4 = 20, IPV6 = 40, TCP_LEAST = 20, HEADER_MOST = ETHERNET + IPV6 + 60,
    LEAST = 1024,         /* bytes of a run's first segment: less is seldom part of a long transfer */
    PACKET_MOST = 0xffff, /* of IP */
    RUN_MOST = NET_FRAME_FRAGMENTS - 1,
};
enum { AT_SEQUENCE = 4, AT_ACKNOWLEDGMENT = 8, AT_OFFSET = 12, AT_FLAGS = 13, AT_WINDOW = 14, AT_CHECKSUM = 16, AT_URGENT = 18 }; /* RFC 9293, 3.1 */

struct inet_run {
    uint16_t count, header_size, segment_size;
    uint32_t size; /* of the payload */
    bool closed;   /* nothing can follow: its last segment is shorter than the others */
    struct pbuf *parts[RUN_MOST];
    uint8_t room[NET_FRAME_HEADROOM], header[HEADER_MOST]; /* in this order: the driver's, then the frame's */
};

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static uint32_t get32(const uint8_t *at) { return (uint32_t)get16(at) << 16 | get16(at + 2); }
static void put16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The ones' complement sum of RFC 1071 over `size` bytes, an even number of them, added to `sum`. */
static uint32_t add(uint32_t sum, const uint8_t *bytes, unsigned size) {
    for (unsigned i = 0; i < size; i += 2) sum += get16(bytes + i);
    return sum;
}
static uint16_t fold(uint32_t sum) {
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

/* Of the pseudo-header alone (RFC 9293, 3.1; RFC 8200, 8.1): what the device goes on from. */
static uint16_t pseudo_sum(const uint8_t *ip, bool six, uint8_t protocol, uint32_t size) {
    return fold(add(protocol + size, ip + (six ? 8 : 12), six ? 32 : 8));
}

void inet_offload_checksum(const struct inet_interface *interface, uint8_t *frame, uint32_t size, struct net_frame *out) {
    if (!(interface->device->features & NET_FEATURE_CHECKSUM) || size < ETHERNET + IPV4 + 8) return;
    uint16_t kind = get16(frame + 12), start, length;
    uint8_t protocol, *ip = frame + ETHERNET;
    bool six = kind == 0x86dd;
    if (kind == 0x0800 && !(get16(ip + 6) & 0x3fff)) {
        protocol = ip[9];
        start = (uint16_t)(ETHERNET + (ip[0] & 15) * 4);
        length = (uint16_t)(get16(ip + 2) - (start - ETHERNET));
    } else if (six && size >= ETHERNET + IPV6 + 8) {
        protocol = ip[6];
        start = ETHERNET + IPV6;
        length = get16(ip + 4);
    } else {
        return;
    }
    uint16_t offset = protocol == IP_PROTO_TCP ? AT_CHECKSUM : protocol == IP_PROTO_UDP ? 6 : 0;
    if (!offset || start + offset + 2u > size) return;
    put16(frame + start + offset, pseudo_sum(ip, six, protocol, length));
    out->checksum_start = start;
    out->checksum_offset = offset;
}

/* ---- Runs ---- */

static unsigned parts_most(const struct net_device *device) {
    return device->fragments_most && device->fragments_most <= RUN_MOST ? device->fragments_most - 1u : RUN_MOST;
}

struct segment { uint8_t *frame, *tcp; uint16_t header_size; uint32_t payload; bool six; };

/* false: nothing that a run may have. frame: in one piece, with a checksum to be filled in. */
static bool parse(const struct inet_interface *interface, struct pbuf *p, const struct net_frame *frame, struct segment *out) {
    if (!frame->checksum_start || frame->checksum_offset != AT_CHECKSUM || p->next || p->len < frame->checksum_start + TCP_LEAST) return false;
    out->frame = p->payload;
    out->six = out->frame[12] == 0x86;
    out->tcp = out->frame + frame->checksum_start;
    out->header_size = (uint16_t)(frame->checksum_start + (out->tcp[AT_OFFSET] >> 4) * 4);
    out->payload = p->len - (uint32_t)out->header_size;
    uint8_t flags = out->tcp[AT_FLAGS];
    return interface->device->features & (out->six ? NET_FEATURE_TSO6 : NET_FEATURE_TSO4) && parts_most(interface->device) > 1 && out->header_size < p->len && out->header_size <= HEADER_MOST &&
           (out->six || frame->checksum_start == ETHERNET + IPV4) && (flags & ~(TCP_PSH | TCP_FIN)) == TCP_ACK;
}

/* The same connection, and nothing else between the two than what a run's device counts up itself. */
static bool follows(const struct inet_run *run, const struct segment *next) {
    const uint8_t *a = run->header, *b = next->frame, *tcp = a + (next->tcp - b);
    return !run->closed && get32(next->tcp + AT_SEQUENCE) == get32(tcp + AT_SEQUENCE) + run->size && run->header_size == next->header_size && next->payload <= run->segment_size &&
           !(tcp[AT_FLAGS] & TCP_FIN) && !memcmp(a, b, ETHERNET + 2) /* addresses, version, type of service */ &&
           (next->six ? !memcmp(a + 16, b + 16, 2) && !memcmp(a + 20, b + 20, 34) : !memcmp(a + 20, b + 20, 4) && !memcmp(a + 26, b + 26, 8)) &&
           !memcmp(tcp, next->tcp, 4) && tcp[AT_OFFSET] == next->tcp[AT_OFFSET] && !memcmp(tcp + AT_URGENT, next->tcp + AT_URGENT, next->frame + next->header_size - next->tcp - AT_URGENT);
}

/* The header for as many bytes as there are now. */
static void finish_header(struct inet_run *run, struct net_frame *out) {
    uint8_t *ip = run->header + ETHERNET;
    bool six = run->header[12] == 0x86;
    uint32_t start = six ? ETHERNET + IPV6 : ETHERNET + IPV4, size = run->header_size - start + run->size;
    if (six) {
        put16(ip + 4, size);
    } else {
        put16(ip + 2, IPV4 + size);
        put16(ip + 10, 0);
        put16(ip + 10, (uint16_t)~fold(add(0, ip, IPV4)));
    }
    put16(run->header + start + AT_CHECKSUM, pseudo_sum(ip, six, IP_PROTO_TCP, size));
    out->checksum_start = (uint16_t)start;
    out->checksum_offset = AT_CHECKSUM;
    out->ipv6 = six;
}

static void free_run(struct inet_run *run) {
    for (unsigned i = 0; i < run->count; i++) pbuf_free(run->parts[i]);
    kfree(run);
}

/* A token is a pbuf, or a run with its lowest bit set. */
void inet_offload_sent(void *token) {
    if ((uintptr_t)token & 1) free_run((struct inet_run *)((uintptr_t)token - 1));
    else pbuf_free(token);
}

int inet_offload_flush(struct inet_interface *interface) {
    struct inet_run *run = interface->run;
    if (!run) return 0;
    struct net_fragment fragments[NET_FRAME_FRAGMENTS];
    struct net_frame out = {.fragments = fragments, .size = run->header_size + run->size};
    if (run->count == 1) {
        struct pbuf *p = run->parts[0];
        fragments[0] = (struct net_fragment){p->payload, p->len};
        out.count = 1;
        out.token = p;
        out.checksum_start = run->header[12] == 0x86 ? ETHERNET + IPV6 : ETHERNET + IPV4;
        out.checksum_offset = AT_CHECKSUM;
    } else {
        finish_header(run, &out);
        fragments[0] = (struct net_fragment){run->header, run->header_size};
        for (unsigned i = 0; i < run->count; i++) fragments[i + 1] = (struct net_fragment){(uint8_t *)run->parts[i]->payload + run->header_size, run->parts[i]->len - (uint32_t)run->header_size};
        out.count = run->count + 1u;
        out.segment_size = run->segment_size;
        out.header_size = run->header_size;
        out.token = (void *)((uintptr_t)run + 1);
    }
    unsigned count = run->count;
    int error = interface->device->ops->transmit(interface->device, &out);
    if (error == -ENOSPC) return error;
    interface->run = NULL;
    if (error) {
        interface->dropped_out += count;
        interface->frames_out -= count;
        free_run(run);
    } else if (count == 1) {
        kfree(run);
    } /* else it is the device's, or gone */
    return 0;
}

bool inet_offload_hold(struct inet_interface *interface, struct pbuf *p, const struct net_frame *frame) {
    struct inet_run *run = interface->run;
    struct segment next;
    if (!parse(interface, p, frame, &next)) return false;
    uint32_t most = interface->device->segment_most ? interface->device->segment_most : PACKET_MOST;
    if (run && follows(run, &next) && run->size + next.payload <= most && run->header_size - ETHERNET + run->size + next.payload <= PACKET_MOST) {
        uint8_t *tcp = run->header + (next.tcp - next.frame);
        memcpy(tcp + AT_ACKNOWLEDGMENT, next.tcp + AT_ACKNOWLEDGMENT, 4);
        memcpy(tcp + AT_WINDOW, next.tcp + AT_WINDOW, 2);
        tcp[AT_FLAGS] |= next.tcp[AT_FLAGS];
        run->parts[run->count++] = p;
        run->size += next.payload;
        run->closed = next.payload < run->segment_size || run->count == parts_most(interface->device);
        if (run->closed) inet_offload_flush(interface); /* where there is no place yet, it waits */
        return true;
    }
    if (next.payload < LEAST || inet_offload_flush(interface) || !(run = kmalloc(sizeof *run))) return false;
    *run = (struct inet_run){.count = 1, .header_size = next.header_size, .segment_size = (uint16_t)next.payload, .size = next.payload, .parts = {p}};
    memcpy(run->header, next.frame, next.header_size);
    interface->run = run;
    return true;
}
