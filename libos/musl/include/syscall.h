/*
 * Stands before musl's internal syscall.h (the build renames that one to syscall_musl.h): cancellation points and socket
 * calls become direct calls, too, instead of passing a number through one general function.
 * A cancellation request is noticed by pthread_testcancel and by the calls that musl itself follows with it; a blocked call
 * is left by the signal that pthread_cancel sends (cancel.c).
 */
#include "syscall_musl.h"
#ifndef HULL_MUSL_SYSCALL_H
#define HULL_MUSL_SYSCALL_H

#undef __syscall_cp0
#undef __syscall_cp1
#undef __syscall_cp2
#undef __syscall_cp3
#undef __syscall_cp4
#undef __syscall_cp5
#undef __syscall_cp6
#define __syscall_cp0(n) __syscall0(n)
#define __syscall_cp1(n, a) __syscall1(n, a)
#define __syscall_cp2(n, a, b) __syscall2(n, a, b)
#define __syscall_cp3(n, a, b, c) __syscall3(n, a, b, c)
#define __syscall_cp4(n, a, b, c, d) __syscall4(n, a, b, c, d)
#define __syscall_cp5(n, a, b, c, d, e) __syscall5(n, a, b, c, d, e)
#define __syscall_cp6(n, a, b, c, d, e, f) __syscall6(n, a, b, c, d, e, f)

/* musl hands every socket call six arguments, for architectures with one socketcall; here each call has its own number of them. */
#undef __socketcall
#undef __socketcall_cp
#define __socketcall(nm, a, b, c, d, e, f) hull_socket_##nm(SYS_##nm, a, b, c, d, e, f)
#define __socketcall_cp(nm, a, b, c, d, e, f) hull_socket_##nm(SYS_##nm, a, b, c, d, e, f)
#define hull_socket_socket(n, a, b, c, d, e, f) __syscall3(n, a, b, c)
#define hull_socket_bind(n, a, b, c, d, e, f) __syscall3(n, a, b, c)
#define hull_socket_connect(n, a, b, c, d, e, f) __syscall3(n, a, b, c)
#define hull_socket_listen(n, a, b, c, d, e, f) __syscall2(n, a, b)
#define hull_socket_accept(n, a, b, c, d, e, f) __syscall3(n, a, b, c)
#define hull_socket_accept4(n, a, b, c, d, e, f) __syscall4(n, a, b, c, d)
#define hull_socket_getsockname(n, a, b, c, d, e, f) __syscall3(n, a, b, c)
#define hull_socket_getpeername(n, a, b, c, d, e, f) __syscall3(n, a, b, c)
#define hull_socket_socketpair(n, a, b, c, d, e, f) __syscall4(n, a, b, c, d)
#define hull_socket_sendto(n, a, b, c, d, e, f) __syscall6(n, a, b, c, d, e, f)
#define hull_socket_recvfrom(n, a, b, c, d, e, f) __syscall6(n, a, b, c, d, e, f)
#define hull_socket_shutdown(n, a, b, c, d, e, f) __syscall2(n, a, b)
#define hull_socket_setsockopt(n, a, b, c, d, e, f) __syscall5(n, a, b, c, d, e)
#define hull_socket_getsockopt(n, a, b, c, d, e, f) __syscall5(n, a, b, c, d, e)
#define hull_socket_sendmsg(n, a, b, c, d, e, f) __syscall3(n, a, b, c)
#define hull_socket_recvmsg(n, a, b, c, d, e, f) __syscall3(n, a, b, c)

#endif
