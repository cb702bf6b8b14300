/* getsockopt and setsockopt of packet sockets (packet(7)). What is not here is refused: fanout, headers of virtio-net, a ring for sending. */
#include "packet-socket/internal.h"

enum { PACKET_ADD_MEMBERSHIP = 1, PACKET_DROP_MEMBERSHIP = 2, PACKET_RX_RING = 5, PACKET_STATISTICS = 6, PACKET_COPY_THRESH = 7, PACKET_AUXDATA = 8, PACKET_ORIGDEV = 9, PACKET_VERSION = 10, PACKET_HDRLEN = 11,
       PACKET_RESERVE = 12, PACKET_LOSS = 14, PACKET_TIMESTAMP = 17, PACKET_QDISC_BYPASS = 20, PACKET_IGNORE_OUTGOING = 23 };
enum { MR_MULTICAST = 0, MR_PROMISC, MR_ALLMULTI, MR_UNICAST, RESERVE_MOST = 0x7fff };
struct packet_mreq { int interface; uint16_t kind, size; uint8_t address[8]; };
struct tpacket_stats { uint32_t packets, drops; };

/* Devices let multicast frames through in any case; how many sockets ask one to be promiscuous is counted here. */
static void count_promiscuous(int index, int change) {
    static uint32_t counts[8];
    struct inet_interface *interface = inet_interface_by_index((unsigned)index);
    if (!interface || !interface->device || (unsigned)index >= sizeof counts / sizeof *counts) return;
    uint32_t before = counts[index];
    counts[index] += (uint32_t)change;
    if (interface->device->ops->set_promiscuous && !before != !counts[index]) interface->device->ops->set_promiscuous(interface->device, counts[index] != 0);
}

static struct packet_membership **find(struct packet_socket *it, const struct packet_mreq *wanted) {
    struct packet_membership **link = &it->memberships;
    while (*link && ((*link)->interface != wanted->interface || (*link)->kind != wanted->kind || (*link)->size != wanted->size || memcmp((*link)->address, wanted->address, wanted->size)))
        link = &(*link)->next;
    return link;
}

static void leave(struct packet_membership **link) {
    struct packet_membership *gone = *link;
    *link = gone->next;
    if (gone->kind == MR_PROMISC) count_promiscuous(gone->interface, -1);
    kfree(gone);
}

void packet_leave_all(struct packet_socket *it) {
    while (it->memberships) leave(&it->memberships);
}

static int change_membership(struct packet_socket *it, bool add, const void *value, uint32_t size) {
    struct packet_mreq wanted;
    if (size < sizeof wanted) return -EINVAL;
    memcpy(&wanted, value, sizeof wanted);
    if (wanted.size > sizeof wanted.address) return -EINVAL;
    if (add && !inet_interface_by_index((unsigned)wanted.interface)) return -ENODEV;
    struct packet_membership **link = find(it, &wanted);
    if (!add) {
        if (*link && !--(*link)->count) leave(link);
        return 0;
    }
    if (*link) return (*link)->count++, 0;
    if (wanted.size > MAC || wanted.kind > MR_UNICAST) return -EINVAL;
    struct packet_membership *made = kmalloc(sizeof *made);
    if (!made) return -ENOBUFS;
    *made = (struct packet_membership){.next = it->memberships, .interface = wanted.interface, .kind = wanted.kind, .size = wanted.size, .count = 1};
    memcpy(made->address, wanted.address, sizeof made->address);
    it->memberships = made;
    if (wanted.kind == MR_PROMISC) count_promiscuous(wanted.interface, 1);
    return 0;
}

static bool *find_switch(struct packet_socket *it, int level, int name) {
    if (level != SOL_PACKET) return NULL;
    switch (name) {
    case PACKET_AUXDATA: return &it->wants_auxdata;
    case PACKET_ORIGDEV: return &it->wants_original;
    case PACKET_LOSS: return &it->loss;
    case PACKET_IGNORE_OUTGOING: return &it->ignores_outgoing;
    default: return NULL;
    }
}

int packet_set_option(struct socket *socket, int level, int name, const void *value, uint32_t size) {
    struct packet_socket *it = packet_of(socket);
    bool *wanted = find_switch(it, level, name);
    int number, error = filter_set_option(&it->filter, level, name, value, size);
    if (error != -ENOPROTOOPT || (level != SOL_PACKET && !wanted)) return error;
    if (level == SOL_PACKET) {
        if (name == PACKET_ADD_MEMBERSHIP || name == PACKET_DROP_MEMBERSHIP) return change_membership(it, name == PACKET_ADD_MEMBERSHIP, value, size);
        if (name == PACKET_RX_RING) return packet_ring_set(it, value, size);
    }
    if (size < sizeof number) return -EINVAL;
    memcpy(&number, value, sizeof number);
    if (wanted) {
        if (name == PACKET_LOSS && it->ring.pages) return -EBUSY;
        if (name == PACKET_IGNORE_OUTGOING && (number < 0 || number > 1)) return -EINVAL;
        *wanted = number != 0;
        return 0;
    }
    switch (name) {
    case PACKET_VERSION:
        if (packet_ring_header(number) < 0) return -EINVAL;
        if (it->ring.pages) return -EBUSY;
        it->version = number;
        return 0;
    case PACKET_RESERVE:
        if (it->ring.pages) return -EBUSY;
        if (number < 0 || number > RESERVE_MOST) return -EINVAL;
        it->reserve = number;
        return 0;
    case PACKET_TIMESTAMP: case PACKET_COPY_THRESH: case PACKET_QDISC_BYPASS: return 0; /* times are the system's; frames that a ring's are too small for are cut; there is no queue to go round */
    default: return -ENOPROTOOPT;
    }
}

int packet_get_option(struct socket *socket, int level, int name, void *out, uint32_t *size) {
    struct packet_socket *it = packet_of(socket);
    const bool *wanted = find_switch(it, level, name);
    int number = 0;
    if (level != SOL_PACKET && !wanted) return -ENOPROTOOPT;
    if (level == SOL_PACKET && name == PACKET_STATISTICS) {
        struct tpacket_stats stats = {it->packets, it->drops};
        it->packets = it->drops = 0;
        memcpy(out, &stats, *size = sizeof stats);
        return 0;
    }
    if (wanted) {
        number = *wanted;
    } else if (name == PACKET_VERSION) {
        number = it->version;
    } else if (name == PACKET_RESERVE) {
        number = it->reserve;
    } else if (name == PACKET_HDRLEN) { /* the version comes in what the program passed */
        memcpy(&number, out, sizeof number);
        if ((number = packet_ring_header(number)) < 0) return number;
    } else if (name != PACKET_TIMESTAMP && name != PACKET_QDISC_BYPASS) {
        return -ENOPROTOOPT;
    }
    memcpy(out, &number, *size = sizeof number);
    return 0;
}
