/*
 * Copies between libOS and program memory (syscall/syscall.h). Owns nothing. Only the range is checked here: pages come by
 * faults while copying, and a fault that stays ends the copy (arch_copy_faultable).
 */
#include "syscall/syscall.h"
#include "arch/arch.h"
#include "task/task.h"

/* Defined by the component that starts binary programs; in linked images calls may pass addresses in the image. */
extern const char exec_binary_program __attribute__((weak));

__attribute__((noinline)) static int copy(void *to, const void *from, size_t size, const void *program) {
    if (&exec_binary_program && !current_thread()->own_memory &&
        ((uintptr_t)program > PROGRAM_END || size > PROGRAM_END - (uintptr_t)program))
        return -EFAULT;
    return arch_copy_faultable(to, from, size) ? -EFAULT : 0;
}

int user_copy_in(void *to, const void *program, size_t size) { return copy(to, program, size, program); }

int user_copy_out(void *program, const void *from, size_t size) { return copy(program, from, size, program); }

long user_string_in(char *to, const char *program, size_t room) {
    for (size_t length = 0; length < room;) {
        /* Up to the end of the page: what is mapped there may be all that there is. */
        size_t piece = 4096 - ((uintptr_t)(program + length) & 4095);
        if (piece > 64) piece = 64;
        if (piece > room - length) piece = room - length;
        if (user_copy_in(to + length, program + length, piece)) return -EFAULT;
        for (size_t end = length + piece; length < end; length++)
            if (!to[length]) return (long)length;
    }
    return -ENAMETOOLONG;
}
