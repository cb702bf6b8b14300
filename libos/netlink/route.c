/* Requests of NETLINK_ROUTE and their answers (rtnetlink(7); RFC 3549). */
#include "lib/string.h"
#include "lwip/etharp.h"
#include "lwip/lwip.h"
#include "lwip/priv/nd6_priv.h"
#include "memory/memory.h"
#include "netlink/internal.h"

enum { NLMSG_ERROR = 2, NLMSG_DONE = 3, RTM_NEWLINK = 16, RTM_GETLINK = 18, RTM_SETLINK, RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR, RTM_NEWROUTE = 24, RTM_DELROUTE, RTM_GETROUTE,
       RTM_NEWNEIGH = 28, RTM_GETNEIGH = 30, RTM_MOST = 119 };
enum { NLM_F_REQUEST = 1, NLM_F_MULTI = 2, NLM_F_ACK = 4, NLM_F_DUMP = 0x300 };
enum { IFLA_ADDRESS = 1, IFLA_BROADCAST, IFLA_IFNAME, IFLA_MTU, IFLA_QDISC = 6, IFLA_TXQLEN = 13, IFLA_OPERSTATE = 16, IFLA_LINKMODE, IFLA_STATS64 = 23, IFLA_GROUP = 27,
       IFLA_EXT_MASK = 29, IFLA_NUM_TX_QUEUES = 31, IFLA_NUM_RX_QUEUES, IFLA_CARRIER };
enum { IFA_ADDRESS = 1, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_CACHEINFO = 6, IFA_FLAGS = 8, IFA_F_PERMANENT = 0x80 };
enum { RTA_DST = 1, RTA_OIF = 4, RTA_GATEWAY, RTA_PREFSRC = 7, RTA_TABLE = 15, RT_TABLE_MAIN = 254, RT_SCOPE_UNIVERSE = 0, RT_SCOPE_LINK = 253, RT_SCOPE_HOST, RTN_UNICAST = 1,
       RTPROT_KERNEL = 2, RTPROT_BOOT = 3, RTPROT_STATIC = 4 };
enum { NDA_DST = 1, NDA_LLADDR, NUD_REACHABLE = 2, NUD_STALE = 4 };
enum { AF_INET = 2, AF_INET6 = 10, OPERSTATE_UNKNOWN = 0, OPERSTATE_DOWN = 2, OPERSTATE_UP = 6, TRANSMIT_QUEUE = 1000 };

struct header { uint32_t length; uint16_t type, flags; uint32_t sequence, port; };
struct link { uint8_t family, pad; uint16_t type; int32_t index; uint32_t flags, change; };
struct addr { uint8_t family, prefix, flags, scope; uint32_t index; };
struct route { uint8_t family, destination_bits, source_bits, tos, table, protocol, scope, type; uint32_t flags; };
struct neighbour { uint8_t family, pad[3]; int32_t index; uint16_t state; uint8_t flags, type; };
struct attribute { uint16_t length, type; };
struct answer { struct netlink_socket *to; const struct header *request; struct netlink_text text; size_t begin; bool multi; };

static void put(struct netlink_text *text, const void *bytes, size_t size) {
    size_t padded = (size + 3) & ~3ul;
    if (text->size + padded > text->room && !text->failed) {
        size_t room = text->room ? text->room * 2 : 2000;
        while (room < text->size + padded) room *= 2;
        uint8_t *larger = kmalloc(room);
        if (larger && text->size) memcpy(larger, text->bytes, text->size);
        if (larger) kfree(text->bytes);
        text->failed = !larger;
        if (larger) text->bytes = larger, text->room = room;
    }
    if (text->failed) return;
    memset(text->bytes + text->size, 0, padded);
    if (size) memcpy(text->bytes + text->size, bytes, size);
    text->size += padded;
}

static void put_attribute(struct answer *answer, uint16_t type, const void *value, size_t size) {
    struct attribute attribute = {(uint16_t)(sizeof attribute + size), type};
    put(&answer->text, &attribute, sizeof attribute);
    put(&answer->text, value, size);
}
static void put_word(struct answer *answer, uint16_t type, uint32_t value) { put_attribute(answer, type, &value, sizeof value); }
static void put_byte(struct answer *answer, uint16_t type, uint8_t value) { put_attribute(answer, type, &value, sizeof value); }

static void begin(struct answer *answer, uint16_t type, const void *body, size_t size) {
    struct header header = {.type = type, .flags = answer->multi ? NLM_F_MULTI : 0, .sequence = answer->request->sequence, .port = answer->to->port};
    answer->begin = answer->text.size;
    put(&answer->text, &header, sizeof header);
    put(&answer->text, body, size);
}

static void end(struct answer *answer) {
    if (answer->text.failed) return;
    uint32_t length = (uint32_t)(answer->text.size - answer->begin);
    memcpy(answer->text.bytes + answer->begin, &length, sizeof length);
}

static void error(struct answer *answer, int number) {
    struct { int32_t error; struct header request; } body = {number, *answer->request};
    answer->multi = false;
    begin(answer, NLMSG_ERROR, &body, sizeof body);
    end(answer);
    netlink_deliver(answer->to, &answer->text);
}

static void put_link(struct answer *answer, const struct inet_interface *it) {
    struct link link = {.type = (uint16_t)inet_interface_type(it), .index = netif_get_index(&it->netif), .flags = inet_interface_flags(it)};
    static const uint8_t ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, zeros[6];
    uint64_t counts[24] = {it->frames_in, it->frames_out, it->bytes_in, it->bytes_out};
    counts[6] = it->dropped_in;
    counts[7] = it->dropped_out;
    begin(answer, RTM_NEWLINK, &link, sizeof link);
    put_attribute(answer, IFLA_IFNAME, it->name, strlen(it->name) + 1);
    put_word(answer, IFLA_TXQLEN, TRANSMIT_QUEUE);
    put_byte(answer, IFLA_OPERSTATE, !it->device ? OPERSTATE_UNKNOWN : link.flags & 0x40 ? OPERSTATE_UP : OPERSTATE_DOWN);
    put_byte(answer, IFLA_LINKMODE, 0);
    put_word(answer, IFLA_MTU, it->device ? it->netif.mtu : 65536);
    put_word(answer, IFLA_GROUP, 0);
    put_word(answer, IFLA_NUM_TX_QUEUES, 1);
    put_word(answer, IFLA_NUM_RX_QUEUES, 1);
    put_byte(answer, IFLA_CARRIER, netif_is_link_up(&it->netif));
    put_attribute(answer, IFLA_QDISC, "noqueue", 8);
    put_attribute(answer, IFLA_ADDRESS, it->device ? it->netif.hwaddr : zeros, 6);
    put_attribute(answer, IFLA_BROADCAST, it->device ? ones : zeros, 6);
    put_attribute(answer, IFLA_STATS64, counts, sizeof counts);
    end(answer);
}

static void put_address(struct answer *answer, const struct inet_interface *it, uint8_t family, const void *address, uint8_t bits, uint8_t scope, uint32_t broadcast) {
    struct addr addr = {family, bits, IFA_F_PERMANENT, scope, netif_get_index(&it->netif)};
    uint32_t forever[4] = {0xffffffff, 0xffffffff, 0, 0};
    size_t size = family == AF_INET ? 4 : 16;
    begin(answer, RTM_NEWADDR, &addr, sizeof addr);
    put_attribute(answer, IFA_ADDRESS, address, size);
    if (family == AF_INET) {
        put_attribute(answer, IFA_LOCAL, address, size);
        if (broadcast) put_word(answer, IFA_BROADCAST, broadcast);
        put_attribute(answer, IFA_LABEL, it->name, strlen(it->name) + 1);
    }
    put_word(answer, IFA_FLAGS, IFA_F_PERMANENT);
    put_attribute(answer, IFA_CACHEINFO, forever, sizeof forever);
    end(answer);
}

static uint8_t bits_of(uint32_t mask) { return (uint8_t)__builtin_popcount(mask); }

static void put_addresses(struct answer *answer, const struct inet_interface *it, uint8_t family) {
    const struct netif *netif = &it->netif;
    uint32_t address = netif_ip4_addr(netif)->addr, mask = netif_ip4_netmask(netif)->addr;
    if (address && family != AF_INET6) put_address(answer, it, AF_INET, &address, bits_of(mask), it->device ? RT_SCOPE_UNIVERSE : RT_SCOPE_HOST, it->device ? address | ~mask : 0);
    for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES && family != AF_INET; i++) {
        if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i))) continue;
        const ip6_addr_t *six = netif_ip6_addr(netif, i);
        put_address(answer, it, AF_INET6, six->addr, it->device ? 64 : 128, !it->device ? RT_SCOPE_HOST : ip6_addr_islinklocal(six) ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, 0);
    }
}

static void put_route(struct answer *answer, uint8_t family, const void *destination, uint8_t bits, const void *gateway, const void *source, unsigned interface) {
    struct route route = {.family = family, .destination_bits = bits, .table = RT_TABLE_MAIN, .protocol = gateway ? RTPROT_BOOT : RTPROT_KERNEL,
                          .scope = gateway || family == AF_INET6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK, .type = RTN_UNICAST};
    size_t size = family == AF_INET ? 4 : 16;
    begin(answer, RTM_NEWROUTE, &route, sizeof route);
    put_word(answer, RTA_TABLE, RT_TABLE_MAIN);
    if (bits) put_attribute(answer, RTA_DST, destination, size);
    if (gateway) put_attribute(answer, RTA_GATEWAY, gateway, size);
    if (source) put_attribute(answer, RTA_PREFSRC, source, size);
    put_word(answer, RTA_OIF, interface);
    end(answer);
}

static void put_routes4(struct answer *answer, const struct inet_interface *it) {
    const struct netif *netif = &it->netif;
    uint32_t address = netif_ip4_addr(netif)->addr, mask = netif_ip4_netmask(netif)->addr, gateway = netif_ip4_gw(netif)->addr, net = address & mask;
    if (!it->device || !address || !it->up) return;
    if (gateway && netif == netif_default) put_route(answer, AF_INET, NULL, 0, &gateway, NULL, netif_get_index(netif));
    put_route(answer, AF_INET, &net, bits_of(mask), NULL, &address, netif_get_index(netif));
}

static void put_routes6(struct answer *answer, const struct inet_interface *it) {
    const struct netif *netif = &it->netif;
    if (!it->up) return;
    for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
        if (!ip6_addr_isvalid(netif_ip6_addr_state(netif, i))) continue;
        uint32_t net[4];
        memcpy(net, netif_ip6_addr(netif, i)->addr, sizeof net);
        if (it->device) net[2] = net[3] = 0;
        put_route(answer, AF_INET6, net, it->device ? 64 : 128, NULL, NULL, netif_get_index(netif));
    }
    for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
        const struct nd6_neighbor_cache_entry *router = default_router_list[i].neighbor_entry;
        if (router && router->netif == netif) put_route(answer, AF_INET6, NULL, 0, router->next_hop_address.addr, NULL, netif_get_index(netif));
    }
}

static void put_neighbour(struct answer *answer, uint8_t family, const void *address, const uint8_t *hardware, unsigned interface, uint16_t state) {
    struct neighbour neighbour = {.family = family, .index = (int32_t)interface, .state = state, .type = RTN_UNICAST};
    begin(answer, RTM_NEWNEIGH, &neighbour, sizeof neighbour);
    put_attribute(answer, NDA_DST, address, family == AF_INET ? 4 : 16);
    put_attribute(answer, NDA_LLADDR, hardware, 6);
    end(answer);
}

static void put_neighbours(struct answer *answer, uint8_t family) {
    for (size_t i = 0; i < ARP_TABLE_SIZE && family != AF_INET6; i++) {
        ip4_addr_t *address;
        struct netif *netif;
        struct eth_addr *hardware;
        if (etharp_get_entry(i, &address, &netif, &hardware)) put_neighbour(answer, AF_INET, address, hardware->addr, netif_get_index(netif), NUD_REACHABLE);
    }
    for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS && family != AF_INET; i++) {
        const struct nd6_neighbor_cache_entry *entry = &neighbor_cache[i];
        if (entry->state <= ND6_INCOMPLETE) continue;
        put_neighbour(answer, AF_INET6, entry->next_hop_address.addr, entry->lladdr, netif_get_index(entry->netif), entry->state == ND6_REACHABLE ? NUD_REACHABLE : NUD_STALE);
    }
}

/* The value of an attribute behind a body of `body` bytes; NULL: none of at least that size. */
static const void *find_attribute(const struct header *request, size_t body, uint16_t type, size_t least) {
    const uint8_t *at = (const uint8_t *)(request + 1) + ((body + 3) & ~3ul), *limit = (const uint8_t *)request + request->length;
    while (limit - at >= (ptrdiff_t)sizeof(struct attribute)) {
        struct attribute attribute;
        memcpy(&attribute, at, sizeof attribute);
        if (attribute.length < sizeof attribute || attribute.length > limit - at) return NULL;
        if ((attribute.type & 0x3fff) == type) return attribute.length - sizeof attribute >= least ? at + sizeof attribute : NULL;
        ptrdiff_t step = (attribute.length + 3) & ~3;
        if (step > limit - at) return NULL;
        at += step;
    }
    return NULL;
}

static void dump(struct answer *answer, uint8_t family) {
    int none = 0;
    answer->multi = true;
    for (struct inet_interface *it = inet_interfaces; it; it = it->next) {
        if (answer->request->type == RTM_GETLINK) put_link(answer, it);
        else if (answer->request->type == RTM_GETADDR) put_addresses(answer, it, family);
        else if (answer->request->type == RTM_GETROUTE) {
            if (family != AF_INET6) put_routes4(answer, it);
            if (family != AF_INET) put_routes6(answer, it);
        }
    }
    if (answer->request->type == RTM_GETNEIGH) put_neighbours(answer, family);
    if (answer->text.size) netlink_deliver(answer->to, &answer->text);
    begin(answer, NLMSG_DONE, &none, sizeof none);
    end(answer);
    netlink_deliver(answer->to, &answer->text);
}

static int get_link(struct answer *answer) {
    const struct link *link = (const void *)(answer->request + 1);
    if (answer->request->length < sizeof *answer->request + sizeof *link) return -EINVAL;
    const char *name = find_attribute(answer->request, sizeof *link, IFLA_IFNAME, 2);
    struct inet_interface *it = link->index ? inet_interface_by_index((unsigned)link->index) : NULL;
    char text[INET_NAME] = {0};
    if (!link->index && name) {
        size_t most = ((const struct attribute *)name)[-1].length - sizeof(struct attribute); /* it need not end with a 0 */
        for (size_t i = 0; i < sizeof text - 1 && i < most && name[i]; i++) text[i] = name[i];
        it = inet_interface_by_name(text);
    }
    if (!it) return link->index || name ? -ENODEV : -EINVAL;
    put_link(answer, it);
    netlink_deliver(answer->to, &answer->text);
    return 1;
}

/* Which way to a destination: as `ip route get`. */
static int get_route(struct answer *answer) {
    const struct route *route = (const void *)(answer->request + 1);
    if (answer->request->length < sizeof *answer->request + sizeof *route) return -EINVAL;
    if (route->family != AF_INET && route->family != AF_INET6) return -EOPNOTSUPP;
    bool six = route->family == AF_INET6;
    const void *to = find_attribute(answer->request, sizeof *route, RTA_DST, six ? 16 : 4);
    if (!to) return -EINVAL;
    ip_addr_t destination = {0}, source = {0};
    if (six) {
        memcpy(ip_2_ip6(&destination)->addr, to, 16);
        IP_SET_TYPE_VAL(destination, IPADDR_TYPE_V6);
        IP_SET_TYPE_VAL(source, IPADDR_TYPE_V6);
    } else {
        uint32_t four;
        memcpy(&four, to, 4);
        ip_addr_set_ip4_u32_val(destination, four);
    }
    struct netif *netif = inet_route(&source, &destination, 0);
    if (!netif) return -ENETUNREACH;
    uint32_t gateway = six ? 0 : netif_ip4_gw(netif)->addr;
    bool direct = six || ip4_addr_netcmp(ip_2_ip4(&destination), netif_ip4_addr(netif), netif_ip4_netmask(netif)) || netif == netif_get_by_index(1);
    put_route(answer, route->family, to, six ? 128 : 32, direct ? NULL : &gateway, six ? ip_2_ip6(&source)->addr : &ip_2_ip4(&source)->addr, netif_get_index(netif));
    netlink_deliver(answer->to, &answer->text);
    return 1;
}

static int set_link(const struct header *request) {
    const struct link *link = (const void *)(request + 1);
    if (request->length < sizeof *request + sizeof *link) return -EINVAL;
    struct inet_interface *it = inet_interface_by_index((unsigned)link->index);
    if (!it) return -ENODEV;
    uint32_t change = link->change ? link->change : 0xffffffff;
    if (change & 1 && (link->flags & 1) != (uint32_t)it->up) inet_interface_set_up(it, link->flags & 1);
    const uint32_t *mtu = find_attribute(request, sizeof *link, IFLA_MTU, 4);
    if (mtu && (!it->device || *mtu < 68 || *mtu > it->device->mtu)) return -EINVAL;
    if (mtu) it->netif.mtu = it->netif.mtu6 = (u16_t)*mtu;
    return 0;
}

static int set_address(const struct header *request) {
    const struct addr *addr = (const void *)(request + 1);
    bool add = request->type == RTM_NEWADDR;
    if (request->length < sizeof *request + sizeof *addr) return -EINVAL;
    struct inet_interface *it = inet_interface_by_index(addr->index);
    if (!it) return -ENODEV;
    if (!it->device) return -EOPNOTSUPP;
    const void *value = find_attribute(request, sizeof *addr, IFA_LOCAL, addr->family == AF_INET ? 4 : 16);
    if (!value) value = find_attribute(request, sizeof *addr, IFA_ADDRESS, addr->family == AF_INET ? 4 : 16);
    if (!value || addr->prefix > (addr->family == AF_INET ? 32 : 128)) return -EINVAL;
    if (addr->family == AF_INET) {
        ip4_addr_t address, mask = {addr->prefix ? PP_HTONL(0xffffffffu << (32 - addr->prefix)) : 0}, none = {0};
        memcpy(&address, value, 4);
        bool same = netif_ip4_addr(&it->netif)->addr == address.addr;
        if (add && same) return -EEXIST;
        if (add && netif_ip4_addr(&it->netif)->addr) return -EOPNOTSUPP; /* an interface has one */
        if (!add && !same) return -EADDRNOTAVAIL;
        netif_set_addr(&it->netif, add ? &address : &none, add ? &mask : &none, add ? netif_ip4_gw(&it->netif) : &none);
        return 0;
    }
    if (addr->family != AF_INET6) return -EAFNOSUPPORT;
    ip6_addr_t address;
    memcpy(address.addr, value, 16);
    ip6_addr_clear_zone(&address);
    ip6_addr_assign_zone(&address, IP6_UNICAST, &it->netif);
    s8_t index = netif_get_ip6_addr_match(&it->netif, &address);
    if (!add) {
        if (index < 0) return -EADDRNOTAVAIL;
        netif_ip6_addr_set_state(&it->netif, index, IP6_ADDR_INVALID);
        return 0;
    }
    if (index >= 0) return -EEXIST;
    if (netif_add_ip6_address(&it->netif, &address, &index) != ERR_OK) return -ENOBUFS;
    netif_ip6_addr_set_state(&it->netif, index, IP6_ADDR_PREFERRED);
    return 0;
}

/* Default routes of IPv4: what an interface's gateway is. */
static int set_route(const struct header *request) {
    const struct route *route = (const void *)(request + 1);
    bool add = request->type == RTM_NEWROUTE;
    if (request->length < sizeof *request + sizeof *route) return -EINVAL;
    if (route->family != AF_INET || route->destination_bits) return -EOPNOTSUPP;
    const uint32_t *gateway = find_attribute(request, sizeof *route, RTA_GATEWAY, 4), *index = find_attribute(request, sizeof *route, RTA_OIF, 4);
    struct inet_interface *it = inet_interfaces->next;
    if (index) it = inet_interface_by_index(*index);
    else
        while (it && gateway && !ip4_addr_netcmp((const ip4_addr_t *)gateway, netif_ip4_addr(&it->netif), netif_ip4_netmask(&it->netif))) it = it->next;
    if (!it) return index ? -ENODEV : -ENETUNREACH;
    if (!it->device || (add && !gateway)) return -EOPNOTSUPP;
    bool has = netif_ip4_gw(&it->netif)->addr && netif_default == &it->netif;
    if (add && has) return -EEXIST;
    if (!add && !has) return -ESRCH;
    ip4_addr_t to = {add ? *gateway : 0};
    netif_set_gw(&it->netif, &to);
    if (add) netif_set_default(&it->netif);
    return 0;
}

static int act(struct answer *answer) {
    const struct header *request = answer->request;
    uint8_t family = request->length > sizeof *request ? *(const uint8_t *)(request + 1) : 0;
    bool is_get = request->type % 4 == 2;
    if (request->type < RTM_NEWLINK) return 0; /* NLMSG_NOOP and its like */
    if (request->type > RTM_MOST) return -EOPNOTSUPP;
    if (!is_get && current_process()->credentials.euid) return -EPERM;
    if (is_get && request->flags & NLM_F_DUMP) {
        if (request->type > RTM_GETNEIGH) return -EOPNOTSUPP;
        dump(answer, family);
        return 1;
    }
    switch (request->type) {
    case RTM_GETLINK: return get_link(answer);
    case RTM_GETROUTE: return get_route(answer);
    case RTM_NEWLINK: case RTM_SETLINK: return set_link(request);
    case RTM_NEWADDR: case RTM_DELADDR: return set_address(request);
    case RTM_NEWROUTE: case RTM_DELROUTE: return set_route(request);
    }
    return -EOPNOTSUPP;
}

void netlink_answer(struct netlink_socket *to, const uint8_t *bytes, size_t size) {
    while (size >= sizeof(struct header)) {
        const struct header *request = (const void *)bytes;
        if (request->length < sizeof *request || request->length > size) return;
        struct answer answer = {.to = to, .request = request};
        if (request->flags & NLM_F_REQUEST) {
            int result = act(&answer); /* 1: answered */
            if (result < 0 || (!result && request->flags & NLM_F_ACK)) error(&answer, result);
        }
        size_t step = (request->length + 3) & ~3ul;
        if (step >= size) return;
        bytes += step;
        size -= step;
    }
}
