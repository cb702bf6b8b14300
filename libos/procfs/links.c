/*
 * What every image with files has of /proc (proc(5)): self and thread-self, a directory for each process, and the links to what it has: its
 * program, working directory, root and open files. A link to a file with a name leads to that place, and opening it opens the file anew; one to
 * a pipe or a socket leads to the open file itself, as dup would.
 */
#include "procfs/internal.h"
#include "exec/exec.h"
#include "lib/format.h"
#include "thread/thread.h"
#include "vm/vm.h"

extern const char hull_program_path[] __attribute__((weak));

static void show_self(struct proc_text *out) { proc_print(out, "%d", current_process()->pid); }
static void show_thread_self(struct proc_text *out) { proc_print(out, "%d/task/%d", current_process()->pid, current_thread()->tid); }

static bool next_process(const struct proc_text *about, uint64_t *number) {
    (void)about;
    int least = 0;
    for (const struct process *p = &first_process; p; p = p->next)
        if ((uint64_t)p->pid >= *number && (!least || p->pid < least)) least = p->pid;
    *number = (uint64_t)least;
    return least;
}

static bool next_task(const struct proc_text *about, uint64_t *number) {
    int least = 0;
    for (const struct thread *t = about->process->threads; t; t = t->next)
        if ((uint64_t)t->tid >= *number && (!least || t->tid < least)) least = t->tid;
    *number = (uint64_t)least;
    return least;
}

static bool next_descriptor(const struct proc_text *about, uint64_t *number) {
    const struct file_table *table = about->process->files;
    for (; table && *number < table->size; ++*number)
        if (file_lookup_in(table, (int)*number, NULL)) return true;
    return false;
}

static const struct proc_children processes = { .next = next_process, .scope = PROC_PROCESS };
static const struct proc_children tasks = { .next = next_task, .scope = PROC_TASK };
static const struct proc_children descriptors = { .next = next_descriptor, .scope = PROC_DESCRIPTOR };

static void show_path(struct proc_text *out, struct path path) {
    char *text = kmalloc(PATH_MAX + 16);
    long length = text && path.dentry ? vfs_path_text(path, text, PATH_MAX + 16) : -ENOENT;
    if (length > 0) proc_bytes(out, text, (size_t)length);
    kfree(text);
}

static int go(struct path path, struct path *out) {
    if (!path.dentry) return -ENOENT;
    vfs_path_get(*out = path);
    return 0;
}

static struct path root_of(const struct proc_text *about) { return about->process->view ? about->process->view->root : (struct path){ 0 }; }
static struct path cwd_of(const struct proc_text *about) { return about->process->view ? about->process->view->cwd : (struct path){ 0 }; }
static void show_root(struct proc_text *out) { show_path(out, root_of(out)); }
static void show_cwd(struct proc_text *out) { show_path(out, cwd_of(out)); }
static int jump_root(const struct proc_text *about, struct path *out) { return go(root_of(about), out); }
static int jump_cwd(const struct proc_text *about, struct path *out) { return go(cwd_of(about), out); }

void proc_keep_program(struct address_space *space) {
    if (vfs_open(hull_program_path, O_RDONLY, 0, &space->program.file)) space->program.file = NULL;
}

static struct file *program_of(const struct proc_text *about) { return about->process->space ? about->process->space->program.file : NULL; }

static void show_file(struct proc_text *out, struct file *file) {
    struct path path;
    if (vfs_path_of(file, &path)) return;
    show_path(out, path);
    vfs_path_put(path);
}
static void show_exe(struct proc_text *out) {
    struct file *file = program_of(out);
    if (file) show_file(out, file);
}
static int jump_exe(const struct proc_text *about, struct path *out) {
    struct file *file = program_of(about);
    return file ? vfs_path_of(file, out) : -ENOENT;
}

static struct file *descriptor_of(const struct proc_text *about) {
    return file_lookup_in(about->process->files, (int)about->number, NULL);
}

static void show_descriptor(struct proc_text *out) {
    struct file *file = descriptor_of(out);
    struct path path;
    if (!file) return;
    if (!vfs_path_of(file, &path)) {
        show_path(out, path);
        vfs_path_put(path);
        return;
    }
    struct linux_stat stat = { 0 };
    if (file->ops->stat) file->ops->stat(file, &stat);
    const char *kind = file->ops->kind;
    if (kind[0] == '/') proc_print(out, "%s", kind);
    else if (kind[0] == '[') proc_print(out, "anon_inode:%s", kind);
    else if ((stat.mode & S_IFMT) == S_IFCHR) proc_print(out, "/dev/%s", kind);
    else proc_print(out, "%s:[%lu]", (stat.mode & S_IFMT) == S_IFIFO ? "pipe" : kind, (unsigned long)stat.ino);
}

static int jump_descriptor(const struct proc_text *about, struct path *out) {
    struct file *file = descriptor_of(about);
    return file ? vfs_path_of(file, out) : -ENOENT;
}

/* What may be done with it: proc(5), "the permissions of the link". */
static uint32_t descriptor_mode(const struct proc_text *about) {
    const struct file *file = descriptor_of(about);
    uint32_t access = file ? file->flags & O_ACCMODE : 0;
    return !file ? 0 : file->flags & O_PATH ? 0 : (access != O_WRONLY ? 0500 : 0100) | (access != O_RDONLY ? 0200 : 0);
}

static void show_descriptor_info(struct proc_text *out) {
    bool closes = false;
    struct file *file = file_lookup_in(out->process->files, (int)out->number, &closes);
    struct linux_stat stat = { 0 };
    if (!file) return;
    if (file->ops->stat) file->ops->stat(file, &stat);
    proc_print(out, "pos:\t%lu\nflags:\t0", (unsigned long)file->position);
    uint32_t flags = (file->flags & ~(uint32_t)O_CLOEXEC) | (closes ? O_CLOEXEC : 0);
    char digits[12];
    unsigned count = 0;
    do digits[count++] = (char)('0' + (flags & 7));
    while ((flags >>= 3));
    while (count) proc_bytes(out, &digits[--count], 1);
    proc_print(out, "\nmnt_id:\t%u\nino:\t%lu\n", vfs_mount_id(file), (unsigned long)stat.ino);
}

static const struct proc_file system_files[] = {
    { .path = "", .mode = PROC_DIRECTORY, .children = &processes },
    { .path = "self", .mode = PROC_LINK, .show = show_self },
    { .path = "thread-self", .mode = PROC_LINK, .show = show_thread_self },
};
HULL_PROC_FILES(PROC_SYSTEM, system_files);

static const struct proc_children descriptor_infos = { .next = next_descriptor, .scope = PROC_DESCRIPTOR_INFO };
static const struct proc_file process_files[] = {
    { .path = "task", .mode = PROC_DIRECTORY, .flags = PROC_NOT_IN_TASKS, .children = &tasks },
    { .path = "fd", .mode = S_IFDIR | 0500, .flags = PROC_PRIVATE, .children = &descriptors },
    { .path = "fdinfo", .mode = PROC_DIRECTORY, .flags = PROC_PRIVATE, .children = &descriptor_infos },
    { .path = "cwd", .mode = PROC_LINK, .flags = PROC_PRIVATE, .show = show_cwd, .jump = jump_cwd },
    { .path = "root", .mode = PROC_LINK, .flags = PROC_PRIVATE, .show = show_root, .jump = jump_root },
    { .path = "exe", .mode = PROC_LINK, .flags = PROC_PRIVATE, .show = show_exe, .jump = jump_exe },
};
HULL_PROC_FILES(PROC_PROCESS, process_files);

static const struct proc_file descriptor_files[] = {
    { .path = "", .mode = S_IFLNK | 0700, .flags = PROC_PRIVATE, .show = show_descriptor, .jump = jump_descriptor, .target = descriptor_of,
      .mode_of = descriptor_mode },
};
HULL_PROC_FILES(PROC_DESCRIPTOR, descriptor_files);
static const struct proc_file descriptor_info_files[] = {
    { .path = "", .mode = S_IFREG | 0400, .flags = PROC_PRIVATE, .show = show_descriptor_info },
};
HULL_PROC_FILES(PROC_DESCRIPTOR_INFO, descriptor_info_files);
