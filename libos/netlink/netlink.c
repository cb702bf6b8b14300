/*
 * AF_NETLINK sockets of NETLINK_ROUTE (netlink(7), rtnetlink(7)): what getifaddrs, if_nameindex and `ip` ask. A request is answered within the call that sends it: the answer's messages
 * lie in the socket's queue. Requests are read with bounds; what makes no sense gets NLMSG_ERROR.
 */
#include "lib/string.h"
#include "memory/memory.h"
#include "netlink/internal.h"

enum { SOL_NETLINK = 270, NETLINK_PKTINFO = 3, QUEUE_MOST = 256 << 10, REQUEST_MOST = 65536 };
struct sockaddr_nl { uint16_t family, pad; uint32_t pid, groups; };
static uint32_t next_port = 0x80000000u;
static const struct socket_ops ops;

static int create(int type, int protocol, struct socket **out) {
    if (type != SOCK_RAW && type != SOCK_DGRAM) return -ESOCKTNOSUPPORT;
    if (protocol != 0) return -EPROTONOSUPPORT; /* NETLINK_ROUTE */
    struct netlink_socket *it = kzalloc(sizeof *it);
    if (!it) return -ENOBUFS;
    socket_start(&it->socket, &ops, AF_NETLINK, type, protocol);
    it->last = &it->first;
    *out = &it->socket;
    return 0;
}

static bool port_taken(uint32_t port) {
    for (struct netlink_socket *it = netlink_sockets; it; it = it->next)
        if (it->port == port) return true;
    return false;
}

static int bind(struct socket *socket, const struct address *address) {
    struct netlink_socket *it = netlink_of(socket);
    const struct sockaddr_nl *name = (const struct sockaddr_nl *)address->bytes;
    if (address->length < sizeof *name || name->family != AF_NETLINK) return -EINVAL;
    if (it->port && name->pid && name->pid != it->port) return -EINVAL;
    if (!it->port) {
        uint32_t port = name->pid ? name->pid : (uint32_t)current_process()->pid;
        if (name->pid && port_taken(port)) return -EADDRINUSE;
        while (port_taken(port)) port = next_port++;
        it->port = port;
        it->next = netlink_sockets;
        netlink_sockets = it;
    }
    it->groups = name->groups;
    return 0;
}

static int autobind(struct netlink_socket *it) {
    struct address any = {.length = sizeof(struct sockaddr_nl), .family = AF_NETLINK};
    return it->port ? 0 : bind(&it->socket, &any);
}

static int connect(struct socket *socket, const struct address *address, bool wait) {
    (void)wait;
    if (address->length < sizeof(struct sockaddr_nl)) return -EINVAL;
    if (address->family != AF_NETLINK && address->family != AF_UNSPEC) return -EINVAL;
    return autobind(netlink_of(socket));
}

static int name(struct socket *socket, bool peer, struct address *out) {
    struct sockaddr_nl name = {.family = AF_NETLINK, .pid = peer ? 0 : netlink_of(socket)->port, .groups = peer ? 0 : netlink_of(socket)->groups};
    *out = (struct address){.length = sizeof name};
    memcpy(out->bytes, &name, sizeof name);
    return 0;
}

static long send(struct socket *socket, struct message *message) {
    struct netlink_socket *it = netlink_of(socket);
    struct sockaddr_nl to = {0};
    if (message->flags & MSG_OOB) return -EOPNOTSUPP;
    if (message->address.length >= sizeof to) memcpy(&to, message->address.bytes, sizeof to);
    if (message->address.length && (message->address.length < sizeof to || to.family != AF_NETLINK)) return -EINVAL;
    if (to.pid) return -ECONNREFUSED;
    if (message->size > REQUEST_MOST) return -EMSGSIZE;
    int error = autobind(it);
    if (error) return error;
    uint8_t *request = kmalloc(message->size ? message->size : 1), *at = request;
    if (!request) return -ENOBUFS;
    for (int i = 0; i < message->count; at += message->vector[i++].length)
        if (user_copy_in(at, message->vector[i].base, message->vector[i].length)) {
            kfree(request);
            return -EFAULT;
        }
    netlink_answer(it, request, message->size);
    kfree(request);
    wait_queue_wake(&it->readers, -1);
    return (long)message->size;
}

void netlink_deliver(struct netlink_socket *it, struct netlink_text *text) {
    struct netlink_packet *packet = text->failed || it->queued + text->size > QUEUE_MOST ? NULL : kmalloc(sizeof *packet + text->size);
    if (!packet) {
        it->socket.error = -ENOBUFS;
    } else {
        packet->next = NULL;
        packet->size = text->size;
        memcpy(packet->bytes, text->bytes, text->size);
        *it->last = packet;
        it->last = &packet->next;
        it->queued += text->size;
    }
    kfree(text->bytes);
    *text = (struct netlink_text){0};
}

/* For mq_notify (mqueue, through a weak reference): a note that C libraries wait for in a socket of theirs. Nothing happens where it is no netlink socket. */
void netlink_note(struct file *file, const void *bytes, size_t size);
void netlink_note(struct file *file, const void *bytes, size_t size) {
    struct socket *socket = socket_of(file);
    if (!socket || socket->family != AF_NETLINK) return;
    struct netlink_text text = {.bytes = kmalloc(size), .size = size, .room = size};
    text.failed = !text.bytes;
    if (text.bytes) memcpy(text.bytes, bytes, size);
    netlink_deliver(netlink_of(socket), &text);
    wait_queue_wake(&netlink_of(socket)->readers, -1);
}

static bool has_packet(void *argument) {
    struct netlink_socket *it = argument;
    return it->first || it->socket.error;
}

static long receive(struct socket *socket, struct message *message) {
    struct netlink_socket *it = netlink_of(socket);
    if (message->flags & MSG_OOB) return -EOPNOTSUPP;
    if (!has_packet(it)) {
        int error = message->flags & MSG_DONTWAIT ? -EAGAIN : socket_wait(&it->readers, has_packet, it, socket->receive_timeout);
        if (error) return error;
    }
    struct netlink_packet *packet = it->first;
    if (!packet) {
        int error = socket->error;
        socket->error = 0;
        return error;
    }
    if (message->flags & MSG_PEEK) { /* a copy: the first may be gone once a copy to the program has slept */
        if (!(packet = kmalloc(sizeof *packet + it->first->size))) return -ENOBUFS;
        memcpy(packet, it->first, sizeof *packet + it->first->size);
    } else {
        if (!(it->first = packet->next)) it->last = &it->first;
        it->queued -= packet->size;
    }
    size_t taken = 0;
    long error = 0;
    for (int i = 0; i < message->count && taken < packet->size && !error; i++) {
        size_t piece = message->vector[i].length < packet->size - taken ? message->vector[i].length : packet->size - taken;
        if (user_copy_out(message->vector[i].base, packet->bytes + taken, piece)) error = -EFAULT;
        taken += piece;
    }
    size_t size = packet->size;
    kfree(packet);
    if (error) return error;
    struct sockaddr_nl from = {.family = AF_NETLINK};
    message->address.length = sizeof from;
    memcpy(message->address.bytes, &from, sizeof from);
    if (it->wants_info) message_put_control(message, SOL_NETLINK, NETLINK_PKTINFO, &(uint32_t){0}, sizeof(uint32_t));
    if (taken < size) message->out_flags |= MSG_TRUNC;
    return message->flags & MSG_TRUNC ? (long)size : (long)taken;
}

static unsigned poll(struct socket *socket, struct poll_wait *wait) {
    struct netlink_socket *it = netlink_of(socket);
    poll_wait_add_for(wait, &it->readers, POLLIN | POLLRDNORM | POLLERR);
    return POLLOUT | POLLWRNORM | (it->first ? POLLIN | POLLRDNORM : 0u) | (socket->error ? POLLERR : 0u);
}

static int set_option(struct socket *socket, int level, int option, const void *value, uint32_t size) {
    int number = 0;
    if (level != SOL_NETLINK) return -ENOPROTOOPT;
    if (size >= sizeof number) memcpy(&number, value, sizeof number);
    if (option == NETLINK_PKTINFO) netlink_of(socket)->wants_info = number != 0;
    /* Others shape messages that never come (NETLINK_EXT_ACK, GET_STRICT_CHK, groups of events): without effect on those that do. */
    return option >= 1 && option <= 12 ? 0 : -ENOPROTOOPT;
}

static int shutdown(struct socket *socket, int how) {
    (void)socket;
    (void)how;
    return -EOPNOTSUPP;
}

static void close(struct socket *socket) {
    struct netlink_socket *it = netlink_of(socket), **link = &netlink_sockets;
    while (*link && *link != it) link = &(*link)->next;
    if (*link) *link = it->next;
    for (struct netlink_packet *packet; (packet = it->first);) {
        it->first = packet->next;
        kfree(packet);
    }
    kfree(it);
}

struct netlink_socket *netlink_sockets;
static long control(struct socket *socket, unsigned long request, unsigned long argument) {
    (void)socket;
    return inet_interface_ioctl(AF_NETLINK, request, argument);
}

static const struct socket_ops ops = {
    .bind = bind, .connect = connect, .name = name, .send = send, .receive = receive, .poll = poll, .set_option = set_option, .shutdown = shutdown, .ioctl = control, .close = close,
};
HULL_REGISTER(socket_family, 4, struct socket_family, netlink_family) = {AF_NETLINK, create};
