/* /proc/net of interfaces, routes and neighbours, in the formats of Linux (proc(5); what net-tools and iproute2 read), in the component proc-net: without the stack there are none. */
#include "inet/internal.h"
#include "lib/string.h"
#include "lwip/etharp.h"
#include "lwip/ip6.h"
#include "procfs/procfs.h"

#pragma weak inet_interfaces
#pragma weak netif_default
#pragma weak etharp_get_entry
enum { ROUTE_UP = 1, ROUTE_GATEWAY = 2, ROUTE_WIDTH = 127, ADDRESS_WIDTH = 17, ADDRESS_PERMANENT = 0x80, ADDRESS_TENTATIVE = 0x40, SCOPE_HOST = 0x10, SCOPE_LINK = 0x20 };

static const struct inet_interface *interfaces(void) { return &inet_interfaces ? inet_interfaces : NULL; }

static void spaces(struct proc_text *out, size_t count) {
    while (count--) proc_print(out, " ");
}

static void show_dev(struct proc_text *out) {
    proc_print(out, "Inter-|   Receive                                                |  Transmit\n"
                    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
    for (const struct inet_interface *it = interfaces(); it; it = it->next) {
        uint64_t errors_in = it->device ? it->device->counts.errors_in : 0, errors_out = it->device ? it->device->counts.errors_out : 0;
        uint64_t dropped_in = it->dropped_in + (it->device ? it->device->counts.dropped_in : 0);
        spaces(out, strlen(it->name) < 6 ? 6 - strlen(it->name) : 0);
        proc_print(out, "%s: %7llu %7llu %4llu %4llu    0     0          0         0 ", it->name, (unsigned long long)it->bytes_in, (unsigned long long)it->frames_in,
                   (unsigned long long)errors_in, (unsigned long long)dropped_in);
        proc_print(out, "%8llu %7llu %4llu %4llu    0     0       0          0\n", (unsigned long long)it->bytes_out, (unsigned long long)it->frames_out,
                   (unsigned long long)errors_out, (unsigned long long)it->dropped_out);
    }
}

static void show_one_route(struct proc_text *out, const char *name, uint32_t destination, uint32_t gateway, uint32_t mask, unsigned flags) {
    size_t line = out->size;
    proc_print(out, "%s\t", name);
    proc_upper(out, "%08x\t", destination);
    proc_upper(out, "%08x\t", gateway);
    proc_print(out, "%04x\t0\t0\t0\t", flags);
    proc_upper(out, "%08x\t0\t0\t0", mask);
    proc_end_line(out, line, ROUTE_WIDTH);
}

static void show_route(struct proc_text *out) {
    size_t line = out->size;
    proc_print(out, "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    proc_end_line(out, line, ROUTE_WIDTH);
    for (unsigned direct = 0; direct < 2; direct++) /* the default route first */
        for (const struct inet_interface *it = interfaces(); it; it = it->next) {
            uint32_t address = netif_ip4_addr(&it->netif)->addr, mask = netif_ip4_netmask(&it->netif)->addr, gateway = netif_ip4_gw(&it->netif)->addr;
            if (!it->device || !it->up || !address) continue;
            if (direct) show_one_route(out, it->name, address & mask, 0, mask, ROUTE_UP);
            else if (gateway && netif_default == &it->netif) show_one_route(out, it->name, 0, gateway, 0, ROUTE_UP | ROUTE_GATEWAY);
        }
}

static void show_if_inet6(struct proc_text *out) {
    for (const struct inet_interface *it = interfaces(); it; it = it->next)
        for (s8_t i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++) {
            u8_t state = netif_ip6_addr_state(&it->netif, i);
            const ip6_addr_t *address = netif_ip6_addr(&it->netif, i);
            if (ip6_addr_isinvalid(state)) continue;
            for (unsigned k = 0; k < 4; k++) proc_print(out, "%08x", lwip_ntohl(address->addr[k]));
            unsigned scope = ip6_addr_isloopback(address) ? SCOPE_HOST : ip6_addr_islinklocal(address) ? SCOPE_LINK : 0;
            proc_print(out, " %02x %02x %02x %02x ", netif_get_index(&it->netif), it->device ? 64 : 128, scope,
                       ip6_addr_istentative(state) ? ADDRESS_TENTATIVE : ADDRESS_PERMANENT);
            spaces(out, strlen(it->name) < 8 ? 8 - strlen(it->name) : 0);
            proc_print(out, "%s\n", it->name);
        }
}

static void show_arp(struct proc_text *out) {
    proc_print(out, "IP address       HW type     Flags       HW address            Mask     Device\n");
    for (size_t i = 0; interfaces() && i < ARP_TABLE_SIZE; i++) {
        ip4_addr_t *ip;
        struct netif *netif;
        struct eth_addr *hardware;
        if (!etharp_get_entry(i, &ip, &netif, &hardware)) continue;
        size_t line = out->size;
        proc_print(out, "%u.%u.%u.%u", ip4_addr1(ip), ip4_addr2(ip), ip4_addr3(ip), ip4_addr4(ip));
        spaces(out, line + ADDRESS_WIDTH > out->size ? line + ADDRESS_WIDTH - out->size : 0);
        proc_print(out, "0x1         0x2         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", hardware->addr[0], hardware->addr[1], hardware->addr[2], hardware->addr[3],
                   hardware->addr[4], hardware->addr[5], ((const struct inet_interface *)netif)->name);
    }
}

static const struct proc_file net_files[] = {
    { .path = "net/dev", .mode = PROC_READ, .show = show_dev }, { .path = "net/route", .mode = PROC_READ, .show = show_route },
    { .path = "net/if_inet6", .mode = PROC_READ, .show = show_if_inet6 }, { .path = "net/arp", .mode = PROC_READ, .show = show_arp },
};
HULL_PROC_FILES(PROC_PROCESS, net_files);
