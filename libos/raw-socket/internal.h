/* Private to raw-socket: an inet_socket over a raw_pcb, and its filters. */
#ifndef HULL_RAW_SOCKET_INTERNAL_H
#define HULL_RAW_SOCKET_INTERNAL_H
#include "inet-socket/internal.h"
#include "socket-filter/socket_filter.h"

struct raw_socket {
    struct inet_socket inet; /* first. A ping socket's local_port is the identifier of its echo requests */
    struct socket_filter packets; /* SO_ATTACH_FILTER */
    uint32_t filter;         /* ICMP_FILTER: a bit for each type that is dropped */
    uint32_t filter6[8];     /* ICMP6_FILTER: the same */
};
static inline struct raw_socket *raw_of(struct socket *socket) { return (struct raw_socket *)socket; }
static inline bool raw_is_ping(const struct raw_socket *it) { return it->inet.socket.type == SOCK_DGRAM; }

int raw_get_option(struct socket *, int level, int name, void *out, uint32_t *size);
int raw_set_option(struct socket *, int level, int name, const void *value, uint32_t size);
#endif
