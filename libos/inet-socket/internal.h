/*
 * Private to inet-socket: sockets of AF_INET and AF_INET6, over lwIP's raw API.
 *
 * A socket lives as long as its file; an accepted one lies in its listener's queue before it has one. lwIP's control blocks live longer: closing takes their callbacks away
 * and leaves them to end on their own. Nothing of lwIP is held over a copy from or to program memory, which may sleep: state is looked at again afterwards.
 */
#ifndef HULL_INET_SOCKET_INTERNAL_H
#define HULL_INET_SOCKET_INTERNAL_H
#include "clock/clock.h"
#include "inet/inet.h"
#include "lib/string.h"
#include "lwip/ip_addr.h"
#include "lwip/lwip.h"
#include "lwip/raw.h"
#include "lwip/tcp.h"
#include "lwip/udp.h"
#include "memory/memory.h"
#include "socket/socket.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { AF_INET = 2, AF_INET6 = 10, SHUT_RECEIVE = 1, SHUT_SEND = 2 };
enum { IPPROTO_IP = 0, IPPROTO_ICMP = 1, IPPROTO_TCP = 6, IPPROTO_UDP = 17, IPPROTO_IPV6 = 41, IPPROTO_ICMPV6 = 58, IPPROTO_UDPLITE = 136 };
enum inet_state { INET_NEW, INET_LISTENING, INET_CONNECTING, INET_CONNECTED, INET_CLOSED }; /* CLOSED: it was connected once */

/* One lwIP listener, shared by all sockets that listen at the same address (SO_REUSEPORT). */
struct listener { struct tcp_pcb *pcb; struct inet_socket *first; struct listener *next; ip_addr_t address; uint16_t port; };
struct datagram {
    struct datagram *next;
    struct pbuf *data;
    ip_addr_t from, to;
    uint64_t time;       /* realtime ns */
    uint32_t charge;
    uint16_t port, interface;
    uint8_t ttl, tos;
};
/* What ICMP reported about a datagram of the socket's (IP_RECVERR; ip(7)): `data` is what came back of it, NULL: nothing. */
struct icmp_report {
    struct icmp_report *next;
    struct pbuf *data;
    ip_addr_t to, offender;
    uint16_t port;
    uint8_t type, code;
    int error;           /* -errno */
    uint32_t info;       /* the way's MTU, or 0 */
};
struct membership { struct membership *next; ip_addr_t group; unsigned interface; };

struct inet_socket {
    struct socket socket; /* first */
    struct inet_socket *next, **link;   /* of those with the same hash of their local port */
    enum inet_state state;
    uint8_t shut;
    ip_addr_t local, remote;            /* remote: any when not connected */
    uint16_t local_port, remote_port;   /* host order; 0: none */
    uint16_t interface;                 /* SO_BINDTODEVICE; 0: any */
    bool address_bound, port_bound;     /* by bind; a port of ours is given back when the connection ends */
    struct wait_queue readers, writers; /* writers: also who waits in connect */
    /* Streams */
    struct tcp_pcb *pcb;                /* NULL: none yet, or it has ended */
    struct listener *listener;          /* while listening */
    struct inet_socket *listener_next;
    struct inet_socket *parent;         /* its listener's socket, until accepted */
    struct inet_socket *queue_first, *queue_last, *queue_next; /* not accepted yet */
    uint32_t queue_length, queue_most;
    struct pbuf *first, *last;          /* received and not read: single pbufs, linked by `next`, whose lengths count */
    uint32_t unread;                    /* bytes */
    uint32_t window_debt;               /* bytes that are not given back to the window when they are read */
    struct pbuf *corked;                /* the incomplete last segment of MSG_MORE or TCP_CORK, not lwIP's yet */
    uint32_t corked_room;
    struct timer cork_timer;            /* of one that TCP_DEFER_ACCEPT keeps back: its limit */
    bool is_local, connect_untold;      /* the peer is on this machine; a connect that did not wait has not been repeated */
    bool begun, peer_closed, no_room;   /* first data went out; the peer sent its FIN; somebody found no room to send */
    uint64_t bytes_in, bytes_out;
    uint64_t urgent_at;                 /* where in what comes the urgent byte stands, as bytes_in counts */
    enum inet_urgent { URGENT_NONE, URGENT_TOLD, URGENT_READ } urgent; /* TOLD: the byte may not be there yet; READ: by MSG_OOB */
    /* Datagrams */
    struct udp_pcb *udp;
    struct raw_pcb *raw;
    struct datagram *datagrams, **datagrams_end;
    struct icmp_report *reports, **reports_end;
    uint16_t segment;                   /* UDP_SEGMENT; 0: none */
    struct unfinished *unfinished;      /* to be sent; NULL: none */
    uint16_t send_coverage, receive_coverage; /* UDP-Lite's checksum */
    uint32_t queued;                    /* charges */
    uint32_t dropped;
    struct membership *memberships;
    /* Options */
    uint32_t flags;                     /* INET_* */
    uint8_t ttl, tos, hop_limit, multicast_ttl, mtu_discover, mtu_discover6;
    uint8_t traffic_class;
    uint16_t multicast_interface;
    ip_addr_t multicast_source;
    int keep_idle, keep_interval, keep_count, defer_accept, linger2, max_segment, user_timeout, synchronisations; /* defer_accept: seconds; -1: this one is kept back */
    uint32_t notsent_low;               /* TCP_NOTSENT_LOWAT; 0: none */
};
/* Linux's defaults, which /proc/sys/net shows (ip(7), tcp(7)). */
enum { INET_BACKLOG_MOST = 4096, INET_PORT_FIRST = 32768, INET_PORT_LAST = 60999, INET_TTL = 64, INET_KEEP_IDLE = 7200, INET_KEEP_INTERVAL = 75,
       INET_KEEP_COUNT = 9 };
enum {
    INET_V6ONLY = 1, INET_NODELAY = 2, INET_CORK = 4, INET_QUICKACK = 8, INET_PKTINFO = 16, INET_RECVTTL = 32, INET_RECVTOS = 64, INET_PKTINFO6 = 128,
    INET_RECVHOPLIMIT = 256, INET_RECVTCLASS = 512, INET_RECVERR = 1024, INET_RECVERR6 = 2048, INET_FREEBIND = 4096, INET_MULTICAST_LOOP_OFF = 8192,
    INET_HEADER_INCLUDED = 16384, INET_TRANSPARENT = 1 << 17, INET_MULTICAST_ALL_OFF = 1 << 18,
    INET_BIND_NO_PORT = 1 << 19, INET_RXQ_OVFL = 1 << 20, INET_NO_CHECK = 1 << 21, INET_GRO = 1 << 22,
};
static inline struct inet_socket *inet_of(struct socket *socket) { return (struct inet_socket *)socket; }
static inline bool inet_is6(const struct inet_socket *it) { return it->socket.family == AF_INET6; }
static inline bool inet_is_stream(const struct inet_socket *it) { return it->socket.type == SOCK_STREAM; }
static inline bool inet_plain(const struct inet_socket *it, int option) { return it->socket.plain_options >> option & 1; }

/* socket.c */
extern const struct socket_ops inet_stream_ops, inet_datagram_ops;
void inet_socket_start(struct inet_socket *, const struct socket_ops *, int family, int type, int protocol); /* one that is all zeros */
struct inet_socket *inet_create(int family, int type, int protocol); /* NULL: out of memory */
void inet_free(struct inet_socket *);
void inet_wake(struct inet_socket *); /* everybody who waits */
int inet_error(err_t);                /* lwIP's as -errno */

/* name.c */
/* Both: -EINVAL, -EAFNOSUPPORT. *ip of IPv4-mapped addresses is IPv4. */
int inet_address_in(const struct inet_socket *, const struct address *, ip_addr_t *ip, uint16_t *port);
void inet_address_out(int family, const ip_addr_t *ip, uint16_t port, struct address *);
int inet_bind(struct socket *, const struct address *);
int inet_name(struct socket *, bool peer, struct address *);
int inet_take_port(struct inet_socket *); /* one that is free, when it has none: 0, -EADDRINUSE (-EAGAIN for datagrams) */
void inet_enter_port(struct inet_socket *, uint16_t port);
void inet_leave_port(struct inet_socket *);
extern struct inet_socket *inet_ports[];
extern uint64_t inet_port_free; /* the first that anybody may bind (ip_unprivileged_port_start). 0 at the start, as in containers: the machine's ports are its program's */
enum { INET_PORT_BUCKETS = 64 };
struct inet_socket *inet_find_datagram(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port); /* NULL: none */

/* connection.c */
int inet_connect_stream(struct socket *, const struct address *, bool wait);
int inet_listen(struct socket *, int backlog);
int inet_accept(struct socket *, bool wait, struct socket **out, struct address *peer);
int inet_shutdown_stream(struct socket *, int how);
void inet_close_stream(struct socket *);
unsigned inet_poll_stream(struct socket *, struct poll_wait *);
void inet_apply_options(struct inet_socket *); /* to its pcb */

/* window.c */
void inet_window_listen(const struct inet_socket *, struct tcp_pcb *listening); /* the window of connections to come */
void inet_window_begin(const struct inet_socket *);                             /* of a connection that is not asked for yet */
void inet_window_change(struct socket *);                                       /* SO_RCVBUF was set */
void inet_window_give_back(struct inet_socket *, size_t);                       /* the program has read so many bytes */
struct tcp_hdr;
/* A pure acknowledgment that comes while the window is 0 is in it (RFC 9293, 3.10.7.4), which lwIP denies: it would be answered, and so would the answer be where the peer
 * is such a stack, too, with no end on loopback. The segment is taken with a window of 1. Arguments and result are lwip_port_tcp_in's. */
int inet_window_closed(struct tcp_pcb *, struct tcp_hdr *, const u8_t *further_options, struct pbuf *);
int inet_tcp_again(struct tcp_hdr *, struct pbuf *); /* the segment goes through lwIP once more, as it came: 1; 0: not possible */

/* urgent.c: the urgent byte (MSG_OOB; RFC 9293, 3.8.5, as BSD and Linux read it: the pointer is one behind it). */
void inet_urgent_told(struct tcp_pcb *, const struct tcp_hdr *); /* a segment says where it is */
bool inet_urgent_there(const struct inet_socket *);              /* it has come and nobody has read it: POLLPRI */
size_t inet_urgent_distance(const struct inet_socket *);         /* unread bytes before it; 0: it is next; SIZE_MAX: there is none */
void inet_urgent_passed(struct inet_socket *);                   /* something was read: it may lie behind now */
long inet_receive_urgent(struct inet_socket *, struct message *);

/* recovery.c */
void inet_recovery_begin(struct tcp_pcb *); /* a connection that nothing was sent on */
void inet_recover(struct tcp_pcb *, const struct tcp_hdr *, const u8_t *further_options); /* an acknowledgment came; lwIP sees it next */
void inet_tell_repeated(struct tcp_pcb *, const struct tcp_hdr *, const struct pbuf *); /* so with what came; p: behind the header */

/* cookie.c: connections that are not remembered while they are half open. Both by lwIP's hook, of a segment to this listener. */
struct tcp_pcb_listen;
void inet_cookie_answer(struct tcp_pcb_listen *, const struct tcp_hdr *request, bool has_all_options); /* the header holds all options */
bool inet_cookie_take(struct tcp_pcb_listen *, const struct tcp_hdr *acknowledgment); /* true: of such an answer; its connection is there, and gets the segment next */

/* stream.c */
long inet_send_stream(struct socket *, struct message *);
long inet_receive_stream(struct socket *, struct message *);
bool inet_stream_writable(const struct inet_socket *);
uint32_t inet_stream_low(const struct inet_socket *);    /* so many unread bytes make it readable (SO_RCVLOWAT), as far as its window has room for them */
uint32_t inet_stream_unsent(const struct inet_socket *); /* bytes that the peer has not acknowledged */
void inet_push(struct inet_socket *);                    /* what is corked, and what lwIP has */
void inet_drop_unread(struct inet_socket *);
void inet_append(struct inet_socket *, struct pbuf *);   /* received data */

/* datagram.c */
int inet_connect_datagram(struct socket *, const struct address *, bool wait);
long inet_send_datagram(struct socket *, struct message *);
long inet_receive_datagram(struct socket *, struct message *);
int inet_finish_datagram(struct inet_socket *); /* what MSG_MORE and UDP_CORK held back is sent: 0 or -errno */
int inet_shutdown_datagram(struct socket *, int how);
void inet_close_datagram(struct socket *);
unsigned inet_poll_datagram(struct socket *, struct poll_wait *);
int inet_open_datagram(struct inet_socket *); /* its udp_pcb, bound as the socket is */
/* What a message is sent by: in: the socket's, -1 where it says nothing; out: with what control messages say. 0 or -errno. */
struct inet_destination { ip_addr_t to, source; uint16_t port; unsigned interface; int ttl, tos; uint16_t segment; };
int inet_read_control(const struct message *, struct inet_destination *);
int inet_find_way(struct inet_socket *, ip_addr_t *to, ip_addr_t *source, unsigned wanted, struct netif **out); /* the interface and source for a destination: 0 or -errno */
int inet_copy_in(const struct message *, uint8_t *to); /* all of it, from the program: 0 or -EFAULT */
int inet_take_error(struct inet_socket *);             /* SO_ERROR, which it ends */
void inet_enqueue(struct inet_socket *, struct pbuf *, const ip_addr_t *from, uint16_t port); /* within lwIP's receiving; takes the pbuf, for whoever reads, or drops it */

void inet_keep_report(struct inet_socket *, const struct icmp_report *, const struct pbuf *whole, size_t offset); /* a copy, for MSG_ERRQUEUE; what came back lies at the offset */

/* By the component raw-socket: SOCK_RAW, and SOCK_DGRAM of ICMP. 0 or -errno. */
int raw_socket_create(int family, int type, int protocol, struct socket **out) __attribute__((weak));
long inet_copy_out(const struct message *, const struct pbuf *first, size_t offset, size_t size, size_t at); /* to the program: 0 or -EFAULT */

/* icmp.c: errors that routers and hosts report, to the sockets that they mean. */
void inet_icmp_start(void);

/* option.c, multicast.c, control.c */
extern const uint8_t inet_linux_states[TIME_WAIT + 1]; /* by lwIP's: as TCP_INFO and /proc/net tell them */
int inet_get_option(struct socket *, int level, int name, void *out, uint32_t *size);
int inet_set_option(struct socket *, int level, int name, const void *value, uint32_t size);
int inet_join(struct inet_socket *, const ip_addr_t *group, unsigned interface);
int inet_leave(struct inet_socket *, const ip_addr_t *group, unsigned interface);
void inet_leave_all(struct inet_socket *);
long inet_ioctl(struct socket *, unsigned long request, unsigned long argument);
#endif
