// variants: glibc pie musl
/* Interfaces as programs ask for them: getifaddrs, if_nameindex, ioctl, netlink. Of all there are, loopback is what each machine has. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netpacket/packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SHOW(expression) do { errno = 0; long value_ = (long)(expression); printf("%s = %ld %s\n", #expression, value_, value_ < 0 ? strerror(errno) : ""); } while (0)
struct nl { unsigned length; unsigned short type, flags; unsigned sequence, port; };

static void show_address(const char *what, const struct sockaddr *a) {
    char text[64];
    if (!a) return;
    if (a->sa_family == AF_INET) printf(" %s %s", what, inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, text, sizeof text));
    else if (a->sa_family == AF_INET6) printf(" %s %s", what, inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, text, sizeof text));
    else if (a->sa_family == AF_PACKET) printf(" %s packet index %d type %d length %d", what, ((const struct sockaddr_ll *)a)->sll_ifindex, ((const struct sockaddr_ll *)a)->sll_hatype,
                                               ((const struct sockaddr_ll *)a)->sll_halen);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    SHOW(if_nametoindex("lo"));
    SHOW(if_nametoindex("nonesuch"));
    char name[IF_NAMESIZE] = "";
    printf("%s\n", if_indextoname(1, name) ? name : "none");
    printf("%s\n", if_indextoname(77, name) ? name : "none");
    struct ifaddrs *list = NULL;
    SHOW(getifaddrs(&list));
    for (struct ifaddrs *i = list; i; i = i->ifa_next) {
        if (strcmp(i->ifa_name, "lo")) continue;
        printf("%s flags %x", i->ifa_name, i->ifa_flags);
        show_address("address", i->ifa_addr);
        show_address("mask", i->ifa_netmask);
        printf("\n");
    }
    struct if_nameindex *names = if_nameindex();
    printf("first of if_nameindex: %u %s\n", names ? names[0].if_index : 0, names ? names[0].if_name : "");
    static const struct { const char *name; unsigned long request; } requests[] = {
        {"flags", SIOCGIFFLAGS}, {"mtu", SIOCGIFMTU}, {"index", SIOCGIFINDEX}, {"address", SIOCGIFADDR}, {"mask", SIOCGIFNETMASK}, {"hardware", SIOCGIFHWADDR}, {"metric", SIOCGIFMETRIC},
        {"queue", SIOCGIFTXQLEN}};
    int fds[3] = {socket(AF_INET, SOCK_DGRAM, 0), socket(AF_UNIX, SOCK_STREAM, 0), socket(AF_NETLINK, SOCK_RAW, 0)};
    for (int f = 0; f < 3; f++)
        for (unsigned i = 0; i < sizeof requests / sizeof *requests; i++) {
            struct ifreq r = {.ifr_name = "lo"};
            errno = 0;
            int result = ioctl(fds[f], requests[i].request, &r);
            printf("%s %d %s:", requests[i].name, result, result ? strerror(errno) : "");
            for (int k = 0; k < 8; k++) printf(" %02x", (unsigned char)((char *)&r)[16 + k]);
            printf("\n");
        }
    struct ifreq r = {.ifr_name = "nonesuch"};
    SHOW(ioctl(fds[0], SIOCGIFINDEX, &r));
    char space[4096];
    struct ifconf conf = {.ifc_len = sizeof space, .ifc_buf = space};
    SHOW(ioctl(fds[0], SIOCGIFCONF, &conf));
    printf("first of SIOCGIFCONF: %s\n", conf.ifc_len >= (int)sizeof r ? conf.ifc_req[0].ifr_name : "");
    int nl = fds[2];
    struct { struct nl h; char body[64]; } request = {{.length = 20, .type = 18, .flags = 0x301, .sequence = 5}, {0}};
    SHOW(send(nl, &request, 20, 0));
    int kinds[4] = {0};
    for (int done = 0; !done;) {
        long n = recv(nl, space, sizeof space, 0);
        for (char *at = space; n >= (long)sizeof(struct nl) && !done;) {
            struct nl *h = (void *)at;
            if (h->sequence != 5) printf("sequence %u\n", h->sequence);
            if (h->type == 16) kinds[0] = 1;
            else if (h->type == 3) done = kinds[1] = 1;
            else kinds[2]++;
            at += (h->length + 3) & ~3u;
            n -= (h->length + 3) & ~3u;
        }
    }
    printf("links %d done %d others %d\n", kinds[0], kinds[1], kinds[2]);
    request.h = (struct nl){.length = 20, .type = 99, .flags = 5, .sequence = 6};
    SHOW(send(nl, &request, 20, 0));
    SHOW(recv(nl, space, sizeof space, 0) > 0);
    printf("type %d\n", ((struct nl *)space)->type);
    request.h = (struct nl){.length = 9999, .type = 18, .flags = 1};
    SHOW(send(nl, &request, 20, 0));
    SHOW(recv(nl, space, sizeof space, MSG_DONTWAIT));
    struct addrinfo *found = NULL, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    SHOW(getaddrinfo("127.0.0.1", "80", &hints, &found));
    return 0;
}
