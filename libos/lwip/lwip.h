/*
 * hull's port of lwIP, as far as others than lwIP call it. Owns lwIP's timers: one for TCP, one for the rest; both are armed only while something is
 * pending or was shortly ago, so an idle machine does not wake. Context: calls and bottom halves.
 */
#ifndef HULL_LWIP_LWIP_H
#define HULL_LWIP_LWIP_H
#include <stdint.h>
void lwip_port_start(uint64_t memory); /* once, first: starts lwIP, with sizes for that much memory, in bytes */
/* Something came in or goes out: a TCP connection may wait for the timer now. Cheap. */
void lwip_timers_tcp(void);
/* A device carried a frame, or an interface changed: ARP, neighbour discovery, DHCP, fragments may wait. Cheap. */
void lwip_timers_link(void);
#endif
