/*
 * Packet sockets: how they are made, bound and closed, which frames they are shown, and what they send.
 */
#include "packet-socket/internal.h"
#include "abi/linux_file.h"
#include "clock/clock.h"
#include "lwip/lwip.h"
#include "lwip/prot/ip.h"

enum { ETH_P_IP = 0x0800, ETH_P_IPV6 = 0x86dd };
static struct packet_socket *sockets;
static const struct packet_socket *sender; /* whose frame goes out just now: it does not see it */

/* ---- What comes ---- */
struct frame { const uint8_t *bytes; uint32_t size, header; uint16_t protocol; struct sockaddr_ll from; uint32_t status; };

static enum packet_kind kind_of(const struct inet_interface *interface, const uint8_t *to) {
    static const uint8_t everybody[MAC] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    if (interface->device && !memcmp(to, everybody, MAC)) return PACKET_BROADCAST; /* loopback knows none (Linux) */
    if (to[0] & 1) return PACKET_MULTICAST;
    return memcmp(to, interface->netif.hwaddr, MAC) ? PACKET_OTHERHOST : PACKET_HOST;
}

static bool is_wanted(const struct packet_socket *it, const struct inet_interface *interface, uint16_t protocol, bool outgoing) {
    if (!it->protocol || it == sender || (it->interface && it->interface != netif_get_index(&interface->netif))) return false;
    if (it->protocol == ETH_P_ALL) return !outgoing || !it->ignores_outgoing;
    return it->protocol == protocol && !outgoing; /* what goes out is for those alone that want everything (packet(7)) */
}

static void show(struct packet_socket *it, const struct frame *frame, uint64_t time) {
    bool whole = it->socket.type == SOCK_RAW;
    struct packet_view view = {
        .bytes = whole ? frame->bytes : frame->bytes + frame->header, .size = whole ? frame->size : frame->size - frame->header, .header = whole ? frame->header : 0,
        .status = frame->status, .from = frame->from, .time = time,
    };
    struct filter_packet packet = {
        .bytes = view.bytes, .size = view.size, .link = frame->bytes, .network = frame->bytes + frame->header, .end = frame->bytes + frame->size,
        .protocol = frame->protocol, .kind = frame->from.kind, .interface = (uint32_t)frame->from.interface, .hardware = frame->from.hardware,
    };
    uint32_t kept = filter_take(&it->filter, &packet);
    if (!kept) return;
    view.kept = kept < view.size ? kept : view.size;
    if (it->ring.pages) packet_ring_put(it, &view);
    else packet_enqueue(it, &view);
}

/* To all who want it: a whole Ethernet frame in one piece. */
static void show_all(struct inet_interface *interface, const uint8_t *bytes, uint32_t size, bool outgoing, uint32_t status) {
    uint64_t time = clock_realtime_ns();
    struct frame frame = {.bytes = bytes, .size = size, .header = ETHERNET_HEADER, .status = status};
    frame.protocol = (uint16_t)(bytes[12] << 8 | bytes[13]);
    frame.from = (struct sockaddr_ll){
        .family = AF_PACKET, .protocol = lwip_htons(frame.protocol), .interface = netif_get_index(&interface->netif), .hardware = (uint16_t)inet_interface_type(interface),
        .kind = outgoing ? PACKET_OUTGOING : (uint8_t)kind_of(interface, bytes), .address_size = MAC,
    };
    memcpy(frame.from.address, bytes + MAC, MAC);
    for (struct packet_socket *it = sockets; it; it = it->next)
        if (is_wanted(it, interface, frame.protocol, outgoing)) show(it, &frame, time);
}

static void tapped(struct inet_interface *interface, struct pbuf *p, unsigned how) {
    bool outgoing = how & INET_TAP_OUTGOING, wanted = false;
    uint8_t header[ETHERNET_HEADER] = {0};
    uint32_t missing = interface->device ? 0 : ETHERNET_HEADER, size = missing + p->tot_len;
    if (missing) {
        uint16_t protocol = p->len && *(const uint8_t *)p->payload >> 4 == 6 ? ETH_P_IPV6 : ETH_P_IP;
        header[12] = (uint8_t)(protocol >> 8), header[13] = (uint8_t)protocol;
    } else if (pbuf_copy_partial(p, header, ETHERNET_HEADER, 0) < ETHERNET_HEADER) {
        return;
    }
    for (const struct packet_socket *it = sockets; it; it = it->next) wanted |= is_wanted(it, interface, (uint16_t)(header[12] << 8 | header[13]), outgoing);
    if (!wanted) return;
    uint32_t status = how & INET_TAP_UNSUMMED ? STATUS_UNSUMMED : 0;
    if (!missing && p->len == p->tot_len) {
        show_all(interface, p->payload, size, outgoing, status);
        return;
    }
    uint8_t *copy = kmalloc(size);
    if (!copy) {
        for (struct packet_socket *it = sockets; it; it = it->next)
            if (is_wanted(it, interface, (uint16_t)(header[12] << 8 | header[13]), outgoing)) it->packets++, it->drops++;
        return;
    }
    memcpy(copy, header, missing);
    pbuf_copy_partial(p, copy + missing, p->tot_len, 0);
    show_all(interface, copy, size, outgoing, status);
    kfree(copy);
}

/* ---- Sending ---- */

/* Loopback carries packets: the frame is shown as gone and as come, and what the stack knows goes on to it. */
static int send_over_loopback(struct inet_interface *interface, struct pbuf *p) {
    const uint8_t *bytes = p->payload;
    uint16_t protocol = (uint16_t)(bytes[12] << 8 | bytes[13]);
    show_all(interface, bytes, p->tot_len, true, 0);
    const struct packet_socket *own = sender;
    sender = NULL;
    show_all(interface, bytes, p->tot_len, false, 0);
    sender = own;
    if (kind_of(interface, bytes) == PACKET_OTHERHOST || (protocol != ETH_P_IP && protocol != ETH_P_IPV6)) return 0;
    pbuf_remove_header(p, ETHERNET_HEADER);
    if (!p->tot_len) return 0;
    p->flags |= INET_PBUF_SHOWN;
    interface->netif.output(&interface->netif, p, NULL);
    return 0;
}

static int put_header(const struct packet_socket *it, const struct inet_interface *interface, const struct sockaddr_ll *to, uint8_t *bytes) {
    uint16_t protocol = to ? lwip_ntohs(to->protocol) : it->protocol;
    if (to && to->address_size >= MAC) memcpy(bytes, to->address, MAC);
    else if (to && !to->address_size && interface->device) memcpy(bytes, to->address, MAC);
    else if (!interface->device) memset(bytes, 0, MAC);
    else return -EINVAL;
    memcpy(bytes + MAC, interface->netif.hwaddr, MAC);
    bytes[12] = (uint8_t)(protocol >> 8), bytes[13] = (uint8_t)protocol;
    return 0;
}

static long send(struct socket *socket, struct message *message) {
    struct packet_socket *it = packet_of(socket);
    struct sockaddr_ll name, *to = NULL;
    if (message->address.length) {
        if (message->address.length < sizeof name) return -EINVAL;
        memcpy(&name, message->address.bytes, sizeof name);
        if (name.address_size > sizeof name.address) return -EINVAL;
        to = &name;
    }
    struct inet_interface *interface = inet_interface_by_index(to ? (unsigned)to->interface : it->interface);
    if (!interface) return -ENXIO;
    if (!interface->up) return -ENETDOWN;
    uint32_t header = socket->type == SOCK_RAW ? 0 : ETHERNET_HEADER;
    if (socket->type == SOCK_RAW && message->size < ETHERNET_HEADER) return -EINVAL;
    uint32_t most = interface->netif.mtu + (header ? 0u : ETHERNET_HEADER);
    if (message->size > most || header + message->size > 0xffff) return -EMSGSIZE;
    struct pbuf *p = pbuf_alloc(PBUF_RAW_TX, (u16_t)(header + message->size), PBUF_RAM);
    if (!p) return -ENOBUFS;
    uint8_t *at = (uint8_t *)p->payload + header;
    int error = header ? put_header(it, interface, to, p->payload) : 0;
    for (int i = 0; i < message->count && !error; at += message->vector[i++].length)
        if (user_copy_in(at, message->vector[i].base, message->vector[i].length)) error = -EFAULT;
    if (!error) {
        p->flags |= INET_PBUF_SUMMED;
        sender = it;
        if (!interface->device) error = send_over_loopback(interface, p);
        else if (interface->netif.linkoutput(&interface->netif, p) != ERR_OK) error = -ENOBUFS;
        sender = NULL;
    }
    pbuf_free(p);
    if (!error) inet_settle();
    return error ? error : (long)message->size;
}

/* ---- Names ---- */
static int bind(struct socket *socket, const struct address *address) {
    struct packet_socket *it = packet_of(socket);
    struct sockaddr_ll name;
    if (address->length < sizeof name) return -EINVAL;
    memcpy(&name, address->bytes, sizeof name);
    if (name.family != AF_PACKET) return -EINVAL;
    const struct inet_interface *interface = inet_interface_by_index((unsigned)name.interface);
    if (name.interface && !interface) return -ENODEV;
    it->interface = (unsigned)name.interface;
    if (name.protocol) it->protocol = lwip_ntohs(name.protocol);
    if (interface && !interface->up) socket->error = -ENETDOWN;
    return 0;
}

static int connect(struct socket *socket, const struct address *address, bool wait) {
    (void)socket, (void)address, (void)wait;
    return -EOPNOTSUPP;
}

static int shutdown(struct socket *socket, int how) {
    (void)socket, (void)how;
    return -EOPNOTSUPP;
}

static int name(struct socket *socket, bool peer, struct address *out) {
    const struct packet_socket *it = packet_of(socket);
    const struct inet_interface *interface = it->interface ? inet_interface_by_index(it->interface) : NULL;
    struct sockaddr_ll name = {.family = AF_PACKET, .protocol = lwip_htons(it->protocol), .interface = (int)it->interface};
    if (peer) return -EOPNOTSUPP;
    if (interface) {
        name.hardware = (uint16_t)inet_interface_type(interface);
        name.address_size = MAC;
        memcpy(name.address, interface->netif.hwaddr, MAC);
    }
    *out = (struct address){.length = offsetof(struct sockaddr_ll, address) + name.address_size};
    memcpy(out->bytes, &name, sizeof name);
    return 0;
}

static long control(struct socket *socket, unsigned long request, unsigned long argument) {
    const struct packet_socket *it = packet_of(socket);
    int number = it->first ? (int)it->first->kept : 0;
    if (request == TIOCOUTQ) number = 0;
    else if (request != FIONREAD) return inet_interface_ioctl(2 /* AF_INET: addresses as its sockets tell them */, request, argument);
    return user_copy_out((void *)argument, &number, sizeof number) ? -EFAULT : 0;
}

static unsigned poll(struct socket *socket, struct poll_wait *wait) {
    const struct packet_socket *it = packet_of(socket);
    poll_wait_add_for(wait, &packet_of(socket)->readers, POLLIN | POLLRDNORM | POLLERR);
    return POLLOUT | POLLWRNORM | POLLWRBAND | (it->first || packet_ring_has(it) ? POLLIN | POLLRDNORM : 0u) | (socket->error ? POLLERR : 0u);
}

static void close(struct socket *socket) {
    struct packet_socket *it = packet_of(socket), **link = &sockets;
    while (*link && *link != it) link = &(*link)->next;
    if (*link) *link = it->next;
    if (!sockets) inet_tap = NULL;
    packet_leave_all(it);
    packet_drop_all(it);
    packet_ring_end(it);
    filter_end(&it->filter);
    kfree(it);
}

static const struct socket_ops ops = {
    .bind = bind, .connect = connect, .name = name, .send = send, .receive = packet_receive, .shutdown = shutdown, .get_option = packet_get_option, .set_option = packet_set_option,
    .ioctl = control, .poll = poll, .close = close,
};

static int create(int type, int protocol, struct socket **out) {
    if (!process_may(current_process(), CAP_NET_RAW)) return -EPERM;
    if (type != SOCK_RAW && type != SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    struct packet_socket *it = kzalloc(sizeof *it);
    if (!it) return -ENOBUFS;
    socket_start(&it->socket, &ops, AF_PACKET, type, protocol);
    it->protocol = lwip_ntohs((uint16_t)protocol);
    it->last = &it->first;
    it->next = sockets;
    sockets = it;
    inet_tap = tapped;
    *out = &it->socket;
    return 0;
}
HULL_REGISTER(socket_family, 5, struct socket_family, packet_family) = {AF_PACKET, create};
