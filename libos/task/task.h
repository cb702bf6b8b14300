/*
 * Processes and threads as objects. This component holds the first of each, static; `process` (fork, exec of others, wait)
 * and `thread` (clone, futex, scheduler) make more, and are absent where the program cannot ask for them.
 */
#ifndef HULL_TASK_TASK_H
#define HULL_TASK_TASK_H
#include <stdint.h>
#include "arch/arch.h"
#include "file/file.h"
struct address_space; struct signal_state; struct signal_thread; struct process; struct mount_view; struct family;
struct credentials { uint32_t uid, euid, suid, gid, egid, sgid; uint32_t group_count; uint32_t *groups; };
/* What a thread has used so far; of a process: what its ended threads did, or its children that were waited for. Kept by the component `cpu-time`. */
struct usage {
    uint64_t cycles, user_ticks, system_ticks, minor_faults, major_faults, voluntary, involuntary;
    uint64_t reads, writes, read_bytes, written_bytes; /* by calls on files, where `proc-process` is */
    uint64_t told_user, told_system; /* ns; for children, the sums */
    uint64_t most_resident;          /* pages */
};
struct process {
    int pid, parent_pid, group, session;
    struct address_space *space;
    struct file_table *files;
    struct signal_state *signals; /* NULL where the signal component is absent */
    struct mount_view *view;      /* root, cwd, umask; NULL where no file system is */
    struct credentials credentials;
    char name[16];
    uint64_t started_ns;          /* clock_monotonic_ns() at its start; tells one from another that had its number */
    struct process *next;         /* of all processes, first_process being the first */
    struct thread *threads;       /* oldest first */
    struct family *family;        /* parent, children, exit status: the component `process`'s; NULL where it is absent */
    uint64_t signal_pending;      /* for the process; thread.signal_pending: for that thread */
    bool stopped;                 /* by a signal: its threads stay in signal delivery */
    bool executed;                /* since it was forked: its group is its own matter */
    struct thread *executing;     /* is in exec and waits for the others to end */
    struct interval_timers *timers; /* of the component `itimer`; NULL: none */
    struct terminal_control *terminal; /* the controlling terminal; NULL: none */
    struct posix_timers *posix_timers; /* of the component `posix-timers`; NULL: none */
    struct limits *limits;        /* of the component `system`; NULL: what all begin with */
    int16_t oom_adjust;           /* -1000..1000, as oom_score_adj; inherited */
    uint32_t login_user, login_session; /* one more than loginuid and sessionid of proc(5); 0: none was set. Inherited */
    struct {                      /* prctl(2); timer_slack 0: the default */
        bool undumpable, keep_capabilities, subreaper, no_new_privileges, no_huge_pages;
        uint16_t barriers;        /* membarrier(2): what it registered for */
        uint64_t timer_slack;
        uint64_t permitted, effective; /* what process_capabilities() adds to what root has */
    } options;
    struct usage ended, children;
    struct cpu_timer *cpu_timers; /* of the component `cpu-timers`, as the next two */
    uint64_t cpu_warned;          /* seconds of CPU time at which the next SIGXCPU is due */
    bool cpu_limited;
    bool ending;                  /* some thread ended it; the others are on their way out */
};
enum thread_state { THREAD_RUNNING, THREAD_READY, THREAD_BLOCKED, THREAD_DEAD };
enum { POLICY_OTHER = 0, POLICY_FIFO = 1, POLICY_RR = 2, POLICY_BATCH = 3, POLICY_IDLE = 5 }; /* Linux's SCHED_* */
/* How a thread is scheduled; all zero: SCHED_OTHER, nice 0. Inherited. The scheduler reads the first three, the rest is the component `scheduling`'s. */
struct scheduling {
    uint32_t stride;               /* what a slice costs it; 0: SCHED_STRIDE */
    uint8_t realtime;              /* 1..99: its priority; 0: none */
    bool fifo;                     /* no time slices among its like */
    bool reset_on_fork;
    uint8_t policy;
    int8_t nice;
    uint16_t io_priority;          /* as ioprio_set(2) has it */
};
struct thread {
    struct arch_thread arch;      /* kernel stack, saved registers, FS base, FPU area: arch/<isa>/arch_inline.h */
    struct process *process;
    int tid;
    uint64_t started_ns;           /* as the process's */
    uint64_t signal_mask, signal_pending;
    int *clear_child_tid, *set_child_tid;
    struct signal_thread *signals; /* as process.signals */
    struct thread *next;           /* in its process */
    struct thread *run_next;       /* in the run queue */
    uintptr_t robust_list;
    enum thread_state state;       /* the scheduler's, as the next two */
    struct scheduling scheduling;
    uint64_t turns;                /* the sum of its slices' costs */
    bool wait_limited;             /* the call that was interrupted had a timeout: SA_RESTART does not make it go on */
    bool mask_saved;               /* a call's own signal mask is to be taken back on the way out */
    bool own_memory; /* a call passes on a buffer of the libOS: user_copy_* take its addresses, too */
    char name[16];                 /* of all but the first: thread_name() */
    struct usage used;             /* last: what is before it is reached by short addresses */
};
/* By the component `process`: ends the current process unless it is the first, for which this returns. */
void process_exit(uint32_t wait_status);
extern uint64_t task_switches; /* of threads on the CPU, counted by the scheduler */
extern struct process first_process;
extern struct thread first_thread;
/* Per-CPU state, behind one accessor: one CPU today. */
struct cpu { struct thread *current; uint32_t id; };
static inline struct cpu *this_cpu(void) { extern struct cpu cpu_zero; return &cpu_zero; }
#define current_thread() (this_cpu()->current)
#define current_process() (this_cpu()->current->process)

/* Signals that wait to be delivered to the current thread. */
static inline uint64_t signals_waiting(void) {
    const struct thread *thread = current_thread();
    return (thread->signal_pending | thread->process->signal_pending) & ~thread->signal_mask;
}
static inline struct process *process_find(int pid) { /* NULL: none; those that only wait to be waited for count */
    struct process *process = &first_process;
    while (process && process->pid != pid) process = process->next;
    return process;
}
/* capabilities(7), those that somebody asks for; and all there are. */
enum { CAP_SETGID = 6, CAP_SETUID = 7, CAP_NET_BIND_SERVICE = 10, CAP_NET_RAW = 13, CAP_IPC_LOCK = 14, CAP_SYS_TIME = 25, CAP_AUDIT_CONTROL = 30 };
#define CAPABILITIES 0x1fffffffffful
/* Root has all, whatever it gave back; who is root only by its real or saved number may take them into effect; others what they kept of them (PR_SET_KEEPCAPS). */
static inline uint64_t process_capabilities(const struct process *process, bool in_effect) {
    const struct credentials *c = &process->credentials;
    if (!c->euid || (!in_effect && (!c->uid || !c->suid))) return CAPABILITIES;
    return in_effect ? process->options.effective : process->options.permitted;
}
static inline bool process_may(const struct process *process, unsigned capability) { return process_capabilities(process, true) >> capability & 1; }
/* The thread that has its process's number shows the process's name. */
static inline char *thread_name(struct thread *thread) { return thread->tid == thread->process->pid ? thread->process->name : thread->name; }
static inline struct thread *thread_find(int tid) {
    for (struct process *process = &first_process; process; process = process->next)
        for (struct thread *thread = process->threads; thread; thread = thread->next)
            if (thread->tid == tid) return thread;
    return NULL;
}
#endif
