/* Who may bind which port: net.ipv4.ip_unprivileged_port_start, read, set, and what it refuses. Run as root in a network namespace of its own, or as the argument `as-it-is` with nothing set. Prints what it finds. */
// variants: musl glibc
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SETTING "/proc/sys/net/ipv4/ip_unprivileged_port_start"

static void show(void) {
    char text[64] = "";
    int fd = open(SETTING, O_RDONLY);
    ssize_t size = read(fd, text, sizeof text - 1);
    printf("%zd: %s", size, size > 0 ? text : "nothing\n");
    close(fd);
}
static void set(const char *text) {
    int fd = open(SETTING, O_WRONLY);
    ssize_t size = fd < 0 ? -1 : write(fd, text, strlen(text));
    printf("set %s: %zd %s\n", text, size, size < 0 ? strerror(errno) : "");
    if (fd >= 0) close(fd);
    show();
}
static void try(int family, int type, int port) {
    struct sockaddr_in six_less = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int fd = socket(family, type, 0);
    int result = bind(fd, family == AF_INET ? (void *)&six_less : (void *)&six, family == AF_INET ? sizeof six_less : sizeof six);
    printf("%s %s %d: %s\n", family == AF_INET ? "IPv4" : "IPv6", type == SOCK_STREAM ? "stream" : "datagram", port, result ? strerror(errno) : "bound");
    close(fd);
}
static void try_all(unsigned user) {
    fflush(stdout);
    if (!fork()) {
        if (user && (setgid(user) || setuid(user))) _exit(1);
        printf("user %u\n", user);
        for (int kind = 0; kind < 4; kind++)
            for (int i = 0, ports[] = {1, 80, 81, 1023, 1024, 2000}; i < 6; i++) try(kind & 1 ? AF_INET6 : AF_INET, kind & 2 ? SOCK_DGRAM : SOCK_STREAM, ports[i]);
        int fd = open(SETTING, O_WRONLY);
        if (user) printf("writing: %s\n", fd < 0 ? strerror(errno) : "may");
        fflush(stdout);
        _exit(0);
    }
    wait(NULL);
}

int main(int argc, char **argv) {
    struct stat about;
    (void)argv;
    if (stat(SETTING, &about)) perror("stat");
    printf("mode %o, user %d\n", about.st_mode, (int)about.st_uid);
    if (argc > 1) {
        show();
        try_all(1000);
        return 0;
    }
    set("1024");
    try_all(1000);
    try_all(0);
    set("81\n");
    try_all(1000);
    set("0");
    try_all(1000);
    static const char *const wrong[] = {"-1", "65536", "40000", "x", "32769"};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) set(wrong[i]);
    set("32768");
    return 0;
}
