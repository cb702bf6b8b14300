/*
 * The start of a linked program, in place of musl's crt1 and __libc_start_main. The libOS calls hull_linked_start on the
 * program's stack, which holds argc, argv, envp and auxv as the Linux ABI lays them out (System V ABI, x86-64, 3.4.1).
 * Does what musl needs before main and nothing that would pull a component in: no mmap for thread-local storage (it is
 * carved from the initial stack, which lives as long as the process), no check of open descriptors for set-id programs.
 */
#include <elf.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "atomic.h"
#include "libc.h"
#include "pthread_impl.h"

extern weak hidden void (*const __preinit_array_start)(void), (*const __preinit_array_end)(void);
extern weak hidden void (*const __init_array_start)(void), (*const __init_array_end)(void);
extern hidden const Elf64_Phdr hull_program_headers[]; /* PT_PHDR first (compiler/link) */
extern hidden const uint64_t hull_program_header_count;
hidden void hull_linked_start(long *stack, const uintptr_t *random);
int main(int, char **, char **);

static struct tls_module main_tls;

static void run_array(void (*const *from)(void), void (*const *to)(void))
{
    for (; from < to; from++)
        (*from)();
}

/* Reads the program headers: where the initial image of thread-local storage is. */
static void read_program_headers(void)
{
    const Elf64_Phdr *header = hull_program_headers;
    size_t base = (size_t)header - header->p_vaddr;
    for (size_t n = hull_program_header_count; n; n--, header++) {
        if (header->p_type == PT_TLS) {
            main_tls.image = (void *)(base + header->p_vaddr);
            main_tls.len = header->p_filesz;
            main_tls.size = header->p_memsz;
            main_tls.align = header->p_align;
            libc.tls_cnt = 1;
            libc.tls_head = &main_tls;
        }
    }
    const size_t least_align = _Alignof(struct pthread);
    size_t before = 0;
    /* Where the block is comes of its own alignment, as the linker has it; what the thread's structure beside it needs counts afterwards. */
    main_tls.size += -(main_tls.size + (uintptr_t)main_tls.image) & (main_tls.align - 1);
#ifdef TLS_ABOVE_TP /* variant I: the block begins behind two words at the thread pointer */
    main_tls.offset = before = GAP_ABOVE_TP + ((-GAP_ABOVE_TP + (uintptr_t)main_tls.image) & (main_tls.align - 1));
#else
    main_tls.offset = main_tls.size; /* variant II: the block ends at the thread pointer */
#endif
    if (main_tls.align < least_align)
        main_tls.align = least_align;
    libc.tls_align = main_tls.align;
    libc.tls_size =
        (2 * sizeof(void *) + sizeof(struct pthread) + before + main_tls.size + main_tls.align + least_align - 1) & -least_align;
}

/* Runs after the thread pointer is set; apart, so that nothing of it moves before that. */
static _Noreturn __attribute__((__noinline__)) void run_program(long argc, char **argv, char **envp)
{
    run_array(&__preinit_array_start, &__preinit_array_end);
    run_array(&__init_array_start, &__init_array_end);
    exit(main(argc, argv, envp));
}

/* random: AT_RANDOM's bytes. The rest of the auxiliary vector is for those who ask for it; what it says of set-id programs and page sizes
 * is known here. */
void hull_linked_start(long *stack, const uintptr_t *random)
{
    long argc = *stack;
    char **argv = (void *)(stack + 1);
    char **envp = argv + argc + 1;
    size_t *auxv;

    __environ = envp;
    for (auxv = (void *)envp; *auxv++;)
        ;
    libc.auxv = auxv;
    libc.page_size = 4096;

    __progname = __progname_full = *argv; /* never absent: the libOS names a program without arguments */
    for (char *p = *argv; *p; p++)
        if (*p == '/')
            __progname = p + 1;

    read_program_headers();
    char *memory = __builtin_alloca_with_align(libc.tls_size, 128);
    memset(memory, 0, libc.tls_size);
    if (__init_tp(__copy_tls((unsigned char *)memory)) < 0)
        a_crash();
    __pthread_self()->canary = *random & ~(uintptr_t)0xff00; /* one byte zero: string functions cannot copy it */
    run_program(argc, argv, envp);
}
