/* Two threads write to the pages of a private mapping, each a byte of its own in each page, while the pages are still read: nothing that was written is lost. Argument: a folder. */
// variants: glibc
// flags: -pthread
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGES = 400, SIZE = 4096, ROUNDS = 3, THREADS = 3 };
static char *mapped;
static pthread_barrier_t barrier;

static void *touch(void *argument) {
    long self = (long)argument;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < PAGES; i++) mapped[i * SIZE + self]++;
    return NULL;
}

int main(int argc, char **argv) {
    char path[4096], page[SIZE];
    int lost = 0, wrong = 0;
    if (argc < 2) return 2;
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(path, sizeof path, "%s/touched-%d", argv[1], round);
        int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
        for (int i = 0; i < PAGES; i++) {
            memset(page, 'a' + i % 26, SIZE);
            if (write(fd, page, SIZE) != SIZE) return 1;
        }
        fsync(fd);
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        if ((mapped = mmap(NULL, PAGES * SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)) == MAP_FAILED) return 1;
        pthread_t threads[THREADS];
        pthread_barrier_init(&barrier, NULL, THREADS);
        for (long i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, touch, (void *)i);
        for (int i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
        pthread_barrier_destroy(&barrier);
        for (int i = 0; i < PAGES; i++) {
            for (int k = 0; k < THREADS; k++) lost += mapped[i * SIZE + k] != 'a' + i % 26 + 1;
            wrong += mapped[i * SIZE + THREADS] != 'a' + i % 26;
        }
        munmap(mapped, PAGES * SIZE);
        close(fd);
        unlink(path);
    }
    printf("%d lost, %d wrong\n", lost, wrong);
    return 0;
}
