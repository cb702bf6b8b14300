/*
 * The calls with which a thread or the process ends. With one thread both end the machine; the weak hook is that of the component that
 * makes more threads (exit of one of several).
 */
#include "init/init.h"
#include "syscall/syscall.h"
#include "task/task.h"

#pragma GCC visibility push(hidden)
void thread_exit(int status) __attribute__((weak));
#pragma GCC visibility pop

SYSCALL_DEFINE(exit_group, int status) {
    machine_exit((uint32_t)(status & 0xff) << 8);
}

SYSCALL_DEFINE(exit, int status) {
    if (thread_exit)
        thread_exit(status); /* returns for the last thread */
    return sys_exit_group(status);
}

SYSCALL_DEFINE(set_tid_address, int *tid) {
    current_thread()->clear_child_tid = tid;
    return current_thread()->tid;
}
