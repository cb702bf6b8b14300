/* What else /proc/PID has: limits, cgroup, the scores of the out-of-memory choice, who logged in, namespaces (one of each kind), user maps, personality. */
#include "proc-process/internal.h"

long sys_prlimit64(int pid, unsigned resource, const void *wanted, void *old) __attribute__((weak));

static void show_limits(struct proc_text *out) {
    static const struct { const char *name, *unit; } rows[] = {
        { "Max cpu time", "seconds" }, { "Max file size", "bytes" }, { "Max data size", "bytes" }, { "Max stack size", "bytes" },
        { "Max core file size", "bytes" }, { "Max resident set", "bytes" }, { "Max processes", "processes" }, { "Max open files", "files" },
        { "Max locked memory", "bytes" }, { "Max address space", "bytes" }, { "Max file locks", "locks" }, { "Max pending signals", "signals" },
        { "Max msgqueue size", "bytes" }, { "Max nice priority", "" }, { "Max realtime priority", "" }, { "Max realtime timeout", "us" },
    };
    proc_print(out, "%s", "Limit                     Soft Limit           Hard Limit           Units     \n");
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t values[2] = { ~0ull, ~0ull };
        bool before = current_thread()->own_memory;
        current_thread()->own_memory = true;
        if (sys_prlimit64) sys_prlimit64(out->process->pid, i, NULL, values);
        current_thread()->own_memory = before;
        size_t line = out->size;
        proc_print(out, "%s", rows[i].name);
        for (unsigned n = 0; n < 2; n++) {
            while (out->size - line < 26 + 21 * n) proc_print(out, " ");
            if (values[n] == ~0ull) proc_print(out, "unlimited");
            else proc_print(out, "%lu", (unsigned long)values[n]);
        }
        while (out->size - line < 68) proc_print(out, " ");
        proc_print(out, "%s", rows[i].unit);
        while (out->size - line < 78) proc_print(out, " ");
        proc_print(out, "\n");
    }
}

/* Linux's badness: pages in use of 1000 parts of memory, and the adjustment (proc(5), oom_score). */
static void show_score(struct proc_text *out) {
    const struct address_space *space = out->process->space;
    int64_t score = (int64_t)((space ? space->resident : 0) * 1000 / (memory_total() >> PAGE_SHIFT)) + out->process->oom_adjust;
    score = (1000 + score) * 2 / 3;
    if (out->process->oom_adjust == -1000 || score < 0) score = 0;
    proc_print(out, "%lu\n", (unsigned long)score);
}

static bool signed_of(const char *text, int64_t *out) {
    uint64_t value;
    bool negative = *text == '-';
    if (!proc_number_of(text + negative, &value) || value > 10000) return false;
    *out = negative ? -(int64_t)value : (int64_t)value;
    return true;
}

/* Lower values need a privilege (CAP_SYS_RESOURCE): root. */
static long adjust(struct process *process, int64_t value) {
    if (!proc_may_look(process)) return -EACCES;
    if (value < process->oom_adjust && current_process()->credentials.euid) return -EACCES;
    process->oom_adjust = (int16_t)value;
    return 0;
}

static void show_adjust(struct proc_text *out) { proc_print(out, "%d\n", out->process->oom_adjust); }
static long store_adjust(const struct proc_text *about, const char *text, size_t size) {
    int64_t value;
    (void)size;
    if (!signed_of(text, &value) || value < -1000 || value > 1000) return -EINVAL;
    return adjust(about->process, value);
}
static void show_old_adjust(struct proc_text *out) {
    int value = out->process->oom_adjust;
    proc_print(out, "%d\n", value == 1000 ? 15 : value * 17 / 1000);
}
static long store_old_adjust(const struct proc_text *about, const char *text, size_t size) {
    int64_t value;
    (void)size;
    if (!signed_of(text, &value) || value < -17 || value > 15) return -EINVAL;
    return adjust(about->process, value == 15 ? 1000 : value * 1000 / 17);
}

/* As prctl(PR_SET_TIMERSLACK); 0 stands for the default. It is kept: timers are exact here. */
enum { SLACK_DEFAULT = 50000 };
static void show_slack(struct proc_text *out) {
    uint64_t slack = out->process->options.timer_slack;
    proc_print(out, "%lu\n", (unsigned long)(slack ? slack : SLACK_DEFAULT));
}
static long store_slack(const struct proc_text *about, const char *text, size_t size) {
    uint64_t value;
    (void)size;
    if (!proc_number_of(text, &value)) return -EINVAL;
    if (about->process != current_process() && current_process()->credentials.euid) return -EPERM;
    about->process->options.timer_slack = value;
    return 0;
}

/*
 * Who logged in, of the audit system: pam_loginuid(8) writes it at the begin of each session, and refuses the session where it cannot. A process sets its own; without a privilege
 * (CAP_AUDIT_CONTROL) only once. Each one that is set begins a session. 4294967295: none.
 */
static void show_login(struct proc_text *out) { proc_print(out, "%lu", (unsigned long)(out->process->login_user - 1)); }
static void show_session(struct proc_text *out) { proc_print(out, "%lu", (unsigned long)(out->process->login_session - 1)); }
static long store_login(const struct proc_text *about, const char *text, size_t size) {
    static uint32_t sessions; /* begun so far. Lock: the calls' */
    struct process *process = about->process;
    uint64_t value;
    (void)size;
    if (process != current_process()) return -EPERM;
    if (!proc_number_of(text, &value)) return -EINVAL;
    if (value > UINT32_MAX) return -ERANGE;
    if (process->login_user && !process_may(process, CAP_AUDIT_CONTROL)) return -EPERM;
    process->login_user = (uint32_t)value + 1;
    process->login_session = value == UINT32_MAX ? 0 : ++sessions + 1;
    return 0;
}

/* Namespaces: one of each, with the numbers that Linux gives the first ones. Nothing can be made of them (setns(2)). */
static int namespace_stat(struct file *file, struct linux_stat *out) {
    out->dev = 4;
    out->ino = (uint64_t)(uintptr_t)file->data;
    out->mode = S_IFREG | 0444;
    return 0;
}
static const struct file_ops namespace_ops = { .kind = "namespace", .stat = namespace_stat };
static struct namespace { const char *name; struct file file; } namespaces[] = {
#define NAMESPACE(text, number) { text, { .ops = &namespace_ops, .references = 1, .data = (void *)number } }
    NAMESPACE("cgroup", 4026531835ul), NAMESPACE("ipc", 4026531839ul), NAMESPACE("mnt", 4026531841ul), NAMESPACE("net", 4026531840ul),
    NAMESPACE("pid", 4026531836ul), NAMESPACE("time", 4026531834ul), NAMESPACE("user", 4026531837ul), NAMESPACE("uts", 4026531838ul),
};
static void show_namespace(struct proc_text *out) {
    const struct namespace *namespace = &namespaces[(uintptr_t)out->file->argument];
    proc_print(out, "%s:[%lu]", namespace->name, (unsigned long)(uintptr_t)namespace->file.data);
}
static struct file *open_namespace(const struct proc_text *about) { return &namespaces[(uintptr_t)about->file->argument].file; }

#define NAMESPACE_LINK(text, index) \
    { .path = "ns/" text, .mode = PROC_LINK, .flags = PROC_PRIVATE, .show = show_namespace, .target = open_namespace, .argument = (void *)index }
static const char identity_map[] = "         0          0 4294967295\n";
static const struct proc_file setting_files[] = {
    { .path = "limits", .mode = PROC_READ, .show = show_limits },
    { .path = "oom_score", .mode = PROC_READ, .show = show_score },
    { .path = "oom_score_adj", .mode = PROC_WRITE, .show = show_adjust, .store = store_adjust },
    { .path = "oom_adj", .mode = PROC_WRITE, .show = show_old_adjust, .store = store_old_adjust },
    { .path = "timerslack_ns", .mode = S_IFREG | 0666, .flags = PROC_NOT_IN_TASKS, .show = show_slack, .store = store_slack },
    { .path = "cgroup", .mode = PROC_READ, .show = proc_show_text, .argument = "0::/\n" },
    { .path = "cpuset", .mode = PROC_READ, .show = proc_show_text, .argument = "/\n" },
    { .path = "uid_map", .mode = PROC_READ, .show = proc_show_text, .argument = identity_map },
    { .path = "gid_map", .mode = PROC_READ, .show = proc_show_text, .argument = identity_map },
    { .path = "projid_map", .mode = PROC_READ, .show = proc_show_text, .argument = identity_map },
    { .path = "setgroups", .mode = PROC_READ, .show = proc_show_text, .argument = "allow\n" },
    { .path = "loginuid", .mode = PROC_WRITE, .show = show_login, .store = store_login },
    { .path = "sessionid", .mode = PROC_READ, .show = show_session },
    { .path = "personality", .mode = PROC_OWNER_READ, .flags = PROC_PRIVATE, .show = proc_show_text, .argument = "00000000\n" },
    { .path = "coredump_filter", .mode = PROC_READ, .show = proc_show_text, .argument = "00000000\n" },
    NAMESPACE_LINK("cgroup", 0), NAMESPACE_LINK("ipc", 1), NAMESPACE_LINK("mnt", 2), NAMESPACE_LINK("net", 3), NAMESPACE_LINK("pid", 4),
    NAMESPACE_LINK("pid_for_children", 4), NAMESPACE_LINK("time", 5), NAMESPACE_LINK("time_for_children", 5), NAMESPACE_LINK("user", 6), NAMESPACE_LINK("uts", 7),
};
HULL_PROC_FILES(PROC_PROCESS, setting_files);
