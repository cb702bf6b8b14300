/*
 * Programs by path: `#!` lines (execve(2), "Interpreter scripts"), then the program itself and its PT_INTERP, then heap and stack.
 */
#include "exec/exec.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/errno.h"
#include "task/task.h"
#include "vfs/vfs.h"

#define LINE_MOST 256   /* of a `#!` line, as Linux reads it */
#define SCRIPTS_MOST 5  /* interpreters that are scripts themselves */
#define STRINGS_MOST (2ul << 20)

/* The name of another file than the one asked for, when that is what is wrong. */
static void blame(struct exec_entry *out, const char *name) {
    size_t i = 0;
    for (; i < sizeof out->culprit - 1 && name[i]; i++) out->culprit[i] = name[i];
    out->culprit[i] = 0;
}

static const char *text_of(int error) {
    switch (error) {
    case -ENOENT: return "is not there";
    case -ENOTDIR: return "has a path through something that is not a directory";
    case -EACCES: return "may not be executed";
    case -ELOOP: return "has too many symbolic links or scripts on its way";
    case -ENOMEM: return "does not fit in memory";
    case -EISDIR: return "is a directory";
    default: return "cannot be read";
    }
}

static int open_program(const char *path, struct file **out, uint64_t *size, const char **why) {
    int error = vfs_open_program(path, out, size);
    if (error) *why = text_of(error);
    return error;
}

static char *copy_string(char *to, const char *from, size_t size) {
    memcpy(to, from, size);
    to[size] = 0;
    return to + size + 1;
}

/* argv of a script: its interpreter, one argument if there is one, its path, and what was behind argv[0]. */
struct script { char *strings; size_t size; char path[LINE_MOST]; };
static int read_script(const char *line, size_t length, const char *path, const struct exec_strings *argv, struct script *script,
                       const char **why) {
    size_t start = 2, end = 2;
    while (end < length && line[end] != '\n' && line[end]) end++;
    bool whole = end < length;
    while (start < end && (line[start] == ' ' || line[start] == '\t')) start++;
    size_t stop = start;
    while (stop < end && line[stop] != ' ' && line[stop] != '\t') stop++;
    *why = "has no interpreter in its first line";
    if (stop == start || (!whole && stop == end && length == LINE_MOST)) return -ENOEXEC; /* none, or cut */
    size_t argument = stop, argument_end = end;
    while (argument < end && (line[argument] == ' ' || line[argument] == '\t')) argument++;
    while (argument_end > argument && (line[argument_end - 1] == ' ' || line[argument_end - 1] == '\t')) argument_end--;
    size_t rest = 0, path_length = strlen(path);
    while (rest < argv->size && argv->bytes[rest]) rest++;
    if (rest < argv->size) rest++;
    size_t size = stop - start + 1 + (argument_end > argument ? argument_end - argument + 1 : 0) + path_length + 1 + (argv->size - rest);
    *why = "has too many arguments";
    if (size > STRINGS_MOST) return -E2BIG;
    char *strings = kmalloc(size), *at = strings;
    *why = "does not fit in memory";
    if (!strings) return -ENOMEM;
    at = copy_string(at, line + start, stop - start);
    if (argument_end > argument) at = copy_string(at, line + argument, argument_end - argument);
    at = copy_string(at, path, path_length);
    if (argv->size > rest) memcpy(at, argv->bytes + rest, argv->size - rest);
    copy_string(script->path, line + start, stop - start); /* `path` may be what was there */
    kfree(script->strings);
    script->strings = strings;
    script->size = size;
    return 0;
}

static int load_interpreter(struct address_space *space, struct exec_entry *out, const char **why) {
    struct exec_image loader;
    struct file *file;
    uint64_t size;
    blame(out, out->image.interpreter);
    int error = open_program(out->image.interpreter, &file, &size, why);
    if (error) return error;
    error = exec_load_interpreter(space, file, size, &loader, why);
    file_put(file);
    if (error) return error == -ENOEXEC ? -ELIBBAD : error;
    out->culprit[0] = 0;
    out->pc = loader.entry;
    out->image.interpreter_base = loader.base ? loader.base : loader.start;
    return 0;
}

int exec_from_path(struct address_space *space, const struct exec_arguments *asked, struct exec_entry *out, const char **why) {
    struct exec_arguments arguments = *asked;
    struct script script = { NULL, 0, "" };
    struct file *file;
    uint64_t size;
    int error;
    out->culprit[0] = 0;
    for (unsigned scripts = 0;; scripts++) {
        char line[LINE_MOST];
        const char *path = script.strings ? script.path : asked->path;
        if (script.strings) blame(out, path);
        error = open_program(path, &file, &size, why);
        if (error) break;
        long length = vfs_read_at(file, line, sizeof line, 0);
        if (length < 2 || line[0] != '#' || line[1] != '!') {
            error = exec_load(space, file, size, &out->image, why);
            if (error) file_put(file);
            else {
                space->program.file = file;
                if (!current_process()->options.no_new_privileges) vfs_program_ids(file, &out->image.user, &out->image.group);
            }
            break;
        }
        file_put(file);
        error = scripts < SCRIPTS_MOST ? read_script(line, (size_t)length, path, &arguments.argv, &script, why) : -ELOOP;
        if (error == -ELOOP) *why = text_of(error);
        if (error) break;
        arguments.argv = (struct exec_strings){ script.strings, script.size };
    }
    if (!error) {
        out->culprit[0] = 0;
        out->pc = out->image.entry;
        exec_place_heap(space, &out->image);
        if (out->image.interpreter[0]) error = load_interpreter(space, out, why);
    }
    if (!error && !(out->stack = exec_build_stack(space, &out->image, &arguments))) {
        *why = "has more arguments and environment than fit on its stack";
        error = -E2BIG;
    }
    kfree(script.strings);
    return error;
}
