/*
 * /proc/PID/io, sched, schedstat (proc(5)): what was read and written, and turns on the CPU. What calls transfer is counted per thread, in its `usage`. What came
 * from or went to a disk is not told apart from what a cache had: read_bytes and write_bytes are 0, as on file systems in memory; nor is how long a thread waited for its turn.
 */
#include "proc-process/internal.h"

void file_transferred(bool written, long result) {
    struct usage *used = &current_thread()->used;
    *(written ? &used->writes : &used->reads) += 1;
    if (result > 0) *(written ? &used->written_bytes : &used->read_bytes) += (uint64_t)result;
}

static struct usage work_of(const struct proc_text *about) {
    struct usage all = about->thread ? about->thread->used : about->process->ended;
    for (const struct thread *thread = about->thread ? NULL : about->process->threads; thread; thread = thread->next) {
        const struct usage *used = &thread->used;
        all.reads += used->reads, all.writes += used->writes, all.read_bytes += used->read_bytes, all.written_bytes += used->written_bytes;
        all.voluntary += used->voluntary, all.involuntary += used->involuntary;
    }
    return all;
}

static void show_io(struct proc_text *out) {
    struct usage work = work_of(out);
    proc_print(out, "rchar: %lu\nwchar: %lu\nsyscr: %lu\nsyscw: %lu\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n", (unsigned long)work.read_bytes,
               (unsigned long)work.written_bytes, (unsigned long)work.reads, (unsigned long)work.writes);
}

/* Of the process these files show its first thread. */
static struct thread *thread_shown(const struct proc_text *about) { return about->thread ? about->thread : about->process->threads; }
static uint64_t run_ns(struct thread *thread) {
    if (!thread || !cpu_time_split_thread) return 0;
    struct cpu_split split = cpu_time_split_thread(thread);
    return split.user + split.system;
}

static void show_schedstat(struct proc_text *out) {
    struct thread *thread = thread_shown(out);
    proc_print(out, "%lu 0 %lu\n", (unsigned long)run_ns(thread), thread ? (unsigned long)(thread->used.voluntary + thread->used.involuntary) : 0ul);
}

static void put(struct proc_text *out, const char *name, unsigned long value, unsigned long fraction, bool has_fraction) {
    size_t line = out->size;
    proc_print(out, "%s", name);
    while (out->size - line < 45) proc_print(out, " ");
    if (has_fraction) proc_print(out, ":%14lu.%06lu\n", value, fraction);
    else proc_print(out, ":%21lu\n", value);
}

static void show_sched(struct proc_text *out) {
    struct thread *thread = thread_shown(out);
    unsigned count = 0;
    if (!thread) return;
    for (const struct thread *at = out->process->threads; at; at = at->next) count++;
    const struct scheduling *run = &thread->scheduling;
    uint64_t ns = run_ns(thread);
    proc_print(out, "%s (%d, #threads: %u)\n-------------------------------------------------------------------\n", thread_name(thread), thread->tid, count);
    put(out, "se.sum_exec_runtime", ns / 1000000, ns % 1000000, true);
    put(out, "nr_switches", thread->used.voluntary + thread->used.involuntary, 0, false);
    put(out, "nr_voluntary_switches", thread->used.voluntary, 0, false);
    put(out, "nr_involuntary_switches", thread->used.involuntary, 0, false);
    put(out, "policy", run->policy, 0, false);
    put(out, "prio", run->realtime ? 99u - run->realtime : (unsigned)(120 + run->nice), 0, false);
}

static const struct proc_file work_files[] = {
    { .path = "io", .mode = PROC_OWNER_READ, .flags = PROC_PRIVATE, .show = show_io },
    { .path = "sched", .mode = PROC_READ, .show = show_sched },
    { .path = "schedstat", .mode = PROC_READ, .show = show_schedstat },
};
HULL_PROC_FILES(PROC_PROCESS, work_files);
