/*
 * The loopback interface: what is sent is copied once and comes in from a bottom half, never from within the sender's call. It has all of 127.0.0.0/8:
 * while such a packet is handled, the interface's address is the packet's destination, as lwIP accepts only that.
 */
#include "inet/internal.h"
#include "lib/string.h"
#include "lwip/lwip.h"
#include "lwip/ip.h"
#include "lwip/ip4.h"
#include "memory/memory.h"
#include "wait/wait.h"

enum { QUEUE_BYTES = 8 << 20, QUEUE_SHARE = 8 };
struct inet_interface inet_loopback;
static struct pbuf *first, *last; /* linked by `next`: each is one pbuf */
static size_t queued;
static bool delivering;

static void deliver(struct deferred *deferred) {
    (void)deferred;
    struct netif *netif = &inet_loopback.netif;
    delivering = true;
    for (struct pbuf *p; (p = first);) {
        first = p->next;
        p->next = NULL;
        queued -= p->len;
        inet_loopback.frames_in++;
        inet_loopback.bytes_in += p->len;
        if (inet_tap && !(p->flags & INET_PBUF_SHOWN)) inet_tap(&inet_loopback, p, INET_TAP_UNSUMMED);
        const struct ip_hdr *header = p->payload;
        ip_addr_t own = netif->ip_addr;
        if (IPH_V(header) == 4 && (header->dest.addr & PP_HTONL(0xff000000)) == PP_HTONL(0x7f000000)) ip_2_ip4(&netif->ip_addr)->addr = header->dest.addr;
        ip_input(p, netif);
        netif->ip_addr = own;
    }
    delivering = false;
    lwip_timers_tcp();
}
static struct deferred delivery = {.run = deliver};

void inet_settle(void) {
    if (first && !delivering) deliver(&delivery);
}

static err_t output(struct netif *netif, struct pbuf *p) {
    (void)netif;
    static size_t most;
    if (!most) most = memory_total() / QUEUE_SHARE < QUEUE_BYTES ? memory_total() / QUEUE_SHARE : QUEUE_BYTES;
    struct pbuf *copy = queued + p->tot_len > most ? NULL : pbuf_alloc(PBUF_RAW, p->tot_len, PBUF_RAM);
    if (!copy) {
        inet_loopback.dropped_out++;
        return ERR_MEM;
    }
    pbuf_copy(copy, p);
    inet_loopback.frames_out++;
    inet_loopback.bytes_out += copy->len;
    queued += copy->len;
    copy->flags |= p->flags & INET_PBUF_SHOWN;
    if (inet_tap && !(p->flags & INET_PBUF_SHOWN)) inet_tap(&inet_loopback, copy, INET_TAP_OUTGOING | INET_TAP_UNSUMMED);
    *(first ? &last->next : &first) = copy;
    last = copy;
    deferred_raise(&delivery);
    return ERR_OK;
}

static err_t output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *address) { (void)address; return output(netif, p); }
static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *address) { (void)address; return output(netif, p); }

err_t inet_loopback_start(struct netif *netif) {
    netif->name[0] = 'l';
    netif->name[1] = 'o';
    netif->mtu = INET_LOOPBACK_MTU;
    netif->mtu6 = INET_LOOPBACK_MTU;
    netif->output = output4;
    netif->output_ip6 = output6;
    netif->flags |= NETIF_FLAG_LINK_UP;
    netif->chksum_flags = 0; /* memory does not flip bits on the way */
    return ERR_OK;
}
