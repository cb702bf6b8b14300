/*
 * Bytes in bulk over TCP, each one checked. Usage: bulk serve | bulk get|put ADDRESS BYTES. The server listens on port 9000 and serves one connection after the other. A connection begins
 * with "g" or "p" and the number of bytes (8, little endian). After "g" they come from the server, which then closes; after "p" from the client, and the server answers "k" if
 * all were right, else "x". Byte i is that of a generator whose state is i / 8. The client prints "ok SECONDS" or what was wrong, and its status is 0 or 1.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define PORT 9000
#define PIECE 65536

static unsigned char piece[PIECE];

static uint64_t word(uint64_t at) {
    uint64_t z = at * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    return z ^ (z >> 27);
}

static unsigned char byte_at(uint64_t at) {
    return (unsigned char)(word(at / 8) >> (at % 8 * 8));
}

static int send_all(int fd, uint64_t total) {
    for (uint64_t at = 0; at < total;) {
        uint64_t size = total - at < PIECE ? total - at : PIECE;
        for (uint64_t i = 0; i < size; i += 8) {
            uint64_t w = word((at + i) / 8);
            memcpy(piece + i, &w, 8);
        }
        for (uint64_t sent = 0; sent < size;) {
            ssize_t n = write(fd, piece + sent, size - sent);
            if (n <= 0) return 0;
            sent += (uint64_t)n;
        }
        at += size;
    }
    return 1;
}

/* Whether so many came and all were right. */
static int receive_all(int fd, uint64_t total) {
    for (uint64_t at = 0; at < total;) {
        ssize_t n = read(fd, piece, total - at < PIECE ? total - at : PIECE);
        if (n <= 0) {
            fprintf(stderr, "the end after %llu of %llu bytes\n", (unsigned long long)at, (unsigned long long)total);
            return 0;
        }
        for (ssize_t i = 0; i < n; i++)
            if (piece[i] != byte_at(at + (uint64_t)i)) {
                fprintf(stderr, "byte %llu is wrong\n", (unsigned long long)(at + (uint64_t)i));
                return 0;
            }
        at += (uint64_t)n;
    }
    return 1;
}

static void read_exactly(int fd, void *to, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t n = read(fd, (char *)to + at, size - at);
        if (n <= 0) return;
        at += (size_t)n;
    }
}

static int serve(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 8)) return perror("bind"), 1;
    signal(SIGPIPE, SIG_IGN);
    puts("serving");
    fflush(stdout);
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        unsigned char head[9] = { 0 };
        uint64_t total;
        if (fd < 0) continue;
        read_exactly(fd, head, sizeof head);
        memcpy(&total, head + 1, 8);
        if (head[0] == 'g') send_all(fd, total);
        if (head[0] == 'p' && write(fd, receive_all(fd, total) ? "k" : "x", 1) != 1) perror("write");
        close(fd);
    }
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "serve")) return serve();
    if (argc != 4) return 2;
    uint64_t total = strtoull(argv[3], NULL, 10);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    inet_pton(AF_INET, argv[2], &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0), isRight;
    struct timeval patience = { .tv_sec = 60 };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) return perror("connect"), 1;
    struct timespec begun, ended;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    unsigned char head[9] = { (unsigned char)argv[1][0] };
    memcpy(head + 1, &total, 8);
    if (write(fd, head, sizeof head) != sizeof head) return perror("write"), 1;
    char last = 'k';
    if (argv[1][0] == 'g') {
        isRight = receive_all(fd, total);
        if (isRight && read(fd, &last, 1) != 0) fprintf(stderr, "more than %llu bytes\n", (unsigned long long)total), isRight = 0;
    } else {
        isRight = send_all(fd, total);
        if (read(fd, &last, 1) != 1 || last != 'k') fprintf(stderr, "the server has not got what was sent\n"), isRight = 0;
    }
    clock_gettime(CLOCK_MONOTONIC, &ended);
    if (isRight) printf("ok %.3f\n", (double)(ended.tv_sec - begun.tv_sec) + (double)(ended.tv_nsec - begun.tv_nsec) / 1e9);
    return !isRight;
}
