/*
 * prctl, personality, getrandom.
 */
#include "entropy/entropy.h"
#include "process/process.h"
#include "syscall/errno.h"
#include "syscall/syscall.h"
#include "task/task.h"

enum { SET_PDEATHSIG = 1, GET_PDEATHSIG = 2, GET_DUMPABLE = 3, SET_DUMPABLE = 4, GET_KEEPCAPS = 7, SET_KEEPCAPS = 8, SET_NAME = 15,
       GET_NAME = 16, GET_SECCOMP = 21, CAPBSET_READ = 23, CAPBSET_DROP = 24, SET_TIMERSLACK = 29, GET_TIMERSLACK = 30,
       SET_CHILD_SUBREAPER = 36, GET_CHILD_SUBREAPER = 37, SET_NO_NEW_PRIVS = 38, GET_NO_NEW_PRIVS = 39, SET_THP_DISABLE = 41,
       GET_THP_DISABLE = 42 };
#define DEFAULT_SLACK 50000

static long set_switch(bool *where, unsigned long value) {
    if (value > 1) return -EINVAL;
    *where = value;
    return 0;
}

static long give(unsigned long to, int value) { return user_copy_out((void *)to, &value, sizeof value); }

SYSCALL_DEFINE(prctl, int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    (void)b, (void)c, (void)d;
    char *name = thread_name(current_thread());
    __typeof(&first_process.options) state = &current_process()->options;
    struct family *family = current_process()->family; /* without one there is no parent whose death could matter */
    switch (option) {
    case SET_PDEATHSIG:
        if (a > 64) return -EINVAL;
        if (family) family->death_signal = (int)a;
        return 0;
    case GET_PDEATHSIG: return give(a, family ? family->death_signal : 0);
    case GET_DUMPABLE: return !state->undumpable;
    case SET_DUMPABLE: return a > 1 ? -EINVAL : set_switch(&state->undumpable, !a);
    case GET_KEEPCAPS: return state->keep_capabilities;
    case SET_KEEPCAPS: return set_switch(&state->keep_capabilities, a);
    case SET_NAME: {
        char copy[16] = {0};
        long length = user_string_in(copy, (const char *)a, 15);
        if (length == -EFAULT) return -EFAULT;
        copy[15] = 0;
        __builtin_memcpy(name, copy, sizeof copy);
        return 0;
    }
    case GET_NAME: return user_copy_out((void *)a, name, 16);
    case GET_SECCOMP: return 0;
    case CAPBSET_READ: return a > 40 ? -EINVAL : 1;
    case CAPBSET_DROP: return a > 40 ? -EINVAL : 0;
    case SET_TIMERSLACK:
        state->timer_slack = a;
        return 0;
    case GET_TIMERSLACK: return state->timer_slack ? (long)state->timer_slack : DEFAULT_SLACK;
    case SET_CHILD_SUBREAPER: return set_switch(&state->subreaper, !!a);
    case GET_CHILD_SUBREAPER: return give(a, state->subreaper);
    case SET_NO_NEW_PRIVS:
        if (a != 1) return -EINVAL;
        state->no_new_privileges = true;
        return 0;
    case GET_NO_NEW_PRIVS: return state->no_new_privileges;
    case SET_THP_DISABLE: return set_switch(&state->no_huge_pages, !!a);
    case GET_THP_DISABLE: return state->no_huge_pages;
    default: return -EINVAL; /* SET_VMA (names of areas) as on a Linux without CONFIG_ANON_VMA_NAME */
    }
}

SYSCALL_DEFINE(personality, unsigned persona) {
    return persona == 0xffffffff || !persona ? 0 : persona & ~0x0040000u ? -EINVAL : 0; /* ADDR_NO_RANDOMIZE comes too late */
}

SYSCALL_DEFINE(getrandom, uint8_t *buffer, size_t size, unsigned flags) {
    uint8_t piece[64];
    size_t done = 0;
    if (flags & ~7u || (flags & 6) == 6) return -EINVAL;
    if (size > 33554431) size = 33554431;
    while (done < size) {
        size_t n = size - done < sizeof piece ? size - done : sizeof piece;
        entropy_fill(piece, n);
        /* A page at a time, so that what fits in front of a bad page is filled. */
        size_t to_page_end = 4096 - ((uintptr_t)(buffer + done) & 4095);
        if (n > to_page_end) n = to_page_end;
        if (user_copy_out(buffer + done, piece, n)) return done ? (long)done : -EFAULT;
        done += n;
    }
    __builtin_memset(piece, 0, sizeof piece);
    return (long)done;
}
