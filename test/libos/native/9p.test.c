/*
 * The 9P client against a server in this file: one that answers rightly (the same calls on it and on tmpfs, call by call; a file whose name is gone; changes behind
 * the client's back; mapped pages), and one whose answers are damaged (errors, never a wrong access: the sanitizers watch). Like QEMU's, the server knows
 * unopened fids by path.
 * sources: libos/9p/message.c libos/9p/client.c libos/9p/inode.c libos/9p/directory.c libos/9p/file.c libos/9p/pages.c libos/9p/xattr.c libos/9p/mount.c libos/vfs/dentry.c libos/vfs/inode.c libos/vfs/xattr.c libos/vfs/seals.c libos/vfs/walk.c libos/vfs/view.c libos/vfs/mount.c libos/vfs/open.c libos/vfs/attributes.c libos/vfs/names.c libos/vfs/transfer.c libos/tmpfs/content.c libos/tmpfs/file.c libos/tmpfs/directory.c libos/tmpfs/super.c libos/file/file.c libos/file/table.c libos/file/transfer.c libos/file/read.c libos/file/write.c libos/file/descriptor.c
 * flags: -fno-builtin
 */
#include "stand_ins.h"
#include "vfs/internal.h"
#include "9p/internal.h"
#include "console/console.h"
#include "file/internal.h"
#include "flusher/flusher.h"
#include "tmpfs/tmpfs.h"

#include "vfs_calls.h"
long sys_setxattr(const char *, const char *, const void *, size_t, int), sys_getxattr(const char *, const char *, void *, size_t), sys_listxattr(const char *, char *, size_t), sys_removexattr(const char *, const char *);
long sys_fsync(int), sys_fdatasync(int), sys_sync(void), sys_pwritev2(int, const struct iovec *, unsigned long, int64_t, long, int);
uint64_t memory_reclaim(uint64_t wanted) { (void)wanted; return 0; }

/* ---- Time, and the thread that writes what nobody asks for: the test calls the pass itself. ---- */
static uint64_t monotonic = 1000, expected;
uint64_t clock_monotonic_ns(void) { return monotonic; }
void flusher_start(struct flusher *flusher) { CHECK(flusher->pass == p9_flusher_pass); }
void flusher_expect(uint64_t when) { expected = when; }

/* ---- The server: a tree in memory. ---- */
struct entry;
struct attribute { char name[300]; uint8_t *value; uint32_t size; }; /* size 0: none */
#define ATTRIBUTES 4
struct node { uint32_t mode, uid, gid, nlink; uint64_t number, size, time; uint8_t *data; struct entry *first; struct attribute attributes[ATTRIBUTES]; };
struct entry { struct entry *next; struct node *node; uint64_t cookie; char name[300]; };
/* text: what is read of an extended attribute, or gathered for one that `setting` names. */
struct fid { struct node *parent, *opened, *of; char name[300], setting[300]; uint8_t *text; uint32_t text_size, text_room, flags; bool used; };
#define FIDS 1024
static struct fid fids[FIDS];
static struct node top = { .mode = S_IFDIR | 0755, .nlink = 2, .number = 1 };
static uint64_t last_number = 1, last_cookie, clock_now = 1000;
#define FILE_MOST 16384u
static unsigned damaging; /* one answer in so many is damaged; 0: none */

static struct entry **place_of(struct node *directory, const char *name) {
    struct entry **at = &directory->first;
    while (*at && strcmp((*at)->name, name)) at = &(*at)->next;
    return at;
}
/* What a fid names now. */
static struct node *named(uint32_t number) {
    if (number >= FIDS || !fids[number].used) return NULL;
    if (!fids[number].parent) return &top;
    struct entry *entry = *place_of(fids[number].parent, fids[number].name);
    return entry ? entry->node : NULL;
}
static void let_go(struct node *node) {
    for (unsigned i = 0; i < FIDS; i++)
        if (fids[i].used && fids[i].opened == node) return;
    if (node->nlink || node == &top) return;
    for (unsigned i = 0; i < ATTRIBUTES; i++) free(node->attributes[i].value);
    free(node->data);
    free(node);
}
static struct node *add(struct node *directory, const char *name, uint32_t mode, struct node *node) {
    struct entry *entry = calloc(1, sizeof *entry), **end = place_of(directory, name);
    if (!node) {
        node = calloc(1, sizeof *node);
        node->mode = mode;
        node->number = ++last_number;
        node->time = ++clock_now;
        if ((mode & S_IFMT) == S_IFDIR) node->nlink = 1, directory->nlink++;
        if ((mode & S_IFMT) == S_IFREG) node->data = calloc(1, FILE_MOST);
    }
    node->nlink++;
    memcpy(entry->name, name, strlen(name) + 1);
    entry->node = node;
    entry->cookie = ++last_cookie;
    *end = entry; /* at the end of the list: cookies grow */
    return node;
}
static int take_out(struct node *directory, const char *name, bool want_directory) {
    struct entry **at = place_of(directory, name), *entry = *at;
    if (!entry) return ENOENT;
    bool is_directory = (entry->node->mode & S_IFMT) == S_IFDIR;
    if (is_directory != want_directory) return is_directory ? EISDIR : ENOTDIR;
    if (is_directory && entry->node->first) return ENOTEMPTY;
    *at = entry->next;
    entry->node->nlink = is_directory ? 0 : entry->node->nlink - 1;
    if (is_directory) directory->nlink--;
    let_go(entry->node);
    free(entry);
    return 0;
}

static struct p9_message request, reply;
static uint8_t answer[P9_DATA_MOST + 64];
static void get_name(char *out) {
    uint16_t length = p9_get16(&request);
    CHECK(length < 300 && length <= request.size - request.at);
    memcpy(out, request.bytes + request.at, length);
    out[length] = 0;
    request.at += length;
}
static void put_qid(const struct node *node) {
    p9_put8(&reply, (node->mode & S_IFMT) == S_IFDIR ? 0x80 : 0);
    p9_put32(&reply, (uint32_t)node->time);
    p9_put64(&reply, node->number);
}
static uint64_t left_data(void) { return request.size - request.at; }

static int serve_walk(void) {
    uint32_t from = p9_get32(&request), to = p9_get32(&request);
    uint16_t count = p9_get16(&request);
    CHECK(count < 2);
    if (to >= FIDS || fids[to].used) {
        CHECK(damaging); /* a number that a damaged answer made the client forget */
        return EINVAL;
    }
    struct node *node = named(from);
    if (!node) return ENOENT;
    if (!count) {
        fids[to] = fids[from];
        fids[to].opened = NULL;
        p9_put16(&reply, 0);
        return 0;
    }
    char name[300];
    get_name(name);
    struct entry *entry = (node->mode & S_IFMT) == S_IFDIR ? *place_of(node, name) : NULL;
    if (!entry) return ENOENT;
    fids[to] = (struct fid){ .parent = node, .used = true };
    memcpy(fids[to].name, name, strlen(name) + 1);
    p9_put16(&reply, 1);
    put_qid(entry->node);
    return 0;
}

static int serve_getattr(struct node *node) {
    p9_put64(&reply, 0x7ff);
    put_qid(node);
    p9_put32(&reply, node->mode);
    p9_put32(&reply, node->uid);
    p9_put32(&reply, node->gid);
    p9_put64(&reply, node->nlink);
    p9_put64(&reply, 0);
    p9_put64(&reply, node->size);
    p9_put64(&reply, 4096);
    p9_put64(&reply, (node->size + 511) / 512);
    for (unsigned i = 0; i < 4; i++) p9_put64(&reply, node->time), p9_put64(&reply, 5);
    p9_put64(&reply, 0);
    p9_put64(&reply, 0);
    return 0;
}

static int serve_setattr(struct node *node) {
    uint32_t valid = p9_get32(&request), mode = p9_get32(&request), uid = p9_get32(&request), gid = p9_get32(&request);
    uint64_t size = p9_get64(&request);
    if (valid & 1) {
        CHECK((mode & S_IFMT) == (node->mode & S_IFMT) || damaging); /* a server that keeps modes beside its files takes them whole */
        node->mode = mode;
    }
    if (valid & 2) node->uid = uid;
    if (valid & 4) node->gid = gid;
    if (valid & 8) {
        if (!node->data) return EISDIR;
        if (size > FILE_MOST) return EFBIG;
        if (size < node->size) memset(node->data + size, 0, node->size - size);
        node->size = size;
    }
    node->time = ++clock_now;
    return 0;
}

static int serve_readdir(uint32_t fid) {
    uint64_t offset = p9_get64(&request);
    uint32_t room = p9_get32(&request), start = reply.at;
    if (!fids[fid].opened || (fids[fid].opened->mode & S_IFMT) != S_IFDIR) return EBADF;
    p9_put32(&reply, 0);
    struct entry dots[2] = { { .node = fids[fid].opened, .cookie = 1, .name = "." }, { .node = fids[fid].opened, .cookie = 2, .name = ".." } };
    dots[0].next = &dots[1];
    dots[1].next = fids[fid].opened->first;
    for (struct entry *at = dots; at; at = at->next) {
        uint64_t cookie = at->cookie + (at == &dots[0] || at == &dots[1] ? 0 : 2);
        if (cookie <= offset) continue;
        if (reply.at - start - 4 + 24 + strlen(at->name) > room) break;
        put_qid(at->node);
        p9_put64(&reply, cookie);
        p9_put8(&reply, (uint8_t)(at->node->mode >> 12));
        p9_put_text(&reply, at->name, strlen(at->name));
    }
    uint32_t size = reply.at - start - 4;
    memcpy(reply.bytes + start, &size, 4);
    return 0;
}

static int serve_make(uint8_t type, struct node *directory, uint32_t fid) {
    char name[300], text[300];
    uint32_t mode = 0;
    get_name(name);
    if (type == P9_TSYMLINK) get_name(text), mode = S_IFLNK | 0777;
    if (type == P9_TLCREATE) p9_get32(&request), mode = S_IFREG | p9_get32(&request);
    if (type == P9_TMKDIR) mode = S_IFDIR | p9_get32(&request);
    if (type == P9_TMKNOD) mode = p9_get32(&request);
    if (*place_of(directory, name)) return EEXIST;
    struct node *made = add(directory, name, mode, NULL);
    directory->time = ++clock_now;
    if (type == P9_TSYMLINK) {
        made->size = strlen(text);
        made->data = calloc(1, made->size + 1);
        memcpy(made->data, text, made->size + 1);
    }
    if (type == P9_TLCREATE) {
        fids[fid] = (struct fid){ .parent = directory, .opened = made, .used = true };
        memcpy(fids[fid].name, name, strlen(name) + 1);
    }
    put_qid(made);
    if (type == P9_TLCREATE) p9_put32(&reply, 0);
    return 0;
}

static int serve_rename(struct node *from) {
    char name[300], new_name[300];
    get_name(name);
    struct node *to = named(p9_get32(&request));
    get_name(new_name);
    struct entry **at = place_of(from, name), *entry = *at, *there = to ? *place_of(to, new_name) : NULL;
    if (!to || !entry) return ENOENT;
    if (there) {
        if (there->node == entry->node) return 0;
        int error = take_out(to, new_name, (entry->node->mode & S_IFMT) == S_IFDIR);
        if (error) return error;
    }
    at = place_of(from, name);
    *at = entry->next;
    for (unsigned i = 0; i < FIDS; i++) /* fids follow their file to its new name */
        if (fids[i].used && fids[i].parent == from && !strcmp(fids[i].name, name)) {
            fids[i].parent = to;
            memcpy(fids[i].name, new_name, strlen(new_name) + 1);
        }
    if ((entry->node->mode & S_IFMT) == S_IFDIR) from->nlink--, to->nlink++;
    memcpy(entry->name, new_name, strlen(new_name) + 1);
    entry->next = NULL;
    entry->cookie = ++last_cookie;
    *place_of(to, new_name) = entry;
    return 0;
}

static struct attribute *attribute_of(struct node *node, const char *name) {
    for (unsigned i = 0; i < ATTRIBUTES; i++)
        if (node->attributes[i].size && !strcmp(node->attributes[i].name, name)) return &node->attributes[i];
    return NULL;
}

static int serve_attribute_walk(struct node *node) {
    uint32_t to = p9_get32(&request);
    char name[300];
    get_name(name);
    if (to >= FIDS || fids[to].used) {
        CHECK(damaging);
        return EINVAL;
    }
    struct attribute *found = attribute_of(node, name);
    if (*name && !found) return ENODATA;
    struct fid *fid = &fids[to];
    *fid = (struct fid){ .used = true, .text = calloc(1, 70000) };
    if (*name) memcpy(fid->text, found->value, fid->text_size = found->size);
    for (unsigned i = 0; !*name && i < ATTRIBUTES; i++) {
        const struct attribute *at = &node->attributes[i];
        if (!at->size) continue;
        memcpy(fid->text + fid->text_size, at->name, strlen(at->name) + 1);
        fid->text_size += (uint32_t)strlen(at->name) + 1;
    }
    p9_put64(&reply, fid->text_size);
    return 0;
}

static int serve_attribute_create(struct node *node, struct fid *fid) {
    get_name(fid->setting);
    uint64_t room = p9_get64(&request);
    CHECK(room <= 65536 || damaging);
    fid->flags = p9_get32(&request);
    fid->of = node;
    fid->text_room = (uint32_t)room;
    fid->text = calloc(1, room + 1);
    return 0;
}

/* As QEMU's: all at the clunk, and nothing written takes it away. */
static int set_attribute(const struct fid *fid) {
    struct attribute *found = attribute_of(fid->of, fid->setting);
    if (fid->text_size != fid->text_room) return EINVAL;
    if (!fid->text_size && !found) return ENODATA;
    if (fid->text_size && found && fid->flags & 1) return EEXIST;
    if (fid->text_size && !found && fid->flags & 2) return ENODATA;
    for (unsigned i = 0; !found && i < ATTRIBUTES; i++)
        if (!fid->of->attributes[i].size) found = &fid->of->attributes[i];
    if (!found) return ENOSPC;
    memcpy(found->name, fid->setting, sizeof found->name);
    free(found->value);
    found->value = memcpy(malloc(fid->text_size + 1), fid->text, fid->text_size);
    found->size = fid->text_size;
    return 0;
}

static const struct node *synced; /* by the last request for it */
static uint32_t synced_data_only;

static int serve(uint8_t type) {
    uint32_t fid = p9_get32(&request);
    struct node *node = named(fid);
    struct fid *of = fid < FIDS ? &fids[fid] : NULL;
    switch (type) {
    case P9_TVERSION: p9_put32(&reply, fid); p9_put_text(&reply, "9P2000.L", 8); return 0; /* fid: here the size */
    case P9_TATTACH: *of = (struct fid){ .used = true }; put_qid(&top); return 0;
    case P9_TWALK: request.at -= 4; return serve_walk();
    case P9_TCLUNK: {
        if (!of || !of->used) return EINVAL;
        struct node *opened = of->opened;
        int error = of->of && named(fid) == of->of ? set_attribute(of) : 0;
        free(of->text);
        *of = (struct fid){ 0 };
        if (opened) let_go(opened);
        return error;
    }
    case P9_TREAD: case P9_TWRITE: {
        uint64_t offset = p9_get64(&request);
        uint32_t count = p9_get32(&request);
        struct node *file = of->opened;
        if (of->text && type == P9_TREAD) {
            if (offset > of->text_size) offset = of->text_size;
            if (count > of->text_size - offset) count = (uint32_t)(of->text_size - offset);
            p9_put32(&reply, count);
            memcpy(reply.bytes + reply.at, of->text + offset, count);
            reply.at += count;
            return 0;
        }
        if (of->of && type == P9_TWRITE) {
            if (offset != of->text_size || count > of->text_room - offset) return EINVAL;
            memcpy(of->text + offset, request.bytes + request.at, count);
            of->text_size += count;
            p9_put32(&reply, count);
            return 0;
        }
        if (!file || !file->data) return EBADF;
        if (type == P9_TREAD) {
            if (offset > file->size) offset = file->size;
            if (count > file->size - offset) count = (uint32_t)(file->size - offset);
            p9_put32(&reply, count);
            memcpy(reply.bytes + reply.at, file->data + offset, count);
            reply.at += count;
            return 0;
        }
        EQUAL(left_data(), count);
        if (offset + count > FILE_MOST) return EFBIG;
        memcpy(file->data + offset, request.bytes + request.at, count);
        if (offset + count > file->size) file->size = offset + count;
        file->time = ++clock_now;
        p9_put32(&reply, count);
        return 0;
    }
    case P9_TFSYNC: synced = of->opened, synced_data_only = p9_get32(&request); return of->opened ? 0 : EBADF;
    case P9_TREADDIR: return serve_readdir(fid);
    }
    if (!node) return ENOENT;
    char name[300];
    switch (type) {
    case P9_TGETATTR: return serve_getattr(node);
    case P9_TSETATTR: return serve_setattr(node);
    case P9_TXATTRWALK: return serve_attribute_walk(node);
    case P9_TXATTRCREATE: return serve_attribute_create(node, of);
    case P9_TLOPEN: of->opened = node; put_qid(node); p9_put32(&reply, 0); return 0;
    case P9_TLCREATE: case P9_TMKDIR: case P9_TMKNOD: case P9_TSYMLINK: return serve_make(type, node, fid);
    case P9_TREADLINK: p9_put_text(&reply, (char *)node->data, node->size); return 0;
    case P9_TUNLINKAT: get_name(name); return take_out(node, name, p9_get32(&request) & 0x200);
    case P9_TRENAMEAT: return serve_rename(node);
    case P9_TLINK: {
        struct node *target = named(p9_get32(&request));
        get_name(name);
        if (!target) return ENOENT;
        if (*place_of(node, name)) return EEXIST;
        add(node, name, 0, target);
        return 0;
    }
    case P9_TSTATFS:
        p9_put32(&reply, 1), p9_put32(&reply, 4096);
        for (unsigned i = 0; i < 6; i++) p9_put64(&reply, 7);
        p9_put32(&reply, 255);
        return 0;
    }
    CHECK(!"a request that this server knows");
    return EOPNOTSUPP;
}


static unsigned requests;
static long exchange(struct p9_transport *transport, const struct p9_exchange *what) {
    static uint8_t whole[P9_DATA_MOST + 8192];
    uint32_t size = what->request_size;
    (void)transport;
    requests++;
    memcpy(whole, what->request, size);
    if (what->data && !what->data_comes) memcpy(whole + size, what->data, what->data_size), size += what->data_size;
    request = (struct p9_message){ whole, 0, size, false };
    reply = (struct p9_message){ answer, 7, sizeof answer, false };
    EQUAL(p9_get32(&request), size);
    uint8_t type = p9_get8(&request);
    uint16_t tag = p9_get16(&request);
    int error = serve(type);
    CHECK(!request.bad);
    if (error) {
        reply.at = 7;
        p9_put32(&reply, (uint32_t)error);
    }
    uint32_t end = reply.at;
    reply.at = 0;
    p9_put32(&reply, end);
    p9_put8(&reply, error ? P9_RLERROR : type + 1);
    p9_put16(&reply, tag);
    uint32_t room = what->reply_room + (what->data_comes ? what->data_size : 0);
    CHECK(end <= room);
    if (damaging && !any(damaging)) {
        for (unsigned i = 1 + any(3); i; i--) answer[any(2) ? any(end) : any(end < 32 ? end : 32)] = any(2) ? (uint8_t)any(256) : any(2) ? 0xff : 0;
        if (!any(4)) end = any(end + 1);
        if (!any(8)) return -EIO;
        if (!any(16)) end = room;
    }
    memcpy(what->reply, answer, end < what->reply_room ? end : what->reply_room);
    if (what->data_comes && end > what->reply_room) memcpy(what->data, answer + what->reply_room, end - what->reply_room);
    return (long)end;
}
static struct p9_transport transport = { .tag = "test", .exchange = exchange };
const void *boot_module_find(uint32_t type, size_t *size) { (void)type, (void)size; return NULL; }

static void storm(unsigned steps, bool compare) {
    unsigned done = 0;
    for (unsigned step = 0; step < steps && failures < 10; step++) {
        unsigned what = any(13), value = any(1000);
        char first[32], second[32];
        const char *text = any_path();
        memcpy(first, text, strlen(text) + 1);
        text = any_path();
        memcpy(second, text, strlen(text) + 1);
        long got = act(what, "/9", first, second, value);
        if (!compare) {
            static uint8_t bytes[16384];
            struct linux_stat stat;
            content_of(below("/9", second, path_b), bytes, sizeof bytes);
            sys_lstat(path_b, &stat);
            sys_readlink(path_b, (char *)bytes, 100);
            sys_setxattr(path_b, "user.any", bytes, 1 + any(any(2) ? 9000 : 20), 0);
            sys_getxattr(path_b, "user.any", bytes, sizeof bytes);
            sys_listxattr(path_b, (char *)bytes, any(2) ? sizeof bytes : 20);
            sys_removexattr(path_b, "user.any");
            long directory = sys_open("/9/sub", O_RDONLY, 0);
            if (directory >= 0) sys_getdents64((int)directory, bytes, sizeof bytes), sys_close((int)directory);
            continue;
        }
        long wanted = act(what, "/m", first, second, value);
        EQUAL(got, wanted);
        if (got >= 0) done++;
        if (step % 500 == 0) same_tree("/9", "/m", 3);
    }
    if (!compare) return;
    CHECK(done > steps / 10);
    same_tree("/9", "/m", 3);
}

/* A file that is open when its last name goes: readable, writable, cut short and grown again. */
static void nameless(void) {
    char bytes[64];
    long descriptor = sys_open("/9/gone", O_RDWR | O_CREAT, 0644);
    EQUAL(sys_write((int)descriptor, "0123456789", 10), 10);
    EQUAL(sys_unlink("/9/gone"), 0);
    EQUAL(sys_open("/9/gone", O_RDONLY, 0), -ENOENT);
    EQUAL(sys_pread64((int)descriptor, bytes, 64, 0), 10);
    long sys_ftruncate(int, int64_t);
    EQUAL(sys_ftruncate((int)descriptor, 4), 0);
    EQUAL(sys_pread64((int)descriptor, bytes, 64, 0), 4);
    EQUAL(sys_pread64((int)descriptor, bytes, 64, 4), 0);
    EQUAL(sys_pwrite64((int)descriptor, "x", 1, 8), 1);
    EQUAL(sys_pread64((int)descriptor, bytes, 64, 0), 9);
    CHECK(!memcmp(bytes, "0123\0\0\0\0x", 9));
    EQUAL(sys_close((int)descriptor), 0);
}

/* Extended attributes are the server's. */
static void attributes(void) {
    static uint8_t large[65536], back[65537];
    struct node *file = add(&top, "named", S_IFREG | 0644, NULL);
    char names[64];
    memset(large, 'v', sizeof large);
    EQUAL(sys_listxattr("/9/named", names, sizeof names), 0);
    EQUAL(sys_getxattr("/9/named", "user.a", back, 9), -ENODATA);
    EQUAL(sys_setxattr("/9/named", "user.a", "one", 3, 2), -ENODATA);
    EQUAL(sys_setxattr("/9/named", "user.a", "one", 3, 1), 0);
    EQUAL(sys_setxattr("/9/named", "user.a", "two", 3, 1), -EEXIST);
    EQUAL(sys_setxattr("/9/named", "user.a", "four", 4, 2), 0);
    CHECK(file->attributes[0].size == 4 && !memcmp(file->attributes[0].value, "four", 4));
    EQUAL(sys_getxattr("/9/named", "user.a", NULL, 0), 4);
    EQUAL(sys_getxattr("/9/named", "user.a", back, 3), -ERANGE);
    EQUAL(sys_getxattr("/9/named", "user.a", back, 9), 4);
    CHECK(!memcmp(back, "four", 4));
    memcpy(file->attributes[0].value, "host", 4); /* behind our back */
    EQUAL(sys_getxattr("/9/named", "user.a", back, 9), 4);
    CHECK(!memcmp(back, "host", 4));
    EQUAL(sys_setxattr("/9/named", "trusted.large", large, sizeof large, 0), 0);
    EQUAL(sys_getxattr("/9/named", "trusted.large", back, sizeof back), (long)sizeof large);
    CHECK(!memcmp(large, back, sizeof large));
    EQUAL(sys_setxattr("/9/named", "user.none", "", 0, 0), -EOPNOTSUPP);
    EQUAL(sys_listxattr("/9/named", names, sizeof names), 21);
    CHECK(!memcmp(names, "user.a\0trusted.large", 21));
    EQUAL(sys_listxattr("/9/named", names, 20), -ERANGE);
    current_process()->credentials.euid = 1000;
    EQUAL(sys_listxattr("/9/named", names, sizeof names), 7);
    current_process()->credentials.euid = 0;
    EQUAL(sys_removexattr("/9/named", "user.a"), 0);
    EQUAL(sys_removexattr("/9/named", "user.a"), -ENODATA);
    EQUAL(sys_removexattr("/9/named", "trusted.large"), 0);
    EQUAL(sys_listxattr("/9/named", names, sizeof names), 0);
    EQUAL(sys_unlink("/9/named"), 0);
}

/* Others change the tree: what was cached is asked for again. */
static void behind_our_back(void) {
    uint8_t bytes[64];
    struct linux_stat stat;
    struct node *file = add(&top, "host", S_IFREG | 0600, NULL);
    memcpy(file->data, "one", file->size = 3);
    EQUAL(content_of("/9/host", bytes, 64), 3);
    memcpy(file->data, "longer", file->size = 6);
    EQUAL(content_of("/9/host", bytes, 64), 6);
    EQUAL(sys_lstat("/9/host", &stat), 0);
    EQUAL(stat.size, 6);
    file->mode = S_IFREG | 0640;
    EQUAL(sys_lstat("/9/host", &stat), 0);
    EQUAL(stat.mode, S_IFREG | 0640);
    EQUAL(take_out(&top, "host", false), 0);
    EQUAL(sys_lstat("/9/host", &stat), -ENOENT);
    add(&top, "host", S_IFDIR | 0700, NULL);
    EQUAL(sys_lstat("/9/host", &stat), 0);
    EQUAL(stat.mode, S_IFDIR | 0700);
    EQUAL(sys_rmdir("/9/host"), 0);
}

/* What shall be durable is asked for, of directories, too; and by each write of a file that was opened so. */
static void durable(void) {
    long directory = sys_open("/9", O_RDONLY | O_DIRECTORY, 0), descriptor = sys_open("/9/durable", O_RDWR | O_CREAT | O_DSYNC, 0644);
    CHECK(directory >= 0 && descriptor >= 0);
    struct node *node = (*place_of(&top, "durable"))->node;
    struct iovec piece = { "1", 1 };
    synced = NULL;
    EQUAL(sys_write((int)descriptor, "1", 1), 1);
    CHECK(synced == node && synced_data_only == 1);
    long whole = sys_open("/9/durable", O_RDWR | O_SYNC, 0), plain = sys_open("/9/durable", O_RDWR, 0);
    EQUAL(sys_write((int)whole, "2", 1), 1);
    CHECK(synced == node && synced_data_only == 0);
    EQUAL(sys_pwritev2((int)plain, &piece, 1, 0, 0, RWF_DSYNC), 1);
    CHECK(synced == node && synced_data_only == 1);
    EQUAL(sys_pwritev2((int)plain, &piece, 1, 0, 0, RWF_SYNC), 1);
    CHECK(synced == node && synced_data_only == 0);
    synced = NULL;
    EQUAL(sys_pwrite64((int)plain, "3", 1, 0), 1);
    CHECK(!synced);
    EQUAL(sys_close((int)whole), 0);
    EQUAL(sys_close((int)plain), 0);
    EQUAL(sys_fsync((int)directory), 0);
    CHECK(synced == &top && synced_data_only == 0);
    EQUAL(sys_fdatasync((int)descriptor), 0);
    CHECK(synced == node && synced_data_only == 1);
    EQUAL(sys_fsync((int)descriptor), 0);
    CHECK(synced == node && synced_data_only == 0);
    synced = NULL;
    EQUAL(sys_sync(), 0);
    CHECK(synced == node);
    EQUAL(sys_close((int)descriptor), 0);
    EQUAL(sys_close((int)directory), 0);
    EQUAL(sys_unlink("/9/durable"), 0);
}

/* A file is closed for the last time while sync(2) waits to ask for it: what sync asks for is that file still, and nothing stays open. */
static struct file *closing;
static struct p9_call *taken[P9_CALLS_MOST];
static void close_meanwhile(void) {
    for (unsigned i = 0; i < P9_CALLS_MOST; i++) p9_end(taken[i]);
    file_put(closing);
}
static void met_by_close(struct superblock *super) {
    EQUAL(vfs_open("/9/met", O_RDWR | O_CREAT, 0644, &closing), 0);
    EQUAL(file_inode(closing)->ops->write(file_inode(closing), "1", 1, 0), 1);
    struct node *node = (*place_of(&top, "met"))->node;
    for (unsigned i = 0; i < P9_CALLS_MOST; i++) CHECK((taken[i] = p9_begin(super->data, P9_TFSYNC)) != NULL);
    meanwhile = close_meanwhile;
    synced = NULL;
    EQUAL(vfs_sync(), 0);
    CHECK(!meanwhile && synced == node);
    for (unsigned i = 0; i < FIDS; i++) CHECK(!fids[i].used || fids[i].opened != node);
    EQUAL(sys_unlink("/9/met"), 0);
}

/* Pages as mappings have them: written back by sync, seen by read, changed by write. */
static void mapped(void) {
    uint8_t bytes[8192];
    uint64_t page;
    struct file *file;
    memset(bytes, 'a', sizeof bytes);
    EQUAL(vfs_open("/9/map", O_RDWR | O_CREAT, 0644, &file), 0);
    struct inode *inode = file_inode(file);
    EQUAL(inode->ops->write(inode, bytes, 5000, 0), 5000);
    struct node *node = (*place_of(&top, "map"))->node;
    EQUAL(inode->ops->get_page(inode, 1, FILE_PAGE_AT_HAND, &page), -EAGAIN);
    EQUAL(inode->ops->get_page(inode, 2, FILE_PAGE_CREATE, &page), -ENXIO);
    EQUAL(inode->ops->get_page(inode, 1, FILE_PAGE_CREATE, &page), 0);
    uint8_t *memory = phys_to_virt(page);
    CHECK(memory[903] == 'a' && memory[904] == 0);
    unsigned before = requests;
    EQUAL(inode->ops->sync(inode, false), 0);
    EQUAL(requests, before + 1); /* nothing to write back: only the fsync */
    memory[1] = 'b';
    CHECK(node->data[4097] == 'a');
    EQUAL(inode->ops->read(inode, bytes, sizeof bytes, 0), 5000);
    CHECK(bytes[4097] == 'b' && bytes[4096] == 'a');
    EQUAL(inode->ops->write(inode, "cc", 2, 4098), 2);
    CHECK(memory[2] == 'c' && memory[3] == 'c');
    EQUAL(inode->ops->sync(inode, false), 0);
    CHECK(node->data[4097] == 'b' && node->data[4098] == 'c' && node->size == 5000);
    EQUAL(inode->ops->truncate(inode, 4098), 0);
    CHECK(memory[1] == 'b' && memory[2] == 0);
    memory[0] = 'd';
    page_put(page);
    file_put(file); /* the last one: what is not written yet goes now */
    CHECK(node->data[4096] == 'd' && node->size == 4098);
    EQUAL(sys_unlink("/9/map"), 0);
}

/* Pages that a mapping changed are the server's thirty seconds after, though nobody asks for it; those that nothing maps any more are not looked at again. */
static void unasked(void) {
    uint64_t first, second;
    struct file *file;
    EQUAL(vfs_open("/9/quiet", O_RDWR | O_CREAT, 0644, &file), 0);
    struct inode *inode = file_inode(file);
    EQUAL(inode->ops->write(inode, "0", 1, 8191), 1);
    struct node *node = (*place_of(&top, "quiet"))->node;
    monotonic += 2 * FLUSHER_MAPPED_NS;
    EQUAL(p9_flusher_pass(), 0); /* what was lent before is gone */
    expected = 0;
    EQUAL(inode->ops->get_page(inode, 0, FILE_PAGE_CREATE, &first), 0);
    uint64_t due = monotonic + FLUSHER_MAPPED_NS;
    EQUAL(expected, due);
    monotonic += FLUSHER_MAPPED_NS / 2;
    EQUAL(inode->ops->get_page(inode, 1, FILE_PAGE_CREATE, &second), 0);
    *(uint8_t *)phys_to_virt(first) = 'a';
    ((uint8_t *)phys_to_virt(second))[4095] = 'b';
    monotonic = due - 1;
    EQUAL(p9_flusher_pass(), due);
    CHECK(!node->data[0] && node->data[8191] == '0');
    monotonic = due;
    synced = NULL;
    EQUAL(p9_flusher_pass(), due + FLUSHER_MAPPED_NS); /* they go on being lent */
    CHECK(node->data[0] == 'a' && node->data[8191] == 'b' && node->size == 8192 && !synced);
    *(uint8_t *)phys_to_virt(first) = 'c';
    page_put(first);
    page_put(second);
    monotonic += FLUSHER_MAPPED_NS;
    CHECK(p9_flusher_pass());
    CHECK(node->data[0] == 'c');
    monotonic += FLUSHER_MAPPED_NS;
    EQUAL(p9_flusher_pass(), 0);
    unsigned before = requests;
    EQUAL(inode->ops->get_page(inode, 0, FILE_PAGE_CREATE, &first), 0); /* and lent once more */
    *(uint8_t *)phys_to_virt(first) = 'd';
    page_put(first);
    EQUAL(requests, before);
    file_put(file);
    CHECK(node->data[0] == 'd');
    EQUAL(sys_unlink("/9/quiet"), 0);
}

int main(void) {
    struct superblock *super;
    p9_transport_add(&transport);
    EQUAL(p9_open(&transport, &(struct p9_options){ 0 }, &super), 0);
    first_process.view = NULL;
    EQUAL(vfs_mount(tmpfs_create(0755, 2), "/", true, 0), 0);
    EQUAL(vfs_make_directory("/9", 0755), 0);
    EQUAL(vfs_make_directory("/m", 0755), 0);
    EQUAL(vfs_mount(super, "/9", false, 0), 0);
    without_exchange = true;
    nameless();
    attributes();
    behind_our_back();
    durable();
    met_by_close(super);
    mapped();
    unasked();
    EQUAL(sys_mkdir("/9/dir", 0755), sys_mkdir("/m/dir", 0755));
    storm(4000, true);
    /* All that the client held while files were open it has given back. */
    long held = 0;
    for (unsigned i = 0; i < FIDS; i++) held += fids[i].used && fids[i].opened;
    EQUAL(held, 0);
    for (unsigned rate = 40; rate > 4; rate -= 6) {
        damaging = rate;
        storm(700, false);
    }
    damaging = 0;
    EQUAL(vfs_sync(), 0);
    return report("9p");
}
