/*
 * lwIP's sources that a segment passes through on its way, as one unit of compilation: the compiler puts its many small functions into their callers. Calls between units
 * cost most of what such a function costs, and under an emulator, which looks each return up, more than that.
 */
#include "core/def.c"
#include "core/mem.c"
#include "core/memp.c"
#include "core/pbuf.c"
#include "core/inet_chksum.c"
#include "core/netif.c"
#include "core/ipv4/ip4_addr.c"
#include "core/ip.c"
#include "core/raw.c"
#include "core/tcp.c"
#include "core/tcp_in.c"
#include "core/tcp_out.c"
#include "core/ipv4/ip4.c"
#include "core/ipv4/etharp.c"
#include "netif/ethernet.c"
