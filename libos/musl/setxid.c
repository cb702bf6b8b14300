/*
 * Changes of user and group ids, in place of musl's setxid.c, which passes the call's number on: here each is a direct call, so that
 * a program that uses one does not bring the table of all calls with it. All threads change together (POSIX), by musl's __synccall.
 */
#include <errno.h>
#include <signal.h>
#include <unistd.h>
#include "libc.h"
#include "syscall.h"

struct change {
    int number, result;
    int id, effective, saved;
};

static long change_ids(const struct change *c)
{
    switch (c->number) {
    case SYS_setuid:
        return __syscall(SYS_setuid, c->id);
    case SYS_setgid:
        return __syscall(SYS_setgid, c->id);
    case SYS_setreuid:
        return __syscall(SYS_setreuid, c->id, c->effective);
    case SYS_setregid:
        return __syscall(SYS_setregid, c->id, c->effective);
    case SYS_setresuid:
        return __syscall(SYS_setresuid, c->id, c->effective, c->saved);
    case SYS_setresgid:
        return __syscall(SYS_setresgid, c->id, c->effective, c->saved);
    }
    return -ENOSYS;
}

/* Runs on each thread, the first one decides: once it was refused nobody tries; a later refusal would leave threads with different ids. */
static void change_this_thread(void *argument)
{
    struct change *c = argument;
    if (c->result < 0)
        return;
    int result = change_ids(c);
    if (result && !c->result)
        __syscall(SYS_kill, __syscall(SYS_getpid), SIGKILL);
    c->result = result;
}

int __setxid(int number, int id, int effective, int saved)
{
    struct change c = {.number = number, .result = 1, .id = id, .effective = effective, .saved = saved};
    __synccall(change_this_thread, &c);
    return __syscall_ret(c.result > 0 ? -EINVAL : c.result);
}
