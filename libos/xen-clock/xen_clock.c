/* The time of day (public/xen.h: struct shared_info, struct vcpu_time_info): when Xen started, and how long that has been. An odd version, or one that changed meanwhile: read again. */
#include "arch/arch.h"
#include "clock/clock.h"
#include "init/init.h"
#include "xen/xen.h"

#define SECOND_NS 1000000000ull

static uint64_t read_start(const volatile struct xen_shared_info *info) {
    uint32_t version;
    uint64_t ns;
    do {
        version = __atomic_load_n(&info->wall_version, __ATOMIC_ACQUIRE);
        ns = ((uint64_t)info->wall_seconds_high << 32 | info->wall_seconds) * SECOND_NS + info->wall_ns;
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (version & 1 || version != info->wall_version);
    return ns;
}

static uint64_t read_uptime(const volatile struct xen_cpu_time *time) {
    uint32_t version;
    uint64_t ns;
    do {
        version = __atomic_load_n(&time->version, __ATOMIC_ACQUIRE);
        uint64_t since = arch_cycles() - time->cycles;
        since = time->shift < 0 ? since >> -time->shift : since << time->shift;
        ns = time->system_ns + (uint64_t)((unsigned __int128)since * time->multiplier >> 32);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while (version & 1 || version != time->version);
    return ns;
}

/*
 * Xen writes the time when it learns how wide the domain's words are, which is when the domain says how it wants its events; until then the page's part for it is zero. What was said stays
 * (nothing, or what `xen-event` said): saying it again is what counts.
 */
static void ask_for_time(void) { xen_set_parameter(XEN_PARAMETER_CALLBACK, xen_parameter(XEN_PARAMETER_CALLBACK)); }

static void xen_clock_start(void) {
    if (!xen_present())
        return;
    const struct xen_shared_info *info = xen_shared_info();
    ask_for_time();
    uint64_t start = read_start(info);
    if (start >= SECOND_NS)
        clock_realtime_set(start + read_uptime(&info->cpu[0].time));
}
HULL_INIT(3, xen_clock_start);
