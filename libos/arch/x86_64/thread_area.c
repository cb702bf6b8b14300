/* arch_prctl(2): FS and GS base. With FSGSBASE the program could set them itself; a base must be canonical (else -EPERM, as Linux has it). */
#include "internal.h"
#include "syscall/syscall.h"

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define MSR_FS_BASE 0xc0000100 /* GS: the next */

SYSCALL_DEFINE(arch_prctl, int operation, unsigned long address) {
    unsigned index = (unsigned)operation - ARCH_SET_GS;
    if (index > 3)
        return -EINVAL;
    uint32_t msr = index == 0 || index == 3 ? MSR_FS_BASE + 1 : MSR_FS_BASE;
    if (index >= 2) {
        uint64_t value = msr_read(msr);
        return user_copy_out((void *)address, &value, sizeof(value));
    }
    if ((int64_t)(address << 16) >> 16 != (int64_t)address)
        return -EPERM;
    msr_write(msr, address);
    return 0;
}
