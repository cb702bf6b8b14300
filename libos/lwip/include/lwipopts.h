/*
 * hull's configuration of lwIP. NO_SYS: `inet` and the socket families drive it from bottom halves and system calls, which never interrupt each
 * other, so it needs no lock of its own. Memory comes from the libOS heap: nothing is reserved in an idle image.
 * Names are lwIP's (src/include/lwip/opt.h of the pinned source explains each).
 */
#ifndef HULL_LWIP_LWIPOPTS_H
#define HULL_LWIP_LWIPOPTS_H
#include <stdint.h>

#define NO_SYS 1
#define LWIP_NO_CTYPE_H 1
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_TIMERS 1
#define LWIP_TIMERS_CUSTOM 1 /* timers.c: one-shot timers, none while nothing is pending */

/* Memory: kmalloc for everything, pools too. */
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT 8
#define MEM_SIZE (1 << 20)
#define MEMP_NUM_TCP_PCB 4096
#define MEMP_NUM_TCP_SEG 4096
#define MEMP_NUM_PBUF 4096
#define PBUF_POOL_SIZE 256
#define MEMP_NUM_REASSDATA 16
#define IP_REASS_MAX_PBUFS 64
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_PBUF_REF_T uint16_t
#define PBUF_LINK_ENCAPSULATION_HLEN 16 /* NET_FRAME_HEADROOM */

/* Protocols. */
#define LWIP_IPV4 1
#define LWIP_IPV6 1
#define LWIP_ARP 1
#define ARP_TABLE_SIZE 32
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 256 /* frames that wait for an address: answers to all clients that come at once, before the first is known */
#define ETHARP_SUPPORT_STATIC_ENTRIES 0
#define LWIP_ETHERNET 1
#define LWIP_ICMP 1
#define IP_DEFAULT_TTL 64 /* as Linux has it */
#define LWIP_RAW 1
#define LWIP_UDP 1
#define LWIP_UDPLITE 1
#define LWIP_TCP 1
#define LWIP_DHCP 1
#define LWIP_DNS 0
#define LWIP_IGMP 1
#define LWIP_IPV6_MLD 1
#define LWIP_IPV6_AUTOCONFIG 1
#define LWIP_IPV6_NUM_ADDRESSES 6
#define LWIP_IPV6_FORWARD 0
#define IPV6_FRAG_COPYHEADER 1 /* with pointers of 8 bytes lwIP's list of fragments does not fit into a fragment's header */
#define IP_FORWARD 0
#define IP_REASSEMBLY 1
#define IP_FRAG 1
#define LWIP_MULTICAST_TX_OPTIONS 1
#define LWIP_NETIF_LOOPBACK 0 /* own addresses are routed to the loopback interface by the hooks below */
#define LWIP_HAVE_LOOPIF 0
#define LWIP_NETIF_HOSTNAME 1
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK 1
#define LWIP_SINGLE_NETIF 0
#define SO_REUSE 1
#define SO_REUSE_RXTOALL 1
#define IP_SOF_BROADCAST 0 /* the socket layer has the rule */
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define DHCP_DOES_ARP_CHECK 0

/* TCP. The window and the send buffer follow the machine's memory (lwip_port_start). Segments up to what loopback carries: the
 * maximum on a device comes from its MTU. */
extern uint32_t lwip_port_window;
struct tcp_pcb;
uint32_t lwip_port_window_of(const struct tcp_pcb *); /* TCP_WND of one connection; NULL: of none */
uint8_t lwip_port_retries_of(struct tcp_pcb *, uint8_t usual); /* how often a segment is sent again before the connection ends: asked at each tick */
#define LWIP_TCP_PCB_NUM_EXT_ARGS 8
#define LWIP_PORT_WINDOW_SLOT 0 /* the extension argument that holds it; 0: lwip_port_window */
#define LWIP_PORT_RECOVERY_SLOT 1 /* of the socket family's loss recovery, as AGAIN, ORDER, PLACES and BEFORE are */
#define LWIP_PORT_AGAIN_SLOT 2
#define LWIP_PORT_ORDER_SLOT 5
#define LWIP_PORT_PLACES_SLOT 6
#define LWIP_PORT_BEFORE_SLOT 7
#define LWIP_PORT_PATIENCE_SLOT 3 /* in ticks of TCP_SLOW_INTERVAL (TCP_USER_TIMEOUT) | requests for a connection that are repeated (TCP_SYNCNT) << 24; each 0: as usual */
#define LWIP_PORT_SILENCE_SLOT 4  /* the tick since which nothing was acknowledged, while something is repeated */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they are for the preprocessor */
#define TCP_MSS 32768
#define TCP_WND lwip_port_window_of(pcb) /* lwIP asks where a `pcb` is known, and nowhere else */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 5
#define TCP_WND_UPDATE_THRESHOLD (TCP_WND_MAX(pcb) / 4)
#define TCP_SND_BUF 0x7fffffff /* the socket layer counts */
#define TCP_SND_QUEUELEN 0xfff0
#define TCP_SNDLOWAT 49152
#define TCP_SNDQUEUELOWAT 100
#define TCP_OVERSIZE 0
#define TCP_QUEUE_OOSEQ 1
uint16_t lwip_port_gap_most(const struct tcp_pcb *); /* buffers that may wait behind what is missing */
#define TCP_OOSEQ_PBUFS_LIMIT(pcb) lwip_port_gap_most(pcb)
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 255
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define LWIP_TCP_TIMESTAMPS 0 /* lwIP would send them and use them for nothing */
#define TCP_TMR_INTERVAL 40   /* delayed acknowledgments wait for one interval at most, retransmission counts in two */
#define TCP_MSL 30000
#define TCP_SYN_RETRIES 6
#define TCP_SYNMAXRTX lwip_port_retries_of(pcb, TCP_SYN_RETRIES)
#define TCP_MAXRTX lwip_port_retries_of(pcb, 12)
#define LWIP_HOOK_TCP_ISN lwip_port_tcp_isn

/* Checksums: computed here; a network device that offers to do it says so by its flags. */
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
#define LWIP_CHKSUM lwip_port_checksum

#define LWIP_HOOK_FILENAME "hooks.h"
#define LWIP_HOOK_IP4_ROUTE_SRC(source, destination) lwip_port_route4(source, destination)
#define LWIP_HOOK_IP6_ROUTE(source, destination) lwip_port_route6(source, destination)
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, optlen, opt1len, opt2, p) lwip_port_tcp_in(pcb, header, opt2, p)

/* Counters of RFC 1213 only, which /proc/net/snmp shows. */
#define LWIP_STATS 1
#define MIB2_STATS 1
#define LINK_STATS 0
#define ETHARP_STATS 0
#define IP_STATS 0
#define IPFRAG_STATS 0
#define ICMP_STATS 0
#define IGMP_STATS 0
#define UDP_STATS 0
#define TCP_STATS 0
#define MEM_STATS 0
#define MEMP_STATS 0
#define IP6_STATS 0
#define ICMP6_STATS 0
#define IP6_FRAG_STATS 0
#define MLD6_STATS 0
#define ND6_STATS 0
#define LWIP_DEBUG 0
#define LWIP_NOASSERT 1
uint16_t lwip_port_checksum(const void *data, int size);

#endif
