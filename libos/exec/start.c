/*
 * program_start() of binary images: the executable that is embedded in the image becomes the first process; in images without one, the
 * program that the boot module names in the root file system.
 * A file that cannot run ends the machine with status 126, as a shell's does, and one line that says why.
 */
#include "exec/exec.h"
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "init/init.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "task/task.h"

const char exec_binary_program = 1; /* see user/user.c */

extern const char hull_program_start[], hull_program_end[], hull_program_path[];

static int program_page(struct file *file, uint64_t index, int how, uint64_t *physical) {
    (void)file, (void)how;
    if (index >= ((uint64_t)(hull_program_end - hull_program_start) + PAGE_SIZE - 1) >> PAGE_SHIFT) return -ENXIO;
    *physical = virt_to_phys(hull_program_start) + (index << PAGE_SHIFT);
    return 0;
}

static uintptr_t program_low, program_high, program_base; /* where it is, and what was added to its addresses */

bool exec_file_address(uintptr_t address, uintptr_t *in_file) {
    *in_file = address - program_base;
    return address - program_low < program_high - program_low;
}

static const struct file_ops program_ops = {.kind = "program", .get_page = program_page};
static struct file program_file = {.references = 1};

static struct exec_strings module_strings(uint32_t type) {
    struct exec_strings strings = {NULL, 0};
    strings.bytes = boot_module_find(type, &strings.size);
    if (!strings.bytes) strings.size = 0;
    return strings;
}

static void set_name(const char *path) {
    const char *name = path;
    for (const char *p = path; *p; p++)
        if (*p == '/') name = p + 1;
    __builtin_memset(first_process.name, 0, sizeof first_process.name);
    for (size_t i = 0; i < sizeof first_process.name - 1 && name[i]; i++) first_process.name[i] = name[i];
}

_Noreturn static void refuse(const char *why) {
    log_line("Cannot run \"%s\": it %s, expected a static Linux executable for this processor", hull_program_path, why);
    machine_exit(126 << 8);
}

/* By host-calls: does not return when no program is to start. */
#pragma weak calls_hold
void calls_hold(void);
/* By exec-path, which is in images that have a root file system. */
#pragma weak exec_from_path
#pragma weak hull_program_path

/* As a shell: 127 when there is no such file, 126 when it cannot run. */
_Noreturn static void start_from_root(struct address_space *space) {
    static char path[4096];
    struct exec_entry entry;
    size_t size = 0;
    const char *given = boot_module_find(HULL_MODULE_EXEC, &size), *why = NULL;
    if (!given || !size || size >= sizeof path || !exec_from_path) panic("exec: a program to run, none named");
    __builtin_memcpy(path, given, size);
    set_name(path);
    struct exec_arguments arguments = {path, module_strings(HULL_MODULE_ARGV), module_strings(HULL_MODULE_ENV)};
    int error = exec_from_path(space, &arguments, &entry, &why);
    if (error) {
        log_line("Cannot run \"%s\": %s%s%s, expected a Linux program for this processor in the root file system", path,
                 entry.culprit[0] ? entry.culprit : "it", " ", why);
        machine_exit((error == -ENOENT && !entry.culprit[0] ? 127 : 126) << 8);
    }
    exec_take_ids(entry.image.user, entry.image.group);
    program_base = entry.image.base;
    program_low = entry.image.start;
    program_high = entry.image.end;
    arch_thread_enter_program(entry.pc, entry.stack);
}

#pragma weak proc_keep_program

_Noreturn void program_start(void) {
    struct address_space *space = vm_space_first();
    struct exec_image image;
    const char *why;
    space->linked = false;
    if (calls_hold) calls_hold();
    if (!&hull_program_path[0]) start_from_root(space);
    program_file.ops = &program_ops;
    set_name(hull_program_path);
    if (exec_load(space, &program_file, (uint64_t)(hull_program_end - hull_program_start), &image, &why)) refuse(why);
    if (image.interpreter[0]) {
        log_line("Cannot run \"%s\": it needs the interpreter %s from a root file system, expected a static executable",
                 hull_program_path, image.interpreter);
        machine_exit(126 << 8);
    }
    program_base = image.base;
    program_low = image.start;
    program_high = image.end;
    exec_place_heap(space, &image);
    struct exec_arguments arguments = {hull_program_path, module_strings(HULL_MODULE_ARGV), module_strings(HULL_MODULE_ENV)};
    uintptr_t stack = exec_build_stack(space, &image, &arguments);
    if (!stack) refuse("has more arguments and environment than fit on its stack");
    if (proc_keep_program) proc_keep_program(space);
    arch_thread_enter_program(image.entry, stack);
}
