/* What is left of root's capabilities by setuid(2), with and without PR_SET_KEEPCAPS, and what capset(2) takes into effect. Run as root; prints what a Linux machine prints. */
// variants: musl glibc
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* capget(2), capabilities(7): musl has no header for them. */
struct capability_header { unsigned version; int pid; };
struct capability_data { unsigned effective, permitted, inheritable; };
enum { CAP_SETUID = 7, CAP_NET_BIND_SERVICE = 10, MINE = 1 << CAP_NET_BIND_SERVICE | 1 << CAP_SETUID };
static struct capability_header header = {.version = 0x20080522};

/* Only the two that the test is about: the rest is what a host gives its root. */
static void show(const char *title) {
    struct capability_data data[2];
    char line[128];
    unsigned long permitted = 0, effective = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) sscanf(line, "CapPrm: %lx", &permitted), sscanf(line, "CapEff: %lx", &effective);
    if (status) fclose(status);
    if (syscall(SYS_capget, &header, data)) perror("capget");
    printf("%s: permitted %x effective %x, status agrees %d\n", title, data[0].permitted & MINE, data[0].effective & MINE,
           (unsigned)permitted == data[0].permitted && (unsigned)effective == data[0].effective);
}
static void take(const char *title, unsigned permitted, unsigned effective) {
    struct capability_data data[2] = {{.permitted = permitted, .effective = effective}};
    printf("%s: %s\n", title, syscall(SYS_capset, &header, data) ? strerror(errno) : "taken");
}
/* A port below 1024: whichever of these nobody has. */
static void low_port(const char *title) {
    int result = EADDRINUSE;
    for (int port = 1000; port < 1020 && result == EADDRINUSE; port++) {
        struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        result = bind(fd, (struct sockaddr *)&at, sizeof at) ? errno : 0;
        close(fd);
    }
    printf("%s: a low port: %s\n", title, result ? strerror(result) : "bound");
}

static void kept(void) { /* as named(8) and chronyd(8) become another user */
    prctl(PR_SET_KEEPCAPS, 1);
    if (setuid(1000)) perror("setuid");
    show("kept");
    low_port("kept");
    take("kept", MINE, MINE);
    low_port("taken");
    show("taken");
    printf("to user 1001: %d, back to root's number: %d\n", setresuid(1001, 1001, 1001), setresuid(-1, 1000, -1));
    take("less", 1 << CAP_NET_BIND_SERVICE, 0);
    show("less");
    low_port("less");
    take("more", MINE, 0);
    take("what is not permitted", 1 << CAP_NET_BIND_SERVICE, MINE);
    printf("to user 1002: %s\n", setresuid(1002, 1002, 1002) ? strerror(errno) : "may");
    take("the rest", 1 << CAP_NET_BIND_SERVICE, 1 << CAP_NET_BIND_SERVICE);
    low_port("the rest");
    if (!fork()) {
        show("a child's");
        fflush(stdout);
        execl("/proc/self/exe", "capabilities", "executed", NULL);
        _exit(9);
    }
    wait(NULL);
}
static void lost(void) {
    if (setuid(1000)) perror("setuid");
    show("lost");
    low_port("lost");
    take("lost", MINE, 0);
    take("nothing", 0, 0);
}
static void lent(void) { /* root's number is only saved */
    if (seteuid(1000)) perror("seteuid");
    show("lent");
    low_port("lent");
    if (seteuid(0)) perror("seteuid");
    show("given back");
    low_port("given back");
}

/* Where anybody may bind every port, as in containers, there is nothing to be seen of the capability. */
static void keep_low_ports(void) {
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r+");
    int first = -1;
    if (!file || fscanf(file, "%d", &first) != 1) perror("ip_unprivileged_port_start");
    else if (first < 1024) rewind(file), fputs("1024\n", file);
    if (file && fclose(file)) perror("ip_unprivileged_port_start is not to be set");
}

int main(int argc, char **argv) {
    setvbuf(stdout, NULL, _IONBF, 0);
    if (argc > 1) {
        show(argv[1]);
        low_port(argv[1]);
        return 0;
    }
    keep_low_ports();
    void (*const parts[])(void) = {kept, lost, lent};
    for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (!fork()) parts[i](), exit(0);
        wait(NULL);
    }
    return 0;
}
