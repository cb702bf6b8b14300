/* Private to unix-socket: sockets, what lies in their queues, names, descriptors on their way. */
#ifndef HULL_UNIX_SOCKET_INTERNAL_H
#define HULL_UNIX_SOCKET_INTERNAL_H
#include "memory/memory.h"
#include "socket/socket.h"
#include "syscall/syscall.h"
#include "task/task.h"
#include "vfs/vfs.h"

enum { FILES_MOST = 253, PACKET_CHARGE = 512, SHUT_RECEIVE = 1, SHUT_SEND = 2 };
struct credentials_message { int pid; uint32_t uid, gid; };
struct file_pack { uint32_t count; struct file *files[FILES_MOST]; }; /* each file with a reference */
/* The name of a bound socket: shared by what was sent from it. */
struct unix_name { uint32_t references; struct inode *inode; struct address address; };
/* Data in pieces of at most a page; a packet is a message, or for streams what one send brought. */
struct chunk { struct chunk *next; uint32_t begin, end; uint8_t data[]; };
struct packet {
    struct packet *next;
    struct chunk *chunks;
    size_t left, charge;
    struct unix_name *from;
    struct credentials_message credentials;
    uint64_t time;        /* when it was sent, realtime ns, if the receiver asked for it by then */
    bool has_credentials; /* the sender gave them */
    bool urgent;          /* the byte of a MSG_OOB; once that was taken as such, an empty packet that marks its place */
    struct file_pack *pack;
};
enum unix_state { UNIX_NEW, UNIX_CONNECTED, UNIX_LISTENING };
struct unix_socket {
    struct socket socket; /* first */
    uint32_t references;  /* its file's (or its listener's, before accept), its peers', waiting senders' */
    enum unix_state state;
    struct unix_socket *next;       /* of all */
    struct unix_socket *peer;       /* referenced */
    struct unix_name *name;
    struct packet *first, *last;
    struct packet *urgent;          /* the newest urgent byte, while it lies in the queue; older ones are ordinary */
    size_t queued;                  /* charges of what lies in the queue */
    uint32_t packets;
    struct unix_socket *backlog_first, *backlog_last, *backlog_next; /* connections that nobody accepted yet */
    uint32_t backlog, backlog_most;
    struct wait_queue readers, writers; /* who waits for data or connections here; who waits to send from here */
    struct wait_queue senders;          /* others that wait for room in this queue or backlog */
    struct credentials_message peer_credentials;
    uint8_t shut;
    bool dead, pass_credentials;
    struct turn turn;               /* whose it is takes what lies in the queue, and may sleep over it */
    bool bound;                     /* the name is its own, not its listener's */
    uint32_t in_flight;             /* of its file's references, how many lie in queues */
    bool reached;
};
extern struct unix_socket *unix_all;
struct unix_socket *unix_create(int type, int protocol);
void unix_get(struct unix_socket *);
void unix_put(struct unix_socket *);
struct unix_socket *unix_of_file(const struct file *); /* NULL: not one of these */
struct credentials_message unix_credentials(void);
static inline struct unix_socket *unix_of(struct socket *socket) { return (struct unix_socket *)socket; }
static inline bool unix_is_datagram(const struct unix_socket *it) { return it->socket.type == SOCK_DGRAM; }

/* name.c */
int unix_bind(struct socket *, const struct address *);
int unix_bind_free(struct unix_socket *); /* an abstract name that nobody has */
int unix_find(const struct address *, int type, struct unix_socket **out); /* referenced */
void unix_name_put(struct unix_name *);
/* transfer.c */
long unix_send(struct socket *, struct message *);
long unix_receive(struct socket *, struct message *);
void unix_drain(struct unix_socket *); /* empties the queue */
bool unix_unread(const struct unix_socket *); /* something lies there that nobody took */
bool unix_at_mark(const struct unix_socket *); /* as SIOCATMARK has it */
void unix_room_made(struct unix_socket *); /* its queue has become shorter */
bool unix_writable(const struct unix_socket *);
/* rights.c */
int rights_take(struct file_pack **pack, const uint8_t *program_numbers, size_t count); /* from libOS memory */
struct file_pack *rights_copy(const struct file_pack *);
void rights_sent(struct file_pack *);
void rights_arrived(struct file_pack *);  /* out of the queue; the pack is the caller's */
void rights_drop(struct file_pack *);     /* puts the files, at some time soon, and frees the pack */
void rights_give(struct message *, struct file_pack *); /* to the program, as descriptors; frees the pack */
void rights_collect_many(void); /* the same, when much has gathered since the last time */
void rights_collect(void); /* ends sockets that only queues of each other hold */
#endif
