/*
 * What lwIP asks of a compiler and platform (its doc/sys_arch.txt): types come from <stdint.h>; the rest is the libOS.
 */
#ifndef HULL_LWIP_ARCH_CC_H
#define HULL_LWIP_ARCH_CC_H
#include <stddef.h>
#include <stdint.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_LIMITS_H 0
#define U8_F "hhu"
#define S8_F "hhd"
#define X8_F "02hhx"
#define U16_F "hu"
#define S16_F "hd"
#define X16_F "hx"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"
#define SSIZE_MAX 0x7fffffffffffffffL
typedef long ssize_t;

uint32_t lwip_port_random(void);
void *lwip_port_calloc(size_t count, size_t size);
int lwip_port_atoi(const char *text);
void *kmalloc(size_t size);
void kfree(void *memory);

#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
#define LWIP_RAND() lwip_port_random()
#define mem_clib_malloc kmalloc
#define mem_clib_free kfree
#define mem_clib_calloc lwip_port_calloc
#define atoi lwip_port_atoi
#define LWIP_PLATFORM_DIAG(message) do { } while (0)
#define LWIP_PLATFORM_ASSERT(message) panic("lwip: %s", message)
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
