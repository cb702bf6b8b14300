/*
 * Open files and descriptor tables. Owns struct file (reference-counted) and struct file_table (belongs to a process).
 * Anything that a descriptor can name (console, pipe, socket, regular file, epoll …) is a file_ops.
 */
#ifndef HULL_FILE_FILE_H
#define HULL_FILE_FILE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "wait/wait.h"

struct process;
struct file;
struct iovec { void *base; size_t length; };
struct linux_stat; struct linux_statx; struct dirent_sink; struct vm_area;
/* How get_page gets a page: CREATE: a hole gets a page of its own (shared mappings); AT_HAND: only what needs no waiting, else -EAGAIN. */
enum { FILE_PAGE_AT_HAND = -1, FILE_PAGE_READ = 0, FILE_PAGE_CREATE = 1 };
struct file_ops {
    const char *kind; /* "console", "pipe", … as /proc/self/fd shows it */
    /* iov (itself libOS memory) points at unchecked program memory: use user_copy_*. count <= FILE_MAX_IOVECS, sum fits a long. Return bytes, 0 at end of file, -errno. May sleep unless O_NONBLOCK. position < 0: the file's own. */
    long (*read)(struct file *, const struct iovec *iov, int count, int64_t position);
    long (*write)(struct file *, const struct iovec *iov, int count, int64_t position);
    long (*ioctl)(struct file *, unsigned long request, unsigned long argument); /* absent: -ENOTTY */
    long (*fcntl)(struct file *, unsigned command, unsigned long argument);      /* commands of its own; absent: -EINVAL */
    int64_t (*seek)(struct file *, int64_t offset, int whence);                  /* absent: -ESPIPE */
    int (*stat)(struct file *, struct linux_stat *out);
    /* POLLIN|… ready now; when a wait is given, also queues it so that a change wakes it. absent: always ready. */
    unsigned (*poll)(struct file *, struct poll_wait *wait);
    void (*close)(struct file *); /* last reference gone */
    int (*sync)(struct file *);   /* what was written through mappings goes to where the file is kept; absent: it is there already */
    /* The physical page that holds bytes index * PAGE_SIZE…, with a reference for the caller (page_put). Beyond the end: -ENXIO
     * (the caller's SIGBUS). how: FILE_PAGE_*. Private mappings copy the page on write. */
    int (*get_page)(struct file *, uint64_t index, int how, uint64_t *physical);
    void (*unmapped)(struct file *); /* an area that shows it goes, before its reference does; absent: nothing to do */
};
/* Whom signals of a file go to (fcntl(2), F_SETOWN); id 0: nobody. uid: the effective one of who said so. */
enum { OWNER_THREAD, OWNER_PROCESS, OWNER_GROUP };
struct file_owner { int id; uint32_t uid; uint8_t kind; };
struct file {
    const struct file_ops *ops;
    uint32_t references;
    uint32_t flags;    /* O_* as opened, changed by F_SETFL */
    struct file_owner owner;
    int64_t position;
    void *data;        /* the ops' own */
    struct epoll_item *watchers; /* the component `epoll`'s */
    void (*release)(struct file *); /* frees the struct itself; NULL for static ones (keeps the heap out of small images) */
};
#define FILE_MAX_IOVECS 1024
#define FILE_MAX_DESCRIPTORS 65536 /* the hard limit at first, and nr_open */
#define FILE_FIRST_DESCRIPTORS 1024 /* the soft limit at first, as Linux's */
uint32_t limit_descriptors(const struct process *); /* RLIMIT_NOFILE, by `system` where that is in the image; at most FILE_MAX_DESCRIPTORS */
/* files == NULL means `first` and `first_cloexec` are in use (so that a static table needs no relocation and no start code). No slot below `taken` is free. */
struct file_table { uint32_t references; uint32_t size, taken; struct file **files; uint8_t *close_on_exec; struct file *first[8]; uint8_t first_cloexec[8]; };
extern struct file_table first_file_table; /* the first process's: 0, 1, 2 are the console */
/* fork: a copy, each file once more referenced; NULL: out of memory. exec: closes what is marked. exit: drops the table. */
struct file_table *file_table_copy(const struct file_table *);
void file_table_close_on_exec(struct file_table *);
void file_table_put(struct file_table *);

struct file *file_create(const struct file_ops *ops, uint32_t flags, void *data); /* one reference; NULL: out of memory */
long file_set_owner(struct file *, long number); /* as F_SETOWN: of a process, or a group's, negative. 0 or -errno */
int file_owner_number(const struct file *);      /* as F_GETOWN */
/* By `proc-process`, which counts: after each read or write of a file. */
void file_transferred(bool written, long result) __attribute__((weak));
void file_get(struct file *);
void file_put(struct file *);
struct file *file_lookup(int descriptor); /* borrowed from the current process's table; NULL: bad descriptor, or one that only names a place (O_PATH) */
struct file *file_lookup_any(int descriptor); /* likewise, for what also takes O_PATH (open(2)) */
struct file *file_lookup_in(const struct file_table *, int descriptor, bool *close_on_exec); /* likewise from any table; close_on_exec may be NULL */
int file_install(struct file *, int least, int cloexec); /* takes the reference; descriptor, or -EMFILE, -ENOMEM (the reference stays the caller's) */
int file_room(void); /* before what can not be taken back: 0, or -EMFILE when file_install would find no descriptor */
void file_uninstall(int descriptor);                     /* closes what file_install made */
#endif
