/*
 * The protocol stack: lwIP with its interfaces. Owns them (loopback, and one for each network device), their addresses and how frames get in and out.
 * Context: calls and bottom halves. Whoever sees lwIP's types includes its headers itself (component.json "includes").
 */
#ifndef HULL_INET_INET_H
#define HULL_INET_INET_H
#include <stdbool.h>
#include <stdint.h>
#include "lwip/netif.h"
#include "lwip/pbuf.h"
#include "net-device/net_device.h"

enum { INET_NAME = 16, INET_LOOPBACK_MTU = 65535 };
struct inet_interface {
    struct netif netif;         /* first; its index (netif_get_index) is Linux's ifindex: 1 is loopback */
    char name[INET_NAME];
    struct net_device *device;  /* NULL: loopback */
    struct inet_run *run;       /* offload.c's: segments that wait for more of their connection; NULL: none */
    bool up, wants_dhcp, wants_autoconfiguration, wants_ipv6; /* up: as the program set it */
    uint64_t frames_in, bytes_in, frames_out, bytes_out, dropped_in, dropped_out;
    struct inet_interface *next;
};
extern struct inet_interface *inet_interfaces; /* loopback first */

struct inet_interface *inet_interface_by_index(unsigned index); /* NULL: none */
struct inet_interface *inet_interface_by_name(const char *name);
uint32_t inet_interface_flags(const struct inet_interface *); /* IFF_* */
uint32_t inet_interface_type(const struct inet_interface *);  /* ARPHRD_* */
long inet_interface_ioctl(int family, unsigned long request, unsigned long argument); /* netdevice(7); family: the socket's; -ENOTTY: none of these */
void inet_interface_set_up(struct inet_interface *, bool up);
bool inet_is_own(const ip_addr_t *); /* an address of this machine, all of 127.0.0.0/8 among them */
/* At the end of a call that sent: what loopback carries arrives. A call of a linked program has no way out of its own on which the bottom half would run. */
void inet_settle(void);
/* Where to and from which address a packet goes: the interface, or NULL without a route. *source: in: wanted or any; out: what it is. */
struct netif *inet_route(ip_addr_t *source, const ip_addr_t *destination, unsigned interface);
/* The bytes of a frame's buffer that may be appended to (memory of a pbuf that came from a device); 0: none. */
size_t inet_room_behind(const struct pbuf *);
/* By who watches frames (packet-socket); NULL: nobody. p is borrowed: a frame, or a packet that loopback carries. how: INET_TAP_* */
enum { INET_TAP_OUTGOING = 1, INET_TAP_UNSUMMED = 2 }; /* UNSUMMED: the checksum of TCP or UDP may not be filled in */
extern void (*inet_tap)(struct inet_interface *, struct pbuf *frame, unsigned how);
/* Bits of pbuf.flags that are not lwIP's, in what is sent: its checksums are the program's; who watches has seen it. */
enum { INET_PBUF_SUMMED = 0x80, INET_PBUF_SHOWN = 0x40 };
#endif
