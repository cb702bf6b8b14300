/*
 * Which programs may run: each instruction is known, each jump goes forward and stays inside, the last instruction returns, no constant divides by 0 or shifts too far, and a word of
 * memory is stored on every way to where it is loaded. What is refused is what Linux refuses (filter.rst).
 */
#include "internal.h"
#include "lib/string.h"
#include "memory/memory.h"

static bool check_load(const struct filter_instruction *it) {
    switch (it->code) {
    case BPF_LD | BPF_W | BPF_ABS: case BPF_LD | BPF_H | BPF_ABS: case BPF_LD | BPF_B | BPF_ABS:
        switch (it->k - AD_OFFSET) {
        case AD_PROTOCOL: case AD_KIND: case AD_INTERFACE: case AD_MARK: case AD_QUEUE: case AD_HARDWARE: case AD_HASH: case AD_CPU: case AD_XOR_X: case AD_VLAN_TAG: case AD_VLAN_PRESENT:
        case AD_VLAN_PROTOCOL: return true;
        default: return it->k < AD_OFFSET;
        }
    case BPF_LD | BPF_W | BPF_IND: case BPF_LD | BPF_H | BPF_IND: case BPF_LD | BPF_B | BPF_IND: case BPF_LD | BPF_W | BPF_LEN: case BPF_LDX | BPF_W | BPF_LEN: case BPF_LD | BPF_IMM: case BPF_LDX | BPF_IMM:
    case BPF_LDX | BPF_B | BPF_MSH: return true;
    case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM: case BPF_ST: case BPF_STX: return it->k < FILTER_WORDS;
    default: return false;
    }
}

static bool check_arithmetic(const struct filter_instruction *it) {
    unsigned operation = it->code & BPF_OPERATION;
    bool constant = !(it->code & BPF_X);
    if (it->code == (BPF_ALU | BPF_NEG)) return true;
    if (it->code & ~(unsigned)(BPF_CLASS | BPF_X | BPF_OPERATION) || operation > BPF_XOR || operation == BPF_NEG) return false;
    if (constant && (operation == BPF_DIV || operation == BPF_MOD)) return it->k != 0;
    return !constant || (operation != BPF_LSH && operation != BPF_RSH) || it->k < 32;
}

/* left: instructions behind this one. */
static bool check_jump(const struct filter_instruction *it, size_t left) {
    unsigned operation = it->code & BPF_OPERATION;
    if (it->code == (BPF_JMP | BPF_JA)) return it->k < left;
    if (it->code & ~(unsigned)(BPF_CLASS | BPF_X | BPF_OPERATION) || operation < BPF_JEQ || operation > BPF_JSET) return false;
    return it->if_true < left && it->if_false < left;
}

static bool check_instruction(const struct filter_instruction *it, size_t left) {
    switch (it->code & BPF_CLASS) {
    case BPF_LD: case BPF_LDX: case BPF_ST: case BPF_STX: return check_load(it);
    case BPF_ALU: return check_arithmetic(it);
    case BPF_JMP: return check_jump(it, left);
    case BPF_RET: return it->code == (BPF_RET | BPF_K) || it->code == (BPF_RET | BPF_A);
    default: return it->code == (BPF_MISC | BPF_TAX) || it->code == (BPF_MISC | BPF_TXA);
    }
}

/* Jumps go forward only: one pass. stored[i]: the words that are stored on every way to instruction i. */
static bool check_memory(const struct filter_instruction *program, size_t count, uint16_t *stored) {
    uint16_t now = 0;
    memset(stored, 0xff, count * sizeof *stored);
    for (size_t i = 0; i < count; i++) {
        const struct filter_instruction *it = &program[i];
        now &= stored[i];
        switch (it->code) {
        case BPF_ST: case BPF_STX: now |= (uint16_t)(1u << it->k); break;
        case BPF_LD | BPF_MEM: case BPF_LDX | BPF_MEM:
            if (!(now >> it->k & 1)) return false;
            break;
        case BPF_JMP | BPF_JA:
            stored[i + 1 + it->k] &= now;
            now = 0xffff;
            break;
        default:
            if ((it->code & BPF_CLASS) != BPF_JMP) break;
            stored[i + 1 + it->if_true] &= now;
            stored[i + 1 + it->if_false] &= now;
            now = 0xffff;
        }
    }
    return true;
}

bool filter_check(const struct filter_instruction *program, size_t count) {
    if (!count || count > FILTER_MOST) return false;
    for (size_t i = 0; i < count; i++)
        if (!check_instruction(&program[i], count - 1 - i)) return false;
    if ((program[count - 1].code & BPF_CLASS) != BPF_RET) return false;
    uint16_t *stored = kmalloc(count * sizeof *stored);
    bool ok = stored && check_memory(program, count, stored);
    kfree(stored);
    return ok;
}
