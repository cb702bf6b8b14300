/*
 * Files, names and tmpfs through the calls themselves, without a machine: paths, links, rename's conditions, sparse content, directories
 * that change while they are read, descriptors; then a random storm against a model.
 * sources: libos/vfs/dentry.c libos/vfs/inode.c libos/vfs/xattr.c libos/vfs/seals.c libos/vfs/walk.c libos/vfs/view.c libos/vfs/mount.c libos/vfs/open.c libos/vfs/attributes.c libos/vfs/names.c libos/vfs/transfer.c libos/tmpfs/content.c libos/tmpfs/file.c libos/tmpfs/directory.c libos/tmpfs/super.c libos/file/file.c libos/file/table.c libos/file/transfer.c libos/file/read.c libos/file/write.c libos/file/descriptor.c
 * flags: -fno-builtin
 */
#include "stand_ins.h"
#include "vfs/internal.h"
#include "tmpfs/tmpfs.h"
#include "console/console.h"

/* Pages are counted by a header of their own, so that what is left at the end is known. */
static long pages_out;
static uint32_t page_counts[1 << 16];
char *native_arena; /* page 0 is never given: tmpfs takes address 0 for a hole */
static uint32_t free_pages[1 << 16], free_count;
void *page_alloc(void) {
    if (!native_arena) {
        native_arena = aligned_alloc(4096, (1ul << 16) * 4096);
        for (uint32_t i = 1; i < 1 << 16; i++) free_pages[free_count++] = i;
    }
    if (!free_count) return NULL;
    uint32_t index = free_pages[--free_count];
    page_counts[index] = 1;
    pages_out++;
    return native_arena + index * 4096ul;
}
void *page_alloc_zeroed(void) {
    void *page = page_alloc();
    return page ? memset(page, 0, 4096) : NULL;
}
struct page *page_of(uint64_t physical) { /* a copy to look at */
    static struct page seen;
    seen = (struct page){.references = page_counts[physical / 4096]};
    return &seen;
}
void page_get(uint64_t physical) { page_counts[physical / 4096]++; }
void page_put(uint64_t physical) {
    uint32_t index = (uint32_t)(physical / 4096);
    CHECK(page_counts[index] > 0);
    if (--page_counts[index]) return;
    free_pages[free_count++] = index;
    pages_out--;
}
void *pages_alloc(unsigned count) { return aligned_alloc(4096, count * 4096ul); }
void pages_free(void *pages, unsigned count) { (void)count; free(pages); }
uint64_t memory_total(void) { return 1ul << 28; }
uint64_t memory_free(void) { return free_count * 4096ul; }
bool memory_make_free(uint64_t bytes) { return memory_free() >= bytes; }
void *kmalloc(size_t size) { return malloc(size); }
void *kzalloc(size_t size) { return calloc(1, size); }
void kfree(void *p) { free(p); }
int wait_until(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t deadline, int interruptible) {
    (void)queue, (void)condition, (void)argument, (void)deadline, (void)interruptible;
    CHECK(!"nobody else has the names of a directory");
    return 0;
}
void wait_queue_wake(struct wait_queue *queue, int count) { (void)queue, (void)count; }
uint64_t clock_realtime_ns(void) { static uint64_t now = 1000000000; return now += 1000; }
int user_copy_in(void *to, const void *program, size_t size) {
    if (size && (uintptr_t)program < 4096) return -EFAULT;
    memmove(to, program, size);
    return 0;
}
int user_copy_out(void *program, const void *from, size_t size) {
    if (size && (uintptr_t)program < 4096) return -EFAULT;
    memmove(program, from, size);
    return 0;
}
long user_string_in(char *to, const char *program, size_t room) {
    if ((uintptr_t)program < 4096) return -EFAULT;
    size_t length = strlen(program);
    if (length >= room) return -ENAMETOOLONG;
    memcpy(to, program, length + 1);
    return (long)length;
}
int device_open(struct inode *inode, uint32_t flags, struct file **out) { (void)inode, (void)flags, (void)out; return -ENXIO; }
struct file console_files[3];
uint32_t input_component;
struct process first_process = { .files = &first_file_table };
struct thread first_thread = { .process = &first_process };
struct cpu cpu_zero = { .current = &first_thread };

long sys_open(const char *, int, uint32_t), sys_close(int), sys_read(int, void *, size_t), sys_write(int, const void *, size_t);
long sys_pread64(int, void *, size_t, int64_t), sys_pwrite64(int, const void *, size_t, int64_t), sys_lseek(int, int64_t, int);
long sys_mkdir(const char *, uint32_t), sys_rmdir(const char *), sys_unlink(const char *), sys_rename(const char *, const char *);
long sys_renameat2(int, const char *, int, const char *, unsigned), sys_link(const char *, const char *), sys_symlink(const char *, const char *);
long sys_stat(const char *, struct linux_stat *), sys_lstat(const char *, struct linux_stat *), sys_chdir(const char *), sys_getcwd(char *, size_t);
long sys_getdents64(int, void *, unsigned), sys_ftruncate(int, int64_t), sys_fallocate(int, int, int64_t, int64_t), sys_dup2(int, int);
long sys_openat(int, const char *, int, uint32_t), sys_access(const char *, unsigned), sys_chmod(const char *, uint32_t), sys_sendfile(int, int, int64_t *, size_t);

static long make(const char *path, const char *content) {
    long descriptor = sys_open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (descriptor < 0) return descriptor;
    sys_write((int)descriptor, content, strlen(content));
    return sys_close((int)descriptor);
}
static long size_of(const char *path) {
    struct linux_stat stat;
    long error = sys_stat(path, &stat);
    return error ? error : stat.size;
}

static void paths(void) {
    char text[256];
    EQUAL(sys_mkdir("/a", 0755), 0);
    EQUAL(sys_mkdir("/a", 0755), -EEXIST);
    EQUAL(sys_mkdir("/a/b/", 0755), 0);
    EQUAL(sys_mkdir("/no/b", 0755), -ENOENT);
    EQUAL(make("/a/b/f", "12345"), 0);
    EQUAL(size_of("/a//b/./../b/f"), 5);
    EQUAL(size_of("/../../a/b/f"), 5);
    EQUAL(size_of("/a/b/f/"), -ENOTDIR);
    EQUAL(size_of("/a/b/f/x"), -ENOTDIR);
    EQUAL(size_of(""), -ENOENT);
    EQUAL(sys_chdir("/a/b"), 0);
    EQUAL(size_of("f"), 5);
    EQUAL(sys_getcwd(text, sizeof text), 5);
    CHECK(!memcmp(text, "/a/b", 5));
    EQUAL(sys_getcwd(text, 4), -ERANGE);
    EQUAL(sys_chdir("f"), -ENOTDIR);
    EQUAL(sys_open("/a", O_WRONLY, 0), -EISDIR);
    EQUAL(sys_open("/a/new/", O_WRONLY | O_CREAT, 0644), -EISDIR);
    EQUAL(sys_open("f", O_CREAT | O_EXCL, 0644), -EEXIST);
    EQUAL(sys_open((const char *)16, 0, 0), -EFAULT);
    char longest[300];
    memset(longest, 'x', sizeof longest);
    longest[256] = 0;
    EQUAL(sys_mkdir(longest, 0755), -ENAMETOOLONG);
    longest[255] = 0;
    EQUAL(sys_mkdir(longest, 0755), 0);
    EQUAL(sys_rmdir(longest), 0);
    EQUAL(sys_chdir("/"), 0);
}

static void links(void) {
    struct linux_stat stat;
    EQUAL(sys_symlink("b/f", "/a/l"), 0);
    EQUAL(size_of("/a/l"), 5);
    EQUAL(sys_lstat("/a/l", &stat), 0);
    EQUAL(stat.mode & S_IFMT, S_IFLNK);
    EQUAL(stat.size, 3);
    EQUAL(sys_symlink("/a/loop", "/a/loop"), 0);
    EQUAL(size_of("/a/loop"), -ELOOP);
    EQUAL(sys_open("/a/l", O_NOFOLLOW, 0), -ELOOP);
    EQUAL(sys_symlink("made", "/a/dangling"), 0);
    EQUAL(size_of("/a/dangling"), -ENOENT);
    EQUAL(sys_open("/a/dangling", O_CREAT | O_EXCL | O_RDWR, 0644), -EEXIST);
    EQUAL(make("/a/dangling", "xyz"), 0);
    EQUAL(size_of("/a/made"), 3);
    EQUAL(sys_symlink("/a", "/to-a"), 0);
    EQUAL(sys_lstat("/to-a/", &stat), 0);
    EQUAL(stat.mode & S_IFMT, S_IFDIR);
    EQUAL(sys_link("/a/b/f", "/a/hard"), 0);
    EQUAL(sys_stat("/a/hard", &stat), 0);
    EQUAL(stat.nlink, 2);
    EQUAL(sys_link("/a", "/a2"), -EPERM);
    EQUAL(sys_unlink("/a/b/f"), 0);
    EQUAL(size_of("/a/hard"), 5);
    EQUAL(sys_unlink("/a/b"), -EISDIR);
    EQUAL(sys_rmdir("/a"), -ENOTEMPTY);
    EQUAL(sys_rmdir("/a/made"), -ENOTDIR);
}

static void renames(void) {
    struct linux_stat before, after;
    sys_mkdir("/r", 0755), sys_mkdir("/r/d", 0755), sys_mkdir("/r/d/e", 0755), sys_mkdir("/r/empty", 0755);
    make("/r/f", "f"), make("/r/g", "gg");
    EQUAL(sys_rename("/r/d", "/r/d/e/x"), -EINVAL);
    EQUAL(sys_rename("/r/f", "/r/d"), -EISDIR);
    EQUAL(sys_rename("/r/d", "/r/f"), -ENOTDIR);
    EQUAL(sys_rename("/r/empty", "/r/d"), -ENOTEMPTY);
    EQUAL(sys_renameat2(AT_FDCWD, "/r/f", AT_FDCWD, "/r/g", 1), -EEXIST);
    EQUAL(sys_renameat2(AT_FDCWD, "/r/f", AT_FDCWD, "/r/d", 2), 0);
    EQUAL(size_of("/r/d"), 1);
    EQUAL(sys_stat("/r/f/e", &after), 0);
    EQUAL(sys_renameat2(AT_FDCWD, "/r/f", AT_FDCWD, "/r/d", 2), 0);
    EQUAL(sys_rename("/r/f", "/r/g"), 0);
    EQUAL(size_of("/r/g"), 1);
    EQUAL(size_of("/r/f"), -ENOENT);
    sys_stat("/r", &before);
    EQUAL(sys_rename("/r/d", "/r/empty"), 0);
    sys_stat("/r", &after);
    EQUAL(after.nlink, before.nlink - 1);
    EQUAL(sys_rename("/r/empty/e", "/e"), 0);
    EQUAL(sys_stat("/e/../r/g", &after), 0);
    EQUAL(sys_rename("/r/.", "/q"), -EBUSY);
    long directory = sys_open("/e", O_RDONLY | O_DIRECTORY, 0);
    EQUAL(sys_rmdir("/e"), 0);
    EQUAL(sys_openat((int)directory, "x", O_CREAT | O_WRONLY, 0644), -ENOENT);
    EQUAL(sys_close((int)directory), 0);
}

static void content(void) {
    char bytes[10000];
    struct linux_stat stat;
    long before = pages_out;
    int fd = (int)sys_open("/c", O_RDWR | O_CREAT, 0600);
    EQUAL(sys_pwrite64(fd, "end", 3, 1l << 40), 3);
    EQUAL(size_of("/c"), (1l << 40) + 3);
    sys_stat("/c", &stat);
    EQUAL(stat.blocks, 8);
    EQUAL(sys_pread64(fd, bytes, 10000, (1l << 40) - 5000), 5003);
    CHECK(!bytes[0] && !bytes[4999] && bytes[5000] == 'e' && bytes[5002] == 'd');
    EQUAL(sys_ftruncate(fd, 5), 0);
    EQUAL(pages_out, before);
    EQUAL(sys_pwrite64(fd, "abcdefgh", 8, 0), 8);
    EQUAL(sys_ftruncate(fd, 3), 0);
    EQUAL(sys_ftruncate(fd, 8), 0);
    EQUAL(sys_pread64(fd, bytes, 8, 0), 8);
    CHECK(!memcmp(bytes, "abc\0\0\0\0\0", 8));
    EQUAL(sys_fallocate(fd, 0, 0, 20000), 0);
    memset(bytes, 'x', sizeof bytes);
    EQUAL(sys_pwrite64(fd, bytes, 10000, 0), 10000);
    EQUAL(sys_fallocate(fd, 3, 1000, 8000), 0);
    EQUAL(sys_pread64(fd, bytes, 10000, 0), 10000);
    CHECK(bytes[999] == 'x' && !bytes[1000] && !bytes[5000] && !bytes[8999] && bytes[9000] == 'x');
    EQUAL(sys_lseek(fd, -1, SEEK_SET), -EINVAL);
    EQUAL(sys_lseek(fd, 0, SEEK_END), 20000);
    EQUAL(sys_read(fd, bytes, 10), 0);
    EQUAL(sys_write(fd, (void *)16, 10), -EFAULT);
    int copy = (int)sys_open("/c2", O_RDWR | O_CREAT, 0600);
    int64_t at = 900;
    EQUAL(sys_sendfile(copy, fd, &at, 150), 150);
    EQUAL(at, 1050);
    EQUAL(sys_pread64(copy, bytes, 200, 0), 150);
    CHECK(bytes[99] == 'x' && !bytes[100]);
    EQUAL(sys_unlink("/c"), 0);
    EQUAL(sys_pread64(fd, bytes, 10, 0), 10); /* lives while it is open */
    EQUAL(sys_dup2(fd, 30), 30);
    EQUAL(sys_close(fd), 0);
    EQUAL(sys_pread64(30, bytes, 10, 0), 10);
    EQUAL(sys_close(30), 0);
    EQUAL(sys_close(30), -EBADF);
    EQUAL(sys_close(copy), 0);
    EQUAL(sys_unlink("/c2"), 0);
    EQUAL(sys_mkdir("/again", 0755), 0); /* pushes nothing: idle dentries hold deleted files' pages no longer */
    EQUAL(pages_out, before);
}

/* A reader in the middle of a directory that loses and gains names sees every staying name exactly once. */
static void listing(void) {
    char path[64], buffer[256];
    bool seen[300] = { false };
    sys_mkdir("/list", 0755);
    for (int i = 0; i < 300; i++) {
        path[0] = 0;
        memcpy(path, "/list/", 6);
        path[6] = (char)('0' + i / 100), path[7] = (char)('0' + i / 10 % 10), path[8] = (char)('0' + i % 10), path[9] = 0;
        EQUAL(make(path, ""), 0);
    }
    int fd = (int)sys_open("/list", O_RDONLY | O_DIRECTORY, 0), count = 0, removed = 299;
    EQUAL(sys_getdents64(fd, buffer, 8), -EINVAL);
    for (long size; (size = sys_getdents64(fd, buffer, sizeof buffer)) > 0;) {
        for (long at = 0; at < size;) {
            struct linux_dirent64 *entry = (struct linux_dirent64 *)(buffer + at);
            at += entry->length;
            if (entry->name[0] == '.') continue;
            int number = (entry->name[0] - '0') * 100 + (entry->name[1] - '0') * 10 + entry->name[2] - '0';
            CHECK(!seen[number]);
            seen[number] = true;
            count++;
        }
        if (removed > 250) {
            path[6] = (char)('0' + removed / 100), path[7] = (char)('0' + removed / 10 % 10), path[8] = (char)('0' + removed % 10);
            EQUAL(sys_unlink(path), 0);
            removed -= 2;
        }
    }
    EQUAL(sys_close(fd), 0);
    for (int i = 0; i <= 250; i++) CHECK(seen[i]);
    CHECK(count < 300);
}

static void permissions(void) {
    make("/secret", "x");
    sys_chmod("/secret", 0600);
    sys_mkdir("/closed", 0700);
    make("/closed/f", "x");
    sys_mkdir("/sticky", 0777);
    sys_chmod("/sticky", 01777);
    make("/sticky/root", "x");
    struct credentials user = { 1000, 1000, 1000, 1000, 1000, 1000, 0, NULL }, root = first_process.credentials;
    first_process.credentials = user;
    EQUAL(sys_open("/secret", O_RDONLY, 0), -EACCES);
    EQUAL(size_of("/closed/f"), -EACCES);
    EQUAL(make("/mine", "x"), -EACCES);
    EQUAL(make("/sticky/mine", "x"), 0);
    EQUAL(sys_unlink("/sticky/root"), -EPERM);
    EQUAL(sys_unlink("/sticky/mine"), 0);
    EQUAL(sys_access("/secret", MAY_READ), -EACCES);
    EQUAL(sys_chmod("/secret", 0777), -EPERM);
    first_process.credentials = root;
    EQUAL(sys_access("/secret", MAY_EXECUTE), -EACCES);
}

/* Random calls on eight names in two directories, against a model that knows which exist and how long they are. */
static void storm(void) {
    long sizes[16];
    char path[8] = "/s/d/n", other[8];
    sys_mkdir("/s", 0755), sys_mkdir("/s/x", 0755), sys_mkdir("/s/y", 0755);
    for (int i = 0; i < 16; i++) sizes[i] = -ENOENT;
    for (int round = 0; round < 100000; round++) {
        uint32_t a = any(16), b = any(16);
        path[3] = a < 8 ? 'x' : 'y', path[5] = (char)('0' + a % 8);
        memcpy(other, path, sizeof other);
        other[3] = b < 8 ? 'x' : 'y', other[5] = (char)('0' + b % 8);
        switch (any(5)) {
        case 0: {
            static char bytes[20000];
            int fd = (int)sys_open(path, O_RDWR | O_CREAT, 0644);
            long at = any(30000), size = any(20000);
            CHECK(fd >= 0);
            EQUAL(sys_pwrite64(fd, bytes, (size_t)size, at), size);
            sys_close(fd);
            if (sizes[a] < 0) sizes[a] = 0;
            if (size && at + size > sizes[a]) sizes[a] = at + size;
            break;
        }
        case 1: EQUAL(sys_unlink(path), sizes[a] < 0 ? -ENOENT : 0); sizes[a] = -ENOENT; break;
        case 2:
            EQUAL(sys_rename(path, other), sizes[a] < 0 ? -ENOENT : 0);
            if (sizes[a] >= 0 && a != b) sizes[b] = sizes[a], sizes[a] = -ENOENT;
            break;
        case 3: EQUAL(size_of(path), sizes[a]); break;
        case 4: {
            int fd = (int)sys_open(path, O_RDWR, 0);
            long size = any(40000);
            if (sizes[a] < 0) {
                EQUAL(fd, -ENOENT);
                break;
            }
            EQUAL(sys_ftruncate(fd, size), 0);
            sizes[a] = size;
            sys_close(fd);
        }
        }
    }
}

/* A file system that cannot keep an attribute says so late: another thread may have changed the list by then. */
static unsigned keepings;
static int keeps_late(struct inode *inode) {
    long sys_setxattr(const char *, const char *, const void *, size_t, int);
    (void)inode;
    if (keepings++) return 0;
    EQUAL(sys_setxattr("/named", "user.a", "other", 5, 0), 0);
    return -ENOSPC;
}

static void attributes(struct superblock *super) {
    long sys_setxattr(const char *, const char *, const void *, size_t, int), sys_getxattr(const char *, const char *, void *, size_t), sys_removexattr(const char *, const char *);
    static struct inode_ops ops;
    struct inode *inode;
    char value[16];
    int descriptor = (int)sys_open("/named", O_CREAT | O_WRONLY, 0644);
    EQUAL(super->root->ops->lookup(super->root, "named", 5, &inode), 0);
    ops = *inode->ops;
    ops.attributes_changed = keeps_late;
    inode->ops = &ops;
    EQUAL(sys_setxattr("/named", "user.a", "mine", 4, 0), -ENOSPC);
    EQUAL(sys_getxattr("/named", "user.a", value, sizeof value), 5);
    CHECK(!memcmp(value, "other", 5));
    keepings = 0;
    EQUAL(sys_setxattr("/named", "user.a", "mine", 4, 0), -ENOSPC);
    EQUAL(sys_getxattr("/named", "user.a", value, sizeof value), 5);
    keepings = 0;
    EQUAL(sys_removexattr("/named", "user.a"), -ENOSPC);
    EQUAL(sys_getxattr("/named", "user.a", value, sizeof value), 5);
    EQUAL(sys_removexattr("/named", "user.a"), 0);
    EQUAL(sys_getxattr("/named", "user.a", value, sizeof value), -ENODATA);
    inode_put(inode);
    sys_close(descriptor);
    EQUAL(sys_unlink("/named"), 0);
}

int main(void) {
    struct superblock *root = tmpfs_create(0755, 20);
    EQUAL(vfs_mount(root, "/", true, 0), 0);
    paths();
    links();
    renames();
    content();
    listing();
    permissions();
    attributes(root);
    storm();
    return report("files");
}
