/* ustat(2) and sysfs(2): old questions about mounted and known file systems. */
#include "mount/internal.h"

#pragma GCC visibility push(hidden)
extern const struct filesystem __hull_filesystem_start[], __hull_filesystem_end[];
#pragma GCC visibility pop

struct ustat { int32_t free_blocks, padding; uint64_t free_inodes; char name[6], pack[6]; };

SYSCALL_DEFINE(ustat, uint32_t device, struct ustat *out) {
    for (struct mount *mount = first_mount; mount; mount = mount->next) {
        struct superblock *super = mount->super;
        struct linux_statfs fs = { .bsize = PAGE_SIZE };
        if (super->device != device) continue;
        if (super->ops && super->ops->statfs) super->ops->statfs(super, &fs);
        struct ustat answer = { .free_blocks = (int32_t)fs.bfree, .free_inodes = fs.ffree };
        return user_copy_out(out, &answer, sizeof answer);
    }
    return -EINVAL;
}

SYSCALL_DEFINE(sysfs, int option, uintptr_t first, uintptr_t second) {
    unsigned count = (unsigned)(__hull_filesystem_end - __hull_filesystem_start);
    char name[32];
    switch (option) {
    case 1: {
        long length = user_string_in(name, (const char *)first, sizeof name);
        if (length < 0) return length == -ENAMETOOLONG ? -EINVAL : length;
        for (unsigned i = 0; i < count; i++)
            if (!strcmp(__hull_filesystem_start[i].name, name)) return i;
        return -EINVAL;
    }
    case 2:
        if (first >= count) return -EINVAL;
        return user_copy_out((void *)second, __hull_filesystem_start[first].name, strlen(__hull_filesystem_start[first].name) + 1);
    case 3: return count;
    default: return -EINVAL;
    }
}
