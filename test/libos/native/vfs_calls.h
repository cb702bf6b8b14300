/*
 * For tests of file systems: memory in which each page is an allocation of its own, the calls of the VFS, and random calls on two mounts whose answers and
 * trees have to be the same. Include after stand_ins.h and the libOS's headers, in the test's only translation unit.
 */
#ifndef HULL_TEST_VFS_CALLS_H
#define HULL_TEST_VFS_CALLS_H
/* Each page is its own allocation, so that a byte beyond one is seen; "physical" addresses count them. */
#define PAGES (1u << 14)
char *native_arena;
static struct page pages[PAGES];
static uint32_t free_pages[PAGES], free_count, limit = PAGES;
static long pages_out;
uint64_t memory_reclaim(uint64_t wanted);
void *page_alloc(void) {
    if (!native_arena) {
        native_arena = aligned_alloc(4096, PAGES * 4096ul);
        for (uint32_t i = 1; i < PAGES; i++) free_pages[free_count++] = i;
    }
    if (pages_out >= limit || !free_count) return NULL;
    uint32_t index = free_pages[--free_count];
    pages[index] = (struct page){ 1, 0 };
    pages_out++;
    return native_arena + index * 4096ul;
}
void *page_alloc_zeroed(void) {
    void *page = page_alloc();
    return page ? memset(page, 0, 4096) : NULL;
}
struct page *page_of(uint64_t physical) { return physical / 4096 < PAGES ? &pages[physical / 4096] : NULL; }
void page_get(uint64_t physical) { pages[physical / 4096].references++; }
void page_put(uint64_t physical) {
    uint32_t index = (uint32_t)(physical / 4096);
    CHECK(pages[index].references > 0);
    if (--pages[index].references) return;
    free_pages[free_count++] = index;
    pages_out--;
}
void *pages_alloc(unsigned count) { return aligned_alloc(4096, count * 4096ul); }
void pages_free(void *given, unsigned count) { (void)count; free(given); }
uint64_t memory_total(void) { return PAGES * 4096ul; }
uint64_t memory_free(void) { return free_count * 4096ul; }
bool memory_make_free(uint64_t bytes) {
    if (memory_free() < bytes) memory_reclaim((bytes - memory_free()) / 4096 + 1);
    return memory_free() >= bytes;
}
void *kmalloc(size_t size) { return malloc(size); }
void *kzalloc(size_t size) { return calloc(1, size); }
void kfree(void *p) { free(p); }
uint64_t clock_realtime_ns(void) { return 1700000000000000000; }
static int copy(void *to, const void *from, size_t size, const void *program) {
    if (size && (uintptr_t)program < 4096) return -EFAULT;
    memmove(to, from, size);
    return 0;
}
int user_copy_in(void *to, const void *program, size_t size) { return copy(to, program, size, program); }
int user_copy_out(void *program, const void *from, size_t size) { return copy(program, from, size, program); }
long user_string_in(char *to, const char *program, size_t room) {
    size_t length = strlen(program);
    if (length >= room) return -ENAMETOOLONG;
    memcpy(to, program, length + 1);
    return (long)length;
}
static void (*meanwhile)(void); /* what others do while the next caller waits */
int wait_until(struct wait_queue *queue, bool (*condition)(void *), void *argument, uint64_t deadline, int interruptible) {
    (void)queue, (void)deadline, (void)interruptible;
    void (*others)(void) = meanwhile;
    meanwhile = NULL;
    if (others) others();
    CHECK(condition(argument)); /* alone, nobody else can be reading */
    return 0;
}
void wait_queue_wake(struct wait_queue *queue, int count) { (void)queue, (void)count; }
int device_open(struct inode *inode, uint32_t flags, struct file **out) { (void)inode, (void)flags, (void)out; return -ENXIO; }
struct file console_files[3];
uint32_t input_component;
struct process first_process = { .files = &first_file_table };
struct thread first_thread = { .process = &first_process };
struct cpu cpu_zero = { .current = &first_thread };

long sys_open(const char *, int, uint32_t), sys_close(int), sys_read(int, void *, size_t), sys_write(int, const void *, size_t);
long sys_pread64(int, void *, size_t, int64_t), sys_pwrite64(int, const void *, size_t, int64_t), sys_truncate(const char *, int64_t);
long sys_mkdir(const char *, uint32_t), sys_rmdir(const char *), sys_unlink(const char *), sys_rename(const char *, const char *);
long sys_link(const char *, const char *), sys_symlink(const char *, const char *), sys_readlink(const char *, char *, size_t);
long sys_lseek(int, int64_t, int), sys_lstat(const char *, struct linux_stat *), sys_getdents64(int, void *, unsigned), sys_chmod(const char *, uint32_t);

static char path_a[64], path_b[64];
static const char *below(const char *mount, const char *rest, char *out) {
    size_t length = strlen(mount);
    memcpy(out, mount, length);
    memcpy(out + length, rest, strlen(rest) + 1);
    return out;
}
static const char *any_path(void) {
    static char text[32];
    static const char *const tops[] = { "/dir", "/large", "/plain", "/small", "/link", "/new", "/new2", "/sub" };
    static const char *const subs[] = { "", "/n000", "/n001", "/n123", "/x", "/y", "/sub", "/sub/z" };
    const char *top = tops[any(8)], *sub = any(2) ? subs[any(8)] : "";
    size_t length = strlen(top);
    memcpy(text, top, length);
    memcpy(text + length, sub, strlen(sub) + 1);
    return text;
}
static long content_of(const char *path, uint8_t *out, size_t room) {
    long descriptor = sys_open(path, O_RDONLY | O_NOFOLLOW, 0);
    if (descriptor < 0) return descriptor;
    long size = sys_read((int)descriptor, out, room);
    sys_close((int)descriptor);
    return size;
}
static inline void copy_file(const char *from, const char *to) {
    static uint8_t bytes[16384];
    long size = content_of(from, bytes, sizeof bytes), descriptor = sys_open(to, O_WRONLY | O_CREAT, 0644);
    EQUAL(sys_write((int)descriptor, bytes, (size_t)size), size);
    sys_close((int)descriptor);
    struct linux_stat stat;
    EQUAL(sys_lstat(from, &stat), 0);
    EQUAL(sys_chmod(to, stat.mode & 07777), 0);
}

struct seen { char names[400][28]; unsigned count; };
static void read_names(const char *path, struct seen *out) {
    static uint8_t bytes[2048];
    long descriptor = sys_open(path, O_RDONLY | O_DIRECTORY, 0), size;
    out->count = 0;
    CHECK(descriptor >= 0);
    while ((size = sys_getdents64((int)descriptor, bytes, sizeof bytes)) > 0)
        for (long at = 0; at < size;) {
            struct linux_dirent64 *entry = (void *)(bytes + at);
            CHECK(out->count < 400 && strlen(entry->name) < 28);
            memcpy(out->names[out->count++], entry->name, strlen(entry->name) + 1);
            at += entry->length;
        }
    EQUAL(size, 0);
    sys_close((int)descriptor);
}
static void same_tree(const char *one, const char *other, unsigned depth) {
    struct seen *a = malloc(sizeof *a), *b = malloc(sizeof *b);
    static uint8_t x[20000], y[20000];
    read_names(one, a);
    read_names(other, b);
    EQUAL(a->count, b->count);
    for (unsigned i = 0; i < a->count && depth; i++) {
        char p[200], q[200];
        struct linux_stat s, t;
        bool there = false;
        for (unsigned j = 0; j < b->count; j++) there |= strcmp(a->names[i], b->names[j]) == 0;
        CHECK(there);
        if (a->names[i][0] == '.') continue;
        size_t length = strlen(one);
        memcpy(p, one, length), p[length] = '/', memcpy(p + length + 1, a->names[i], strlen(a->names[i]) + 1);
        length = strlen(other);
        memcpy(q, other, length), q[length] = '/', memcpy(q + length + 1, a->names[i], strlen(a->names[i]) + 1);
        EQUAL(sys_lstat(p, &s), 0);
        EQUAL(sys_lstat(q, &t), 0);
        EQUAL(s.mode, t.mode);
        if ((s.mode & S_IFMT) == S_IFDIR) same_tree(p, q, depth - 1);
        else EQUAL(s.size, t.size);
        if ((s.mode & S_IFMT) == S_IFREG) {
            long size = content_of(p, x, sizeof x);
            EQUAL(size, content_of(q, y, sizeof y));
            CHECK(size < 0 || !memcmp(x, y, (size_t)size));
        }
    }
    free(a);
    free(b);
}

long sys_renameat2(int, const char *, int, const char *, unsigned);
static bool without_exchange; /* one of the file systems cannot */
static long act(unsigned what, const char *mount, const char *first, const char *second, unsigned value) {
    const char *path = below(mount, first, path_a), *other = below(mount, second, path_b);
    uint8_t bytes[64];
    long descriptor, result;
    memset(bytes, (int)value, sizeof bytes);
    switch (what) {
    case 0: case 1: case 2:
        descriptor = sys_open(path, O_RDWR | (value & 1 ? O_CREAT : 0) | (value % 5 == 0 ? O_TRUNC : 0) | (value % 7 == 0 ? O_APPEND : 0), 0640);
        if (descriptor < 0) return descriptor;
        result = sys_pwrite64((int)descriptor, bytes, value % 64, value * 37 % 9000);
        sys_close((int)descriptor);
        return result;
    case 3: return sys_mkdir(path, 0755);
    case 4: return sys_rmdir(path);
    case 5: case 6: return sys_unlink(path);
    case 7: return sys_rename(path, other);
    case 8: return value % 3 || without_exchange ? sys_rename(path, other) : sys_renameat2(AT_FDCWD, path, AT_FDCWD, other, 2 /* exchange */);
    case 9: return sys_symlink("small", path);
    case 10: return sys_chmod(path, 0600 + value % 8);
    case 11: return sys_truncate(path, value * 11 % 6000);
    default: return sys_link(path, other);
    }
}
#endif
