/*
 * open and openat for programs that open nothing but the memory devices, by constant paths: a table in place of the file system. Selection
 * chooses this component only when the analysis proves it (component.json, "instead"), so another path is one that cannot come.
 */
#include "abi/linux_file.h"
#include "lib/string.h"
#include "memory-devices/memory_devices.h"
#include "syscall/syscall.h"

static long open_device(const char *program_path, uint32_t flags) {
    static const struct { char name[8]; uint8_t minor; } devices[] = {
        { "null", 3 }, { "zero", 5 }, { "full", 7 }, { "random", 8 }, { "urandom", 9 },
    };
    char path[16];
    long length = user_string_in(path, program_path, sizeof path);
    if (length < 0) return length == -ENAMETOOLONG ? -ENOENT : length;
    for (unsigned i = 0; i < sizeof devices / sizeof *devices; i++) {
        if (memcmp(path, "/dev/", 5) || strcmp(path + 5, devices[i].name)) continue;
        if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL)) return -EEXIST;
        if (flags & O_DIRECTORY) return -ENOTDIR;
        struct file *file;
        uint32_t kept = flags & ~(uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
        long result = memory_device_open(devices[i].minor, kept | O_LARGEFILE, NULL, &file);
        if (result) return result;
        result = file_install(file, 0, (flags & O_CLOEXEC) != 0);
        if (result < 0) file_put(file);
        return result;
    }
    return -ENOENT;
}

SYSCALL_DEFINE(open, const char *path, int flags) {
    return open_device(path, (uint32_t)flags);
}

SYSCALL_DEFINE(openat, int directory, const char *path, int flags) {
    (void)directory; /* the paths are absolute */
    return open_device(path, (uint32_t)flags);
}
