/*
 * /proc/PID/mounts, mountinfo, mountstats (proc_pid_mountinfo(5)): the mounts that the process can reach from its root, by their places as it sees them.
 */
#include "proc-process/internal.h"
#include "vfs/internal.h"

static bool reachable(const struct mount *mount, const struct mount_view *view) {
    for (const struct mount *at = mount; at; at = at->parent) {
        if (at == view->root.mount) return at == mount || dentry_is_below(mount->parent == at ? mount->on : at->root, view->root.dentry) || view->root.dentry == at->root;
    }
    return false;
}

static void put_place(struct proc_text *out, struct path place, char *buffer) {
    long length = path_text(place, buffer, PATH_MAX);
    if (length > 0) proc_escaped(out, buffer, " \t\n#");
}

/* The mount's root within its file system. */
static void put_inner(struct proc_text *out, const struct mount *mount) {
    const struct dentry *names[64];
    unsigned count = 0;
    for (const struct dentry *at = mount->root; at->parent && count < 64; at = at->parent) names[count++] = at;
    if (!count) proc_print(out, "/");
    while (count) {
        proc_print(out, "/");
        proc_escaped(out, names[--count]->name, " \t\n#");
    }
}

static void put_flags(struct proc_text *out, const struct mount *mount) {
    unsigned flags = mount->flags;
    proc_print(out, "%s%s%s%s%s%s%s", flags & MOUNT_READ_ONLY ? "ro" : "rw", flags & MOUNT_NO_SETUID ? ",nosuid" : "", flags & MOUNT_NO_DEVICES ? ",nodev" : "",
               flags & MOUNT_NO_EXECUTION ? ",noexec" : "", flags & MOUNT_NO_ACCESS_TIME ? ",noatime" : "", flags & MOUNT_NO_DIRECTORY_TIME ? ",nodiratime" : "",
               flags & MOUNT_RELATIVE_TIME ? ",relatime" : "");
}

static const char *source_of(const struct mount *mount) { return mount->source ? mount->source : mount->super->source ? mount->super->source : mount->super->kind; }

static void put_super_options(struct proc_text *out, struct superblock *super) {
    char options[256];
    size_t size = super->ops && super->ops->options ? super->ops->options(super, options, sizeof options) : 0;
    proc_bytes(out, options, size);
}

typedef void (*line)(struct proc_text *, struct mount *, char *buffer);
static void for_all(struct proc_text *out, line put) {
    const struct mount_view *view = out->process->view;
    char *buffer = view ? walk_buffer() : NULL;
    if (!buffer) return;
    for (struct mount *mount = first_mount; mount; mount = mount->next)
        if (reachable(mount, view)) put(out, mount, buffer);
    walk_buffer_free(buffer);
}

static struct path place_of(struct mount *mount) { return (struct path){ mount, mount->root }; }

static void mounts_line(struct proc_text *out, struct mount *mount, char *buffer) {
    proc_escaped(out, source_of(mount), " \t\n#");
    proc_print(out, " ");
    put_place(out, place_of(mount), buffer);
    proc_print(out, " %s ", mount->super->kind);
    if (mount->super->read_only && !(mount->flags & MOUNT_READ_ONLY)) {
        struct mount as_seen = *mount;
        as_seen.flags |= MOUNT_READ_ONLY;
        put_flags(out, &as_seen);
    } else {
        put_flags(out, mount);
    }
    put_super_options(out, mount->super);
    proc_print(out, " 0 0\n");
}

static void mountinfo_line(struct proc_text *out, struct mount *mount, char *buffer) {
    unsigned device = (unsigned)mount->super->device;
    proc_print(out, "%u %u %u:%u ", mount->id, mount->parent ? mount->parent->id : 1, device >> 8, device & 0xff);
    put_inner(out, mount);
    proc_print(out, " ");
    put_place(out, place_of(mount), buffer);
    proc_print(out, " ");
    put_flags(out, mount);
    proc_print(out, " - %s ", mount->super->kind);
    proc_escaped(out, source_of(mount), " \t\n#");
    proc_print(out, " %s", mount->super->read_only ? "ro" : "rw");
    put_super_options(out, mount->super);
    proc_print(out, "\n");
}

static void mountstats_line(struct proc_text *out, struct mount *mount, char *buffer) {
    proc_print(out, "device %s mounted on ", source_of(mount));
    put_place(out, place_of(mount), buffer);
    proc_print(out, " with fstype %s\n", mount->super->kind);
}

static void show_mounts(struct proc_text *out) { for_all(out, mounts_line); }
static void show_mountinfo(struct proc_text *out) { for_all(out, mountinfo_line); }
static void show_mountstats(struct proc_text *out) { for_all(out, mountstats_line); }

static const struct proc_file mount_files[] = {
    { .path = "mounts", .mode = PROC_READ, .show = show_mounts },
    { .path = "mountinfo", .mode = PROC_READ, .show = show_mountinfo },
    { .path = "mountstats", .mode = PROC_OWNER_READ, .show = show_mountstats },
};
HULL_PROC_FILES(PROC_PROCESS, mount_files);
