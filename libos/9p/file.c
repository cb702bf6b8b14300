/*
 * Content of regular files: each read and write asks the server, so that host and guest see the same bytes at once, and what a write returned for
 * survives this machine's end. Pages that a mapping holds are newer than the server: reads take them first, writes go to both.
 */
#include "9p/internal.h"

static uint32_t most(const struct p9_session *session) {
    uint32_t room = session->message_most - 24; /* the header of a write, rounded up */
    return room < P9_DATA_MOST ? room : P9_DATA_MOST;
}

long p9_read_fid(struct p9_session *session, uint32_t fid, void *data, uint32_t size, int64_t position) {
    uint32_t done = 0;
    int error = 0;
    while (!error && done < size) {
        uint32_t piece = size - done < most(session) ? size - done : most(session);
        struct p9_call *call = p9_begin(session, P9_TREAD);
        if (!call) return done ? (long)done : -ENOMEM;
        p9_put32(&call->out, fid);
        p9_put64(&call->out, (uint64_t)position + done);
        p9_put32(&call->out, piece);
        error = p9_send(call, (uint8_t *)data + done, piece, true);
        if (error) break;
        uint32_t got = p9_get32(&call->in);
        if (call->in.bad || got > piece || got > call->claimed - 11) error = -EIO;
        p9_end(call);
        if (error) break;
        done += got;
        if (got < piece) break; /* the end of the file */
    }
    return error && !done ? error : (long)done;
}

long p9_read_data(struct inode *inode, void *data, uint32_t size, int64_t position) {
    uint32_t fid;
    int error = p9_handle(inode, false, &fid);
    return error ? error : p9_read_fid(p9_session(inode), fid, data, size, position);
}

long p9_write_fid(struct p9_session *session, uint32_t fid, const void *data, uint32_t size, int64_t position) {
    uint32_t done = 0;
    int error = 0;
    while (!error && done < size) {
        uint32_t piece = size - done < most(session) ? size - done : most(session);
        struct p9_call *call = p9_begin(session, P9_TWRITE);
        if (!call) return done ? (long)done : -ENOMEM;
        p9_put32(&call->out, fid);
        p9_put64(&call->out, (uint64_t)position + done);
        p9_put32(&call->out, piece);
        error = p9_send(call, (uint8_t *)data + done, piece, false);
        if (error) break;
        uint32_t got = p9_get32(&call->in);
        if (call->in.bad || got > piece || !got) error = -EIO;
        p9_end(call);
        if (!error) done += got;
    }
    return error && !done ? error : (long)done;
}

long p9_write_data(struct inode *inode, const void *data, uint32_t size, int64_t position) {
    uint32_t fid;
    int error = p9_handle(inode, true, &fid);
    return error ? error : p9_write_fid(p9_session(inode), fid, data, size, position);
}

/* A buffer of as many pages as `size` needs, at most P9_DATA_MOST; fewer when memory is short. */
static uint8_t *buffer_alloc(size_t size, unsigned *pages) {
    *pages = (unsigned)(((size < P9_DATA_MOST ? size : P9_DATA_MOST) + PAGE_SIZE - 1) >> PAGE_SHIFT);
    for (uint8_t *buffer; *pages; *pages /= 2)
        if ((buffer = pages_alloc(*pages))) return buffer;
    return NULL;
}

/* The mapped page at `position`, with a reference, and how many of `size` bytes are before its end; or how many are before the next mapped page. */
static uint64_t mapped_at(struct inode *inode, int64_t position, size_t *size) {
    struct content *pages = &p9_node(inode)->pages;
    uint64_t index = (uint64_t)position >> PAGE_SHIFT, physical = content_find(pages, index);
    size_t left = PAGE_SIZE - ((size_t)position & (PAGE_SIZE - 1));
    if (!pages->root) return 0;
    if (physical) page_get(physical);
    while (!physical && left < *size && !content_find(pages, ++index)) left += PAGE_SIZE;
    if (left < *size) *size = left;
    return physical;
}

static long file_read(struct inode *inode, void *program, size_t size, int64_t position) {
    uint8_t *to = program, *buffer = NULL;
    unsigned pages = 0;
    long done = 0, result = 0;
    while (size) {
        size_t piece = size;
        uint64_t physical = mapped_at(inode, position, &piece);
        if (physical) {
            int64_t left = inode->size - position;
            result = left <= 0 ? 0 : left < (int64_t)piece ? (long)left : (long)piece;
            if (result && user_copy_out(to, (uint8_t *)phys_to_virt(physical) + (position & (int64_t)(PAGE_SIZE - 1)), (size_t)result)) result = -EFAULT;
            page_put(physical);
        } else {
            if (!buffer && !(buffer = buffer_alloc(size, &pages))) result = -ENOMEM;
            if (piece > pages * PAGE_SIZE) piece = pages * PAGE_SIZE;
            if (buffer) result = p9_read_data(inode, buffer, (uint32_t)piece, position);
            if (result > 0 && p9_node(inode)->orphan && position + result > inode->size) /* cut here, not there */
                result = inode->size > position ? (long)(inode->size - position) : 0;
            if (result > 0 && user_copy_out(to, buffer, (size_t)result)) result = -EFAULT;
        }
        if (result <= 0) break;
        to += result;
        done += result;
        position += result;
        size -= (size_t)result;
        if ((size_t)result < piece) break;
    }
    if (buffer) pages_free(buffer, pages);
    return done ? done : result;
}

/* What was written goes into the pages that mappings hold; what else changed in them may be newer than the server. */
static void update_pages(struct inode *inode, const uint8_t *from, size_t size, int64_t position) {
    struct p9_node *node = p9_node(inode);
    while (node->pages.root && size) {
        uint64_t index = (uint64_t)position >> PAGE_SHIFT, physical = content_find(&node->pages, index);
        size_t offset = (size_t)position & (PAGE_SIZE - 1), piece = PAGE_SIZE - offset < size ? PAGE_SIZE - offset : size;
        if (physical) memcpy((uint8_t *)phys_to_virt(physical) + offset, from, piece);
        from += piece;
        size -= piece;
        position += (int64_t)piece;
    }
}

/* A file that was cut only here: what is between its end and `position` must read as zeros. */
static int fill_gap(struct inode *inode, int64_t position) {
    if (!p9_node(inode)->orphan || position <= inode->size) return 0;
    void *zeros = page_alloc_zeroed();
    if (!zeros) return -ENOMEM;
    long written = 1;
    while (written > 0 && inode->size < position) {
        int64_t gap = position - inode->size;
        written = p9_write_data(inode, zeros, gap < (int64_t)PAGE_SIZE ? (uint32_t)gap : (uint32_t)PAGE_SIZE, inode->size);
        if (written > 0) inode->size += written;
    }
    page_put(virt_to_phys(zeros));
    return written < 0 ? (int)written : 0;
}

static long file_write(struct inode *inode, const void *program, size_t size, int64_t position) {
    const uint8_t *from = program;
    unsigned pages;
    int64_t end;
    if (__builtin_add_overflow(position, (int64_t)size, &end)) return -EFBIG;
    int error = fill_gap(inode, position);
    uint8_t *buffer = error ? NULL : buffer_alloc(size, &pages);
    if (!buffer) return error ? error : -ENOMEM;
    long done = 0, result = 0;
    while (size) {
        uint32_t piece = size < pages * PAGE_SIZE ? (uint32_t)size : (uint32_t)(pages * PAGE_SIZE);
        result = user_copy_in(buffer, from, piece) ? -EFAULT : p9_write_data(inode, buffer, piece, position);
        if (result <= 0) break;
        update_pages(inode, buffer, (size_t)result, position);
        from += result;
        done += result;
        position += result;
        size -= (size_t)result;
        if (position > inode->size) inode->size = position;
        if (result < (long)piece) break;
    }
    pages_free(buffer, pages);
    return done ? done : result;
}

static int file_truncate(struct inode *inode, int64_t size) {
    struct p9_node *node = p9_node(inode);
    int64_t before = inode->size;
    int error = size > before ? fill_gap(inode, size) : 0;
    if (!error && !node->orphan) {
        inode->size = size;
        error = p9_set(inode, P9_SET_SIZE);
        if (error) inode->size = before;
    }
    if (error) return error;
    inode->size = size;
    node->blocks = ((uint64_t)size + 511) / 512;
    if (size >= before) return 0;
    uint64_t last = size & (int64_t)(PAGE_SIZE - 1) ? content_find(&node->pages, (uint64_t)size >> PAGE_SHIFT) : 0;
    p9_drop_pages(node, ((uint64_t)size + PAGE_SIZE - 1) >> PAGE_SHIFT);
    if (last) memset((uint8_t *)phys_to_virt(last) + (size & (int64_t)(PAGE_SIZE - 1)), 0, PAGE_SIZE - ((size_t)size & (PAGE_SIZE - 1)));
    return 0;
}

static int sync_opened(struct inode *inode, bool data_only) {
    struct p9_node *node = p9_node(inode);
    int error = p9_write_back(inode);
    uint32_t fid = node->writer != P9_NO_FID ? node->writer : node->reader;
    if (error || fid == P9_NO_FID) return error;
    struct p9_call *call = p9_begin(p9_session(inode), P9_TFSYNC);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, fid);
    p9_put32(&call->out, data_only);
    return p9_finish(call);
}

/* sync(2) has no file open: it counts as one that has, so that a last close meanwhile leaves the fids to it, and it does then what that would have done. */
int p9_sync_inode(struct inode *inode, bool data_only) {
    struct p9_node *node = p9_node(inode);
    if (!node->openers) return p9_write_back(inode);
    node->openers++;
    int error = sync_opened(inode, data_only);
    p9_closed(inode, 0);
    return error;
}

const struct inode_ops p9_file_ops = {
    .read = file_read, .write = file_write, .get_page = p9_get_page, .truncate = file_truncate, .sync = p9_sync_inode, .changed = p9_changed,
    .blocks = p9_blocks, .refresh = p9_refresh, .opened = p9_opened, .closed = p9_closed, .get_attribute = p9_get_attribute, .set_attribute = p9_set_attribute, .release = p9_release,
};
