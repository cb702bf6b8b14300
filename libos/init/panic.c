/* panic() and the compiler's stack check: the ways in which the libOS itself gives up. */
#include <stdarg.h>
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "channel/internal.h"
#include "init/init.h"

#pragma GCC visibility push(hidden)
_Noreturn void __stack_chk_fail(void);
#pragma GCC visibility pop

void panic(const char *format, ...) {
    va_list arguments;
    arch_irq_save();
    va_start(arguments, format);
    channel_text(HULL_RECORD_PANIC, format, arguments);
    va_end(arguments);
    arch_power_off();
}

void __stack_chk_fail(void) { panic("stack: canary intact, overwritten; called from %p", __builtin_return_address(0)); }
