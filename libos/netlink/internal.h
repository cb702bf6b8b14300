/* Private to netlink: sockets, and the messages that are being made. */
#ifndef HULL_NETLINK_INTERNAL_H
#define HULL_NETLINK_INTERNAL_H
#include "inet/inet.h"
#include "socket/socket.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { AF_NETLINK = 16 };
struct netlink_packet { struct netlink_packet *next; size_t size; uint8_t bytes[]; };
struct netlink_socket {
    struct socket socket; /* first */
    struct netlink_socket *next; /* of those that are bound */
    uint32_t port, groups;
    struct netlink_packet *first, **last;
    size_t queued;
    struct wait_queue readers;
    bool wants_info;
};
extern struct netlink_socket *netlink_sockets;
static inline struct netlink_socket *netlink_of(struct socket *socket) { return (struct netlink_socket *)socket; }

/* Messages in the making: one packet. */
struct netlink_text { uint8_t *bytes; size_t size, room; bool failed; };
void netlink_deliver(struct netlink_socket *, struct netlink_text *); /* to the queue; the text is empty afterwards */

/* route.c: answers all requests of a packet (libOS memory). */
void netlink_answer(struct netlink_socket *, const uint8_t *request, size_t size);
#endif
