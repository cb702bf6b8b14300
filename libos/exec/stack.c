/*
 * The first stack of a program (x86-64 psABI, 3.4.1, figure 3.9), from the top: eight zero bytes, the program's path, environment
 * and argument strings, platform name, 16 random bytes; then, 16-byte aligned, auxv, envp, argv and argc, where rsp points.
 */
#include "exec/exec.h"
#include "exec/elf.h"
#include "entropy/entropy.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "task/task.h"
#include "vdso/vdso.h"

#pragma weak vdso_map

#define STACK_SIZE (8ul << 20)   /* without limits */
#define STACK_LEAST (128ul << 10)
#define STACK_MOST (512ul << 20) /* also when there is no limit: what lies below must have a place */
#define STACK_GUARD (1ul << 20)
#pragma weak limit_stack

/* RLIMIT_STACK of the process that executes the program: reserved at once, filled by use. */
static size_t stack_size(void) {
    uint64_t limit = limit_stack ? limit_stack(current_process()) : STACK_SIZE;
    size_t size = limit > STACK_MOST ? STACK_MOST : limit < STACK_LEAST ? STACK_LEAST : (size_t)limit;
    return (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

struct builder { struct address_space *space; uintptr_t at; bool failed; };

/* Writes below what is there; the space need not be the current one. */
static uintptr_t push(struct builder *b, const void *bytes, size_t size) {
    b->at -= size;
    for (size_t done = 0, piece; done < size && !b->failed; done += piece) {
        uintptr_t to = b->at + done, within = to & (PAGE_SIZE - 1);
        uint64_t page;
        unsigned protection;
        piece = size - done < PAGE_SIZE - within ? size - done : PAGE_SIZE - within;
        if (vm_fault_in(b->space, to, MAP_WRITE) || !arch_lookup(b->space->root, to - within, &page, &protection)) b->failed = true;
        else __builtin_memcpy((char *)phys_to_virt(page) + within, (const char *)bytes + done, piece);
    }
    return b->at;
}

static void push_word(struct builder *b, uint64_t word) {
    push(b, &word, sizeof word);
}

static size_t count_strings(const struct exec_strings *strings) {
    size_t count = 0;
    for (size_t i = 0; i < strings->size; i++)
        if (!strings->bytes[i] || i + 1 == strings->size) count++;
    return count;
}

static uintptr_t push_strings(struct builder *b, const struct exec_strings *strings) {
    if (strings->size && strings->bytes[strings->size - 1]) push(b, "", 1);
    return push(b, strings->bytes, strings->size);
}

/* Pointers to each string, NULL after the last; pushed from the last to the first. */
static void push_pointers(struct builder *b, const struct exec_strings *strings, uintptr_t address) {
    push_word(b, 0);
    for (size_t i = strings->size; i-- > 0;)
        if (!i || !strings->bytes[i - 1]) push_word(b, address + i);
}

static void push_auxv(struct builder *b, const struct exec_image *image, uintptr_t path, uintptr_t platform, uintptr_t random,
                      const struct program_abi *abi) {
    const struct credentials *who = &current_process()->credentials;
    const uint64_t auxv[][2] = {
        {AT_HWCAP, abi->hwcap}, {AT_PAGESZ, PAGE_SIZE}, {AT_CLKTCK, 100}, {AT_PHDR, image->headers},
        {AT_PHENT, sizeof(struct elf_program_header)}, {AT_PHNUM, image->header_count}, {AT_BASE, image->interpreter_base}, {AT_FLAGS, 0},
        {AT_ENTRY, image->entry}, {AT_UID, who->uid}, {AT_EUID, image->user}, {AT_GID, who->gid}, {AT_EGID, image->group},
        {AT_SECURE, image->user != who->uid || image->group != who->gid}, {AT_RANDOM, random}, {AT_HWCAP2, abi->hwcap2}, {AT_EXECFN, path}, {AT_PLATFORM, platform},
        {AT_MINSIGSTKSZ, abi->signal_stack}, {AT_NULL, 0}};
    push(b, auxv, sizeof auxv);
}

void exec_take_ids(uint32_t user, uint32_t group) {
    struct process *process = current_process();
    struct credentials *who = &process->credentials;
    who->euid = who->suid = user;
    who->egid = who->sgid = group;
    process->options.undumpable = user != who->uid || group != who->gid;
}

uintptr_t exec_build_stack(struct address_space *space, const struct exec_image *image, const struct exec_arguments *arguments) {
    uint64_t random[4];
    entropy_fill(random, sizeof random);
    size_t stack = stack_size();
    size_t path_size = strlen(arguments->path) + 1;
    struct exec_strings argv = arguments->argv;
    if (!argv.size) argv = (struct exec_strings){arguments->path, path_size};
    size_t argc = count_strings(&argv), envc = count_strings(&arguments->environment);
    if (path_size + argv.size + arguments->environment.size + 8 * (argc + envc) > stack / 4) return 0;

    uintptr_t top = VM_HIGHEST - ((random[0] & 0x3fffff) << PAGE_SHIFT) - PAGE_SIZE;
    if (vm_map(space, top - stack, stack, PROT_READ | PROT_WRITE, VM_NORESERVE, NULL, 0)) return 0;
    if (vm_map(space, top - stack - STACK_GUARD, STACK_GUARD, PROT_NONE, VM_GUARD, NULL, 0)) return 0;

    struct program_abi abi;
    arch_program_abi(&abi);
    struct builder b = {.space = space, .at = top};
    push_word(&b, 0);
    uintptr_t path = push(&b, arguments->path, path_size);
    uintptr_t environment = push_strings(&b, &arguments->environment);
    uintptr_t strings = push_strings(&b, &argv);
    b.at -= random[1] & 0x1ff0; /* so that addresses differ below the page, too */
    uintptr_t platform = push(&b, abi.platform, strlen(abi.platform) + 1);
    uintptr_t random_bytes = push(&b, random + 2, 16);
    b.at &= ~15ul;
    if ((argc + envc + 3) & 1) push_word(&b, 0);
    uintptr_t auxv_end = b.at;
    push_auxv(&b, image, path, platform, random_bytes, &abi);
    uintptr_t vdso = vdso_map ? vdso_map(space) : 0;
    if (vdso) {
        push_word(&b, vdso);
        push_word(&b, AT_SYSINFO_EHDR);
    }
    struct program_place *place = &space->program;
    place->arguments = strings;
    place->arguments_end = environment;
    place->environment_end = environment + arguments->environment.size;
    place->auxv = b.at;
    place->auxv_end = auxv_end;
    place->code = image->code;
    place->code_end = image->code_end;
    place->data = image->data;
    place->data_end = image->data_end;
    place->entry = image->entry;
    push_pointers(&b, &arguments->environment, environment);
    push_pointers(&b, &argv, strings);
    push_word(&b, argc);
    memset(random, 0, sizeof random);
    place->stack = b.at;
    return b.failed ? 0 : b.at;
}
