/*
 * Registration. One macro: a const entry lands in section .hull.<table>.<order>; the linker sorts the entries of each
 * table by section name and defines __hull_<table>_start and __hull_<table>_end (also when the table is empty).
 * An entry is kept when its component is in the image (any other section of the component is reachable, or another
 * component in the image requires it), so registering costs nothing where the component is absent.
 */
#ifndef HULL_INIT_INIT_H
#define HULL_INIT_INIT_H

#define HULL_REGISTER(table, order, type, name) \
    static const type name __attribute__((used, retain, section(".hull." #table "." #order), aligned(8)))

/* Start hooks, run by libos/init/main.c in order 0..9: 0 the first process, 1 platform, 3 buses, 4 drivers, 5 channel, 6 file systems, 7 network, 8 the program's
 * user, 9 last. */
struct init_hook { void (*start)(void); };
#define HULL_INIT(order, function) HULL_REGISTER(init, order, struct init_hook, init_hook_##function) = { function }

/* Inside a function: whoever can reach it also needs `symbol`'s component (which the function itself only meets by a weak
 * reference or a table). Makes the symbol's address, so that section garbage collection sees the edge. */
#define HULL_NEEDS(symbol) __asm__ volatile("" : : "r"(&(symbol)))

/* Panic: an invariant broke. Form: "component: expectation, value". printf-like subset of lib/format.h. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The parsed boot module (see abi/boot_abi.h). find: payload of the first record of that type, or NULL. */
#include <stddef.h>
#include <stdint.h>
const void *boot_module_find(uint32_t type, size_t *size);
const char *boot_command_line(void);             /* the PVH command line; "" without one */
uint32_t boot_flags(void);                       /* HULL_FLAG_*; 0 without a module */

/* Started last, by whichever of the components `exec` (binary) and `linked` is in the image. Runs the program. */
_Noreturn void program_start(void);
/* End of the current process. When that is the first, of the machine: reports the status (wait(2) form), switches it off. */
_Noreturn void machine_exit(uint32_t wait_status);
/* End of the machine, whoever the current process is: files to their devices, the status to the host, off. */
_Noreturn void machine_end(uint32_t wait_status);
#endif
