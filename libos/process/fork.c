/*
 * Making processes: fork, vfork, clone, clone3. The child continues with a copy of the caller's registers; memory is copied on write, or shared
 * until exec when the caller waits for that (CLONE_VM with CLONE_VFORK).
 */
#include "cpu-timers/cpu_timers.h"
#include "file/file.h"
#include "init/init.h"
#include "linux_abi.h"
#include "memory/memory.h"
#include "process/process.h"
#include "syscall/syscall.h"
#include "vfs/vfs.h"
#include "vm/vm.h"

#define CLONE_CLEAR_SIGHAND 0x100000000ul
#define CLONE_INTO_CGROUP 0x200000000ul
enum { EXIT_SIGNAL = 0xff, SIGNAL_MOST = 64, COPIES_SOON = 2 /* pages of a thread */ };

/* Absent without file systems. */
extern __typeof(mount_view_copy) mount_view_copy __attribute__((weak));
extern __typeof(mount_view_put) mount_view_put __attribute__((weak));
/* By `system`: RLIMIT_NPROC. */
uint64_t limit_processes(const struct process *) __attribute__((weak));
void limits_get(struct process *) __attribute__((weak));
void limits_put(struct process *) __attribute__((weak));
#pragma weak cpu_timers_limit

struct family first_family = {.references = 1, .process = &first_process};
static void family_start(void) { first_process.family = &first_family; }
HULL_INIT(6, family_start);


/* 0, or why there may be no further process: RLIMIT_NPROC, which is not for the superuser (setrlimit(2)); or too little memory for what is copied only when it is written to, by the threads that are there. */
static int refuse_more(uint64_t flags) {
    uint64_t count = 0, of_user = 0;
    for (struct process *p = &first_process; p; p = p->next) {
        for (struct thread *t = p->threads; t; t = t->next) {
            count++;
            of_user += p->credentials.uid == current_process()->credentials.uid;
        }
    }
    if (limit_processes && current_process()->credentials.uid && of_user >= limit_processes(current_process())) return -EAGAIN;
    return flags & CLONE_VM || memory_make_free((memory_total() >> 5) + count * COPIES_SOON * PAGE_SIZE) ? 0 : -ENOMEM;
}

static bool copy_groups(struct credentials *to) {
    if (!to->group_count) return true;
    uint32_t *copy = kmalloc(to->group_count * sizeof *copy);
    if (copy) __builtin_memcpy(copy, to->groups, to->group_count * sizeof *copy);
    to->groups = copy;
    return copy != NULL;
}

/* Gives back what a process that never ran was given. */
static void undo(struct process *p) {
    if (p->space) vm_space_put(p->space);
    if (p->files) file_table_put(p->files);
    if (p->view && mount_view_put) mount_view_put(p->view);
    kfree(p->signals);
    if (limits_put) limits_put(p);
    if (p->credentials.group_count) kfree(p->credentials.groups);
    kfree(p->family);
    kfree(p);
}

static struct process *copy_process(uint64_t flags) {
    struct process *self = current_process(), *p = kzalloc(sizeof *p);
    if (!p) return NULL;
    p->credentials = self->credentials;
    if (!copy_groups(&p->credentials)) {
        kfree(p);
        return NULL;
    }
    p->parent_pid = self->pid;
    p->group = self->group;
    p->session = self->session;
    p->terminal = self->terminal;
    p->options = self->options;
    p->options.subreaper = false;
    p->oom_adjust = self->oom_adjust;
    p->login_user = self->login_user;
    p->login_session = self->login_session;
    if (limits_get) {
        p->limits = self->limits;
        limits_get(p);
    }
    __builtin_memcpy(p->name, thread_name(current_thread()), sizeof p->name);
    if (!(p->family = kzalloc(sizeof *p->family)) || !(p->signals = signal_state_copy(self->signals))) goto failed;
    p->family->references = 1;
    p->family->process = p;
    if (flags & CLONE_FILES) {
        self->files->references++;
        p->files = self->files;
    } else if (!(p->files = file_table_copy(self->files))) {
        goto failed;
    }
    if (self->view) {
        if (flags & CLONE_FS) self->view->references++;
        p->view = flags & CLONE_FS ? self->view : mount_view_copy(self->view);
        if (!p->view) goto failed;
    }
    if (flags & CLONE_VM) self->space->references++;
    p->space = flags & CLONE_VM ? self->space : vm_space_copy(self->space);
    if (p->space) return p;
failed:
    undo(p);
    return NULL;
}

static bool space_released(void *argument) {
    struct family *family = argument;
    return !family->borrows;
}

/* The parent of a vfork: until the child executes a program or ends. A signal does not wake it, only its own end. */
static void wait_for_release(struct family *family) {
    wait_until(&family->end, space_released, family, 0, false);
}

long process_clone(const struct trap_frame *frame, const struct clone_request *request) {
    uint64_t flags = request->flags;
    struct thread *thread;
    struct process *p, *last = &first_process;
    if (flags & CLONE_NEW || flags & CLONE_INTO_CGROUP) return -EINVAL;
    if (flags & CLONE_SIGHAND) return -EINVAL; /* shared actions without CLONE_THREAD */
    if (request->exit_signal > SIGNAL_MOST) return -EINVAL;
    if (current_process()->ending) return -EINTR;
    int error = refuse_more(flags);
    if (error) return error;
    if (!(p = copy_process(flags))) return -ENOMEM;
    if (flags & CLONE_CLEAR_SIGHAND) signal_reset(p->signals);
    error = thread_create(p, frame, request, &thread);
    if (error) {
        undo(p);
        return error;
    }
    int pid = p->pid = thread->tid, pidfd = -1;
    p->started_ns = thread->started_ns;
    p->family->exit_signal = request->exit_signal;
    p->family->borrows = flags & CLONE_VFORK;
    if (!(flags & CLONE_VM) || flags & CLONE_VFORK) signal_thread_inherit(thread);
    if (flags & CLONE_PARENT) p->parent_pid = current_process()->parent_pid;
    if (flags & CLONE_PIDFD && (pidfd = pidfd_create(p)) >= 0 && user_copy_out(request->pidfd, &pidfd, sizeof pidfd)) {
        file_uninstall(pidfd);
        pidfd = -EFAULT;
    }
    if (flags & CLONE_PIDFD && pidfd < 0) {
        thread_discard(thread);
        undo(p);
        return pidfd;
    }
    if (flags & CLONE_PARENT_SETTID) user_copy_out(request->parent_tid, &pid, sizeof pid);
    while (last->next) last = last->next;
    last->next = p;
    if (current_process()->cpu_limited && cpu_timers_limit) cpu_timers_limit(p);
    struct family *family = p->family;
    family->references++;
    thread_start(thread);
    if (flags & CLONE_VFORK) wait_for_release(family);
    process_put(family);
    return pid;
}

static long clone_as(const struct trap_frame *frame, const struct clone_request *request) {
    return request->flags & CLONE_THREAD ? thread_clone(frame, request) : process_clone(frame, request);
}

/* These continue in arch_syscall_with_frame, which completes the frame and calls what is named here. */
#define WITH_FRAME(function) ARCH_WITH_FRAME(function)

__attribute__((used)) static long clone_frame(struct trap_frame *frame) {
    uint64_t flags = arch_frame_argument(frame, 0);
    struct clone_request request = {
        .flags = flags & 0xffffffff & ~(uint64_t)EXIT_SIGNAL, .exit_signal = (int)(flags & EXIT_SIGNAL), .stack = arch_frame_argument(frame, 1),
        .parent_tid = (int *)arch_frame_argument(frame, 2), .child_tid = (int *)arch_frame_argument(frame, CLONE_ARGUMENT_CHILD_TID),
        .pidfd = (int *)arch_frame_argument(frame, 2), .tls = arch_frame_argument(frame, CLONE_ARGUMENT_TLS)};
    if (request.flags & CLONE_PIDFD && request.flags & (CLONE_PARENT_SETTID | CLONE_DETACHED)) return -EINVAL;
    return clone_as(frame, &request);
}
__attribute__((naked)) SYSCALL_DEFINE(clone, void) { WITH_FRAME(clone_frame); }

struct clone_arguments { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };

__attribute__((used)) static long clone3_frame(struct trap_frame *frame) {
    struct clone_arguments a = {0};
    uint64_t size = arch_frame_argument(frame, 1);
    const uint8_t *program = (const uint8_t *)arch_frame_argument(frame, 0);
    if (size > 4096) return -E2BIG;
    if (size < 64) return -EINVAL;
    if (user_copy_in(&a, program, size < sizeof a ? size : sizeof a)) return -EFAULT;
    for (uint64_t at = sizeof a; at < size; at++) { /* what a newer ABI added must not be asked for */
        uint8_t byte;
        if (user_copy_in(&byte, program + at, 1)) return -EFAULT;
        if (byte) return -E2BIG;
    }
    if (a.flags & (EXIT_SIGNAL | CLONE_DETACHED) || a.exit_signal > SIGNAL_MOST || a.set_tid_size) return -EINVAL;
    if (!a.stack != !a.stack_size || (a.flags & CLONE_THREAD && a.exit_signal)) return -EINVAL;
    struct clone_request request = {
        .flags = a.flags, .exit_signal = (int)a.exit_signal, .stack = a.stack + a.stack_size, .tls = a.tls,
        .parent_tid = (int *)a.parent_tid, .child_tid = (int *)a.child_tid, .pidfd = (int *)a.pidfd};
    return clone_as(frame, &request);
}
__attribute__((naked)) SYSCALL_DEFINE(clone3, void) { WITH_FRAME(clone3_frame); }

__attribute__((used)) static long fork_frame(struct trap_frame *frame) {
    return process_clone(frame, &(struct clone_request){.exit_signal = SIGCHLD});
}
__attribute__((naked)) SYSCALL_DEFINE(fork, void) { WITH_FRAME(fork_frame); }

__attribute__((used)) static long vfork_frame(struct trap_frame *frame) {
    return process_clone(frame, &(struct clone_request){.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD});
}
__attribute__((naked)) SYSCALL_DEFINE(vfork, void) { WITH_FRAME(vfork_frame); }
