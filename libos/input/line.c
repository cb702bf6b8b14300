/*
 * The line discipline. Owns struct line's queue of cells. Canonical mode completes a line at NL, EOL or EOF; other modes make each byte
 * readable at once. Erasing works on characters: with IUTF8, continuation bytes go with their first byte.
 */
#include "input/line.h"

enum { LINE_END = 0x100, LINE_EOF = 0x200 };
#define CONTROL(letter) ((letter) & 0x1f)

void line_init(struct line *line) {
    static const uint8_t characters[] = {
        [VINTR] = CONTROL('C'), [VQUIT] = 0x1c, [VERASE] = 0x7f, [VKILL] = CONTROL('U'), [VEOF] = CONTROL('D'), [VMIN] = 1,
        [VSTART] = CONTROL('Q'), [VSTOP] = CONTROL('S'), [VSUSP] = CONTROL('Z'), [VREPRINT] = CONTROL('R'),
        [VDISCARD] = CONTROL('O'), [VWERASE] = CONTROL('W'), [VLNEXT] = CONTROL('V'), [VEOL2] = 0,
    };
    struct linux_termios *t = &line->termios;
    t->iflag = ICRNL | IXON | IUTF8;
    t->oflag = OPOST | ONLCR;
    t->cflag = 0xbf; /* B38400 | CS8 | CREAD */
    t->lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN;
    for (unsigned i = 0; i < sizeof characters; i++) t->cc[i] = characters[i];
}

static bool is(const struct line *line, unsigned which, uint8_t byte) {
    return byte && line->termios.cc[which] == byte;
}

static bool mode(const struct line *line, uint32_t flag) {
    return line->termios.lflag & flag;
}

uint32_t line_room(const struct line *line) {
    return LINE_ROOM - (line->tail - line->head);
}

static bool push(struct line *line, uint16_t cell) {
    /* The last cell is kept for what completes a line, or a line of LINE_ROOM bytes could never be read. */
    if (line_room(line) <= (mode(line, ICANON) && cell < LINE_END ? 1u : 0u)) {
        line->dropped++;
        return false;
    }
    line->cells[line->tail++ % LINE_ROOM] = cell;
    if (!mode(line, ICANON) || cell >= LINE_END) line->edit = line->tail;
    return true;
}

static void echo_byte(struct line *line, uint8_t byte) {
    char text[2] = { '^', (char)(byte ^ 0x40) };
    if (byte == '\n' && line->termios.oflag & OPOST && line->termios.oflag & ONLCR)
        line->echo(line, "\r\n", 2);
    else if ((byte < 0x20 || byte == 0x7f) && byte != '\t' && byte != '\n' && mode(line, ECHOCTL))
        line->echo(line, text, 2);
    else
        line->echo(line, (const char *)&byte, 1);
}

static uint8_t last(const struct line *line) {
    return (uint8_t)line->cells[(line->tail - 1) % LINE_ROOM];
}

static bool continuation(const struct line *line, uint8_t byte) {
    return line->termios.iflag & IUTF8 && (byte & 0xc0) == 0x80;
}

/* Takes back one character of the line being typed, and its picture. */
static void erase(struct line *line) {
    uint8_t byte;
    do {
        byte = last(line);
        line->tail--;
    } while (continuation(line, byte) && line->tail != line->edit);
    if (!mode(line, ECHO)) return;
    if (!mode(line, ECHOE)) {
        echo_byte(line, line->termios.cc[VERASE]);
        return;
    }
    if ((byte < 0x20 || byte == 0x7f) && byte != '\t' && mode(line, ECHOCTL)) line->echo(line, "\b \b", 3);
    line->echo(line, "\b \b", 3);
}

static void kill_line(struct line *line) {
    if (mode(line, ECHOKE) && mode(line, ECHOE)) {
        while (line->tail != line->edit) erase(line);
        return;
    }
    line->tail = line->edit;
    if (mode(line, ECHO)) echo_byte(line, line->termios.cc[VKILL]);
    if (mode(line, ECHO) && mode(line, ECHOK)) echo_byte(line, '\n');
}

static bool is_space(uint8_t byte) {
    return byte == ' ' || byte == '\t';
}

static void erase_word(struct line *line) {
    while (line->tail != line->edit && is_space(last(line))) erase(line);
    while (line->tail != line->edit && !is_space(last(line))) erase(line);
}

static void reprint(struct line *line) {
    echo_byte(line, line->termios.cc[VREPRINT]);
    echo_byte(line, '\n');
    for (uint32_t at = line->edit; at != line->tail; at++) echo_byte(line, (uint8_t)line->cells[at % LINE_ROOM]);
}

static bool raise_signal(struct line *line, uint8_t byte) {
    int number = is(line, VINTR, byte) ? LINE_SIGINT : is(line, VQUIT, byte) ? LINE_SIGQUIT : is(line, VSUSP, byte) ? LINE_SIGTSTP : 0;
    if (!number) return false;
    if (!mode(line, NOFLSH)) line_flush(line);
    if (mode(line, ECHO)) echo_byte(line, byte);
    line->signal(line, number);
    return true;
}

/* Editing keys of canonical mode; false when the byte is data. */
static bool edit_key(struct line *line, uint8_t byte) {
    bool extended = mode(line, IEXTEN);
    if (is(line, VERASE, byte)) {
        if (line->tail != line->edit) erase(line);
    } else if (is(line, VKILL, byte)) {
        kill_line(line);
    } else if (extended && is(line, VWERASE, byte)) {
        erase_word(line);
    } else if (extended && is(line, VREPRINT, byte)) {
        if (mode(line, ECHO)) reprint(line);
    } else if (is(line, VEOF, byte)) {
        push(line, LINE_EOF);
    } else if (byte == '\n' || is(line, VEOL, byte) || (extended && is(line, VEOL2, byte))) {
        if (mode(line, ECHO) || (byte == '\n' && mode(line, ECHONL))) echo_byte(line, byte);
        push(line, byte | LINE_END);
    } else {
        return false;
    }
    return true;
}

static void receive_byte(struct line *line, uint8_t byte) {
    uint32_t iflag = line->termios.iflag;
    if (iflag & ISTRIP) byte &= 0x7f;
    if (line->literal) {
        line->literal = false;
        if (push(line, byte) && mode(line, ECHO)) echo_byte(line, byte);
        return;
    }
    if (byte == '\r') {
        if (iflag & IGNCR) return;
        if (iflag & ICRNL) byte = '\n';
    } else if (byte == '\n' && iflag & INLCR) {
        byte = '\r';
    }
    if (iflag & IXON && (is(line, VSTART, byte) || is(line, VSTOP, byte))) return; /* output never waits here: nothing to stop */
    if (mode(line, ISIG) && raise_signal(line, byte)) return;
    if (mode(line, ICANON)) {
        if (mode(line, IEXTEN) && is(line, VLNEXT, byte)) {
            line->literal = true;
            if (mode(line, ECHO) && mode(line, ECHOCTL)) line->echo(line, "^\b", 2);
            return;
        }
        if (edit_key(line, byte)) return;
    }
    if (push(line, byte) && mode(line, ECHO)) echo_byte(line, byte);
}

void line_receive(struct line *line, const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) receive_byte(line, bytes[i]);
}

/* What may be read now: out of canonical mode also what was being typed when the mode changed. */
static uint32_t readable_end(const struct line *line) {
    return mode(line, ICANON) ? line->edit : line->tail;
}

long line_available(const struct line *line) {
    long count = 0;
    for (uint32_t at = line->head; at != readable_end(line); at++) {
        uint16_t cell = line->cells[at % LINE_ROOM];
        if (cell & LINE_EOF) {
            if (mode(line, ICANON)) return count ? count : -1;
            continue;
        }
        count++;
        if (cell & LINE_END && mode(line, ICANON)) break;
    }
    return count;
}

size_t line_read(struct line *line, uint8_t *out, size_t size) {
    size_t done = 0;
    while (line->head != readable_end(line)) {
        uint16_t cell = line->cells[line->head % LINE_ROOM];
        if (cell & LINE_EOF) {
            line->head++;
            if (mode(line, ICANON)) break;
            continue;
        }
        if (done == size) break;
        line->head++;
        out[done++] = (uint8_t)cell;
        if (cell & LINE_END && mode(line, ICANON)) break;
    }
    if ((int32_t)(line->edit - line->head) < 0) line->edit = line->head; /* read past the typed part in raw mode */
    return done;
}

void line_flush(struct line *line) {
    line->head = line->edit = line->tail;
}

size_t line_output(const struct line *line, const uint8_t *in, size_t size, uint8_t *out) {
    uint32_t oflag = line->termios.oflag;
    size_t done = 0;
    for (size_t i = 0; i < size; i++) {
        if (oflag & OPOST && in[i] == '\n' && oflag & ONLCR) out[done++] = '\r';
        out[done++] = oflag & OPOST && in[i] == '\r' && oflag & OCRNL ? '\n' : in[i];
    }
    return done;
}
