/* panic() and the compiler's stack check: the ways in which the libOS itself gives up. */
#include <stdarg.h>
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"
#include "lib/format.h"

#pragma GCC visibility push(hidden)
_Noreturn void __stack_chk_fail(void);
#pragma GCC visibility pop

void panic(const char *format, ...) {
    char text[256];
    va_list arguments;
    arch_irq_save();
    va_start(arguments, format);
    size_t length = format_list(text, sizeof(text), format, arguments);
    va_end(arguments);
    channel_write(HULL_RECORD_PANIC, text, length);
    arch_power_off();
}

void __stack_chk_fail(void) { panic("stack: canary intact, overwritten; called from %p", __builtin_return_address(0)); }
