/* sys_absent(): what a call does whose component is not in the image. Each is logged once, by name where the names are in the image, too
 * (in binary ones; a linked program's few kilobytes have no room for them). */
#include "channel/channel.h"
#include "syscall-names/names.h"
#include "syscall/syscall.h"

#pragma weak syscall_name

long sys_absent(long number) {
    static uint8_t logged[(462 + 7) / 8];
    unsigned n = (unsigned)number;
    if (n < 462 && !(logged[n / 8] >> n % 8 & 1)) {
        logged[n / 8] |= (uint8_t)(1u << n % 8);
        log_line("Cannot call %s (%u): it is not in this image, expected a component that provides it", syscall_name ? syscall_name(n) : "system call", n);
    }
    return -ENOSYS;
}
