/*
 * program_start() of linked images: lays the initial stack out as the Linux ABI has it (System V ABI x86-64, 3.4.1: argc, argv,
 * envp, auxv) on a guarded, randomised stack, and calls hull_linked_start() of the C library there. No return.
 */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "hwcap.h"
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
    static const uint8_t keys[] = {AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_ENTRY, AT_UID, AT_EUID, AT_GID, AT_EGID, AT_HWCAP,
                                   AT_CLKTCK, AT_SECURE, AT_RANDOM, AT_EXECFN, 0};
    const uintptr_t values[] = {(uintptr_t)hull_program_headers, 56, hull_program_header_count, PAGE_SIZE, (uintptr_t)hull_linked_start,
                                user->uid, user->euid, user->gid, user->egid, arch_hwcap(), 100, 0, (uintptr_t)random,
                                (uintptr_t)argument_text, 0};
    size_t words = 1 + arguments.count + 1 + environment.count + 1 + 2 * sizeof(keys);
    uintptr_t *stack = (uintptr_t *)(((uintptr_t)argument_text - words * 8) & ~15ul), *at = stack;
    *at++ = arguments.count;
    at = place_strings(at, argument_text, &arguments);
    at = place_strings(at, environment_text, &environment);
    for (size_t i = 0; i < sizeof(keys); i++) {
        *at++ = keys[i];
        *at++ = values[i];
    }
    arch_enter_linked((long *)stack, random);
}
