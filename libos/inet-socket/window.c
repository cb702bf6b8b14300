/*
 * The receive window of a stream: SO_RCVBUF, and pure acknowledgments at a window of 0.
 *
 * lwIP's rcv_wnd and the bytes that the program has not read add up to TCP_WND, which lwip_port_window_of makes a number of each connection: 0 in its
 * slot is the machine's usual one. It grows at once; where it has to shrink, the peer has been promised the bytes already (RFC 9293, 3.8.6), so the
 * difference is a debt that is paid from what the program reads.
 */
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"
#include "hooks.h"

/* Bytes that SO_RCVBUF allows; 0: the usual window. A half of the room is for bookkeeping (tcp(7), tcp_adv_win_scale). */
static uint32_t wanted(const struct inet_socket *it) {
    if (!it->socket.receive_fixed) return 0;
    return it->socket.receive_room / 2 < lwip_port_window ? it->socket.receive_room / 2 : lwip_port_window;
}

static void set_slot(struct tcp_pcb *pcb, uint32_t window) { tcp_ext_arg_set(pcb, LWIP_PORT_WINDOW_SLOT, (void *)(uintptr_t)window); }

/* A request came to a listener: its window is the connection's, before the answer tells the peer of it. */
static err_t opened(u8_t slot, struct tcp_pcb_listen *listening, struct tcp_pcb *pcb) {
    uint32_t window = (uint32_t)(uintptr_t)listening->ext_args[slot].data;
    inet_recovery_begin(pcb);
    if (!window) return ERR_OK;
    set_slot(pcb, window);
    pcb->rcv_wnd = pcb->rcv_ann_wnd = TCP_WND_MAX(pcb);
    return ERR_OK;
}
static const struct tcp_ext_arg_callbacks callbacks = {.passive_open = opened};

void inet_window_listen(const struct inet_socket *it, struct tcp_pcb *listening) {
    set_slot(listening, wanted(it));
    tcp_ext_arg_set_callbacks(listening, LWIP_PORT_WINDOW_SLOT, &callbacks);
}

void inet_window_begin(const struct inet_socket *it) {
    set_slot(it->pcb, wanted(it));
    inet_recovery_begin(it->pcb);
}

void inet_window_change(struct socket *socket) {
    struct inet_socket *it = inet_of(socket);
    if (it->listener) inet_window_listen(it, it->listener->pcb);
    struct tcp_pcb *pcb = it->pcb;
    if (!pcb || pcb->state < ESTABLISHED) return; /* on its way: what it began with */
    uint32_t all = TCP_WND_MAX(pcb), now = all - it->window_debt, then = wanted(it);
    if (!(pcb->flags & TF_WND_SCALE) && then > 0xffff) then = 0xffff;
    if (then <= now) {
        it->window_debt += now - then;
        return;
    }
    uint32_t more = then - now, forgiven = more < it->window_debt ? more : it->window_debt;
    it->window_debt -= forgiven;
    more -= forgiven;
    set_slot(pcb, all + more);
    pcb->rcv_wnd += more;
    tcp_recved(pcb, 0); /* tells the peer */
    lwip_timers_tcp();
    inet_settle();
}

void inet_window_give_back(struct inet_socket *it, size_t size) {
    struct tcp_pcb *pcb = it->pcb;
    if (!pcb) return;
    if (it->window_debt) {
        uint32_t paid = size < it->window_debt ? (uint32_t)size : it->window_debt;
        set_slot(pcb, TCP_WND_MAX(pcb) - paid);
        it->window_debt -= paid;
        size -= paid;
    }
    for (; size; size -= size < 0xffff ? size : 0xffff) tcp_recved(pcb, (u16_t)(size < 0xffff ? size : 0xffff));
    lwip_timers_tcp();
    inet_settle();
}

int inet_tcp_again(struct tcp_hdr *header, struct pbuf *p) {
    if (pbuf_header_force(p, (s16_t)TCPH_HDRLEN_BYTES(header))) return 0; /* forced: a device's own buffer refuses otherwise, though the header is there */
    header->src = lwip_htons(header->src);
    header->dest = lwip_htons(header->dest);
    header->seqno = lwip_htonl(header->seqno);
    header->ackno = lwip_htonl(header->ackno);
    header->wnd = lwip_htons(header->wnd);
    pbuf_ref(p);
    tcp_input(p, ip_current_input_netif());
    return 1;
}

int inet_window_closed(struct tcp_pcb *pcb, struct tcp_hdr *header, const u8_t *further_options, struct pbuf *p) {
    if (pcb->state < ESTABLISHED || pcb->rcv_wnd || p->tot_len || further_options || TCPH_FLAGS(header) & (TCP_SYN | TCP_FIN | TCP_RST)) return 0;
    if (header->seqno != pcb->rcv_nxt) return 0;
    pcb->rcv_wnd = 1;
    if (!inet_tcp_again(header, p)) {
        pcb->rcv_wnd = 0;
        return 0;
    }
    for (struct tcp_pcb *it = tcp_active_pcbs; it; it = it->next)
        if (it == pcb && it->rcv_wnd == 1) it->rcv_wnd = 0;
    return 1;
}
