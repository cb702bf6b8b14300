/* Private to inet. */
#ifndef HULL_INET_INTERNAL_H
#define HULL_INET_INTERNAL_H
#include "inet/inet.h"
extern struct inet_interface inet_loopback;
void inet_start(void); /* the start hook */
err_t inet_loopback_start(struct netif *);
err_t inet_device_start(struct netif *); /* netif->state: the struct inet_interface */
extern const struct net_stack_ops inet_device_stack;
void inet_add_router6(struct netif *, const ip6_addr_t *);
#endif
