// variants: musl
/* Heap corruption is found by the C library, which crashes by a privileged instruction: a signal, then the end by it. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static void on_signal(int number, siginfo_t *info, void *context) {
    (void)context;
    printf("signal %d code %d address %d\n", number, info->si_code, info->si_addr != NULL);
    fflush(stdout);
}

int main(void) {
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESETHAND};
    sigaction(SIGSEGV, &action, NULL);
    volatile unsigned char *volatile block = malloc(40);
    block[-3] |= 31; /* which of its group it is */
    free((void *)block);
    puts("not found");
    return 0;
}
