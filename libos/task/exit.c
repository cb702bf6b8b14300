/*
 * The calls with which a thread or the process ends. With one thread both end the machine; the weak hooks are those of the components that
 * make more threads (exit of one of several) and more processes (exit of one that is not the first).
 */
#include "init/init.h"
#include "syscall/syscall.h"
#include "task/task.h"

#pragma GCC visibility push(hidden)
void thread_exit(int status) __attribute__((weak));
void process_exit(uint32_t wait_status) __attribute__((weak));
#pragma GCC visibility pop

SYSCALL_DEFINE(exit_group, int status) {
    uint32_t wait_status = (uint32_t)(status & 0xff) << 8;
    if (process_exit)
        process_exit(wait_status); /* returns for the first process */
    machine_exit(wait_status);
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
