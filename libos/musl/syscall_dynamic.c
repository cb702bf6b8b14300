/*
 * syscall(3) with a number that only the running program knows: the one place where all calls meet. A program that uses it gets every
 * component that has a call, since it may ask for any; nobody else pays.
 */
#include <errno.h>
#include "syscall.h"

typedef long any_call(long, long, long, long, long, long);

#define ENTRY(number, name) [number] = (any_call *)hull_call_##name,
static any_call *const calls[] = {HULL_CALLS(ENTRY)};

long hull_syscall_dynamic(long number, long a, long b, long c, long d, long e, long f)
{
    if ((unsigned long)number >= sizeof calls / sizeof *calls || !calls[number])
        return -ENOSYS;
    return calls[number](a, b, c, d, e, f);
}
