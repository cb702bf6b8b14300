/*
 * Changes a file through a shared mapping and tells nobody: no msync, no close, no end. Says "changed" and waits for its end.
 * Usage: unsynced FILE
 * variants: musl
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int main(int count, char **arguments) {
    int file = count == 2 ? open(arguments[1], O_RDWR | O_CREAT, 0644) : -1;
    if (file < 0 || write(file, "before\n", 7) != 7) return 1;
    sync(); /* its name and its blocks are there */
    char *memory = mmap(NULL, 7, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) return 1;
    memcpy(memory, "behind", 6);
    puts("changed");
    fflush(stdout);
    for (;;) pause();
}
