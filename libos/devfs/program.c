/*
 * The embedded executable at its own path: a read-only file whose pages are the image's. Bytes behind its end within the last
 * page are what the linker put there (zeros).
 */
#include "devfs/internal.h"

extern const uint8_t hull_program_start[] __attribute__((weak)), hull_program_end[] __attribute__((weak));
extern const char hull_program_path[] __attribute__((weak));

static int get_page(struct inode *inode, uint64_t index, int how, uint64_t *physical) {
    (void)how;
    if (index >= ((uint64_t)inode->size + PAGE_SIZE - 1) >> PAGE_SHIFT) return -ENXIO;
    *physical = virt_to_phys(hull_program_start + index * PAGE_SIZE); /* not RAM of the allocator: has no count */
    return 0;
}

static void release(struct inode *inode) {
    kfree(inode);
}

static const struct inode_ops program_ops = { .get_page = get_page, .release = release };

/* Makes the directories that lead to `path`. */
static int make_parents(const char *path) {
    char *text = page_alloc();
    if (!text) return -ENOMEM;
    for (size_t i = 0; i < PATH_MAX - 1 && path[i]; i++) {
        if (i && path[i] == '/') {
            text[i] = 0;
            vfs_make_directory(text, 0755); /* there already is fine */
        }
        text[i] = path[i];
    }
    page_put(virt_to_phys(text));
    return 0;
}

int program_attach(void) {
    if (!hull_program_path || !hull_program_start || hull_program_path[0] != '/') return 0;
    int error = make_parents(hull_program_path);
    struct inode *inode = error ? NULL : inode_create(&program_ops, first_mount_super(), S_IFREG | 0755);
    if (!inode) return -ENOMEM;
    inode->size = hull_program_end - hull_program_start;
    error = vfs_attach(hull_program_path, inode);
    if (error) inode_put(inode);
    return error;
}
