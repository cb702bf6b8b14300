/*
 * What starts, in this order, and why. arch_main() comes here with page tables, stacks and traps working.
 *
 *   canary         before anything that has buffers runs
 *   start hooks    HULL_INIT entries of the components that are in the image, by order:
 *                  0 the first process, 1 platform (uart, clock), 3 buses, 4 drivers, 5 channel, 6 file systems, 7 network, 8 user, 9 last
 *   program_start  `exec` or `linked`: sets the program's stack up and runs it
 */
#include "arch/arch.h"
#include "init/init.h"

#pragma GCC visibility push(hidden)
extern const struct init_hook __hull_init_start[], __hull_init_end[];
extern uintptr_t __stack_chk_guard;
_Noreturn void init_main(void);
uint64_t boot_random64(void);
#pragma GCC visibility pop

__attribute__((no_stack_protector)) void init_main(void) {
    __stack_chk_guard = boot_random64() & ~0xfful; /* a zero byte stops string overflows from writing the right value */
    for (const struct init_hook *hook = __hull_init_start; hook < __hull_init_end; hook++)
        hook->start();
    program_start();
}
