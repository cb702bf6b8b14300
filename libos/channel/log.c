/* log_line(): the libOS's own lines in the host's log. */
#include <stdarg.h>
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "lib/format.h"

void log_line(const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    size_t length = format_list(text, sizeof(text), format, arguments);
    va_end(arguments);
    channel_write(HULL_RECORD_LOG, text, length);
}
