/* Private to proc-system. */
#ifndef HULL_PROC_SYSTEM_INTERNAL_H
#define HULL_PROC_SYSTEM_INTERNAL_H
#include "lib/string.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/syscall.h"

/* The CPU's time since the start: what it slept, and the rest divided as the processes' accounts are. ns; none ever goes back. */
struct machine_time { uint64_t up, idle, user, system; };
struct machine_time machine_time(void);
struct utsname { char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65]; };
bool machine_names(struct utsname *out); /* false: the image has no uname */
void show_cpuinfo(struct proc_text *);   /* arch/<isa>/cpuinfo.c */
#endif
