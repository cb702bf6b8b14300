/* Group memberships (RFC 1112, RFC 3493 section 5.2): a socket's own list; lwIP counts how often an interface is in a group. */
#include "inet-socket/internal.h"
#include "lwip/igmp.h"
#include "lwip/mld6.h"

static struct netif *interface_for(unsigned index, const ip_addr_t *group) {
    if (index) {
        struct inet_interface *it = inet_interface_by_index(index);
        return it ? &it->netif : NULL;
    }
    (void)group;
    struct inet_interface *it = inet_interfaces->next ? inet_interfaces->next : inet_interfaces;
    return &it->netif;
}

static err_t change(struct netif *netif, const ip_addr_t *group, bool join) {
    if (IP_IS_V6(group)) {
        if (!(netif->flags & NETIF_FLAG_MLD6)) return ERR_OK; /* loopback: what is sent to a group comes by itself */
        return join ? mld6_joingroup_netif(netif, ip_2_ip6(group)) : mld6_leavegroup_netif(netif, ip_2_ip6(group));
    }
    if (!(netif->flags & NETIF_FLAG_IGMP)) return ERR_OK;
    return join ? igmp_joingroup_netif(netif, ip_2_ip4(group)) : igmp_leavegroup_netif(netif, ip_2_ip4(group));
}

static struct membership **find(struct inet_socket *it, const ip_addr_t *group, unsigned index) {
    for (struct membership **link = &it->memberships; *link; link = &(*link)->next)
        if (ip_addr_cmp(&(*link)->group, group) && (!index || (*link)->interface == index)) return link;
    return NULL;
}

int inet_join(struct inet_socket *it, const ip_addr_t *group, unsigned index) {
    struct netif *netif = interface_for(index, group);
    if (!netif) return -ENODEV;
    if (find(it, group, netif_get_index(netif))) return -EADDRINUSE;
    struct membership *membership = kzalloc(sizeof *membership);
    if (!membership || change(netif, group, true)) {
        kfree(membership);
        return -ENOBUFS;
    }
    *membership = (struct membership){it->memberships, *group, netif_get_index(netif)};
    it->memberships = membership;
    lwip_timers_link();
    return 0;
}

static void leave(struct membership **link) {
    struct membership *membership = *link;
    struct netif *netif = netif_get_by_index((u8_t)membership->interface);
    if (netif) change(netif, &membership->group, false);
    *link = membership->next;
    kfree(membership);
    lwip_timers_link();
}

int inet_leave(struct inet_socket *it, const ip_addr_t *group, unsigned index) {
    struct membership **link = find(it, group, index);
    if (!link) return -EADDRNOTAVAIL;
    leave(link);
    return 0;
}

void inet_leave_all(struct inet_socket *it) {
    while (it->memberships) leave(&it->memberships);
}
