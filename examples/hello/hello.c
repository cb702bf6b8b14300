/* The smallest useful unikernel. Build: hull cc -O2 hello.c -o hello. Run: hull run ./hello */
#include <stdio.h>

int main(void)
{
    puts("Hello from a unikernel!");
    return 0;
}
