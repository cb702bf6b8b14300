/* The end of the first process and with it of the machine: its exit status to the host, then off. Others just end. */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"
#include "task/task.h"
#include "vfs/vfs.h"

#pragma weak process_exit
#pragma weak vfs_sync

void machine_exit(uint32_t wait_status) {
    if (process_exit)
        process_exit(wait_status); /* returns for the first process */
    machine_end(wait_status);
}

void machine_end(uint32_t wait_status) {
    if (vfs_sync) vfs_sync();
    arch_irq_save();
    channel_write(HULL_RECORD_EXIT, &wait_status, sizeof(wait_status));
    arch_power_off();
}
