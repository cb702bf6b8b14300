/*
 * Files and links. A file's text is made by the first read, or a read at its beginning, and stays that opening's own until then, so that a reader in pieces
 * sees one state.
 */
#include "procfs/internal.h"

#define WRITE_MOST 4095
struct text { size_t size; char bytes[]; };

static int make_text(const struct node *node, void **state) {
    struct proc_text out;
    if (!node_subject(node, &out)) return -ESRCH;
    if (!node->file->show) return -EINVAL;
    node->file->show(&out);
    struct text *text = out.failed ? NULL : kmalloc(sizeof *text + out.size);
    if (text) {
        text->size = out.size;
        if (out.size) memcpy(text->bytes, out.bytes, out.size);
        kfree(*state);
        *state = text;
    }
    kfree(out.bytes);
    return text ? 0 : -ENOMEM;
}

static long transfer(const struct node *node, bool write, void *program, size_t size, int64_t position) {
    struct proc_text about;
    if (!node_subject(node, &about)) return -ESRCH;
    return node->file->transfer(&about, write, program, size, position);
}

static long read_opened(struct inode *inode, void **state, void *program, size_t size, int64_t position) {
    const struct node *node = node_of(inode);
    if (node->file->transfer) return transfer(node, false, program, size, position);
    if (position == 0 || !*state) {
        int error = make_text(node, state);
        if (error) return error;
    }
    const struct text *text = *state;
    if ((uint64_t)position >= text->size) return 0;
    if (size > text->size - (size_t)position) size = text->size - (size_t)position;
    return user_copy_out(program, text->bytes + position, size) ? -EFAULT : (long)size;
}

static long write_opened(struct inode *inode, void **state, const void *program, size_t size, int64_t position) {
    const struct node *node = node_of(inode);
    struct proc_text about;
    (void)state;
    if (node->file->transfer) return transfer(node, true, (void *)program, size, position);
    if (!node->file->store) return node->scope == PROC_SYSTEM ? -EIO : -EINVAL;
    if (size > WRITE_MOST) return -EINVAL;
    char *text = kmalloc(size + 1);
    long error = text ? user_copy_in(text, program, size) : -ENOMEM;
    if (!error) {
        text[size] = 0;
        error = node_subject(node, &about) ? node->file->store(&about, text, size) : -ESRCH;
    }
    kfree(text);
    return error ? error : (long)size;
}

static void close_opened(struct inode *inode, void *state) {
    (void)inode;
    kfree(state);
}

static int truncate(struct inode *inode, int64_t size) { /* `> file` means the next write */
    (void)inode, (void)size;
    return 0;
}

/* A link's text or place is private where its process is. */
static int look(struct inode *inode, struct proc_text *about) {
    const struct node *node = node_of(inode);
    if (!node_subject(node, about)) return -ENOENT;
    return about->process && node->file->flags & PROC_PRIVATE && !proc_may_look(about->process) ? -EACCES : 0;
}

static long readlink(struct inode *inode, char *to, size_t room) {
    struct proc_text out;
    long size = look(inode, &out);
    if (size) return size;
    node_of(inode)->file->show(&out);
    if (out.failed) size = -ENOMEM;
    else if (!out.size) size = -ENOENT; /* nothing to point to: a file that is closed, a kernel thread's program */
    else {
        size = (long)(out.size < room ? out.size : room);
        memcpy(to, out.bytes, (size_t)size);
    }
    kfree(out.bytes);
    return size;
}

static int jump(struct inode *inode, struct path *out) {
    struct proc_text about;
    if (!node_of(inode)->file->jump) return -ENXIO;
    int error = look(inode, &about);
    return error ? error : node_of(inode)->file->jump(&about, out);
}

static struct file *target(struct inode *inode) {
    struct proc_text about;
    return look(inode, &about) ? NULL : node_of(inode)->file->target(&about);
}

static int refresh(struct inode *inode) { return proc_directory_ops.refresh(inode); }
static int opened(struct inode *inode, uint32_t flags) { return proc_directory_ops.opened(inode, flags); }
static void release(struct inode *inode) { proc_directory_ops.release(inode); }

const struct inode_ops proc_file_ops = {
    .read_opened = read_opened, .write_opened = write_opened, .close_opened = close_opened, .truncate = truncate, .refresh = refresh,
    .opened = opened, .release = release };
const struct inode_ops proc_link_ops = { .readlink = readlink, .jump = jump, .refresh = refresh, .release = release };
/* Those that may lead to a file without a path. */
const struct inode_ops proc_file_link_ops = { .readlink = readlink, .jump = jump, .target = target, .refresh = refresh, .release = release };
