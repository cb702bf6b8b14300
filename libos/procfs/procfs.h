/*
 * Files whose text is made when they are read: /proc, and what else is built that way (/sys, cgroup files). Any component gives files by a
 * table and one macro; a directory is there because a file in it is. component.json lists them under "proc".
 *
 *     static void show_swaps(struct proc_text *out) { proc_print(out, "Filename\t…\n"); }
 *     static const struct proc_file files[] = { { .path = "swaps", .mode = PROC_READ, .show = show_swaps } };
 *     HULL_PROC_FILES(PROC_SYSTEM, files);
 *
 * Context: calls; show and store do not sleep. What they need of a process they take from proc_text: it is there for the length of the call.
 */
#ifndef HULL_PROCFS_PROCFS_H
#define HULL_PROCFS_PROCFS_H
#include "init/init.h"
#include "task/task.h"
#include "vfs/vfs.h"

/* Where the paths of a table begin. */
enum proc_scope {
    PROC_SYSTEM,  /* /proc/PATH */
    PROC_PROCESS, /* /proc/PID/PATH, and /proc/PID/task/TID/PATH unless PROC_NOT_IN_TASKS says otherwise. "net/…" belongs here */
    PROC_TASK,    /* /proc/PID/task/TID/PATH only */
    PROC_SYSFS,   /* /sys/PATH */
    PROC_CGROUP,  /* /sys/fs/cgroup/PATH */
    /* Below entries with `children`: what one child is. */
    PROC_DESCRIPTOR, PROC_DESCRIPTOR_INFO, PROC_BLOCK, PROC_BLOCK_LINK, PROC_BLOCK_CLASS_LINK, PROC_BLOCK_NUMBER_LINK, PROC_CACHE, PROC_NET_DEVICE,
    PROC_NET_DEVICE_LINK, PROC_TERMINAL
};
struct proc_file;
struct proc_text {
    char *bytes; /* so far; the show function may also look at them */
    size_t size, room;
    bool failed; /* no memory: the reader gets -ENOMEM */
    const struct proc_file *file;
    struct process *process; /* NULL outside PROC_PROCESS and what is below */
    struct thread *thread;   /* in task/TID; NULL: the process as a whole */
    uint64_t number;         /* in directories with `children`, of which child */
};
void proc_print(struct proc_text *, const char *format, ...) __attribute__((format(printf, 2, 3))); /* lib/format.h */
void proc_bytes(struct proc_text *, const void *bytes, size_t size);
void proc_escaped(struct proc_text *, const char *text, const char *which); /* those characters, and '\\', as \ooo */

void proc_end_line(struct proc_text *, size_t line, size_t width); /* spaces until what began at `line` is so wide, and a new line */
void proc_upper(struct proc_text *, const char *format, uint32_t number); /* one number, its hexadecimal digits in capitals */

/* A directory's numbered children (processes, descriptors). */
struct proc_children {
    bool (*next)(const struct proc_text *, uint64_t *number); /* the least that is >= *number; false: none */
    size_t (*name)(const struct proc_text *, uint64_t number, char out[32]); /* absent: decimal */
    uint8_t scope; /* whose tables say what such a child is: its entry "" makes it a file or a link, else it is a directory. PROC_PROCESS and PROC_TASK
                      set process and thread; others set number */
};
enum { PROC_READ = S_IFREG | 0444, PROC_WRITE = S_IFREG | 0644, PROC_OWNER_READ = S_IFREG | 0400, PROC_LINK = S_IFLNK | 0777,
       PROC_PRIVATE_LINK = S_IFLNK | 0777, PROC_DIRECTORY = S_IFDIR | 0555 };
enum {
    PROC_NOT_IN_TASKS = 1,
    PROC_PRIVATE = 2 /* only who could trace the process (ptrace(2)): root, or the same user in every respect. -EACCES for others */
};
struct proc_file {
    const char *path; /* "" is the scope's own directory, or the child itself */
    uint32_t mode;
    uint8_t flags;
    void (*show)(struct proc_text *);                                                 /* content, or a link's text */
    long (*store)(const struct proc_text *, const char *text, size_t size);           /* NUL-ended; 0 or -errno. Without it writing is -EINVAL, as is reading without show */
    const void *argument;                                                             /* for functions that serve several files */
    const struct proc_children *children;
    int (*jump)(const struct proc_text *, struct path *out);                          /* links: inode_ops.jump */
    struct file *(*target)(const struct proc_text *);                                 /* links: inode_ops.target */
    uint32_t (*mode_of)(const struct proc_text *);                                    /* instead of mode's permissions */
    long (*transfer)(const struct proc_text *, bool write, void *program, size_t size, int64_t position); /* instead of show and store */
};
struct proc_files { const struct proc_file *files; uint16_t count; uint8_t scope; };
#define HULL_PROC_FILES(scope_of_table, table)                                                     \
    HULL_REGISTER(proc, 5, struct proc_files, proc_files_##table) = {                              \
        .files = table, .count = sizeof table / sizeof *table, .scope = scope_of_table }

/* For entries whose text is fixed, or one number. */
void proc_show_text(struct proc_text *);   /* argument: const char * */
void proc_show_number(struct proc_text *); /* argument: const uint64_t * */
bool proc_number_of(const char *text, uint64_t *out); /* a decimal number with nothing behind it but white space */

/* A file system of one scope; NULL: out of memory. kind and the device number as in struct superblock; magic for statfs. */
struct superblock *proc_super_create(enum proc_scope scope, const char *kind, uint64_t device, int64_t magic);
/* Whose directory /proc/PID the open file is: 0, -EBADF (not such a directory), -ESRCH (the process has ended). */
int proc_directory_process(struct file *, struct process **out);
bool proc_may_look(const struct process *); /* see PROC_PRIVATE */
#endif
