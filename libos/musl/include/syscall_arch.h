/*
 * System calls of linked programs: a call with a constant number becomes one direct call of sys_<name>, which garbage
 * collection of sections can follow. Found before musl's own syscall_arch.h. Owns no state.
 * HULL_CALLS(X) is made by the build from musl's table of the architecture (bits/syscall.h): X(number, name) for each call.
 * A number that the compiler cannot know goes to hull_syscall_dynamic, which only programs that use syscall(3) pay for.
 */
#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

#include "hull_calls.h"

#define HULL_DECLARE(number, name) \
    __attribute__((__visibility__("hidden"))) long hull_call_##name(void) __asm__("sys_" #name);
HULL_CALLS(HULL_DECLARE)
#undef HULL_DECLARE
__attribute__((__visibility__("hidden"))) long hull_syscall_dynamic(long, long, long, long, long, long, long);

#define HULL_INLINE static __inline __attribute__((__always_inline__))

#define HULL_CASE(number, name) case number: return ((long (*)(void))hull_call_##name)();
HULL_INLINE long __syscall0(long n)
{
    if (!__builtin_constant_p(n))
        return hull_syscall_dynamic(n, 0, 0, 0, 0, 0, 0);
    switch (n) { HULL_CALLS(HULL_CASE) }
    return -38;
}
#undef HULL_CASE
#define HULL_CASE(number, name) case number: return ((long (*)(long))hull_call_##name)(a);
HULL_INLINE long __syscall1(long n, long a)
{
    if (!__builtin_constant_p(n))
        return hull_syscall_dynamic(n, a, 0, 0, 0, 0, 0);
    switch (n) { HULL_CALLS(HULL_CASE) }
    return -38;
}
#undef HULL_CASE
#define HULL_CASE(number, name) case number: return ((long (*)(long, long))hull_call_##name)(a, b);
HULL_INLINE long __syscall2(long n, long a, long b)
{
    if (!__builtin_constant_p(n))
        return hull_syscall_dynamic(n, a, b, 0, 0, 0, 0);
    switch (n) { HULL_CALLS(HULL_CASE) }
    return -38;
}
#undef HULL_CASE
#define HULL_CASE(number, name) case number: return ((long (*)(long, long, long))hull_call_##name)(a, b, c);
HULL_INLINE long __syscall3(long n, long a, long b, long c)
{
    if (!__builtin_constant_p(n))
        return hull_syscall_dynamic(n, a, b, c, 0, 0, 0);
    switch (n) { HULL_CALLS(HULL_CASE) }
    return -38;
}
#undef HULL_CASE
#define HULL_CASE(number, name) case number: return ((long (*)(long, long, long, long))hull_call_##name)(a, b, c, d);
HULL_INLINE long __syscall4(long n, long a, long b, long c, long d)
{
    if (!__builtin_constant_p(n))
        return hull_syscall_dynamic(n, a, b, c, d, 0, 0);
    switch (n) { HULL_CALLS(HULL_CASE) }
    return -38;
}
#undef HULL_CASE
#define HULL_CASE(number, name) \
    case number: return ((long (*)(long, long, long, long, long))hull_call_##name)(a, b, c, d, e);
HULL_INLINE long __syscall5(long n, long a, long b, long c, long d, long e)
{
    if (!__builtin_constant_p(n))
        return hull_syscall_dynamic(n, a, b, c, d, e, 0);
    switch (n) { HULL_CALLS(HULL_CASE) }
    return -38;
}
#undef HULL_CASE
#define HULL_CASE(number, name) \
    case number: return ((long (*)(long, long, long, long, long, long))hull_call_##name)(a, b, c, d, e, f);
HULL_INLINE long __syscall6(long n, long a, long b, long c, long d, long e, long f)
{
    if (!__builtin_constant_p(n))
        return hull_syscall_dynamic(n, a, b, c, d, e, f);
    switch (n) { HULL_CALLS(HULL_CASE) }
    return -38;
}
#undef HULL_CASE

#define IPC_64 0
