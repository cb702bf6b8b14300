/*
 * sys_absent(): what a call does whose component is not in the image. The first ones are logged, each once; the host puts the name in place of the
 * number ("<sys:N>", boot_abi.h), so that no image has to carry names.
 */
#include "channel/channel.h"
#include "syscall/syscall.h"

long sys_absent(long number) {
    static uint8_t logged[64];
    if ((unsigned long)number >= 8 * sizeof logged) return -ENOSYS; /* no Linux that is known here has it */
    uint8_t *byte = logged + number / 8, bit = (uint8_t)(1u << number % 8);
    if (!(*byte & bit)) {
        *byte |= bit;
        log_line("Cannot call <sys:%u>: it is not in this image, expected a component that provides it", (unsigned)number);
    }
    return -ENOSYS;
}
