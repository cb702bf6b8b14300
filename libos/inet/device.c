/*
 * Interfaces on network devices. A frame that came in stays in the buffers that the device wrote: each becomes a pbuf in place (struct net_buffer.stack), and goes
 * back when the last reader is done. A frame that goes out is handed to the device as it lies in lwIP's pbufs, which are kept until the device is done.
 */
#include "inet/internal.h"
#include "lib/string.h"
#include "hooks.h"
#include "lwip/lwip.h"
#include "lwip/etharp.h"
#include "lwip/ethip6.h"
#include "lwip/prot/ip.h"
#include "lwip/prot/ip4.h"
#include "lwip/prot/tcp.h"
#include "lwip/priv/tcp_priv.h"
#include "memory/memory.h"
#include "syscall/errno.h"

_Static_assert(sizeof(struct pbuf_custom) <= sizeof(((struct net_buffer *)0)->stack), "room for a pbuf");
void (*inet_tap)(struct inet_interface *, struct pbuf *, unsigned);

static void buffer_free(struct pbuf *p) {
    net_buffer_put((struct net_buffer *)((char *)p - offsetof(struct net_buffer, stack)));
}

static struct pbuf *wrap(struct net_buffer *buffer) {
    struct pbuf_custom *custom = (struct pbuf_custom *)buffer->stack;
    custom->custom_free_function = buffer_free;
    return pbuf_alloced_custom(PBUF_RAW, (u16_t)buffer->length, PBUF_REF, custom, buffer->data, (u16_t)buffer->length);
}

size_t inet_room_behind(const struct pbuf *p) {
    if (!(p->flags & PBUF_FLAG_IS_CUSTOM) || ((const struct pbuf_custom *)p)->custom_free_function != buffer_free || p->ref != 1) return 0;
    const struct net_buffer *buffer = (const struct net_buffer *)((const char *)p - offsetof(struct net_buffer, stack));
    return (size_t)(buffer->room + NET_BUFFER_ROOM - ((uint8_t *)p->payload + p->len));
}

/* lwIP's global check of an incoming checksum has a switch for each interface only: here it is thrown for each frame. */
enum { CHECKS = NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP };

static void receive(struct net_device *device, struct net_buffer *frame) {
    struct inet_interface *interface = device->stack_data;
    struct pbuf *p = NULL;
    uint32_t flags = frame->flags, size = 0;
    for (struct net_buffer *buffer = frame, *next; buffer; buffer = next) {
        next = buffer->next;
        size += buffer->length;
        struct pbuf *part = wrap(buffer);
        if (p) pbuf_cat(p, part);
        else p = part;
    }
    interface->frames_in++;
    interface->bytes_in += size;
    lwip_timers_link();
    if (!interface->up || size > 0xffff) {
        interface->dropped_in++;
        pbuf_free(p);
        return;
    }
    if (inet_tap) inet_tap(interface, p, flags & NET_CHECKED ? INET_TAP_UNSUMMED : 0);
    struct netif *netif = &interface->netif;
    u16_t checks = netif->chksum_flags;
    if (flags & NET_CHECKED) netif->chksum_flags &= (u16_t)~CHECKS;
    if (netif->input(p, netif) != ERR_OK) {
        interface->dropped_in++;
        pbuf_free(p);
    }
    netif->chksum_flags = checks;
}

static err_t transmit(struct netif *netif, struct pbuf *p) {
    struct inet_interface *interface = netif->state;
    struct net_device *device = interface->device;
    struct net_fragment fragments[NET_FRAME_FRAGMENTS];
    if (!interface->up) return ERR_IF;
    /* Headroom for the driver, few enough pieces, and bytes that stay as they are: else a copy. lwIP may change a pbuf that it knows to be its own alone. */
    struct pbuf *frame = p;
    uint8_t *start = p->payload;
    bool fits = pbuf_clen(p) <= NET_FRAME_FRAGMENTS && pbuf_match_type(p, PBUF_RAM) && start - ((uint8_t *)p + sizeof *p) >= NET_FRAME_HEADROOM && p->len >= 54;
    if (fits) {
        pbuf_ref(p);
    } else {
        if (!(frame = pbuf_alloc(PBUF_TRANSPORT, p->tot_len, PBUF_RAM))) return ERR_MEM;
        pbuf_copy(frame, p);
    }
    struct net_frame out = {.fragments = fragments, .size = frame->tot_len, .token = frame};
    for (struct pbuf *part = frame; part; part = part->next)
        if (part->len) fragments[out.count++] = (struct net_fragment){part->payload, part->len};
    if (!(p->flags & INET_PBUF_SUMMED)) inet_offload_checksum(interface, frame->payload, frame->len, &out);
    if (inet_tap) inet_tap(interface, frame, INET_TAP_OUTGOING | (out.checksum_start ? INET_TAP_UNSUMMED : 0));
    if (inet_offload_transmit(interface, frame, &out)) {
        interface->dropped_out++;
        pbuf_free(frame);
        return ERR_MEM;
    }
    interface->frames_out++;
    interface->bytes_out += out.size;
    net_device_flush_soon(device);
    return ERR_OK;
}

static void sent(struct net_device *device, void *token) {
    (void)device;
    inet_offload_sent(token);
}

static void flush(struct net_device *device) {
    inet_offload_flush(device->stack_data);
}

static void room(struct net_device *device) {
    flush(device);
    tcp_txnow();
}

/* A segment that a device still has is not sent again. */
void lwip_port_before_tick(void) { net_device_collect_all(); }

static void link_changed(struct net_device *device) {
    struct inet_interface *interface = device->stack_data;
    if (device->link) netif_set_link_up(&interface->netif);
    else netif_set_link_down(&interface->netif);
}

static void end_of_batch(struct net_device *device) {
    (void)device;
    lwip_timers_tcp();
}

const struct net_stack_ops inet_device_stack = {.receive = receive, .sent = sent, .room = room, .link = link_changed, .end_of_batch = end_of_batch, .flush = flush};

/* Clocks that slept catch up before a neighbour is asked for: the new entry is not older than it is. */
static err_t output4(struct netif *netif, struct pbuf *p, const ip4_addr_t *next) {
    lwip_timers_link();
    return etharp_output(netif, p, next);
}
static err_t output6(struct netif *netif, struct pbuf *p, const ip6_addr_t *next) {
    lwip_timers_link();
    return ethip6_output(netif, p, next);
}

err_t inet_device_start(struct netif *netif) {
    struct inet_interface *interface = netif->state;
    struct net_device *device = interface->device;
    netif->name[0] = 'e';
    netif->name[1] = 't';
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, device->mac, 6);
    netif->mtu = netif->mtu6 = device->mtu ? device->mtu : 1500;
    netif->output = output4;
    netif->output_ip6 = output6;
    netif->linkoutput = transmit;
    netif->flags |= NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    if (device->features & NET_FEATURE_CHECKSUM) netif->chksum_flags &= (u16_t)~NETIF_CHECKSUM_GEN_TCP; /* UDP's: by who sends, who knows whether it will be one frame */
    if (device->link) netif->flags |= NETIF_FLAG_LINK_UP;
    return ERR_OK;
}
