/*
 * execve(2), execveat(2). Owns nothing that outlives the call. The strings are copied into the libOS first, since the caller's memory goes.
 */
#include "abi/linux_file.h"
#include "arch/arch.h"
#include "cpu-time/cpu_time.h"
#include "exec/exec.h"
#include "futex/futex.h"
#include "init/init.h"
#include "memory/memory.h"
#include "process/process.h"
#include "syscall/syscall.h"
#include "vfs/vfs.h"

#pragma weak process_end_other_threads
#pragma weak process_release_space
#pragma weak cpu_time_space_end
void posix_timers_end(struct process *) __attribute__((weak)); /* by `posix-timers` */

enum { STRINGS_MOST = 2 << 20, STRING_MOST = 128 << 10 };

struct buffer { char *bytes; size_t size, room; };

static bool make_room(struct buffer *b, size_t more) {
    size_t room = b->room ? b->room : 1024;
    if (b->size + more <= b->room) return true;
    while (room < b->size + more) room *= 2;
    char *bytes = kmalloc(room);
    if (!bytes) return false;
    if (b->size) __builtin_memcpy(bytes, b->bytes, b->size);
    kfree(b->bytes);
    b->bytes = bytes;
    b->room = room;
    return true;
}

/* Appends one of the program's strings with its NUL. */
static int add_string(struct buffer *b, const char *program) {
    enum { PIECE = 256 };
    for (size_t length = 0;;) {
        if (length >= STRING_MOST || b->size >= STRINGS_MOST) return -E2BIG;
        if (!make_room(b, PIECE)) return -ENOMEM;
        long got = user_string_in(b->bytes + b->size, program + length, PIECE);
        if (got == -EFAULT) return -EFAULT;
        if (got >= 0) {
            b->size += (size_t)got + 1;
            return 0;
        }
        b->size += PIECE;
        length += PIECE;
    }
}

/* A NULL vector is an empty one, as Linux has it. */
static int add_vector(struct buffer *b, const uintptr_t *program) {
    for (; program; program++) {
        uintptr_t string;
        if (user_copy_in(&string, program, sizeof string)) return -EFAULT;
        if (!string) break;
        int error = add_string(b, (const char *)string);
        if (error) return error;
    }
    return 0;
}

static void set_name(const char *path) {
    char *name = current_process()->name;
    for (const char *p = path; *p; p++)
        if (*p == '/') path = p + 1;
    size_t i = 0;
    for (; i < 15 && path[i]; i++) name[i] = path[i];
    name[i] = 0;
}

/* The descriptor table may be shared with another process: what is closed there must stay open for that one. */
static int own_files(struct process *process) {
    if (process->files->references == 1) return 0;
    struct file_table *own = file_table_copy(process->files);
    if (!own) return -ENOMEM;
    file_table_put(process->files);
    process->files = own;
    return 0;
}

_Noreturn static void run(struct address_space *space, uintptr_t pc, uintptr_t stack, uint32_t user, uint32_t group) {
    struct thread *thread = current_thread();
    struct process *process = thread->process;
    struct address_space *old = process->space;
    futex_thread_end(thread);
    thread->set_child_tid = NULL;
    thread->mask_saved = false;
    thread->tid = process->pid;
    process->executed = true;
    exec_take_ids(user, group);
    if (process->options.undumpable && process->family) process->family->death_signal = 0;
    process->options.keep_capabilities = false;
    process->options.permitted = process->options.effective = 0;
    process->options.barriers = 0;
    if (cpu_time_space_end) cpu_time_space_end(process);
    process->space = space;
    arch_root_switch(space->root);
    vm_space_put(old);
    if (process->family && process_release_space) process_release_space(process);
    file_table_close_on_exec(process->files);
    if (posix_timers_end) posix_timers_end(process);
    signal_exec();
    arch_irq_save();
    arch_thread_reset(&thread->arch);
    struct trap_frame *frame = arch_thread_frame(&thread->arch);
    arch_frame_start(frame, pc, stack);
    if (arch_work) arch_work_run(frame);
    arch_return_to_program(frame);
}

/* Takes the path. */
static long execute(char *path, const uintptr_t *argv, const uintptr_t *environment) {
    struct buffer strings[2] = {0};
    struct address_space *space = NULL;
    struct exec_entry *entry = kmalloc(sizeof *entry);
    const char *why;
    int error = entry ? add_vector(&strings[0], argv) : -ENOMEM;
    if (!error) error = add_vector(&strings[1], environment);
    if (!error && !strings[0].size) error = make_room(&strings[0], 1) ? 0 : -ENOMEM;
    if (!error && !strings[0].size) strings[0].bytes[strings[0].size++] = 0; /* Linux: argc is at least 1, the string empty */
    if (!error && !(space = vm_space_create())) error = -ENOMEM;
    if (!error) {
        struct exec_arguments arguments = {path, {strings[0].bytes, strings[0].size}, {strings[1].bytes, strings[1].size}};
        error = exec_from_path(space, &arguments, entry, &why);
    }
    if (!error) error = arch_thread_adopt(&current_thread()->arch);
    if (!error) error = own_files(current_process());
    if (!error && process_end_other_threads && !process_end_other_threads()) error = -EINTR;
    kfree(strings[0].bytes);
    kfree(strings[1].bytes);
    uintptr_t pc = entry ? entry->pc : 0, stack = entry ? entry->stack : 0;
    uint32_t user = entry ? entry->image.user : 0, group = entry ? entry->image.group : 0;
    kfree(entry);
    if (error) {
        if (space) vm_space_put(space);
        kfree(path);
        return error;
    }
    set_name(path);
    kfree(path);
    run(space, pc, stack, user, group);
}

static char *copy_path(const char *program, int *error) {
    char *path = kmalloc(PATH_MAX);
    long length = path ? user_string_in(path, program, PATH_MAX) : -ENOMEM;
    *error = length < 0 ? (int)length : 0;
    if (length < 0) {
        kfree(path);
        return NULL;
    }
    return path;
}

SYSCALL_DEFINE(execve, const char *path, const uintptr_t *argv, const uintptr_t *environment) {
    int error;
    char *copy = copy_path(path, &error);
    return copy ? execute(copy, argv, environment) : error;
}

/* Relative to a directory's descriptor, or the descriptor's own file: by the path that it was opened with. */
SYSCALL_DEFINE(execveat, int directory, const char *path, const uintptr_t *argv, const uintptr_t *environment, int flags) {
    int error;
    struct file *file = file_lookup_any(directory);
    if (flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) return -EINVAL;
    char *copy = copy_path(path, &error);
    if (!copy) return error;
    if (*copy == '/' || (directory == AT_FDCWD && *copy)) return execute(copy, argv, environment);
    size_t tail = 0;
    while (copy[tail]) tail++;
    char *whole = NULL;
    error = !tail && !(flags & AT_EMPTY_PATH) ? -ENOENT : !file ? -EBADF : (whole = kmalloc(PATH_MAX)) ? 0 : -ENOMEM;
    long length = error ? error : vfs_file_path(file, whole, PATH_MAX);
    if (length > 0 && !whole[length - 1]) length--; /* with its NUL */
    if (length >= 0 && tail) {
        if ((size_t)length + tail + 2 > PATH_MAX) length = -ENAMETOOLONG;
        else {
            whole[length++] = '/';
            __builtin_memcpy(whole + length, copy, tail + 1);
        }
    }
    kfree(copy);
    if (length < 0) {
        kfree(whole);
        return length;
    }
    if (!tail) whole[length] = 0;
    return execute(whole, argv, environment);
}
