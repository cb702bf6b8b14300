/*
 * reboot(2): off, halt and restart all end the machine, with status 0. There is nothing to restart into: a machine is one run of its program, and starting it
 * anew is the host's. Files go to their devices first, which Linux leaves to the caller.
 */
#include "init/init.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { MAGIC = 0xfee1dead, RESTART = 0x01234567, HALT = 0xcdef0123, KEYS_ON = 0x89abcdef, KEYS_OFF = 0, POWER_OFF = 0x4321fedc, RESTART_TEXT = 0xa1b2c3d4 };

static bool is_second_magic(unsigned value) { return value == 672274793 || value == 85072278 || value == 369367448 || value == 537993216; }

SYSCALL_DEFINE(reboot, unsigned magic, unsigned second, unsigned command, void *text) {
    (void)text;
    if (current_process()->credentials.euid) return -EPERM;
    if (magic != MAGIC || !is_second_magic(second)) return -EINVAL;
    switch (command) {
    case KEYS_ON: case KEYS_OFF: return 0; /* there is no keyboard */
    case RESTART: case HALT: case POWER_OFF: case RESTART_TEXT: machine_end(0);
    default: return -EINVAL;
    }
}
