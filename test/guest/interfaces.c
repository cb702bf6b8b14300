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
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* ---- /proc/net: headers as they are, and the rows of our own sockets ---- */
static char text[1 << 23]; /* a busy host has thousands of closed connections */
static const char *get(const char *path) {
    FILE *file = fopen(path, "r");
    size_t size = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file) fclose(file);
    text[size] = 0;
    printf("%s: %s\n", path, file ? "there" : "MISSING");
    return text;
}
static void show_first(const char *path) { printf("[%.*s]\n", (int)strcspn(get(path), "\n"), text); }
static unsigned long inode_of(int fd) {
    struct stat s;
    return fstat(fd, &s) ? 0 : (unsigned long)s.st_ino;
}
/* The row with that inode, without what differs from run to run: the row's number, ports but the least, timers, users. */
static void show_row(const char *path, int fd, size_t width) {
    unsigned long inode = inode_of(fd);
    for (char *line = (char *)get(path); line && *line; line = strchr(line, '\n'), line += line != NULL) {
        char local[64], remote[64];
        unsigned state, unsent, unread;
        unsigned long found;
        if (sscanf(line, " %*d: %63s %63s %x %x:%x %*x:%*x %*x %*u %*d %lu", local, remote, &state, &unsent, &unread, &found) != 6 || found != inode) continue;
        *strchr(local, ':') = 0;
        printf("local %s remote %.*s state %u unsent %u unread %u, %s\n", local, (int)strcspn(remote, ":"), remote, state, unsent, unread,
               !width || strcspn(line, "\n") == width ? "wide enough" : "of another width");
        return;
    }
    printf("NOT LISTED\n");
}
static void count_fields(const char *path, const char *name) {
    get(path);
    for (char *line = text; *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : "") {
        int fields = 0;
        if (strncmp(line, name, strlen(name))) continue;
        for (char *at = line; *at && *at != '\n';) {
            while (*at == ' ') at++;
            fields += *at && *at != '\n';
            while (*at && *at != ' ' && *at != '\n') at++;
        }
        printf("%s %d fields\n", name, fields);
    }
}
static void proc_files(void) {
    enum { TCP_WIDTH = 149, UDP_WIDTH = 127 };
    static const char *const heads[] = {"/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6", "/proc/net/udplite", "/proc/net/unix", "/proc/net/dev",
                                        "/proc/net/route", "/proc/net/arp"};
    for (unsigned i = 0; i < sizeof heads / sizeof *heads; i++) show_first(heads[i]);
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0), listener6 = socket(AF_INET6, SOCK_STREAM, 0), udp = socket(AF_INET, SOCK_DGRAM, 0),
        udp6 = socket(AF_INET6, SOCK_DGRAM, 0), local = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0hull-proc-net"};
    socklen_t size = sizeof a;
    SHOW(bind(listener, (void *)&a, sizeof a));
    SHOW(listen(listener, 5));
    getsockname(listener, (void *)&a, &size);
    SHOW(connect(client, (void *)&a, sizeof a));
    int server = accept(listener, NULL, NULL);
    SHOW(write(client, "seven b", 7));
    struct pollfd ready = {server, POLLIN, 0};
    poll(&ready, 1, 5000);
    a.sin_port = 0;
    SHOW(bind(udp, (void *)&a, sizeof a));
    SHOW(bind(udp6, (void *)&six, sizeof six));
    SHOW(bind(listener6, (void *)&six, sizeof six));
    SHOW(listen(listener6, 5));
    SHOW(bind(local, (void *)&name, offsetof(struct sockaddr_un, sun_path) + 14));
    SHOW(listen(local, 5));
    show_row("/proc/net/tcp", listener, TCP_WIDTH);
    show_row("/proc/net/tcp", server, TCP_WIDTH);
    show_row("/proc/net/tcp", client, TCP_WIDTH);
    show_row("/proc/net/tcp6", listener6, 0);
    show_row("/proc/net/udp", udp, UDP_WIDTH);
    show_row("/proc/net/udp6", udp6, 0);
    for (char *line = strstr(get("/proc/net/unix"), "@hull-proc-net"), *start = line; line; line = NULL) {
        while (start > text && start[-1] != '\n') start--;
        unsigned long found = 0;
        unsigned flags = 0, type = 0, state = 0;
        sscanf(start, "%*x: %*x %*x %x %x %x %lu", &flags, &type, &state, &found);
        printf("unix: flags %x type %x state %x, %s\n", flags, type, state, found == inode_of(local) ? "ours" : "NOT OURS");
    }
    count_fields("/proc/net/dev", "    lo:");
    count_fields("/proc/net/snmp", "Tcp:");
    count_fields("/proc/net/snmp", "Udp:");
    count_fields("/proc/net/sockstat", "TCP:");
    count_fields("/proc/net/sockstat6", "TCP6:");
    for (char *line = strstr(get("/proc/net/if_inet6"), "       lo\n"); line; line = NULL) printf("[%.*s]\n", 53, line - 44);
    unsigned opens = 0;
    sscanf(strstr(strstr(get("/proc/net/snmp"), "\nTcp: ") + 1, "\nTcp: "), " Tcp: %*d %*d %*d %*d %u", &opens);
    printf("connections were opened: %s\n", opens ? "yes" : "NO");
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
    proc_files();
    return 0;
}
