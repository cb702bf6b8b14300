/*
 * lwIP's timers (LWIP_TIMERS_CUSTOM) on hull's one-shot timers.
 *
 * TCP's runs every TCP_TMR_INTERVAL while a connection has something in flight, to acknowledge or to close; else once, when the next keepalive or the end
 * of a closed connection is due; else not at all. The time that it slept is made up for in tcp_ticks.
 * The link's (ARP, neighbours, DHCP, fragments, groups) runs every half second until LINGER after the last frame. What it slept is made up for
 * when frames flow again: its tables only forget then. DHCP leases and what router advertisements said have a timer of a minute of their own.
 */
#include "clock/clock.h"
#include "hooks.h"
#include "lwip.h"
#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/igmp.h"
#include "lwip/ip4_frag.h"
#include "lwip/ip6_frag.h"
#include "lwip/mld6.h"
#include "lwip/nd6.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/timeouts.h"

#define MS 1000000ull
#define LINGER (10000 * MS)
#define LINK_INTERVAL (500 * MS)
#define TCP_INTERVAL (TCP_TMR_INTERVAL * MS)
#define SLOW_INTERVAL (TCP_SLOW_INTERVAL * MS)
enum { CATCH_UP_MOST = 3600 };

static struct timer tcp_timer, link_timer, lease_timer;
static bool tcp_ticking, tcp_pending, link_ticking, lease_pending;
static uint64_t tcp_slept, link_slept, link_active;

/* Milliseconds until TCP has to look again; 0: at each interval; UINT64_MAX: never, as things are. */
static uint64_t tcp_next(void) {
    uint64_t next = UINT64_MAX;
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        bool quiet = pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT || (pcb->state == FIN_WAIT_2 && !(pcb->flags & TF_RXCLOSED));
        if (!quiet || pcb->unacked || pcb->unsent || pcb->refused_data || pcb->persist_backoff || pcb->ooseq ||
            pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND | TF_NAGLEMEMERR)) return 0;
        if (!ip_get_option(pcb, SOF_KEEPALIVE)) continue;
        uint64_t due = pcb->keep_idle + (uint64_t)pcb->keep_cnt_sent * pcb->keep_intvl, passed = (uint64_t)(tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL;
        uint64_t left = due > passed ? due - passed + TCP_SLOW_INTERVAL : TCP_SLOW_INTERVAL;
        if (left < next) next = left;
    }
    for (const struct tcp_pcb *pcb = tcp_tw_pcbs; pcb; pcb = pcb->next) {
        uint64_t due = 2 * TCP_MSL, passed = (uint64_t)(tcp_ticks - pcb->tmr) * TCP_SLOW_INTERVAL;
        uint64_t left = due > passed ? due - passed + TCP_SLOW_INTERVAL : TCP_SLOW_INTERVAL;
        if (left < next) next = left;
    }
    return next;
}

static void tcp_wake_up(uint64_t now) {
    tcp_ticks += (u32_t)((now - tcp_slept) / SLOW_INTERVAL);
}

static void tcp_run(struct timer *timer);
static void tcp_arm(void) {
    uint64_t next = tcp_next(), now = clock_monotonic_ns();
    tcp_ticking = next == 0;
    tcp_pending = next != UINT64_MAX;
    tcp_timer.run = tcp_run;
    tcp_timer.deadline_ns = now + (tcp_ticking ? TCP_INTERVAL : next * MS);
    if (!tcp_ticking) tcp_slept = now;
    if (tcp_pending) timer_add(&tcp_timer);
}

static void tcp_run(struct timer *timer) {
    (void)timer;
    lwip_port_before_tick();
    if (!tcp_ticking) {
        tcp_wake_up(clock_monotonic_ns());
        tcp_slowtmr();
    } else {
        tcp_tmr();
    }
    tcp_arm();
}

void lwip_timers_tcp(void) {
    if (tcp_ticking) return;
    uint64_t now = clock_monotonic_ns();
    if (tcp_pending) timer_remove(&tcp_timer);
    tcp_wake_up(now);
    tcp_ticking = tcp_pending = true;
    tcp_timer.run = tcp_run;
    tcp_timer.deadline_ns = now + TCP_INTERVAL;
    timer_add(&tcp_timer);
}

void tcp_timer_needed(void) { lwip_timers_tcp(); }
void sys_timeouts_init(void) { tcp_slept = link_slept = clock_monotonic_ns(); }

static void lease_run(struct timer *timer) {
    struct netif *netif;
    bool leased = false;
    dhcp_coarse_tmr();
    NETIF_FOREACH(netif) leased |= dhcp_supplied_address(netif);
    timer->deadline_ns += DHCP_COARSE_TIMER_MSECS * MS;
    if ((lease_pending = leased)) timer_add(timer);
    lwip_timers_link();
}

static void each_second(void) {
    etharp_tmr();
    ip_reass_tmr();
    nd6_tmr();
    ip6_reass_tmr();
}

static void link_run(struct timer *timer) {
    static bool odd;
    uint64_t now = clock_monotonic_ns();
    dhcp_fine_tmr();
    for (unsigned i = 0; i < LINK_INTERVAL / MS / IGMP_TMR_INTERVAL; i++) {
        igmp_tmr();
        mld6_tmr();
    }
    if ((odd = !odd)) each_second();
    struct netif *netif;
    NETIF_FOREACH(netif) {
        const struct dhcp *dhcp = netif_dhcp_data(netif);
        if (dhcp && !dhcp_supplied_address(netif)) link_active = now; /* it has not got its address yet */
        if (dhcp && !lease_pending && dhcp_supplied_address(netif)) {
            lease_pending = true;
            lease_timer = (struct timer){.deadline_ns = now + DHCP_COARSE_TIMER_MSECS * MS, .run = lease_run};
            timer_add(&lease_timer);
        }
    }
    if (now - link_active > LINGER) {
        link_ticking = false;
        link_slept = now;
        return;
    }
    timer->deadline_ns = now + LINK_INTERVAL;
    timer_add(timer);
}

void lwip_timers_link(void) {
    if (link_ticking) {
        link_active = link_timer.deadline_ns; /* to half a second */
        return;
    }
    uint64_t now = clock_monotonic_ns(), seconds = (now - link_slept) / (1000 * MS);
    link_ticking = true;
    link_active = now;
    link_timer.run = link_run;
    link_timer.deadline_ns = now + LINK_INTERVAL;
    timer_add(&link_timer);
    for (uint64_t i = 0; i < seconds && i < CATCH_UP_MOST; i++) each_second();
}
