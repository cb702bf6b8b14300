/* The run of a program that passed the check. A load from outside the packet drops it, as does a division by 0. */
#include "internal.h"

static uint32_t number_at(const uint8_t *at, unsigned width) {
    uint32_t number = 0;
    while (width--) number = number << 8 | *at++;
    return number;
}

/* The bytes that an offset means: of the packet, or of one of its headers; false: outside. */
static bool load(const struct filter_packet *packet, uint32_t offset, unsigned width, uint32_t *out) {
    const uint8_t *from = packet->bytes, *end = packet->bytes + packet->size;
    if (offset & 0x80000000u) {
        if (offset >= NETWORK_OFFSET) from = packet->network, offset -= NETWORK_OFFSET;
        else if (offset >= LINK_OFFSET) from = packet->link, offset -= LINK_OFFSET;
        else return false;
        end = packet->end;
    }
    if ((size_t)(end - from) < width || offset > (size_t)(end - from) - width) return false;
    *out = number_at(from + offset, width);
    return true;
}

static bool load_ancillary(const struct filter_packet *packet, uint32_t which, uint32_t x, uint32_t *a) {
    switch (which) {
    case AD_PROTOCOL: *a = packet->protocol; return true;
    case AD_KIND: *a = packet->kind; return true;
    case AD_INTERFACE: *a = packet->interface; return packet->interface != 0;
    case AD_HARDWARE: *a = packet->hardware; return packet->interface != 0;
    case AD_XOR_X: *a ^= x; return true;
    default: *a = 0; return true; /* marks, queues, hashes, CPUs and tags that the card took off: none */
    }
}

static uint32_t calculate(unsigned operation, uint32_t a, uint32_t b, bool *ends) {
    switch (operation) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_OR: return a | b;
    case BPF_AND: return a & b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return a << (b & 31);
    case BPF_RSH: return a >> (b & 31);
    case BPF_NEG: return -a;
    default: /* BPF_DIV, BPF_MOD */
        if (!b) return *ends = true, 0;
        return operation == BPF_DIV ? a / b : a % b;
    }
}

static bool holds(unsigned operation, uint32_t a, uint32_t b) {
    switch (operation) {
    case BPF_JEQ: return a == b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    default: return (a & b) != 0; /* BPF_JSET */
    }
}

uint32_t filter_run(const struct filter_instruction *it, const struct filter_packet *packet) {
    uint32_t a = 0, x = 0, words[FILTER_WORDS] = {0};
    for (bool ends = false;; it++) {
        uint32_t operand = it->code & BPF_X ? x : it->k;
        unsigned width = (it->code & BPF_SIZE) == BPF_W ? 4 : (it->code & BPF_SIZE) == BPF_H ? 2 : 1;
        switch (it->code & BPF_CLASS) {
        case BPF_LD: case BPF_LDX: {
            uint32_t *to = (it->code & BPF_CLASS) == BPF_LD ? &a : &x;
            switch (it->code & BPF_MODE) {
            case BPF_IMM: *to = it->k; break;
            case BPF_MEM: *to = words[it->k]; break;
            case BPF_LEN: *to = (uint32_t)packet->size; break;
            case BPF_MSH:
                if (!load(packet, it->k, 1, to)) return 0;
                *to = (*to & 15) * 4;
                break;
            case BPF_IND:
                if (!load(packet, x + it->k, width, to)) return 0;
                break;
            default: /* BPF_ABS */
                if (it->k >= AD_OFFSET ? !load_ancillary(packet, it->k - AD_OFFSET, x, &a) : !load(packet, it->k, width, to)) return 0;
            }
            break;
        }
        case BPF_ST: words[it->k] = a; break;
        case BPF_STX: words[it->k] = x; break;
        case BPF_ALU:
            a = calculate(it->code & BPF_OPERATION, a, operand, &ends);
            if (ends) return 0;
            break;
        case BPF_JMP:
            if (it->code == (BPF_JMP | BPF_JA)) it += it->k;
            else it += holds(it->code & BPF_OPERATION, a, operand) ? it->if_true : it->if_false;
            break;
        case BPF_RET: return it->code & BPF_A ? a : it->k;
        default: /* BPF_MISC */
            if (it->code & BPF_TXA) a = x;
            else x = a;
        }
    }
}
