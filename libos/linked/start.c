/*
 * program_start() of linked images: lays the initial stack out as the Linux ABI has it (System V ABI x86-64, 3.4.1: argc, argv,
 * envp, auxv) on a guarded, randomised stack, and calls hull_linked_start() of the C library there. No return.
 */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "init/image.h"
#include "init/init.h"
#include "lib/string.h"
#include "linked/internal.h"
#include "memory/memory.h"
#include "task/task.h"

enum {
    AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6, AT_ENTRY = 9, AT_UID = 11, AT_EUID = 12, AT_GID = 13, AT_EGID = 14,
    AT_HWCAP = 16, AT_CLKTCK = 17, AT_SECURE = 23, AT_RANDOM = 25, AT_EXECFN = 31
};

#pragma GCC visibility push(hidden)
extern const char hull_linked_start[];
extern const char hull_program_headers[];
extern const uint64_t hull_program_header_count;
uint64_t boot_random64(void);
#pragma GCC visibility pop

struct strings { const char *bytes; size_t size, count; };

static struct strings find_strings(uint32_t type) {
    struct strings s = {0};
    s.bytes = boot_module_find(type, &s.size);
    if (!s.bytes)
        s.size = 0;
    for (size_t i = 0; i < s.size; i++)
        s.count += s.bytes[i] == 0;
    return s;
}

/* Copies the strings to the stack; their addresses to `list`, NULL after them. Returns where the list goes on. */
static uintptr_t *place_strings(uintptr_t *list, char *to, const struct strings *s) {
    memcpy(to, s->bytes, s->size);
    for (size_t i = 0; i < s->count; i++) {
        *list++ = (uintptr_t)to;
        to += strlen(to) + 1;
    }
    *list++ = 0;
    return list;
}

void program_start(void) {
    static const char default_name[] = "program";
    struct strings arguments = find_strings(HULL_MODULE_ARGV), environment = find_strings(HULL_MODULE_ENV);
    if (!arguments.count)
        arguments = (struct strings){default_name, sizeof(default_name), 1};
    char *top = (char *)linked_stack_create();
    uint64_t *random = (uint64_t *)top - 2;
    random[0] = boot_random64();
    random[1] = boot_random64();
    char *environment_text = (char *)random - environment.size;
    char *argument_text = environment_text - arguments.size;
    const struct credentials *user = &first_process.credentials;
    const uintptr_t auxv[][2] = {
        {AT_PHDR, (uintptr_t)hull_program_headers}, {AT_PHENT, 56}, {AT_PHNUM, hull_program_header_count},
        {AT_PAGESZ, PAGE_SIZE}, {AT_ENTRY, (uintptr_t)hull_linked_start}, {AT_UID, user->uid}, {AT_EUID, user->euid},
        {AT_GID, user->gid}, {AT_EGID, user->egid}, {AT_HWCAP, cpuid(1, 0).d}, {AT_CLKTCK, 100}, {AT_SECURE, 0},
        {AT_RANDOM, (uintptr_t)random}, {AT_EXECFN, (uintptr_t)argument_text}, {0, 0}};
    size_t words = 1 + arguments.count + 1 + environment.count + 1 + sizeof(auxv) / sizeof(uintptr_t);
    uintptr_t *stack = (uintptr_t *)(((uintptr_t)argument_text - words * 8) & ~15ul), *at = stack;
    *at++ = arguments.count;
    at = place_strings(at, argument_text, &arguments);
    at = place_strings(at, environment_text, &environment);
    memcpy(at, auxv, sizeof(auxv));
    arch_enter_linked((long *)stack, random);
}
