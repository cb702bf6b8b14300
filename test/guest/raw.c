// variants: linked
/* A SYSCALL instruction in a linked program, which has no entry for it: the program ends, and hull says why. */
#include <stdio.h>

int main(void) {
    long result;
    puts("before");
    __asm__ volatile("syscall" : "=a"(result) : "a"(39) : "rcx", "r11", "memory");
    return (int)result;
}
