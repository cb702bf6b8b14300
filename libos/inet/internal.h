/* Private to inet. */
#ifndef HULL_INET_INTERNAL_H
#define HULL_INET_INTERNAL_H
#include "inet/inet.h"
extern struct inet_interface inet_loopback;
void inet_start(void); /* the start hook */
err_t inet_loopback_start(struct netif *);
err_t inet_device_start(struct netif *); /* netif->state: the struct inet_interface */
extern const struct net_stack_ops inet_device_stack;
/* The pseudo-header's sum goes into the frame, the rest to the device, where it can; else nothing is done. frame: `size` bytes in one piece, at least all of its headers. */
void inet_offload_checksum(const struct inet_interface *, uint8_t *frame, uint32_t size, struct net_frame *out);
/* The frame p to the device, or held: then it leaves with those before and behind it at the next flush at the latest. 0, or -errno of the device's transmit: it stays the caller's. */
int inet_offload_transmit(struct inet_interface *, struct pbuf *p, const struct net_frame *);
int inet_offload_flush(struct inet_interface *); /* 0: nothing is held any more; -ENOSPC: the device has no place, and asks for it again by `room` */
void inet_offload_sent(void *token);
void inet_add_router6(struct netif *, const ip6_addr_t *);
#endif
