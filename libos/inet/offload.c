/*
 * What a device does for TCP and UDP (VIRTIO 1.2, 5.1.6.2): the checksum over the bytes of a frame, and segments of a connection that leave as one frame, which the device cuts up again or
 * hands over whole (TSO). Owns the run of segments that an interface holds for more of it to come: until the batch ends, or something else is sent.
 *
 * A run takes over the segments as lwIP made them: its header is a copy of the first one's, with the last one's acknowledgment and window; the bytes stay where they are.
 * Context: calls and bottom halves.
 */
#include "inet/internal.h"
#include "lib/string.h"
#include "lwip/inet_chksum.h"
#include "lwip/prot/ethernet.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/ip6.h"
#include "lwip/prot/tcp.h"
#include "lwip/prot/udp.h"
#include "memory/memory.h"
#include "syscall/errno.h"

enum {
    HEADER_MOST = SIZEOF_ETH_HDR + IP6_HLEN + 60,
    LEAST = 1024,         /* bytes of a run's first segment: less is seldom part of a long transfer */
    PACKET_MOST = 0xffff, /* of IP */
    RUN_MOST = NET_FRAME_FRAGMENTS - 1,
    AT_SUM = offsetof(struct tcp_hdr, chksum),
};

struct inet_run {
    uint16_t count, transport, header_size, segment_size; /* transport: where the TCP header begins */
    uint32_t size;                                        /* of the payload */
    bool six, closed;                                     /* closed: nothing can follow, its last segment is shorter than the others, or it has as many as there may be */
    struct pbuf *parts[RUN_MOST];
    uint8_t room[NET_FRAME_HEADROOM], header[HEADER_MOST]; /* in this order: the driver's, then the frame's */
};

/* Of the pseudo-header alone (RFC 9293, 3.1; RFC 8200, 8.1), as it lies in memory: what the device goes on from. */
static uint16_t pseudo_sum(const void *addresses, int size, uint8_t protocol, uint32_t length) {
    uint32_t sum = (uint32_t)lwip_port_checksum(addresses, size) + lwip_htons(protocol) + lwip_htons((uint16_t)length);
    sum = FOLD_U32T(sum);
    return (uint16_t)FOLD_U32T(sum);
}
static uint16_t pseudo_sum4(const struct ip_hdr *ip, uint32_t length) { return pseudo_sum(&ip->src, sizeof ip->src + sizeof ip->dest, IPH_PROTO(ip), length); }
static uint16_t pseudo_sum6(const struct ip6_hdr *ip, uint32_t length) { return pseudo_sum(&ip->src, sizeof ip->src + sizeof ip->dest, IP6H_NEXTH(ip), length); }

void inet_offload_checksum(const struct inet_interface *interface, uint8_t *frame, uint32_t size, struct net_frame *out) {
    if (!(interface->device->features & NET_FEATURE_CHECKSUM) || size < SIZEOF_ETH_HDR + IP_HLEN + UDP_HLEN) return;
    uint16_t kind = ((const struct eth_hdr *)frame)->type, start = SIZEOF_ETH_HDR, sum;
    uint8_t protocol;
    if (kind == PP_HTONS(ETHTYPE_IP)) {
        const struct ip_hdr *ip = (const struct ip_hdr *)(frame + SIZEOF_ETH_HDR);
        if (IPH_OFFSET(ip) & PP_HTONS(IP_MF | IP_OFFMASK)) return;
        protocol = IPH_PROTO(ip);
        start += IPH_HL_BYTES(ip);
        sum = pseudo_sum4(ip, lwip_ntohs(IPH_LEN(ip)) - (uint32_t)IPH_HL_BYTES(ip));
    } else if (kind == PP_HTONS(ETHTYPE_IPV6) && size >= SIZEOF_ETH_HDR + IP6_HLEN + UDP_HLEN) {
        const struct ip6_hdr *ip = (const struct ip6_hdr *)(frame + SIZEOF_ETH_HDR);
        protocol = IP6H_NEXTH(ip);
        start += IP6_HLEN;
        sum = pseudo_sum6(ip, IP6H_PLEN(ip));
    } else {
        return;
    }
    uint16_t offset = protocol == IP_PROTO_TCP ? AT_SUM : protocol == IP_PROTO_UDP ? offsetof(struct udp_hdr, chksum) : 0;
    if (!offset || start + offset + sizeof sum > size) return;
    memcpy(frame + start + offset, &sum, sizeof sum);
    out->checksum_start = start;
    out->checksum_offset = offset;
}

/* ---- Runs ---- */

static unsigned parts_most(const struct net_device *device) {
    return device->fragments_most && device->fragments_most <= RUN_MOST ? device->fragments_most - 1u : RUN_MOST;
}

struct segment { const uint8_t *frame; const struct tcp_hdr *tcp; uint16_t header_size; uint32_t payload; bool six; };

/* false: nothing that a run may have. frame: in one piece, with a checksum to be filled in. */
static bool parse(const struct net_device *device, struct pbuf *p, const struct net_frame *frame, struct segment *out) {
    if (!frame->checksum_start || frame->checksum_offset != AT_SUM || p->next || p->len < frame->checksum_start + TCP_HLEN) return false;
    out->frame = p->payload;
    out->six = ((const struct eth_hdr *)out->frame)->type == PP_HTONS(ETHTYPE_IPV6);
    out->tcp = (const struct tcp_hdr *)(out->frame + frame->checksum_start);
    out->header_size = (uint16_t)(frame->checksum_start + TCPH_HDRLEN_BYTES(out->tcp));
    out->payload = p->len - (uint32_t)out->header_size;
    uint16_t flags = lwip_ntohs(out->tcp->_hdrlen_rsvd_flags) & 0xfff;
    return device->features & (out->six ? NET_FEATURE_TSO6 : NET_FEATURE_TSO4) && parts_most(device) > 1 && out->header_size < p->len && out->header_size <= HEADER_MOST &&
           (out->six || frame->checksum_start == SIZEOF_ETH_HDR + IP_HLEN) && (flags & ~(TCP_PSH | TCP_FIN)) == TCP_ACK;
}

static struct tcp_hdr *tcp_of(struct inet_run *run) { return (struct tcp_hdr *)(run->header + run->transport); }

/* The same connection, and nothing else between the two than what a run's device counts up itself. */
static bool follows(struct inet_run *run, const struct segment *next) {
    const struct tcp_hdr *tcp = tcp_of(run);
    const uint8_t *a = run->header, *b = next->frame;
    return !run->closed && lwip_ntohl(next->tcp->seqno) == lwip_ntohl(tcp->seqno) + run->size && run->header_size == next->header_size && next->payload <= run->segment_size &&
           !(TCPH_FLAGS(tcp) & TCP_FIN) && !memcmp(a, b, SIZEOF_ETH_HDR + 2) /* addresses, version, type of service */ &&
           (next->six ? !memcmp(a + 16, b + 16, 2) && !memcmp(a + 20, b + 20, 34) : !memcmp(a + 20, b + 20, 4) && !memcmp(a + 26, b + 26, 8)) &&
           tcp->src == next->tcp->src && tcp->dest == next->tcp->dest &&
           !memcmp(&tcp->urgp, &next->tcp->urgp, run->header_size - run->transport - offsetof(struct tcp_hdr, urgp)) /* and the options behind */;
}

/* The header for as many bytes as there are now. */
static void finish_header(struct inet_run *run) {
    uint32_t size = run->header_size - run->transport + run->size;
    if (run->six) {
        struct ip6_hdr *ip = (struct ip6_hdr *)(run->header + SIZEOF_ETH_HDR);
        IP6H_PLEN_SET(ip, (uint16_t)size);
        tcp_of(run)->chksum = pseudo_sum6(ip, size);
    } else {
        struct ip_hdr *ip = (struct ip_hdr *)(run->header + SIZEOF_ETH_HDR);
        IPH_LEN_SET(ip, lwip_htons((uint16_t)(IP_HLEN + size)));
        IPH_CHKSUM_SET(ip, 0);
        IPH_CHKSUM_SET(ip, inet_chksum(ip, IP_HLEN));
        tcp_of(run)->chksum = pseudo_sum4(ip, size);
    }
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
    struct net_frame out = {.fragments = fragments, .size = run->header_size + run->size, .checksum_start = run->transport, .checksum_offset = AT_SUM, .ipv6 = run->six};
    unsigned count = run->count;
    if (count == 1) {
        struct pbuf *p = run->parts[0];
        fragments[0] = (struct net_fragment){p->payload, p->len};
        out.count = 1;
        out.token = p;
    } else {
        finish_header(run);
        fragments[0] = (struct net_fragment){run->header, run->header_size};
        for (unsigned i = 0; i < count; i++) fragments[i + 1] = (struct net_fragment){(uint8_t *)run->parts[i]->payload + run->header_size, run->parts[i]->len - (uint32_t)run->header_size};
        out.count = count + 1;
        out.segment_size = run->segment_size;
        out.header_size = run->header_size;
        out.token = (void *)((uintptr_t)run + 1);
    }
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

/* Behind what is held, where it follows that and has place. */
static bool join(struct inet_interface *interface, const struct segment *next, struct pbuf *p) {
    struct inet_run *run = interface->run;
    uint32_t most = interface->device->segment_most ? interface->device->segment_most : PACKET_MOST;
    if (!run || !follows(run, next) || run->size + next->payload > most || run->header_size - SIZEOF_ETH_HDR + run->size + next->payload > PACKET_MOST) return false;
    struct tcp_hdr *tcp = tcp_of(run);
    tcp->ackno = next->tcp->ackno;
    tcp->wnd = next->tcp->wnd;
    tcp->_hdrlen_rsvd_flags |= next->tcp->_hdrlen_rsvd_flags;
    run->parts[run->count++] = p;
    run->size += next->payload;
    run->closed = next->payload < run->segment_size || run->count == parts_most(interface->device);
    if (run->closed) inet_offload_flush(interface); /* where there is no place yet, it waits */
    return true;
}

/* Nothing is held: from now on this is. false: it is too small, or there is no memory. */
static bool hold(struct inet_interface *interface, const struct segment *first, struct pbuf *p) {
    struct inet_run *run = first->payload < LEAST ? NULL : kmalloc(sizeof *run);
    if (!run) return false;
    run->count = 1;
    run->transport = (uint16_t)((const uint8_t *)first->tcp - first->frame);
    run->header_size = first->header_size;
    run->size = run->segment_size = (uint16_t)first->payload;
    run->six = first->six;
    run->closed = false;
    run->parts[0] = p;
    memcpy(run->header, first->frame, first->header_size);
    interface->run = run;
    return true;
}

int inet_offload_transmit(struct inet_interface *interface, struct pbuf *p, const struct net_frame *frame) {
    struct segment segment;
    bool fits = parse(interface->device, p, frame, &segment);
    if (fits && join(interface, &segment, p)) return 0;
    int error = inet_offload_flush(interface);
    if (error || (fits && hold(interface, &segment, p))) return error;
    return interface->device->ops->transmit(interface->device, frame);
}
