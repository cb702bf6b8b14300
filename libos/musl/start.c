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

#define AUXV_COUNT 38

extern weak hidden void (*const __preinit_array_start)(void), (*const __preinit_array_end)(void);
extern weak hidden void (*const __init_array_start)(void), (*const __init_array_end)(void);
hidden void hull_linked_start(long *stack);
int main(int, char **, char **);

static struct tls_module main_tls;

static void run_array(void (*const *from)(void), void (*const *to)(void))
{
    for (; from < to; from++)
        (*from)();
}

/* Reads the program headers: where the initial image of thread-local storage is, and how large thread stacks shall be. */
static void read_program_headers(const size_t *aux)
{
    const Elf64_Phdr *header = (void *)aux[AT_PHDR];
    size_t base = 0;
    for (size_t n = aux[AT_PHNUM]; n; n--, header++) {
        if (header->p_type == PT_PHDR)
            base = aux[AT_PHDR] - header->p_vaddr;
        if (header->p_type == PT_TLS) {
            main_tls.image = (void *)(base + header->p_vaddr);
            main_tls.len = header->p_filesz;
            main_tls.size = header->p_memsz;
            main_tls.align = header->p_align;
            libc.tls_cnt = 1;
            libc.tls_head = &main_tls;
        }
        if (header->p_type == PT_GNU_STACK && header->p_memsz > __default_stacksize)
            __default_stacksize = header->p_memsz < DEFAULT_STACK_MAX ? header->p_memsz : DEFAULT_STACK_MAX;
    }
    const size_t least_align = _Alignof(struct pthread);
    if (main_tls.align < least_align)
        main_tls.align = least_align;
    main_tls.size += -(main_tls.size + (uintptr_t)main_tls.image) & (main_tls.align - 1);
    main_tls.offset = main_tls.size; /* variant II: the block ends at the thread pointer */
    libc.tls_align = main_tls.align;
    libc.tls_size =
        (2 * sizeof(void *) + sizeof(struct pthread) + main_tls.size + main_tls.align + least_align - 1) & -least_align;
}

/* Runs after the thread pointer is set; apart, so that nothing of it moves before that. */
static _Noreturn __attribute__((__noinline__)) void run_program(long argc, char **argv, char **envp)
{
    run_array(&__preinit_array_start, &__preinit_array_end);
    run_array(&__init_array_start, &__init_array_end);
    exit(main(argc, argv, envp));
}

void hull_linked_start(long *stack)
{
    long argc = *stack;
    char **argv = (void *)(stack + 1);
    char **envp = argv + argc + 1;
    size_t aux[AUXV_COUNT] = {0};
    size_t *auxv;

    __environ = envp;
    for (auxv = (void *)envp; *auxv++;)
        ;
    libc.auxv = auxv;
    for (; *auxv; auxv += 2)
        if (*auxv < AUXV_COUNT)
            aux[*auxv] = auxv[1];
    __hwcap = aux[AT_HWCAP];
    libc.page_size = aux[AT_PAGESZ];
    libc.secure = aux[AT_SECURE] || aux[AT_UID] != aux[AT_EUID] || aux[AT_GID] != aux[AT_EGID];

    char *name = argc ? argv[0] : (char *)aux[AT_EXECFN];
    __progname = __progname_full = name ? name : "";
    for (char *p = __progname; *p; p++)
        if (*p == '/')
            __progname = p + 1;

    read_program_headers(aux);
    char *memory = __builtin_alloca_with_align(libc.tls_size, 128);
    memset(memory, 0, libc.tls_size);
    if (__init_tp(__copy_tls((unsigned char *)memory)) < 0)
        a_crash();
    if (aux[AT_RANDOM]) {
        uintptr_t canary = *(uintptr_t *)aux[AT_RANDOM];
        __pthread_self()->canary = canary & ~(uintptr_t)0xff00; /* one byte zero: string functions cannot copy it */
    }
    run_program(argc, argv, envp);
}
