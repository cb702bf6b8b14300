/* An IPv6 default router that the host names: lwIP knows those of router advertisements only. It is entered as if one had come that never ends. */
#include "inet/internal.h"
#include "lwip/priv/nd6_priv.h"

void inet_add_router6(struct netif *netif, const ip6_addr_t *address) {
    struct nd6_neighbor_cache_entry *neighbor = NULL;
    struct nd6_router_list_entry *router = NULL;
    for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS && !neighbor; i++)
        if (neighbor_cache[i].state == ND6_NO_ENTRY) neighbor = &neighbor_cache[i];
    for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS && !router; i++)
        if (!default_router_list[i].neighbor_entry) router = &default_router_list[i];
    if (!neighbor || !router) return;
    ip6_addr_set(&neighbor->next_hop_address, address);
    neighbor->netif = netif;
    neighbor->state = ND6_INCOMPLETE;
    neighbor->isrouter = 1;
    neighbor->counter.probes_sent = 0;
    router->neighbor_entry = neighbor;
    router->invalidation_timer = 0xffffffff;
    router->flags = 0;
}
