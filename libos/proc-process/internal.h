/* Private to proc-process: what its tables share. */
#ifndef HULL_PROC_PROCESS_INTERNAL_H
#define HULL_PROC_PROCESS_INTERNAL_H
#include "abi/linux_file.h"
#include "cpu-time/cpu_time.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "procfs/procfs.h"
#include "syscall/syscall.h"
#include "vm/vm.h"

/* Pages of an area, or of a whole space. Each counts once a mapping; the zero page does not count, as on Linux. */
struct memory_count {
    uint64_t size, resident, anonymous, file, shared;         /* shared: of shared memory without a file system's file behind it */
    uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
    uint64_t share, share_dirty;                              /* 1/4096ths of pages: each divided by how many mappings it has */
    uint64_t data, stack, code, libraries, locked;            /* sizes, by kind of area */
};
void memory_count_area(const struct address_space *, const struct vm_area *, struct memory_count *add_to);
void memory_count_space(const struct address_space *, struct memory_count *out);
uint64_t memory_size(const struct address_space *); /* bytes of all areas */
/* Of another process's memory, without touching what is not there: bytes, which stop where nothing is mapped. */
size_t memory_read(struct address_space *, uintptr_t from, void *to, size_t size);
uintptr_t memory_tables(const struct address_space *); /* bytes of page tables, about */

/* As /proc/PID/stat has it. */
char process_state(const struct process *, const struct thread *);
/* The terminal of the process's session: its device number, 0: none; *foreground: the group in the foreground there, else -1. */
unsigned process_terminal(const struct process *, int *foreground);
static inline uint64_t kilobytes(uint64_t pages) { return pages * (PAGE_SIZE / 1024); }

/* By other components, where they are. */
#pragma weak cpu_time_split_process
#pragma weak cpu_time_split_thread
#pragma weak cpu_time_usage_process
#endif
