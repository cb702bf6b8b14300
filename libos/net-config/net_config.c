/*
 * HULL_MODULE_NETWORK of the boot module (abi/boot_abi.h), parsed once, when it is first asked for. Owns the parsed interfaces.
 */
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "init/init.h"
#include "lib/string.h"
#include "net-device/net_config.h"

enum { INTERFACES_MOST = 8, MTU_LEAST = 68, MTU_LEAST_IPV6 = 1280 };
static struct net_config_interface interfaces[INTERFACES_MOST];
static unsigned count;
static bool parsed;

static bool is_set(const uint8_t *bytes, unsigned size) {
    for (unsigned i = 0; i < size; i++)
        if (bytes[i]) return true;
    return false;
}

/* Addresses that one host can have (RFC 1122, section 3.2.1.3; RFC 4291, section 2.4). */
static bool is_host(const uint8_t *bytes, unsigned family) {
    if (!is_set(bytes, family == 4 ? 4 : 16)) return false;
    return family == 4 ? bytes[0] && bytes[0] != 127 && bytes[0] < 224 : bytes[0] != 0xff;
}

static bool read_addresses(struct net_config_interface *out, const struct hull_network_interface *in) {
    const struct { uint8_t family, prefix; const uint8_t *bytes, *gateway; struct net_config_address *route; } kinds[] = {
        { 4, in->ipv4_prefix, in->ipv4, in->ipv4_gateway, &out->gateway4 }, { 6, in->ipv6_prefix, in->ipv6, in->ipv6_gateway, &out->gateway6 },
    };
    for (unsigned i = 0; i < 2; i++) {
        unsigned size = kinds[i].family == 4 ? 4 : 16;
        if (!kinds[i].prefix) continue;
        if (kinds[i].prefix > size * 8 || !is_host(kinds[i].bytes, kinds[i].family)) return false;
        struct net_config_address *address = &out->addresses[out->address_count++];
        address->family = kinds[i].family;
        address->prefix = kinds[i].prefix;
        memcpy(address->bytes, kinds[i].bytes, size);
        if (!is_set(kinds[i].gateway, size)) continue;
        if (!is_host(kinds[i].gateway, kinds[i].family)) return false;
        kinds[i].route->family = kinds[i].family;
        memcpy(kinds[i].route->bytes, kinds[i].gateway, size);
    }
    return true;
}

static bool read_interface(struct net_config_interface *out, const struct hull_network_interface *in) {
    *out = (struct net_config_interface){ .mtu = in->mtu, .dhcp = in->flags & HULL_NETWORK_DHCP, .autoconfigure = in->flags & HULL_NETWORK_AUTOCONF };
    out->ipv6 = in->ipv6_prefix || out->autoconfigure;
    if (in->mac[0] & 1 || (in->mtu && in->mtu < (out->ipv6 ? MTU_LEAST_IPV6 : MTU_LEAST))) return false;
    memcpy(out->mac, in->mac, 6);
    return read_addresses(out, in);
}

static void parse(void) {
    size_t size;
    const struct hull_network_interface *record = boot_module_find(HULL_MODULE_NETWORK, &size);
    parsed = true;
    if (!record) return;
    for (; size >= sizeof *record && count < INTERFACES_MOST; record++, size -= sizeof *record) {
        if (!read_interface(&interfaces[count], record)) {
            log_line("network: what the host says of an interface makes no sense; it is left out");
            continue;
        }
        memcpy(interfaces[count].name, "eth0", 5);
        interfaces[count].name[3] = (char)('0' + count);
        count++;
    }
}

const struct net_config_interface *net_config_interface(unsigned index) {
    if (!parsed) parse();
    return index < count ? &interfaces[index] : NULL;
}
