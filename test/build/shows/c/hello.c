#include <stdio.h>
#include "hello.h"
int main(void) { puts("hello " WHO); return 0; }
