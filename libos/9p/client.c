/*
 * Calls and fids. Owns: the pool of call buffers, the numbers of fids. A call is: p9_begin, p9_put*, p9_send, p9_get*, p9_end.
 * Several may be under way; each waits in the transport for its own answer, so one tag a call buffer is enough.
 */
#include "9p/internal.h"

#define HEADER 7
#define BUFFER_PAGES 3 /* the request's bytes, then the reply's */

static bool may_begin(void *argument) {
    struct p9_session *session = argument;
    return session->free_calls || session->calls < P9_CALLS_MOST;
}

struct p9_call *p9_begin(struct p9_session *session, enum p9_type type) {
    while (!may_begin(session)) wait_until(&session->call_free, may_begin, session, 0, false);
    struct p9_call *call = session->free_calls;
    if (call) {
        session->free_calls = call->next;
    } else {
        call = kzalloc(sizeof *call);
        if (!call || !(call->memory = pages_alloc(BUFFER_PAGES))) {
            kfree(call);
            return NULL;
        }
        session->calls++;
        call->session = session;
    }
    call->type = type;
    call->out = (struct p9_message){ call->memory, 4, P9_MESSAGE_ROOM, false };
    p9_put8(&call->out, (uint8_t)type);
    p9_put16(&call->out, type == P9_TVERSION ? 0xffff : (uint16_t)((uintptr_t)call->memory >> PAGE_SHIFT & 0x7fff));
    return call;
}

void p9_end(struct p9_call *call) {
    struct p9_session *session = call->session;
    call->next = session->free_calls;
    session->free_calls = call;
    wait_queue_wake(&session->call_free, 1);
}

int p9_send(struct p9_call *call, void *data, uint32_t data_size, bool data_comes) {
    uint32_t size = call->out.at, total = size + (data_comes ? 0 : data_size);
    uint8_t *reply = call->memory + P9_MESSAGE_ROOM;
    int error = call->out.bad ? -ENAMETOOLONG : 0;
    if (!error) {
        memcpy(call->out.bytes, &total, 4);
        /* The data of an answer comes behind its header and count. */
        uint32_t reply_room = data_comes ? HEADER + 4 : P9_MESSAGE_ROOM;
        long written = call->session->transport->exchange(call->session->transport, &(struct p9_exchange){
            call->out.bytes, size, reply, reply_room, data, data_size, data_comes });
        call->in = (struct p9_message){ reply, 0, written < 0 ? 0 : written < reply_room ? (uint32_t)written : reply_room, false };
        uint32_t claimed = p9_get32(&call->in);
        uint8_t type = p9_get8(&call->in);
        p9_get16(&call->in);
        if (written < 0) error = (int)written;
        else if (call->in.bad || claimed > (uint64_t)written || claimed < HEADER) error = -EIO;
        else if (type == P9_RLERROR) {
            uint32_t code = p9_get32(&call->in);
            error = code && code < 4096 && !call->in.bad ? -(int)code : -EIO;
        } else if (type != call->type + 1) error = -EIO;
        else if (claimed < call->in.size) call->in.size = claimed;
        call->claimed = claimed;
    }
    if (error) p9_end(call);
    return error;
}

int p9_finish(struct p9_call *call) {
    int error = p9_send(call, NULL, 0, false);
    if (!error) p9_end(call);
    return error;
}

uint32_t p9_fid_take(struct p9_session *session) {
    return session->free_count ? session->free_fids[--session->free_count] : session->next_fid++;
}

void p9_fid_give(struct p9_session *session, uint32_t fid) {
    if (session->free_count == session->free_room) {
        uint32_t room = session->free_room ? session->free_room * 2 : 64;
        uint32_t *larger = kmalloc(room * sizeof *larger);
        if (!larger) return; /* the number is lost: there are four thousand million */
        if (session->free_count) memcpy(larger, session->free_fids, session->free_count * sizeof *larger);
        kfree(session->free_fids);
        session->free_fids = larger;
        session->free_room = room;
    }
    session->free_fids[session->free_count++] = fid;
}

int p9_walk(struct p9_session *session, uint32_t fid, const char *name, size_t length, uint32_t *out, struct p9_qid *qid) {
    struct p9_call *call = p9_begin(session, P9_TWALK);
    if (!call) return -ENOMEM;
    uint32_t new_fid = p9_fid_take(session);
    p9_put32(&call->out, fid);
    p9_put32(&call->out, new_fid);
    p9_put16(&call->out, length ? 1 : 0);
    if (length) p9_put_text(&call->out, name, length);
    int error = p9_send(call, NULL, 0, false);
    if (!error) {
        bool found = p9_get16(&call->in) == (length ? 1 : 0);
        if (length) {
            struct p9_qid got = p9_get_qid(&call->in);
            if (qid) *qid = got;
        }
        if (!found || call->in.bad) error = -EIO;
        p9_end(call);
    }
    if (error) p9_fid_give(session, new_fid);
    else *out = new_fid;
    return error;
}

void p9_clunk(struct p9_session *session, uint32_t fid) {
    struct p9_call *call = p9_begin(session, P9_TCLUNK);
    if (!call) return; /* the server keeps it, and its number is not used again */
    p9_put32(&call->out, fid);
    int error = p9_finish(call);
    if (error != -ENOMEM) p9_fid_give(session, fid);
}

static struct linux_timespec get_time(struct p9_message *message) {
    uint64_t seconds = p9_get64(message), nanoseconds = p9_get64(message);
    return (struct linux_timespec){ (int64_t)seconds, nanoseconds < 1000000000 ? (int64_t)nanoseconds : 0 };
}

#define GETATTR_BASIC 0x7ffull
int p9_getattr(struct p9_session *session, uint32_t fid, struct p9_attributes *out) {
    struct p9_call *call = p9_begin(session, P9_TGETATTR);
    if (!call) return -ENOMEM;
    p9_put32(&call->out, fid);
    p9_put64(&call->out, GETATTR_BASIC);
    int error = p9_send(call, NULL, 0, false);
    if (error) return error;
    struct p9_message *in = &call->in;
    uint64_t valid = p9_get64(in);
    out->qid = p9_get_qid(in);
    out->mode = p9_get32(in);
    out->uid = p9_get32(in);
    out->gid = p9_get32(in);
    out->nlink = p9_get64(in);
    out->rdev = p9_get64(in);
    out->size = p9_get64(in);
    p9_get64(in); /* block size */
    out->blocks = p9_get64(in);
    out->atime = get_time(in);
    out->mtime = get_time(in);
    out->ctime = get_time(in);
    if (in->bad || (valid & GETATTR_BASIC) != GETATTR_BASIC || out->size > INT64_MAX - PAGE_SIZE) error = -EIO;
    p9_end(call);
    return error;
}
