/* Text that grows, and the entries that need no code of their own. */
#include "procfs/internal.h"
#include "lib/format.h"

static bool make_room(struct proc_text *out, size_t more) {
    size_t room = out->room ? out->room : 1008;
    if (out->failed) return false;
    if (out->size + more <= out->room) return true;
    while (room < out->size + more) room *= 2;
    char *bytes = kmalloc(room);
    if (!bytes) {
        out->failed = true;
        return false;
    }
    if (out->size) memcpy(bytes, out->bytes, out->size);
    kfree(out->bytes);
    out->bytes = bytes;
    out->room = room;
    return true;
}

void proc_bytes(struct proc_text *out, const void *bytes, size_t size) {
    if (!size || !make_room(out, size)) return;
    memcpy(out->bytes + out->size, bytes, size);
    out->size += size;
}

void proc_print(struct proc_text *out, const char *format, ...) {
    for (size_t more = 128; make_room(out, more); more *= 2) {
        va_list arguments;
        va_start(arguments, format);
        size_t room = out->room - out->size, written = format_list(out->bytes + out->size, room, format, arguments);
        va_end(arguments);
        if (written + 1 < room) {
            out->size += written;
            return;
        }
        more = room; /* may be cut: again with twice the room */
    }
}

void proc_escaped(struct proc_text *out, const char *text, const char *which) {
    for (; *text; text++) {
        uint8_t c = (uint8_t)*text;
        if (c == '\\' || strchr(which, c)) proc_print(out, "\\%c%c%c", '0' + (c >> 6), '0' + (c >> 3 & 7), '0' + (c & 7));
        else proc_bytes(out, text, 1);
    }
}

void proc_show_text(struct proc_text *out) {
    const char *text = out->file->argument;
    proc_bytes(out, text, strlen(text));
}

void proc_show_number(struct proc_text *out) {
    proc_print(out, "%lu\n", (unsigned long)*(const uint64_t *)out->file->argument);
}

bool proc_number_of(const char *text, uint64_t *out) {
    uint64_t value = 0;
    if (*text < '0' || *text > '9') return false;
    for (; *text >= '0' && *text <= '9'; text++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) return false;
    while (*text == '\n' || *text == ' ' || *text == '\t') text++;
    *out = value;
    return !*text;
}

void proc_end_line(struct proc_text *out, size_t line, size_t width) {
    while (!out->failed && out->size - line < width) proc_print(out, " ");
    proc_print(out, "\n");
}

void proc_upper(struct proc_text *out, const char *format, uint32_t number) {
    size_t at = out->size;
    proc_print(out, format, number);
    for (; !out->failed && at < out->size; at++)
        if (out->bytes[at] >= 'a' && out->bytes[at] <= 'f') out->bytes[at] = (char)(out->bytes[at] - 'a' + 'A');
}
