/*
 * What compiled programs call when a stack canary was overwritten (x86-64 keeps the canary in the thread block, %fs:0x28).
 */
#include "atomic.h"
#include "features.h"

hidden void __stack_chk_fail_local(void);
void __stack_chk_fail(void)
{
    a_crash();
}
weak_alias(__stack_chk_fail, __stack_chk_fail_local);
