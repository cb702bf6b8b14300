/* Says a line each tenth of a second, answers on port 80, ends when it is told to: ARGS are stay, or end STATUS LINES. */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static volatile sig_atomic_t asked;

static void note(int number) { asked = number; }

int main(int count, char **args)
{
    int ends = count > 3 && !strcmp(args[1], "end");
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGTERM, &action, 0);
    printf("begin\n");
    fflush(stdout);
    int server = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    bind(server, (struct sockaddr *)&address, sizeof address);
    listen(server, 16);
    for (int i = 0;; i++) {
        if (asked) {
            printf("term\n");
            return 3;
        }
        if (ends && i == atoi(args[3])) {
            printf("end %s\n", args[2]);
            return atoi(args[2]);
        }
        printf("line %d\n", i);
        fflush(stdout);
        struct pollfd on = {.fd = server, .events = POLLIN};
        if (poll(&on, 1, 100) == 1) {
            int client = accept(server, 0, 0);
            char bytes[512];
            if (read(client, bytes, sizeof bytes) > 0) {
                static const char answer[] = "HTTP/1.0 200 OK\r\n\r\nhello\n";
                if (write(client, answer, sizeof answer - 1) < 0) return 1;
            }
            close(client);
        }
    }
}
