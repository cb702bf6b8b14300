/* Names on a network: `names serve TEXT` gives TEXT to whoever connects to port 80; `names get HOST...` connects to each and prints what it is given. Driven by test/network/networks.test.ts. */
// variants: musl
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int serve(const char *text) {
    struct addrinfo *at, hints = {.ai_flags = AI_PASSIVE, .ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(NULL, "80", &hints, &at)) return 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(fd, at->ai_addr, at->ai_addrlen) || listen(fd, 16)) return 2;
    puts("ready");
    fflush(stdout);
    for (int peer; (peer = accept(fd, NULL, NULL)) >= 0; close(peer)) send(peer, text, strlen(text), MSG_NOSIGNAL);
    return 3;
}

static const char *get(const char *host, char *text, size_t room) {
    struct addrinfo *at, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    if (getaddrinfo(host, "80", &hints, &at)) return "no such name";
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct timeval most = {20, 0};
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most), setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
    ssize_t n = connect(fd, at->ai_addr, at->ai_addrlen) ? -1 : recv(fd, text, room - 1, MSG_WAITALL);
    close(fd);
    freeaddrinfo(at);
    if (n < 0) return "no answer";
    text[n] = 0;
    return text;
}

int main(int argc, char **argv) {
    char text[256];
    if (argc == 3 && !strcmp(argv[1], "serve")) return serve(argv[2]);
    for (int i = 2; i < argc; i++) printf("%s\n", get(argv[i], text, sizeof text));
    return 0;
}
