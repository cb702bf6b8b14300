/*
 * The first steps of a process that the host asked for, in its own context: terminal, directory, user, program. Owns nothing that outlives them. What fails is said as errno and ends the process as a shell
 * would: 127 when there is no such program, 126 otherwise.
 */
#include "exec-session/internal.h"
#include "lib/format.h"
#include "lib/string.h"
#include "pty/internal.h"

enum { STRINGS_MOST = 4096, TIOCSPTLCK_ = 0x40045431, TIOCGPTN_ = 0x80045430 };
long sys_execve(const char *path, const uintptr_t *argv, const uintptr_t *environment);
long sys_chdir(const char *path);

static void pty_moved(void *session) {
    session_push(session);
}

/* Descriptors 0 to 2 become a new terminal's, which is the process' controlling one. */
static int make_terminal(struct session *s) {
    struct file *master, *slave;
    int zero = 0, number = 0;
    char path[24];
    int error = vfs_open("/dev/ptmx", O_RDWR | O_NOCTTY, 0, &master);
    if (error) return error;
    s->master = master;
    error = (int)master->ops->ioctl(master, TIOCSPTLCK_, (unsigned long)&zero);
    if (!error) error = (int)master->ops->ioctl(master, TIOCGPTN_, (unsigned long)&number);
    if (error) return error;
    format_text(path, sizeof path, "/dev/pts/%u", (unsigned)number);
    if ((error = vfs_open(path, O_RDWR, 0, &slave))) return error;
    struct pty *pty = slave->data;
    pty->size.rows = s->rows;
    pty->size.columns = s->columns;
    pty->watcher = s;
    pty->watch = pty_moved;
    s->pty = pty;
    s->credit += 4096;
    for (unsigned i = 0; i < 3; i++) {
        if (i) file_get(slave);
        current_process()->files->first[i] = slave;
    }
    return 0;
}

/* Pointers to the strings of a record, ended by NULL. */
static uintptr_t *list(const char *bytes, size_t size) {
    size_t count = 0;
    for (size_t i = 0; i < size; i++) count += !bytes[i];
    uintptr_t *vector = kmalloc((count + 1) * sizeof *vector);
    if (!vector) return NULL;
    count = 0;
    for (size_t i = 0; i < size; i += strlen(bytes + i) + 1) vector[count++] = (uintptr_t)(bytes + i);
    vector[count] = 0;
    return vector;
}

static int take_user(const uint32_t *user, size_t size) {
    struct credentials *c = &current_process()->credentials;
    if (!user || size < 8) return 0;
    c->uid = c->euid = c->suid = user[0];
    c->gid = c->egid = c->sgid = user[1];
    uint32_t count = (uint32_t)(size / 4 - 2);
    if (!count) return 0;
    if (!(c->groups = kmalloc(count * sizeof *c->groups))) return -ENOMEM;
    memcpy(c->groups, user + 2, count * sizeof *c->groups);
    c->group_count = count;
    return 0;
}

static const char *find_path(const char *environment, size_t size) {
    for (size_t i = 0; i < size; i += strlen(environment + i) + 1)
        if (!memcmp(environment + i, "PATH=", 5)) return environment + i + 5;
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Returns only when nothing could be executed. The path is the session's own: others are begun while a search waits for the root file system. */
static int execute(struct session *s, const char *name, const char *search) {
    int error = -ENOENT;
    bool has_slash = false;
    for (const char *p = name; *p; p++) has_slash |= *p == '/';
    if (has_slash) return (int)sys_execve(name, s->argv, s->environment);
    if (!(s->path = kmalloc(STRINGS_MOST))) return -ENOMEM;
    for (const char *from = search; *from;) {
        size_t size = 0;
        while (from[size] && from[size] != ':') size++;
        if (size && size + strlen(name) + 2 < STRINGS_MOST) {
            memcpy(s->path, from, size);
            s->path[size] = '/';
            memcpy(s->path + size + 1, name, strlen(name) + 1);
            int now = (int)sys_execve(s->path, s->argv, s->environment);
            if (now != -ENOENT && now != -ENOTDIR) error = now;
        }
        from += from[size] ? size + 1 : size;
    }
    return error;
}

void session_begin(void *argument) {
    struct thread *self = argument;
    struct session *s = (struct session *)self->robust_list;
    sched_resumed();
    self->robust_list = 0;
    self->own_memory = true;
    size_t argv_size = 0, environment_size = 0, size = 0;
    const char *argv = session_record(s, HULL_MODULE_ARGV, &argv_size);
    const char *environment = session_record(s, HULL_MODULE_ENV, &environment_size);
    const uint16_t *window = session_record(s, HULL_MODULE_WINSIZE, &size);
    if (window && size >= 4) {
        s->rows = window[0];
        s->columns = window[1];
    }
    int error = !argv || !argv_size || argv[argv_size - 1] || (environment_size && environment[environment_size - 1]) ? -EINVAL : 0;
    if (!error && s->wants_terminal) error = make_terminal(s);
    const char *directory = session_record(s, HULL_MODULE_CWD, &size);
    if (!error && directory && size < STRINGS_MOST) {
        char *copy = kmalloc(size + 1);
        if (!copy) error = -ENOMEM;
        else {
            memcpy(copy, directory, size);
            copy[size] = 0;
            error = (int)sys_chdir(copy);
            kfree(copy);
        }
    }
    const void *user = session_record(s, HULL_MODULE_USER, &size);
    if (!error) error = take_user(user, size);
    if (!error) {
        s->argv = list(argv, argv_size);
        s->environment = list(environment, environment_size);
        error = s->argv && s->environment ? execute(s, argv, find_path(environment, environment_size)) : -ENOMEM;
    }
    self->own_memory = false;
    s->start_error = (uint32_t)-error;
    process_exit((error == -ENOENT ? 127u : 126u) << 8);
    __builtin_unreachable();
}
