/* Directories, symbolic links and other nodes. Names go to the server as they come; what it made is looked up again, so that its attributes are the server's. */
#include "9p/internal.h"

static int look(struct inode *directory, const char *name, size_t length, struct inode **out) {
    uint32_t fid;
    int error = p9_walk(p9_session(directory), p9_node(directory)->fid, name, length, &fid, NULL);
    return error ? error : p9_inode(directory->super, fid, out);
}

/* What was just made belongs to the program's user, also where the server made it as its own. */
static int own(struct inode *directory, const char *name, size_t length, struct inode **out) {
    int error = look(directory, name, length, out);
    if (error) return error;
    uint32_t uid = current_process()->credentials.euid;
    if ((*out)->uid != uid) {
        (*out)->uid = uid;
        p9_changed(*out); /* a server without the right to do it keeps its own: shown as it is */
    }
    return 0;
}

static uint32_t new_gid(const struct inode *directory) {
    return p9_out_gid(p9_session(directory), directory->mode & S_ISGID ? directory->gid : current_process()->credentials.egid);
}

static int make_file(struct inode *directory, const char *name, size_t length, uint32_t mode, struct inode **out) {
    struct p9_session *session = p9_session(directory);
    uint32_t fid;
    int error = p9_walk(session, p9_node(directory)->fid, NULL, 0, &fid, NULL);
    if (error) return error;
    struct p9_call *call = p9_begin(session, P9_TLCREATE);
    if (call) {
        p9_put32(&call->out, fid);
        p9_put_text(&call->out, name, length);
        p9_put32(&call->out, O_RDWR | O_CREAT | O_EXCL);
        p9_put32(&call->out, mode & 07777);
        p9_put32(&call->out, new_gid(directory));
        error = p9_finish(call);
    } else {
        error = -ENOMEM;
    }
    if (!error) error = own(directory, name, length, out);
    struct p9_node *node = error ? NULL : p9_node(*out);
    if (node && node->writer == P9_NO_FID) { /* opened already, whatever its mode says */
        node->writer = fid;
        node->writer_reads = true;
    } else {
        p9_clunk(session, fid);
    }
    return error;
}

static int create(struct inode *directory, const char *name, size_t length, uint32_t mode, uint64_t rdev, struct inode **out) {
    uint32_t kind = mode & S_IFMT;
    if (kind == S_IFREG) return make_file(directory, name, length, mode, out);
    struct p9_call *call = p9_begin(p9_session(directory), kind == S_IFDIR ? P9_TMKDIR : P9_TMKNOD);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, p9_node(directory)->fid);
    p9_put_text(&call->out, name, length);
    p9_put32(&call->out, kind == S_IFDIR ? (mode & 07777) | (directory->mode & S_ISGID) : mode);
    if (kind != S_IFDIR) {
        p9_put32(&call->out, (uint32_t)(rdev >> 8 & 0xfff));
        p9_put32(&call->out, (uint32_t)((rdev & 0xff) | (rdev >> 12 & 0xfff00)));
    }
    p9_put32(&call->out, new_gid(directory));
    int error = p9_finish(call);
    return error ? error : own(directory, name, length, out);
}

static int make_symlink(struct inode *directory, const char *name, size_t length, const char *target, struct inode **out) {
    struct p9_call *call = p9_begin(p9_session(directory), P9_TSYMLINK);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, p9_node(directory)->fid);
    p9_put_text(&call->out, name, length);
    p9_put_text(&call->out, target, strlen(target));
    p9_put32(&call->out, new_gid(directory));
    int error = p9_finish(call);
    return error ? error : own(directory, name, length, out);
}

static int link(struct inode *directory, const char *name, size_t length, struct inode *target) {
    struct p9_call *call = p9_begin(p9_session(directory), P9_TLINK);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, p9_node(directory)->fid);
    p9_put32(&call->out, p9_node(target)->fid);
    p9_put_text(&call->out, name, length);
    int error = p9_finish(call);
    if (!error) target->nlink++;
    return error;
}

/* A name of `victim` is gone. */
static void forget(struct inode *directory, struct inode *victim) {
    bool is_directory = (victim->mode & S_IFMT) == S_IFDIR;
    victim->nlink = is_directory || !victim->nlink ? 0 : victim->nlink - 1;
    if (is_directory && directory->nlink > 2) directory->nlink--; /* file systems that count no subdirectories say 1 for all */
    p9_make_orphan(victim);
}

#define UNLINK_DIRECTORY 0x200
static int unlink(struct inode *directory, const char *name, size_t length, struct inode *victim) {
    struct p9_call *call = p9_begin(p9_session(directory), P9_TUNLINKAT);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, p9_node(directory)->fid);
    p9_put_text(&call->out, name, length);
    p9_put32(&call->out, (victim->mode & S_IFMT) == S_IFDIR ? UNLINK_DIRECTORY : 0);
    int error = p9_finish(call);
    if (!error) forget(directory, victim);
    return error;
}

static int rename(struct inode *from, const char *name, size_t length, struct inode *moved, struct inode *to, const char *new_name,
                  size_t new_length, struct inode *replaced, bool exchange) {
    if (exchange) return -EINVAL; /* the protocol has no such request */
    struct p9_call *call = p9_begin(p9_session(from), P9_TRENAMEAT);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, p9_node(from)->fid);
    p9_put_text(&call->out, name, length);
    p9_put32(&call->out, p9_node(to)->fid);
    p9_put_text(&call->out, new_name, new_length);
    int error = p9_finish(call);
    if (error) return error;
    if (replaced) forget(to, replaced);
    if ((moved->mode & S_IFMT) == S_IFDIR && from != to) {
        if (from->nlink > 2) from->nlink--;
        to->nlink++;
    }
    return 0;
}

#define DIRECTORY_DATA 8192u
/* One reply's entries to the sink. 1: go on behind *position; 0: the end, or the sink is full. */
static int pass_on(const uint8_t *data, uint32_t size, int64_t *position, struct dirent_sink *sink) {
    struct p9_message in = { (uint8_t *)data, 0, size, false };
    while (in.at < size) {
        struct p9_qid qid = p9_get_qid(&in);
        int64_t next = (int64_t)p9_get64(&in);
        uint8_t type = p9_get8(&in);
        uint16_t length = p9_get16(&in);
        if (in.bad || length > size - in.at) return -EIO;
        const char *name = (const char *)data + in.at;
        in.at += length;
        for (unsigned i = 0; i < length; i++)
            if (!name[i] || name[i] == '/') return -EIO;
        if (!length || length > NAME_MAX || next < 0) return -EIO;
        if (!sink->add(sink, name, length, qid.path, (uint32_t)type << 12, next)) return 0; /* a DT_* is the mode's kind */
        *position = next;
    }
    return size != 0;
}

static int iterate(struct inode *inode, int64_t position, struct dirent_sink *sink) {
    struct p9_session *session = p9_session(inode);
    uint32_t fid, room = session->message_most - 24 < DIRECTORY_DATA ? session->message_most - 24 : DIRECTORY_DATA;
    bool was_open = p9_node(inode)->openers;
    int error = p9_handle(inode, false, &fid);
    uint8_t *data = error ? NULL : pages_alloc(DIRECTORY_DATA / PAGE_SIZE);
    if (!error && !data) error = -ENOMEM;
    for (bool more = true; !error && more;) {
        struct p9_call *call = p9_begin(session, P9_TREADDIR);
        if (!call) {
            error = -ENOMEM;
            break;
        }
        p9_put32(&call->out, fid);
        p9_put64(&call->out, (uint64_t)position);
        p9_put32(&call->out, room);
        error = p9_send(call, data, room, true);
        if (error) break;
        uint32_t size = p9_get32(&call->in);
        if (call->in.bad || size > room || size > call->claimed - 11) error = -EIO;
        p9_end(call);
        int64_t before = position;
        int result = error ? error : pass_on(data, size, &position, sink);
        if (result < 0) error = result;
        more = result > 0;
        if (more && position == before) error = -EIO; /* a server that gives the same names for ever */
    }
    if (data) pages_free(data, DIRECTORY_DATA / PAGE_SIZE);
    if (!was_open && !p9_node(inode)->openers) p9_drop_handles(p9_node(inode));
    return error;
}

static long readlink(struct inode *inode, char *out, size_t room) {
    struct p9_call *call = p9_begin(p9_session(inode), P9_TREADLINK);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, p9_node(inode)->fid);
    int error = p9_send(call, NULL, 0, false);
    if (error) return error;
    uint32_t length = p9_get16(&call->in);
    if (call->in.bad || length > call->in.size - call->in.at) error = -EIO;
    else if (length > room) length = (uint32_t)room;
    if (!error) memcpy(out, call->in.bytes + call->in.at, length);
    p9_end(call);
    for (uint32_t i = 0; !error && i < length; i++)
        if (!out[i]) error = -EIO;
    return error ? error : (long)length;
}

const struct inode_ops p9_directory_ops = {
    .lookup = look, .create = create, .symlink = make_symlink, .link = link, .unlink = unlink, .rename = rename, .iterate = iterate,
    .changed = p9_changed, .blocks = p9_blocks, .refresh = p9_refresh, .sync = p9_sync_inode, .opened = p9_opened, .closed = p9_closed,
    .get_attribute = p9_get_attribute, .set_attribute = p9_set_attribute, .release = p9_release,
};
const struct inode_ops p9_link_ops = { .readlink = readlink, .changed = p9_changed, .blocks = p9_blocks, .refresh = p9_refresh, .get_attribute = p9_get_attribute, .set_attribute = p9_set_attribute, .release = p9_release };
const struct inode_ops p9_node_ops = { .changed = p9_changed, .blocks = p9_blocks, .refresh = p9_refresh, .get_attribute = p9_get_attribute, .set_attribute = p9_set_attribute, .release = p9_release };
