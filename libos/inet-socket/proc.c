/*
 * /proc/net of sockets: tcp, tcp6, udp, udp6, udplite, udplite6, sockstat, sockstat6, snmp, in the formats of Linux (its networking/proc_net_tcp.rst; RFC 1213 names the counters), in the component
 * proc-net: without the family's sockets there are none. Listed are sockets with a local port, and connections that outlive theirs or have none yet. Addresses of kernel objects are 0, as Linux shows them to programs. And /proc/sys/net.
 */
#include "inet-socket/internal.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/stats.h"
#include "procfs/procfs.h"

#pragma weak inet_ports
#pragma weak inet_port_free
#pragma weak inet_linux_states
#pragma weak inet_stream_unsent
#pragma weak tcp_active_pcbs
#pragma weak tcp_tw_pcbs
#pragma weak lwip_stats
enum { TCP_WIDTH = 149, UDP_WIDTH = 127, TICKS = 100, LISTENING = 10 };
struct row { bool six; ip_addr_t local, remote; uint16_t local_port, remote_port; uint8_t state; uint32_t unsent, unread; uint64_t inode; };

static void put_address(struct proc_text *out, bool six, const ip_addr_t *ip, uint16_t port) {
    uint32_t words[4] = {0};
    if (!six) {
        words[0] = IP_IS_V4_VAL(*ip) ? ip4_addr_get_u32(ip_2_ip4(ip)) : 0;
    } else if (IP_IS_V6_VAL(*ip)) {
        memcpy(words, ip_2_ip6(ip)->addr, sizeof words);
    } else if (!IP_IS_ANY_TYPE_VAL(*ip) && ip4_addr_get_u32(ip_2_ip4(ip))) {
        words[2] = PP_HTONL(0xffff);
        words[3] = ip4_addr_get_u32(ip_2_ip4(ip));
    }
    for (unsigned i = 0; i < (six ? 4 : 1); i++) proc_upper(out, "%08x", words[i]);
    proc_upper(out, ":%04x ", port);
}

/* What the rows of all kinds have in common. */
static void put_row(struct proc_text *out, const struct row *row) {
    put_address(out, row->six, &row->local, row->local_port);
    put_address(out, row->six, &row->remote, row->remote_port);
    proc_upper(out, "%02x ", row->state);
    proc_upper(out, "%08x:", row->unsent);
    proc_upper(out, "%08x ", row->unread);
    proc_print(out, "00:00000000 00000000 %5u %8d %lu ", 0u, 0, (unsigned long)row->inode);
}

static struct row row_of(const struct inet_socket *it) {
    return (struct row){.six = inet_is6(it), .local = it->local, .remote = it->remote, .local_port = it->local_port, .remote_port = it->remote_port,
                        .inode = it->socket.file ? it->socket.serial : 0};
}

static const struct inet_socket *next_socket(const struct inet_socket *it, unsigned *bucket) {
    const struct inet_socket *next = it ? it->next : NULL;
    while (!next && &inet_ports && *bucket < INET_PORT_BUCKETS) next = inet_ports[(*bucket)++];
    return next;
}

static void put_tcp(struct proc_text *out, unsigned *number, const struct row *row, const struct tcp_pcb *pcb) {
    size_t line = out->size;
    proc_print(out, "%4u: ", (*number)++);
    put_row(out, row);
    if (row->state == LISTENING) proc_print(out, "1 0000000000000000 %u 0 0 10 0", TICKS);
    else if (!row->inode) proc_print(out, "3 0000000000000000");
    else proc_print(out, "2 0000000000000000 %u 4 0 %u -1", TICKS / 5, pcb && pcb->mss ? (unsigned)(pcb->cwnd / pcb->mss) : 10);
    proc_end_line(out, line, row->six ? 0 : TCP_WIDTH);
}

/* Connections without a socket: closed ones that end on their own, and those whose handshake is not over. */
static void put_ownerless(struct proc_text *out, unsigned *number, bool six, const struct tcp_pcb *pcb) {
    for (; pcb; pcb = pcb->next) {
        if ((pcb->callback_arg && pcb->state != SYN_RCVD && pcb->state != TIME_WAIT) || IP_IS_V6_VAL(pcb->local_ip) != six) continue;
        struct row row = {.six = six, .local = pcb->local_ip, .remote = pcb->remote_ip, .local_port = pcb->local_port, .remote_port = pcb->remote_port,
                          .state = inet_linux_states[pcb->state]};
        put_tcp(out, number, &row, pcb);
    }
}

static void show_tcp(struct proc_text *out) {
    bool six = out->file->argument != NULL;
    unsigned number = 0;
    size_t line = out->size;
    if (six) proc_print(out, "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n");
    else {
        proc_print(out, "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode");
        proc_end_line(out, line, TCP_WIDTH);
    }
    for (unsigned listeners = 2; listeners--;) { /* they come first */
        unsigned bucket = 0;
        for (const struct inet_socket *it = NULL; (it = next_socket(it, &bucket));) {
            bool listens = it->state == INET_LISTENING;
            if (!inet_is_stream(it) || inet_is6(it) != six || listens != listeners || (!listens && !it->pcb)) continue;
            struct row row = row_of(it);
            row.state = listens ? LISTENING : inet_linux_states[it->pcb->state];
            row.unsent = listens ? 0 : inet_stream_unsent(it);
            row.unread = listens ? it->queue_length : it->unread;
            put_tcp(out, &number, &row, it->pcb);
        }
    }
    if (!&inet_ports) return;
    put_ownerless(out, &number, six, tcp_active_pcbs);
    put_ownerless(out, &number, six, tcp_tw_pcbs);
}

struct datagram_kind { bool six; int protocol; };
static const struct datagram_kind udp = {false, IPPROTO_UDP}, udp6 = {true, IPPROTO_UDP}, lite = {false, IPPROTO_UDPLITE}, lite6 = {true, IPPROTO_UDPLITE};

static void show_udp(struct proc_text *out) {
    const struct datagram_kind *kind = out->file->argument;
    size_t line = out->size;
    if (kind->six) {
        proc_print(out, "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n");
    } else {
        proc_print(out, "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops");
        proc_end_line(out, line, UDP_WIDTH);
    }
    unsigned bucket = 0;
    for (const struct inet_socket *it = NULL; (it = next_socket(it, &bucket));) {
        if (inet_is_stream(it) || inet_is6(it) != kind->six || it->socket.protocol != kind->protocol) continue;
        struct row row = row_of(it);
        row.state = it->remote_port ? 1 : 7;
        row.unread = it->queued;
        line = out->size;
        proc_print(out, "%5u: ", bucket - 1);
        put_row(out, &row);
        proc_print(out, "2 0000000000000000 %u", it->dropped);
        proc_end_line(out, line, kind->six ? 0 : UDP_WIDTH);
    }
}

static void show_sockstat(struct proc_text *out) {
    bool six = out->file->argument != NULL;
    unsigned all = 0, streams = 0, datagrams = 0, lites = 0, orphans = 0, waiting = 0, bucket = 0;
    for (const struct inet_socket *it = NULL; (it = next_socket(it, &bucket));) {
        all++;
        if (inet_is6(it) != six) continue;
        if (!inet_is_stream(it)) it->socket.protocol == IPPROTO_UDP ? datagrams++ : lites++;
        else if (it->state == INET_LISTENING || it->pcb) streams++;
    }
    for (const struct tcp_pcb *pcb = &inet_ports ? tcp_active_pcbs : NULL; pcb; pcb = pcb->next) orphans += !pcb->callback_arg;
    for (const struct tcp_pcb *pcb = &inet_ports ? tcp_tw_pcbs : NULL; pcb; pcb = pcb->next) waiting++;
    if (six) {
        proc_print(out, "TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n", streams, datagrams, lites);
        return;
    }
    proc_print(out, "sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem 0\n", all, streams, orphans, waiting, streams + orphans);
    proc_print(out, "UDP: inuse %u mem 0\nUDPLITE: inuse %u\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n", datagrams, lites);
}

static void show_snmp(struct proc_text *out) {
    static const struct stats_mib2 none;
    const struct stats_mib2 *c = &inet_ports ? &lwip_stats.mib2 : &none;
    unsigned established = 0;
    for (const struct tcp_pcb *pcb = &inet_ports ? tcp_active_pcbs : NULL; pcb; pcb = pcb->next) established += pcb->state == ESTABLISHED || pcb->state == CLOSE_WAIT;
    proc_print(out, "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers OutRequests OutDiscards OutNoRoutes "
                    "ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates\n");
    proc_print(out, "Ip: 2 64 %u %u %u %u %u %u %u %u %u %u 0 %u %u %u %u %u %u\n", c->ipinreceives, c->ipinhdrerrors, c->ipinaddrerrors, c->ipforwdatagrams, c->ipinunknownprotos,
               c->ipindiscards, c->ipindelivers, c->ipoutrequests, c->ipoutdiscards, c->ipoutnoroutes, c->ipreasmreqds, c->ipreasmoks, c->ipreasmfails, c->ipfragoks, c->ipfragfails,
               c->ipfragcreates);
    proc_print(out, "Icmp: InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps InTimestamps InTimestampReps InAddrMasks "
                    "InAddrMaskReps OutMsgs OutErrors OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps OutTimestampReps OutAddrMasks "
                    "OutAddrMaskReps\n");
    proc_print(out, "Icmp: %u %u 0 %u %u %u %u %u %u %u %u %u %u %u ", c->icmpinmsgs, c->icmpinerrors, c->icmpindestunreachs, c->icmpintimeexcds, c->icmpinparmprobs, c->icmpinsrcquenchs,
               c->icmpinredirects, c->icmpinechos, c->icmpinechoreps, c->icmpintimestamps, c->icmpintimestampreps, c->icmpinaddrmasks, c->icmpinaddrmaskreps);
    proc_print(out, "%u %u %u %u 0 0 0 %u %u 0 0 0 0\n", c->icmpoutmsgs, c->icmpouterrors, c->icmpoutdestunreachs, c->icmpouttimeexcds, c->icmpoutechos, c->icmpoutechoreps);
    proc_print(out, "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n");
    proc_print(out, "Tcp: 1 200 120000 -1 %u %u %u %u %u %u %u %u %u %u 0\n", c->tcpactiveopens, c->tcppassiveopens, c->tcpattemptfails, c->tcpestabresets, established, c->tcpinsegs,
               c->tcpoutsegs, c->tcpretranssegs, c->tcpinerrs, c->tcpoutrsts);
    proc_print(out, "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\n");
    proc_print(out, "Udp: %u %u %u %u 0 0 0 0 0\n", c->udpindatagrams, c->udpnoports, c->udpinerrors, c->udpoutdatagrams);
}

/* argument: the number itself. */
static void show_setting(struct proc_text *out) { proc_print(out, "%lu\n", (unsigned long)(uintptr_t)out->file->argument); }
static void show_ports(struct proc_text *out) { proc_print(out, "%d\t%d\n", INET_PORT_FIRST, INET_PORT_LAST); }

static void show_free_port(struct proc_text *out) { proc_print(out, "%lu\n", &inet_port_free ? (unsigned long)inet_port_free : 0ul); }
/* The ports that the system chooses are anybody's. */
static long store_free_port(const struct proc_text *about, const char *text, size_t size) {
    uint64_t port;
    (void)about, (void)size;
    if (!proc_number_of(text, &port) || port > INET_PORT_FIRST) return -EINVAL;
    if (&inet_port_free) inet_port_free = port;
    return 0;
}

/* What cannot be changed, as it is: readers size themselves by it. */
#define SETTING(name, number) { .path = "sys/net/" name, .mode = PROC_READ, .show = show_setting, .argument = (const void *)(uintptr_t)(number) }
static const struct proc_file settings[] = {
    SETTING("core/somaxconn", INET_BACKLOG_MOST), SETTING("core/rmem_default", SOCKET_ROOM_MOST), SETTING("core/rmem_max", SOCKET_ROOM_MOST),
    SETTING("core/wmem_default", SOCKET_ROOM_MOST), SETTING("core/wmem_max", SOCKET_ROOM_MOST),
    SETTING("ipv4/ip_default_ttl", INET_TTL), SETTING("ipv4/ip_forward", 0), SETTING("ipv4/ip_nonlocal_bind", 0),
    { .path = "sys/net/ipv4/ip_unprivileged_port_start", .mode = PROC_WRITE, .show = show_free_port, .store = store_free_port },
    { .path = "sys/net/ipv4/ping_group_range", .mode = PROC_READ, .show = proc_show_text, .argument = "0\t2147483647\n" },
    { .path = "sys/net/ipv4/ip_local_port_range", .mode = PROC_READ, .show = show_ports },
    SETTING("ipv4/tcp_keepalive_time", INET_KEEP_IDLE), SETTING("ipv4/tcp_keepalive_intvl", INET_KEEP_INTERVAL), SETTING("ipv4/tcp_keepalive_probes", INET_KEEP_COUNT),
    SETTING("ipv4/tcp_fastopen", 0), SETTING("ipv4/tcp_syncookies", 1),
    { .path = "sys/net/ipv4/tcp_available_congestion_control", .mode = PROC_READ, .show = proc_show_text, .argument = "reno\n" },
    { .path = "sys/net/ipv4/tcp_congestion_control", .mode = PROC_READ, .show = proc_show_text, .argument = "reno\n" },
    SETTING("ipv6/bindv6only", 0), SETTING("ipv6/conf/all/disable_ipv6", 0), SETTING("ipv6/conf/default/disable_ipv6", 0),
};
HULL_PROC_FILES(PROC_SYSTEM, settings);

static const struct proc_file net_files[] = {
    { .path = "net/tcp", .mode = PROC_READ, .show = show_tcp }, { .path = "net/tcp6", .mode = PROC_READ, .show = show_tcp, .argument = "6" },
    { .path = "net/udp", .mode = PROC_READ, .show = show_udp, .argument = &udp }, { .path = "net/udp6", .mode = PROC_READ, .show = show_udp, .argument = &udp6 },
    { .path = "net/udplite", .mode = PROC_READ, .show = show_udp, .argument = &lite }, { .path = "net/udplite6", .mode = PROC_READ, .show = show_udp, .argument = &lite6 },
    { .path = "net/sockstat", .mode = PROC_READ, .show = show_sockstat }, { .path = "net/sockstat6", .mode = PROC_READ, .show = show_sockstat, .argument = "6" },
    { .path = "net/snmp", .mode = PROC_READ, .show = show_snmp },
};
HULL_PROC_FILES(PROC_PROCESS, net_files);
