/*
 * What the host says about the network: read as it was written, refused where it cannot be, and any bytes survived.
 * flags: -fno-builtin
 */
#include "stand_ins.h"
#define HULL_LIB_STRING_H
#define HULL_CHANNEL_CHANNEL_H
void *memcpy(void *, const void *, size_t);
void *memset(void *, int, size_t);
int memcmp(const void *, const void *, size_t);
static unsigned logged;
#define log_line(...) (logged++)
#include "../../../libos/net-config/net_config.c"

static uint8_t *record;
static size_t record_size;
const void *boot_module_find(uint32_t type, size_t *size) {
    EQUAL(type, HULL_MODULE_NETWORK);
    *size = record_size;
    return record;
}
static void begin(const void *bytes, size_t size) {
    free(record);
    record = size ? memcpy(malloc(size), bytes, size) : NULL;
    record_size = size;
    parsed = false;
    count = logged = 0;
}

int main(void) {
    begin(NULL, 0);
    CHECK(!net_config_interface(0));
    struct hull_network_interface in[3] = {
        { .mac = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, .mtu = 1400, .ipv4_prefix = 24, .ipv4 = { 10, 0, 2, 15 }, .ipv4_gateway = { 10, 0, 2, 2 },
          .ipv6_prefix = 64, .ipv6 = { 0xfe, 0xc0, [15] = 0x15 }, .ipv6_gateway = { 0xfe, 0x80, [15] = 2 } },
        { .ipv4_prefix = 33, .ipv4 = { 1, 2, 3, 4 } },
        { .flags = HULL_NETWORK_DHCP },
    };
    begin(in, sizeof in);
    const struct net_config_interface *first = net_config_interface(0), *second = net_config_interface(1);
    CHECK(first && second && !net_config_interface(2));
    EQUAL(logged, 1);
    EQUAL(memcmp(first->name, "eth0", 5), 0);
    EQUAL(memcmp(first->mac, in[0].mac, 6), 0);
    EQUAL(first->mtu, 1400);
    CHECK(first->ipv6 && !first->dhcp && !first->autoconfigure);
    EQUAL(first->address_count, 2);
    EQUAL(first->addresses[0].family, 4);
    EQUAL(first->addresses[0].prefix, 24);
    EQUAL(memcmp(first->addresses[0].bytes, in[0].ipv4, 4), 0);
    EQUAL(first->addresses[1].family, 6);
    EQUAL(memcmp(first->addresses[1].bytes, in[0].ipv6, 16), 0);
    EQUAL(memcmp(first->gateway4.bytes, in[0].ipv4_gateway, 4), 0);
    EQUAL(memcmp(first->gateway6.bytes, in[0].ipv6_gateway, 16), 0);
    EQUAL(memcmp(second->name, "eth1", 5), 0);
    CHECK(second->dhcp && !second->address_count && !second->ipv6 && !second->gateway4.family);
    const struct hull_network_interface wrong[] = {
        { .mac = { 1 } }, { .mtu = 67 }, { .mtu = 1279, .ipv6_prefix = 64, .ipv6 = { 0xfe, 0xc0 } }, { .ipv4_prefix = 8, .ipv4 = { 127, 0, 0, 1 } },
        { .ipv4_prefix = 8, .ipv4 = { 224, 0, 0, 1 } }, { .ipv4_prefix = 8 }, { .ipv6_prefix = 129, .ipv6 = { 0xfe, 0xc0 } }, { .ipv6_prefix = 1 },
        { .ipv6_prefix = 64, .ipv6 = { 0xff, 2 } }, { .ipv4_prefix = 8, .ipv4 = { 10, 0, 0, 1 }, .ipv4_gateway = { 255, 255, 255, 255 } },
    };
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        begin(&wrong[i], sizeof wrong[i]);
        CHECK(!net_config_interface(0));
        EQUAL(logged, 1);
    }
    static uint8_t bytes[600];
    for (int round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(any(2) ? 0 : any(256));
        begin(bytes, any(sizeof bytes));
        const struct net_config_interface *each;
        for (unsigned i = 0; (each = net_config_interface(i)); i++) {
            CHECK(i < INTERFACES_MOST && each->address_count <= 2);
            for (unsigned k = 0; k < each->address_count; k++) CHECK(each->addresses[k].prefix <= (each->addresses[k].family == 4 ? 32 : 128));
        }
    }
    free(record);
    return report("net-config");
}
