/*
 * The end of a process: its threads go, what it has is given back, its children get the first process as parent, its own parent is told.
 */
#include "arch/arch.h"
#include "cpu-time/cpu_time.h"
#include "cpu-timers/cpu_timers.h"
#include "file/file.h"
#include "job-control/job_control.h"
#include "memory/memory.h"
#include "process/process.h"
#include "vfs/vfs.h"
#include "vm/vm.h"

extern __typeof(mount_view_put) mount_view_put __attribute__((weak));
void itimer_end(struct process *) __attribute__((weak)); /* by `itimer` */
#pragma weak cpu_timers_process_end
void posix_timers_end(struct process *) __attribute__((weak)); /* by `posix-timers` */
void limits_put(struct process *) __attribute__((weak)); /* by `system` */
void sem_process_end(struct process *) __attribute__((weak)); /* by `ipc-sem` */

enum { CLD_EXITED = 1, CLD_KILLED = 2 };

void process_put(struct family *family) {
    if (--family->references) return;
    if (family->process != &first_process) {
        if (family->process->credentials.group_count) kfree(family->process->credentials.groups);
        kfree(family->process);
        kfree(family);
    }
}

/* Out of the list: nobody can find it any more. */
void process_reap(struct process *process) {
    struct process *before = &first_process;
    while (before->next != process) before = before->next;
    before->next = process->next;
    process_put(process->family);
}

void process_release_space(struct process *process) {
    process->family->borrows = false;
    wait_queue_wake(&process->family->end, -1);
}

/* Signals the parent, which may not care: then nobody waits for it. */
static void tell_parent(struct process *process, struct process *parent) {
    struct family *family = process->family;
    uint32_t status = family->wait_status;
    if (family->exit_signal && parent->signals) {
        struct signal_info info = {.number = family->exit_signal, .code = status & 0x7f ? CLD_KILLED : CLD_EXITED};
        info.pid = process->pid;
        info.uid = process->credentials.uid;
        info.value = status & 0x7f ? status & 0x7f : status >> 8 & 0xff;
        bool reaped = family->exit_signal == SIGCHLD && signal_no_child_wait(parent);
        if (!signal_action_is_ignore(parent, family->exit_signal)) signal_send(parent, &info);
        if (reaped) process_reap(process);
    }
    wait_queue_wake(&parent->family->changes, -1);
}

/* Who becomes the parent of its children: the nearest ancestor that asked for orphans (PR_SET_CHILD_SUBREAPER), else the first process. */
static struct process *new_parent(const struct process *process) {
    struct process *ancestor = process_find(process->parent_pid);
    while (ancestor && ancestor != &first_process && !(ancestor->options.subreaper && ancestor->threads)) ancestor = process_find(ancestor->parent_pid);
    return ancestor ? ancestor : &first_process;
}

static void give_children_away(struct process *process) {
    struct process *heir = new_parent(process);
    for (struct process *p = first_process.next, *next; p; p = next) {
        next = p->next;
        if (p->parent_pid != process->pid || p == process) continue;
        p->parent_pid = heir->pid;
        job_control_given_away(p, process->group);
        if (p->family->ended) {
            p->family->exit_signal = SIGCHLD;
            tell_parent(p, heir);
        } else if (p->family->death_signal) {
            signal_send(p, &(struct signal_info){.number = p->family->death_signal, .code = SI_USER});
        }
    }
}

/* The last thread has left. */
static void finish(struct process *process) {
    struct family *family = process->family;
    job_control_exit(process);
    if (itimer_end) itimer_end(process);
    if (posix_timers_end) posix_timers_end(process);
    if (cpu_timers_process_end) cpu_timers_process_end(process);
    cpu_time_space_end(process);
    if (sem_process_end) sem_process_end(process);
    if (limits_put) limits_put(process);
    if (process->files) file_table_put(process->files);
    if (process->view && mount_view_put) mount_view_put(process->view);
    process->files = NULL;
    process->view = NULL;
    arch_root_switch(arch_boot_root);
    vm_space_put(process->space);
    process->space = NULL;
    signal_state_end(process);
    give_children_away(process);
    family->ended = true;
    process->stopped = false;
    family->stop_signal = 0;
    family->continued = false;
    process_release_space(process);
    struct process *parent = process_find(process->parent_pid);
    tell_parent(process, parent ? parent : &first_process);
}

static void end_others(struct process *process) {
    for (struct thread *t = process->threads; t; t = t->next) {
        if (t == current_thread()) continue;
        t->signal_pending |= SIGNAL_BIT(SIGKILL);
        sched_ready(t);
    }
}

void process_exit(uint32_t wait_status) {
    struct process *process = current_process();
    if (process->executing && process->executing != current_thread() && !process->ending) { /* only this thread goes */
        thread_release();
        sched_ready(process->executing);
        thread_gone();
    }
    if (process == &first_process) return;
    if (!process->ending) {
        process->ending = true;
        process->family->wait_status = wait_status;
        end_others(process);
    }
    thread_release();
    if (!process->threads) finish(process);
    thread_gone();
}

static bool alone(void *argument) {
    struct process *process = argument;
    return !process->threads->next || process->ending;
}

bool process_end_other_threads(void) {
    struct process *process = current_process();
    struct wait_queue nobody = {0};
    if (!process->threads->next) return true;
    if (process->executing || process->ending) return false;
    process->executing = current_thread();
    end_others(process);
    wait_until(&nobody, alone, process, 0, false);
    process->executing = NULL;
    return !process->ending;
}

void process_changed(struct process *process, enum process_change change) {
    struct family *family = process->family;
    struct process *parent = process_find(process->parent_pid);
    if (!parent || !family) return;
    family->stop_signal = change == PROCESS_STOPPED ? signal_stopped_by(process) : 0;
    family->continued = change == PROCESS_CONTINUED;
    if (parent->signals && !signal_no_child_stop(parent)) {
        struct signal_info info = {.number = SIGCHLD, .code = (int)change};
        info.pid = process->pid;
        info.uid = process->credentials.uid;
        info.value = change == PROCESS_STOPPED ? (uint64_t)family->stop_signal : SIGCONT;
        signal_send(parent, &info);
    }
    wait_queue_wake(&parent->family->changes, -1);
}
