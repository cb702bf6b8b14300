/* AF_INET and AF_INET6: how sockets are made, and the tables of what they do. */
#include "inet-socket/internal.h"
#include "channel/channel.h"
#include "init/init.h"

enum { STREAM_ROOM_MOST = 1 << 20, STREAM_ROOM_LEAST = 64 << 10 };

void inet_socket_start(struct inet_socket *it, const struct socket_ops *ops, int family, int type, int protocol) {
    socket_start(&it->socket, ops, family, type, protocol);
    ip_addr_set_any_val(family == AF_INET6, it->local);
    ip_addr_set_any_val(family == AF_INET6, it->remote);
    it->ttl = it->hop_limit = INET_TTL;
    it->multicast_ttl = 1;
    it->mtu_discover = it->mtu_discover6 = 1;
    it->keep_idle = INET_KEEP_IDLE;
    it->keep_interval = INET_KEEP_INTERVAL;
    it->keep_count = INET_KEEP_COUNT;
    it->datagrams_end = &it->datagrams;
    if (type == SOCK_STREAM) {
        uint64_t room = memory_total() / 64;
        it->socket.send_room = room > STREAM_ROOM_MOST ? STREAM_ROOM_MOST : room < STREAM_ROOM_LEAST ? STREAM_ROOM_LEAST : (uint32_t)room;
    }
}

struct inet_socket *inet_create(int family, int type, int protocol) {
    struct inet_socket *it = kzalloc(sizeof *it);
    if (it) inet_socket_start(it, type == SOCK_STREAM ? &inet_stream_ops : &inet_datagram_ops, family, type, protocol);
    return it;
}

void inet_free(struct inet_socket *it) {
    inet_leave_all(it);
    inet_leave_port(it);
    kfree(it);
}

void inet_wake(struct inet_socket *it) {
    wait_queue_wake(&it->readers, -1);
    wait_queue_wake(&it->writers, -1);
}

int inet_error(err_t error) {
    static const int8_t numbers[] = {0, ENOMEM, ENOBUFS, ETIMEDOUT, ENETUNREACH, EINPROGRESS, EINVAL, EAGAIN, EADDRINUSE, EALREADY, EISCONN, ENOTCONN, ENETDOWN,
                                     ECONNABORTED, ECONNRESET, ECONNRESET, EINVAL};
    return error <= 0 && (size_t)-error < sizeof numbers ? -numbers[-error] : -EIO;
}

static int create(int family, int type, int protocol, struct socket **out) {
    static int protocols[] = {[SOCK_STREAM] = IPPROTO_TCP, [SOCK_DGRAM] = IPPROTO_UDP};
    if (raw_socket_create && (type == SOCK_RAW || (type == SOCK_DGRAM && protocol == (family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP))))
        return raw_socket_create(family, type, protocol, out);
    static bool told;
    if (type == SOCK_RAW && protocol && !told) {
        log_line("raw sockets are not in this image, expected the component raw-socket (--add raw-socket)");
        told = true;
    }
    if (type != SOCK_STREAM && type != SOCK_DGRAM) return type == SOCK_RAW && protocol == 0 ? -EPROTONOSUPPORT : type == SOCK_RAW ? -EPERM : -ESOCKTNOSUPPORT;
    bool lite = type == SOCK_DGRAM && protocol == IPPROTO_UDPLITE; /* RFC 3828 */
    if (protocol && protocol != protocols[type] && !lite) return -EPROTONOSUPPORT;
    struct inet_socket *it = inet_create(family, type, lite ? protocol : protocols[type]);
    if (!it) return -ENOBUFS;
    *out = &it->socket;
    return 0;
}
static int create4(int type, int protocol, struct socket **out) { return create(AF_INET, type, protocol, out); }
static int create6(int type, int protocol, struct socket **out) { return create(AF_INET6, type, protocol, out); }

const struct socket_ops inet_stream_ops = {
    .bind = inet_bind, .connect = inet_connect_stream, .listen = inet_listen, .accept = inet_accept, .name = inet_name, .send = inet_send_stream,
    .receive = inet_receive_stream, .shutdown = inet_shutdown_stream, .get_option = inet_get_option, .set_option = inet_set_option, .ioctl = inet_ioctl,
    .poll = inet_poll_stream, .close = inet_close_stream, .receive_room_set = inet_window_change,
};
const struct socket_ops inet_datagram_ops = {
    .bind = inet_bind, .connect = inet_connect_datagram, .name = inet_name, .send = inet_send_datagram, .receive = inet_receive_datagram,
    .shutdown = inet_shutdown_datagram, .get_option = inet_get_option, .set_option = inet_set_option, .ioctl = inet_ioctl, .poll = inet_poll_datagram,
    .close = inet_close_datagram,
};
HULL_REGISTER(socket_family, 2, struct socket_family, inet_family) = {AF_INET, create4};
HULL_REGISTER(socket_family, 3, struct socket_family, inet6_family) = {AF_INET6, create6};
static void start(void) { inet_icmp_start(); }
HULL_INIT(8, start);
