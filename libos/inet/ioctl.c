/* ioctl of interfaces (netdevice(7)), on a socket of any family. Changing needs root, as Linux's CAP_NET_ADMIN. */
#include "inet/internal.h"
#include "lib/string.h"
#include "lwip/etharp.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { SIOCGIFNAME = 0x8910, SIOCGIFCONF = 0x8912, SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCGIFADDR, SIOCSIFADDR, SIOCGIFDSTADDR, SIOCGIFBRDADDR = 0x8919, SIOCGIFNETMASK = 0x891b,
       SIOCSIFNETMASK, SIOCGIFMETRIC = 0x891d, SIOCGIFMTU = 0x8921, SIOCSIFMTU, SIOCGIFHWADDR = 0x8927, SIOCGIFINDEX = 0x8933, SIOCGIFTXQLEN = 0x8942, SIOCGARP = 0x8954 };
enum { AF_INET = 2, ARPHRD_ETHER = 1, ARPHRD_LOOPBACK = 772, TRANSMIT_QUEUE = 1000 };
struct sockaddr_in { uint16_t family, port; uint32_t address; uint8_t zero[8]; };
struct ifreq {
    char name[INET_NAME];
    union {
        struct sockaddr_in address;
        struct { uint16_t family; uint8_t bytes[14]; } hardware;
        int number;
        int16_t flags;
        uint8_t room[24];
    };
};
struct ifconf { int size; struct ifreq *requests; };

uint32_t inet_interface_flags(const struct inet_interface *it) {
    enum { UP = 1, BROADCAST = 2, LOOPBACK = 8, RUNNING = 0x40, MULTICAST = 0x1000, LOWER_UP = 0x10000 };
    uint32_t flags = it->device ? BROADCAST | MULTICAST : LOOPBACK;
    if (it->up) flags |= UP;
    if (it->up && netif_is_link_up(&it->netif)) flags |= RUNNING | LOWER_UP;
    return flags;
}

uint32_t inet_interface_type(const struct inet_interface *it) { return it->device ? ARPHRD_ETHER : ARPHRD_LOOPBACK; }

static long list(unsigned long argument) {
    struct ifconf conf;
    if (user_copy_in(&conf, (void *)argument, sizeof conf)) return -EFAULT;
    int used = 0;
    for (struct inet_interface *it = inet_interfaces; it; it = it->next) {
        uint32_t address = netif_ip4_addr(&it->netif)->addr;
        if (!address) continue;
        struct ifreq request = {.address = {.family = AF_INET, .address = address}};
        memcpy(request.name, it->name, sizeof request.name);
        if (conf.requests) {
            if (conf.size - used < (int)sizeof request) break;
            if (user_copy_out((char *)conf.requests + used, &request, sizeof request)) return -EFAULT;
        }
        used += (int)sizeof request;
    }
    conf.size = used;
    return user_copy_out((void *)argument, &conf, sizeof conf) ? -EFAULT : 0;
}

static long get(struct inet_interface *it, unsigned long request, struct ifreq *out) {
    const struct netif *netif = &it->netif;
    uint32_t address = netif_ip4_addr(netif)->addr, mask = netif_ip4_netmask(netif)->addr;
    memset(out->room, 0, sizeof out->room);
    switch (request) {
    case SIOCGIFFLAGS: out->flags = (int16_t)inet_interface_flags(it); return 0;
    case SIOCGIFMTU: out->number = it->device ? netif->mtu : 65536; return 0;
    case SIOCGIFINDEX: out->number = netif_get_index(netif); return 0;
    case SIOCGIFMETRIC: out->number = 0; return 0;
    case SIOCGIFTXQLEN: out->number = TRANSMIT_QUEUE; return 0;
    case SIOCGIFHWADDR:
        out->hardware.family = (uint16_t)inet_interface_type(it);
        memcpy(out->hardware.bytes, netif->hwaddr, netif->hwaddr_len);
        return 0;
    }
    if (!address) return -EADDRNOTAVAIL;
    out->address.family = AF_INET;
    switch (request) {
    case SIOCGIFADDR: case SIOCGIFDSTADDR: out->address.address = address; return 0;
    case SIOCGIFNETMASK: out->address.address = mask; return 0;
    case SIOCGIFBRDADDR: out->address.address = it->device ? address | ~mask : 0; return 0;
    }
    return -EINVAL;
}

static long set(struct inet_interface *it, unsigned long request, const struct ifreq *in) {
    if (current_process()->credentials.euid) return -EPERM;
    if (request == SIOCSIFFLAGS) {
        bool up = in->flags & 1;
        if (up != it->up) inet_interface_set_up(it, up);
        return 0;
    }
    if (request == SIOCSIFMTU) {
        if (!it->device || in->number < 68 || in->number > it->device->mtu) return -EINVAL;
        it->netif.mtu = it->netif.mtu6 = (u16_t)in->number;
        return 0;
    }
    if (in->address.family != AF_INET) return -EINVAL;
    if (!it->device) return -EOPNOTSUPP; /* loopback is what it is */
    ip4_addr_t address = *netif_ip4_addr(&it->netif), mask = *netif_ip4_netmask(&it->netif), gateway = *netif_ip4_gw(&it->netif);
    if (request == SIOCSIFADDR) {
        address.addr = in->address.address;
        if (!mask.addr) mask.addr = PP_HTONL(0xffffff00);
    } else {
        mask.addr = in->address.address;
    }
    it->wants_dhcp = false;
    netif_set_addr(&it->netif, &address, &mask, &gateway);
    return 0;
}

long inet_interface_ioctl(int family, unsigned long request, unsigned long argument) {
    struct ifreq ifreq;
    bool of_addresses = request >= SIOCGIFADDR && request <= SIOCSIFNETMASK; /* the socket's family's: IPv6 has none of them */
    if (request < SIOCGIFNAME || request > SIOCGARP || (of_addresses && family != AF_INET)) return -ENOTTY;
    if (request == SIOCGIFCONF) return list(argument);
    if (user_copy_in(&ifreq, (void *)argument, sizeof ifreq)) return -EFAULT;
    struct inet_interface *it;
    if (request == SIOCGIFNAME) {
        if (!(it = inet_interface_by_index((unsigned)ifreq.number))) return -ENODEV;
        memcpy(ifreq.name, it->name, sizeof ifreq.name);
        return user_copy_out((void *)argument, &ifreq, sizeof ifreq) ? -EFAULT : 0;
    }
    ifreq.name[INET_NAME - 1] = 0;
    if (!(it = inet_interface_by_name(ifreq.name))) return -ENODEV;
    if (request == SIOCSIFFLAGS || request == SIOCSIFADDR || request == SIOCSIFNETMASK || request == SIOCSIFMTU) return set(it, request, &ifreq);
    long error = get(it, request, &ifreq);
    return error ? error : user_copy_out((void *)argument, &ifreq, sizeof ifreq) ? -EFAULT : 0;
}
