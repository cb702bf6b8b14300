// variants: musl
/* What a program sees of its terminal: sizes as they change, lines, raw bytes. Ends at "end". */
#define _GNU_SOURCE
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static volatile sig_atomic_t changed, interrupted;
static void count(int number) {
    if (number == SIGWINCH) changed++;
    else interrupted++;
}
static void say_size(const char *what) {
    struct winsize size = { 0 };
    int result = ioctl(0, TIOCGWINSZ, &size);
    printf("%s %d %d %d\n", what, result, size.ws_row, size.ws_col);
}

/* Signals come only while it waits: one that came between two reads would be seen by neither. */
static long read_or_signal(char *line, size_t room) {
    struct pollfd wanted = { 0, POLLIN, 0 };
    sigset_t none;
    sigemptyset(&none);
    return ppoll(&wanted, 1, NULL, &none) < 0 ? -1 : read(0, line, room);
}

int main(void) {
    struct sigaction action = { .sa_handler = count };
    sigaction(SIGWINCH, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGWINCH);
    sigaddset(&both, SIGINT);
    sigprocmask(SIG_BLOCK, &both, NULL);
    setvbuf(stdout, NULL, _IONBF, 0);
    printf("terminal %d%d%d\n", isatty(0), isatty(1), isatty(2));
    say_size("size");
    char line[256];
    for (;;) {
        long size = read_or_signal(line, sizeof line - 1);
        if (size < 0 && changed) {
            changed = 0;
            say_size("resized");
            continue;
        }
        if (size < 0 && interrupted) {
            interrupted = 0;
            printf("interrupted\n");
            continue;
        }
        if (size <= 0) {
            printf("end of file\n");
            return 0;
        }
        line[size] = 0;
        if (!strcmp(line, "end\n")) return 5;
        if (!strcmp(line, "raw\n")) {
            struct termios old, raw;
            tcgetattr(0, &old);
            raw = old;
            cfmakeraw(&raw);
            tcsetattr(0, TCSANOW, &raw);
            printf("[raw]\n");
            char byte;
            while (read(0, &byte, 1) == 1 && byte != 'q') printf("<%02x>", (unsigned char)byte);
            tcsetattr(0, TCSANOW, &old);
            printf("\n[cooked]\n");
            continue;
        }
        printf("line %s", line);
    }
}
