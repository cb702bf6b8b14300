/* Names of system calls. Pure. */
#ifndef HULL_SYSCALL_NAMES_H
#define HULL_SYSCALL_NAMES_H
const char *syscall_name(unsigned number); /* "unknown" where there is none */
#endif
