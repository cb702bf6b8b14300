/*
 * A small HTTP server: one thread, epoll, keepalive; answers each request with the same 612 bytes. What it costs is what its sockets cost.
 * Usage: epoll-server [PORT]. A request ends at its blank line; bodies are not expected.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS = 1024, ROOM = 4096, BODY = 612 };
static char answer[1024], requests[CONNECTIONS][ROOM];
static size_t answer_size, had[CONNECTIONS];

/* Answers the complete requests; -1 when the connection is over. */
static int serve(int fd) {
    char *text = requests[fd];
    ssize_t got = read(fd, text + had[fd], ROOM - 1 - had[fd]);
    if (got <= 0) return -1;
    had[fd] += (size_t)got;
    text[had[fd]] = 0;
    for (char *end; (end = strstr(text, "\r\n\r\n"));) {
        if (write(fd, answer, answer_size) != (ssize_t)answer_size) return -1;
        had[fd] -= (size_t)(end + 4 - text);
        memmove(text, end + 4, had[fd] + 1);
    }
    return had[fd] == ROOM - 1 ? -1 : 0;
}

int main(int argc, char **argv) {
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)(argc > 1 ? atoi(argv[1]) : 80)) };
    answer_size = (size_t)sprintf(answer, "HTTP/1.1 200 OK\r\nServer: epoll\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n", BODY);
    memset(answer + answer_size, 'x', BODY);
    answer_size += BODY;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 511)) {
        perror("epoll-server");
        return 1;
    }
    epoll_ctl(poll, EPOLL_CTL_ADD, listener, &(struct epoll_event){ .events = EPOLLIN, .data.fd = listener });
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int count = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                if (serve(fd)) close(fd);
                continue;
            }
            if ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) < 0) continue;
            if (fd >= CONNECTIONS) {
                close(fd);
                continue;
            }
            had[fd] = 0;
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            epoll_ctl(poll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.fd = fd });
        }
    }
}
