/*
 * The boot module's records (abi/boot_abi.h). The module is the launcher's, whom the guest trusts; it is still read within
 * its bounds, so that a damaged one gives "not there" and not a fault.
 */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "init/init.h"
#include "lib/string.h"

#pragma GCC visibility push(hidden)
extern uint64_t boot_module_phys, boot_module_size, boot_command_line_phys;
uint64_t boot_random64(void);
#pragma GCC visibility pop

struct module_header { uint32_t magic; uint16_t version, count; uint32_t total_size, flags; };
struct module_record { uint32_t type, size; };

static const struct module_header *module(void) {
    const struct module_header *header = phys_to_virt(boot_module_phys);
    if (boot_module_size < sizeof(*header) || header->magic != HULL_MODULE_MAGIC || header->version != HULL_ABI_VERSION ||
        header->total_size > boot_module_size)
        return NULL;
    return header;
}

const void *boot_module_find(uint32_t type, size_t *size) {
    const struct module_header *header = module();
    if (!header)
        return NULL;
    const char *at = (const char *)(header + 1), *end = (const char *)header + header->total_size;
    while (at + sizeof(struct module_record) <= end) {
        const struct module_record *record = (const void *)at;
        at += sizeof(*record);
        if (record->size > (size_t)(end - at))
            break;
        if (record->type == type) {
            if (size)
                *size = record->size;
            return at;
        }
        at += ((size_t)record->size + 7) & ~7ul;
    }
    return NULL;
}

uint32_t boot_flags(void) {
    const struct module_header *header = module();
    return header ? header->flags : 0;
}

const char *boot_command_line(void) { return boot_command_line_phys ? phys_to_virt(boot_command_line_phys) : ""; }

/* One unpredictable word: the CPU's generator, the host's seed and the cycle counter, whichever there are, mixed.
 * For the canary and as part of seeds; the generator proper is the entropy component. */
uint64_t boot_random64(void) {
    static uint64_t state;
    uint64_t hardware = 0;
    size_t size;
    arch_random64(&hardware);
    const uint64_t *seed = boot_module_find(HULL_MODULE_ENTROPY, &size);
    for (; seed && size >= 8; size -= 8)
        state = (state ^ *seed++) * 0xd6e8feb86659fd93;
    state += hardware + arch_cycles() * 0xd6e8feb86659fd93;
    uint64_t z = state;
    z = (z ^ z >> 32) * 0xd6e8feb86659fd93;
    z = (z ^ z >> 32) * 0xd6e8feb86659fd93;
    return z ^ z >> 32;
}
