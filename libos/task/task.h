/*
 * Processes and threads as objects. This component holds the first of each, static; `process` (fork, exec of others, wait)
 * and `thread` (clone, futex, scheduler) make more, and are absent where the program cannot ask for them.
 */
#ifndef HULL_TASK_TASK_H
#define HULL_TASK_TASK_H
#include <stdint.h>
#include "arch/arch.h"
#include "file/file.h"
struct address_space; struct signal_state; struct process; struct mount_view;
struct credentials { uint32_t uid, euid, suid, gid, egid, sgid; uint32_t group_count; uint32_t *groups; };
struct process {
    int pid, parent_pid, group, session;
    struct address_space *space;
    struct file_table *files;
    struct signal_state *signals; /* NULL where the signal component is absent */
    struct mount_view *view;      /* root, cwd, umask; NULL where no file system is */
    struct credentials credentials;
    char name[16];
};
struct thread {
    struct arch_thread arch;      /* kernel stack, saved registers, FS base, FPU area: arch/<isa>/arch_inline.h */
    struct process *process;
    int tid;
    uint64_t signal_mask, signal_pending;
    int *clear_child_tid;
    bool own_memory; /* a call passes on a buffer of the libOS: user_copy_* take its addresses, too */
};
extern struct process first_process;
extern struct thread first_thread;
/* Per-CPU state, behind one accessor: one CPU today. */
struct cpu { struct thread *current; uint32_t id; };
static inline struct cpu *this_cpu(void) { extern struct cpu cpu_zero; return &cpu_zero; }
#define current_thread() (this_cpu()->current)
#define current_process() (this_cpu()->current->process)
#endif
