/*
 * Sockets: the calls, and what an address family gives. A family registers itself; `socket` finds it by number.
 * Context: calls, may sleep. All buffers but a message's vector and control are libOS memory.
 */
#ifndef HULL_SOCKET_SOCKET_H
#define HULL_SOCKET_SOCKET_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "abi/linux_file.h"
#include "file/file.h"
#include "init/init.h"

enum { AF_UNSPEC = 0, AF_UNIX = 1, AF_PACKET = 17, SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_RAW = 3, SOCK_SEQPACKET = 5 };
enum { MSG_OOB = 1, MSG_PEEK = 2, MSG_CTRUNC = 8, MSG_TRUNC = 0x20, MSG_DONTWAIT = 0x40, MSG_EOR = 0x80, MSG_WAITALL = 0x100,
       MSG_ERRQUEUE = 0x2000, MSG_NOSIGNAL = 0x4000, MSG_MORE = 0x8000, MSG_WAITFORONE = 0x10000, MSG_FASTOPEN = 0x20000000, MSG_CMSG_CLOEXEC = 0x40000000 };
enum { SIOCATMARK = 0x8905 };
enum { SOL_SOCKET = 1, SCM_RIGHTS = 1, SCM_CREDENTIALS = 2 };
enum { SOCKET_ROOM_MOST = 212992 }; /* bytes that SO_SNDBUF and SO_RCVBUF can ask for; they are doubled (socket(7)) */
enum { SO_DEBUG = 1, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_DONTROUTE, SO_BROADCAST, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_OOBINLINE, SO_PRIORITY = 12,
       SO_LINGER, SO_REUSEPORT = 15, SO_PASSCRED, SO_PEERCRED, SO_RCVLOWAT, SO_SNDLOWAT, SO_RCVTIMEO, SO_SNDTIMEO, SO_TIMESTAMP = 29, SO_ACCEPTCONN = 30, SO_SNDBUFFORCE = 32,
       SO_RCVBUFFORCE = 33, SO_TIMESTAMPNS = 35, SO_MARK = 36, SO_PROTOCOL = 38, SO_DOMAIN = 39, SO_COOKIE = 57 };
#define ADDRESS_MOST 128
struct address { uint32_t length; union { uint16_t family; uint8_t bytes[ADDRESS_MOST]; }; }; /* a sockaddr; length 0: none */

/* One transfer. Sending: control is what the program gave, whole, in libOS memory. Receiving: message_put_control appends to the program's. */
struct message {
    const struct iovec *vector;
    int count;
    size_t size;             /* of the vector */
    struct address address;  /* to, or from */
    uint8_t *control;
    size_t control_size, control_used;
    unsigned flags, out_flags; /* MSG_*; MSG_DONTWAIT is set for non-blocking files, too */
};
enum socket_times { SOCKET_NO_TIMES, SOCKET_MICROSECONDS, SOCKET_NANOSECONDS }; /* neither, SO_TIMESTAMP, SO_TIMESTAMPNS: the last one set counts */
struct socket {
    const struct socket_ops *ops;
    struct file *file;
    int family, type, protocol;
    uint64_t serial;         /* inode number */
    uint64_t receive_timeout, send_timeout; /* ns, 0: none */
    uint32_t send_room, receive_room;
    bool receive_fixed;      /* receive_room is what the program asked for */
    int error;               /* SO_ERROR, -errno */
    uint32_t plain_options;  /* bits by SO_*: kept, without effect */
    int linger[2];
    uint32_t receive_low;    /* SO_RCVLOWAT: bytes; the family's */
    uint8_t times;           /* enum socket_times: with what a datagram comes */
    int priority, mark;      /* kept, without effect: there are no rules that ask for them */
};
struct socket_ops {
    int (*bind)(struct socket *, const struct address *);
    int (*connect)(struct socket *, const struct address *, bool wait);
    int (*listen)(struct socket *, int backlog);
    int (*accept)(struct socket *, bool wait, struct socket **out, struct address *peer); /* out: without a file */
    int (*name)(struct socket *, bool peer, struct address *out);
    long (*send)(struct socket *, struct message *);
    long (*receive)(struct socket *, struct message *);
    int (*shutdown)(struct socket *, int how);
    int (*pair)(struct socket *, struct socket *);
    int (*get_option)(struct socket *, int level, int name, void *out, uint32_t *size); /* absent or -ENOPROTOOPT: not the family's; *size: room, at most 256 bytes; out: the first 4 bytes are the program's, or 0 */
    int (*set_option)(struct socket *, int level, int name, const void *value, uint32_t size);
    void (*receive_room_set)(struct socket *); /* receive_room changed; absent: it is looked at when something comes */
    long (*ioctl)(struct socket *, unsigned long request, unsigned long argument); /* absent: -ENOTTY */
    unsigned (*poll)(struct socket *, struct poll_wait *);
    void (*close)(struct socket *); /* frees it */
};
struct socket_family { int family; int (*create)(int type, int protocol, struct socket **out); };

struct socket *socket_of(const struct file *); /* NULL: not a socket */
struct file *socket_file(struct socket *, unsigned flags); /* its file; NULL: out of memory (the socket stays) */
void socket_start(struct socket *, const struct socket_ops *, int family, int type, int protocol);
void socket_tell_urgent(struct socket *); /* SIGURG to the owner of its file (F_SETOWN) */
/* 0 or, with a wait that ended, -EINTR or -EAGAIN (the timeout). */
int socket_wait(struct wait_queue *, bool (*condition)(void *), void *argument, uint64_t timeout);
/* Appends one control message; what does not fit is cut and MSG_CTRUNC set. Bytes of data that were taken. */
size_t message_put_control(struct message *, int level, int type, const void *data, size_t size);
void message_put_time(struct message *, const struct socket *, uint64_t ns); /* when it came, of the realtime clock, as the socket asks for it; 0: it was not asked for then, so it is now */
#endif
