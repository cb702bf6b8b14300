/* Private to socket-filter: what the fields of an instruction's code mean, and the ancillary data that loads can name. */
#ifndef HULL_SOCKET_FILTER_INTERNAL_H
#define HULL_SOCKET_FILTER_INTERNAL_H
#include "socket-filter/socket_filter.h"

enum { BPF_LD = 0, BPF_LDX, BPF_ST, BPF_STX, BPF_ALU, BPF_JMP, BPF_RET, BPF_MISC, BPF_CLASS = 7 };
enum { BPF_W = 0, BPF_H = 0x08, BPF_B = 0x10, BPF_SIZE = 0x18 };
enum { BPF_IMM = 0, BPF_ABS = 0x20, BPF_IND = 0x40, BPF_MEM = 0x60, BPF_LEN = 0x80, BPF_MSH = 0xa0, BPF_MODE = 0xe0 };
enum { BPF_ADD = 0, BPF_SUB = 0x10, BPF_MUL = 0x20, BPF_DIV = 0x30, BPF_OR = 0x40, BPF_AND = 0x50, BPF_LSH = 0x60, BPF_RSH = 0x70, BPF_NEG = 0x80, BPF_MOD = 0x90, BPF_XOR = 0xa0,
       BPF_OPERATION = 0xf0 };
enum { BPF_JA = 0, BPF_JEQ = 0x10, BPF_JGT = 0x20, BPF_JGE = 0x30, BPF_JSET = 0x40 };
enum { BPF_K = 0, BPF_X = 0x08, BPF_A = 0x10, BPF_TAX = 0, BPF_TXA = 0x80 };
enum { FILTER_WORDS = 16 };
/* Offsets of loads from here on mean no byte of the packet (linux/filter.h). */
#define AD_OFFSET 0xfffff000u
#define NETWORK_OFFSET 0xfff00000u
#define LINK_OFFSET 0xffe00000u
enum { AD_PROTOCOL = 0, AD_KIND = 4, AD_INTERFACE = 8, AD_MARK = 20, AD_QUEUE = 24, AD_HARDWARE = 28, AD_HASH = 32, AD_CPU = 36, AD_XOR_X = 40, AD_VLAN_TAG = 44, AD_VLAN_PRESENT = 48,
       AD_VLAN_PROTOCOL = 60 };
#endif
