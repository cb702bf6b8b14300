/*
 * The clock: nanoseconds = base + (cycles - base cycles) * scale, scale a 32.32 fixed-point number. Where the scale comes from,
 * best first: the launcher's measurement (HULL_MODULE_TSC_KHZ), then what the ISA offers (arch_clock_scale).
 * Set up at the first reading. While only a rough scale is known (arch_clock_scale says so) it is asked again, and the clock goes on from where
 * it stands, so that it never runs back.
 */
#include "clock/clock.h"
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "clock/internal.h"
#include "init/init.h"
#include "lib/string.h"

#pragma weak vdso_clock_changed

static struct clock_state state;

static uint64_t module_u64(uint32_t type) {
    size_t size;
    uint64_t value = 0;
    const void *payload = boot_module_find(type, &size);
    if (payload && size == sizeof(value))
        memcpy(&value, payload, sizeof(value));
    return value;
}

static uint64_t now(uint64_t cycles) {
    return state.base_ns + (uint64_t)((unsigned __int128)(cycles - state.base_cycles) * state.scale >> 32);
}

static void set_scale(void) {
    uint64_t cycles = arch_cycles();
    if (!state.scale) {
        uint64_t khz = module_u64(HULL_MODULE_TSC_KHZ);
        state.base_cycles = cycles;
        state.realtime_offset = module_u64(HULL_MODULE_REALTIME);
        if (khz) {
            state.scale = (1000000ull << 32) / khz;
            return;
        }
    }
    uint64_t at = now(cycles);
    state.scale = arch_clock_scale(&state.rough);
    state.base_ns = at;
    state.base_cycles = cycles;
    if (vdso_clock_changed) vdso_clock_changed(&state);
}

uint64_t clock_monotonic_ns(void) {
    unsigned long flags = arch_irq_save();
    if (!state.scale || state.rough)
        set_scale();
    uint64_t ns = now(arch_cycles());
    arch_irq_restore(flags);
    return ns;
}

const struct clock_state *clock_state_now(void) {
    clock_monotonic_ns();
    return &state;
}

uint64_t clock_realtime_ns(void) {
    uint64_t ns = clock_monotonic_ns();
    return state.realtime_offset + ns;
}

static struct clock_watch *watches;

void clock_watch_add(struct clock_watch *watch) {
    watch->next = watches;
    if (watch->next) watch->next->link = &watch->next;
    watch->link = &watches;
    watches = watch;
}

void clock_watch_remove(struct clock_watch *watch) {
    if (!watch->link) return;
    *watch->link = watch->next;
    if (watch->next) watch->next->link = watch->link;
    watch->link = NULL;
}

void clock_realtime_set(uint64_t ns) {
    uint64_t before = state.realtime_offset;
    state.realtime_offset = ns - clock_monotonic_ns();
    for (struct clock_watch *watch = watches, *next; watch; watch = next) {
        next = watch->next;
        watch->changed(watch, (int64_t)(state.realtime_offset - before));
    }
    if (vdso_clock_changed) vdso_clock_changed(&state);
}

uint64_t clock_cycles_of(uint64_t ns) {
    uint64_t khz = clock_khz();
    return ns / 1000000 * khz + ns % 1000000 * khz / 1000000;
}

uint64_t clock_ns_of(uint64_t cycles) { return (uint64_t)((unsigned __int128)cycles * clock_state_now()->scale >> 32); }

uint64_t clock_khz(void) {
    clock_monotonic_ns();
    return (1000000ull << 32) / state.scale;
}
