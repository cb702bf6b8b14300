/* Frames that wait to be read, for sockets without a ring. */
#include "packet-socket/internal.h"

enum { CHARGE = 512, PACKET_AUXDATA = 8 };
struct tpacket_auxdata { uint32_t status, size, kept; uint16_t link, network, vlan_tag, vlan_protocol; };

void packet_enqueue(struct packet_socket *it, const struct packet_view *view) {
    uint32_t charge = CHARGE + view->kept;
    struct packet *packet = it->queued && it->queued + charge > it->socket.receive_room ? NULL : kmalloc(sizeof *packet + view->kept);
    it->packets++;
    if (!packet) {
        it->drops++;
        return;
    }
    *packet = (struct packet){.size = view->size, .kept = view->kept, .header = view->header, .status = view->status, .from = view->from, .time = view->time};
    memcpy(packet->bytes, view->bytes, view->kept);
    *it->last = packet;
    it->last = &packet->next;
    it->queued += charge;
    wait_queue_wake(&it->readers, -1);
}

static struct packet *take_first(struct packet_socket *it) {
    struct packet *first = it->first;
    if (!(it->first = first->next)) it->last = &it->first;
    it->queued -= CHARGE + first->kept;
    return first;
}

void packet_drop_all(struct packet_socket *it) {
    while (it->first) kfree(take_first(it));
}

static bool has_packet(void *argument) {
    const struct packet_socket *it = argument;
    return it->first || it->socket.error;
}

static void tell(const struct packet_socket *it, struct message *message, const struct packet *packet) {
    message_put_time(message, &it->socket, packet->time);
    if (!it->wants_auxdata) return;
    struct tpacket_auxdata data = {.status = STATUS_USER | packet->status, .size = packet->size, .kept = packet->kept, .network = (uint16_t)packet->header};
    message_put_control(message, SOL_PACKET, PACKET_AUXDATA, &data, sizeof data);
}

long packet_receive(struct socket *socket, struct message *message) {
    struct packet_socket *it = packet_of(socket);
    if (message->flags & ~(unsigned)(MSG_PEEK | MSG_DONTWAIT | MSG_TRUNC)) return -EINVAL;
    for (bool looked = false; !has_packet(it); looked = true) {
        if (message->flags & MSG_DONTWAIT) {
            if (looked) return -EAGAIN;
            run_deferred();
            continue;
        }
        int error = socket_wait(&it->readers, has_packet, it, socket->receive_timeout);
        if (error) return error;
    }
    if (socket->error) {
        int error = socket->error;
        socket->error = 0;
        return error;
    }
    bool peek = message->flags & MSG_PEEK;
    struct packet *packet = it->first;
    if (peek) { /* a copy: the first may be gone once a copy to the program has slept */
        if (!(packet = kmalloc(sizeof *packet + it->first->kept))) return -ENOBUFS;
        memcpy(packet, it->first, sizeof *packet + it->first->kept);
    } else {
        take_first(it);
    }
    size_t size = packet->kept, taken = 0;
    long error = 0;
    for (int i = 0; i < message->count && taken < size && !error; i++) {
        size_t piece = message->vector[i].length < size - taken ? message->vector[i].length : size - taken;
        if (user_copy_out(message->vector[i].base, packet->bytes + taken, piece)) error = -EFAULT;
        taken += piece;
    }
    if (!error) {
        message->address.length = sizeof packet->from;
        memcpy(message->address.bytes, &packet->from, sizeof packet->from);
        tell(it, message, packet);
        if (taken < size) message->out_flags |= MSG_TRUNC;
    }
    kfree(packet);
    return error ? error : message->flags & MSG_TRUNC ? (long)size : (long)taken;
}
