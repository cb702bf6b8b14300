/*
 * Descriptors on their way (unix(7), SCM_RIGHTS). Owns the count of how often each socket's file lies in a queue. A file that is held by queues
 * only, and those by each other only, would never end: rights_collect finds such sockets and empties their queues.
 * Files are put from a list, not where they are found: a chain of sockets in each other's queues must not become a chain of calls.
 */
#include "lib/string.h"
#include "unix-socket/internal.h"

static uint32_t in_flight;
static struct pending { struct pending *next; struct file_pack *pack; } *pending;
static bool putting, collecting;
static uint32_t enough = 64; /* in flight: worth a look */

int rights_take(struct file_pack **out, const uint8_t *numbers, size_t count) {
    if (!count) return 0;
    struct file_pack *pack = *out ? *out : kzalloc(sizeof *pack);
    if (!pack) return -ENOMEM;
    *out = pack;
    if (count > FILES_MOST - pack->count) return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        int number;
        memcpy(&number, numbers + i * sizeof number, sizeof number);
        struct file *file = file_lookup_any(number);
        if (!file) return -EBADF;
        file_get(file);
        pack->files[pack->count++] = file;
    }
    return 0;
}

struct file_pack *rights_copy(const struct file_pack *from) {
    struct file_pack *copy = kmalloc(sizeof *copy);
    if (!copy) return NULL;
    *copy = *from;
    for (uint32_t i = 0; i < copy->count; i++) file_get(copy->files[i]);
    return copy;
}

void rights_collect_many(void) {
    if (in_flight < enough) return;
    rights_collect();
    enough = in_flight * 2 + 64;
}

static void count(struct file_pack *pack, int by) {
    for (uint32_t i = 0; i < pack->count; i++) {
        struct unix_socket *it = unix_of_file(pack->files[i]);
        if (!it) continue;
        it->in_flight += (uint32_t)by;
        in_flight += (uint32_t)by;
    }
}

void rights_sent(struct file_pack *pack) { count(pack, 1); }
void rights_arrived(struct file_pack *pack) { count(pack, -1); }

void rights_drop(struct file_pack *pack) {
    struct pending *entry = kmalloc(sizeof *entry), own;
    if (!entry) entry = &own; /* then on the spot */
    *entry = (struct pending){pending, pack};
    if (entry != &own && putting) {
        pending = entry;
        return;
    }
    bool outer = putting;
    pending = entry == &own ? pending : entry;
    putting = true;
    if (entry == &own) {
        for (uint32_t i = 0; i < pack->count; i++) file_put(pack->files[i]);
        kfree(pack);
    }
    while (!outer && (entry = pending)) {
        pending = entry->next;
        for (uint32_t i = 0; i < entry->pack->count; i++) file_put(entry->pack->files[i]);
        kfree(entry->pack);
        kfree(entry);
    }
    putting = outer;
}

void rights_give(struct message *message, struct file_pack *pack) {
    int numbers[FILES_MOST];
    size_t given = 0, room = message->control_size - message->control_used, header = 16;
    while (given < pack->count && message->control && header + (given + 1) * sizeof(int) <= room) {
        int number = file_install(pack->files[given], 0, message->flags & MSG_CMSG_CLOEXEC);
        if (number < 0) break;
        file_get(pack->files[given]);
        numbers[given++] = number;
    }
    if (given) message_put_control(message, SOL_SOCKET, SCM_RIGHTS, numbers, given * sizeof(int));
    if (given < pack->count) message->out_flags |= MSG_CTRUNC;
    rights_drop(pack);
}

/* Marks what can be got at from a socket that somebody holds. */
static void reach(struct unix_socket *it, bool *more) {
    for (struct packet *packet = it->first; packet; packet = packet->next)
        for (uint32_t i = 0; packet->pack && i < packet->pack->count; i++) {
            struct unix_socket *inside = unix_of_file(packet->pack->files[i]);
            if (inside && !inside->reached) inside->reached = *more = true;
        }
    for (struct unix_socket *waiting = it->backlog_first; waiting; waiting = waiting->backlog_next)
        if (!waiting->reached) waiting->reached = *more = true;
}

void rights_collect(void) {
    bool more = true;
    if (!in_flight || collecting) return;
    collecting = true;
    /* Held from outside: by descriptors, calls that run, other queues than sockets'. A connection that nobody accepted is as its listener. */
    for (struct unix_socket *it = unix_all; it; it = it->next) it->reached = it->socket.file && it->socket.file->references > it->in_flight;
    while (more) {
        more = false;
        for (struct unix_socket *it = unix_all; it; it = it->next)
            if (it->reached) reach(it, &more);
    }
    for (bool found = true; found;) {
        found = false;
        for (struct unix_socket *it = unix_all; it && !found; it = it->next)
            if (!it->reached && it->socket.file && it->in_flight && it->first) {
                unix_get(it);
                unix_drain(it);
                unix_put(it);
                found = true; /* the list may have changed */
            }
    }
    collecting = false;
}
