/* A session: version, attach, the superblock; transports by tag; and the mounts that the boot module asks for. */
#include "9p/internal.h"
#include "abi/boot_abi.h"
#include "channel/channel.h"

static struct p9_transport *first_transport;

void p9_transport_add(struct p9_transport *transport) {
    transport->next = first_transport;
    first_transport = transport;
}

struct p9_transport *p9_transport_first(void) { return first_transport; }

struct p9_transport *p9_transport_find(const char *tag) {
    struct p9_transport *transport = first_transport;
    while (transport && strcmp(transport->tag, tag)) transport = transport->next;
    return transport;
}

static void p9_statfs(struct superblock *super, struct linux_statfs *out) {
    struct p9_session *session = super->data;
    struct p9_call *call = p9_begin(session, P9_TSTATFS);
    if (!call) return;
    p9_put32(&call->out, p9_node(super->root)->fid);
    if (p9_send(call, NULL, 0, false)) return;
    struct linux_statfs got = *out;
    p9_get32(&call->in);
    got.type = 0x01021997; /* V9FS_MAGIC */
    got.bsize = got.frsize = p9_get32(&call->in);
    got.blocks = p9_get64(&call->in);
    got.bfree = p9_get64(&call->in);
    got.bavail = p9_get64(&call->in);
    got.files = p9_get64(&call->in);
    got.ffree = p9_get64(&call->in);
    p9_get64(&call->in);
    got.namelen = p9_get32(&call->in);
    if (!call->in.bad) *out = got;
    p9_end(call);
}

int p9_each(struct p9_session *session, int (*with)(struct inode *)) {
    int result = 0;
    for (unsigned i = 0; i < sizeof session->buckets / sizeof *session->buckets; i++) {
        struct inode *at = session->buckets[i];
        if (at) inode_get(at);
        while (at) { /* held over the sleep, so that its place in the list is still there; the next one, too, as giving up the last reference sleeps */
            int error = with(at);
            if (!result) result = error;
            struct inode *next = p9_node(at)->next;
            if (next) inode_get(next);
            inode_put(at);
            at = next;
        }
    }
    return result;
}

static int settle(struct inode *inode) { return p9_node(inode)->writer != P9_NO_FID ? p9_sync_inode(inode, false) : p9_write_back(inode); }
static int p9_sync(struct superblock *super) { return p9_each(super->data, settle); }

static const struct super_ops super_ops = { .statfs = p9_statfs, .sync = p9_sync };

static int agree(struct p9_session *session) {
    static const char version[] = "9P2000.L";
    struct p9_call *call = p9_begin(session, P9_TVERSION);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, P9_DATA_MOST + 24);
    p9_put_text(&call->out, version, sizeof version - 1);
    int error = p9_send(call, NULL, 0, false);
    if (error) return error;
    session->message_most = p9_get32(&call->in);
    uint16_t length = p9_get16(&call->in);
    if (call->in.bad || length != sizeof version - 1 || length > call->in.size - call->in.at || memcmp(call->in.bytes + call->in.at, version, length))
        error = -EPROTO;
    if (session->message_most < P9_MESSAGE_ROOM || session->message_most > P9_DATA_MOST + 24) error = -EPROTO;
    p9_end(call);
    return error;
}

static int attach(struct p9_session *session) {
    struct p9_call *call = p9_begin(session, P9_TATTACH);
    if (!call) return -ENOMEM;
    uint32_t fid = p9_fid_take(session);
    p9_put32(&call->out, fid);
    p9_put32(&call->out, P9_NO_FID);
    p9_put_text(&call->out, "root", 4);
    p9_put_text(&call->out, "", 0);
    p9_put32(&call->out, p9_out_uid(session, 0));
    int error = p9_finish(call);
    return error ? error : p9_inode(&session->super, fid, &session->super.root);
}

int p9_open(struct p9_transport *transport, const struct p9_options *options, struct superblock **out) {
    if ((*out = transport->super)) return 0;
    struct p9_session *session = kzalloc(sizeof *session);
    if (!session) return -ENOMEM;
    session->transport = transport;
    session->options = *options;
    session->next_fid = 1;
    session->super = (struct superblock){ .ops = &super_ops, .kind = "9p", .device = options->device, .read_only = options->flags & P9_READ_ONLY,
                                          .data = session };
    int error = agree(session);
    if (!error) error = attach(session);
    if (!error && (session->super.root->mode & S_IFMT) != S_IFDIR) error = -ENOTDIR;
    if (!error) {
        *out = transport->super = &session->super;
        return 0;
    }
    return error; /* the session stays: its call buffers may be the server's for all we know. A mount that fails ends the start */
}
