/*
 * Inodes. One for each file of the server (by qid path), however many names it has, so that mappings and locks meet. Its fid names it and is never
 * opened; reading and writing go through fids that are opened when the first open file needs them and given up with the last.
 *
 * The server's attributes are the ones that count: they are fetched at each look (p9_refresh), unless the session is exclusive. A file whose last name
 * the guest removed has only its opened fids: servers that know fids by path answer no other questions about it, so the guest's own count then.
 */
#include "9p/internal.h"

static struct inode **bucket_of(struct p9_session *session, uint64_t qid_path) {
    return &session->buckets[(qid_path ^ qid_path >> 6 ^ qid_path >> 12) % (sizeof session->buckets / sizeof *session->buckets)];
}

uint32_t p9_out_uid(const struct p9_session *session, uint32_t uid) {
    return session->options.flags & P9_OWN && uid == 0 ? session->options.uid : uid;
}

uint32_t p9_out_gid(const struct p9_session *session, uint32_t gid) {
    return session->options.flags & P9_OWN && gid == 0 ? session->options.gid : gid;
}

static void take_attributes(struct inode *inode, const struct p9_attributes *from) {
    const struct p9_options *options = &p9_session(inode)->options;
    bool own = options->flags & P9_OWN;
    inode->mode = from->mode;
    inode->uid = own && from->uid == options->uid ? 0 : from->uid;
    inode->gid = own && from->gid == options->gid ? 0 : from->gid;
    inode->nlink = from->nlink > 0xffffffff ? 0xffffffff : (uint32_t)from->nlink;
    inode->rdev = from->rdev;
    inode->size = (int64_t)from->size;
    inode->atime = from->atime;
    inode->mtime = from->mtime;
    inode->ctime = from->ctime;
    p9_node(inode)->blocks = from->blocks;
    p9_node(inode)->known = *from;
}

static const struct inode_ops *ops_of(uint32_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG: return &p9_file_ops;
    case S_IFDIR: return &p9_directory_ops;
    case S_IFLNK: return &p9_link_ops;
    default: return &p9_node_ops;
    }
}

static struct inode *find_known(struct p9_session *session, const struct p9_attributes *attributes) {
    for (struct inode *at = *bucket_of(session, attributes->qid.path); at; at = p9_node(at)->next)
        if (p9_node(at)->qid_path == attributes->qid.path && !p9_node(at)->orphan && !((at->mode ^ attributes->mode) & S_IFMT)) return at;
    return NULL;
}

int p9_inode(struct superblock *super, uint32_t fid, struct inode **out) {
    struct p9_session *session = super->data;
    struct p9_attributes attributes;
    int error = p9_getattr(session, fid, &attributes);
    struct inode *inode = error ? NULL : find_known(session, &attributes);
    if (inode) { /* the newer fid is the better one: the older may have a name that is gone */
        struct p9_node *node = p9_node(inode);
        uint32_t old = node->fid;
        node->fid = fid;
        inode_get(*out = inode);
        take_attributes(inode, &attributes);
        p9_clunk(session, old);
        return 0;
    }
    struct p9_node *node = error ? NULL : kzalloc(sizeof *node);
    if (node) inode = inode_create(ops_of(attributes.mode), super, attributes.mode);
    if (!inode) {
        kfree(node);
        p9_clunk(session, fid);
        return error ? error : -ENOMEM;
    }
    *node = (struct p9_node){ .inode = inode, .qid_path = attributes.qid.path, .fid = fid, .reader = P9_NO_FID, .writer = P9_NO_FID };
    inode->data = node;
    inode->ino = attributes.qid.path;
    inode->btime = attributes.ctime;
    take_attributes(inode, &attributes);
    struct inode **bucket = bucket_of(session, node->qid_path);
    node->next = *bucket;
    *bucket = inode;
    *out = inode;
    return 0;
}

/* Content that others changed while pages of it are mapped here: clean pages that nothing maps are read again when they are wanted. */
int p9_refresh(struct inode *inode) {
    struct p9_node *node = p9_node(inode);
    struct p9_session *session = p9_session(inode);
    struct p9_attributes attributes;
    if (node->orphan || session->options.flags & P9_EXCLUSIVE) return 0;
    int error = p9_getattr(session, node->fid, &attributes);
    if (error) return error == -ENOENT ? -ESTALE : error;
    if (attributes.qid.path != node->qid_path || (attributes.mode ^ inode->mode) & S_IFMT) return -ESTALE;
    take_attributes(inode, &attributes);
    return 0;
}

int p9_set(struct inode *inode, uint32_t valid) {
    struct p9_session *session = p9_session(inode);
    struct p9_call *call = p9_begin(session, P9_TSETATTR);
    if (!call) return -ENOMEM;
    struct p9_message *out = &call->out;
    p9_put32(out, p9_node(inode)->fid);
    p9_put32(out, valid);
    p9_put32(out, inode->mode); /* with its kind: a server that keeps modes beside its files takes it as it comes */
    p9_put32(out, p9_out_uid(session, inode->uid));
    p9_put32(out, p9_out_gid(session, inode->gid));
    p9_put64(out, (uint64_t)inode->size);
    p9_put64(out, (uint64_t)inode->atime.seconds);
    p9_put64(out, (uint64_t)inode->atime.nanoseconds);
    p9_put64(out, (uint64_t)inode->mtime.seconds);
    p9_put64(out, (uint64_t)inode->mtime.nanoseconds);
    return p9_finish(call);
}

static bool same_time(struct linux_timespec a, struct linux_timespec b) { return a.seconds == b.seconds && a.nanoseconds == b.nanoseconds; }

int p9_changed(struct inode *inode) {
    struct p9_node *node = p9_node(inode);
    struct p9_session *session = p9_session(inode);
    const struct p9_attributes *known = &node->known;
    if (node->orphan) return 0;
    uint32_t valid = ((inode->mode ^ known->mode) & 07777 ? P9_SET_MODE : 0) | (p9_out_uid(session, inode->uid) != known->uid ? P9_SET_UID : 0)
                     | (p9_out_gid(session, inode->gid) != known->gid ? P9_SET_GID : 0)
                     | (same_time(inode->atime, known->atime) ? 0 : P9_SET_ATIME) | (same_time(inode->mtime, known->mtime) ? 0 : P9_SET_MTIME);
    int error = valid ? p9_set(inode, valid) : 0;
    struct p9_attributes attributes; /* what became of it: a server may refuse or ignore a part */
    if (!p9_getattr(session, node->fid, &attributes) && attributes.qid.path == node->qid_path) take_attributes(inode, &attributes);
    return error;
}

uint64_t p9_blocks(struct inode *inode) { return p9_node(inode)->blocks; }

static int open_fid(struct inode *inode, uint32_t flags, uint32_t *out) {
    struct p9_session *session = p9_session(inode);
    uint32_t fid;
    int error = p9_walk(session, p9_node(inode)->fid, NULL, 0, &fid, NULL);
    if (error) return error;
    struct p9_call *call = p9_begin(session, P9_TLOPEN);
    if (call) {
        p9_put32(&call->out, fid);
        p9_put32(&call->out, flags);
        error = p9_finish(call);
    } else {
        error = -ENOMEM;
    }
    if (error) p9_clunk(session, fid);
    else *out = fid;
    return error;
}

/* Another thread may have opened one while this one waited: the first stays. */
static void keep(struct inode *inode, uint32_t *place, uint32_t fid) {
    if (*place == P9_NO_FID) *place = fid;
    else p9_clunk(p9_session(inode), fid);
}

int p9_handle(struct inode *inode, bool writes, uint32_t *fid) {
    struct p9_node *node = p9_node(inode);
    uint32_t opened;
    int error = 0;
    if (writes && node->writer == P9_NO_FID) {
        error = open_fid(inode, O_RDWR, &opened);
        bool reads = !error;
        if (error == -EACCES) error = open_fid(inode, O_WRONLY, &opened);
        if (error) return error;
        if (node->writer == P9_NO_FID) node->writer_reads = reads;
        keep(inode, &node->writer, opened);
    }
    if (!writes && node->reader == P9_NO_FID && (node->writer == P9_NO_FID || !node->writer_reads)) {
        error = open_fid(inode, (inode->mode & S_IFMT) == S_IFDIR ? O_RDONLY | P9_DIRECTORY : O_RDONLY, &opened);
        if (error) return error;
        keep(inode, &node->reader, opened);
    }
    *fid = writes || node->reader == P9_NO_FID ? node->writer : node->reader;
    return 0;
}

void p9_drop_handles(struct p9_node *node) {
    struct p9_session *session = p9_session(node->inode);
    uint32_t reader = node->reader, writer = node->writer;
    node->reader = node->writer = P9_NO_FID;
    if (reader != P9_NO_FID) p9_clunk(session, reader);
    if (writer != P9_NO_FID) p9_clunk(session, writer);
}

/* Counted from the start: a last close while this waits would take away what it has opened so far. */
int p9_opened(struct inode *inode, uint32_t flags) {
    uint32_t access = flags & O_ACCMODE, fid;
    int error = 0;
    p9_node(inode)->openers++;
    if (access != O_WRONLY) error = p9_handle(inode, false, &fid);
    if (!error && access != O_RDONLY) error = p9_handle(inode, true, &fid);
    if (error) p9_closed(inode, flags);
    return error;
}

void p9_closed(struct inode *inode, uint32_t flags) {
    struct p9_node *node = p9_node(inode);
    (void)flags;
    if (node->openers > 1) {
        node->openers--;
        return;
    }
    p9_write_back(inode); /* the last mapping of it is gone, too */
    if (--node->openers) return; /* opened again while this waited */
    p9_drop_pages(node, 0);
    p9_drop_handles(node);
}

void p9_make_orphan(struct inode *inode) {
    struct p9_node *node = p9_node(inode);
    if ((inode->mode & S_IFMT) == S_IFDIR || inode->nlink == 0) node->orphan = true;
}

void p9_release(struct inode *inode) {
    struct p9_node *node = p9_node(inode);
    struct inode **at = bucket_of(p9_session(inode), node->qid_path);
    while (*at != inode) at = &p9_node(*at)->next;
    *at = node->next;
    p9_write_back(inode);
    p9_drop_pages(node, 0);
    p9_drop_handles(node);
    p9_clunk(p9_session(inode), node->fid);
    kfree(node);
    kfree(inode);
}
