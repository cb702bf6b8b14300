/*
 * Private to packet-socket. A socket lives as long as its file and is in packet_sockets meanwhile. Frames come in bottom halves or within the call that sends them; nothing that
 * belongs to a socket's queue or ring is held over a copy from or to program memory, which may sleep.
 */
#ifndef HULL_PACKET_SOCKET_INTERNAL_H
#define HULL_PACKET_SOCKET_INTERNAL_H
#include "inet/inet.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "socket/socket.h"
#include "socket-filter/socket_filter.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { SOL_PACKET = 263, ETH_P_ALL = 3, ETHERNET_HEADER = 14, MAC = 6 };
enum packet_kind { PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST, PACKET_OUTGOING };
struct sockaddr_ll { uint16_t family, protocol; int32_t interface; uint16_t hardware; uint8_t kind, address_size, address[8]; };
/* tpacket_hdr.tp_status and tpacket_auxdata.tp_status */
enum { STATUS_KERNEL = 0, STATUS_USER = 1, STATUS_LOSING = 4, STATUS_UNSUMMED = 8, STATUS_SUMMED = 128 };

/* A frame as one socket is shown it. */
struct packet_view {
    const uint8_t *bytes; /* from its link header (SOCK_RAW) or behind it */
    uint32_t size, kept;  /* kept <= size: what the filter lets through */
    uint32_t header;      /* bytes of it that are link header */
    uint32_t status;
    struct sockaddr_ll from;
    uint64_t time;        /* realtime ns */
};
struct packet { struct packet *next; uint32_t size, kept, header, status; struct sockaddr_ll from; uint64_t time; uint8_t bytes[]; };
struct packet_membership { struct packet_membership *next; int interface; uint16_t kind, size; uint8_t address[8]; unsigned count; };

struct packet_ring {
    uint8_t **pages;              /* NULL: no ring. Direct-map addresses, a reference each */
    uint32_t page_count, block_size, frame_size, frames, frames_per_block, head;
};
struct packet_socket {
    struct socket socket; /* first */
    struct packet_socket *next;
    uint16_t protocol;    /* ETH_P_*, host order; 0: none, nothing is received */
    unsigned interface;   /* 0: all */
    struct socket_filter filter;
    struct packet *first, **last;
    uint32_t queued;
    struct wait_queue readers;
    uint32_t packets, drops; /* since somebody asked */
    struct packet_membership *memberships;
    struct packet_ring ring;
    int version, reserve;
    bool wants_auxdata, wants_original, ignores_outgoing, loss;
};
static inline struct packet_socket *packet_of(struct socket *socket) { return (struct packet_socket *)socket; }

/* queue.c */
void packet_enqueue(struct packet_socket *, const struct packet_view *);
long packet_receive(struct socket *, struct message *);
void packet_drop_all(struct packet_socket *);

/* ring.c */
enum { TPACKET_V1, TPACKET_V2 };
int packet_ring_header(int version); /* the size of its frames' header; -EINVAL: no such version */
int packet_ring_set(struct packet_socket *, const void *request, uint32_t size);
void packet_ring_end(struct packet_socket *);
void packet_ring_put(struct packet_socket *, const struct packet_view *);
bool packet_ring_has(const struct packet_socket *); /* the frame before the next one is the program's */

/* option.c */
int packet_get_option(struct socket *, int level, int name, void *out, uint32_t *size);
int packet_set_option(struct socket *, int level, int name, const void *value, uint32_t size);
void packet_leave_all(struct packet_socket *);
#endif
