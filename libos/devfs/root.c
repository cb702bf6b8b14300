/*
 * The root: a tmpfs with the names that programs expect, or the root file system that the host gave, with /dev and /proc of our own. Also the working directory that the
 * host asked for (made when it is not there, as Docker does).
 */
#include "devfs/internal.h"
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "init/init.h"
#include "lib/format.h"
#include "tmpfs/tmpfs.h"

/* By the component rootfs. */
#pragma GCC visibility push(hidden)
struct superblock *rootfs_super(void) __attribute__((weak));
extern const struct default_mount __hull_default_mount_start[], __hull_default_mount_end[];
#pragma GCC visibility pop

/* mount(2)'s flags. */
enum { NO_SETUID = 2, NO_DEVICES = 4, NO_EXECUTION = 8, MOUNT_RELATIVE = 1 << 21, DEVFS_WITH_ROOT = 1 << 30 };
HULL_DEFAULT_MOUNT(1, devfs_proc) = { "/proc", "proc", "", 0555, NO_SETUID | NO_DEVICES | NO_EXECUTION | MOUNT_RELATIVE };
HULL_DEFAULT_MOUNT(2, devfs_dev) = { "/dev", "tmpfs", "mode=755,size=65536k", 0755, NO_SETUID | DEVFS_WITH_ROOT };
HULL_DEFAULT_MOUNT(3, devfs_shm) = { "/dev/shm", "tmpfs", "size=65536k", 01777, NO_SETUID | NO_DEVICES | NO_EXECUTION | MOUNT_RELATIVE };

static struct superblock *root;

struct superblock *first_mount_super(void) {
    return root;
}

static int make_directory(const char *path, uint32_t mode) {
    int error = vfs_make_directory(path, mode);
    return rootfs_super && error == -EEXIST ? 0 : error;
}

static int make_directories(void) {
    static const struct { const char *path; uint32_t mode; } directories[] = {
        { "/tmp", 01777 }, { "/etc", 0755 }, { "/root", 0700 }, { "/var", 0755 }, { "/var/tmp", 01777 }, { "/run", 0755 }, { "/dev", 0755 },
    };
    for (unsigned i = 0; i < sizeof directories / sizeof *directories; i++) {
        int error = make_directory(directories[i].path, directories[i].mode);
        if (error) return error;
    }
    return 0;
}

/* What describes this machine is not the root image's. Without a root image /dev is a directory of the root. */
static int mount_defaults(void) {
    for (const struct default_mount *at = __hull_default_mount_start; at < __hull_default_mount_end; at++) {
        const struct filesystem *kind = filesystem_find(at->filesystem);
        struct superblock *super;
        if (!kind || (at->flags & DEVFS_WITH_ROOT && !rootfs_super)) continue;
        int error = vfs_make_directory(at->path, at->mode);
        if (error && error != -EEXIST && error != -EROFS) return error; /* file systems made of tables have the directory */
        if (!(error = kind->create(at->filesystem, at->options, &super))) error = vfs_mount(super, at->path, false, at->flags & ~(uint32_t)DEVFS_WITH_ROOT);
        if (error) return error;
    }
    return 0;
}

static int write_text(const char *path, const char *text) {
    return vfs_write_file(path, text, strlen(text), 0644);
}

static int make_files(void) {
    char name[65] = "hull", text[256];
    size_t size;
    const char *given = boot_module_find(HULL_MODULE_HOSTNAME, &size);
    if (given && size) {
        if (size > 64) size = 64;
        memcpy(name, given, size);
        name[size] = 0;
    }
    format_text(text, sizeof text, "%s\n", name);
    int error = write_text("/etc/hostname", text);
    format_text(text, sizeof text, "127.0.0.1\tlocalhost\n::1\tlocalhost\n127.0.1.1\t%s\n", name);
    if (!error) error = write_text("/etc/hosts", text);
    if (rootfs_super) return error; /* its users are its own */
    if (!error) error = write_text("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    if (!error) error = write_text("/etc/group", "root:x:0:\nnogroup:x:65534:\n");
    return error;
}

static void enter_working_directory(void) {
    char path[512];
    size_t size;
    const char *given = boot_module_find(HULL_MODULE_CWD, &size);
    if (!given || !size || size >= sizeof path) return;
    for (size_t i = 0; i <= size; i++) {
        if (i && (i == size || given[i] == '/')) {
            path[i] = 0;
            vfs_make_directory(path, 0755);
        }
        if (i < size) path[i] = given[i];
    }
    int error = vfs_enter(path);
    if (error) log_line("cannot enter the working directory \"%s\": error %d", path, -error);
}

static void devfs_start(void) {
    root = rootfs_super ? rootfs_super() : tmpfs_create(0755, 20);
    int error = root ? vfs_mount(root, "/", true, MOUNT_RELATIVE) : -ENOMEM;
    first_process.view->umask = 0;
    if (!error) error = make_directories();
    if (!error) error = mount_defaults();
    if (!error) error = make_files();
    if (!error) host_files_attach();
    if (!error) error = devices_attach();
    if (!error) error = program_attach();
    if (error) panic("devfs: the root file system cannot be made, error %d", -error);
    enter_working_directory();
    first_process.view->umask = 022;
}
HULL_INIT(6, devfs_start);
