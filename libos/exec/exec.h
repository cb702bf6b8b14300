/*
 * Programs from ELF files: checks a file, maps its segments into an address space, builds the first stack.
 * program_start() (init.h) does so with the executable that the image carries; execve can do the same with any file and space.
 * Every header field is hostile until checked. Specification: System V gABI, chapters 4 and 5; x86-64 psABI, 3.4.
 */
#ifndef HULL_EXEC_EXEC_H
#define HULL_EXEC_EXEC_H
#include <stddef.h>
#include <stdint.h>
#include "file/file.h"
#include "vm/vm.h"

struct exec_image {
    uintptr_t base;               /* what was added to the file's addresses; 0 for fixed ones */
    uintptr_t entry, headers;     /* AT_ENTRY, AT_PHDR (0 when no segment holds them) */
    uint32_t header_count;
    uintptr_t start, end;         /* of the lowest and the highest segment */
    uintptr_t code, code_end, data, data_end; /* the last executable segment and the last other one, as Linux counts them */
    uintptr_t interpreter_base;   /* AT_BASE: where the program's own loader lies; 0 for static programs */
    char interpreter[256];        /* PT_INTERP; empty for static programs */
    uint32_t user, group;         /* effective ids that it runs with: the caller's, or what the bits of its file say (exec_from_path) */
};
/* Strings, each ended by NUL, one after the other. */
struct exec_strings { const char *bytes; size_t size; };
struct exec_arguments { const char *path; struct exec_strings argv, environment; };

/* Maps the file's segments. 0, or -ENOEXEC, -ENOMEM … with *why (a sentence without subject) set. */
int exec_load(struct address_space *, struct file *, uint64_t file_size, struct exec_image *out, const char **why);
/* The same for a program's interpreter: a position-independent one goes where mmap would put it. */
int exec_load_interpreter(struct address_space *, struct file *, uint64_t file_size, struct exec_image *out, const char **why);
/* Maps the stack and writes argc, argv, envp and auxv. The stack pointer, or 0: too large or no memory. */
uintptr_t exec_build_stack(struct address_space *, const struct exec_image *, const struct exec_arguments *);
/* The current process gets the effective ids of its image; who can be told apart from its real ones leaves no dump (execve(2), prctl(2)). */
void exec_take_ids(uint32_t user, uint32_t group);
/* Heap after the image, at a random distance. */
void exec_place_heap(struct address_space *, const struct exec_image *);

/*
 * A program by its path, in a space without areas: `#!` lines are followed, the program and its interpreter are mapped, heap and
 * stack are made. 0; or what execve says (-ENOENT, -EACCES, -ENOEXEC, -ELIBBAD, -ELOOP, -E2BIG …) with *why set and, when another file than
 * `path` is to blame, its name in out->culprit. By the component exec-path: met by a weak reference where a file system may be absent.
 */
struct exec_entry { uintptr_t pc, stack; struct exec_image image; char culprit[256]; };
int exec_from_path(struct address_space *, const struct exec_arguments *, struct exec_entry *out, const char **why);

/* Opens the executable that the image carries, for /proc/self/exe, while its path still leads to it. By the component procfs. */
void proc_keep_program(struct address_space *);

/* What the CPU tells programs; arch/<isa>/program_abi.c. */
struct program_abi { uint64_t hwcap, hwcap2, signal_stack; const char *platform; };
void arch_program_abi(struct program_abi *out);
extern const uint16_t arch_elf_machine;
#endif
