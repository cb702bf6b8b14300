/*
 * Files that the host lays over the root file system (HULL_MODULE_FILES of abi/boot_abi.h): what it knows about this machine and no image can, such as /etc/resolv.conf.
 * A link in the root image is followed when it leads to somewhere, as a bind mount would, and replaced when it does not.
 */
#include "devfs/internal.h"
#include "abi/boot_abi.h"
#include "channel/channel.h"
#include "init/init.h"

struct file_record { uint32_t mode, size; char path[]; };

static void make_parents(const char *path) {
    char parent[256];
    for (size_t i = 0; path[i] && i < sizeof parent - 1; i++) {
        if (i && path[i] == '/') {
            parent[i] = 0;
            vfs_make_directory(parent, 0755);
        }
        parent[i] = path[i];
    }
}

static void write_file(const char *path, const char *content, size_t size, uint32_t mode) {
    int error = vfs_write_file(path, content, size, mode);
    if (error) {
        make_parents(path);
        vfs_remove(path);
        error = vfs_write_file(path, content, size, mode);
    }
    if (error) log_line("cannot write \"%s\": error %d", path, -error);
}

void host_files_attach(void) {
    size_t left;
    const char *at = boot_module_find(HULL_MODULE_FILES, &left);
    while (at && left > sizeof(struct file_record)) {
        struct file_record record;
        memcpy(&record, at, sizeof record);
        const char *path = at + sizeof record;
        size_t length = 0, room = left - sizeof record;
        while (length < room && path[length]) length++;
        if (length == room || record.size > room - length - 1 || path[0] != '/') break;
        write_file(path, path + length + 1, record.size, record.mode & 0777);
        at = path + length + 1 + record.size;
        left = room - length - 1 - record.size;
    }
}
