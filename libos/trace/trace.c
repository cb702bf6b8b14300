/*
 * Tracing: what a system call was asked and what it answered, as records for the host (abi/boot_abi.h), which knows the names and the
 * types. The host's rules say which calls count and which memory to send along; nothing about any call is known here.
 * Context: on the way into and out of a call, on the thread's own kernel stack.
 */
#include "abi/boot_abi.h"
#include "arch/arch.h"
#include "channel/channel.h"
#include "init/init.h"
#include "syscall/syscall.h"
#include "task/task.h"

#define ARGUMENTS 6
#define RULE_SIZE 8
#define VECTORS 4 /* of an array of struct iovec that are followed */

#pragma GCC visibility push(hidden)
uintptr_t trace_entry(void);
void trace_enter(const struct trap_frame *frame);
void trace_leave(const struct trap_frame *frame);
extern char arch_trace_entry[];
#pragma GCC visibility pop

struct piece { uint8_t argument, zero; uint16_t size; };
struct record {
    uint32_t number, thread;
    uint8_t rest[ARGUMENTS * 8 + (ARGUMENTS + VECTORS) * (sizeof(struct piece) + HULL_TRACE_MOST)];
};

static const uint8_t *rules;
static size_t rule_count;
static struct record record; /* one CPU, and sending does not sleep */
static size_t used;

uintptr_t trace_entry(void) {
    size_t size;
    if (!(rules = boot_module_find(HULL_MODULE_TRACE, &size))) return 0;
    rule_count = size / RULE_SIZE;
    return (uintptr_t)arch_trace_entry;
}

static void put(unsigned argument, uint64_t address, uint64_t size, bool string) {
    struct piece piece = {(uint8_t)argument, 0, 0};
    uint8_t *to = record.rest + used + sizeof piece;
    if (size > HULL_TRACE_MOST) size = HULL_TRACE_MOST;
    if (string) {
        long length = user_string_in((char *)to, (const char *)address, size);
        if (length == -EFAULT) return;
        if (length >= 0) size = (uint64_t)length;
    } else if (user_copy_in(to, (const void *)address, size)) {
        return;
    }
    piece.size = (uint16_t)size;
    __builtin_memcpy(to - sizeof piece, &piece, sizeof piece);
    used += sizeof piece + size;
}

static void put_vectors(uint64_t address, uint64_t count) {
    struct { uint64_t base, size; } vectors[VECTORS];
    if (count > VECTORS) count = VECTORS;
    if (user_copy_in(vectors, (const void *)address, count * sizeof *vectors)) return;
    for (unsigned i = 0; i < count; i++) put(8 + i, vectors[i].base, vectors[i].size, false);
}

static void send(const struct trap_frame *frame, uint8_t type, const uint64_t *words, size_t count) {
    uint64_t arguments[ARGUMENTS], number = arch_frame_call(frame);
    const uint8_t *rule = rules + number * RULE_SIZE;
    if (number >= rule_count || !*rule) return;
    for (unsigned i = 0; i < ARGUMENTS; i++) arguments[i] = arch_frame_argument(frame, i);
    record.number = (uint32_t)number;
    record.thread = (uint32_t)current_thread()->tid;
    if (!words) words = arguments;
    __builtin_memcpy(record.rest, words, used = count * 8);
    for (unsigned i = 0; i < ARGUMENTS; i++) {
        unsigned what = rule[1 + i], kind = what & ~HULL_TRACE_AFTER, of = kind & 7;
        if (!what || (what & HULL_TRACE_AFTER) != (type == HULL_RECORD_TRACE_LEAVE ? HULL_TRACE_AFTER : 0)) continue;
        if (kind >= HULL_TRACE_VECTOR) {
            put(i, arguments[i], arguments[of] * 16, false);
            put_vectors(arguments[i], arguments[of]);
        } else if (kind >= HULL_TRACE_ENTRIES) {
            put(i, arguments[i], arguments[of] < HULL_TRACE_MOST ? arguments[of] * 8 : HULL_TRACE_MOST, false);
        } else if (kind >= HULL_TRACE_LENGTH) {
            put(i, arguments[i], arguments[kind - HULL_TRACE_LENGTH], false);
        } else if (kind == HULL_TRACE_STRING) {
            put(i, arguments[i], HULL_TRACE_MOST, true);
        } else if (type == HULL_RECORD_TRACE_LEAVE && (int64_t)words[0] < 0) {
            continue; /* a call that failed has answered nothing else */
        } else {
            put(i, arguments[i], kind == HULL_TRACE_RESULT ? words[0] : kind * 8, false);
        }
    }
    channel_write(type, &record, offsetof(struct record, rest) + used);
}

void trace_enter(const struct trap_frame *frame) { send(frame, HULL_RECORD_TRACE_ENTER, NULL, ARGUMENTS); }
void trace_leave(const struct trap_frame *frame) {
    uint64_t result = arch_frame_result(frame);
    send(frame, HULL_RECORD_TRACE_LEAVE, &result, 1);
}
