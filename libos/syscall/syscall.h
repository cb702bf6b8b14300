/*
 * System calls. A component defines one with SYSCALL_DEFINE(name, parameters): a global function long sys_<name>(…) that returns a
 * result or -errno. Its component.json lists it under "syscalls" with the support level; tools/check-components compares.
 * - binary images: the linker makes hull_syscall_table and hull_syscall_index from the analysis (ARCHITECTURE.md "The image").
 * - linked images: musl's wrappers call sys_<name> directly.
 * An absent call ends in sys_absent(number): logs the call's name once and returns -ENOSYS.
 * Calls run with interrupts on, and may sleep through wait.h; interrupt top halves touch nothing that calls touch (arch.h), and no thread is
 * preempted while libOS text runs.
 */
#ifndef HULL_SYSCALL_SYSCALL_H
#define HULL_SYSCALL_SYSCALL_H
#include <stddef.h>
#include <stdint.h>
#include "syscall/errno.h"

#define SYSCALL_DEFINE(name, ...) long sys_##name(__VA_ARGS__)
long sys_absent(long number);

/* Program memory. Checks that the range lies in the program's half (binary) and is mapped or can be faulted in; 0 or -EFAULT. */
int user_copy_in(void *to, const void *program, size_t size);
int user_copy_out(void *program, const void *from, size_t size);
long user_string_in(char *to, const char *program, size_t room); /* length, -EFAULT, -ENAMETOOLONG */
#endif
