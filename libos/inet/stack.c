/*
 * The stack's start, its interfaces and routes. Loopback is there in any case; each network device becomes ethN with what the host configured (net_config.h),
 * or, where it said nothing, with DHCP and router advertisements.
 */
#include "channel/channel.h"
#include "inet/internal.h"
#include "init/init.h"
#include "lib/string.h"
#include "lwip/lwip.h"
#include "lwip/dhcp.h"
#include "lwip/ethip6.h"
#include "lwip/ip.h"
#include "lwip/ip6.h"
#include "lwip/nd6.h"
#include "lwip/prot/dhcp.h"
#include "memory/memory.h"
#include "net-device/net_config.h"
#include "netif/ethernet.h"
#include "hooks.h"

#pragma weak net_config_interface
struct inet_interface *inet_interfaces;
static bool is_default_set;

struct inet_interface *inet_interface_by_index(unsigned index) {
    struct inet_interface *it = inet_interfaces;
    while (it && netif_get_index(&it->netif) != index) it = it->next;
    return it;
}

struct inet_interface *inet_interface_by_name(const char *name) {
    struct inet_interface *it = inet_interfaces;
    while (it && strcmp(it->name, name)) it = it->next;
    return it;
}

static bool is_own4(const ip4_addr_t *address) {
    if (ip4_addr_isloopback(address)) return true;
    for (struct inet_interface *it = inet_interfaces; it; it = it->next)
        if (!ip4_addr_isany(address) && ip4_addr_cmp(address, netif_ip4_addr(&it->netif))) return true;
    return false;
}

static bool is_own6(const ip6_addr_t *address) {
    for (struct inet_interface *it = inet_interfaces; it; it = it->next)
        for (unsigned i = 0; i < LWIP_IPV6_NUM_ADDRESSES; i++)
            if (ip6_addr_isvalid(netif_ip6_addr_state(&it->netif, i)) && ip6_addr_cmp_zoneless(address, netif_ip6_addr(&it->netif, i)) &&
                (!ip6_addr_has_zone(address) || ip6_addr_test_zone(address, &it->netif))) return true;
    return false;
}

bool inet_is_own(const ip_addr_t *address) {
    return IP_IS_V6(address) ? is_own6(ip_2_ip6(address)) : is_own4(ip_2_ip4(address));
}

struct netif *lwip_port_route4(const ip4_addr_t *source, const ip4_addr_t *destination) {
    (void)source;
    return is_own4(destination) ? &inet_loopback.netif : NULL;
}

struct netif *lwip_port_route6(const ip6_addr_t *source, const ip6_addr_t *destination) {
    (void)source;
    if (is_own6(destination)) return &inet_loopback.netif;
    if (!ip6_addr_ismulticast(destination) && !ip6_addr_islinklocal(destination)) return NULL;
    if (ip6_addr_has_zone(destination)) return netif_get_by_index(ip6_addr_zone(destination));
    struct inet_interface *it = inet_interfaces->next; /* the first that is no loopback */
    return it ? &it->netif : &inet_loopback.netif;
}

struct netif *inet_route(ip_addr_t *source, const ip_addr_t *destination, unsigned interface) {
    struct netif *netif;
    bool own = inet_is_own(destination);
    if (own) netif = &inet_loopback.netif;
    else if (interface) netif = netif_get_by_index((u8_t)interface);
    else netif = ip_route(source, destination);
    if (!netif || !netif_is_up(netif) || !netif_is_link_up(netif)) return NULL;
    if (!own && IP_IS_V6(destination) && netif == &inet_loopback.netif && !ip_addr_ismulticast(destination)) return NULL;
    if (!ip_addr_isany(source)) return netif;
    if (own) {
        ip_addr_copy(*source, *destination); /* to oneself from oneself, as Linux has it */
    } else {
        const ip_addr_t *from = ip_netif_get_local_ip(netif, destination);
        if (!from || (!IP_IS_V6(destination) && ip4_addr_isany(ip_2_ip4(from)))) return NULL;
        ip_addr_copy(*source, *from);
    }
    return netif;
}

void inet_interface_set_up(struct inet_interface *it, bool up) {
    it->up = up;
    if (!up) {
        netif_set_down(&it->netif);
        return;
    }
    netif_set_up(&it->netif);
    if (!it->device) {
        it->netif.rs_count = 0; /* there is no router on loopback to ask for */
        return;
    }
    if (it->wants_ipv6 && !ip6_addr_isvalid(netif_ip6_addr_state(&it->netif, 0))) netif_create_ip6_linklocal_address(&it->netif, 1);
    netif_set_ip6_autoconfig_enabled(&it->netif, it->wants_autoconfiguration);
    if (it->wants_dhcp) dhcp_start(&it->netif);
    lwip_timers_link();
}

static void append(struct inet_interface *interface) {
    struct inet_interface **link = &inet_interfaces;
    while (*link) link = &(*link)->next;
    *link = interface;
}

static void start_loopback(void) {
    ip4_addr_t address, mask;
    IP4_ADDR(&address, 127, 0, 0, 1);
    IP4_ADDR(&mask, 255, 0, 0, 0);
    memcpy(inet_loopback.name, "lo", 3);
    append(&inet_loopback);
    netif_add(&inet_loopback.netif, &address, &mask, &address, &inet_loopback, inet_loopback_start, ip_input);
    IP_ADDR6_HOST(&inet_loopback.netif.ip6_addr[0], 0, 0, 0, 1);
    netif_ip6_addr_set_state(&inet_loopback.netif, 0, IP6_ADDR_PREFERRED);
    inet_interface_set_up(&inet_loopback, true);
}

static void set_default(struct inet_interface *interface) {
    if (is_default_set) return;
    is_default_set = true;
    netif_set_default(&interface->netif);
}

static void configure4(struct inet_interface *interface, const struct net_config_interface *config) {
    bool taken = false;
    for (unsigned i = 0; i < config->address_count; i++) {
        const struct net_config_address *it = &config->addresses[i];
        if (it->family != 4) continue;
        if (taken) {
            log_line("inet: %s has one IPv4 address, a further one is left out", interface->name);
            return;
        }
        taken = true;
        ip4_addr_t address, mask, gateway = {0};
        memcpy(&address, it->bytes, 4);
        mask.addr = it->prefix ? PP_HTONL(0xffffffffu << (32 - it->prefix)) : 0;
        if (config->gateway4.family == 4) memcpy(&gateway, config->gateway4.bytes, 4);
        netif_set_addr(&interface->netif, &address, &mask, &gateway);
    }
    interface->wants_dhcp = config->dhcp && !taken;
}

static void configure6(struct inet_interface *interface, const struct net_config_interface *config) {
    interface->wants_ipv6 = config->ipv6;
    interface->wants_autoconfiguration = config->ipv6 && config->autoconfigure;
    unsigned slot = 1;
    for (unsigned i = 0; config->ipv6 && i < config->address_count && slot < LWIP_IPV6_NUM_ADDRESSES; i++) {
        const struct net_config_address *it = &config->addresses[i];
        if (it->family != 6) continue;
        ip6_addr_t address;
        memcpy(address.addr, it->bytes, 16);
        ip6_addr_clear_zone(&address);
        ip6_addr_assign_zone(&address, IP6_UNICAST, &interface->netif);
        if (ip6_addr_islinklocal(&address)) {
            netif_ip6_addr_set(&interface->netif, 0, &address);
            netif_ip6_addr_set_state(&interface->netif, 0, IP6_ADDR_PREFERRED);
            continue;
        }
        netif_ip6_addr_set(&interface->netif, (s8_t)slot, &address);
        netif_ip6_addr_set_state(&interface->netif, (s8_t)slot++, IP6_ADDR_PREFERRED); /* the host vouches for it: no duplicate detection */
    }
    if (config->ipv6 && config->gateway6.family == 6) {
        ip6_addr_t gateway;
        memcpy(gateway.addr, config->gateway6.bytes, 16);
        ip6_addr_clear_zone(&gateway);
        ip6_addr_assign_zone(&gateway, IP6_UNICAST, &interface->netif);
        inet_add_router6(&interface->netif, &gateway);
    }
}

static const struct net_config_interface *config_of(const struct net_device *device, unsigned index) {
    static const uint8_t none[6];
    if (!net_config_interface) return NULL;
    const struct net_config_interface *config;
    for (unsigned i = 0; (config = net_config_interface(i)); i++)
        if (!memcmp(config->mac, device->mac, 6)) return config;
    config = net_config_interface(index);
    return config && !memcmp(config->mac, none, 6) ? config : NULL;
}

static void start_device(struct net_device *device, unsigned index) {
    struct inet_interface *interface = kzalloc(sizeof *interface);
    if (!interface) return;
    const struct net_config_interface *config = config_of(device, index);
    static const char eth[] = "eth";
    memcpy(interface->name, eth, sizeof eth);
    interface->name[3] = (char)('0' + index % 10);
    if (config && config->name[0]) memcpy(interface->name, config->name, sizeof interface->name);
    interface->device = device;
    device->stack = &inet_device_stack;
    device->stack_data = interface;
    netif_add(&interface->netif, NULL, NULL, NULL, interface, inet_device_start, ethernet_input);
    if (config && config->mtu && config->mtu < interface->netif.mtu) interface->netif.mtu = interface->netif.mtu6 = config->mtu;
    append(interface);
    if (config) {
        configure4(interface, config);
        configure6(interface, config);
    } else {
        interface->wants_dhcp = interface->wants_ipv6 = interface->wants_autoconfiguration = true;
    }
    int error = device->ops->start(device);
    if (error) {
        log_line("inet: %s does not start, error %d", interface->name, -error);
        return;
    }
    set_default(interface);
    inet_interface_set_up(interface, true);
}

void inet_start(void) {
    lwip_port_start(memory_total());
    start_loopback();
    unsigned index = 0;
    for (struct net_device *device = net_devices; device; device = device->next) start_device(device, index++);
}
HULL_INIT(7, inet_start);
