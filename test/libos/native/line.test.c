/*
 * The terminal's line discipline: editing, echo, signals, modes, output; and random keys, which must never break its invariants.
 * Includes its subject, to see its constants.
 * flags: -fno-builtin
 */
#include "stand_ins.h"
#include "../../../libos/input/line.c"

int memcmp(const void *, const void *, size_t);
size_t strlen(const char *);

static char shown[65536];
static size_t shown_size;
static int signalled;
static void take_echo(struct line *line, const char *bytes, size_t size) {
    (void)line;
    for (size_t i = 0; i < size; i++) shown[shown_size++ % sizeof shown] = bytes[i];
}
static void take_signal(struct line *line, int number) {
    (void)line;
    signalled = number;
}

static struct line line;
static void start(void) {
    line = (struct line){ .echo = take_echo, .signal = take_signal };
    line_init(&line);
    shown_size = 0;
    signalled = 0;
}
static void keys(const char *text) {
    line_receive(&line, (const uint8_t *)text, strlen(text));
}
static bool reads(const char *wanted) {
    uint8_t out[256];
    size_t size = line_read(&line, out, sizeof out);
    return size == strlen(wanted) && !memcmp(out, wanted, size);
}
static bool shows(const char *wanted) {
    bool same = shown_size == strlen(wanted) && !memcmp(shown, wanted, shown_size);
    shown_size = 0;
    return same;
}

static void editing(void) {
    start();
    keys("ab");
    EQUAL(line_available(&line), 0);
    keys("\x7f" "c\r");
    EQUAL(line_available(&line), 3);
    CHECK(shows("ab\b \bc\r\n"));
    CHECK(reads("ac\n"));
    keys("one two\x17three\n");
    CHECK(reads("one three\n"));
    keys("rubbish\x15ok\n");
    CHECK(reads("ok\n"));
    keys("\xc3\xa4\x7fx\n"); /* a two-byte character goes with one key */
    CHECK(reads("x\n"));
    keys("\x7f\x7f\x17\x15\n");
    CHECK(reads("\n"));
    keys("a\x16\x03" "b\n"); /* ^V takes ^C literally */
    CHECK(reads("a\x03" "b\n"));
    EQUAL(signalled, 0);
}

static void ends(void) {
    start();
    keys("abc\x04");
    CHECK(reads("abc"));
    EQUAL(line_available(&line), 0);
    keys("\x04");
    EQUAL(line_available(&line), -1);
    CHECK(reads(""));
    EQUAL(line_available(&line), 0);
    keys("a\nb\n");
    CHECK(reads("a\n"));
    CHECK(reads("b\n"));
    uint8_t out[3];
    keys("abc\x04" "d\n"); /* a read that just fits must not leave an end of file behind */
    EQUAL(line_read(&line, out, 3), 3);
    CHECK(reads("d\n"));
}

static void signals(void) {
    start();
    keys("typed\x03");
    EQUAL(signalled, LINE_SIGINT);
    keys("\n");
    CHECK(reads("\n")); /* what was typed is flushed */
    keys("\x1c");
    EQUAL(signalled, LINE_SIGQUIT);
    keys("\x1a");
    EQUAL(signalled, LINE_SIGTSTP);
    shown_size = 0;
    keys("\x03");
    CHECK(shows("^C"));
    line.termios.lflag &= ~(uint32_t)ISIG;
    signalled = 0;
    keys("\x03\n");
    EQUAL(signalled, 0);
    CHECK(reads("\x03\n"));
}

static void raw(void) {
    start();
    keys("left");
    line.termios.lflag &= ~(uint32_t)(ICANON | ECHO | ISIG | IEXTEN);
    line.termios.iflag &= ~(uint32_t)ICRNL;
    shown_size = 0;
    keys("x\r\x7f\x04");
    CHECK(shows(""));
    CHECK(reads("leftx\r\x7f\x04"));
    line.termios.lflag |= ICANON;
    keys("y\n");
    CHECK(reads("y\n"));
}

static void output(void) {
    start();
    uint8_t out[16];
    EQUAL(line_output(&line, (const uint8_t *)"a\nb\n", 4, out), 6);
    CHECK(!memcmp(out, "a\r\nb\r\n", 6));
    line.termios.oflag = 0;
    EQUAL(line_output(&line, (const uint8_t *)"a\n", 2, out), 2);
}

static void overflow(void) {
    start();
    for (int i = 0; i < LINE_ROOM + 100; i++) keys("x");
    CHECK(line.dropped > 0);
    keys("\n");
    EQUAL(line_available(&line), LINE_ROOM);
    uint8_t out[LINE_ROOM];
    EQUAL(line_read(&line, out, sizeof out), LINE_ROOM);
    CHECK(out[LINE_ROOM - 1] == '\n');
}

static void random_keys(void) {
    start();
    for (int i = 0; i < 200000; i++) {
        uint8_t key = any(3) ? (uint8_t)any(256) : (uint8_t[]){ '\n', 4, 0x7f, 0x17, 0x15, 3, 0x16, 0x12 }[any(8)], out[64];
        line_receive(&line, &key, 1);
        if (!any(50)) line.termios.lflag ^= ICANON;
        if (!any(50)) line.termios.lflag ^= ECHO;
        if (!any(20)) {
            long before = line_available(&line);
            size_t size = line_read(&line, out, 1 + any(sizeof out));
            CHECK(before < 0 ? size == 0 : size <= (size_t)before);
        }
        if (line.tail - line.head > LINE_ROOM || line.edit - line.head > line.tail - line.head) {
            CHECK(!"the queue's indices are in order");
            return;
        }
    }
}

int main(void) {
    editing();
    ends();
    signals();
    raw();
    output();
    overflow();
    random_keys();
    return report("line discipline");
}
