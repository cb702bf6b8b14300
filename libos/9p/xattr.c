/*
 * Extended attributes, which the server keeps: Txattrwalk opens one for reading, or the list of their names; Txattrcreate one for writing, which its clunk sets
 * (QEMU's hw/9pfs/9p.c, Linux's fs/9p/xattr.c). Nothing is kept here. Writing nothing takes an attribute away: an empty one the protocol cannot set.
 */
#include "9p/internal.h"

enum { ATTRIBUTE_MOST = 65536 }; /* of a value, and of all names (XATTR_SIZE_MAX, XATTR_LIST_MAX) */

static unsigned pages_for(uint32_t size) { return (size + PAGE_SIZE - 1) / PAGE_SIZE; }

/* A fid from which the value, or for an empty name the names, can be read; its size or -errno. */
static long begin_reading(struct inode *inode, const char *name, uint32_t *fid) {
    struct p9_session *session = p9_session(inode);
    struct p9_call *call = p9_begin(session, P9_TXATTRWALK);
    if (!call) return -ENOMEM;
    *fid = p9_fid_take(session);
    p9_put32(&call->out, p9_node(inode)->fid);
    p9_put32(&call->out, *fid);
    p9_put_text(&call->out, name, strlen(name));
    int error = p9_send(call, NULL, 0, false);
    if (error) {
        p9_fid_give(session, *fid);
        return error;
    }
    uint64_t size = p9_get64(&call->in);
    bool bad = call->in.bad;
    p9_end(call);
    if (!bad && size <= ATTRIBUTE_MOST) return (long)size;
    p9_clunk(session, *fid);
    return bad ? -EIO : -E2BIG;
}

long p9_get_attribute(struct inode *inode, const char *name, uint8_t **out) {
    uint32_t fid;
    long size = begin_reading(inode, name, &fid);
    if (size < 0) return size;
    unsigned pages = pages_for((uint32_t)size + 1);
    uint8_t *buffer = pages_alloc(pages), *value = kmalloc((size_t)size + 1);
    long got = buffer && value ? p9_read_fid(p9_session(inode), fid, buffer, (uint32_t)size, 0) : -ENOMEM;
    if (got >= 0 && got != size) got = -EIO;
    if (got > 0) memcpy(value, buffer, (size_t)got);
    if (got >= 0) value[got] = 0;
    if (got > 0 && !*name && value[got - 1]) got = -EIO; /* the last name has no end */
    p9_clunk(p9_session(inode), fid);
    if (buffer) pages_free(buffer, pages);
    if (got < 0) kfree(value);
    else *out = value;
    return got;
}

/* What the clunk answers is what became of it; the fid is gone either way. */
static int clunk_and_ask(struct p9_session *session, uint32_t fid) {
    struct p9_call *call = p9_begin(session, P9_TCLUNK);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, fid);
    int error = p9_finish(call);
    p9_fid_give(session, fid);
    return error;
}

int p9_set_attribute(struct inode *inode, const char *name, const void *value, size_t size, int flags) {
    struct p9_session *session = p9_session(inode);
    uint32_t fid;
    if (value && !size) return -EOPNOTSUPP;
    unsigned pages = pages_for((uint32_t)size);
    uint8_t *buffer = size ? pages_alloc(pages) : NULL;
    if (size && !buffer) return -ENOMEM;
    if (size) memcpy(buffer, value, size);
    int error = p9_walk(session, p9_node(inode)->fid, NULL, 0, &fid, NULL);
    if (!error) {
        struct p9_call *call = p9_begin(session, P9_TXATTRCREATE);
        error = call ? 0 : -ENOMEM;
        if (call) {
            p9_put32(&call->out, fid);
            p9_put_text(&call->out, name, strlen(name));
            p9_put64(&call->out, size);
            p9_put32(&call->out, (uint32_t)flags);
            error = p9_finish(call);
        }
        long written = error ? 0 : p9_write_fid(session, fid, buffer, (uint32_t)size, 0);
        if (!error && written != (long)size) error = written < 0 ? (int)written : -EIO;
        int end = clunk_and_ask(session, fid);
        if (!error) error = end;
    }
    if (buffer) pages_free(buffer, pages);
    return error;
}
