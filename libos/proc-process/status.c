/* /proc/PID/stat, statm, status, comm, task/TID/children (proc(5)): what a process is and has used. */
#include "proc-process/internal.h"
#include "arch/arch.h"
#include "clock/clock.h"
#include "job-control/job_control.h"
#include "process/process.h"
#include "signal/signal.h"

#pragma weak first_family
#pragma weak signal_sets
enum { FIELD_FLAGS_RANDOMIZE = 0x400000, HERTZ = 100 };

char process_state(const struct process *process, const struct thread *thread) {
    if (process->family && process->family->ended) return 'Z';
    if (process->stopped) return 'T';
    if (!thread) thread = process->threads;
    if (!thread) return 'Z';
    return thread->state == THREAD_BLOCKED && thread != current_thread() ? 'S' : 'R';
}

unsigned pty_number_of(const struct terminal_control *) __attribute__((weak)); /* by `pty`; 0: none of its */
unsigned process_terminal(const struct process *process, int *foreground) {
    enum { CONSOLE = 5 << 8 | 1 };
    *foreground = process->terminal && process->terminal->foreground ? process->terminal->foreground : -1;
    if (!process->terminal) return 0;
    unsigned number = pty_number_of ? pty_number_of(process->terminal) : 0;
    return number ? number : CONSOLE;
}

static uint64_t ticks(uint64_t ns) { return ns / (1000000000 / HERTZ); }

static struct cpu_split used(const struct proc_text *about) {
    if (about->thread) return cpu_time_split_thread ? cpu_time_split_thread(about->thread) : (struct cpu_split){ 0 };
    return cpu_time_split_process ? cpu_time_split_process(about->process) : (struct cpu_split){ 0 };
}

static unsigned count_threads(const struct process *process) {
    unsigned count = 0;
    for (const struct thread *thread = process->threads; thread; thread = thread->next) count++;
    return count;
}

static const struct thread *thread_of(const struct proc_text *about) { return about->thread ? about->thread : about->process->threads; }

struct signal_view { uint64_t thread, process, blocked, ignored, caught; };
static struct signal_view signals_of(const struct proc_text *about) {
    const struct thread *thread = thread_of(about);
    struct signal_view view = { .process = about->process->signal_pending };
    if (thread) {
        view.thread = thread->signal_pending;
        view.blocked = thread->signal_mask;
    }
    if (about->process->signals && signal_sets) signal_sets(about->process, &view.ignored, &view.caught);
    return view;
}

static char *name_of(const struct proc_text *about) { return about->thread ? thread_name(about->thread) : about->process->name; }

static void show_stat(struct proc_text *out) {
    const struct process *p = out->process;
    const struct address_space *space = p->space;
    static const struct program_place nowhere;
    bool looks = proc_may_look(p); /* addresses are private */
    const struct program_place *place = space && looks ? &space->program : &nowhere;
    struct cpu_split cpu = used(out);
    struct scheduling run = thread_of(out) ? thread_of(out)->scheduling : (struct scheduling){ 0 };
    int foreground;
    unsigned terminal = process_terminal(p, &foreground);
    struct signal_view signals = signals_of(out);
    proc_print(out, "%d (%s) %c %d %d %d %u %d %u ", out->thread ? out->thread->tid : p->pid, name_of(out), process_state(p, out->thread), p->parent_pid, p->group,
               p->session, terminal, foreground, FIELD_FLAGS_RANDOMIZE | (p->executed ? 0 : 0x40));
    struct rusage usage = { 0 };
    if (cpu_time_usage_process) cpu_time_usage_process(out->process, &usage);
    proc_print(out, "%lu %lu %lu %lu ", (unsigned long)usage.minor_faults, (unsigned long)p->children.minor_faults, (unsigned long)usage.major_faults,
               (unsigned long)p->children.major_faults);
    proc_print(out, "%lu %lu %lu %lu ", (unsigned long)ticks(cpu.user), (unsigned long)ticks(cpu.system), (unsigned long)ticks(p->children.told_user),
               (unsigned long)ticks(p->children.told_system));
    proc_print(out, "%d %d %u 0 %lu ", run.realtime ? -1 - run.realtime : 20 + run.nice, run.nice, count_threads(p), (unsigned long)ticks(out->thread ? out->thread->started_ns : p->started_ns));
    proc_print(out, "%lu %lu %lu ", (unsigned long)memory_size(space), space ? (unsigned long)space->resident : 0ul, ~0ul);
    proc_print(out, "%lu %lu %lu 0 0 ", (unsigned long)place->code, (unsigned long)place->code_end, (unsigned long)place->stack);
    proc_print(out, "%lu %lu %lu %lu ", (unsigned long)((signals.thread | signals.process) & 0x7fffffff), (unsigned long)(signals.blocked & 0x7fffffff),
               (unsigned long)(signals.ignored & 0x7fffffff), (unsigned long)(signals.caught & 0x7fffffff));
    proc_print(out, "0 0 0 %d 0 %u %u 0 0 0 ", p->family && !out->thread ? p->family->exit_signal : 17, run.realtime, run.policy);
    proc_print(out, "%lu %lu %lu ", (unsigned long)place->data, (unsigned long)place->data_end, looks && space ? (unsigned long)space->brk_start : 0ul);
    proc_print(out, "%lu %lu %lu %lu ", (unsigned long)place->arguments, (unsigned long)place->arguments_end, (unsigned long)place->arguments_end,
               (unsigned long)place->environment_end);
    proc_print(out, "%u\n", looks && p->family && p->family->ended ? p->family->wait_status : 0);
}

static void show_statm(struct proc_text *out) {
    struct memory_count m;
    memory_count_space(out->process->space, &m);
    proc_print(out, "%lu %lu %lu %lu 0 %lu 0\n", (unsigned long)m.size, (unsigned long)m.resident, (unsigned long)(m.file + m.shared), (unsigned long)m.code,
               (unsigned long)(m.data + m.stack));
}

static const char *state_name(char state) {
    switch (state) {
    case 'R': return "R (running)";
    case 'S': return "S (sleeping)";
    case 'T': return "T (stopped)";
    default: return "Z (zombie)";
    }
}

static void put_memory(struct proc_text *out) {
    struct memory_count m;
    memory_count_space(out->process->space, &m);
    const struct { const char *name; uint64_t kilobytes; } rows[] = {
        { "VmPeak", kilobytes(m.size) }, { "VmSize", kilobytes(m.size) }, { "VmLck", kilobytes(m.locked) }, { "VmPin", 0 }, { "VmHWM", kilobytes(out->process->space->most_resident > m.resident ? out->process->space->most_resident : m.resident) },
        { "VmRSS", kilobytes(m.resident) }, { "RssAnon", kilobytes(m.anonymous) }, { "RssFile", kilobytes(m.file) }, { "RssShmem", kilobytes(m.shared) },
        { "VmData", kilobytes(m.data) }, { "VmStk", kilobytes(m.stack) }, { "VmExe", kilobytes(m.code) }, { "VmLib", kilobytes(m.libraries) },
        { "VmPTE", memory_tables(out->process->space) / 1024 }, { "VmSwap", 0 },
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) proc_print(out, "%s:\t%8lu kB\n", rows[i].name, (unsigned long)rows[i].kilobytes);
    proc_print(out, "HugetlbPages:\t       0 kB\nCoreDumping:\t0\nTHP_enabled:\t0\n");
}

static void show_status(struct proc_text *out) {
    const struct process *p = out->process;
    const struct credentials *c = &p->credentials;
    struct signal_view signals = signals_of(out);
    int tid = out->thread ? out->thread->tid : p->pid;
    uint32_t size = p->files ? (p->files->size < 64 ? 64 : p->files->size) : 0;
    proc_print(out, "Name:\t");
    proc_escaped(out, name_of(out), "\n");
    proc_print(out, "\n");
    if (p->view) proc_print(out, "Umask:\t0%c%c%c\n", '0' + (p->view->umask >> 6 & 7), '0' + (p->view->umask >> 3 & 7), '0' + (p->view->umask & 7));
    proc_print(out, "State:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", state_name(process_state(p, out->thread)), p->pid, tid, p->parent_pid);
    proc_print(out, "Uid:\t%u\t%u\t%u\t%u\nGid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->euid, c->gid, c->egid, c->sgid, c->egid);
    proc_print(out, "FDSize:\t%u\nGroups:\t", size);
    for (uint32_t i = 0; i < c->group_count; i++) proc_print(out, "%u ", c->groups[i]);
    proc_print(out, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", p->pid, tid, p->group, p->session);
    if (p->space) put_memory(out);
    proc_print(out, "Threads:\t%u\nSigQ:\t0/4096\n", count_threads(p));
    proc_print(out, "SigPnd:\t%016lx\nShdPnd:\t%016lx\nSigBlk:\t%016lx\nSigIgn:\t%016lx\nSigCgt:\t%016lx\n", (unsigned long)signals.thread,
               (unsigned long)signals.process, (unsigned long)signals.blocked, (unsigned long)signals.ignored, (unsigned long)signals.caught);
    proc_print(out, "CapInh:\t%016lx\nCapPrm:\t%016lx\nCapEff:\t%016lx\nCapBnd:\t%016lx\nCapAmb:\t%016lx\n", 0ul, (unsigned long)process_capabilities(p, false),
               (unsigned long)process_capabilities(p, true), CAPABILITIES, 0ul);
    proc_print(out, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\nSpeculation_Store_Bypass:\tunknown\nSpeculationIndirectBranch:\tunknown\n",
               p->options.no_new_privileges);
    proc_print(out, "Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
    const struct thread *thread = thread_of(out);
    if (thread) proc_print(out, "voluntary_ctxt_switches:\t%lu\nnonvoluntary_ctxt_switches:\t%lu\n", (unsigned long)thread->used.voluntary, (unsigned long)thread->used.involuntary);
}

static void show_comm(struct proc_text *out) { proc_print(out, "%s\n", name_of(out)); }
static long store_comm(const struct proc_text *about, const char *text, size_t size) {
    char *name = name_of(about);
    if (about->process != current_process() && !proc_may_look(about->process)) return -EINVAL;
    memset(name, 0, sizeof about->process->name); /* a thread's has the same size */
    memcpy(name, text, size < 15 ? size : 15);
    return 0;
}

static void show_children(struct proc_text *out) {
    if (out->thread != out->process->threads) return; /* the process's, as of its first thread */
    for (const struct process *p = &first_process; p; p = p->next)
        if (p->parent_pid == out->process->pid) proc_print(out, "%d ", p->pid);
}

static void show_wchan(struct proc_text *out) { proc_print(out, "0"); }

static const struct proc_file status_files[] = {
    { .path = "stat", .mode = PROC_READ, .show = show_stat },
    { .path = "statm", .mode = PROC_READ, .show = show_statm },
    { .path = "status", .mode = PROC_READ, .show = show_status },
    { .path = "comm", .mode = PROC_WRITE, .show = show_comm, .store = store_comm },
    { .path = "wchan", .mode = PROC_READ, .show = show_wchan },
};
HULL_PROC_FILES(PROC_PROCESS, status_files);
static const struct proc_file task_files[] = { { .path = "children", .mode = PROC_READ, .show = show_children } };
HULL_PROC_FILES(PROC_TASK, task_files);
