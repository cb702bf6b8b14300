/* Private to 9p: messages, the session, what an inode of it is. */
#ifndef HULL_9P_INTERNAL_H
#define HULL_9P_INTERNAL_H
#include "9p/9p.h"
#include "arch/arch.h"
#include "clock/clock.h"
#include "lib/string.h"
#include "memory/memory.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "tmpfs/content.h"
#include "wait/wait.h"

enum p9_type {
    P9_RLERROR = 7, P9_TSTATFS = 8, P9_TLOPEN = 12, P9_TLCREATE = 14, P9_TSYMLINK = 16, P9_TMKNOD = 18, P9_TREADLINK = 22, P9_TGETATTR = 24,
    P9_TSETATTR = 26, P9_TXATTRWALK = 30, P9_TXATTRCREATE = 32, P9_TREADDIR = 40, P9_TFSYNC = 50, P9_TLINK = 70, P9_TMKDIR = 72, P9_TRENAMEAT = 74, P9_TUNLINKAT = 76, P9_TVERSION = 100,
    P9_TATTACH = 104, P9_TWALK = 110, P9_TREAD = 116, P9_TWRITE = 118, P9_TCLUNK = 120, /* an answer is its question's number + 1 */
};
#define P9_NO_FID 0xffffffffu
#define P9_DIRECTORY 0200000 /* flags of Tlopen and Tlcreate: Linux's, by x86-64's numbers; those below it are the same everywhere */
#define P9_DATA_MOST 131072u /* bytes of one read or write */
#define P9_MESSAGE_ROOM 6144u /* fits two names of a path's length */

/* A request while it is written, its reply while it is read. Running out of room or of bytes makes it `bad`; the numbers are zeros from then on. */
struct p9_message { uint8_t *bytes; uint32_t at, size; bool bad; };
void p9_put8(struct p9_message *, uint8_t);
void p9_put16(struct p9_message *, uint16_t);
void p9_put32(struct p9_message *, uint32_t);
void p9_put64(struct p9_message *, uint64_t);
void p9_put_text(struct p9_message *, const char *, size_t length);
uint8_t p9_get8(struct p9_message *);
uint16_t p9_get16(struct p9_message *);
uint32_t p9_get32(struct p9_message *);
uint64_t p9_get64(struct p9_message *);
struct p9_qid { uint8_t type; uint32_t version; uint64_t path; };
struct p9_qid p9_get_qid(struct p9_message *);

/* One call under way (claimed: the reply's size, data included, which did arrive): its buffers; taken for the time between p9_begin and p9_end, never across a copy from or to the program. */
struct p9_call { struct p9_call *next; struct p9_session *session; struct p9_message out, in; uint8_t *memory; enum p9_type type; uint32_t claimed; };
struct p9_session {
    struct p9_transport *transport;
    struct superblock super;
    struct p9_options options;
    uint32_t message_most;             /* msize, as agreed */
    uint32_t next_fid, free_count, free_room, *free_fids;
    uint64_t lent_ns;                  /* since when pages are lent that nobody looked at; 0: there are none */
    struct p9_call *free_calls;
    unsigned calls;                    /* how many exist */
    struct wait_queue call_free;
    struct inode *buckets[64];         /* by qid path */
};
#define P9_CALLS_MOST 8
struct p9_call *p9_begin(struct p9_session *, enum p9_type);   /* waits for a free one; NULL: out of memory */
/* Sends it and waits. data as in struct p9_exchange. 0 with `in` behind the reply's header, or -errno (then the call is over). */
int p9_send(struct p9_call *, void *data, uint32_t data_size, bool data_comes);
void p9_end(struct p9_call *);
int p9_finish(struct p9_call *); /* sends; the answer has nothing that is wanted */
uint32_t p9_fid_take(struct p9_session *);
void p9_fid_give(struct p9_session *, uint32_t fid);
/* A new fid for `name` in the directory `fid`; for the same file when length is 0. */
int p9_walk(struct p9_session *, uint32_t fid, const char *name, size_t length, uint32_t *out, struct p9_qid *qid);
void p9_clunk(struct p9_session *, uint32_t fid); /* also gives the number back */

struct p9_attributes { struct p9_qid qid; uint32_t mode, uid, gid; uint64_t nlink, rdev, size, blocks; struct linux_timespec atime, mtime, ctime; };
int p9_getattr(struct p9_session *, uint32_t fid, struct p9_attributes *out);

/* data of an inode. */
struct p9_node {
    struct inode *inode, *next; /* next: in the session's bucket */
    uint64_t qid_path;
    uint32_t fid;               /* names the file; never opened */
    uint32_t reader, writer;    /* opened fids, P9_NO_FID without; a writer that was opened for both reads, too */
    bool writer_reads;
    bool orphan;                /* its last name is gone: only the opened fids and what is known here are left */
    uint32_t openers;
    bool writing_back;          /* one at a time: who comes next finds all of it at the server */
    struct wait_queue written_back;
    uint64_t blocks;
    struct p9_attributes known; /* the server's attributes as last heard */
    struct content pages;       /* of mapped files */
    struct content marks;       /* 512 to a page: what a page's content hashed to when the server last had it; 0: it was not lent for writing */
};
static inline struct p9_node *p9_node(const struct inode *inode) { return inode->data; }
static inline struct p9_session *p9_session(const struct inode *inode) { return inode->super->data; }
extern const struct inode_ops p9_directory_ops, p9_file_ops, p9_link_ops, p9_node_ops;

/* The inode for what `fid` names (takes the fid): one that is known already, or a new one. */
int p9_inode(struct superblock *, uint32_t fid, struct inode **out);
int p9_refresh(struct inode *);
int p9_changed(struct inode *);
int p9_set(struct inode *, uint32_t valid); /* sends the inode's own attributes that `valid` names */
enum { P9_SET_MODE = 1, P9_SET_UID = 2, P9_SET_GID = 4, P9_SET_SIZE = 8, P9_SET_ATIME = 0x90, P9_SET_MTIME = 0x120 };
uint64_t p9_blocks(struct inode *);
void p9_release(struct inode *);
uint32_t p9_out_uid(const struct p9_session *, uint32_t uid);
uint32_t p9_out_gid(const struct p9_session *, uint32_t gid);
/* An opened fid that can do it. 0 or -errno. */
int p9_handle(struct inode *, bool writes, uint32_t *fid);
int p9_opened(struct inode *, uint32_t flags);
void p9_closed(struct inode *, uint32_t flags);
void p9_drop_handles(struct p9_node *);
void p9_make_orphan(struct inode *); /* its last name goes: what needs one is fetched now */
/* Of libOS memory that is physically contiguous; at most P9_DATA_MOST. Bytes or -errno. */
long p9_read_data(struct inode *, void *data, uint32_t size, int64_t position);
long p9_write_data(struct inode *, const void *data, uint32_t size, int64_t position);
/* The same of an opened fid. */
long p9_read_fid(struct p9_session *, uint32_t fid, void *data, uint32_t size, int64_t position);
long p9_write_fid(struct p9_session *, uint32_t fid, const void *data, uint32_t size, int64_t position);
long p9_get_attribute(struct inode *, const char *name, uint8_t **out); /* as inode_ops.get_attribute, set_attribute */
int p9_set_attribute(struct inode *, const char *name, const void *value, size_t size, int flags);
int p9_get_page(struct inode *, uint64_t index, int how, uint64_t *physical);
int p9_sync_inode(struct inode *, bool data_only); /* an open file or directory: also on the server's disk; another: only to the server */
int p9_write_back(struct inode *); /* pages that the program changed through a mapping */
int p9_each(struct p9_session *, int (*with)(struct inode *)); /* all inodes, which may sleep; the first answer that is not 0 */
uint64_t p9_flusher_pass(void); /* writes pages back that were lent long ago; when to come again, 0: not before one is lent */
struct p9_transport *p9_transport_first(void);
void p9_drop_pages(struct p9_node *, uint64_t first);
#endif
