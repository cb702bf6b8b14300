/*
 * Names of AF_UNIX sockets: paths, which are inodes of the VFS, and abstract ones, which are bytes. Owns nothing but the check for both: a name
 * belongs to the socket that was bound to it, and to what was sent from there.
 */
#include "lib/string.h"
#include "unix-socket/internal.h"

enum { FAMILY_SIZE = 2, PATH_ROOM = 108, ADDRESS_SIZE = FAMILY_SIZE + PATH_ROOM };

void unix_name_put(struct unix_name *name) {
    if (!name || --name->references) return;
    if (name->inode) inode_put(name->inode);
    kfree(name);
}

static bool is_abstract(const struct address *address) { return !address->bytes[FAMILY_SIZE]; }

static bool same_bytes(const struct address *a, const struct address *b) {
    return a->length == b->length && !memcmp(a->bytes, b->bytes, a->length);
}

static int check(const struct address *address) {
    if (address->length < FAMILY_SIZE || address->length > ADDRESS_SIZE) return -EINVAL;
    return address->family != AF_UNIX ? -EINVAL : 0;
}

/* Abstract names are each type's own. */
static struct unix_socket *find_abstract(const struct address *address, int type) {
    for (struct unix_socket *it = unix_all; it; it = it->next)
        if (it->bound && it->socket.type == type && !it->name->inode && same_bytes(&it->name->address, address)) return it;
    return NULL;
}

int unix_find(const struct address *address, int type, struct unix_socket **out) {
    struct unix_socket *found = NULL;
    int error = check(address);
    if (error) return error;
    if (address->length == FAMILY_SIZE) return -ECONNREFUSED;
    if (is_abstract(address)) {
        found = find_abstract(address, type);
    } else {
        char path[PATH_ROOM + 1] = {0};
        struct inode *inode;
        memcpy(path, address->bytes + FAMILY_SIZE, address->length - FAMILY_SIZE);
        if ((error = vfs_find_socket(path, &inode))) return error;
        for (struct unix_socket *it = unix_all; it && !found; it = it->next)
            if (it->bound && it->name->inode && it->name->inode->super == inode->super && it->name->inode->ino == inode->ino) found = it;
        inode_put(inode);
    }
    if (!found) return -ECONNREFUSED;
    if (found->socket.type != type) return -EPROTOTYPE;
    unix_get(*out = found);
    return 0;
}

int unix_bind(struct socket *socket, const struct address *address) {
    struct unix_socket *it = unix_of(socket);
    int error = check(address);
    if (error) return error;
    if (address->length == FAMILY_SIZE) return unix_bind_free(it);
    if (it->name) return -EINVAL;
    if (is_abstract(address) && find_abstract(address, socket->type)) return -EADDRINUSE;
    struct unix_name *name = kzalloc(sizeof *name);
    if (!name) return -ENOMEM;
    name->references = 1;
    name->address = *address;
    if (!is_abstract(address)) {
        char path[PATH_ROOM + 1] = {0};
        memcpy(path, address->bytes + FAMILY_SIZE, address->length - FAMILY_SIZE);
        name->address.length = (uint32_t)(FAMILY_SIZE + strlen(path) + 1);
        error = vfs_make_socket(path, &name->inode);
        if (error) {
            kfree(name);
            return error == -EEXIST ? -EADDRINUSE : error;
        }
    }
    it->name = name;
    it->bound = true;
    return 0;
}

int unix_bind_free(struct unix_socket *it) {
    static uint32_t last;
    if (it->name) return 0;
    struct address address = {.length = FAMILY_SIZE + 6, .family = AF_UNIX};
    do {
        last = (last + 1) & 0xfffff;
        for (int i = 0; i < 5; i++) address.bytes[FAMILY_SIZE + 1 + i] = (uint8_t)"0123456789abcdef"[last >> (16 - 4 * i) & 15];
    } while (find_abstract(&address, it->socket.type));
    return unix_bind(&it->socket, &address);
}
