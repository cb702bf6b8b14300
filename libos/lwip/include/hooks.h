/*
 * Where lwIP asks hull (LWIP_HOOK_FILENAME): routes, initial sequence numbers, whether a segment may reach its connection. All of them are
 * called from within lwIP, in calls and bottom halves. `inet` defines the routes and the tick, `inet-socket` the last (weak: every segment may).
 */
#ifndef HULL_LWIP_HOOKS_H
#define HULL_LWIP_HOOKS_H
#include "lwip/ip_addr.h"
struct netif; struct pbuf; struct tcp_pcb; struct tcp_hdr;
/* The interface for a destination that the stack itself owns; NULL: by lwIP's rules. */
struct netif *lwip_port_route4(const ip4_addr_t *source, const ip4_addr_t *destination);
struct netif *lwip_port_route6(const ip6_addr_t *source, const ip6_addr_t *destination);
/* Timers of TCP are about to look at what was sent. */
void lwip_port_before_tick(void);
/* RFC 6528: unpredictable, and growing for the same pair of addresses and ports. */
u32_t lwip_port_tcp_isn(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote, u16_t remote_port);
/* header: in host order; p: behind it; further_options: NULL, or they go on in the next pbuf. 0, or not 0: the segment goes no further. */
int lwip_port_tcp_in(struct tcp_pcb *pcb, struct tcp_hdr *header, const u8_t *further_options, struct pbuf *p);
#endif
