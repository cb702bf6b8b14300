/*
 * Making and ending threads. Owns the numbers of threads and processes. A thread that ends gives back what others wait for (robust futexes,
 * clear_child_tid), leaves its process's list, and is freed by whoever runs next, because until then it stands on its own stack.
 */
#include "arch/arch.h"
#include "clock/clock.h"
#include "cpu-time/cpu_time.h"
#include "cpu-timers/cpu_timers.h"
#include "futex/futex.h"
#include "memory/memory.h"
#include "signal/signal.h"
#include "thread/internal.h"
#include "vm/vm.h"

/* By `cpu-time` and `cpu-timers`. */
#pragma weak cpu_time_thread_end
#pragma weak cpu_timers_thread_end

enum { NUMBER_MOST = 4194303, NUMBER_AGAIN = 300 };

static bool number_used(int number) {
    for (struct process *p = &first_process; p; p = p->next)
        if (p->pid == number || p->group == number || p->session == number) return true;
    return thread_find(number) != NULL;
}

int thread_number(void) {
    static int newest = 1;
    static bool wrapped;
    do {
        if (++newest > NUMBER_MOST) {
            newest = NUMBER_AGAIN;
            wrapped = true;
        }
    } while (wrapped && number_used(newest));
    return newest;
}

/* A new thread begins here, on its kernel stack, interrupts off. */
static void begin(void *argument) {
    struct thread *self = argument;
    sched_resumed();
    if (self->set_child_tid) user_copy_out(self->set_child_tid, &self->tid, sizeof self->tid);
    struct trap_frame *frame = arch_thread_frame(&self->arch);
    if (arch_work) arch_work_run(frame);
    arch_return_to_program(frame);
}

/* The last pages are for what the threads that are there still touch (vm/fault.c leaves half as much): who makes another gets an error, not those their end. */
static bool memory_is_short(void) { return !memory_make_free(memory_total() >> 6); }

/* One that begins at `entry` when it gets its first turn. NULL: out of memory. */
static struct thread *make(struct process *process, void (*entry)(void *)) {
    struct thread *self = current_thread(), *made;
    if (memory_is_short() || arch_thread_adopt(&self->arch) || !(made = kzalloc(sizeof *made))) return NULL;
    if (!(made->signals = signal_thread_create()) || arch_thread_prepare(&made->arch, entry, made)) {
        kfree(made->signals);
        kfree(made);
        return NULL;
    }
    made->process = process;
    made->tid = thread_number();
    made->started_ns = clock_monotonic_ns();
    made->state = THREAD_BLOCKED;
    made->turns = self->turns;
    return made;
}

int thread_create_at(struct process *process, void (*entry)(void *), struct thread **out) {
    struct thread *made = make(process, entry);
    if (!made) return -ENOMEM;
    __builtin_memcpy(made->name, process->name, sizeof made->name);
    *out = made;
    return 0;
}

int thread_create(struct process *process, const struct trap_frame *frame, const struct clone_request *request, struct thread **out) {
    struct thread *self = current_thread(), *made = make(process, begin);
    if (!made) return -ENOMEM;
    made->signal_mask = self->signal_mask;
    made->scheduling = self->scheduling;
    if (made->scheduling.reset_on_fork) { /* from what is above the ordinary: sched(7) */
        made->scheduling.reset_on_fork = false;
        if (self->scheduling.realtime) made->scheduling = (struct scheduling){.io_priority = self->scheduling.io_priority};
        if (self->scheduling.nice < 0) made->scheduling.nice = 0;
        if (self->scheduling.nice < 0 && self->scheduling.policy != POLICY_IDLE) made->scheduling.stride = 0;
    }
    __builtin_memcpy(made->name, thread_name(self), sizeof made->name);
    arch_thread_inherit(&made->arch);
    if (request->flags & CLONE_SETTLS) arch_thread_set_tls(&made->arch, request->tls);
    if (request->flags & CLONE_CHILD_SETTID) made->set_child_tid = request->child_tid;
    if (request->flags & CLONE_CHILD_CLEARTID) made->clear_child_tid = request->child_tid;
    struct trap_frame *own = arch_thread_frame(&made->arch);
    *own = *frame;
    arch_frame_set_result(own, 0);
    if (request->stack) arch_frame_set_stack(own, request->stack);
    *out = made;
    return 0;
}

void thread_free(struct thread *thread) {
    if (thread == &first_thread) return; /* of the image, as its stack is */
    arch_thread_free(&thread->arch);
    kfree(thread);
}

void thread_discard(struct thread *thread) {
    kfree(thread->signals);
    thread_free(thread);
}

void thread_start(struct thread *thread) {
    struct thread **link = &thread->process->threads;
    while (*link) link = &(*link)->next;
    *link = thread;
    sched_ready(thread);
}

long thread_clone(const struct trap_frame *frame, const struct clone_request *request) {
    const uint64_t needs = CLONE_VM | CLONE_SIGHAND;
    struct thread *made;
    if ((request->flags & needs) != needs || request->flags & (CLONE_NEW | CLONE_PIDFD)) return -EINVAL;
    if (current_process()->ending) return -EINTR;
    int error = thread_create(current_process(), frame, request, &made);
    if (error) return error == -ENOMEM ? -EAGAIN : error;
    int tid = made->tid;
    if (request->flags & CLONE_PARENT_SETTID && user_copy_out(request->parent_tid, &tid, sizeof tid)) {
        thread_discard(made);
        return -EFAULT;
    }
    thread_start(made);
    return tid;
}

void thread_release(void) {
    struct thread *self = current_thread(), **link = &self->process->threads;
    futex_thread_end(self);
    if (cpu_timers_thread_end) cpu_timers_thread_end(self);
    if (cpu_time_thread_end) cpu_time_thread_end(self);
    while (*link != self) link = &(*link)->next;
    *link = self->next;
    signal_thread_end(self);
}

/* From exit(2). The last thread's end is its process's. */
void thread_exit(int status) {
    struct process *process = current_process();
    (void)status;
    if (!process->threads->next) return;
    thread_release();
    thread_gone();
}
