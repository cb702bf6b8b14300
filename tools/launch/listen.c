/*
 * Loaded into QEMU (ld.so(8), LD_PRELOAD) where ports are published: listen(2) with a queue that holds what comes at once. QEMU's user network asks for a queue of one connection, so of
 * twenty clients that come together most have their connection dropped and try again a second later. No C library: the calls are made here.
 */
enum { CALL_LISTEN = 50, QUEUE = 4096 }; /* the kernel cuts it to net.core.somaxconn */

extern int *__errno_location(void);

__attribute__((visibility("default"))) int listen(int descriptor, int queue) {
    long result;
    if (queue < QUEUE) queue = QUEUE;
    __asm__ volatile("syscall" : "=a"(result) : "0"(CALL_LISTEN), "D"((long)descriptor), "S"((long)queue) : "rcx", "r11", "memory");
    if (result >= 0) return 0;
    *__errno_location() = (int)-result;
    return -1;
}
