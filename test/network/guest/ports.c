/* Says on each port what was said to it, with the port's number before it: TCP on 81, 82, 83, UDP on 81, 84, 85; IPv4 and IPv6. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const int ports[6] = {81, 82, 83, 81, 84, 85};

int main(void) {
    struct pollfd polled[6];
    for (int i = 0; i < 6; i++) {
        struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((unsigned short)ports[i])};
        polled[i] = (struct pollfd){socket(AF_INET6, i < 3 ? SOCK_STREAM : SOCK_DGRAM, 0), POLLIN, 0};
        if (bind(polled[i].fd, (struct sockaddr *)&address, sizeof address) || (i < 3 && listen(polled[i].fd, 16))) return perror("bind"), 1;
    }
    puts("ready");
    fflush(stdout);
    while (poll(polled, 6, -1) > 0) {
        for (int i = 0; i < 6; i++) {
            char text[600];
            struct sockaddr_in6 from;
            socklen_t size = sizeof from;
            if (!polled[i].revents) continue;
            int fd = i < 3 ? accept(polled[i].fd, NULL, NULL) : polled[i].fd, before = snprintf(text, 100, "%s %d ", i < 3 ? "tcp" : "udp", ports[i]);
            ssize_t n = i < 3 ? read(fd, text + before, 500) : recvfrom(fd, text + before, 500, 0, (struct sockaddr *)&from, &size);
            if (n >= 0 && i < 3) n = write(fd, text, (size_t)(before + n));
            else if (n >= 0) sendto(fd, text, (size_t)(before + n), 0, (struct sockaddr *)&from, size);
            if (i < 3) close(fd);
        }
    }
    return 1;
}
