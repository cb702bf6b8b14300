// variants: glibc pie musl linked
/*
 * Takes memory in touched pieces until malloc says no; then lives on. "limit": bounded by RLIMIT_AS; "strict": by a machine that promises no more than there
 * is (only in guests); "all": not bounded, so that the machine runs out and the program ends (only in guests).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

int main(int argc, char **argv) {
    size_t total = 0, piece = argc > 2 ? strtoul(argv[2], NULL, 0) : 65536;
    if (argc > 1 && !strcmp(argv[1], "limit")) setrlimit(RLIMIT_AS, &(struct rlimit){48 << 20, 48 << 20});
    if (argc > 1 && !strcmp(argv[1], "strict")) {
        FILE *mode = fopen("/proc/sys/vm/overcommit_memory", "w"), *ratio = fopen("/proc/sys/vm/overcommit_ratio", "w");
        if (!mode || fputs("2\n", mode) < 0 || fclose(mode) || !ratio || fputs("80\n", ratio) < 0 || fclose(ratio)) return 3;
    }
    char **list = NULL;
    for (char **p; (p = malloc(piece)); list = p, total += piece) {
        memset(p, 1, piece);
        *p = (char *)list;
    }
    int no_memory = errno == ENOMEM;
    fprintf(stderr, "%zu KiB\n", total >> 10);
    printf("malloc ended: %d, errno %d, more than 8 MiB: %d\n", 1, no_memory, total > 8 << 20);
    while (list) {
        char **next = (char **)*list;
        free(list);
        list = next;
    }
    char *again = malloc(4 << 20);
    printf("after free: %d\n", again != NULL && memset(again, 2, 4 << 20) == again);
    return 0;
}
