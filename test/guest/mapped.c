// variants: glibc
/*
 * A program that is larger than its machine's memory: 16 MiB of constants in its file, each page its own, are read over and over, by two processes; a private mapping of the
 * same file of which every 16th page is written to keeps what was written. Prints what it finds.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGES = 4096, WORDS = 512, STEP = 16, ROUNDS = 3 };
extern const uint64_t constants[PAGES][WORDS];
__asm__(".pushsection .rodata.constants, \"a\"\n.p2align 12\n.globl constants\nconstants:\n.set page, 0\n.rept 4096\n.fill 512, 8, page * 0x10001 + 7\n.set page, page + 1\n.endr\n.popsection");

static unsigned wrong(const volatile uint64_t (*pages)[WORDS], int written) {
    unsigned found = 0;
    for (unsigned page = 0; page < PAGES; page++) {
        uint64_t expected = written && page % STEP == 0 ? ~(uint64_t)page : page * 0x10001ull + 7;
        if (pages[page][page == 1 ? 0 : page % WORDS] != expected || pages[page][WORDS - 1] != expected) found++;
    }
    return found;
}

static unsigned rounds(const char *who, const volatile uint64_t (*pages)[WORDS], int written) {
    unsigned found = 0;
    for (int round = 0; round < ROUNDS; round++) found += wrong(pages, written);
    if (who) printf("%s: wrong pages %u\n", who, found), fflush(stdout);
    return found;
}

int main(void) {
    const volatile uint64_t (*mine)[WORDS] = constants;
    rounds("alone", mine, 0);
    int status;
    pid_t child = fork();
    if (!child) _exit(rounds(NULL, mine, 0) != 0);
    rounds("with a child", mine, 0);
    waitpid(child, &status, 0);
    printf("the child: %x\n", status);
    /* Where the constants lie in the file: their first page is like no other. */
    int fd = open("/proc/self/exe", O_RDONLY);
    uint64_t first[WORDS];
    off_t at = 0;
    while (pread(fd, first, sizeof first, at) == sizeof first && memcmp(first, (const void *)constants[0], sizeof first)) at += 4096;
    uint64_t (*copy)[WORDS] = mmap(NULL, sizeof constants, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, at); /* more than there is may not be promised */
    for (unsigned page = 0; page < PAGES; page += STEP)
        for (unsigned word = 0; word < WORDS; word++) copy[page][word] = ~(uint64_t)page;
    rounds("written", (const volatile uint64_t (*)[WORDS])copy, 1);
    child = fork();
    if (!child) {
        copy[1][0] = copy[1][1] = 5;
        _exit(wrong((const volatile uint64_t (*)[WORDS])copy, 1) != 1);
    }
    rounds("written, with a child", (const volatile uint64_t (*)[WORDS])copy, 1);
    waitpid(child, &status, 0);
    printf("the child: %x\n", status);
    return 0;
}
