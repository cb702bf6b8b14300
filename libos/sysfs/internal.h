/* Private to sysfs. */
#ifndef HULL_SYSFS_INTERNAL_H
#define HULL_SYSFS_INTERNAL_H
#include "lib/format.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/errno.h"

enum { CPU_CACHE_DATA = 1, CPU_CACHE_CODE = 2, CPU_CACHE_BOTH = 3 };
struct cpu_cache { unsigned level, kind, line, ways, sets; };
bool cpu_cache_find(unsigned index, struct cpu_cache *out); /* arch/<isa>/cpu_cache.c; false: no such cache */
#endif
