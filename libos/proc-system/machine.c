/* /proc/cpuinfo, version, filesystems, devices, cmdline, interrupts, modules, and the links to what a process sees (proc(5)). */
#include "proc-system/internal.h"
#include "arch/arch.h"

#pragma GCC visibility push(hidden)
extern const struct filesystem __hull_filesystem_start[], __hull_filesystem_end[];
extern const struct device_entry __hull_device_start[], __hull_device_end[];
#pragma GCC visibility pop
long sys_uname(struct utsname *out) __attribute__((weak)); /* by `system` */

bool machine_names(struct utsname *out) {
    bool before = current_thread()->own_memory;
    memset(out, 0, sizeof *out);
    if (!sys_uname) return false;
    current_thread()->own_memory = true;
    sys_uname(out);
    current_thread()->own_memory = before;
    return true;
}

static void show_version(struct proc_text *out) {
    struct utsname names;
    if (machine_names(&names)) proc_print(out, "%s version %s (hull@hull) (clang) %s\n", names.sysname, names.release, names.version);
}

static void show_filesystems(struct proc_text *out) {
    for (const struct filesystem *at = __hull_filesystem_start; at < __hull_filesystem_end; at++) proc_print(out, "%s\t%s\n", at->needs_device ? "" : "nodev", at->name);
}

static void show_devices(struct proc_text *out) {
    static const struct { unsigned kind; const char *title; } kinds[] = { { S_IFCHR, "Character" }, { S_IFBLK, "\nBlock" } };
    for (unsigned k = 0; k < 2; k++) {
        proc_print(out, "%s devices:\n", kinds[k].title);
        for (unsigned major = 0; major < 512; major++)
            for (const struct device_entry *at = __hull_device_start; at < __hull_device_end; at++)
                if (at->major == major && (at->mode & S_IFMT) == kinds[k].kind) {
                    proc_print(out, "%3u %s\n", major, major == 1 ? "mem" : major == 5 ? "/dev/tty" : at->name ? at->name : major == 136 ? "pts" : "?");
                    break;
                }
    }
}

static void show_cmdline(struct proc_text *out) { proc_print(out, "%s\n", boot_command_line()); }
static void show_interrupts(struct proc_text *out) { proc_print(out, "           CPU0       \nALL: %10lu   all lines together\n", (unsigned long)arch_irq_count); }

static const struct proc_file machine_files[] = {
    { .path = "cpuinfo", .mode = PROC_READ, .show = show_cpuinfo },
    { .path = "version", .mode = PROC_READ, .show = show_version },
    { .path = "filesystems", .mode = PROC_READ, .show = show_filesystems },
    { .path = "devices", .mode = PROC_READ, .show = show_devices },
    { .path = "cmdline", .mode = PROC_READ, .show = show_cmdline },
    { .path = "interrupts", .mode = PROC_READ, .show = show_interrupts },
    { .path = "modules", .mode = PROC_READ, .show = proc_show_text, .argument = "" },
    { .path = "tty/drivers", .mode = PROC_READ, .show = proc_show_text,
      .argument = "/dev/tty             /dev/tty        5       0 system:/dev/tty\n/dev/console         /dev/console    5       1 system:console\n"
                  "/dev/ptmx            /dev/ptmx       5       2 system\npty_slave            /dev/pts      136 0-255 pty:slave\n" },
    { .path = "mounts", .mode = PROC_LINK, .show = proc_show_text, .argument = "self/mounts" },
    { .path = "net", .mode = PROC_LINK, .show = proc_show_text, .argument = "self/net" },
};
HULL_PROC_FILES(PROC_SYSTEM, machine_files);
