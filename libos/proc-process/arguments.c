/* /proc/PID/cmdline, environ, auxv: read from the process's own memory, where exec put them and the program may have changed them. */
#include "proc-process/internal.h"
#include "abi/boot_abi.h"
#include "init/init.h"

#define MOST (128ul << 10)

static size_t put_memory(struct proc_text *out, uintptr_t start, uintptr_t end) {
    size_t put = 0, size = end > start ? end - start : 0;
    if (size > MOST) size = MOST;
    while (put < size) {
        char piece[256];
        size_t wanted = size - put < sizeof piece ? size - put : sizeof piece, got = memory_read(out->process->space, start + put, piece, wanted);
        proc_bytes(out, piece, got);
        put += got;
        if (got < wanted) break;
    }
    return put;
}

/* A linked program's are not in memory of its own. */
static void put_module(struct proc_text *out, uint32_t type) {
    size_t size;
    const char *bytes = boot_module_find(type, &size);
    if (bytes) proc_bytes(out, bytes, size);
}

static void show_cmdline(struct proc_text *out) {
    const struct address_space *space = out->process->space;
    if (!space) return;
    const struct program_place *place = &space->program;
    if (!place->arguments) {
        if (out->process == &first_process) put_module(out, HULL_MODULE_ARGV);
        return;
    }
    size_t put = put_memory(out, place->arguments, place->arguments_end);
    if (!put || put < place->arguments_end - place->arguments || !out->bytes[out->size - 1]) return;
    /* The program wrote over the end of its arguments (setproctitle): the text ends at the first NUL, if that is in the environment. */
    put_memory(out, place->arguments_end, place->environment_end);
    for (size_t i = 0; i < out->size; i++)
        if (!out->bytes[i]) {
            out->size = i + 1;
            return;
        }
}

static void show_environ(struct proc_text *out) {
    const struct address_space *space = out->process->space;
    if (space && space->program.arguments) put_memory(out, space->program.arguments_end, space->program.environment_end);
    else if (space && out->process == &first_process) put_module(out, HULL_MODULE_ENV);
}

static void show_auxv(struct proc_text *out) {
    const struct address_space *space = out->process->space;
    if (space) put_memory(out, space->program.auxv, space->program.auxv_end);
}

static const struct proc_file argument_files[] = {
    { .path = "cmdline", .mode = PROC_READ, .show = show_cmdline },
    { .path = "environ", .mode = PROC_OWNER_READ, .flags = PROC_PRIVATE, .show = show_environ },
    { .path = "auxv", .mode = PROC_OWNER_READ, .flags = PROC_PRIVATE, .show = show_auxv },
};
HULL_PROC_FILES(PROC_PROCESS, argument_files);
