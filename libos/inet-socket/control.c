/* ioctl on sockets: what waits to be read or acknowledged (tcp(7), udp(7)). Interfaces are the stack's (netdevice(7)). */
#include "inet-socket/internal.h"

enum { SIOCGSTAMP = 0x8906, SIOCOUTQNSD = 0x894b };

long inet_ioctl(struct socket *socket, unsigned long request, unsigned long argument) {
    struct inet_socket *it = inet_of(socket);
    int number;
    switch (request) {
    case FIONREAD:
        if (it->state == INET_LISTENING) return -EINVAL;
        number = inet_is_stream(it) ? (int)(inet_urgent_distance(it) < it->unread && !inet_plain(it, SO_OOBINLINE) ? inet_urgent_distance(it) : it->unread) : it->datagrams ? it->datagrams->data->tot_len : 0;
        break;
    case TIOCOUTQ:
        if (it->state == INET_LISTENING) return -EINVAL;
        number = (int)inet_stream_unsent(it);
        break;
    case SIOCOUTQNSD: number = it->pcb ? (int)(it->pcb->snd_lbb - it->pcb->snd_nxt) : 0; break;
    case SIOCATMARK: number = inet_is_stream(it) && !inet_urgent_distance(it); break;
    default: return inet_interface_ioctl(socket->family, request, argument);
    }
    return user_copy_out((void *)argument, &number, sizeof number);
}
