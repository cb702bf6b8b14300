/*
 * What lwIP's core asks of its platform: time, randomness, allocation (arch/cc.h says which).
 */
#include "arch/cc.h"
#include "clock/clock.h"
#include "entropy/entropy.h"
#include "lib/string.h"
#include "lwip/sys.h"

u32_t sys_now(void)
{
    return (u32_t)(clock_monotonic_ns() / 1000000);
}

uint32_t lwip_port_random(void)
{
    uint32_t value;
    entropy_fill(&value, sizeof value);
    return value;
}

void *lwip_port_calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    void *memory = kmalloc(total);
    return memory ? memset(memory, 0, total) : NULL;
}

/* lwIP reads decimal numbers of name-server texts with it. */
int lwip_port_atoi(const char *text)
{
    int value = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (*text - '0');
    return value;
}
