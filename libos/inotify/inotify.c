/*
 * inotify(7). Owns instances (as files) and their watches. A watch hangs on its inode and holds a reference to it, and to the name that it was
 * made with for as long as that is there: so a later walk comes to the same inode, also where a file system makes inodes as it is asked. It holds
 * no mount: the file system goes with its last one, and tells the watch.
 */
#include "inotify/inotify.h"
#include "abi/linux_file.h"
#include "file/file.h"
#include "inotify/queue.h"
#include "procfs/procfs.h"
#include "vfs/internal.h"

enum { IN_UNMOUNT = 0x2000, IN_IGNORED = 0x8000, IN_ONLYDIR = 0x01000000, IN_DONT_FOLLOW = 0x02000000, IN_EXCL_UNLINK = 0x04000000,
       IN_MASK_CREATE = 0x10000000, IN_MASK_ADD = 0x20000000, IN_ISDIR = 0x40000000, WATCHES_MOST = 65536, INSTANCES_MOST = 128 };
#define IN_ONESHOT 0x80000000u
#define IN_KNOWN (IN_ALL | IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK | IN_MASK_CREATE | IN_MASK_ADD | IN_ISDIR | IN_ONESHOT | IN_UNMOUNT | IN_Q_OVERFLOW | IN_IGNORED)

struct instance { struct instance *next; struct event_queue events; struct wait_queue readers; struct inotify_watch *watches; uint32_t count; int last; };
struct inotify_watch {
    struct inotify_watch *next, *next_of_inode;
    struct instance *instance;
    struct inode *inode;
    struct dentry *name; /* NULL: it is gone */
    uint32_t mask;
    int number;
};
static uint32_t watched, instances; /* watches of all instances */
static struct instance *all;

static void add_event(struct instance *instance, int number, uint32_t mask, uint32_t cookie, const char *name, size_t length) {
    if (events_add(&instance->events, number, mask, cookie, name, length)) wait_queue_wake(&instance->readers, -1);
}

/* Takes a watch down; its number is told as ignored. */
static void watch_end(struct inotify_watch *watch) {
    struct instance *instance = watch->instance;
    struct inode *inode = watch->inode;
    struct inotify_watch **link = &instance->watches;
    while (*link != watch) link = &(*link)->next;
    *link = watch->next;
    for (link = &inode->watches; *link != watch; link = &(*link)->next_of_inode) {}
    *link = watch->next_of_inode;
    instance->count--;
    watched--;
    add_event(instance, watch->number, IN_IGNORED, 0, "", 0);
    struct dentry *name = watch->name;
    kfree(watch);
    if (name) dentry_put(name);
    inode_put(inode);
}

/* To the watches of one inode. unlinked: the event is of a name that is gone. */
static void tell(struct inode *inode, uint32_t event, uint32_t cookie, const char *name, size_t length, bool is_directory, bool unlinked) {
    uint32_t mask = event | (is_directory && !(event & (IN_DELETE_SELF | IN_MOVE_SELF)) ? IN_ISDIR : 0);
    for (struct inotify_watch *watch = inode->watches, *next; watch; watch = next) {
        next = watch->next_of_inode;
        if (!(watch->mask & event) || (unlinked && watch->mask & IN_EXCL_UNLINK)) continue;
        add_event(watch->instance, watch->number, mask, cookie, name, length);
        if (watch->mask & IN_ONESHOT) watch_end(watch);
    }
}

void inotify_tell(struct dentry *dentry, uint32_t event) {
    struct inode *inode = dentry->inode;
    if (!watched) return;
    if (dentry->parent && dentry->parent->inode->watches)
        tell(dentry->parent->inode, event, 0, dentry->name, dentry->name_length, is_directory(inode), dentry->deleted);
    if (inode->watches) tell(inode, event, 0, "", 0, is_directory(inode), false);
}

void inotify_tell_inode(struct inode *inode, uint32_t event) {
    if (inode->watches) tell(inode, event, 0, "", 0, is_directory(inode), false);
}

void inotify_tell_name(struct inode *directory, uint32_t event, uint32_t cookie, const char *name, size_t length, bool is_directory) {
    if (directory->watches) tell(directory, event, cookie, name, length, is_directory, false);
}

uint32_t inotify_cookie(void) {
    static uint32_t last;
    return ++last;
}

void inotify_name_gone(struct dentry *dentry) {
    for (struct inotify_watch *watch = dentry->inode->watches; watch; watch = watch->next_of_inode) {
        if (watch->name != dentry) continue;
        watch->name = NULL;
        dentry_put(dentry); /* the caller has the name, too */
    }
}

void inotify_inode_gone(struct inode *inode) {
    if (!inode->watches) return;
    inode_get(inode);
    tell(inode, IN_DELETE_SELF, 0, "", 0, false, false);
    while (inode->watches) watch_end(inode->watches);
    inode_put(inode);
}

/* A watch of this file system; NULL: there is none. */
static struct inotify_watch *watch_in(const struct superblock *super) {
    for (struct instance *instance = all; instance; instance = instance->next)
        for (struct inotify_watch *watch = instance->watches; watch; watch = watch->next)
            if (watch->inode->super == super) return watch;
    return NULL;
}

void inotify_super_gone(const struct superblock *super) {
    for (struct inotify_watch *watch; (watch = watch_in(super));) {
        add_event(watch->instance, watch->number, IN_UNMOUNT | (is_directory(watch->inode) ? IN_ISDIR : 0), 0, "", 0);
        watch_end(watch);
    }
}

static bool has_events(void *argument) { return ((struct instance *)argument)->events.first; }

static long instance_read(struct file *file, const struct iovec *vector, int count, int64_t position) {
    struct instance *instance = file->data;
    (void)position;
    if (count < 1) return 0;
    if (!has_events(instance)) {
        int error = file->flags & O_NONBLOCK ? -EAGAIN : wait_until(&instance->readers, has_events, instance, 0, true);
        if (error) return error;
    }
    uint8_t *to = vector[0].base;
    size_t room = vector[0].length, done = 0;
    while (instance->events.first && event_size(instance->events.first) <= room - done) {
        struct event *event = events_take(&instance->events);
        size_t size = event_size(event);
        int error = user_copy_out(to + done, &event->head, size); /* the name follows the head */
        kfree(event);
        if (error) return done ? (long)done : error;
        done += size;
    }
    return done ? (long)done : -EINVAL;
}

static long instance_ioctl(struct file *file, unsigned long request, unsigned long argument) {
    int bytes = (int)((struct instance *)file->data)->events.bytes;
    return request == FIONREAD ? user_copy_out((void *)argument, &bytes, sizeof bytes) : -ENOTTY;
}

static unsigned instance_poll(struct file *file, struct poll_wait *wait) {
    struct instance *instance = file->data;
    poll_wait_add(wait, &instance->readers);
    return has_events(instance) ? POLLIN | POLLRDNORM : 0;
}

static void instance_close(struct file *file) {
    struct instance *instance = file->data;
    while (instance->watches) watch_end(instance->watches);
    for (struct event *event; (event = events_take(&instance->events));) kfree(event);
    struct instance **link = &all;
    while (*link != instance) link = &(*link)->next;
    *link = instance->next;
    kfree(instance);
    instances--;
}

static int instance_stat(struct file *file, struct linux_stat *out) {
    (void)file;
    out->mode = 0600;
    out->dev = 14;
    out->ino = 1;
    return 0;
}

static const struct file_ops ops = {.kind = "inotify", .read = instance_read, .ioctl = instance_ioctl, .stat = instance_stat, .poll = instance_poll,
                                    .close = instance_close};

SYSCALL_DEFINE(inotify_init1, int flags) {
    if (flags & ~(O_CLOEXEC | O_NONBLOCK)) return -EINVAL;
    if (instances >= INSTANCES_MOST) return -EMFILE;
    struct instance *instance = kzalloc(sizeof *instance);
    struct file *file = instance ? file_create(&ops, O_RDONLY | (uint32_t)(flags & O_NONBLOCK), instance) : NULL;
    if (!file) {
        kfree(instance);
        return -ENOMEM;
    }
    instances++;
    instance->next = all;
    all = instance;
    int descriptor = file_install(file, 0, flags & O_CLOEXEC);
    if (descriptor < 0) file_put(file);
    return descriptor;
}

SYSCALL_DEFINE(inotify_init, void) {
    return sys_inotify_init1(0);
}

/* Takes the path's reference in any case. */
static long add_watch(struct instance *instance, struct path path, uint32_t mask) {
    struct inode *inode = path.dentry->inode;
    struct inotify_watch *watch = inode->watches;
    while (watch && watch->instance != instance) watch = watch->next_of_inode;
    long result = mask & IN_ONLYDIR && !is_directory(inode) ? -ENOTDIR : inode_permission(inode, MAY_READ);
    if (!result && watch && mask & IN_MASK_CREATE) result = -EEXIST;
    if (!result && watch) {
        watch->mask = (mask & IN_MASK_ADD ? watch->mask : 0) | mask;
        result = watch->number;
    } else if (!result) {
        if (watched >= WATCHES_MOST) result = -ENOSPC;
        else if (!(watch = kzalloc(sizeof *watch))) result = -ENOMEM;
        else {
            *watch = (struct inotify_watch){instance->watches, inode->watches, instance, inode, NULL, mask, ++instance->last};
            inode_get(inode);
            instance->watches = inode->watches = watch;
            instance->count++;
            watched++;
            if (!path.dentry->deleted) dentry_get(watch->name = path.dentry);
            result = watch->number;
        }
    }
    path_put(path);
    return result;
}

SYSCALL_DEFINE(inotify_add_watch, int descriptor, const char *program_path, uint32_t mask) {
    struct path path;
    struct file *file = file_lookup(descriptor);
    if (!(mask & IN_KNOWN)) return -EINVAL;
    if (!file) return -EBADF;
    if (mask & IN_MASK_ADD && mask & IN_MASK_CREATE) return -EINVAL;
    if (file->ops != &ops) return -EINVAL;
    char *text = walk_buffer();
    if (!text) return -ENOMEM;
    long result = walk_user(AT_FDCWD, program_path, mask & IN_DONT_FOLLOW ? WALK_NO_FOLLOW : 0, text, &path, NULL);
    walk_buffer_free(text);
    return result ? result : add_watch(file->data, path, mask);
}

SYSCALL_DEFINE(inotify_rm_watch, int descriptor, int number) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    if (file->ops != &ops) return -EINVAL;
    struct inotify_watch *watch = ((struct instance *)file->data)->watches;
    while (watch && watch->number != number) watch = watch->next;
    if (!watch) return -EINVAL;
    watch_end(watch);
    return 0;
}

/* Its limits in /proc, where there is one. */
#pragma weak proc_show_text
static const struct proc_file setting_files[] = {
    { .path = "sys/fs/inotify/max_queued_events", .mode = PROC_READ, .show = proc_show_text, .argument = "16384\n" },
    { .path = "sys/fs/inotify/max_user_instances", .mode = PROC_READ, .show = proc_show_text, .argument = "128\n" },
    { .path = "sys/fs/inotify/max_user_watches", .mode = PROC_READ, .show = proc_show_text, .argument = "65536\n" },
};
HULL_PROC_FILES(PROC_SYSTEM, setting_files);
