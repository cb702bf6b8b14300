/* Files, links and other nodes of an overlay: what is read comes from the layer that has it; what changes goes to the upper one. */
#include "overlay/internal.h"

static struct inode *real(const struct inode *inode) {
    struct layers *layers = layers_of(inode);
    return layers->upper ? layers->upper : layers->lower;
}

static long file_read(struct inode *inode, void *program, size_t size, int64_t position) {
    struct inode *from = real(inode);
    return from->ops->read ? from->ops->read(from, program, size, position) : -EINVAL;
}

static long file_write(struct inode *inode, const void *program, size_t size, int64_t position) {
    int error = overlay_copy_up(inode, INT64_MAX);
    if (error) return error;
    struct inode *upper = layers_of(inode)->upper;
    upper->mtime = upper->ctime = vfs_now(); /* may be committed with the content, long before anybody pushes this inode's */
    long written = upper->ops->write(upper, program, size, position);
    inode->size = upper->size;
    return written;
}

static int file_get_page(struct inode *inode, uint64_t index, int how, uint64_t *physical) {
    struct inode *from = real(inode);
    return from->ops->get_page(from, index, how, physical);
}

static int file_truncate(struct inode *inode, int64_t size) {
    int error = overlay_copy_up(inode, size);
    if (error) return error;
    struct inode *upper = layers_of(inode)->upper;
    error = upper->ops->truncate(upper, size);
    inode->size = upper->size;
    return error;
}

static int file_allocate(struct inode *inode, int64_t start, int64_t length, bool punch) {
    int error = overlay_copy_up(inode, INT64_MAX);
    struct inode *upper = layers_of(inode)->upper;
    if (error) return error;
    return upper->ops->allocate ? upper->ops->allocate(upper, start, length, punch) : -EOPNOTSUPP;
}

static int any_changed(struct inode *inode) {
    int error = overlay_copy_up(inode, INT64_MAX);
    struct inode *upper = layers_of(inode)->upper;
    if (!error) overlay_take_attributes(upper, inode);
    return !error && upper->ops->changed ? upper->ops->changed(upper) : error;
}

static int prepare_write(struct inode *inode, bool truncates) {
    return overlay_copy_up(inode, truncates ? 0 : INT64_MAX);
}

int overlay_sync(struct inode *inode, bool data_only) {
    struct inode *upper = layers_of(inode)->upper;
    if (upper) overlay_take_attributes(upper, inode);
    return upper && upper->ops->sync ? upper->ops->sync(upper, data_only) : 0;
}

static uint64_t any_blocks(struct inode *inode) {
    struct inode *from = real(inode);
    return from->ops->blocks ? from->ops->blocks(from) : ((uint64_t)from->size + 511) / 512;
}

int overlay_attribute_holder(struct inode *inode, bool changes, struct inode **out) {
    int error = changes ? overlay_copy_up(inode, INT64_MAX) : 0;
    struct inode *holder = real(inode);
    if (error) return error;
    if (holder->ops->attribute_holder) return holder->ops->attribute_holder(holder, changes, out);
    *out = NULL;
    return layers_of(inode)->upper ? -EOPNOTSUPP : 0; /* nothing yet: the upper one will have them */
}

static int64_t file_seek(struct inode *inode, int64_t offset, bool hole) {
    struct inode *from = real(inode);
    return from->ops->seek_data ? from->ops->seek_data(from, offset, hole) : hole ? from->size : offset;
}

static long link_text(struct inode *inode, char *out, size_t room) {
    struct inode *from = real(inode);
    return from->ops->readlink(from, out, room);
}

const struct inode_ops overlay_file_ops = {
    .read = file_read, .write = file_write, .get_page = file_get_page, .truncate = file_truncate, .allocate = file_allocate,
    .changed = any_changed, .prepare_write = prepare_write, .sync = overlay_sync, .blocks = any_blocks, .seek_data = file_seek, .attribute_holder = overlay_attribute_holder, .release = overlay_release,
};
const struct inode_ops overlay_link_ops = { .readlink = link_text, .changed = any_changed, .blocks = any_blocks, .attribute_holder = overlay_attribute_holder, .release = overlay_release };
const struct inode_ops overlay_node_ops = { .changed = any_changed, .attribute_holder = overlay_attribute_holder, .release = overlay_release };
