/* Calls that move or settle content: sendfile, copy_file_range, fsync and its kind, fallocate, advice; and reads for the libOS itself. */
#include "vfs/internal.h"
#include "vfs/notify.h"

int vfs_open(const char *path, uint32_t flags, uint32_t mode, struct file **out) {
    return open_at(AT_FDCWD, path, flags, mode, out);
}

/* user_copy_* take libOS addresses while a call passes on its own buffer. */
static long with_own_memory(long (*transfer)(struct file *, const struct iovec *, int, int64_t), struct file *file, void *memory,
                            size_t size, int64_t position) {
    struct iovec one = { memory, size };
    bool before = current_thread()->own_memory;
    current_thread()->own_memory = true;
    long result = transfer(file, &one, 1, position);
    current_thread()->own_memory = before;
    return result;
}

long vfs_read_at(struct file *file, void *to, size_t size, int64_t position) {
    return file->ops->read ? with_own_memory(file->ops->read, file, to, size, position) : -EINVAL;
}

int vfs_write_file(const char *path, const void *content, size_t size, uint32_t mode) {
    struct file *file;
    int error = vfs_open(path, O_WRONLY | O_CREAT | O_TRUNC, mode, &file);
    if (error) return error;
    long result = with_own_memory(file->ops->write, file, (void *)content, size, 0);
    file_put(file);
    return result < 0 ? (int)result : 0;
}

long vfs_file_path(struct file *file, char *out, size_t room) {
    struct open_file *open = file_open_of(file);
    if (!open) return -EINVAL;
    long length = path_text(open->path, out, room);
    return length < 0 ? length : length - 1;
}

/*
 * Where devices were opened. Their files are their drivers', and struct file is in images without names, too: so the places are kept here, by file, and go with it through its
 * release.
 */
#define PLACE_BUCKETS 64
struct place { struct place *next; struct file *file; struct path path; void (*release)(struct file *); };
static struct place *places[PLACE_BUCKETS];

static struct place **place_of(struct file *file) {
    struct place **at = &places[(uintptr_t)file / sizeof *file % PLACE_BUCKETS];
    while (*at && (*at)->file != file) at = &(*at)->next;
    return at;
}

static void forget_place(struct file *file) {
    struct place **at = place_of(file), *place = *at;
    *at = place->next;
    path_put(place->path);
    if (place->release) place->release(file);
    kfree(place);
}

const struct path *file_place(struct file *file) {
    struct open_file *open = file_open_of(file);
    if (open) return &open->path;
    struct place *place = file->release == forget_place ? *place_of(file) : NULL;
    return place ? &place->path : NULL;
}

void file_set_place(struct file *file, struct path path) {
    struct place *place = file->release == forget_place ? NULL : kmalloc(sizeof *place);
    if (!place) return;
    struct place **first = &places[(uintptr_t)file / sizeof *file % PLACE_BUCKETS];
    *place = (struct place){ *first, file, path, file->release };
    *first = place;
    path_get(path);
    file->release = forget_place;
}

int vfs_path_of(struct file *file, struct path *out) {
    const struct path *place = file_place(file);
    if (!place) return -ENXIO;
    path_get(*out = *place);
    return 0;
}

int vfs_stat_of(struct file *file, struct linux_stat *out) {
    const struct path *place = file_place(file);
    if (!place) return -ENXIO;
    inode_fill_stat(place->dentry->inode, out);
    return 0;
}

bool vfs_may_map_code(struct file *file) {
    const struct path *place = file_place(file);
    return !place || !(place->mount->flags & MOUNT_NO_EXECUTION);
}

void vfs_path_get(struct path path) { path_get(path); }
void vfs_path_put(struct path path) { path_put(path); }

unsigned vfs_mount_id(struct file *file) {
    struct open_file *open = file_open_of(file);
    return open ? open->path.mount->id : 0;
}

long vfs_path_text(struct path path, char *out, size_t room) {
    static const char mark[] = " (deleted)";
    if (room < sizeof mark + 1) return -ERANGE;
    long length = path_text(path, out, room - sizeof mark);
    if (length < 0) return length;
    if (!path.dentry->deleted || !memcmp(path.dentry->name, "memfd:", 6)) return length - 1; /* memfd names have it already */
    memcpy(out + length - 1, mark, sizeof mark);
    return length - 1 + (long)sizeof mark - 1;
}

#define COPY_PAGES 4
/* From one open file to another through a buffer. from_at, to_at < 0: the files' own positions. Bytes that arrived. */
static long copy(struct file *to, int64_t to_at, struct file *from, int64_t from_at, size_t size) {
    uint8_t *buffer = pages_alloc(COPY_PAGES);
    long done = 0, result = 0;
    if (!buffer) return -ENOMEM;
    while (size) {
        size_t piece = size < COPY_PAGES * PAGE_SIZE ? size : COPY_PAGES * PAGE_SIZE;
        long got = result = with_own_memory(from->ops->read, from, buffer, piece, from_at < 0 ? -1 : from_at + done);
        if (got <= 0) break;
        result = with_own_memory(to->ops->write, to, buffer, (size_t)got, to_at < 0 ? -1 : to_at + done);
        if (result < got && from_at < 0 && from->ops->seek) from->position -= got - (result > 0 ? result : 0); /* what did not go out stays unread */
        if (result <= 0) break;
        done += result;
        size -= (size_t)result;
        if (result < got) break;
    }
    pages_free(buffer, COPY_PAGES);
    return done ? done : result;
}

static long copy_held(struct file *to, int64_t to_at, struct file *from, int64_t from_at, size_t size) {
    if ((from->flags & O_ACCMODE) == O_WRONLY || (to->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
    if (!from->ops->read || !to->ops->write) return -EINVAL;
    file_get(from);
    file_get(to);
    long result = copy(to, to_at, from, from_at, size > 0x7ffff000 ? 0x7ffff000 : size);
    file_put(to);
    file_put(from);
    return result;
}

/* An optional position in program memory: -1 when there is none. */
static long offset_in(const int64_t *program, int64_t *out) {
    *out = -1;
    if (!program) return 0;
    if (user_copy_in(out, program, sizeof *out)) return -EFAULT;
    return *out < 0 ? -EINVAL : 0;
}

SYSCALL_DEFINE(sendfile, int to, int from, int64_t *offset, size_t size) {
    struct file *source = file_lookup(from), *target = file_lookup(to);
    int64_t at;
    if (!source || !target) return -EBADF;
    if (!source->ops->seek) return -EINVAL;
    long result = offset_in(offset, &at);
    if (result) return result;
    if (target->flags & O_APPEND) return -EINVAL;
    result = copy_held(target, -1, source, at, size);
    if (result > 0 && offset) {
        at += result;
        if (user_copy_out(offset, &at, sizeof at)) return -EFAULT;
    }
    return result;
}

SYSCALL_DEFINE(copy_file_range, int from, int64_t *from_offset, int to, int64_t *to_offset, size_t size, unsigned flags) {
    struct file *source = file_lookup(from), *target = file_lookup(to);
    int64_t from_at, to_at;
    if (!source || !target) return -EBADF;
    if (flags) return -EINVAL;
    struct inode *in = file_inode(source), *out = file_inode(target);
    if (!in || !out || !is_regular(in) || !is_regular(out)) return in && is_directory(in) ? -EISDIR : -EINVAL;
    long result = offset_in(from_offset, &from_at);
    if (!result) result = offset_in(to_offset, &to_at);
    if (result) return result;
    if (target->flags & O_APPEND) return -EBADF;
    int64_t a = from_at < 0 ? source->position : from_at, b = to_at < 0 ? target->position : to_at;
    if (in == out && a < b + (int64_t)size && b < a + (int64_t)size) return -EINVAL;
    result = copy_held(target, to_at, source, from_at, size);
    if (result <= 0) return result;
    from_at += result;
    to_at += result;
    if (from_offset && user_copy_out(from_offset, &from_at, sizeof from_at)) return -EFAULT;
    if (to_offset && user_copy_out(to_offset, &to_at, sizeof to_at)) return -EFAULT;
    return result;
}

static long sync_file(int descriptor, bool data_only) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    struct inode *inode = file_inode(file);
    if (!inode) return -EINVAL;
    return inode->ops->sync ? inode->ops->sync(inode, data_only) : 0;
}

SYSCALL_DEFINE(fsync, int descriptor) {
    return sync_file(descriptor, false);
}

SYSCALL_DEFINE(fdatasync, int descriptor) {
    return sync_file(descriptor, true);
}

SYSCALL_DEFINE(syncfs, int descriptor) {
    struct file *file = file_lookup(descriptor);
    if (!file) return -EBADF;
    struct inode *inode = file_inode(file);
    struct superblock *super = inode ? inode->super : NULL;
    return super && super->ops && super->ops->sync ? super->ops->sync(super) : 0;
}

SYSCALL_DEFINE(sync, void) {
    vfs_sync();
    return 0;
}

SYSCALL_DEFINE(fadvise64, int descriptor, int64_t offset, int64_t length, int advice) {
    struct file *file = file_lookup(descriptor);
    (void)offset;
    if (!file) return -EBADF;
    if (length < 0 || advice < 0 || advice > 5) return -EINVAL;
    return file->ops->seek ? 0 : -ESPIPE;
}

SYSCALL_DEFINE(readahead, int descriptor, int64_t offset, size_t size) {
    struct file *file = file_lookup(descriptor);
    (void)offset, (void)size;
    if (!file || (file->flags & O_ACCMODE) == O_WRONLY) return -EBADF;
    return file_inode(file) ? 0 : -EINVAL;
}

#define FALLOC_KEEP_SIZE 1
#define FALLOC_PUNCH_HOLE 2
#define FALLOC_ZERO_RANGE 16
SYSCALL_DEFINE(fallocate, int descriptor, int mode, int64_t start, int64_t length) {
    struct file *file = file_lookup(descriptor);
    if (!file || (file->flags & O_ACCMODE) == O_RDONLY) return -EBADF;
    struct inode *inode = file_inode(file);
    int64_t end;
    if (!inode) return -ESPIPE;
    if (!is_regular(inode)) return -ENODEV;
    if (start < 0 || length <= 0) return -EINVAL;
    if (__builtin_add_overflow(start, length, &end)) return -EFBIG;
    int kind = mode & ~FALLOC_KEEP_SIZE;
    bool punch = mode == (FALLOC_PUNCH_HOLE | FALLOC_KEEP_SIZE), zero = kind == FALLOC_ZERO_RANGE;
    if ((kind && !punch && !zero) || !inode->ops->allocate) return -EOPNOTSUPP;
    long error = 0;
    int64_t size = inode->size;
    if (inode->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE) && (punch || zero)) return -EPERM;
    if (inode->seals & SEAL_GROW && end > size && !(mode & FALLOC_KEEP_SIZE)) return -EPERM;
    if (punch || zero) inode_forget_mapped(inode, (uint64_t)start >> PAGE_SHIFT, ((uint64_t)end + PAGE_SIZE - 1) >> PAGE_SHIFT, false);
    if (zero) error = inode->ops->allocate(inode, start, length, true);
    if (!error && !(mode & FALLOC_KEEP_SIZE) && end > size) error = inode_truncate(inode, end);
    if (!error) error = inode->ops->allocate(inode, start, length, punch);
    if (error && inode->size != size) inode_truncate(inode, size);
    if (!error) inode->mtime = inode->ctime = vfs_now();
    if (!error) notify(file_open_of(file)->path.dentry, IN_MODIFY);
    return error;
}

/* madvise(2), MADV_REMOVE: by `vm`, for a file that is mapped to be written. */
int vfs_punch(struct file *, int64_t start, int64_t length);
int vfs_punch(struct file *file, int64_t start, int64_t length) {
    struct inode *inode = file_inode(file);
    if (!inode || !inode->ops->allocate) return -EOPNOTSUPP;
    if (inode->seals & (SEAL_WRITE | SEAL_FUTURE_WRITE)) return -EPERM;
    inode_forget_mapped(inode, (uint64_t)start >> PAGE_SHIFT, ((uint64_t)(start + length) + PAGE_SIZE - 1) >> PAGE_SHIFT, false);
    return inode->ops->allocate(inode, start, length, true);
}

#define SYNC_FILE_RANGE_ALL 7
SYSCALL_DEFINE(sync_file_range, int descriptor, int64_t start, int64_t length, unsigned flags) {
    struct file *file = file_lookup(descriptor);
    int64_t end;
    if (!file) return -EBADF;
    if (flags & ~SYNC_FILE_RANGE_ALL || start < 0 || length < 0 || __builtin_add_overflow(start, length, &end)) return -EINVAL;
    struct inode *inode = file_inode(file);
    if (!inode) return -ESPIPE;
    return flags && inode->ops->sync ? inode->ops->sync(inode, true) : 0;
}

/* Handles: no file system here has any, which is also what Linux says of an overlay. */
SYSCALL_DEFINE(name_to_handle_at, int directory, const char *program_path, void *handle, int *mount, int flags) {
    char *text = walk_buffer();
    struct path path;
    (void)handle, (void)mount;
    if (!text) return -ENOMEM;
    long error = flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH) ? -EINVAL : 0;
    unsigned walk = (flags & AT_SYMLINK_FOLLOW ? 0 : WALK_NO_FOLLOW) | (flags & AT_EMPTY_PATH ? WALK_EMPTY : 0);
    if (!error) error = walk_user(directory, program_path, walk, text, &path, NULL);
    walk_buffer_free(text);
    if (error) return error;
    path_put(path);
    return -EOPNOTSUPP;
}
