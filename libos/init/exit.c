/* The machine's end: the first process' exit status to the host, then off. */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"

void machine_exit(uint32_t wait_status) {
    arch_irq_save();
    channel_write(HULL_RECORD_EXIT, &wait_status, sizeof(wait_status));
    arch_power_off();
}
