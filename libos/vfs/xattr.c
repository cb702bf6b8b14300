/*
 * Extended attributes (xattr(7)): no file system here has any. Paths are looked up as ever, then the answer is what Linux gives on such a
 * file system: nothing to list, EOPNOTSUPP for the rest.
 */
#include "vfs/internal.h"

static long by_path(const char *program_path, unsigned flags, long answer) {
    char *buffer = walk_buffer();
    struct path path;
    if (!buffer) return -ENOMEM;
    int error = walk_user(AT_FDCWD, program_path, flags, buffer, &path, NULL);
    walk_buffer_free(buffer);
    if (error) return error;
    path_put(path);
    return answer;
}

static long by_descriptor(int descriptor, long answer) {
    return file_lookup(descriptor) ? answer : -EBADF;
}

SYSCALL_DEFINE(getxattr, const char *path, const char *name, void *value, size_t size) {
    (void)name, (void)value, (void)size;
    return by_path(path, 0, -EOPNOTSUPP);
}

SYSCALL_DEFINE(lgetxattr, const char *path, const char *name, void *value, size_t size) {
    (void)name, (void)value, (void)size;
    return by_path(path, WALK_NO_FOLLOW, -EOPNOTSUPP);
}

SYSCALL_DEFINE(fgetxattr, int descriptor, const char *name, void *value, size_t size) {
    (void)name, (void)value, (void)size;
    return by_descriptor(descriptor, -EOPNOTSUPP);
}

SYSCALL_DEFINE(setxattr, const char *path, const char *name, const void *value, size_t size, int flags) {
    (void)name, (void)value, (void)size, (void)flags;
    return by_path(path, 0, -EOPNOTSUPP);
}

SYSCALL_DEFINE(lsetxattr, const char *path, const char *name, const void *value, size_t size, int flags) {
    (void)name, (void)value, (void)size, (void)flags;
    return by_path(path, WALK_NO_FOLLOW, -EOPNOTSUPP);
}

SYSCALL_DEFINE(fsetxattr, int descriptor, const char *name, const void *value, size_t size, int flags) {
    (void)name, (void)value, (void)size, (void)flags;
    return by_descriptor(descriptor, -EOPNOTSUPP);
}

SYSCALL_DEFINE(listxattr, const char *path, char *list, size_t size) {
    (void)list, (void)size;
    return by_path(path, 0, 0);
}

SYSCALL_DEFINE(llistxattr, const char *path, char *list, size_t size) {
    (void)list, (void)size;
    return by_path(path, WALK_NO_FOLLOW, 0);
}

SYSCALL_DEFINE(flistxattr, int descriptor, char *list, size_t size) {
    (void)list, (void)size;
    return by_descriptor(descriptor, 0);
}

SYSCALL_DEFINE(removexattr, const char *path, const char *name) {
    (void)name;
    return by_path(path, 0, -EOPNOTSUPP);
}

SYSCALL_DEFINE(lremovexattr, const char *path, const char *name) {
    (void)name;
    return by_path(path, WALK_NO_FOLLOW, -EOPNOTSUPP);
}

SYSCALL_DEFINE(fremovexattr, int descriptor, const char *name) {
    (void)name;
    return by_descriptor(descriptor, -EOPNOTSUPP);
}
