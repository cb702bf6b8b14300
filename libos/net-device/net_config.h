/*
 * The network as the host configured it: what HULL_MODULE_NETWORK of the boot module (abi/boot_abi.h) says, parsed and checked. Made by the component
 * `net-config`; the stack asks for it at start order 7 by weak references: without the component, or without the record, every device gets its addresses by DHCP and SLAAC.
 * A record that makes no sense is left out as a whole and logged. All of it is constant after start.
 */
#ifndef HULL_NET_DEVICE_NET_CONFIG_H
#define HULL_NET_DEVICE_NET_CONFIG_H
#include <stdbool.h>
#include <stdint.h>

enum { NET_CONFIG_ADDRESSES = 8 };
struct net_config_address {
    uint8_t family;    /* 4 or 6; 0: none */
    uint8_t prefix;    /* bits */
    uint8_t bytes[16]; /* network order; IPv4: the first four */
};
struct net_config_interface {
    char name[16];     /* "eth0"; "": the stack names it, by its number */
    uint8_t mac[6];    /* of the device that is meant; all zero: the device of the same index */
    uint16_t mtu;      /* 0: the device's */
    bool dhcp;         /* IPv4 by DHCP, whatever `addresses` has of IPv6 */
    bool autoconfigure;/* IPv6 by router advertisements (SLAAC); a link-local address is there in any case when `ipv6` */
    bool ipv6;         /* false: no IPv6 on this interface */
    uint8_t address_count;
    struct net_config_address addresses[NET_CONFIG_ADDRESSES];
    struct net_config_address gateway4, gateway6; /* default routes through this interface; prefix does not count */
};
/* The interface of that index, or NULL when there are fewer. Index 0 is the first device. */
const struct net_config_interface *net_config_interface(unsigned index);
#endif
